"""A server that is told to end: python ended_client.py HOST:PORT PID"""

import asyncio
import os
import signal
import sys
import pathlib

from websockets.asyncio.client import connect

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))
from checks import check, expect, main  # noqa: E402


@check
async def sigterm(address):
    """SIGTERM: each client is told 1001"""
    clients = [await connect(f"ws://{address}/ws") for _ in range(5)]
    for client in clients:
        await client.send("hello")
        expect(await client.recv(), "hello", "echo")
    os.kill(int(sys.argv[2]), signal.SIGTERM)
    for client in clients:
        await client.wait_closed()
        expect((client.close_code, client.close_reason), (1001, "the server stops"), "close")


main(sys.argv[1])
