"""Small relays with a purpose: `relay.py MODE PORT [CERTIFICATE KEY]`. Prints `port N`.

A proxy (CONNECT) that
    plain         opens the tunnel
    dribble       does so, and every byte either way goes by itself
    502           says that it cannot reach the server
    midway        ends in the middle of its answer
    silent        ends without an answer
    garbage       does not speak HTTP
    cut           opens the tunnel and breaks it at the server's second read
or, with the port of a server and a certificate,
    tls           takes TLS off in front of it
"""

import asyncio
import ssl
import sys

MODE, *REST = sys.argv[1:]
BROKEN = {
    "502": b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 10\r\n\r\nno server\n",
    "midway": b"HTTP/1.1 200 Connection establ",
    "silent": b"",
    "garbage": b"\x15\x03\x01\x00\x02\x02\x46 no HTTP here\r\n\r\n",
}


async def pump(reader, writer, reads=None):
    step = 1 if MODE == "dribble" else 1 << 16
    try:
        while data := await reader.read(step):
            if reads is not None and (reads := reads - 1) == 0:
                writer.transport.abort()
                return
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    if not writer.is_closing() and writer.can_write_eof():
        writer.write_eof()
    else:
        writer.close()


async def both(client, server):
    up = asyncio.create_task(pump(client[0], server[1]))
    await pump(server[0], client[1], 2 if MODE == "cut" else None)
    if MODE in ("cut", "tls"):
        up.cancel()
    await asyncio.wait([up])
    for _, writer in (client, server):
        writer.close()


async def proxy(reader, writer):
    head = await reader.readuntil(b"\r\n\r\n")
    if MODE in BROKEN:
        writer.write(BROKEN[MODE])
        await writer.drain()
        writer.close()
        return
    method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
    assert method == "CONNECT", method
    host, port = target.rsplit(":", 1)
    server = await asyncio.open_connection(host.strip("[]"), int(port))
    answer = b"HTTP/1.1 200 Connection established\r\n\r\n"
    step = 1 if MODE == "dribble" else len(answer)
    for at in range(0, len(answer), step):
        writer.write(answer[at : at + step])
        await writer.drain()
        await asyncio.sleep(0.002)
    await both((reader, writer), server)


async def main():
    context = None
    handle = proxy
    if MODE == "tls":
        target, *files = REST
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*files)

        async def handle(reader, writer):
            server = await asyncio.open_connection("127.0.0.1", int(target))
            await both((reader, writer), server)

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
