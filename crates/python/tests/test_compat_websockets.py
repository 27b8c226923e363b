"""The names of websockets over the core, beyond what compat/conversations.py compares."""

import subprocess
import sys

import pytest
import websockets.client
import websockets.protocol
import websockets.server
from sansocket.compat.websockets import ClientProtocol, Protocol, ServerProtocol
from websockets.exceptions import ConnectionClosedOK, InvalidState, PayloadTooBig, ProtocolError
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, State
from websockets.uri import parse_uri

URI = parse_uri("ws://example.com/chat")


def move(one, other):
    """What one end has to send."""
    data = b"".join(one.data_to_send())
    if data:
        other.receive_data(data)
    return other.events_received()


def opened(client_extensions=None, server_extensions=None, **options):
    client = ClientProtocol(URI, extensions=client_extensions)
    server = ServerProtocol(extensions=server_extensions, **options)
    client.send_request(client.connect())
    (request,) = move(client, server)
    server.send_response(server.accept(request))
    (response,) = move(server, client)
    assert response.status_code == 101 and client.state is server.state is OPEN
    return client, server


def switched(code):
    code = f"import sansocket.compat; sansocket.compat.install('websockets')\n{code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_they_are_what_an_application_asks_for():
    client, server = opened()
    assert isinstance(client, websockets.client.ClientProtocol)
    assert isinstance(server, websockets.server.ServerProtocol) and isinstance(server, websockets.protocol.Protocol)
    client.send_text(b"a")
    (frame,) = move(client, server)
    assert frame == Frame(Opcode.TEXT, b"a")


def test_install():
    out = switched(
        "from websockets.server import ServerProtocol; from websockets.client import ClientProtocol\n"
        "import websockets, websockets.asyncio.server as server, websockets.sync.client as client\n"
        "assert server.ServerProtocol is ServerProtocol is websockets.ServerProtocol\n"
        "assert client.ClientProtocol is ClientProtocol is websockets.ClientProtocol\n"
        "sansocket.compat.install('websockets')\n"
        "print(ServerProtocol.__module__, ClientProtocol.__module__)"
    )
    assert out == "sansocket.compat.websockets.server sansocket.compat.websockets.client\n"


def test_install_in_time():
    code = "import websockets.server, sansocket.compat; sansocket.compat.install('websockets')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "RuntimeError: websockets has been imported already" in done.stderr


def test_servers_and_clients_of_websockets():
    """Those for asyncio and for threads, which are theirs, over our protocol."""
    out = switched(
        """
import asyncio
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.sync.client import connect as connect_sync

async def echo(ws):
    assert type(ws.protocol).__module__ == "sansocket.compat.websockets.server"
    async for message in ws:
        await ws.send(message)

def with_threads(uri):
    with connect_sync(uri) as ws:
        ws.send(b"x" * 200_000)
        return len(ws.recv())

async def main():
    async with serve(echo, "127.0.0.1", 0) as server:
        uri = "ws://127.0.0.1:%d/" % server.sockets[0].getsockname()[1]
        async with connect(uri) as ws:
            assert type(ws.protocol).__module__ == "sansocket.compat.websockets.client"
            await ws.send("h\u00e9 " * 50_000)
            assert await ws.recv() == "h\u00e9 " * 50_000
            await ws.send(["a", "b", "\u20ac"])
            assert await ws.recv() == "ab\u20ac"
            await (await ws.ping())
        print(ws.close_code, await asyncio.to_thread(with_threads, uri))

asyncio.run(main())
"""
    )
    assert out == "1000 200000\n"


def test_compression_is_the_cores():
    client, server = opened([ClientPerMessageDeflateFactory()], [ServerPerMessageDeflateFactory(server_max_window_bits=10)])
    assert server.extensions[0].local_max_window_bits == 10
    for text in (b"a" * 5000, b"b" * 5000):
        server.send_text(text)
        wire = b"".join(server.data_to_send())
        assert len(wire) < 100
        client.receive_data(wire)
        assert client.events_received() == [Frame(Opcode.TEXT, text)]
    assert "server_max_window_bits=10" in server._core.extensions


