"""`websockets` clients against the echo server of tests/interop/deflate/peer: python_client.py HOST:PORT..."""

import asyncio
import sys
import zlib

from websockets.asyncio.client import connect
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

LINE = "a line of text that comes again; grüße, 世界 🌍; "
MESSAGES = [
    "Hello", "Hello", "", "Hello", LINE * 20, LINE * 5000,
    zlib.compress(bytes(range(256)) * 3000), LINE, bytes(1 << 20), LINE,
    ["in ", "", "fragments; " * 100, "Hello"],
]
MODES = [
    {},
    {"server_no_context_takeover": True},
    {"client_no_context_takeover": True},
    {"server_no_context_takeover": True, "client_no_context_takeover": True},
    {"server_max_window_bits": 8},
    {"server_max_window_bits": 10, "client_max_window_bits": 10},
    {"client_max_window_bits": 9, "client_no_context_takeover": True},
]


async def converse(address, mode):
    factory = ClientPerMessageDeflateFactory(compress_settings={"memLevel": 5}, **mode)
    options = {"extensions": [factory], "compression": None, "max_size": None}
    async with connect(f"ws://{address}/ws", **options) as ws:
        names = [extension.name for extension in ws.protocol.extensions]
        assert names == ["permessage-deflate"], names
        for message in MESSAGES:
            await ws.send(message)
            back = await ws.recv()
            assert back == ("".join(message) if isinstance(message, list) else message), "differs"
        # Several at once.
        for i in range(50):
            await ws.send(f"{LINE}{i}")
        for i in range(50):
            assert await ws.recv() == f"{LINE}{i}"
    assert ws.close_code == 1000, ws.close_code


def main():
    count = 0
    for number, address in enumerate(sys.argv[1:], 1):
        for mode in MODES:
            count += 1
            name = f"websockets to server {number} {mode or 'takeover in both directions'}"
            try:
                asyncio.run(asyncio.wait_for(converse(address, mode), 60))
            except Exception as why:
                print(f"FAILED {name}: {type(why).__name__} {why}".replace("\n", " "), flush=True)
            else:
                print(f"ok {name}", flush=True)
    print(f"end {count}", flush=True)


main()
