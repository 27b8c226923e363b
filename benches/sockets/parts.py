"""What is measured: servers under a load, and what stands in the table of each part."""

import contextlib
import dataclasses
import math
import os
import resource
import statistics
import tempfile
import time

import processes
from processes import NoRun, Process

# uWebSockets' generator tells its count every so many seconds: LIBUS_TIMEOUT_GRANULARITY of its library.
GRANULARITY = 4
# Ours does twice a second.
INTERVAL = 0.5

# Descriptors of a process that are no connections.
SPARE = 100


@dataclasses.dataclass
class Server:
    name: str
    command: list
    path: str = "/"


@dataclasses.dataclass
class Case:
    """A load, and how it is called in the table."""

    label: list
    servers: list
    connections: int
    size: int
    in_flight: int = 1
    options: list = dataclasses.field(default_factory=list)
    rate: int = 0


def echo_servers(programs, size):
    # It reads as much at once as suits it best: what it reads into is cleared before.
    read = 16 << 10 if size > 4 << 10 else 4 << 10
    return [
        Server("sansocket", [programs.rust("sansocket")]),
        Server("uWebSockets", [programs.uwebsockets / "EchoServer"]),
        Server("tungstenite", [programs.rust("tungstenite"), read]),
        Server("fastwebsockets", [programs.rust("fastwebsockets")]),
        Server("tokio-websockets", [programs.rust("tokio-websockets")]),
    ]


def of_one(programs, short):
    return [
        Case([f"{connections:,}"], echo_servers(programs, 32), connections, 32)
        for connections in ([100] if short else [1, 100, 5000])
    ]


def of_pipelined(programs, short):
    return [
        Case([f"{size:,} B", f"{in_flight}"], echo_servers(programs, size), 100, size, in_flight)
        for size in ([1024] if short else [32, 1024, 16 << 10])
        for in_flight in ([16] if short else [1, 16, 64])
    ]


def of_crowd(programs, short):
    return [
        Case([f"{connections:,}"], echo_servers(programs, 32), connections, 32, rate=5000)
        for connections in ([1000] if short else [5000, 50_000])
    ]


def of_broadcast(programs, short):
    servers = [
        Server("sansocket", [programs.rust("room-sansocket")]),
        Server("uWebSockets", [programs.uwebsockets / "room"]),
        Server("tungstenite", [programs.rust("room-tungstenite")]),
    ]
    return [
        Case([f"{size:,} B", f"{in_flight}"], servers, 1000 if short else 10_000, size, in_flight, ["--room"])
        for size in ([32] if short else [32, 1024])
        for in_flight in ([1] if short else [1, 16])
    ]


def of_tls(programs, short):
    certificate = os.path.join(tempfile.gettempdir(), f"certificate-{os.getpid()}.der")
    servers = [
        Server("sansocket-tokio", [programs.rust("tls-sansocket"), certificate]),
        Server("tokio-tungstenite", [programs.rust("tls-tungstenite"), certificate]),
    ]
    return [
        Case([f"{size:,} B", "16"], servers, 100, size, 16, ["--certificate", certificate])
        for size in ([1024] if short else [1024, 16 << 10])
    ]


def of_io_uring(programs, short):
    servers = [
        Server("epoll", [programs.rust("sansocket")]),
        Server("io_uring", [programs.io_uring(), "127.0.0.1:0", 60, 100_000], "/ws"),
    ]
    return [
        Case([f"{connections:,}", f"{in_flight}"], servers, connections, 32, in_flight)
        for connections in ([100] if short else [100, 5000])
        for in_flight in [1, 16]
    ]


def of_deflate(programs, _):
    servers = [Server("sansocket", [programs.rust("sansocket"), "deflate"])]
    if programs.deflates:
        servers += [
            Server("uWebSockets, no takeover", [programs.uwebsockets / "EchoServer_shared"]),
            Server("uWebSockets, its example", [programs.uwebsockets / "EchoServer_deflate"]),
        ]
    return [Case([f"{1024:,} B"], servers, 100, 1024, 1, ["--deflate"])]


def cores():
    cores = sorted(os.sched_getaffinity(0))
    return cores[0], cores[-1]


def by_load_test(programs, case, server, intervals):
    """Under uWebSockets' generator."""
    near, far = cores()
    # One message at a time is two wake-ups: on a busy machine it would be the others that are measured.
    realtime = case.connections == 1
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(processes.server(server.command, near, realtime))
        command = [programs.load_test, case.connections, "127.0.0.1", process.port(), 0, 0, case.size]
        load = stack.enter_context(Process(command, far, realtime))
        load.line("Running benchmark now", 120)
        # The first count has the opening handshakes in it.
        load.line("Msg/sec: ", 60)
        watch = Watch([process], [load])
        for _ in range(max(1, round(intervals * INTERVAL / GRANULARITY))):
            watch.interval(float(load.line("Msg/sec: ", 60)) * GRANULARITY)
        return watch.end()


