"""The binding of the core: each call does what the core's does, and nothing of the caller's is harmed."""

import gc
import pathlib
import random
import socket
import subprocess
import sys

import pytest

import sansocket
from sansocket import (
    ClientConfig, Close, Closed, Connection, Failed, Limits, Message, Open, Ping, Pong, Refused, Request,
    ServerConfig, Timeouts,
)

ANY = ServerConfig("any")


def pair(server=ANY, client=None):
    """Both ends, open, with nothing queued."""
    ends = Connection.upgraded_server(server), Connection.upgraded_client(client)
    for end in ends:
        assert [type(event) for event in end.receive()] == [Open]
    return ends


def shaken(server=ANY, client=None, **request):
    """Both ends after an opening handshake, and what the request was."""
    c = Connection.client("ws://example.com/chat?x=1", client, **request)
    s = Connection.server(server)
    (asked,) = s.receive(c.take_output())
    return s, c, asked


def over(end, other):
    """What `other` tells of what `end` has queued."""
    return other.receive(end.take_output())


# ── the opening handshake


def test_opening_handshake():
    s, c, asked = shaken(headers={"Cookie": "a=b", "X-Both": b"\xff"}, subprotocols=["v1", "v2"], origin="http://o.example")
    assert isinstance(asked, Request) and asked.upgrade
    assert (asked.method, asked.target, asked.path, asked.query) == ("GET", "/chat?x=1", "/chat", "x=1")
    assert asked.header("cookie") == b"a=b" and asked.header("x-both") == b"\xff"
    assert asked.subprotocols == ["v1", "v2"] and asked.origin == "http://o.example"
    assert ("Host", b"example.com") in asked.headers
    assert s.state == "initial" and c.state == "connecting"
    s.accept(prefer=["v2"], headers=[("Set-Cookie", "c=d")])
    (opened,) = over(s, c)
    assert opened.subprotocol == c.subprotocol == s.subprotocol == "v2"
    assert opened.header("set-cookie") == b"c=d"
    assert [type(event) for event in s.receive()] == [Open]
    assert s.state == c.state == "open"


def test_a_refusal_is_told_with_its_body():
    s, c, _ = shaken()
    s.respond(403, {"X-Why": "because"}, "no entry")
    (refused, closed) = over(s, c)
    assert isinstance(refused, Refused) and refused.status == 403 and refused.body == b"no entry"
    assert refused.header("x-why") == b"because"
    assert isinstance(closed, Closed) and closed.answered == 403


def test_a_bad_answer_can_be_given_again():
    s, c, _ = shaken(subprotocols=["a"])
    with pytest.raises(sansocket.AnswerError) as raised:
        s.accept("b")
    assert raised.value.code == 602 and raised.value.name == "accepted_subprotocol_not_offered"
    s.accept("a")
    assert isinstance(over(s, c)[0], Open)


def test_a_request_of_another_stack():
    headers = [
        ("Host", "example.com"), ("Upgrade", "websocket"), ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Sec-WebSocket-Version", "13"),
    ]
    response, ws = sansocket.Upgrade(ANY, "GET", "/", headers).accept()
    assert response.status == 101
    assert ("Sec-WebSocket-Accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") in response.headers
    assert [type(event) for event in ws.receive()] == [Open]
    with pytest.raises(sansocket.HandshakeError) as raised:
        sansocket.Upgrade(ANY, "GET", "/", headers[:-1])
    assert raised.value.name == "field_missing" and raised.value.response.status == 426


def test_uris():
    uri = sansocket.Uri("wss://[::1]:8443/a?b")
    assert (uri.secure, uri.host, uri.port, uri.resource_name) == (True, "::1", 8443, "/a?b")
    with pytest.raises(sansocket.UriError):
        sansocket.Uri("http://example.com/")


def test_origins_are_checked():
    s, c, asked = shaken(ServerConfig(["https://*.example.com"]), origin="https://evil.example")
    assert isinstance(asked, Failed) and asked.name == "origin"
    with pytest.raises(ValueError):
        ServerConfig(["no origin"])


# ── messages


@pytest.mark.parametrize("wrap", [bytes, bytearray, lambda data: memoryview(bytearray(data)), memoryview])
def test_messages_in_any_kind_of_buffer(wrap):
    s, c = pair()
    sent = ["text", "grüße", b"", b"binary", b"\0" * 70_000, "x" * 200]
    for data in sent:
        c.send(data)
    assert [event.data for event in s.receive(wrap(c.take_output()))] == sent


