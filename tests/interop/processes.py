"""Starts and stops the programs that tests/interop/autobahn/run and tests/interop/clients/run put together."""

import contextlib
import fcntl
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Where environments of interpreters are kept between runs.
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "sansocket"


class NoRun(Exception):
    """Something needed for the tests is missing or broken, so there is no verdict."""


def say(text):
    print(text, flush=True)


def tail(path, lines=20):
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError as why:
        return str(why)


def checked(command, log, **options):
    """Runs an install step; its output is shown only if it fails."""
    command = [str(word) for word in command]
    with open(log, "a") as sink:
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, **options
            )
        except OSError as why:
            raise NoRun(f"{shlex.join(command)}: {why}") from None
    if done.returncode:
        raise NoRun(f"{shlex.join(command)} failed:\n{tail(log)}")


@contextlib.contextmanager
def alone():
    """Nobody else installs or makes anything during the `with` block: two scripts may run at the same time."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def made_from(home, ingredients):
    """Makes the folder `home` in the `with` block if it was not made from these ingredients.

    Yields whether it has to be made; a block that raises leaves it unmade.
    """
    with alone():
        stamp = home / "made-from"
        ready = stamp.exists() and stamp.read_text() == ingredients
        if not ready:
            say(f"making {home}")
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(parents=True)
        yield not ready
        if not ready:
            stamp.write_text(ingredients)


def stop_on_signals():
    """Ends by exception when told to end, so that what was started is stopped."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(2))


@contextlib.contextmanager
def running(command, log):
    """A process for as long as the `with` block lasts, its output in the file `log`."""
    command = [str(word) for word in command]
    with open(log, "w") as sink:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True
            )
        except OSError as why:
            raise NoRun(f"{shlex.join(command)}: {why}") from None
    try:
        yield process
    finally:
        # Its own process group: a command given by hand leaves no child behind.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process, log, seconds=30):
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise NoRun(f"{shlex.join(process.args)} does not listen on port {port}:\n{tail(log)}")


def wait_for_end(process, seconds, log):
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise NoRun(f"{process.args[0]} was stopped after {seconds} s:\n{tail(log)}") from None


def panics(log):
    """The lines of a log in which a Rust program says that it panicked."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return [line for line in lines if "panicked at" in line]


def example(name):
    """The path of one of this crate's examples, built for release."""
    command = ["cargo", "build", "--release", "--quiet", "--features", "deflate", "--example", name]
    if subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL).returncode:
        raise NoRun(f"{shlex.join(command)} failed")
    target = os.environ.get("CARGO_TARGET_DIR", "target")
    return str(ROOT / target / "release/examples" / name)


def program(name, given, **values):
    """The command for an example with its arguments, or for what was given in its place."""
    if given:
        return [word.format(**values) for word in shlex.split(given)]
    return [example(name), *values.values()]
