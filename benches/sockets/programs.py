"""Builds the servers and the generators, and knows their versions."""

import json
import os
import pathlib
import subprocess

from processes import NoRun

HERE = pathlib.Path(__file__).resolve().parent
DRIVERS = HERE.parent.parent / "examples" / "drivers" / "Cargo.toml"

# How uWebSockets is built: without TLS, as fast as it can be without naming the processor.
FLAGS = ["-O3", "-flto", "-DLIBUS_NO_SSL"]
NO_DEFLATE = "-DUWS_NO_ZLIB"

NAMES = [
    "sansocket", "tungstenite", "fastwebsockets", "tokio-websockets", "tokio-tungstenite", "mio", "tokio", "rustls",
    "libuwebsockets-sys",
]  # fmt: skip


def output(*command, **more):
    done = subprocess.run(command, cwd=HERE, stdout=subprocess.PIPE, text=True, **more)
    if done.returncode:
        raise NoRun(f"{' '.join(map(str, command))} failed")
    return done.stdout


def compiled(program, command, sources):
    """Runs a compiler, unless it has made this file in this way already."""
    command = [*map(str, command), *map(str, sources), "-o", str(program)]
    stamp = program.with_suffix(".made")
    made = " ".join(command) + "".join(source.read_text() for source in sources if source.suffix == ".cpp")
    if not (program.exists() and stamp.exists() and stamp.read_text() == made):
        output(*command)
        stamp.write_text(made)
    return program


def with_free_port(source, changes=()):
    """uWebSockets' echo server on a free port of this machine instead of 9001, and otherwise as it is."""
    text = source.read_text()
    for old, new in [
        (".listen(9001,", '.listen("127.0.0.1", 0,'),
        ('port " << 9001', 'port " << us_socket_local_port(0, (us_socket_t *) listen_socket)'),
        *changes,
    ]:
        if text.count(old) != 1:
            raise NoRun(f"{source} is not as expected: '{old}'")
        text = text.replace(old, new)
    return text


class Programs:
    """The paths of all that was built."""

    def __init__(self):
        output("cargo", "build", "--release", "--quiet")
        metadata = output("cargo", "metadata", "--format-version=1", "--features=generator")
        self.metadata = json.loads(metadata)
        self.target = pathlib.Path(self.metadata["target_directory"])
        self.c_compiler = os.environ.get("CC", "cc")
        self.cpp_compiler = os.environ.get("CXX", "c++")
        self._build_uwebsockets()

    def package(self, name):
        return next(package for package in self.metadata["packages"] if package["name"] == name)

    def rust(self, name):
        return self.target / "release" / name

    def _build_uwebsockets(self):
        manifest = pathlib.Path(self.package("libuwebsockets-sys")["manifest_path"])
        root = manifest.parent / "uWebSockets"
        library = root / "uSockets" / "src"
        self.uwebsockets = self.target / "uwebsockets"
        self.uwebsockets.mkdir(exist_ok=True)
        sources = [*library.glob("*.c"), *library.glob("eventing/*.c"), library / "crypto" / "openssl.c"]
        command = [self.c_compiler, *FLAGS, f"-I{library}"]
        self.load_test = compiled(
            self.uwebsockets / "load_test", command, [*sources, root / "benchmarks" / "load_test.c"]
        )
        objects = [
            compiled(self.uwebsockets / f"{source.stem}.o", [*command, "-c"], [source]) for source in sources
        ]

        def server(name, source, flags, libraries=()):
            cpp = [self.cpp_compiler, "-std=c++20", *FLAGS, *flags, f"-I{library}", f"-I{root / 'src'}"]
            compiled(self.uwebsockets / name, [*cpp, *objects, *libraries], [source])

        example = root / "examples" / "EchoServer.cpp"
        shared = ("DEDICATED_COMPRESSOR_4KB | uWS::DEDICATED_DECOMPRESSOR", "SHARED_COMPRESSOR | uWS::SHARED_DECOMPRESSOR")
        for name, text in [
            ("echo", with_free_port(example)),
            ("echo_without_takeover", with_free_port(example, [shared])),
        ]:
            self.uwebsockets.joinpath(f"{name}.cpp").write_text(text)
        server("EchoServer", self.uwebsockets / "echo.cpp", [NO_DEFLATE])
        server("room", HERE / "src" / "uwebsockets" / "room.cpp", [NO_DEFLATE])
        self.deflates = subprocess.run(
            [self.cpp_compiler, "-E", "-x", "c++", "-"], input="#include <zlib.h>", text=True, capture_output=True
        ).returncode == 0  # fmt: skip
        if self.deflates:
            server("EchoServer_deflate", self.uwebsockets / "echo.cpp", [], ["-lz"])
            server("EchoServer_shared", self.uwebsockets / "echo_without_takeover.cpp", [], ["-lz"])

    def io_uring(self):
        """The example, built like the other servers."""
        profile = {"CARGO_PROFILE_RELEASE_LTO": "true", "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "1"}
        output(
            "cargo", "build", "--release", "--quiet", "--manifest-path", str(DRIVERS), "--no-default-features",
            "--features=io_uring", "--bin=over_io_uring", "--target-dir", str(self.target / "drivers"),
            env={**os.environ, **profile},
        )  # fmt: skip
        return self.target / "drivers" / "release" / "over_io_uring"

    def versions(self):
        versions = [f"{name} {self.package(name)['version']}" for name in NAMES]
        rustc = output("rustc", "--version").split(" (")[0]
        cc = output(self.c_compiler, "--version").splitlines()[0]
        return f"{rustc}, {cc}. {', '.join(versions)}."
