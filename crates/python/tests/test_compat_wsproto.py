"""The names of wsproto over the core, beyond what the suites of others test (compat/suites.py)."""

import subprocess
import sys

import pytest
import sansocket
from sansocket.compat.wsproto import ConnectionState, ConnectionType, WSConnection, events
from sansocket.compat.wsproto.connection import CLIENT, SERVER, Connection
from sansocket.compat.wsproto.extensions import PerMessageDeflate
from sansocket.compat.wsproto.frame_protocol import CloseReason
from sansocket.compat.wsproto.utilities import LocalProtocolError, RemoteProtocolError

REQUEST = (
    b"GET /chat?a=b HTTP/1.1\r\nHost: example.com:81\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%b\r\n"
)


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def opened(client_extensions=(), server_extensions=()):
    """A client and a server that have opened."""
    client, server = WSConnection(ConnectionType.CLIENT), WSConnection(ConnectionType.SERVER)
    request = events.Request(host="example.com", target="/", extensions=list(client_extensions))
    server.receive_data(client.send(request))
    assert isinstance(next(server.events()), events.Request)
    client.receive_data(server.send(events.AcceptConnection(extensions=list(server_extensions))))
    assert isinstance(next(client.events()), events.AcceptConnection)
    return client, server


# ── in the place of the original


def test_install():
    done = run(
        "import sansocket.compat; sansocket.compat.install('wsproto')\n"
        "import wsproto, wsproto.events, importlib.util\n"
        "from wsproto.frame_protocol import CloseReason\n"
        "assert wsproto.__name__ == 'sansocket.compat.wsproto' and wsproto.events.Ping and CloseReason\n"
        "assert importlib.util.find_spec('wsproto')\n"
        "sansocket.compat.install('wsproto')\n"  # nothing to do
    )
    assert done.returncode == 0, done.stderr


def test_install_in_time():
    done = run("import wsproto, sansocket.compat; sansocket.compat.install('wsproto')")
    assert "RuntimeError: wsproto has been imported already" in done.stderr
    with pytest.raises(ValueError, match="no compat module 'other'"):
        __import__("sansocket.compat").compat.install("other")