def test_bytes_stay_as_they_are():
    s, c = pair()
    c.send(b"secret")
    wire = c.take_output()
    before = bytes(bytearray(wire))
    assert s.receive(wire)[0].data == b"secret"
    assert wire == before


def test_unmasked_in_place_in_a_bytearray():
    s, c = pair()
    c.send(b"secret")
    wire = bytearray(c.take_output())
    assert s.receive(wire)[0].data == b"secret"
    assert wire.endswith(b"secret")


def test_the_read_buffer_of_asyncio():
    s, c = pair()
    c.send(b"one")
    c.send("two")
    wire = c.take_output()
    told = []
    for byte in wire:
        buffer = s.get_buffer(-1)
        buffer[0] = byte
        told += s.buffer_updated(1)
    assert [event.data for event in told] == [b"one", "two"]
    with pytest.raises(ValueError):
        s.buffer_updated(1)


def test_every_cut():
    s, c = pair()
    c.send("ä€𝄞")
    c.ping(b"p")
    c.send(b"x" * 130)
    wire = c.take_output()
    for cut in range(len(wire) + 1):
        ws = Connection.upgraded_server(ANY)
        ws.receive()
        told = ws.receive(wire[:cut]) + ws.receive(bytearray(wire[cut:]))
        assert [getattr(event, "data", None) for event in told] == ["ä€𝄞", None, b"x" * 130]


def test_large_messages_leave_without_a_copy():
    s, c = pair()
    payload = bytes(100_000)
    s.send(payload)
    pieces = s.output()
    views = [piece for piece in pieces if isinstance(piece, memoryview)]
    assert len(views) == 1 and views[0].obj is payload and len(views[0]) == len(payload)
    # Half of it is written; the rest comes again.
    half = len(pieces[0]) + 50_000
    s.consume_output(half)
    rest = s.output()
    assert s.output_len == sum(map(len, pieces)) - half == sum(map(len, rest))
    assert rest[0].obj is payload
    wire = b"".join(pieces)[:half] + b"".join(rest)
    s.consume_output(s.output_len)
    assert c.receive(wire)[0].data == payload and s.output() == []


def test_views_outlive_the_queue():
    s, _ = pair()
    s.send(bytes(range(256)) * 400)
    pieces = s.output()
    s.consume_output(s.output_len)
    del s
    gc.collect()
    assert b"".join(pieces)[-256:] == bytes(range(256))


def test_output_is_the_same_whichever_way_it_is_taken():
    def queued():
        s, _ = pair()
        for size in (1, 20_000, 3, 70_000, 5):
            s.send(bytes([size % 251]) * size)
        return s

    whole = queued().take_output()
    s, taken = queued(), b""
    generator = random.Random(7)
    while s.output_len:
        pieces = b"".join(s.output())
        n = generator.randint(1, len(pieces))
        taken += pieces[:n]
        s.consume_output(n)
    assert taken == whole


def test_a_full_queue_takes_nothing():
    s, _ = pair(ServerConfig("any", limits=Limits(output=10)))
    s.send(b"x" * 20)
    queued = s.output_len
    for data in (b"y", b"y" * 20_000, "text"):
        with pytest.raises(sansocket.FullError) as raised:
            s.send(data)
        assert raised.value.code == 403 and raised.value.name == "full"
    assert s.output_len == queued and s.buffered_amount == 20


def test_parts_and_control_frames_between():
    s, c = pair()
    c.send_part("a", last=False)
    c.ping("now")
    c.send_part("b", last=True)
    ping, message = over(c, s)
    assert isinstance(ping, Ping) and ping.payload == b"now" and message.data == "ab"
    (pong,) = over(s, c)
    assert isinstance(pong, Pong) and pong.payload == b"now"


def test_chunks():
    s, c = pair(ServerConfig("any", delivery="chunks"))
    c.send("hello")
    wire = c.take_output()
    chunks = s.receive(wire[:8]) + s.receive(wire[8:])
    assert b"".join(chunk.data for chunk in chunks) == b"hello"
    assert chunks[0].first and chunks[-1].last and chunks[0].kind == "text"


def test_compression_is_agreed_and_used():
    s, c, _ = shaken(ServerConfig("any", deflate=True), ClientConfig(deflate=sansocket.Deflate(level=9)))
    s.accept()
    assert over(s, c)[0].extensions.startswith("permessage-deflate") and s.receive()
    c.send("again and again " * 1000)
    wire = c.take_output()
    assert len(wire) < 300 and s.receive(wire)[0].data == "again and again " * 1000
    c.send("again and again " * 1000, compress="never")
    assert c.output_len > 16_000
    with pytest.raises(ValueError, match="'auto', 'never', 'always' and 'alone'"):
        c.send("", compress="so-so")


