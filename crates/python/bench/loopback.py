"""Echo servers on asyncio over loopback: messages for each second of the server's processor time.

    python bench/loopback.py [--quick] [--uvloop]

Each server is a process of its own; one client sends with 1 and with 64 messages in flight.
"""

import argparse
import asyncio
import multiprocessing
import os
import resource
import socket
import statistics

import sansocket


async def ours(started):
    import sansocket.asyncio

    async def echo(ws):
        async for message in ws:
            await ws.send(message)

    config = sansocket.ServerConfig("any", timeouts=sansocket.Timeouts(ping=20.0))
    async with sansocket.asyncio.serve(echo, "127.0.0.1", 0, config=config) as server:
        started(server.port)
        await server.serve_forever()


async def websockets(started):
    from websockets.asyncio.server import serve

    async def echo(ws):
        async for message in ws:
            await ws.send(message)

    async with serve(echo, "127.0.0.1", 0, compression=None, max_size=None) as server:
        started(server.sockets[0].getsockname()[1])
        await server.serve_forever()


async def picows(started):
    from picows import WSListener, WSMsgType, ws_create_server

    class Echo(WSListener):
        def on_ws_frame(self, transport, frame):
            if frame.msg_type == WSMsgType.BINARY:
                transport.send(frame.msg_type, frame.get_payload_as_bytes())
            elif frame.msg_type == WSMsgType.CLOSE:
                transport.send_close(frame.get_close_code())
                transport.disconnect()

    server = await ws_create_server(lambda _: Echo(), "127.0.0.1", 0)
    started(server.sockets[0].getsockname()[1])
    await server.serve_forever()


SERVERS = {"sansocket": ours, "websockets": websockets, "picows": picows}


def serve(name, uvloop, pipe):
    def started(port):
        pipe.send(port)
        asyncio.get_running_loop().add_reader(pipe.fileno(), tell)

    def tell():
        try:
            pipe.recv()
        except EOFError:
            os._exit(0)
        used = resource.getrusage(resource.RUSAGE_SELF)
        pipe.send(used.ru_utime + used.ru_stime)

    factory = __import__("uvloop").new_event_loop if uvloop else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(SERVERS[name](started))


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        limits = sansocket.Limits("trusted")
        self.ws = sansocket.Connection.client(f"ws://127.0.0.1:{port}/", sansocket.ClientConfig(limits=limits))
        self.messages(0)

    def messages(self, wanted):
        got = 0
        while True:
            self.socket.sendall(self.ws.take_output())
            if wanted and got >= wanted:
                return
            buffer = self.ws.get_buffer()
            n = self.socket.recv_into(buffer)
            assert n, "the server went away"
            events = self.ws.buffer_updated(n)
            got += sum(type(event) is sansocket.Message for event in events)
            if not wanted and self.ws.state == "open":
                return

    def echoes(self, payload, window, batches):
        for _ in range(batches):
            for _ in range(window):
                self.ws.send(payload)
            self.messages(window)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the messages")
    parser.add_argument("--uvloop", action="store_true", help="uvloop's event loop")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    servers = {}
    for name in SERVERS:
        pipe, theirs = context.Pipe()
        context.Process(target=serve, args=(name, options.uvloop, theirs), daemon=True).start()
        servers[name] = (pipe, Client(pipe.recv()))
    print("| bytes | in flight | " + " | ".join(servers) + " |")
    print("|---|---|" + "---|" * len(servers))
    for size in (32, 1 << 10, 16 << 10):
        for window in (1, 64):
            rates = {name: [] for name in servers}
            count = (2_000 if window == 1 else 12_800) // (10 if options.quick else 1)
            for _ in range(5):
                for name, (pipe, client) in servers.items():
                    def used():
                        pipe.send(None)
                        return pipe.recv()

                    before = used()
                    client.echoes(os.urandom(size), window, max(1, count // window))
                    rates[name].append(max(1, count // window) * window / (used() - before))
            medians = {name: statistics.median(each) for name, each in rates.items()}
            best = medians["sansocket"]
            cells = [f"{rate / 1000:.0f} k ({rate / best:.2f} ×)" for rate in medians.values()]
            print(f"| {size} | {window} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
