"""WebSocket servers and clients on asyncio.

>>> import asyncio
>>> from sansocket.asyncio import connect, serve
>>> async def echo(ws):
...     async for message in ws:
...         await ws.send(message)
>>> async def main():
...     async with serve(echo, "127.0.0.1", 0) as server:
...         async with connect(f"ws://127.0.0.1:{server.port}/") as ws:
...             await ws.send("Hello")
...             print(await ws.recv())
>>> asyncio.run(main())
Hello

Every method that waits can be cancelled: a message is then neither lost nor sent twice.
"""

from ._client import connect
from ._errors import ConnectionClosed, HandshakeRefused
from ._server import Page, Server, serve
from ._websocket import WebSocket, broadcast

__all__ = ["ConnectionClosed", "HandshakeRefused", "Page", "Server", "WebSocket", "broadcast", "connect", "serve"]
