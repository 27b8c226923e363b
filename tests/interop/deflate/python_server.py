"""An echo server made with `websockets` that takes any offer. Prints `port N`, then the extensions of each connection."""

import asyncio
import sys

from websockets.asyncio.server import serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory


async def handle(ws):
    async for message in ws:
        await ws.send(message)


async def main():
    # Words: what the server asks for by itself.
    asked = {}
    for word in sys.argv[1:]:
        name, _, value = word.partition("=")
        asked[name] = int(value) if value else True
    factory = ServerPerMessageDeflateFactory(**asked)
    options = {"extensions": [factory], "compression": None, "max_size": None}
    async with serve(handle, "127.0.0.1", 0, **options) as server:
        print(f"port {server.sockets[0].getsockname()[1]}", flush=True)
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
