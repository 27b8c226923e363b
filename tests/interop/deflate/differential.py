"""Random messages through zlib, and through `websockets`' PerMessageDeflate, against a peer on a pipe.

differential.py PEER [ROUNDS]: what Python compresses with random settings the peer inflates, and the reverse.
"""

import random
import struct
import subprocess
import sys
import zlib

from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

TAIL = b"\0\0\xff\xff"


class Pipe:
    def __init__(self, peer, params):
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen([peer, "pipe", params], **streams)

    def ask(self, letter, data):
        self.process.stdin.write(letter + struct.pack(">I", len(data)) + data)
        self.process.stdin.flush()
        (length,) = struct.unpack(">I", self.process.stdout.read(4))
        return None if length == 0xFFFFFFFF else self.process.stdout.read(length)

    def compress(self, message):
        return self.ask(b"c", message)

    def inflate(self, payload):
        return self.ask(b"i", payload)

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(10) == 0


def content(rng):
    parts = []
    for _ in range(rng.randrange(8)):
        kind = rng.randrange(6)
        if kind < 3:
            words = ["alpha ", "beta ", "grüße ", "{\"id\":", "0123456789"]
            parts.append("".join(rng.choice(words) for _ in range(rng.randrange(60))).encode())
        elif kind == 3:
            parts.append(rng.randbytes(rng.randrange(2000)))
        elif kind == 4:
            parts.append(bytes([rng.randrange(256)]) * rng.randrange(100_000))
        elif parts:
            parts.append(rng.choice(parts))
    return b"".join(parts)


def zlib_to_peer(rng, peer):
    """Raw zlib with any settings and any flushes; some messages end in a final block."""
    takeover = rng.random() < 0.6
    pipe = Pipe(peer, "" if takeover else "; server_no_context_takeover")

    def fresh():
        strategies = [zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_FIXED]
        settings = rng.randrange(10), zlib.DEFLATED, -rng.randrange(9, 16), rng.randrange(1, 10)
        return zlib.compressobj(*settings, rng.choice(strategies))

    out = fresh()
    for _ in range(rng.randrange(1, 8)):
        message = content(rng)
        if not takeover or rng.random() < 0.1:
            out = fresh()
        cut = rng.randrange(len(message) + 1)
        payload = out.compress(message[:cut])
        if rng.random() < 0.5:
            payload += out.flush(rng.choice([zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_PARTIAL_FLUSH]))
        payload += out.compress(message[cut:])
        if rng.random() < 0.2:
            payload += out.flush(zlib.Z_FINISH) + b"\0"
            out = fresh()
        else:
            payload += out.flush(zlib.Z_SYNC_FLUSH)
            payload = payload[:-4] if payload.endswith(TAIL) else payload + b"\0"
        if pipe.inflate(payload) != message:
            raise AssertionError(f"zlib to peer: {len(message)} bytes, takeover {takeover}")
    pipe.close()


def peer_to_zlib(rng, peer):
    takeover, bits = rng.random() < 0.6, rng.randrange(8, 16)
    params = f"; server_max_window_bits={bits}" + ("" if takeover else "; server_no_context_takeover")
    pipe = Pipe(peer, f"{params}; level={rng.randrange(10)}; mem_level={rng.randrange(1, 10)}")
    back = zlib.decompressobj(-bits)
    for _ in range(rng.randrange(1, 8)):
        message = content(rng)
        if not takeover:
            back = zlib.decompressobj(-bits)
        payload = pipe.compress(message)
        if payload.endswith(TAIL) or back.decompress(payload + TAIL) != message:
            raise AssertionError(f"peer to zlib: {len(message)} bytes, {params}")
    pipe.close()


def websockets_both_ways(rng, peer):
    """`websockets` as the server to our client, and as the client to our server."""
    takeover, bits = rng.random() < 0.6, rng.randrange(9, 16)
    params = f"; server_max_window_bits={bits}" + ("" if takeover else "; server_no_context_takeover")
    pipe = Pipe(peer, params)
    settings = {"level": rng.randrange(10), "memLevel": rng.randrange(1, 10)}
    server = PerMessageDeflate(False, not takeover, 15, bits, settings)
    client = PerMessageDeflate(not takeover, False, bits, 15)
    for _ in range(rng.randrange(1, 8)):
        message = content(rng)
        frame = server.encode(Frame(Opcode.BINARY, message))
        if pipe.inflate(bytes(frame.data)) != message:
            raise AssertionError(f"websockets to peer: {len(message)} bytes, {params}")
        frame = Frame(Opcode.BINARY, pipe.compress(message), rsv1=True)
        if client.decode(frame).data != message:
            raise AssertionError(f"peer to websockets: {len(message)} bytes, {params}")
    pipe.close()


def main():
    peer, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 150
    count = 0
    for check in (zlib_to_peer, peer_to_zlib, websockets_both_ways):
        count += 1
        name = f"{check.__name__}, {rounds} conversations"
        for seed in range(rounds):
            try:
                check(random.Random(seed), peer)
            except Exception as why:
                print(f"FAILED {name}: seed {seed}: {why}".replace("\n", " "), flush=True)
                break
        else:
            print(f"ok {name}", flush=True)
    print(f"end {count}", flush=True)


main()
