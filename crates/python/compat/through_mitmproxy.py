"""Conversations through mitmproxy, which reads them with wsproto, and then with `sansocket.compat` in its place.

    python through_mitmproxy.py

A client and an echo server of websockets talk through it, with and without compression: text, binary, a megabyte,
fragments, pings, messages that an addon changes, drops and makes up, and Close frames of both ends. What the addon is
told and what the client gets has to be the same. mitmproxy and the wheel are installed into an environment of their own.
The last line is `N passed, M failed`.
"""

import asyncio
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "tests/interop"))
from processes import CACHE, NoRun, checked, made_from, say, tail  # noqa: E402

OUT = HERE.parent / "target/run"
# It wants an older wsproto than the other suites.
PACKAGES = ("mitmproxy==11.0.2", "websockets==17.4")
SECONDS = 120


# ------------------------------------------------------------------------------- what is played

def play(ours):
    """Prints what the addon is told and what the client gets, an entry a line."""
    if ours:
        import sansocket.compat

        sansocket.compat.install("wsproto")
    import wsproto

    say(wsproto.Connection.__module__)
    for compression in (None, "deflate"):
        for entry in asyncio.run(conversations(compression)):
            say(json.dumps([compression, entry]))


class Addon:
    """Notes what it is told, and does what the messages say."""

    def __init__(self):
        self.flow = None
        self.told = []
        self.ended = asyncio.Queue()

    def websocket_start(self, flow):
        self.flow = flow
        self.told.append("start")

    def websocket_message(self, flow):
        message = flow.websocket.messages[-1]
        content = message.content
        self.told.append([message.type.name, message.from_client, message.injected, len(content), content[:20].hex()])
        if content == b"drop me":
            message.drop()
        if content == b"change me":
            message.content = b"changed"

    def websocket_end(self, flow):
        end = flow.websocket
        self.told.append(["end", end.closed_by_client, end.close_code, end.close_reason])
        self.ended.put_nowait(None)


async def echo(ws):
    async for message in ws:
        if message == "close me":
            return await ws.close(4001, "as asked")
        await ws.send(message)


async def conversations(compression):
    from mitmproxy.options import Options
    from mitmproxy.tools.dump import DumpMaster
    from websockets.asyncio.server import serve

    async with serve(echo, "127.0.0.1", 0, compression=compression, max_size=None) as server:
        behind = server.sockets[0].getsockname()[1]
        options = Options(mode=[f"reverse:http://127.0.0.1:{behind}"], listen_host="127.0.0.1", listen_port=0)
        proxy = DumpMaster(options, with_termlog=False, with_dumper=False)
        addon = Addon()
        proxy.addons.add(addon)
        running = asyncio.create_task(proxy.run())
        while not (addresses := proxy.addons.get("proxyserver").listen_addrs()):
            await asyncio.sleep(0.02)
        uri = f"ws://127.0.0.1:{addresses[0][1]}/"
        got = await messages(uri, compression, proxy, addon) + await closed_by_the_server(uri, compression)
        for _ in range(2):
            await addon.ended.get()
        proxy.shutdown()
        await running
    return [*got, *addon.told]


async def messages(uri, compression, proxy, addon):
    from websockets.asyncio.client import connect

    got = []

    async def receive(ws):
        message = await ws.recv()
        got.append([type(message).__name__, len(message), repr(message[:10])])

    async with connect(uri, compression=compression, max_size=None) as ws:
        for message in ("Hello", b"\x00\xff", "é" * 50_000, b"x" * 1_000_000, ["frag", "men", "ts"], "change me"):
            await ws.send(message)
            await receive(ws)
        await ws.send("drop me")
        await (await ws.ping(b"are you there"))
        # To the client, and to the server, which sends it back.
        proxy.commands.call("inject.websocket", addon.flow, True, b"of the addon's", True)
        await receive(ws)
        proxy.commands.call("inject.websocket", addon.flow, False, b"to the client", False)
        await receive(ws)
        await ws.close(1000, "bye")
    return [*got, [ws.close_code, ws.close_reason]]


async def closed_by_the_server(uri, compression):
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosed

    async with connect(uri, compression=compression) as ws:
        await ws.send("close me")
        try:
            return [await ws.recv()]
        except ConnectionClosed as end:
            return [[end.rcvd.code, end.rcvd.reason]]


# ------------------------------------------------------------------------------- both beside each other

def environment():
    """An interpreter with mitmproxy, and with the wheel that was built last."""
    home, log = CACHE / "mitmproxy", OUT / "mitmproxy.log"
    python = home / "env/bin/python"
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    with made_from(home, f"{sys.executable}\n{PACKAGES}") as unmade:
        if unmade:
            checked([sys.executable, "-m", "venv", home / "env"], log)
            checked([*pip, *PACKAGES], log)
    (wheel,) = (OUT / "wheels").glob("*.whl")
    checked([*pip, "--force-reinstall", "--no-deps", wheel], log)
    return python


def played(python, kind):
    log = OUT / f"mitmproxy-{kind}.log"
    with open(log, "w") as sink:
        run = subprocess.run([python, __file__, "--play", kind], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=sink, text=True, timeout=SECONDS)
    if run.returncode:
        raise NoRun(f"{kind}: {tail(log)}")
    module, *entries = run.stdout.splitlines()
    if module.startswith("sansocket.") != (kind == "ours"):
        raise NoRun(f"{kind}: it ran on {module}")
    return entries


def main():
    if sys.argv[1:2] == ["--play"]:
        return play(sys.argv[2] == "ours")
    OUT.mkdir(parents=True, exist_ok=True)
    try:
        python = environment()
        original, ours = played(python, "original"), played(python, "ours")
    except (NoRun, subprocess.TimeoutExpired) as why:
        say(str(why))
        return 2
    failed = abs(len(original) - len(ours))
    for theirs, our in zip(original, ours):
        if theirs != our:
            failed += 1
            say(f"with the original {theirs}, with ours {our}")
    passed = max(len(original), len(ours)) - failed
    say(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
