"""An echo server made with `websockets`: server.py MODE [CERTIFICATE KEY VERSION]. Prints `port N`.

MODE is none, context or no-context: what becomes of an offer of permessage-deflate.
"""

import asyncio
import ssl
import sys

from websockets.asyncio.server import serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory


async def handle(ws):
    async for message in ws:
        await ws.send(message)


def context(certificate, key, version):
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(certificate, key)
    made.minimum_version = made.maximum_version = ssl.TLSVersion[version]
    return made


async def main():
    mode, *tls = sys.argv[1:]
    ends = mode == "no-context"
    factory = ServerPerMessageDeflateFactory(
        server_no_context_takeover=ends, client_no_context_takeover=ends
    )
    options = {
        "compression": None,
        "extensions": None if mode == "none" else [factory],
        "ping_interval": None,
        "ssl": context(*tls) if tls else None,
    }
    async with serve(handle, "127.0.0.1", 0, **options) as server:
        print(f"port {server.sockets[0].getsockname()[1]}", flush=True)
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
