"""Moves bytes, events and the time between a transport and a connection."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, cast

from .. import (
    Chunk, Close, Closed, Connection, Event, Failed, Message, MessageStart, Open, Ping, Pong, Prepared,
    Refused, Request, SendError,
)
from ._errors import ConnectionClosed

if TYPE_CHECKING:
    from .._core import _Bytes

# Messages that wait for `recv`, and their bytes, from which on nothing more is read.
_MOST_MESSAGES = 64
_MOST_BYTES = 1 << 20

# Seconds that a transport may take to write its last bytes.
_LINGER = 5.0


class Driver(asyncio.BufferedProtocol):
    """Moves bytes, events and the time between a transport and a connection."""

    def __init__(self, ws: Connection, loop: asyncio.AbstractEventLoop) -> None:
        self.ws = ws
        self.loop = loop
        self.transport: asyncio.Transport | None = None
        self.request: Request | None = None
        self.opened: Open | None = None
        self.refused: Refused | None = None
        self.report: Closed | None = None
        self.latency: float | None = None
        self.messages: deque[str | bytes] = deque()
        self.queued_bytes = 0
        self.reading = True
        self.writable = True
        self.flushing = False
        self.discarding = False
        self.lost = False
        self.tls = False
        self.timer: asyncio.TimerHandle | None = None
        self.lingering: asyncio.TimerHandle | None = None
        self.waiting: set[asyncio.Future[None]] = set()
        self.pings: deque[tuple[bytes, float, asyncio.Future[float]]] = deque()

    # ── what the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Other event loops' transports are none by their type.
        self.transport = cast(asyncio.Transport, transport)
        self.tls = transport.get_extra_info("sslcontext") is not None
        self.ws.advance_time(self.loop.time())
        self.settle([])

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.ws.get_buffer(sizehint)

    def buffer_updated(self, nbytes: int) -> None:
        self.ws.advance_time(self.loop.time())
        self.settle(self.ws.buffer_updated(nbytes))

    def eof_received(self) -> bool:
        self.ws.advance_time(self.loop.time())
        self.settle(self.ws.receive_eof())
        # TLS cannot be half open.
        return not self.tls

    def connection_lost(self, error: Exception | None) -> None:
        self.ws.transport_lost()
        self.writable = False
        self.settle(self.ws.receive())
        for timer in (self.timer, self.lingering):
            if timer is not None:
                timer.cancel()
        self.timer = self.lingering = None
        self.lost = True
        self.wake()

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True
        # Later, as a transport that is closed within this call tells its end twice.
        self.loop.call_soon(self.go_on)

    def go_on(self) -> None:
        if not self.lost:
            self.ws.advance_time(self.loop.time())
            self.settle(self.ws.receive())

    # ── what the application calls

    async def recv(self) -> str | bytes:
        while not self.messages:
            if self.report is not None:
                raise ConnectionClosed(self.report)
            await self.wait()
        message = self.messages.popleft()
        self.queued_bytes -= len(message)
        if not self.reading and self.has_room():
            self.reading = True
            if self.transport is not None and not self.transport.is_closing():
                self.transport.resume_reading()
        return message

    def try_send(self, data: str | _Bytes | Prepared) -> None:
        if self.report is not None:
            raise ConnectionClosed(self.report)
        self.ws.send(data)
        self.flush_soon()

    async def send(self, data: str | _Bytes | Prepared) -> None:
        while True:
            try:
                return self.try_send(data)
            except SendError as error:
                if self.ws.state != "open":
                    raise ConnectionClosed(await self.wait_closed()) from None
                # With an empty queue there is nothing to wait for: it is too long for the limits.
                if error.name not in ("full", "memory_full") or not self.ws.output_len:
                    raise
                self.settle([])
                if self.ws.output_len:
                    await self.wait()

    async def drain(self) -> None:
        self.settle([])
        while self.report is None and (self.ws.output_len or not self.writable):
            await self.wait()

    async def ping(self, payload: bytes) -> float:
        if self.report is not None:
            raise ConnectionClosed(self.report)
        self.ws.ping(payload)
        answered: asyncio.Future[float] = self.loop.create_future()
        self.pings.append((bytes(payload), self.loop.time(), answered))
        self.settle([])
        return await answered

    async def close(self, code: int | None, reason: str) -> Closed:
        self.ws.advance_time(self.loop.time())
        self.ws.close(code, reason)
        self.discarding = True
        self.messages.clear()
        self.queued_bytes = 0
        if not self.reading:
            self.reading = True
            if self.transport is not None and not self.transport.is_closing():
                self.transport.resume_reading()
        self.settle(self.ws.receive())
        return await self.wait_closed()

    async def wait_closed(self) -> Closed:
        while self.report is None:
            await self.wait()
        return self.report

    async def wait(self) -> None:
        """Until something has changed."""
        waiter: asyncio.Future[None] = self.loop.create_future()
        self.waiting.add(waiter)
        try:
            await waiter
        finally:
            self.waiting.discard(waiter)

    def wake(self) -> None:
        for waiter in self.waiting:
            if not waiter.done():
                waiter.set_result(None)

    # ── what happened

    def settle(self, events: list[Event]) -> None:
        """After anything was told to the connection: its events, its output, its transport, its time."""
        while events:
            for event in events:
                self.handle(event)
            # What an answer to a request has brought.
            events = self.ws.receive() if isinstance(events[-1], Request) else []
        self.flush()
        self.follow()
        self.arm()
        if self.waiting:
            self.wake()

    def handle(self, event: Event) -> None:
        match event:
            case Message(data):
                if not self.discarding:
                    self.messages.append(data)
                    self.queued_bytes += len(data)
                    if not self.has_room():
                        self.pause()
            case Pong(payload):
                if event.round_trip is not None:
                    self.latency = event.round_trip
                self.answered(payload)
            case Open():
                self.opened = event
                self.is_open()
            case Request():
                self.request = event
                self.asked(event)
            case Refused():
                self.refused = event
            case Closed():
                self.report = event
                for _, _, answered in self.pings:
                    if not answered.done():
                        answered.set_exception(ConnectionClosed(event))
                self.pings.clear()
            case Ping() | Close() | Failed() | Chunk() | MessageStart():
                pass

    def answered(self, payload: bytes) -> None:
        """A pong answers all pings up to the one with its payload (RFC 6455 §5.5.3)."""
        if not any(sent == payload for sent, _, _ in self.pings):
            return
        while self.pings:
            sent, at, answered = self.pings.popleft()
            if not answered.done():
                answered.set_result(self.loop.time() - at)
            if sent == payload:
                return

    def is_open(self) -> None:
        """The connection is established."""

    def asked(self, request: Request) -> None:
        """A request waits for its answer."""

    # ── bytes and time

    def has_room(self) -> bool:
        return len(self.messages) < _MOST_MESSAGES and self.queued_bytes < _MOST_BYTES

    def pause(self) -> None:
        if self.reading and self.transport is not None and not self.transport.is_closing():
            self.reading = False
            self.transport.pause_reading()

    def flush_soon(self) -> None:
        """Writes now, or after the messages that have come with this one were handled: one write for all."""
        if not self.messages:
            self.settle([])
        elif not self.flushing:
            self.flushing = True
            self.loop.call_soon(self.flush_late)

    def flush_late(self) -> None:
        self.flushing = False
        self.settle([])

    def flush(self) -> None:
        transport = self.transport
        if transport is None:
            return
        while self.writable and self.ws.output_len and not transport.is_closing():
            pieces = self.ws.output()
            self.ws.consume_output(sum(map(len, pieces)))
            if len(pieces) == 1:
                transport.write(pieces[0])
            else:
                transport.writelines(pieces)

    def follow(self) -> None:
        """Does with the transport what the connection says."""
        transport = self.transport
        if transport is None or self.ws.output_len:
            return
        match self.ws.transport:
            case "shutdown-write" if transport.can_write_eof():
                if not transport.is_closing():
                    transport.write_eof()
            case "shutdown-write" | "close":
                transport.close()
                # What the transport still holds has as long again as the closing handshake had.
                if self.lingering is None and not self.lost:
                    self.lingering = self.loop.call_later(_LINGER, transport.abort)

    def arm(self) -> None:
        """One timer, made anew only when it has to ring earlier."""
        deadline = self.ws.next_deadline
        if deadline is None:
            return
        if self.timer is not None:
            if self.timer.when() <= deadline:
                return
            self.timer.cancel()
        self.timer = self.loop.call_at(deadline, self.ring)

    def ring(self) -> None:
        self.timer = None
        self.ws.advance_time(self.loop.time())
        self.settle(self.ws.receive())