def by_load(programs, case, server, intervals):
    """Under our generator. A process may have fewer descriptors than there are connections: then there are
    several of each kind."""
    near, far = cores()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE
    count = math.ceil(case.connections / most)
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(processes.server(server.command, near)) for _ in range(count)]
        ports = [process.port() for process in servers]
        empty = sum(process.memory("VmRSS") for process in servers)
        loads = []
        for number, port in enumerate(ports):
            connections = case.connections * (number + 1) // count - case.connections * number // count
            command = [
                programs.rust("load"), port, "--connections", connections, "--in-flight", case.in_flight,
                "--size", case.size, "--path", server.path, *case.options,
            ]  # fmt: skip
            if case.rate:
                command += ["--rate", case.rate // count]
            loads.append(stack.enter_context(Process(command, far)))
        for load in loads:
            load.line("open", 120)
        counts = lambda: sum(int(load.line("messages ", 20)) for load in loads)
        before = counts()
        watch = Watch(servers, loads)
        for _ in range(intervals):
            after = counts()
            watch.interval(after - before)
            before = after
        return {**watch.end(), "empty": empty, "processes": count}


class Watch:
    """What servers do from one interval to the next."""

    def __init__(self, servers, loads):
        self.servers, self.loads = servers, loads
        self.messages, self.cpus = 0, []
        self.began, self.load = time.monotonic(), self._sum(loads)
        self.cpu = self.first = self._sum(servers)
        self.ticks = self._ticks()

    def _sum(self, these):
        return sum(process.cpu() for process in these)

    def _ticks(self):
        return [sum(kind) for kind in zip(*(process.ticks() for process in self.servers))]

    def interval(self, messages):
        if messages <= 0:
            raise NoRun(f"{self.servers[0].process.args}: no message came back")
        cpu = self._sum(self.servers)
        self.cpus.append((cpu - self.cpu) / messages * 1e6)
        self.cpu = cpu
        self.messages += messages

    def end(self):
        took = time.monotonic() - self.began
        user, system = (end - begin for end, begin in zip(self._ticks(), self.ticks))
        return {
            "rate": self.messages / took,
            "cpu": (self.cpu - self.first) / self.messages * 1e6,
            "cpus": self.cpus,
            "user": user / max(user + system, 1),
            "busy": (self.cpu - self.first) / took,
            "load": (self._sum(self.loads) - self.load) / took,
            "most": sum(process.memory("VmHWM") for process in self.servers),
            "resident": sum(process.memory("VmRSS") for process in self.servers),
        }


def median(runs, what):
    return statistics.median(run[what] for run in runs)


def ratio(runs, ours):
    """By rounds: what else the machine does changes from one to the next."""
    return statistics.median(run["cpu"] / our["cpu"] for run, our in zip(runs, ours))


def spread(runs):
    cpus = [cpu for run in runs for cpu in run["cpus"]]
    return f"{median(runs, 'cpu'):.3g} ({min(cpus):.3g}-{max(cpus):.3g})"


def time_row(case, runs, ours):
    cpu = median(runs, "cpu")
    return (
        f"| {1e6 / cpu:,.0f} | {spread(runs)} | {cpu * median(runs, 'user'):.3g} | {ratio(runs, ours):.2f} "
        f"| {median(runs, 'rate'):,.0f} | {median(runs, 'busy'):.0%} | {median(runs, 'load'):.0%} "
        f"| {median(runs, 'most') / 1e6:.1f} MB |"
    )


TIME = [
    "messages per s of its processor", "µs a message", "in user space", "ratio", "messages/s", "its core",
    "generator's core", "memory at most",
]  # fmt: skip


def memory_row(case, runs, ours):
    held = statistics.median((run["resident"] - run["empty"]) / case.connections for run in runs)
    our = statistics.median((run["resident"] - run["empty"]) / case.connections for run in ours)
    return (
        f"| {median(runs, 'resident') / 1e6:.1f} MB | {median(runs, 'most') / 1e6:.1f} MB | {held:,.0f} B "
        f"| {held / our:.1f} | {spread(runs)} | {median(runs, 'rate'):,.0f} | {runs[0]['processes']} |"
    )


MEMORY = ["memory", "at most", "a connection", "ratio", "µs a message", "messages/s", "processes"]


@dataclasses.dataclass
class Part:
    title: str
    says: str
    cases: object
    label: list
    measure: object = by_load
    row: object = time_row
    columns: list = dataclasses.field(default_factory=lambda: TIME)


PARTS = {
    "one": Part(
        "One message in flight, by uWebSockets' own generator",
        "`load_test`, unchanged: 32 bytes, and it counts those that come back. With one connection both processes run in "
        "real time, as it would be others that are measured.",
        of_one, ["connections"], by_load_test,
    ),
    "pipelined": Part(
        "Echo, many messages in flight",
        "100 connections, by our generator, as all that follows.",
        of_pipelined, ["message", "in flight"],
    ),
    "crowd": Part(
        "Many connections",
        "5,000 messages of 32 bytes a second, from one connection after the other. Where a process may not have as "
        "many descriptors, several processes of the server share the connections, and their figures are added. "
        "Memory of a connection is what the server holds more than before the first came.",
        of_crowd, ["connections"], by_load, memory_row, MEMORY,
    ),
    "broadcast": Part(
        "Broadcast",
        "What one of 10,000 members says goes to all of them; a message counts for each that gets it. So many messages "
        "are said at once, and the next when all have come to all.",
        of_broadcast, ["message", "at once"],
    ),
    "tls": Part(
        "TLS",
        "100 connections, TLS 1.3 by rustls with ring, AES-128-GCM.",
        of_tls, ["message", "in flight"],
    ),
    "io_uring": Part(
        "epoll and io_uring",
        "`examples/epoll_server` and `over_io_uring` of `examples/drivers`, 32 bytes.",
        of_io_uring, ["connections", "in flight"],
    ),
    "deflate": Part(
        "Compression",
        "100 connections, one message in flight, JSON, each message compressed by itself. uWebSockets' example keeps a "
        "window of 512 bytes from one message to the next; changed to share its compressor it forgets, as ours does here.",
        of_deflate, ["message"],
    ),
}  # fmt: skip
