"""Python's `h2` and `wsproto` against `over_http2`: python http2_client.py HOST:PORT CERTIFICATE PID"""

import asyncio
import os
import pathlib
import signal
import ssl
import sys

import h2.config
import h2.connection
import h2.events
import h2.settings
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))
from checks import check, expect, main  # noqa: E402
from streams import Stream  # noqa: E402


class Http(asyncio.Protocol):
    """A connection of HTTP/2."""

    def __init__(self):
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.unread = b""
        self.streams = {}
        self.answers = {}
        self.settings = asyncio.get_running_loop().create_future()
        self.moved = asyncio.Event()
        self.gone = asyncio.Event()

    def connection_made(self, transport):
        self.transport = transport
        self.http.initiate_connection()
        self.flush()

    def connection_lost(self, _):
        self.gone.set()

    def flush(self):
        self.transport.write(self.http.data_to_send())

    def data_received(self, data):
        self.unread += data
        while len(self.unread) >= 9 and len(self.unread) >= 9 + int.from_bytes(self.unread[:3]):
            length = 9 + int.from_bytes(self.unread[:3])
            frame, self.unread = self.unread[:length], self.unread[length:]
            for event in self.http.receive_data(frame):
                self.handle(event)
        self.flush()

    def handle(self, event):
        if isinstance(event, h2.events.ConnectionTerminated) and event.error_code == 0:
            # Streams that are there go on (RFC 9113 §6.8), which `h2` would not let them.
            self.http.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN
        else:
            stream = self.streams.get(getattr(event, "stream_id", None))
            if isinstance(event, h2.events.RemoteSettingsChanged) and not self.settings.done():
                self.settings.set_result(event.changed_settings)
            elif isinstance(event, h2.events.ResponseReceived):
                self.answers[event.stream_id].set_result(dict(event.headers))
            elif isinstance(event, h2.events.DataReceived):
                self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                stream.heard(event.data)
            elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
                if stream and not stream.over:
                    stream.over = getattr(event, "error_code", "end")
                    stream.heard(None)
            elif isinstance(event, h2.events.WindowUpdated):
                self.moved.set()

    async def request(self, *fields, end=False):
        number = self.http.get_next_available_stream_id()
        self.answers[number] = asyncio.get_running_loop().create_future()
        self.streams[number] = Stream(self, number)
        self.http.send_headers(number, fields, end_stream=end)
        self.flush()
        return self.streams[number], await self.answers[number]

    async def open(self, address, *more):
        settings = await self.settings
        enabled = settings.get(h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL)
        expect(enabled and enabled.new_value, 1, "SETTINGS_ENABLE_CONNECT_PROTOCOL")
        stream, answer = await self.request(
            (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"),
            (":path", "/ws"), (":authority", address), ("sec-websocket-version", "13"), *more,
        )
        return stream, answer

    async def write(self, number, data):
        while data:
            room = min(self.http.local_flow_control_window(number), self.http.max_outbound_frame_size)
            if room <= 0:
                self.moved.clear()
                await self.moved.wait()
                continue
            self.http.send_data(number, data[:room])
            data = data[room:]
            self.flush()

    async def end(self, number):
        self.http.end_stream(number)
        self.flush()


async def connect(address):
    tls = ssl.create_default_context(cafile=sys.argv[2])
    tls.set_alpn_protocols(["h2"])
    host, port = address.split(":")
    _, http = await asyncio.get_running_loop().create_connection(Http, host, int(port), ssl=tls)
    return http


@check
async def echoes(address):
    """text, binary, empty, 1 MiB"""
    http = await connect(address)
    stream, answer = await http.open(address)
    expect(answer[":status"], "200", "status")
    await stream.echo("hello", "grüße, 世界 🌍", "", b"", bytes(range(256)), "ü" * (1 << 19))
    await stream.close(1000, "")


@check
async def sixteen_mebibytes(address):
    """16 MiB, against both windows"""
    http = await connect(address)
    stream, _ = await http.open(address)
    await stream.echo(bytes(range(256)) * (1 << 16))
    await stream.close(4000, "grüße")


@check
async def many(address):
    """50 streams of one connection, in turns"""
    http = await connect(address)
    streams = [(await http.open(address))[0] for _ in range(50)]
    for turn in range(3):
        await asyncio.gather(*(s.echo(f"{turn} of {s.number}", b"x" * 5000) for s in streams))
    await asyncio.gather(*(stream.close(1000, "") for stream in streams))


@check
async def fragments(address):
    """fragments, with a ping between them"""
    http = await connect(address)
    stream, _ = await http.open(address)
    await stream.send(TextMessage(data="before, ", message_finished=False))
    await stream.send(Ping(payload=b"inside"))
    expect(await stream.message(), ("pong", b"inside"), "came")
    await stream.send(TextMessage(data="after", message_finished=True))
    expect(await stream.message(), "before, after", "came")
    await stream.close(1000, "")


@check
async def refused(address):
    """403 for a foreign origin, 400 for another version, 501 for another protocol, 404, 200 for the page"""
    http = await connect(address)
    _, answer = await http.open(address, ("origin", "https://elsewhere.example"))
    expect(answer[":status"], "403", "status")
    connect_to = [(":method", "CONNECT"), (":scheme", "https"), (":path", "/ws"), (":authority", address)]
    version = ("sec-websocket-version", "13")
    for fields, status in (
        ([*connect_to, (":protocol", "websocket"), ("sec-websocket-version", "8")], "400"),
        ([*connect_to, (":protocol", "webtransport"), version], "501"),
    ):
        _, answer = await http.request(*fields)
        expect(answer[":status"], status, "status")
    for path, status in (("/", "200"), ("/other", "404")):
        get = ((":method", "GET"), (":scheme", "https"), (":path", path), (":authority", address))
        _, answer = await http.request(*get, end=True)
        expect(answer[":status"], status, "status")


@check
async def cut(address):
    """a connection that is cut, and the next one"""
    http = await connect(address)
    stream, _ = await http.open(address)
    await stream.send(BytesMessage(data=b"half of it", message_finished=False))
    http.transport.abort()
    http = await connect(address)
    stream, _ = await http.open(address)
    await stream.echo("still there")


@check
async def sigterm(address):
    """SIGTERM: 1001 on each stream, their ends, and the end of the connection"""
    http = await connect(address)
    streams = [(await http.open(address))[0] for _ in range(5)]
    await asyncio.gather(*(stream.echo("hello") for stream in streams))
    os.kill(int(sys.argv[3]), signal.SIGTERM)
    for stream in streams:
        expect(await stream.message(), (1001, "the server stops"), "came")
        await stream.send(CloseConnection(code=1001))
        await http.end(stream.number)
        await stream.ended()
    await http.gone.wait()


main(sys.argv[1])
