"""`websockets` against the server on the board: python client.py PORT. One connection: the line has one other end."""

import asyncio
import pathlib
import sys

from websockets.asyncio.client import connect

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/interop/clients"))
from checks import check, expect, main  # noqa: E402

SECONDS = 60


async def line(port):
    """To what begins to listen now."""
    end = asyncio.get_running_loop().time() + SECONDS
    while True:
        try:
            return await connect(
                f"ws://127.0.0.1:{port}/ws", compression=None, ping_interval=None, open_timeout=SECONDS
            )
        except OSError:
            if asyncio.get_running_loop().time() > end:
                raise
            await asyncio.sleep(0.05)


@check
async def conversation(port):
    """texts, bytes, fragments, a ping, the longest message, the end"""
    ws = await line(port)
    for message in ("hello", "grüße, 世界 🌍", "", b"", bytes(range(256)), "x" * 1700):
        await ws.send(message)
        expect(await ws.recv(), message, "echo")
    await ws.send(["frag", "men", "", "ts"])
    expect(await ws.recv(), "fragments", "echo of fragments")
    await asyncio.wait_for(await ws.ping(b"alive?"), SECONDS)
    for number in range(50):
        await ws.send(str(number))
    for number in range(50):
        expect(await ws.recv(), str(number), "echo in order")
    await ws.close(1000, "bye")
    expect((ws.close_code, ws.protocol.close_rcvd.code), (1000, 1000), "code")


main(*sys.argv[1:])
