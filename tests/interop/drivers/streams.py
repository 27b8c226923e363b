"""What a client of HTTP/2 and one of HTTP/3 share: a WebSocket that `wsproto` speaks on a stream of theirs."""

import asyncio

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Message, Ping, Pong, TextMessage


class Ended(Exception):
    """The stream has ended."""


class Stream:
    """A WebSocket on the stream `number` of `http`, which is open.

    `http` has `write(number, bytes)`, which waits for window, and `end(number)`.
    """

    def __init__(self, http, number):
        self.http = http
        self.number = number
        self.ws = Connection(ConnectionType.CLIENT)
        self.arrived = asyncio.Queue()
        self.events = []
        # How the stream ended: "end", or the error code of a reset.
        self.over = None

    def heard(self, data):
        """The client of HTTP calls this with what came, and with None at the end."""
        self.arrived.put_nowait(data)

    async def event(self):
        while not self.events:
            data = await self.arrived.get()
            if data is None:
                raise Ended(self.over)
            if not data:
                continue  # what only carries the end
            self.ws.receive_data(data)
            for event in self.ws.events():
                if isinstance(event, Ping):
                    await self.send(event.response())
                else:
                    self.events.append(event)
        return self.events.pop(0)

    async def send(self, event):
        await self.http.write(self.number, self.ws.send(event))

    async def message(self):
        """The next message, whole; a Close as its code and reason."""
        parts = []
        while True:
            event = await self.event()
            if isinstance(event, CloseConnection):
                return event.code, event.reason
            if isinstance(event, Pong):
                return "pong", bytes(event.payload)
            if isinstance(event, Message):
                parts.append(event.data)
                if event.message_finished:
                    return ("" if isinstance(event, TextMessage) else b"").join(parts)

    async def echo(self, *messages):
        for message in messages:
            kind = TextMessage if isinstance(message, str) else BytesMessage
            write = asyncio.create_task(self.send(kind(data=message)))
            got = await self.message()
            await write
            if got != message:
                raise AssertionError(f"{str(got)[:80]!r} came back for {str(message)[:80]!r}")

    async def close(self, code, reason):
        """Both Close frames, and the end of the stream after them."""
        await self.send(CloseConnection(code=code, reason=reason))
        got = await self.message()
        if got[0] != code:
            raise AssertionError(f"{got} came back")
        await self.http.end(self.number)
        await self.ended()

    async def ended(self):
        """The stream ends, and not by a reset."""
        try:
            while True:
                await self.event()
        except Ended:
            if self.over != "end":
                raise AssertionError(f"reset with {self.over}") from None
