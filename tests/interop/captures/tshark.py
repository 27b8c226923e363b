"""What tshark reads in a capture: the messages of both ends, from `-T json -x`."""

import json
import subprocess

NAMES = {1: "text", 2: "binary"}


class Pairs(list):
    """An object of JSON whose names may come more than once, as they do here."""

    def all(self, name):
        return [value for key, value in self if key == name]

    def get(self, name, default=None):
        return next(iter(self.all(name)), default)


def raw(layer, name):
    """The bytes of a field; -x puts them beside it."""
    value = layer.get(name + "_raw")
    while value and isinstance(value[0], list):
        value = value[-1]
    return None if value is None else bytes.fromhex(value[0])


def messages(capture, port, keylog, target):
    """By the client and the server: `(kind, bytes)` for each message."""
    command = ["tshark", "-r", capture, "-Y", "websocket", "-T", "json", "-x"]
    if keylog:
        command += ["-o", f"tls.keylog_file:{keylog}"]
    else:
        # What a proxy forwards is taken for what the port of the server is for.
        command += ["-d", f"tcp.port=={target},http"]
    done = subprocess.run([str(word) for word in command], capture_output=True, timeout=120)
    if done.returncode:
        raise AssertionError(done.stderr.decode(errors="replace")[-300:])
    found = {"client": [], "server": []}
    begun = {}
    for packet in json.loads(done.stdout, object_pairs_hook=Pairs):
        layers = packet.get("_source").get("layers")
        from_server = int(layers.get("tcp").get("tcp.srcport")) == port
        end = "server" if from_server else "client"
        last = None
        for name, layer in layers:
            if name == "websocket" and isinstance(layer, Pairs):
                last = message(layer, begun, end, found[end])
            elif name == "data" and last == 2:
                # A binary message that was inflated stands beside its frame.
                found[end][-1] = ("binary", raw(layer, "data.data"))
    return found


def message(layer, begun, end, found):
    """Adds the message that ends with a frame, and returns its opcode."""
    opcode, fin = int(layer.get("websocket.opcode")), layer.get("websocket.fin") in ("1", "True")
    if opcode >= 8:
        return None
    if opcode:
        begun[end] = (opcode, b"")
    if end not in begun:
        return None
    kind, before = begun[end]
    payload = raw(layer, "websocket.payload") or b""
    decoded = layer.get("websocket.payload")
    if isinstance(decoded, Pairs):
        text = raw(decoded, "websocket.payload.text")
        if text is not None:
            # Of the last fragment: the whole message.
            before, payload = (before, text) if opcode else (b"", text)
    begun[end] = (kind, before + payload)
    if not fin:
        return None
    found.append((NAMES[kind], begun.pop(end)[1]))
    return kind
