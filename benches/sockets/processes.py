"""Processes on a core of their own, and what they take of it."""

import contextlib
import os
import pathlib
import queue
import re
import subprocess
import threading
import time


class NoRun(Exception):
    """Something needed is missing or broken, so there is nothing measured."""


def server(command, core, realtime=False):
    """What it logs of clients that have gone is not read."""
    return Process(command, core, realtime, subprocess.DEVNULL)


class Process:
    """A process on one core, and the lines it says."""

    def __init__(self, command, core, realtime=False, stderr=None):
        def place():
            os.sched_setaffinity(0, {core})
            if realtime:
                with contextlib.suppress(PermissionError):
                    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))

        # Otherwise C holds lines back until there are many.
        command = ["stdbuf", "-oL", *map(str, command)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, text=True, preexec_fn=place
        )
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def line(self, start, seconds):
        """The rest of the next line that starts like this."""
        end = time.monotonic() + seconds
        while True:
            try:
                line = self.lines.get(timeout=max(0, end - time.monotonic()))
            except queue.Empty:
                raise NoRun(f"{self.process.args}: no line '{start}' in {seconds} s") from None
            if line.startswith(start):
                return line.removeprefix(start).strip()
            # `Closed!` and `ERROR` of uWebSockets' generator among them.
            if not line.startswith(("Using message size", "Running")):
                raise NoRun(f"{self.process.args} says: {line or 'nothing more'}")

    def port(self):
        """Where a server listens: the last number of its first line."""
        return re.findall(r"\d+", self.line("", 10))[-1]

    def cpu(self):
        """Seconds of processor time that it has used."""
        return int(pathlib.Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[0]) / 1e9

    def ticks(self):
        """What the kernel's tick found it in: user space, and the kernel."""
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text()
        fields = stat.rpartition(")")[2].split()
        return int(fields[11]), int(fields[12])

    def memory(self, what):
        """`VmHWM`, the most so far, or `VmRSS`, now."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition(f"{what}:")[2].split()[0]) * 1024

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
