"""A server's half of an echo in memory: the names of wsproto and websockets over the originals and over sansocket.

    python bench/compat.py [--quick]

Prints microseconds of CPU time for a message, medians of the rounds, and how many times as long the originals take.
"""

import argparse
import importlib
import os
import random
import statistics
import sys
import time
import zlib

sys.path.insert(0, os.path.dirname(__file__))
from memory import masked  # noqa: E402

WORDS = "id name price quantity currency timestamp update snapshot bid ask level user message text seen".split()
ELEMENT = "permessage-deflate; client_no_context_takeover"


def document(size):
    """Text as applications send it."""
    chance = random.Random(size)
    text = ""
    while len(text) < size:
        text += f'{{"{chance.choice(WORDS)}": {chance.randrange(10_000)}, "{chance.choice(WORDS)}": "{chance.choice(WORDS)}"}},'
    return text[:size].encode()


def compressed(payload):
    """A client's compressed frame, without context takeover, so that it can come again."""
    packer = zlib.compressobj(6, wbits=-15)
    data = (packer.compress(payload) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]
    frame = bytearray(masked(data))
    frame[0] |= 0x40
    return bytes(frame)


class Wsproto:
    def __init__(self, package, deflate):
        connection, extensions, self.events = (
            importlib.import_module(f"{package}.{name}") for name in ("connection", "extensions", "events")
        )
        agreed = []
        if deflate:
            agreed.append(extensions.PerMessageDeflate())
            agreed[0].finalize(ELEMENT)
        self.ws = connection.Connection(connection.ConnectionType.SERVER, agreed)

    def echo(self, frame):
        ws, parts = self.ws, []
        out = b""
        ws.receive_data(frame)
        for event in ws.events():
            parts.append(event.data)
            if event.message_finished:
                out += ws.send(self.events.BytesMessage(b"".join(parts) if len(parts) > 1 else parts[0]))
        return [out]


class Websockets:
    def __init__(self, package, deflate):
        from websockets.extensions.permessage_deflate import PerMessageDeflate
        from websockets.protocol import OPEN

        self.ws = importlib.import_module(f"{package}.server").ServerProtocol(state=OPEN, max_size=None)
        if deflate:
            self.ws.extensions = [PerMessageDeflate(True, False, 15, 15, {"memLevel": 5})]

    def echo(self, frame):
        ws = self.ws
        ws.receive_data(frame)
        for event in ws.events_received():
            ws.send_binary(event.data)
        return ws.data_to_send()


def timed(peer, frame, turns):
    """Microseconds of this process for a message: what else the machine does is not counted."""
    began = time.process_time()
    for _ in range(turns):
        peer.echo(frame)
    return (time.process_time() - began) / turns * 1e6


PEERS = [
    (Wsproto, "sansocket.compat.wsproto"),
    (Wsproto, "wsproto"),
    (Websockets, "sansocket.compat.websockets"),
    (Websockets, "websockets"),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the messages")
    quick = parser.parse_args().quick
    print("| bytes | " + " | ".join(package.replace("sansocket.compat.", "ours, as ") for _, package in PEERS) + " |")
    print("|---|" + "---|" * len(PEERS))
    cases = [(size, False) for size in (32, 1 << 10, 16 << 10, 1 << 20)] + [(1 << 10, True), (16 << 10, True)]
    for size, deflate in cases:
        payload = document(size) if deflate else os.urandom(size)
        frame = compressed(payload) if deflate else masked(payload)
        peers = [make(package, deflate) for make, package in PEERS]
        turns = max(8, min(4_000, (16 << 20) // (size + 4096) // (8 if deflate else 1))) // (10 if quick else 1)
        taken = [[] for _ in peers]
        for peer in peers:
            assert len(b"".join(peer.echo(frame))) > (size if not deflate else 9)
        for _ in range(7):
            for peer, times in zip(peers, taken):
                times.append(timed(peer, frame, max(4, turns)))
        ours, theirs = (statistics.median(times) for times in taken[:2]), (statistics.median(times) for times in taken[2:])
        cells = []
        for own, original in (tuple(ours), tuple(theirs)):
            cells += [f"{own:.1f}", f"{original:.1f} ({original / own:.1f} ×)"]
        print(f"| {size:,}{', compressed' if deflate else ''} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
