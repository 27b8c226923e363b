"""A message of 200 MB there and back: python large_client.py HOST:PORT"""

import pathlib
import sys

from websockets.asyncio.client import connect

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))
from checks import check, main  # noqa: E402


@check
async def large(address):
    """200 MB in one message"""
    message = bytes(range(251)) * (200_000_000 // 251)
    async with connect(f"ws://{address}/ws", max_size=None, compression=None, ping_interval=None) as ws:
        await ws.send(message)
        if await ws.recv() != message:
            raise AssertionError("something else came back")


main(sys.argv[1])
