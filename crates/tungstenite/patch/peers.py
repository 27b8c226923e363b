#!/usr/bin/env python3
"""What patch/run and patch/examples need of the processes around them.

    peers.py chromium                       where Chromium is; installs Debian's where there is none
    peers.py pair KIND SERVER CLIENT PORT   the original's examples talk to each other
"""

import importlib.machinery
import importlib.util
import pathlib
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
INTEROP = HERE.parents[2] / "tests/interop"
OUT = HERE.parents[2] / "target/patch"
sys.path.insert(0, str(INTEROP))
from processes import NoRun, running, stop_on_signals, wait_for_port  # noqa: E402

SECONDS = 30


def chromium():
    loader = importlib.machinery.SourceFileLoader("clients", str(INTEROP / "clients/run"))
    clients = importlib.util.module_from_spec(importlib.util.spec_from_loader("clients", loader))
    loader.exec_module(clients)
    clients.OUT = OUT
    return clients.chromium()


def talked(client, line, wanted):
    """Gives a client a line, and reads until it has printed what is wanted."""
    with subprocess.Popen(client, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        # A client that hangs is ended, and so is its output.
        alarm = threading.Timer(SECONDS, process.kill)
        alarm.start()
        try:
            process.stdin.write(line)
            process.stdin.flush()
            printed = []
            for text in process.stdout:
                printed.append(text)
                if text == wanted:
                    return
            raise NoRun(f"{' '.join(client)} printed {printed!r}, wanted {wanted!r}")
        finally:
            alarm.cancel()
            process.kill()


def pair(kind, server, client, port):
    """`tungstenite` has its port in the source, `tokio-tungstenite` as an argument."""
    commands = {
        "tungstenite": ([server], [client], "", "Received: Hello WebSocket\n"),
        "tokio-tungstenite": (
            [server, f"127.0.0.1:{port}"], [client, f"ws://127.0.0.1:{port}/"], "Grüezi\n", "Grüezi\n",
        ),
    }
    serve, talk, line, wanted = commands[kind]
    log = OUT / f"{kind}-server.log"
    with running(serve, log) as process:
        wait_for_port(int(port), process, log)
        talked(talk, line, wanted)


def main(task, *arguments):
    stop_on_signals()
    try:
        if task == "chromium":
            print(chromium())
        else:
            pair(*arguments)
    except NoRun as why:
        print(why, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
