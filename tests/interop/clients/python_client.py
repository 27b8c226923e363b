"""The `websockets` client against the echo server: python python_client.py HOST:PORT"""

import asyncio
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from checks import check, expect, main

MIB = 1 << 20


def client(address, **options):
    return connect(f"ws://{address}/ws", max_size=None, ping_interval=None, **options)


async def echo(address, *messages):
    async with client(address) as ws:
        for message in messages:
            await ws.send(message)
            got = await ws.recv()
            expect(type(got), type(message), "kind")
            expect(got, message, "echo")


@check
async def text(address):
    """text"""
    await echo(address, "hello", "grüße, 世界 🌍", "\0")


@check
async def binary(address):
    """binary"""
    await echo(address, b"\0\xff\xfe", bytes(range(256)))


@check
async def empty(address):
    """empty messages"""
    await echo(address, "", b"", "")


@check
async def compression(address):
    """permessage-deflate, with it and without"""
    async with client(address) as ws:
        expect([e.name for e in ws.protocol.extensions], ["permessage-deflate"], "extensions")
        for message in ("x" * 100_000, "", bytes(range(256)) * 100, "x" * 100_000):
            await ws.send(message)
            expect(await ws.recv(), message, "echo")
    async with client(address, compression=None) as ws:
        expect(ws.protocol.extensions, [], "extensions")
        await ws.send("plain")
        expect(await ws.recv(), "plain", "echo")


@check
async def mebibyte(address):
    """1 MiB"""
    await echo(address, "ü" * (MIB // 2), bytes(range(256)) * (MIB // 256))


@check
async def sixteen_mebibytes(address):
    """16 MiB"""
    await echo(address, bytes(range(256)) * (16 * MIB // 256))


@check
async def lengths(address):
    """around the edges of the length field"""
    await echo(address, *(b"x" * length for length in (125, 126, 127, 65535, 65536, 65537)))


@check
async def fragments(address):
    """fragmented messages"""
    async with client(address) as ws:
        await ws.send(["frag", "", "ments ", "ü"])
        expect(await ws.recv(), "fragments ü", "echo")
        await ws.send(bytes([i]) * 1000 for i in range(200))
        expect(await ws.recv(), b"".join(bytes([i]) * 1000 for i in range(200)), "echo")


@check
async def ping_inside(address):
    """a ping between two fragments"""
    async with client(address) as ws:

        async def parts():
            yield "before, "
            await (await ws.ping(b"inside"))
            yield "after"

        await ws.send(parts())
        expect(await ws.recv(), "before, after", "echo")


@check
async def ping(address):
    """pings are answered with their payload"""
    async with client(address) as ws:
        for payload in (b"", b"hello", bytes(125)):
            await (await ws.ping(payload))
        await ws.pong(b"nobody asked")
        await ws.send("still here")
        expect(await ws.recv(), "still here", "echo")


@check
async def pipelined(address):
    """1000 messages before the first echo is read"""
    async with client(address, max_queue=None) as ws:
        for i in range(1000):
            await ws.send(f"message {i}")
        for i in range(1000):
            expect(await ws.recv(), f"message {i}", "echo")


@check
async def many(address):
    """50 connections at once"""
    async with asyncio.TaskGroup() as group:
        for i in range(50):
            group.create_task(echo(address, f"connection {i}", bytes([i]) * 10_000))


async def close(address, code, reason):
    async with client(address) as ws:
        await ws.send("last words")
        expect(await ws.recv(), "last words", "echo")
        await ws.close(code, reason)
    if ws.protocol.close_rcvd is None:
        raise AssertionError("no Close frame came back")
    expect(ws.protocol.close_rcvd.code, code, "close code")
    expect(ws.protocol.close_rcvd_then_sent, False, "the peer closed first:")


@check
async def close_1000(address):
    """close 1000"""
    await close(address, 1000, "")


@check
async def close_4000(address):
    """close 4000 with a reason"""
    await close(address, 4000, "grüße")


@check
async def foreign_origin(address):
    """403 for a foreign origin"""
    try:
        async with client(address, origin="http://elsewhere.example"):
            raise AssertionError("accepted")
    except InvalidStatus as refusal:
        expect(refusal.response.status_code, 403, "status")


@check
async def same_origin(address):
    """the page's own origin"""
    async with client(address, origin=f"http://{address}") as ws:
        await ws.send("same")
        expect(await ws.recv(), "same", "echo")


main(*sys.argv[1:])
