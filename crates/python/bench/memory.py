"""A server's half of an echo in memory, message by message: sansocket, websockets and wsproto in turns.

    python bench/memory.py [--quick]

Prints microseconds for a message, medians of the rounds, and how many times as long the others take.
"""

import argparse
import os
import statistics
import time

import sansocket


def masked(payload):
    """A client's binary frame."""
    key = b"\x37\xfa\x21\x3d"
    size = len(payload)
    if size < 126:
        head = bytes([0x82, 0x80 | size])
    elif size < 1 << 16:
        head = b"\x82\xfe" + size.to_bytes(2, "big")
    else:
        head = b"\x82\xff" + size.to_bytes(8, "big")
    stream = (key * (size // 4 + 1))[:size]
    mixed = (int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")).to_bytes(size, "big")
    return head + key + mixed


class Ours:
    name = "sansocket"

    def __init__(self):
        config = sansocket.ServerConfig("any", limits=sansocket.Limits("trusted"))
        self.ws = sansocket.Connection.upgraded_server(config)
        self.ws.receive()

    def echo(self, frame):
        ws = self.ws
        for event in ws.receive(frame):
            ws.send(event.data)
        pieces = ws.output()
        ws.consume_output(ws.output_len)
        return pieces


class OursInPlace(Ours):
    """As asyncio's BufferedProtocol drives it: what was read lies in a buffer of the connection's."""

    name = "sansocket, in place"

    def echo(self, frame):
        ws = self.ws
        at = 0
        while at < len(frame):
            buffer = ws.get_buffer(-1)
            part = frame[at : at + len(buffer)]
            buffer[: len(part)] = part
            at += len(part)
            for event in ws.buffer_updated(len(part)):
                ws.send(event.data)
        pieces = ws.output()
        ws.consume_output(ws.output_len)
        return pieces


class Websockets:
    name = "websockets"

    def __init__(self):
        from websockets.protocol import OPEN
        from websockets.server import ServerProtocol

        self.ws = ServerProtocol(state=OPEN, max_size=None)

    def echo(self, frame):
        ws = self.ws
        ws.receive_data(frame)
        for event in ws.events_received():
            ws.send_binary(event.data)
        return ws.data_to_send()


class Wsproto:
    name = "wsproto"

    def __init__(self):
        from wsproto.connection import Connection, ConnectionType

        self.ws = Connection(ConnectionType.SERVER)

    def echo(self, frame):
        from wsproto.events import BytesMessage

        ws = self.ws
        ws.receive_data(frame)
        out, parts = [], []
        for event in ws.events():
            parts.append(bytes(event.data))
            if event.message_finished:
                out.append(ws.send(BytesMessage(b"".join(parts))))
                parts = []
        return out


def timed(peer, frame, turns):
    began = time.perf_counter()
    for _ in range(turns):
        peer.echo(frame)
    return (time.perf_counter() - began) / turns * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the messages")
    quick = parser.parse_args().quick
    peers = [Ours, OursInPlace, Websockets, Wsproto]
    print("| bytes | " + " | ".join(peer.name for peer in peers) + " |")
    print("|---|" + "---|" * len(peers))
    for size in (32, 1 << 10, 16 << 10, 1 << 20):
        frame = masked(os.urandom(size))
        runs = [peer() for peer in peers]
        for peer in runs:
            assert b"".join(peer.echo(frame))[-8:] == b"".join(Ours().echo(frame))[-8:], peer.name
        turns = max(20, min(20_000, (64 << 20) // (size + 4096))) // (10 if quick else 1)
        taken = [[] for _ in runs]
        for _ in range(7):
            for peer, times in zip(runs, taken):
                times.append(timed(peer, frame, max(4, turns // (20 if peer.name == "wsproto" else 1))))
        medians = [statistics.median(times) for times in taken]
        cells = [f"{m:.2f}" + (f" ({m / medians[0]:.1f} ×)" if i else "") for i, m in enumerate(medians)]
        print(f"| {size} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
