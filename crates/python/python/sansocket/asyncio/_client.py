"""Clients."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl as _ssl
from collections.abc import AsyncIterator, Generator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .. import ClientConfig, Connection, Timeouts, Uri
from ._driver import Driver
from ._errors import HandshakeRefused
from ._websocket import WebSocket

if TYPE_CHECKING:
    from .._core import _Headers

logger = logging.getLogger("sansocket")

# Without a configuration: pings tell whether the peer is there.
_DEFAULT = ClientConfig(timeouts=Timeouts(ping=20.0), deflate=True)

# Seconds before connecting again, at most: after the first failure, and after many.
_FIRST_DELAY = 1.0
_LONGEST_DELAY = 60.0


class connect:
    """Connects to a ws or wss URI.

    Await it for a `WebSocket`, or use it as `async with connect(uri) as ws`, which closes it. Raises HandshakeRefused
    if the server does not open the connection, OSError if it cannot be reached.

    `async for ws in connect(uri)` connects again after each end, and waits longer after each failure, up to a minute;
    it raises what trying again cannot help, such as a status of 404.

    `ssl` is a context for wss, the system's default without it. Other arguments go to `loop.create_connection`.
    """

    def __init__(
        self,
        uri: str,
        *,
        config: ClientConfig | None = None,
        headers: _Headers | None = None,
        subprotocols: Sequence[str] = (),
        origin: str | None = None,
        ssl: _ssl.SSLContext | None = None,
        **options: Any,
    ) -> None:
        self._uri = uri
        self._config = config or _DEFAULT
        self._request: dict[str, Any] = {"headers": headers, "subprotocols": list(subprotocols), "origin": origin}
        self._ssl = ssl
        self._options = options
        self._ws: WebSocket | None = None

    async def _open(self) -> WebSocket:
        uri = Uri(self._uri)
        loop = asyncio.get_running_loop()
        options = {"happy_eyeballs_delay": 0.25, **self._options}
        if uri.secure:
            context = self._ssl or _ssl.create_default_context()
            options = {"ssl": context, "server_hostname": uri.host, **options}
        place: dict[str, Any] = {"host": uri.host, "port": uri.port}
        if "sock" in options:
            del options["happy_eyeballs_delay"]
            place = {}
        ws = Connection.client(self._uri, self._config, **self._request)
        driver = Driver(ws, loop)
        await loop.create_connection(lambda: driver, **place, **options)
        try:
            while driver.opened is None:
                if driver.report is not None:
                    raise HandshakeRefused(driver.refused, driver.report)
                await driver.wait()
        except BaseException:
            if driver.transport is not None:
                driver.transport.abort()
            raise
        return WebSocket(driver)

    def __await__(self) -> Generator[Any, None, WebSocket]:
        return self._open().__await__()

    async def __aiter__(self) -> AsyncIterator[WebSocket]:
        failed = 0
        while True:
            try:
                ws = await self._open()
            except (OSError, HandshakeRefused) as error:
                if isinstance(error, HandshakeRefused) and not error.is_temporary:
                    raise
                delay = random.uniform(0, min(_LONGEST_DELAY, _FIRST_DELAY * 2**failed))
                logger.info("connecting again in %.1f s: %s", delay, error)
                failed += 1
                await asyncio.sleep(delay)
                continue
            failed = 0
            try:
                yield ws
            finally:
                if ws.report is None:
                    await ws.close()
            # Those that a server has thrown out all at once do not come back all at once.
            await asyncio.sleep(random.uniform(0, _FIRST_DELAY))

    async def __aenter__(self) -> WebSocket:
        self._ws = await self._open()
        return self._ws

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ws is not None and self._ws.report is None:
            await self._ws.close()
