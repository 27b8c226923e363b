"""Random conversations with websockets and with `sansocket.compat.websockets`, which have to go the same way.

    python conversations.py [--short] [COUNT [SEED]]

Both get the same bytes, cut at the same places, and the same calls: frames of all kinds, fragments, compressed messages,
broken rules, limits, Close frames, failures, the end of the stream. What they tell, what they send (decoded), what they
raise and what state they are in is compared after each frame. What is known to differ, as the table in README.md says,
is the last of a conversation, and both verdicts are checked. The last line is `N passed, M failed`.
"""

import itertools
import random
import sys
import zlib

import websockets.client
import websockets.server
from sansocket.compat.websockets import ClientProtocol, ServerProtocol
from websockets.exceptions import WebSocketException
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.protocol import CLOSING, OPEN
from websockets.uri import parse_uri

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
TAIL = b"\x00\x00\xff\xff"


def frame(opcode, payload=b"", fin=True, rsv=0, mask=None, form=None):
    """A frame by hand. `form` is the length's form: 7, 16 or 64 bits."""
    size = len(payload)
    form = form or (7 if size < 126 else 16 if size < 1 << 16 else 64)
    first = bytes([fin << 7 | rsv << 4 | opcode])
    marked = (mask is not None) << 7
    if form == 7:
        head = first + bytes([marked | size])
    elif form == 16:
        head = first + bytes([marked | 126]) + size.to_bytes(2, "big")
    else:
        head = first + bytes([marked | 127]) + size.to_bytes(8, "big")
    if mask is None:
        return head + payload
    return head + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


class Reader:
    """Decodes what an end sends."""

    def __init__(self, deflate):
        self.inflater = zlib.decompressobj(-15) if deflate else None
        self.fresh = deflate and deflate.local_no_context_takeover
        self.compressed = False

    def frames(self, data):
        """Tuples of opcode, payload and FIN."""
        while data:
            opcode, fin, rsv1 = data[0] & 15, data[0] >= 128, bool(data[0] & 0x40)
            size, at = data[1] & 127, 2
            if size >= 126:
                width = 2 if size == 126 else 8
                size, at = int.from_bytes(data[2 : 2 + width], "big"), 2 + width
            if data[1] & 128:
                key, at = data[at : at + 4], at + 4
                payload = bytes(byte ^ key[i % 4] for i, byte in enumerate(data[at : at + size]))
            else:
                payload = bytes(data[at : at + size])
            data = data[at + size :]
            if opcode in (TEXT, BINARY):
                self.compressed = rsv1
            if opcode < CLOSE and self.compressed:
                payload = self.inflater.decompress(payload + (TAIL if fin else b""))
                if fin and self.fresh:
                    self.inflater = zlib.decompressobj(-15)
            yield opcode, payload, fin


class End:
    """One of the two, and all that it has said."""

    def __init__(self, protocol, deflate):
        self.protocol = protocol
        self.reader = Reader(deflate)
        self.told, self.sent, self.raised = [], [], []

    def call(self, name, *arguments):
        try:
            getattr(self.protocol, name)(*arguments)
        except (WebSocketException, EOFError) as error:
            self.raised.append(type(error).__name__)
        for event in self.protocol.events_received():
            self.told.append((int(event.opcode), bytes(event.data), event.fin))
        written = self.protocol.data_to_send()
        self.sent += self.reader.frames(b"".join(written))
        self.sent += ["end"] * written.count(b"")

    def verdict(self):
        """The code of its own Close frame, if it has sent one."""
        return self.protocol.close_sent and int(self.protocol.close_sent.code)

    def all(self):
        """What has to be the same. The reason of a failure is in each one's own words."""
        ws = self.protocol
        failed = ws.parser_exc is not None
        sent = [one if not failed or one[0] != CLOSE else (CLOSE, one[1][:2]) for one in joined(self.sent)]
        closes = [frame and (int(frame.code), "" if failed else frame.reason) for frame in (ws.close_rcvd, ws.close_sent)]
        return {
            "told": joined(self.told),
            "sent": sent,
            "raised": self.raised,
            "state": ws.state.name,
            "closes": closes,
            "rcvd_then_sent": ws.close_rcvd_then_sent,
            "code": ws.close_code,
            "expected": ws.close_expected(),
            "failed": type(ws.parser_exc).__name__,
        }


def joined(frames):
    """A byte that two frames of a compressed message share may come out with either: fragments are compared as a whole."""
    out, parts = [], None
    for one in frames:
        if one == "end" or one[0] >= CLOSE:
            out.append(one)
        elif one[0] == CONT and parts is not None:
            parts[1] += one[1]
            parts[2] += 1
            parts[3] = one[2]
        else:
            parts = [one[0], one[1], 1, one[2]]
            out.append(parts)
    return out


def first_difference(ours, theirs):
    """What there is to show."""
    if isinstance(theirs, list):
        pairs = itertools.zip_longest(ours, theirs)
        ours, theirs = next(pair for pair in pairs if pair[0] != pair[1])
    return f"{ours!r:.100}, and with websockets {theirs!r:.100}"