def test_prepared_messages():
    news = sansocket.Prepared("news")
    for _ in range(2):
        s, c = pair()
        s.send(news)
        assert over(s, c)[0].data == "news"


def test_limits_of_the_peer():
    s, c = pair(ServerConfig("any", limits=Limits(message=10)))
    c.send("x" * 11)
    (failed,) = over(c, s)
    assert failed.close_code == 1009 and "10" in str(failed)
    s.limits = Limits("trusted")
    assert s.limits == Limits("trusted") != Limits()


def test_a_ceiling_on_memory():
    s, c = pair(ServerConfig("any", limits=Limits("trusted", memory=1 << 16)))
    assert s.limits.memory == 1 << 16 and Limits().memory is None
    with pytest.raises(sansocket.SendError) as raised:
        s.send("x" * 100_000)
    assert raised.value.name == "memory_full" and s.output_len == 0
    c.send(b"x" * 100_000)
    wire = c.take_output()
    for at in range(0, len(wire), 1000):
        if events := s.receive(wire[at : at + 1000]):
            break
        assert s.memory_held <= 1 << 16
    assert events[0].close_code == 1009 and at > 10_000


def test_budgets_over_time():
    s, c = pair(ServerConfig("any", limits=Limits("strict")))
    s.advance_time(1.0)
    failed = None
    for _ in range(30):
        c.ping()
        failed = failed or next((event for event in over(c, s) if isinstance(event, Failed)), None)
    assert failed.close_code == 1008
    assert Limits("strict", budgets="none") != Limits("strict")
    with pytest.raises(ValueError, match="generous"):
        Limits(budgets="some")


def test_text_that_is_not_utf8():
    s, _ = pair()
    (failed,) = s.receive(b"\x81\x81\0\0\0\0\xff")
    assert failed.close_code == 1007


# ── the closing handshake and time


def test_closing_handshake():
    s, c = pair()
    c.close(1001, "bye")
    assert c.close_sent == Close_(1001, "bye") and c.state == "closing"
    with pytest.raises(sansocket.SendError) as raised:
        c.send("late")
    assert raised.value.name == "closing"
    (close,) = over(c, s)
    assert isinstance(close, Close) and (close.code, close.reason) == (1001, "bye")
    over(s, c)
    assert c.transport == "await-peer-end" and s.transport in ("close", "shutdown-write")
    closed = c.receive_eof()[-1]
    assert isinstance(closed, Closed) and closed.clean and closed.code == 1001 and closed.began == "us"
    assert c.state == "closed" and c.transport == "close"


def Close_(code, reason):
    """A Close event with these values, as only a connection makes one."""
    s, c = pair()
    c.close(code, reason)
    return over(c, s)[0]


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 5000])
def test_codes_that_no_close_frame_may_have(code):
    s, _ = pair()
    with pytest.raises(ValueError):
        s.close(code)
    assert s.state == "open"


def test_a_reason_that_is_too_long():
    s, _ = pair()
    with pytest.raises(sansocket.CloseError):
        s.close(1000, "ä" * 62)
    s.close_lossy(1000, "ä" * 62)
    assert s.close_sent.reason == "ä" * 61


def test_failing_and_losing():
    s, c = pair()
    s.fail(1008, "no more")
    (close,) = over(s, c)
    assert isinstance(close, Close) and (close.code, close.reason) == (1008, "no more")
    closed = s.receive()[-1]
    assert isinstance(closed, Closed) and closed.failure.name == "failed_by_application"
    c.transport_lost()
    assert c.receive()[-1].clean is False


def test_heartbeat_and_deadlines():
    s, c = pair(ServerConfig("any", timeouts=Timeouts(ping=10, pong=20)))
    s.advance_time(100.0)
    assert s.next_deadline == 110.0
    s.advance_time(110.0)
    assert isinstance(over(s, c)[0], Ping)
    s.advance_time(110.5)
    (pong,) = over(c, s)
    assert pong.round_trip == pytest.approx(0.5)
    with pytest.raises(ValueError):
        s.advance_time(float("nan"))


# ── randomness of the caller's


def test_entropy_of_the_callers():
    asked = []

    def entropy(n):
        asked.append(n)
        return bytes(range(n))

    c = Connection.client("ws://example.com/", entropy=entropy)
    assert b"Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==" in c.take_output() and asked == [16]


def test_what_the_callers_function_raises_is_raised():
    def broken(n):
        raise OSError("no randomness today")

    with pytest.raises(OSError, match="no randomness today"):
        Connection.client("ws://example.com/", entropy=broken)
    with pytest.raises(ValueError):
        Connection.client("ws://example.com/", entropy=lambda n: b"short")


