"""Octets by hand against the echo server: python http_checks.py HOST:PORT"""

import asyncio
import base64
import contextlib
import hashlib
import os
import re
import struct
import sys

from checks import check, expect, main

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3


@contextlib.asynccontextmanager
async def connection(address):
    host, port = address.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()


def upgrade(address, path="/ws", **changes):
    """A valid opening handshake and its key; a field given as None is left out."""
    key = base64.b64encode(os.urandom(16)).decode()
    fields = {
        "Host": address,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": key,
        "Sec-WebSocket-Version": "13",
    }
    fields.update({name.replace("_", "-"): value for name, value in changes.items()})
    lines = [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode(), key


async def response(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = {}
    for line in head[1:-2]:
        name, value = line.split(":", 1)
        fields[name.lower()] = value.strip()
    version, status = head[0].split(" ")[:2]
    expect(version, "HTTP/1.1", "version")
    body = b""
    if status != "101":
        # Any framing of the body is in order: a length, or the end of the connection.
        length = fields.get("content-length")
        body = await (reader.readexactly(int(length)) if length else reader.read())
    return int(status), fields, body


async def ask(address, request):
    async with connection(address) as (reader, writer):
        writer.write(request)
        return await response(reader)


def get(address, path):
    return f"GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n".encode()


def masked(opcode, payload):
    key = os.urandom(4)
    data = bytes(octet ^ key[i % 4] for i, octet in enumerate(payload))
    assert len(data) < 126
    return bytes([0x80 | opcode, 0x80 | len(data)]) + key + data


@contextlib.asynccontextmanager
async def opened(address):
    async with connection(address) as (reader, writer):
        writer.write(upgrade(address)[0])
        status, _, _ = await response(reader)
        expect(status, 101, "status")
        yield reader, writer


async def expect_close(reader, code):
    """A Close frame with this code, then the end of the connection: the server closes TCP."""
    head = await reader.readexactly(2)
    expect(head[0], 0x88, "first octet of a Close frame")
    payload = await reader.readexactly(head[1])
    expect(struct.unpack("!H", payload[:2])[0], code, "close code")
    expect(await reader.read(), b"", "after the Close frame")


@check
async def page(address):
    """the page at /"""
    status, fields, body = await ask(address, get(address, "/"))
    expect(status, 200, "status")
    expect(fields["content-type"].split(";")[0], "text/html", "type")
    for name in (b"message", b"send", b"close", b"log"):
        if not re.search(rb"""\bid=["']?%s\b""" % name, body):
            raise AssertionError(f"no element {name.decode()!r} in the page")


@check
async def other_path(address):
    """404 for another path"""
    expect((await ask(address, get(address, "/elsewhere")))[0], 404, "status")


@check
async def other_path_upgrade(address):
    """404 for a handshake on another path"""
    expect((await ask(address, upgrade(address, "/elsewhere")[0]))[0], 404, "status")


@check
async def accept(address):
    """101 with the right Sec-WebSocket-Accept"""
    request, key = upgrade(address)
    status, fields, _ = await ask(address, request)
    expect(status, 101, "status")
    digest = hashlib.sha1((key + GUID).encode()).digest()
    expect(fields["sec-websocket-accept"], base64.b64encode(digest).decode(), "accept")
    expect(fields["upgrade"].lower(), "websocket", "upgrade")
    expect(fields["connection"].lower(), "upgrade", "connection")


@check
async def same_origin(address):
    """101 for the page's own origin"""
    request, _ = upgrade(address, Origin=f"http://{address}")
    expect((await ask(address, request))[0], 101, "status")


@check
async def foreign_origin(address):
    """403 for a foreign origin"""
    request, _ = upgrade(address, Origin="http://elsewhere.example")
    expect((await ask(address, request))[0], 403, "status")


@check
async def other_port_origin(address):
    """403 for an origin on another port of the same host"""
    request, _ = upgrade(address, Origin=f"http://{address.rsplit(':', 1)[0]}:1")
    expect((await ask(address, request))[0], 403, "status")


@check
async def wrong_version(address):
    """426 and the version for version 8"""
    request, _ = upgrade(address, Sec_WebSocket_Version="8")
    status, fields, _ = await ask(address, request)
    expect(status, 426, "status")
    expect(fields["sec-websocket-version"], "13", "Sec-WebSocket-Version")


@check
async def bad_key(address):
    """400 for a key of 15 octets"""
    request, _ = upgrade(address, Sec_WebSocket_Key=base64.b64encode(b"x" * 15).decode())
    expect((await ask(address, request))[0], 400, "status")


@check
async def no_host(address):
    """400 without Host"""
    expect((await ask(address, upgrade(address, Host=None)[0]))[0], 400, "status")


@check
async def octet_by_octet(address):
    """a handshake and a message, octet by octet"""
    async with connection(address) as (reader, writer):
        for octet in upgrade(address)[0]:
            writer.write(bytes([octet]))
            await writer.drain()
            await asyncio.sleep(0.001)
        expect((await response(reader))[0], 101, "status")
        for octet in masked(1, b"slowly"):
            writer.write(bytes([octet]))
            await writer.drain()
            await asyncio.sleep(0.001)
        expect(await reader.readexactly(8), b"\x81\x06slowly", "echo")


@check
async def all_at_once(address):
    """a handshake with a message and a Close right after it"""
    async with connection(address) as (reader, writer):
        frames = masked(1, b"early") + masked(8, struct.pack("!H", 1000))
        writer.write(upgrade(address)[0] + frames)
        expect((await response(reader))[0], 101, "status")
        expect(await reader.readexactly(7), b"\x81\x05early", "echo")
        await expect_close(reader, 1000)


@check
async def server_closes_tcp(address):
    """after the closing handshake the server closes TCP"""
    async with opened(address) as (reader, writer):
        writer.write(masked(8, struct.pack("!H", 1000) + b"done"))
        await expect_close(reader, 1000)


@check
async def unmasked(address):
    """1002 for a frame without a mask"""
    async with opened(address) as (reader, writer):
        writer.write(b"\x81\x02hi")
        await expect_close(reader, 1002)


@check
async def not_utf8(address):
    """1007 for text that is not UTF-8"""
    async with opened(address) as (reader, writer):
        writer.write(masked(1, b"\xff"))
        await expect_close(reader, 1007)


@check
async def vanishing_peers(address):
    """the server outlives peers that vanish"""
    for request in (b"", b"GET /ws HT", upgrade(address)[0], upgrade(address)[0] + b"\x81\xfe\x01"):
        async with connection(address) as (_, writer):
            writer.write(request)
            await writer.drain()
            writer.transport.abort()
    expect((await ask(address, upgrade(address)[0]))[0], 101, "status")


main(*sys.argv[1:])
