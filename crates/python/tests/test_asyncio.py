"""Servers and clients on asyncio, with peers that are slow, silent, strange, or another library."""

import asyncio
import contextlib
import socket
import ssl

import pytest
import trustme
import websockets.asyncio.client
import websockets.asyncio.server

import sansocket
import sansocket.asyncio
from sansocket.asyncio import ConnectionClosed, HandshakeRefused, broadcast, connect, serve

SECONDS = 20


def run(coroutine):
    """Runs a test on an event loop in which nothing goes wrong unseen."""

    async def watched():
        wrong = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: wrong.append(context))
        async with asyncio.timeout(SECONDS):
            await coroutine
        assert not wrong, wrong

    asyncio.run(watched())


async def echo(ws):
    async for message in ws:
        await ws.send(message)


def place(server):
    return f"ws://127.0.0.1:{server.port}/"


def test_documentation():
    import doctest

    found = doctest.testmod(sansocket.asyncio)
    assert found.attempted and not found.failed


# ── messages


def test_messages_of_all_sizes():
    async def main():
        async with serve(echo, "127.0.0.1", 0) as server, connect(place(server)) as ws:
            for data in ("", "text", b"", b"x" * 125, b"x" * 126, b"y" * 70_000, "é" * 300_000, bytes(900_000)):
                await ws.send(data)
                assert await ws.recv() == data
            assert ws.opened.extensions.startswith("permessage-deflate")

    run(main())


def test_many_in_flight():
    async def main():
        async with serve(echo, "127.0.0.1", 0) as server, connect(place(server)) as ws:
            async def sender():
                for number in range(20_000):
                    await ws.send(str(number))

            task = asyncio.create_task(sender())
            for number in range(20_000):
                assert await ws.recv() == str(number)
            await task

    run(main())


def test_cancelled_calls_lose_nothing():
    async def main():
        async with serve(echo, "127.0.0.1", 0) as server, connect(place(server)) as ws:
            async def sender():
                for number in range(3_000):
                    await ws.send(b"%d " % number + bytes(1000))
                    if number % 7 == 0:
                        await asyncio.sleep(0)

            task = asyncio.create_task(sender())
            got = []
            while len(got) < 3_000:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.0005):
                        while True:
                            got.append(await ws.recv())
            await task
            assert [int(data.split()[0]) for data in got] == list(range(3_000))

    run(main())


def test_a_slow_reader_holds_its_sender_up():
    async def main():
        sent = 0

        async def pour(ws):
            nonlocal sent
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await ws.send(bytes(64_000))
                    sent += 1

        async with serve(pour, "127.0.0.1", 0) as server:
            async with connect(place(server), config=sansocket.ClientConfig()) as ws:
                await ws.recv()
                # Until the sender waits for room.
                before = -1
                while sent != before:
                    before = sent
                    await asyncio.sleep(0.1)
                (served,) = server.connections
                assert served.buffered_amount <= 1_200_000
                assert len(await ws.recv()) == 64_000

    run(main())


def test_broadcast():
    async def main():
        everybody = asyncio.Event()

        async def wait(ws):
            await everybody.wait()

        async with serve(wait, "127.0.0.1", 0) as server:
            clients = [await connect(place(server)) for _ in range(20)]
            while len(server.connections) < 20:
                await asyncio.sleep(0.01)
            assert broadcast(server.connections, "news") == []
            assert [await ws.recv() for ws in clients] == ["news"] * 20
            everybody.set()
            for ws in clients:
                await ws.close()

    run(main())


def test_ping():
    async def main():
        async with serve(echo, "127.0.0.1", 0) as server, connect(place(server)) as ws:
            assert 0 <= await ws.ping(b"a") < SECONDS
            first, second = await asyncio.gather(ws.ping(b"1"), ws.ping(b"2"))
            assert first >= 0 and second >= 0
            await ws.close()
            with pytest.raises(ConnectionClosed):
                await ws.ping()

    run(main())


# ── the opening


def test_request_and_subprotocol():
    async def main():
        async def tell(ws):
            await ws.send(ws.request.path + " " + str(ws.subprotocol) + " " + ws.request.header("cookie").decode())

        async with serve(tell, "127.0.0.1", 0, subprotocols=["v2", "v1"]) as server:
            options = {"headers": {"Cookie": "a=b"}, "subprotocols": ["v1", "v2"]}
            async with connect(place(server) + "room", **options) as ws:
                assert await ws.recv() == "/room v2 a=b"

    run(main())


