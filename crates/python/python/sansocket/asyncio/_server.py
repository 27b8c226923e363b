"""Servers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeAlias

from .. import Connection, Request, ServerConfig, Timeouts
from ._driver import Driver
from ._errors import ConnectionClosed
from ._websocket import WebSocket

logger = logging.getLogger("sansocket")

#: Answers a request over HTTP instead of accepting it: status, headers and body.
Page: TypeAlias = tuple[int, Mapping[str, str | bytes], str | bytes]

# Without a configuration: pings tell whether the peer is there.
_DEFAULT = ServerConfig(timeouts=Timeouts(ping=20.0), deflate=True)

Handler: TypeAlias = Callable[[WebSocket], Awaitable[None]]
Decide: TypeAlias = Callable[[Request], Page | None | Awaitable[Page | None]]


class _Driver(Driver):
    def __init__(self, server: Server) -> None:
        super().__init__(Connection.server(server._config), asyncio.get_running_loop())
        self.server = server
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.server._drivers.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.is_done()

    def is_done(self) -> None:
        if self.lost and self.task is None:
            self.server._forget(self)

    def asked(self, request: Request) -> None:
        decide = self.server._process_request
        if not request.upgrade or decide is not None:
            self.task = self.loop.create_task(self.decide(request))
        else:
            self.accept()

    async def decide(self, request: Request) -> None:
        try:
            page: Page | None = None
            if self.server._process_request is not None:
                decided = self.server._process_request(request)
                page = await decided if isinstance(decided, Awaitable) else decided
            if page is None and not request.upgrade:
                page = (404, {"Content-Type": "text/plain"}, "Not Found\n")
            if self.report is not None:
                return
            if page is not None:
                self.ws.respond(*page)
            else:
                self.accept()
        except asyncio.CancelledError:
            raise
        except Exception:
            logger.exception("the request %r was not answered", request.target)
            if self.report is None:
                self.ws.respond(500)
        finally:
            self.task = None
            self.settle(self.ws.receive())
            self.is_done()

    def accept(self) -> None:
        if self.server._closing:
            self.ws.respond(503)
        else:
            self.ws.accept(prefer=self.server._subprotocols)

    def is_open(self) -> None:
        self.task = self.loop.create_task(self.handle_connection())

    async def handle_connection(self) -> None:
        ws = WebSocket(self)
        try:
            await self.server._handler(ws)
            await self.close(1000, "")
        except ConnectionClosed:
            pass
        except asyncio.CancelledError:
            if self.report is None:
                await asyncio.shield(self.close(1001, ""))
            raise
        except Exception:
            logger.exception("the handler of a connection failed")
            await self.close(1011, "")
        finally:
            self.task = None
            self.is_done()


class Server:
    """A server that `serve` has started. Leaving its `async with` closes it."""

    def __init__(
        self,
        handler: Handler,
        config: ServerConfig,
        subprotocols: Sequence[str],
        process_request: Decide | None,
    ) -> None:
        self._handler = handler
        self._config = config
        self._subprotocols = list(subprotocols)
        self._process_request = process_request
        self._drivers: set[_Driver] = set()
        self._gone = asyncio.Event()
        self._gone.set()
        self._server: asyncio.Server | None = None
        self._port = 0
        self._closing = False

    def _forget(self, driver: _Driver) -> None:
        self._drivers.discard(driver)
        if not self._drivers:
            self._gone.set()

    @property
    def sockets(self) -> Sequence[Any]:
        """The sockets that it listens on."""
        return self._server.sockets if self._server is not None else ()

    @property
    def port(self) -> int:
        """The port of the first of them."""
        return self._port

    @property
    def connections(self) -> list[WebSocket]:
        """The connections that are open."""
        return [WebSocket(driver) for driver in self._drivers if driver.ws.state == "open"]

    async def close(self, code: int = 1001, reason: str = "") -> None:
        """Listens no more, closes all connections with this code, and waits for their ends and their handlers."""
        self._closing = True
        if self._server is not None:
            self._server.close()
        for driver in list(self._drivers):
            if driver.ws.state == "open":
                driver.ws.close(code, reason)
                driver.settle(driver.ws.receive())
            elif driver.opened is None and driver.task is None and driver.transport is not None:
                driver.transport.close()
        while self._drivers:
            self._gone.clear()
            await self._gone.wait()

    async def serve_forever(self) -> None:
        """Waits until the task is cancelled, and closes the server then."""
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await self.close()

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class serve:
    """Listens on a host and a port, and calls `handler` with each connection.

    Await it for a `Server`, or use it as `async with serve(...) as server`. When the handler returns the connection
    is closed with 1000, when it raises with 1011.

    `subprotocols` are what the server speaks, most wanted first. `process_request` may answer a request with a page,
    and it may be a coroutine; plain requests come to it if the configuration has `serve_http`. Other arguments go to
    `loop.create_server`, such as `ssl` and `backlog`.
    """

    def __init__(
        self,
        handler: Handler,
        host: str | Sequence[str] | None = None,
        port: int | None = None,
        *,
        config: ServerConfig | None = None,
        subprotocols: Sequence[str] = (),
        process_request: Decide | None = None,
        **options: Any,
    ) -> None:
        self._arguments = (handler, config or _DEFAULT, subprotocols, process_request)
        self._place = (host, port)
        self._options = options
        self._server: Server | None = None

    async def _start(self) -> Server:
        server = Server(*self._arguments)
        loop = asyncio.get_running_loop()
        host, port = self._place
        server._server = await loop.create_server(lambda: _Driver(server), host, port, **self._options)
        address = server.sockets[0].getsockname()
        server._port = address[1] if isinstance(address, tuple) else 0
        return server

    def __await__(self) -> Generator[Any, None, Server]:
        return self._start().__await__()

    async def __aenter__(self) -> Server:
        self._server = await self._start()
        return self._server

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            await self._server.close()