def test_bytes_before_the_answer():
    client = ClientProtocol(URI)
    server = ServerProtocol()
    client.send_request(client.connect())
    early = ClientProtocol(URI, state=OPEN)
    early.send_text(b"early")
    server.receive_data(b"".join(client.data_to_send() + early.data_to_send()))
    (request,) = server.events_received()
    server.send_response(server.accept(request))
    assert server.events_received() == [Frame(Opcode.TEXT, b"early")]
    # The server's first message in the read of its answer.
    server.send_text(b"hi")
    response, frame = move(server, client)
    assert frame == Frame(Opcode.TEXT, b"hi")


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("max_size, sizes, told", [(100, [101], 0), (100, [60, 41], 1), ((None, 50), [50, 51], 1)])
def test_limits(max_size, sizes, told, compressed):
    client, server = opened(
        [ClientPerMessageDeflateFactory()] if compressed else None, [ServerPerMessageDeflateFactory()], max_size=max_size
    )
    for at, size in enumerate(sizes):
        send = client.send_binary if at == 0 else client.send_continuation
        send(b"x" * size, at + 1 == len(sizes))
    assert len(move(client, server)) == told
    assert server.close_sent.code == 1009 and isinstance(server.parser_exc, PayloadTooBig)
    assert server.data_to_send()[-1] == b"" and server.close_expected()


def test_a_clean_end():
    client, server = opened()
    client.send_close(1001, "bye")
    move(client, server)
    move(server, client)
    assert (client.close_rcvd, client.close_rcvd_then_sent) == (client.close_sent, False)
    server.receive_eof()
    client.receive_eof()
    assert client.data_to_send() == [b""] and client.state is server.state is State.CLOSED
    assert isinstance(client.close_exc, ConnectionClosedOK) and client.close_reason == "bye"
    with pytest.raises(EOFError):
        client.receive_data(b"x")


def test_what_cannot_be_sent():
    client, _ = opened()
    with pytest.raises(ValueError, match="no text"):
        client.send_text(b"caf\xe9")
    with pytest.raises(ProtocolError):
        client.send_ping(bytes(126))
    with pytest.raises(ProtocolError):
        client.send_continuation(b"", True)
    client.send_text(b"\xc3", fin=False)
    with pytest.raises(ProtocolError):
        client.send_binary(b"")
    client.send_continuation(b"\xa9", True)
    client.send_close()
    with pytest.raises(InvalidState):
        client.send_text(b"late")


def test_the_callers_bytes_stay_as_they_are():
    client, server = opened()
    client.send_binary(b"abc")
    wire = bytearray(b"".join(client.data_to_send()))
    before = bytes(wire)
    server.receive_data(wire)
    assert wire == before and server.events_received() == [Frame(Opcode.BINARY, b"abc")]


class Upper(Extension):
    """An extension of an application's own."""

    name = "x-upper"

    def decode(self, frame, *, max_size=None):
        return Frame(frame.opcode, bytes(frame.data).upper(), frame.fin)

    def encode(self, frame):
        return frame


def test_with_another_extension_it_is_as_in_websockets():
    client, server = ClientProtocol(URI, state=OPEN), ServerProtocol(state=OPEN)
    server.extensions = [Upper()]
    client.send_text(b"abc")
    assert [bytes(frame.data) for frame in move(client, server)] == [b"ABC"]
    server.send_text(b"answer")
    assert move(server, client) == [Frame(Opcode.TEXT, b"answer")]
    assert server._core is None and isinstance(server, Protocol)


def test_logs(caplog):
    with caplog.at_level("DEBUG", "websockets"):
        client, server = opened()
        client.send_text(b"shown")
        move(client, server)
    assert any("TEXT 'shown'" in record.getMessage() for record in caplog.records)
    shown = [record.getMessage() for record in caplog.records if "TEXT" in record.getMessage()]
    assert [line[0] for line in shown] == [">", "<"]