def test_pages_and_refusals():
    async def main():
        async def decide(request):
            await asyncio.sleep(0)
            if request.path == "/page":
                return 200, {"Content-Type": "text/plain"}, "a page"
            if request.path == "/broken":
                raise RuntimeError("on purpose")
            return None if request.path == "/" else (404, {}, "")

        config = sansocket.ServerConfig("any", serve_http=True)
        async with serve(echo, "127.0.0.1", 0, config=config, process_request=decide) as server:
            for path, status in (("page", 200), ("broken", 500), ("other", 404)):
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(f"GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
                assert (await reader.readline()).startswith(f"HTTP/1.1 {status}".encode())
                await reader.read()
                writer.close()
                with pytest.raises(HandshakeRefused) as refused:
                    await connect(place(server) + path)
                assert refused.value.refused.status == status
                assert refused.value.is_temporary == (status == 500)
            async with connect(place(server)) as ws:
                await ws.send("in")
                assert await ws.recv() == "in"

    run(main())


def test_nobody_there():
    async def main():
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
        with pytest.raises(OSError):
            await connect(f"ws://127.0.0.1:{port}/")

    run(main())


def test_tls():
    async def main():
        authority = trustme.CA()
        server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(server_side)
        client_side = ssl.create_default_context()
        authority.configure_trust(client_side)
        async with serve(echo, "127.0.0.1", 0, ssl=server_side) as server:
            uri = f"wss://localhost:{server.port}/"
            async with connect(uri, ssl=client_side) as ws:
                await ws.send(bytes(300_000))
                assert await ws.recv() == bytes(300_000)
            assert ws.report.clean and ws.report.code == 1000
            with pytest.raises(ssl.SSLError):
                await connect(uri)

    run(main())


# ── the end


def test_codes_of_both_ends():
    async def main():
        ends = []

        async def handler(ws):
            try:
                while True:
                    await ws.recv()
            except ConnectionClosed as closed:
                ends.append(closed.report)
                raise

        async with serve(handler, "127.0.0.1", 0) as server:
            ws = await connect(place(server))
            report = await ws.close(4000, "enough")
            assert report.clean and report.code == 4000 and report.began == "us"
            with pytest.raises(ConnectionClosed):
                await ws.recv()
            with pytest.raises(ConnectionClosed):
                await ws.send("late")
        assert [(end.code, end.received.reason, end.clean) for end in ends] == [(4000, "enough", True)]

    run(main())


def test_a_handler_that_returns_and_one_that_raises():
    async def main():
        async def handler(ws):
            if ws.request.path == "/broken":
                raise RuntimeError("on purpose")

        async with serve(handler, "127.0.0.1", 0) as server:
            for path, code in (("", 1000), ("broken", 1011)):
                ws = await connect(place(server) + path)
                report = await ws.wait_closed()
                assert report.code == code and report.clean

    run(main())


def test_the_server_closes_with_1001_and_waits():
    async def main():
        server = await serve(echo, "127.0.0.1", 0)
        clients = [await connect(place(server)) for _ in range(50)]
        await server.close()
        for ws in clients:
            report = await ws.wait_closed()
            assert report.code == 1001 and report.clean
        with pytest.raises(OSError):
            await connect(place(server))

    run(main())


def test_a_lost_transport():
    async def main():
        async with serve(echo, "127.0.0.1", 0) as server:
            ws = await connect(place(server))
            ws.transport.abort()
            with pytest.raises(ConnectionClosed) as closed:
                await ws.recv()
            assert closed.value.code == 1006

    run(main())


def test_peers_that_never_read_and_never_answer():
    """They end within the deadlines, and the server's closing does not wait for ever."""

    async def main():
        timeouts = sansocket.Timeouts(handshake=0.3, close=0.3, ping=0.2, pong=0.3)
        config = sansocket.ServerConfig("any", timeouts=timeouts)

        async def pour(ws):
            while True:
                await ws.send(bytes(100_000))

        async with serve(pour, "127.0.0.1", 0, config=config) as server:
            # One that asks for nothing.
            silent, _ = await asyncio.open_connection("127.0.0.1", server.port)
            # One that opens and reads nothing.
            stopped = socket.create_connection(("127.0.0.1", server.port))
            stopped.sendall(sansocket.Connection.client(place(server)).take_output())
            assert (await silent.read()).startswith(b"HTTP/1.1 408")
            while server._drivers:
                await asyncio.sleep(0.05)
            stopped.close()

    monkey = pytest.MonkeyPatch()
    monkey.setattr(sansocket.asyncio._driver, "_LINGER", 0.3)
    with monkey.context():
        run(main())
    monkey.undo()


def test_connecting_again():
    async def main():
        async def once(ws):
            await ws.send("hello")

        async with serve(once, "127.0.0.1", 0) as server:
            seen = 0
            async for ws in connect(place(server)):
                assert await ws.recv() == "hello"
                seen += 1
                if seen == 3:
                    break
            assert seen == 3

        async def decide(request):
            return 404, {}, ""

        async with serve(once, "127.0.0.1", 0, process_request=decide) as server:
            with pytest.raises(HandshakeRefused):
                async for _ in connect(place(server)):
                    pass

    monkey = pytest.MonkeyPatch()
    monkey.setattr(sansocket.asyncio._client, "_FIRST_DELAY", 0.01)
    run(main())
    monkey.undo()


# ── another library's ends


def test_with_the_client_of_websockets():
    async def main():
        async with serve(echo, "127.0.0.1", 0) as server:
            async with websockets.asyncio.client.connect(place(server)) as ws:
                for data in ("text", b"x" * 100_000):
                    await ws.send(data)
                    assert await ws.recv() == data
                await (await ws.ping())
            assert ws.close_code == 1000

    run(main())


def test_with_the_server_of_websockets():
    async def main():
        async with websockets.asyncio.server.serve(echo, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with connect(f"ws://127.0.0.1:{port}/") as ws:
                for data in ("text", b"x" * 100_000):
                    await ws.send(data)
                    assert await ws.recv() == data
                assert await ws.ping() >= 0
            assert ws.report.clean and ws.report.code == 1000

    run(main())