def test_a_module_run_with_it(tmp_path):
    (tmp_path / "app.py").write_text("import sys, wsproto; print(wsproto.__name__, __name__, sys.argv[1:])")
    command = [sys.executable, "-m", "sansocket.compat", "wsproto", "app", "--port", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "sansocket.compat.wsproto __main__ ['--port', '1']\n", done.stderr


# ── the opening handshake


def test_bytes_after_the_handshake():
    client, server = Connection(CLIENT), WSConnection(SERVER)
    # Before the request is answered, in the same read and in another.
    server.receive_data(REQUEST % b"" + client.send(events.TextMessage("early")))
    server.receive_data(client.send(events.BytesMessage(b"bird")))
    (request,) = server.events()
    assert (request.host, request.target) == ("example.com:81", "/chat?a=b")
    answer = server.send(events.AcceptConnection())
    assert list(server.events()) == [events.TextMessage("early"), events.BytesMessage(b"bird")]
    # The server's first message comes in the read of its answer.
    client = WSConnection(CLIENT)
    server = WSConnection(SERVER)
    server.receive_data(client.send(events.Request(host="h", target="/")))
    assert len(list(server.events())) == 1
    answer = server.send(events.AcceptConnection()) + server.send(events.TextMessage("hi"))
    client.receive_data(answer)
    assert list(client.events()) == [events.AcceptConnection(), events.TextMessage("hi")]


def test_any_cut():
    for cut in range(1, len(REQUEST % b"") - 1):
        server = WSConnection(SERVER)
        server.receive_data((REQUEST % b"")[:cut])
        assert list(server.events()) == []
        server.receive_data((REQUEST % b"")[cut:])
        assert len(list(server.events())) == 1


def test_too_much_before_an_answer():
    server = WSConnection(SERVER)
    server.receive_data(REQUEST % b"")
    with pytest.raises(RemoteProtocolError):
        for _ in range(1000):
            server.receive_data(b"\x82\xfe" + b"x" * 10_000)


@pytest.mark.parametrize("headers", [[], [(b"Content-Length", b"10")]])
def test_a_refusal_in_pieces(headers):
    client, server = WSConnection(CLIENT), WSConnection(SERVER)
    server.receive_data(client.send(events.Request(host="h", target="/")))
    out = server.send(events.RejectConnection(status_code=403, headers=headers, has_body=True))
    assert out.startswith(b"HTTP/1.1 403 ") and server.state is ConnectionState.REJECTING
    out += server.send(events.RejectData(b"not ", body_finished=False))
    out += server.send(events.RejectData(b"", body_finished=False))
    out += server.send(events.RejectData(b"today!"))
    assert server.state is ConnectionState.CLOSED
    client.receive_data(out)
    refusal, *body = client.events()
    assert (refusal.status_code, refusal.has_body) == (403, True)
    assert b"".join(piece.data for piece in body) == b"not today!" and body[-1].body_finished


def test_a_bad_request_is_answered_by_the_hint():
    server = WSConnection(SERVER)
    with pytest.raises(RemoteProtocolError) as raised:
        server.receive_data((REQUEST % b"").replace(b": 13", b": 8"))
    answer = server.send(raised.value.event_hint)
    assert answer.startswith(b"HTTP/1.1 426 ") and b"Sec-WebSocket-Version: 13\r\n" in answer


def test_no_field_brings_others():
    server = WSConnection(SERVER)
    server.receive_data(REQUEST % b"")
    for name, value in [(b"X", b"a\r\nY: b"), (b"X: a\r\nY", b"b"), (b"Sec-WebSocket-Accept", b"a")]:
        with pytest.raises(LocalProtocolError):
            server.send(events.AcceptConnection(extra_headers=[(name, value)]))
    with pytest.raises(LocalProtocolError):
        server.send(events.RejectConnection(headers=[(b"X", b"a\r\nY: b")]))
    with pytest.raises(LocalProtocolError):
        WSConnection(SERVER).initiate_upgrade_connection([(b"X", b"a\r\nY: b")], "/")
    assert server.send(events.AcceptConnection(extra_headers=[(b"X", b"a")])).startswith(b"HTTP/1.1 101 ")


# ── messages


@pytest.mark.parametrize("sizes", [[0], [5, 0], [0, 0, 0], [1, 70_000, 3]])
@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("step", [7, 1000, 1 << 20])
def test_frames_are_told_as_they_are(sizes, deflate, step):
    client, server = opened([PerMessageDeflate()] if deflate else [], [PerMessageDeflate()])
    assert server.connection._frames._core.extensions.startswith("permessage") is deflate
    sent = [("é" * size)[:size] for size in sizes]
    wire = b""
    for at, text in enumerate(sent):
        wire += client.send(events.TextMessage(text, message_finished=at + 1 == len(sent)))
    frames, part = [], ""
    for at in range(0, len(wire), step):
        server.receive_data(wire[at : at + step])
        for event in server.events():
            part += event.data
            if event.frame_finished:
                frames.append(part)
                part = ""
    # A byte that two frames of compressed data share comes out with the later one.
    assert len(frames) == len(sent) and "".join(frames) == "".join(sent)
    assert deflate or frames == sent
    assert event.message_finished


def test_an_answer_before_what_follows():
    """What comes after an event in the same read has not been looked at when the event is handled."""
    client, server = opened()
    wire = client.send(events.TextMessage("a")) + client.send(events.Ping(b"p"))
    wire += client.send(events.CloseConnection(1000, "bye"))
    server.receive_data(wire)
    told = server.events()
    assert next(told) == events.TextMessage("a") and server.send(events.TextMessage("b"))
    ping = next(told)
    assert server.send(ping.response()) and server.state is ConnectionState.OPEN
    close = next(told)
    assert close == events.CloseConnection(1000, "bye") and isinstance(close.code, CloseReason)
    assert server.state is ConnectionState.REMOTE_CLOSING
    assert server.send(events.CloseConnection(4001, "own")) == b"\x88\x05\x0f\xa1own"
    assert server.state is ConnectionState.CLOSED and next(told, None) is None


def test_a_broken_rule():
    _, server = opened()
    server.receive_data(b"\x81\x02no")
    (told,) = server.events()
    assert isinstance(told, events.CloseConnection) and told.code is CloseReason.PROTOCOL_ERROR
    assert server.state is ConnectionState.OPEN
    assert server.send(told.response())[:4] == b"\x88" + bytes([2 + len(told.reason.encode())]) + b"\x03\xea"


def test_what_cannot_be_sent():
    client, _ = opened()
    for event, error in [
        (events.Ping(b"x" * 126), ValueError),
        (events.CloseConnection(1004), LocalProtocolError),
        (events.CloseConnection(1005, "why"), TypeError),
        (events.Message(7), TypeError),
        (events.Request(host="h", target="/"), LocalProtocolError),
    ]:
        with pytest.raises(error):
            client.send(event)
    client.send(events.TextMessage("begun", message_finished=False))
    with pytest.raises(TypeError):
        client.send(events.BytesMessage(b""))
    assert client.state is ConnectionState.OPEN


def test_messages_have_no_limit_here():
    client, server = opened()
    server.receive_data(client.send(events.BytesMessage(bytearray(40 << 20))))
    assert sum(len(event.data) for event in server.events()) == 40 << 20


# ── what the binding has for it


def test_one_event_at_a_time():
    client = sansocket.Connection.upgraded_client()
    server = sansocket.Connection.upgraded_server(sansocket.ServerConfig("any"))
    client.send("a")
    client.ping(b"b")
    wire = client.take_output()
    kinds = [type(server.next_event(data)) for data in (None, wire, bytearray(wire), None, None, None)]
    messages = [sansocket.Message, sansocket.Ping]
    assert kinds == [sansocket.Open, *messages, *messages, type(None)]


def test_extensions_of_the_applications_own():
    client = sansocket.Connection.client("ws://h/", extensions=["x-own; a=1", "x-other"])
    server = sansocket.Connection.server(sansocket.ServerConfig("any"))
    server.receive(client.take_output())
    with pytest.raises(sansocket.AnswerError):
        server.accept(extensions=["x-not-offered"])
    server.accept(extensions=["x-own; a=2"])
    (answer,) = client.receive(server.take_output())
    assert answer.extensions == client.extensions == "x-own; a=2"
