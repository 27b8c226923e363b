"""A `websockets` server for the client. Prints `port N`, then a line of JSON per connection.

    python_server.py PORT [CERTIFICATE KEY]     port 0: any that is free

/echo, any other  every message comes back
/close/CODE       closes with this code at the first message
/redirect/URI     302 to this place
/login            401 with two challenges, unless there is Authorization
/busy             503 with Retry-After: 1 the first time, then as /echo
"""

import asyncio
import http
import json
import ssl
import sys
import urllib.parse

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

busy = iter([True])


def tell(request, **more):
    # Several fields of one name would be a mistake of the client's in these tests.
    headers = {name.lower(): value for name, value in request.headers.raw_items()}
    print(json.dumps({"target": request.path, "headers": headers, **more}), flush=True)


def answer_http(connection, request):
    def refuse(status, **fields):
        response = connection.respond(status, f"{status.phrase}\n")
        for name, value in fields.items():
            response.headers[name.replace("_", "-")] = value
        tell(request, status=status.value)
        return response

    path = request.path
    if path.startswith("/redirect/"):
        place = urllib.parse.unquote(path.removeprefix("/redirect/"))
        return refuse(http.HTTPStatus.FOUND, Location=place)
    if path == "/login" and "Authorization" not in request.headers:
        challenges = 'Bearer realm="a \\"b\\"", Basic realm="here"'
        return refuse(http.HTTPStatus.UNAUTHORIZED, WWW_Authenticate=challenges)
    if path == "/busy" and next(busy, False):
        return refuse(http.HTTPStatus.SERVICE_UNAVAILABLE, Retry_After="1")
    return None


def choose(connection, offered):
    return "chat" if "chat" in offered else None


async def handle(ws):
    messages = 0
    try:
        async for message in ws:
            messages += 1
            if ws.request.path.startswith("/close/"):
                await ws.close(int(ws.request.path.removeprefix("/close/")), "as told")
            else:
                await ws.send(message)
    except ConnectionClosed:
        pass
    received = ws.protocol.close_rcvd
    tell(ws.request, messages=messages, close=received.code if received else None)


async def main():
    port, *files = sys.argv[1:]
    context = None
    if files:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*files)
    options = {"ssl": context, "process_request": answer_http, "select_subprotocol": choose}
    options |= {"max_size": None, "ping_interval": None}
    async with serve(handle, "127.0.0.1", int(port), **options) as server:
        print("port", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
