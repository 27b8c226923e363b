"""A `websockets` server for examples/echo_client. Prints `port N`, then a line of JSON per connection.

/echo        every message comes back; a ping at the start
/fragments   in three fragments, with a ping after the first
/slow        after a pause
/refuse      403
/drop        the connection breaks at the first message
/fail        close 1011 at the first message
"""

import asyncio
import http
import json
import urllib.parse

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


async def answer(ws, path, message):
    if path == "/drop":
        ws.transport.abort()
    elif path == "/fail":
        await ws.close(1011, "as told")
    elif path == "/slow":
        await asyncio.sleep(0.3)
        await ws.send(message)
    elif path == "/fragments":
        cut = len(message) // 2

        async def parts():
            yield message[:cut]
            await (await ws.ping(b"between"))
            yield message[cut:]
            yield ""

        await ws.send(parts())
    else:
        await ws.send(message)


async def handle(ws):
    path = urllib.parse.urlsplit(ws.request.path).path
    ponged = None
    messages = 0
    try:
        if path == "/echo":
            ponged = await ws.ping(b"are you there")
        async for message in ws:
            messages += 1
            assert isinstance(message, str), "echo_client sends text"
            await answer(ws, path, message)
    except ConnectionClosed:
        pass
    received = ws.protocol.close_rcvd
    seen = {
        "target": ws.request.path,
        "host": ws.request.headers["Host"],
        "messages": messages,
        "ponged": ponged is not None and ponged.done() and not ponged.cancelled()
        and ponged.exception() is None,
        "close": received.code if received else None,
    }
    print(json.dumps(seen), flush=True)


def refuse(connection, request):
    if request.path == "/refuse":
        return connection.respond(http.HTTPStatus.FORBIDDEN, "not here\n")
    return None


async def main():
    options = {"process_request": refuse, "max_size": None, "ping_interval": None}
    async with serve(handle, "127.0.0.1", 0, **options) as server:
        print("port", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
