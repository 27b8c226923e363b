"""A connection after its opening handshake."""

import itertools
from collections.abc import Callable, Generator, Iterable
from functools import lru_cache
from typing import Any, Literal

import sansocket
from websockets import protocol
from websockets.exceptions import InvalidState, PayloadTooBig, ProtocolError
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import BINARY, CLOSE, CONT, PING, PONG, TEXT, Close, CloseCode, Frame, Opcode
from websockets.protocol import SEND_EOF, Event, Side, State
from websockets.typing import BytesLike

__all__ = ("CLIENT", "CLOSED", "CLOSING", "CONNECTING", "OPEN", "SEND_EOF", "SERVER", "Event", "Protocol", "Side", "State")

SERVER, CLIENT = Side.SERVER, Side.CLIENT
CONNECTING, OPEN, CLOSING, CLOSED = State.CONNECTING, State.OPEN, State.CLOSING, State.CLOSED

#: A payload of so many bytes is written from where it lies.
_LARGE = 1 << 16
_NO_LIMIT: int = 2**63 - 1


class Protocol(protocol.Protocol):
    """One end of a connection: `receive_data` and `send_…`, then `events_received` and `data_to_send`."""

    #: The core, once it is needed.
    _core: sansocket.Connection | None = None
    #: The same, once all that comes is for it.
    _reads: sansocket.Connection | None = None
    #: Nothing is told any more: a Close frame has come, or the connection was failed.
    _deaf: bool = False
    #: Pieces of a frame that is not whole.
    _pieces: list[bytes]
    #: What the next frame of data is.
    _opcode: Opcode = CONT
    #: What the message is that is being sent.
    _kind: Literal["text", "binary"] = "binary"

    # What is received.

    def parse(self) -> Generator[None]:
        """Takes over from the opening handshake when there is something to read."""
        while not self.reader.eof and (self._state is CONNECTING or not self.reader.buffer):
            yield
        core = None if self.reader.eof else self._begun()
        if core is None:
            yield from super().parse()
            return
        self._reads = core
        received = bytes(self.reader.buffer)
        self.reader.buffer.clear()
        self._take(self._told(core, received))
        while not self.reader.eof:
            yield
        self.fail(CloseCode.ABNORMAL_CLOSURE)
        self.parser_exc = EOFError("the stream ended without a closing handshake")
        yield

    def receive_data(self, data: bytes | bytearray) -> None:
        """Takes bytes that were read."""
        core = self._reads
        if core is None:
            super().receive_data(data)
        elif self.reader.eof:
            raise EOFError("the stream has ended")
        elif not self._deaf:
            self._take(self._told(core, data if type(data) is bytes else bytes(data)))

    def _told(self, core: sansocket.Connection, data: bytes) -> Iterable[object]:
        """What the core tells about these bytes."""
        if self.max_fragment_size is None or not self.extensions:
            return core.receive(data)
        # What a frame inflates to is judged here, before what follows it.
        return itertools.chain([core.next_event(data)], iter(core.next_event, None))

    def _take(self, events: Iterable[object]) -> None:
        """Tells events, and queues what the core has to say to them."""
        for event in events:
            if type(event) is sansocket.Chunk:
                self._take_chunk(event)
            elif type(event) is sansocket.Ping:
                self._tell(Frame(PING, event.payload))
            elif type(event) is sansocket.Pong:
                self._tell(Frame(PONG, event.payload))
            elif type(event) is sansocket.Close:
                self._closed(event)
            elif type(event) is sansocket.Failed:
                self._failed(event)
            if self._deaf:
                break
        self._write()

    def _take_chunk(self, chunk: sansocket.Chunk) -> None:
        if chunk.first:
            self._opcode = TEXT if chunk.kind == "text" else BINARY
            self._pieces = []
        data = chunk.data
        if not chunk.ends_frame:
            self._pieces.append(data)
            return
        if self._pieces:
            data = b"".join([*self._pieces, data])
            self._pieces = []
        if self.max_fragment_size is not None and len(data) > self.max_fragment_size:
            self.fail(CloseCode.MESSAGE_TOO_BIG, f"a frame of {len(data)} bytes, of which {self.max_fragment_size} are allowed")
            self.parser_exc = PayloadTooBig(len(data), self.max_fragment_size)
            return
        opcode, self._opcode = self._opcode, CONT
        self._tell(Frame(opcode, data, chunk.last))

    def _tell(self, frame: Frame) -> None:
        if self.debug:
            self.logger.debug("< %s", frame)
        self.events.append(frame)

    def _closed(self, frame: sansocket.Close) -> None:
        """The peer's Close frame, which the core has answered if that had to be."""
        if frame.code is None:
            self.close_rcvd, payload = Close(CloseCode.NO_STATUS_RCVD, ""), b""
        else:
            self.close_rcvd = Close(frame.code, frame.reason)
            payload = self.close_rcvd.serialize()
        self.close_rcvd_then_sent = self._state is OPEN
        if self._state is OPEN:
            self.close_sent = self.close_rcvd
            self.state = CLOSING
        self._write()
        if self.side is SERVER:
            self.send_eof()
        self._hush()
        self._tell(Frame(CLOSE, payload))

    def _failed(self, failure: sansocket.Failed) -> None:
        """The peer broke a rule or passed a limit. The core has a Close frame for it."""
        sent = self._core.close_sent if self._core else None
        if self._state is OPEN and sent is not None and sent.code is not None:
            self.close_sent = Close(sent.code, sent.reason)
            self.state = CLOSING
        self._write()
        if self.side is SERVER and not self.eof_sent:
            self.send_eof()
        self._hush()
        self.parser_exc = self._exception(failure)

    def _exception(self, failure: sansocket.Failed) -> Exception:
        if failure.close_code == CloseCode.INVALID_DATA:
            return UnicodeDecodeError("utf-8", b"", 0, 0, failure.text)
        if failure.close_code == CloseCode.MESSAGE_TOO_BIG:
            sizes = [size for size in (self.max_message_size, self.max_fragment_size) if size is not None]
            return PayloadTooBig(None, min(sizes, default=_NO_LIMIT))
        return ProtocolError(failure.text)

    def _hush(self) -> None:
        self._deaf = True
        self.parser = self.discard()
        next(self.parser)

    def fail(self, code: CloseCode | int, reason: str = "") -> None:
        """Fails the connection."""
        super().fail(code, reason)
        self._deaf = True

    # What is sent.

    def send_continuation(self, data: BytesLike, fin: bool) -> None:
        """Sends one more frame of a message."""
        if not self.expect_continuation_frame:
            raise ProtocolError("unexpected continuation frame")
        self._send(CONT, data, fin)

    def send_text(self, data: BytesLike, fin: bool = True) -> None:
        """Sends a message, or its first frame: text in UTF-8."""
        if self.expect_continuation_frame:
            raise ProtocolError("expected a continuation frame")
        self._send(TEXT, data, fin)

    def send_binary(self, data: BytesLike, fin: bool = True) -> None:
        """Sends a message, or its first frame: binary data."""
        if self.expect_continuation_frame:
            raise ProtocolError("expected a continuation frame")
        self._send(BINARY, data, fin)

    def _send(self, opcode: Opcode, data: BytesLike, fin: bool) -> None:
        if self._state is not OPEN:
            raise InvalidState(f"connection is {self._state.name.lower()}")
        core = self._core or self._begun()
        if core is None or self.debug:
            self.send_frame(Frame(opcode, data, fin))
        else:
            self._send_data(core, opcode, data, fin)
        self.expect_continuation_frame = not fin

    def send_frame(self, frame: Frame) -> None:
        """Sends a frame, whatever the state is."""
        core = self._core or self._begun()
        if core is None:
            super().send_frame(frame)
            return
        if self.debug:
            self.logger.debug("> %s", frame)
        if frame.opcode is PING:
            self._send_control(core.ping, frame.data)
        elif frame.opcode is PONG:
            self._send_control(core.pong, frame.data)
        elif frame.opcode is CLOSE:
            close = Close.parse(bytes(frame.data)) if frame.data else None
            if len(frame.data) > 125:
                raise ProtocolError("control frame too long")
            core.close(close.code if close else None, close.reason if close else "")
            self._write()
        else:
            self._send_data(core, frame.opcode, frame.data, frame.fin)

    def _send_data(self, core: sansocket.Connection, opcode: Opcode, data: BytesLike, fin: bool) -> None:
        if opcode is not CONT:
            self._kind = "text" if opcode is TEXT else "binary"
        try:
            if fin and opcode is not CONT:
                core.send(data, kind=self._kind)
            else:
                core.send_part(data, last=fin, kind=self._kind)
        except sansocket.SendError as why:
            raise ProtocolError(str(why)) from None
        if len(data) < _LARGE:
            self.writes.append(core.take_output())
        else:
            while core.output_len:
                pieces: Any = core.output()
                self.writes.extend(pieces)
                core.consume_output(sum(map(len, pieces)))

    def _send_control(self, send: Callable[[bytes], None], data: BytesLike) -> None:
        if len(data) > 125:
            raise ProtocolError("control frame too long")
        try:
            send(bytes(data))
        except sansocket.SendError as why:
            raise InvalidState(str(why)) from None
        self._write()

    def _write(self) -> None:
        if self._core is not None and self._core.output_len:
            self.writes.append(self._core.take_output())

    # The core.

    def _begun(self) -> sansocket.Connection | None:
        """The core. None: an extension is in use that it does not have."""
        if self._core is None and all(type(extension) is PerMessageDeflate for extension in self.extensions):
            client = self.side is CLIENT
            elements = [_element(extension, client) for extension in self.extensions]
            settings = self.extensions[0].compress_settings if self.extensions else None  # type: ignore[attr-defined]
            level, mem_level = (settings or {}).get("level"), (settings or {}).get("memLevel")
            config = _config(client, self.max_message_size, self.max_fragment_size, level, mem_level)
            upgraded: Any = sansocket.Connection.upgraded_client if client else sansocket.Connection.upgraded_server
            core: sansocket.Connection = upgraded(config, extensions=", ".join(elements))
            core.receive()
            self._core = core
        return self._core


@lru_cache(maxsize=64)
def _config(client: bool, message: int | None, frame: int | None, level: int | None, mem_level: int | None) -> Any:
    limits = sansocket.Limits(
        "trusted",
        message=_NO_LIMIT if message is None else message,
        frame=min(_NO_LIMIT if size is None else size for size in (message, frame)),
        fragments=2**32 - 1,
        output=2**32 - 1,
    )
    if level is not None and level < 0:
        level = 6
    deflate = sansocket.Deflate(level=level, mem_level=mem_level, threshold=0)
    make: Any = sansocket.ClientConfig if client else lambda **given: sansocket.ServerConfig("any", **given)
    return make(limits=limits, deflate=deflate, delivery="chunks", echo_close_reason=True)


def _element(extension: Any, client: bool) -> str:
    """What was agreed on, as an element of Sec-WebSocket-Extensions."""
    local, remote = ("client", "server") if client else ("server", "client")
    parameters = [extension.name]
    for side, name in ((local, "local"), (remote, "remote")):
        parameters.append(f"{side}_max_window_bits={getattr(extension, f'{name}_max_window_bits')}")
        if getattr(extension, f"{name}_no_context_takeover"):
            parameters.append(f"{side}_no_context_takeover")
    return "; ".join(parameters)
