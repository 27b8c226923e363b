"""A connection as the application sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING

from .. import Closed, Error, Open, Prepared, Request
from ._errors import ConnectionClosed

if TYPE_CHECKING:
    from .._core import _Bytes
    from ._driver import Driver


class WebSocket:
    """An open connection, as `serve` hands it to its handler and `connect` gives it.

    Iterating over it gives the messages, until the peer closes with 1000 or 1001; another end raises
    ConnectionClosed.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    @property
    def request(self) -> Request | None:
        """The request that opened it. None for a client."""
        return self._driver.request

    @property
    def opened(self) -> Open | None:
        """What was agreed on, and for a client the headers of the answer."""
        return self._driver.opened

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol in use."""
        return self._driver.ws.subprotocol

    @property
    def state(self) -> str:
        """"connecting", "open", "closing" or "closed"."""
        return self._driver.ws.state

    @property
    def report(self) -> Closed | None:
        """How the connection ended, once it has."""
        return self._driver.report

    @property
    def latency(self) -> float | None:
        """Seconds that the last ping took to be answered, be it ours or the heartbeat's."""
        return self._driver.latency

    @property
    def transport(self) -> asyncio.Transport | None:
        """The transport below, for `get_extra_info`."""
        return self._driver.transport

    @property
    def buffered_amount(self) -> int:
        """Bytes of messages that are queued and not written."""
        return self._driver.ws.buffered_amount

    async def recv(self) -> str | bytes:
        """The next message. Raises ConnectionClosed once all that came before the end were taken."""
        return await self._driver.recv()

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        try:
            while True:
                yield await self.recv()
        except ConnectionClosed as closed:
            if closed.code not in (1000, 1001):
                raise

    async def send(self, data: str | _Bytes | Prepared) -> None:
        """Queues a message, and waits while the queue is full.

        Raises ConnectionClosed once the connection is closed, if it closes or is closing.
        """
        await self._driver.send(data)

    def try_send(self, data: str | _Bytes | Prepared) -> None:
        """Queues a message, or raises FullError at once if the queue is full."""
        self._driver.try_send(data)

    async def ping(self, payload: bytes = b"") -> float:
        """Sends a ping and waits for its answer: seconds."""
        return await self._driver.ping(payload)

    async def drain(self) -> None:
        """Waits until all that was queued is handed to the operating system, or nearly."""
        await self._driver.drain()

    async def close(self, code: int | None = 1000, reason: str = "") -> Closed:
        """Closes the connection and waits for the end, which comes within the close timeout. Messages that nobody
        took are dropped. Gives the report."""
        return await self._driver.close(code, reason)

    async def wait_closed(self) -> Closed:
        """Waits for the end, without bringing it about, and gives the report."""
        return await self._driver.wait_closed()

    def __repr__(self) -> str:
        return f"<sansocket.asyncio.WebSocket: {self._driver.ws.role}, {self.state}>"


def broadcast(connections: Iterable[WebSocket], data: str | _Bytes | Prepared) -> list[WebSocket]:
    """Sends one message to many connections, encoded once, and waits for none.

    Gives those that did not take it, as their queue is full or they are closing.
    """
    prepared = data if isinstance(data, Prepared) else Prepared(data)
    missed = []
    for ws in connections:
        try:
            ws.try_send(prepared)
        except (Error, ConnectionClosed):
            missed.append(ws)
    return missed