# ── the module


def test_wrong_types():
    s, _ = pair()
    with pytest.raises(TypeError):
        s.receive("text")
    with pytest.raises(TypeError):
        s.send(1)
    with pytest.raises((TypeError, ValueError)):
        s.close("1000")
    with pytest.raises(TypeError):
        ServerConfig("any", deflate=3)


def test_pattern_matching():
    s, c = pair()
    c.send("hi")
    c.close(1000)
    seen = []
    for event in over(c, s):
        match event:
            case Message(str(text)):
                seen.append(text)
            case Close(code, _):
                seen.append(code)
    assert seen == ["hi", 1000]


def test_random_conversations_between_both_ends():
    generator = random.Random(13)
    for _ in range(200):
        s, c = pair(ServerConfig("any", deflate=True))
        sent, got = ([], []), ([], [])
        wires = [b"", b""]
        for _ in range(generator.randint(1, 60)):
            side = generator.randrange(2)
            end, other = ((s, c), (c, s))[side]
            if generator.random() < 0.5:
                size = generator.choice([0, 1, 125, 126, 127, 20_000, 65_536])
                data = generator.randbytes(size) if generator.random() < 0.7 else "é" * size
                try:
                    end.send(data)
                    sent[side].append(data)
                except sansocket.FullError:
                    pass
            pieces = b"".join(end.output())
            n = generator.randint(0, len(pieces))
            end.consume_output(n)
            wires[side] += pieces[:n]
            cut = generator.randint(0, len(wires[side]))
            part, wires[side] = wires[side][:cut], wires[side][cut:]
            got[side].extend(other.receive(generator.choice([bytes, bytearray])(part)))
        for side, (end, other) in enumerate(((s, c), (c, s))):
            got[side].extend(other.receive(wires[side] + end.take_output()))
            assert [event.data for event in got[side] if isinstance(event, Message)] == sent[side]


def test_nothing_leaks():
    def round_trip():
        s, c = pair()
        for data in ("x", b"y" * 50_000):
            s.send(data)
            s.output()
            over(s, c)

    for _ in range(20):
        round_trip()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(50):
        round_trip()
    gc.collect()
    assert len(gc.get_objects()) <= before + 5


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_chunks_are_as_long_as_what_was_read(kind):
    client = sansocket.Connection.upgraded_client()
    server = sansocket.Connection.upgraded_server(sansocket.ServerConfig("any", delivery="chunks"))
    sizes = []
    for _ in range(2):
        client.send(bytes(200_000))
        sizes.append([len(event.data) for event in server.receive(kind(client.take_output())) if type(event) is sansocket.Chunk])
    assert [sum(found) for found in sizes] == [200_000] * 2 and len(sizes[1]) <= 4


def test_bytes_as_text():
    client, server = sansocket.Connection.upgraded_client(), sansocket.Connection.upgraded_server(sansocket.ServerConfig("any"))
    for text in ("caf\u00e9".encode(), bytearray("caf\u00e9".encode())):
        client.send(text, kind="text")
    client.send_part(b"caf\xc3", last=False, kind="text")
    client.send_part(b"\xa9", last=True, kind="text")
    _, *messages = server.receive(client.take_output())
    assert [message.data for message in messages] == ["caf\u00e9"] * 3
    for data, kind in [(b"caf\xe9", "text"), ("a", "other")]:
        with pytest.raises(ValueError):
            client.send(data, kind=kind)
    assert client.output_len == 0


def test_documentation_of_the_package():
    import doctest

    found = doctest.testmod(sansocket)
    assert found.attempted and not found.failed


def test_the_readme_runs():
    """Its first program is run as it stands."""
    here = pathlib.Path(__file__).resolve().parents[1]
    program = (here / "README.md").read_text().split("```python\n")[1].split("```")[0]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        program = program.replace("9001", str(probe.getsockname()[1]))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "Hello\n", done.stderr


def test_stubs_say_what_the_module_says():
    here = pathlib.Path(__file__).resolve().parent
    checks = [
        [here.parent / "document.py", "--check"],
        ["-m", "mypy", "--strict", here.parent / "python/sansocket"],
        ["-m", "mypy.stubtest", "sansocket._core", "--allowlist", here / "stubtest.txt"],
    ]
    for check in checks:
        done = subprocess.run([sys.executable, *map(str, check)], capture_output=True, text=True, cwd=here)
        assert done.returncode == 0, done.stdout + done.stderr
