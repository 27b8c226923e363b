"""An echo under uvicorn, with the originals and with sansocket.compat in their places.

    python bench/under_uvicorn.py [--quick]

A client in this process keeps 16 messages under way. Prints messages for each second of the server's CPU time, the
system's included, medians of the rounds: what else the machine does is not counted.
"""

import argparse
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import time

import sansocket

HERE = pathlib.Path(__file__).resolve().parent
WINDOW = 16


async def app(scope, receive, send):
    """The echo, which uvicorn loads from here."""
    assert scope["type"] == "websocket"
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "bytes": message["bytes"]})


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu(pid):
    """Seconds that a process has used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Server:
    """uvicorn, and a connection to it."""

    def __init__(self, ws, switched):
        port = free_port()
        switch = ["-m", "sansocket.compat", switched, "uvicorn"] if switched else ["-m", "uvicorn"]
        options = ["--ws", ws, "--port", str(port), "--log-level", "warning", "--loop", "asyncio", "--lifespan", "off"]
        # The connections that wait for their turn are not asked for a sign of life.
        options += ["--ws-ping-interval", "3600"]
        command = [sys.executable, *switch, "under_uvicorn:app", "--app-dir", str(HERE), *options]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        for _ in range(200):
            try:
                self.socket = socket.create_connection(("127.0.0.1", port))
                break
            except OSError:
                time.sleep(0.05)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        limits = sansocket.Limits("trusted")
        self.ws = sansocket.Connection.client(f"ws://127.0.0.1:{port}/", sansocket.ClientConfig(limits=limits))
        self.flush()
        while not any(isinstance(event, sansocket.Open) for event in self.ws.receive(self.socket.recv(65536))):
            pass

    def flush(self):
        self.socket.sendall(self.ws.take_output())

    def echo(self, payload, count):
        """Messages a second of the server's."""
        began = cpu(self.process.pid)
        sent = echoed = 0
        while echoed < count:
            while sent < count and sent - echoed < WINDOW:
                self.ws.send(payload)
                sent += 1
            self.flush()
            for event in self.ws.receive(self.socket.recv(1 << 18)):
                assert event.data == payload
                echoed += 1
        return count / (cpu(self.process.pid) - began)

    def stop(self):
        self.socket.close()
        self.process.terminate()
        self.process.wait(10)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the messages")
    quick = parser.parse_args().quick
    kinds = [("wsproto", "wsproto"), ("wsproto", None), ("websockets-sansio", "websockets"), ("websockets-sansio", None)]
    print("| bytes | " + " | ".join(f"{ws}{', ours' if switched else ''}" for ws, switched in kinds) + " |")
    print("|---|" + "---|" * len(kinds))
    servers = [Server(*kind) for kind in kinds]
    try:
        for size, count in ((32, 20_000), (1 << 10, 20_000), (16 << 10, 8_000)):
            payload = os.urandom(size)
            rates = [[] for _ in servers]
            for _ in range(5):
                for server, found in zip(servers, rates):
                    found.append(server.echo(payload, count // (10 if quick else 1)))
            medians = [statistics.median(found) for found in rates]
            cells = []
            for own, original in (medians[:2], medians[2:]):
                cells += [f"{own:,.0f} ({own / original:.1f} ×)", f"{original:,.0f}"]
            print(f"| {size:,} | " + " | ".join(cells) + " |", flush=True)
    finally:
        for server in servers:
            server.stop()


if __name__ == "__main__":
    main()