class Conversation:
    """What a seed brings."""

    def __init__(self, seed):
        self.chance = chance = random.Random(seed)
        self.client = chance.random() < 0.5
        self.max_size = chance.choice([None, None, 3000, (4000, 1500), (None, 2000)])
        self.parameters = None
        if chance.random() < 0.4:
            takeover = [chance.random() < 0.3, chance.random() < 0.3]
            self.parameters = (*takeover, chance.choice([9, 12, 15]), chance.choice([9, 12, 15]))
        self.deflater = None
        self.begun = None
        self.odd = None
        self.ends = [self.end(True), self.end(False)]

    def end(self, ours):
        deflate = self.parameters and PerMessageDeflate(*self.parameters)
        if self.client:
            make = ClientProtocol if ours else websockets.client.ClientProtocol
            protocol = make(parse_uri("ws://h/"), state=OPEN, max_size=self.max_size)
        else:
            make = ServerProtocol if ours else websockets.server.ServerProtocol
            protocol = make(state=OPEN, max_size=self.max_size)
        protocol.extensions = [deflate] if deflate else []
        return End(protocol, deflate)

    def text(self):
        if self.chance.random() < 0.3:
            return "One and the same text, which a compressor finds again in what it has seen before. " * 2
        size = self.chance.choice([0, 1, 5, 40, 125, 126, 700, 1400, 3500])
        return "".join(self.chance.choice("abc é€😀") for _ in range(self.chance.randint(0, size)))

    def compress(self, payload, fin):
        if self.deflater is None:
            self.deflater = zlib.compressobj(wbits=-self.parameters[2])
        data = self.deflater.compress(payload) + self.deflater.flush(zlib.Z_SYNC_FLUSH)
        if fin:
            data = data[:-4]
            if self.parameters[0]:
                self.deflater = None
        return data

    def peer(self, opcode, payload=b"", fin=True, rsv=0, **given):
        mask = None if self.client else self.chance.randbytes(4)
        return frame(opcode, payload, fin, rsv, **{"mask": mask, **given})

    def message(self):
        """A frame of data, of the message that has begun or of another."""
        payload = self.text().encode() if self.chance.random() < 0.5 else self.chance.randbytes(self.chance.randint(0, 300))
        if self.max_size and self.chance.random() < 0.2:
            limits = self.max_size if isinstance(self.max_size, tuple) else (self.max_size,)
            payload = b"y" * (min(size for size in limits if size) + self.chance.choice([-1, 0, 1]))
        text = self.begun == TEXT if self.begun else self.chance.random() < 0.5
        if text:
            payload = payload.decode(errors="ignore").encode()
        fin = self.chance.random() < 0.6
        first = self.begun is None
        opcode = (TEXT if text else BINARY) if first else CONT
        if first:
            self.used = 0
            self.packed = self.parameters is not None and self.chance.random() < 0.7
        if self.packed and self.near(len(payload)):
            payload = b""
        self.used += len(payload)
        self.begun = None if fin else TEXT if text else BINARY
        if self.packed:
            return self.peer(opcode, self.compress(payload, fin), fin, rsv=4 if first else 0)
        return self.peer(opcode, payload, fin)

    def near(self, more):
        """So near the limit of a message that it matters what counts: websockets counts a control frame in between too,
        and what a compressed message has on the wire.
        """
        limit = self.max_size[0] if isinstance(self.max_size, tuple) else self.max_size
        return limit is not None and limit - 250 < self.used + more <= limit + 250

    def tight(self):
        """A message in parts is."""
        return self.begun is not None and self.near(0)

    def close(self):
        code = self.chance.choice([1000, 1001, 1009, 1012, 3000, 4999, None])
        reason = self.chance.choice(["", "bye", "é" * 50])
        return self.peer(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason.encode())

    def broken(self):
        """A frame that breaks a rule, which both fail with 1002."""
        opcode = self.chance.choice([TEXT, BINARY])
        kinds = [
            self.peer(self.chance.choice([3, 7, 11, 15]), b"x"),
            self.peer(opcode, b"x", rsv=self.chance.choice([1, 2, 3])),
            self.peer(self.chance.choice([PING, PONG, CLOSE]), b"", fin=False),
            self.peer(PING, bytes(126)),
            self.peer(PONG, bytes(70_000)) if self.max_size is None else self.peer(PING, bytes(130)),
            self.peer(opcode, b"x", mask=b"abcd" if self.client else None),
            self.peer(CLOSE, b"\x03"),
            self.peer(CLOSE, self.chance.choice([999, 1004, 1005, 1006, 1015, 2999, 5000]).to_bytes(2, "big")),
            self.peer(opcode if self.begun else CONT, b"x"),
        ]
        if self.parameters is None:
            kinds.append(self.peer(opcode, b"x", rsv=4))
        return self.chance.choice(kinds)

    def differs(self):
        """A frame that is known to bring different verdicts: theirs, and ours."""
        text = self.begun is None
        kinds = [(self.peer(PING, b"x", form=16), None, 1002)]
        if text or not self.packed:
            form = self.chance.choice([16, 64])
            kinds.append((self.peer(BINARY if text else CONT, b"x" * 5, form=form), None, 1002))
        if text:
            kinds.append((self.peer(TEXT, b"caf\xe9!"), None, 1007))
        else:
            kinds.append((self.peer(CLOSE, b"\x03\xe8"), 1002, 1000))
        if text and self.parameters is not None:
            kinds.append((self.peer(BINARY, b"\xff\xff\xff\xff", rsv=4), 1002, 1007))
        return self.chance.choice(kinds)

    def calls(self):
        """Something that an application does."""
        chance = self.chance
        data = self.text().encode()
        return chance.choice(
            [
                ("send_text", data, chance.random() < 0.7),
                ("send_binary", chance.randbytes(chance.choice([0, 3, 500, 70_000])), chance.random() < 0.7),
                ("send_continuation", data, chance.random() < 0.6),
                ("send_ping", data[:120]),
                ("send_pong", b"pong"),
                ("send_ping", bytes(126)) if chance.random() < 0.1 else ("send_ping", b""),
            ]
        )

    def ending(self):
        code = self.chance.choice([1000, 1001, 1011, 1014, 3000, 1006, 1005, 999])
        reason = self.chance.choice(["", "bye", "x" * 123, "x" * 124])
        if self.chance.random() < 0.5:
            return ("send_close", *((code, reason) if self.chance.random() < 0.8 else (None, "")))
        return ("fail", code, reason)

    def both(self, *call):
        for end in self.ends:
            end.call(*call)

    def same(self, what):
        ours, theirs = (end.all() for end in self.ends)
        for key, value in theirs.items():
            if ours[key] != value:
                raise AssertionError(f"after {what!r:.80}: {key}: {first_difference(ours[key], value)}")

    def run(self):
        chance = self.chance
        for _ in range(chance.randint(1, 20)):
            roll = chance.random() * (0.3 if self.tight() else 1)
            if roll < 0.2:
                self.deliver([self.message() for _ in range(chance.randint(1, 4))])
            elif roll < 0.3:
                self.deliver([b"".join(self.message() for _ in range(chance.randint(1, 4)))])
            elif roll < 0.45:
                self.deliver([self.peer(chance.choice([PING, PONG]), chance.randbytes(chance.randint(0, 125)))])
            elif roll < 0.9:
                self.application(self.calls())
            elif roll < 0.93 and self.begun is None:
                self.deliver([self.close() + self.message()])
            elif roll < 0.96:
                self.deliver([self.broken() + self.message()])
            elif roll < 0.98:
                call = self.ending()
                self.both(*call)
                self.same(call)
        ours = self.ends[0].protocol
        if chance.random() < 0.2 and not ours.close_expected() and not ours._deaf and not self.tight():
            return self.differ()
        if chance.random() < 0.3:
            # What part of a frame inflates to may be too much already.
            whole = self.peer(PING) if self.max_size else self.message()
            self.cut(whole[:-1])
        self.both("receive_eof")
        self.same("the end of the stream")
        self.both("receive_data", b"x")
        self.both("receive_eof")
        return self.same("more after the end")

    def application(self, call):
        """A call, and what is known to differ: a Ping or a Pong after the peer's last word."""
        ours, theirs = (end.protocol for end in self.ends)
        self.both(*call)
        late = call[0] in ("send_ping", "send_pong") and theirs.state is CLOSING and ours._deaf
        if late and len(self.ends[0].raised) > len(self.ends[1].raised):
            assert self.ends[0].raised.pop() == "InvalidState"
            assert self.ends[1].sent.pop()[1] == call[1]
        self.same(call)

    def deliver(self, frames):
        """Frames in pieces, compared where each ends: a rule that is broken shows in the header or at the end."""
        for one in frames:
            self.cut(one)
            self.same(f"the frame {one[:20]!r}")

    def cut(self, data):
        while data:
            at = self.chance.choice([1, 2, len(data), len(data), self.chance.randint(1, len(data))])
            self.both("receive_data", data[:at])
            data = data[at:]

    def differ(self):
        one, theirs, ours = self.differs()
        self.cut(one)
        verdicts = [end.verdict() for end in self.ends]
        assert verdicts == [ours, theirs], f"{one[:20]!r}: verdicts {verdicts}, not {[ours, theirs]}"


def main():
    arguments = sys.argv[1:]
    short = "--short" in arguments
    numbers = [int(word) for word in arguments if word != "--short"]
    count = numbers[0] if numbers else 1_000 if short else 10_000
    first = numbers[1] if len(numbers) > 1 else 1
    failed = 0
    for seed in range(first, first + count):
        try:
            Conversation(seed).run()
        except Exception as why:  # noqa: BLE001
            failed += 1
            print(f"conversation {seed}: {why!r:.900}", flush=True)
            if failed == 20:
                break
    print(f"{seed - first + 1 - failed} passed, {failed} failed")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main())
