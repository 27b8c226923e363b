"""Python's `aioquic` and `wsproto` against `over_http3`: python http3_client.py HOST:PORT CERTIFICATE PID"""

import asyncio
import contextlib
import os
import pathlib
import signal
import sys

from aioquic.asyncio.client import connect as quic
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection, Setting
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, StreamReset
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))
from checks import check, expect, main  # noqa: E402
from streams import Stream  # noqa: E402


class Http(QuicConnectionProtocol):
    """A connection of HTTP/3."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.http = H3Connection(self._quic)
        self.streams = {}
        self.answers = {}
        self.gone = asyncio.Event()

    def quic_event_received(self, event):
        if isinstance(event, ConnectionTerminated):
            self.gone.set()
        if isinstance(event, StreamReset) and (stream := self.streams.get(event.stream_id)):
            self.over(stream, event.error_code)
        for event in self.http.handle_event(event):
            stream = self.streams.get(event.stream_id)
            if isinstance(event, HeadersReceived):
                fields = {name.decode(): value.decode() for name, value in event.headers}
                self.answers[event.stream_id].set_result(fields)
            elif isinstance(event, DataReceived) and event.data:
                stream.heard(event.data)
            if stream and event.stream_ended:
                self.over(stream, "end")

    def over(self, stream, how):
        if not stream.over:
            stream.over = how
            stream.heard(None)

    async def request(self, *fields, end=False):
        number = self._quic.get_next_available_stream_id()
        self.answers[number] = asyncio.get_running_loop().create_future()
        self.streams[number] = Stream(self, number)
        fields = [(name.encode(), value.encode()) for name, value in fields]
        self.http.send_headers(number, fields, end_stream=end)
        self.transmit()
        return self.streams[number], await self.answers[number]

    async def open(self, address, *more):
        while self.http.received_settings is None:
            await asyncio.sleep(0.01)
        enabled = self.http.received_settings.get(Setting.ENABLE_CONNECT_PROTOCOL)
        expect(enabled, 1, "SETTINGS_ENABLE_CONNECT_PROTOCOL")
        return await self.request(
            (":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"),
            (":path", "/ws"), (":authority", address), ("sec-websocket-version", "13"), *more,
        )

    async def write(self, number, data):
        self.http.send_data(number, data, end_stream=False)
        self.transmit()

    async def end(self, number):
        self.http.send_data(number, b"", end_stream=True)
        self.transmit()


@contextlib.asynccontextmanager
async def connect(address):
    configuration = QuicConfiguration(alpn_protocols=H3_ALPN, cafile=sys.argv[2])
    host, port = address.split(":")
    async with quic(host, int(port), configuration=configuration, create_protocol=Http) as http:
        yield http


@check
async def echoes(address):
    """text, binary, empty, 1 MiB"""
    async with connect(address) as http:
        stream, answer = await http.open(address)
        expect(answer[":status"], "200", "status")
        await stream.echo("hello", "grüße, 世界 🌍", "", b"", bytes(range(256)), "ü" * (1 << 19))
        await stream.close(1000, "")


@check
async def many(address):
    """50 streams of one connection, in turns"""
    async with connect(address) as http:
        streams = [(await http.open(address))[0] for _ in range(50)]
        for turn in range(3):
            await asyncio.gather(*(s.echo(f"{turn} of {s.number}", b"x" * 5000) for s in streams))
        await asyncio.gather(*(stream.close(1000, "") for stream in streams))


@check
async def fragments(address):
    """fragments, with a ping between them"""
    async with connect(address) as http:
        stream, _ = await http.open(address)
        await stream.send(TextMessage(data="before, ", message_finished=False))
        await stream.send(Ping(payload=b"inside"))
        expect(await stream.message(), ("pong", b"inside"), "came")
        await stream.send(TextMessage(data="after", message_finished=True))
        expect(await stream.message(), "before, after", "came")
        await stream.close(4000, "grüße")


@check
async def refused(address):
    """403 for a foreign origin, 404, 200 for the page"""
    async with connect(address) as http:
        _, answer = await http.open(address, ("origin", "https://elsewhere.example"))
        expect(answer[":status"], "403", "status")
        for path, status in (("/", "200"), ("/other", "404")):
            get = ((":method", "GET"), (":scheme", "https"), (":path", path), (":authority", address))
            _, answer = await http.request(*get, end=True)
            expect(answer[":status"], status, "status")


@check
async def cut(address):
    """a connection that is gone, and the next one"""
    async with connect(address) as http:
        stream, _ = await http.open(address)
        await stream.send(BytesMessage(data=b"half of it", message_finished=False))
    async with connect(address) as http:
        stream, _ = await http.open(address)
        await stream.echo("still there")


@check
async def sigterm(address):
    """SIGTERM: 1001 on each stream, their ends, and the end of the connection"""
    async with connect(address) as http:
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
