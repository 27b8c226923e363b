"""Frames over the core: bytes of them out, and what they hold in."""

from codecs import getincrementaldecoder
from collections.abc import Iterator
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import sansocket

from .utilities import LocalProtocolError

if TYPE_CHECKING:
    from .extensions import Extension

MAX_PAYLOAD_NORMAL = 125


class Opcode(IntEnum):
    """Kinds of frames (RFC 6455 §5.2)."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA

    def iscontrol(self) -> bool:
        """It is Close, Ping or Pong."""
        return self >= Opcode.CLOSE


class CloseReason(IntEnum):
    """Codes of Close frames (RFC 6455 §7.4.1, and the registry)."""

    NORMAL_CLOSURE = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_STATUS_RCVD = 1005
    ABNORMAL_CLOSURE = 1006
    INVALID_FRAME_PAYLOAD_DATA = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    MANDATORY_EXT = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    TLS_HANDSHAKE_FAILED = 1015


#: Those that no Close frame has (RFC 6455 §7.4.1).
LOCAL_ONLY_CLOSE_REASONS = (
    CloseReason.NO_STATUS_RCVD,
    CloseReason.ABNORMAL_CLOSURE,
    CloseReason.TLS_HANDSHAKE_FAILED,
)

_REASONS = {int(reason): reason for reason in CloseReason}


class ParseFailed(Exception):
    """The peer broke a rule: `code` is for the Close frame."""

    def __init__(self, msg: str, code: CloseReason = CloseReason.PROTOCOL_ERROR) -> None:
        super().__init__(msg)
        self.code = code


class RsvBits(NamedTuple):
    """The reserved bits of a frame."""

    rsv1: bool
    rsv2: bool
    rsv3: bool


class Frame(NamedTuple):
    """A frame, or as much of one as came in one read. A Close frame's payload is its code and reason."""

    opcode: Opcode
    payload: bytes | str | tuple[int, str]
    frame_finished: bool
    message_finished: bool


#: No limit of its own: the application counts what it keeps.
_LIMITS = sansocket.Limits(
    "trusted", frame=2**63 - 1, message=2**63 - 1, fragments=2**32 - 1, output=2**32 - 1
)


def _config(client: bool, deflate: bool) -> Any:
    make: Any = sansocket.ClientConfig if client else lambda **given: sansocket.ServerConfig("any", **given)
    return make(limits=_LIMITS, deflate=deflate, delivery="chunks", manual_pong=True, manual_close=True)


_CONFIGS = {(client, deflate): _config(client, deflate) for client in (False, True) for deflate in (False, True)}


def _core(client: bool, extensions: "list[Extension]") -> sansocket.Connection:
    """The core of one end, which has opened."""
    agreed = [extension for extension in extensions if extension.enabled()]
    elements = []
    for extension in agreed:
        element = getattr(extension, "agreed", None)
        if element is None:
            raise LocalProtocolError(f"the core has no extension {extension.name}: permessage-deflate only")
        elements.append(element())
    config = _CONFIGS[client, bool(elements)]
    upgraded: Any = sansocket.Connection.upgraded_client if client else sansocket.Connection.upgraded_server
    core: sansocket.Connection = upgraded(config, extensions=", ".join(elements))
    core.receive()
    return core


class FrameProtocol:
    """Frames of one end. What was received is read when `received_frames` asks for it."""

    def __init__(self, client: bool, extensions: "list[Extension]") -> None:
        self.client = client
        self.extensions = extensions
        self._core = _core(client, extensions)
        self._received: list[bytes] = []
        self._sent_kind: type[str] | type[bytes] | None = None
        self._decoder: Any = None
        self._ended = False

    def receive_bytes(self, data: bytes) -> None:
        """Takes bytes that were read."""
        if data:
            self._received.append(data)

    def received_frames(self) -> Iterator[Frame]:
        """The frames in them. ParseFailed: the peer broke a rule, and nothing follows."""
        next_event = self._core.next_event
        while not self._ended:
            event = next_event(self._received.pop(0) if self._received else None)
            if event is None:
                if not self._received:
                    return
            elif type(event) is sansocket.Chunk:
                yield self._data(event)
            elif type(event) is sansocket.Ping:
                yield Frame(Opcode.PING, event.payload, True, True)
            elif type(event) is sansocket.Pong:
                yield Frame(Opcode.PONG, event.payload, True, True)
            elif type(event) is sansocket.Close:
                self._ended = True
                code = CloseReason.NO_STATUS_RCVD if event.code is None else event.code
                yield Frame(Opcode.CLOSE, (_REASONS.get(code, code), event.reason), True, True)
            elif type(event) is sansocket.Failed:
                self._fail(event)

    def _fail(self, failure: sansocket.Failed) -> None:
        self._ended = True
        # Its Close frame is not sent before the application says so: that one comes from a core of its own.
        self._core = _core(self.client, [])
        raise ParseFailed(failure.text, CloseReason(failure.close_code or CloseReason.PROTOCOL_ERROR))

    def _data(self, chunk: sansocket.Chunk) -> Frame:
        """As much of a frame as there is: what is compressed comes in several chunks."""
        data = chunk.data
        if not chunk.ends_frame:
            chunk, data = self._rest(chunk)
        if chunk.kind == "binary":
            return Frame(Opcode.BINARY, data, chunk.ends_frame, chunk.last)
        if chunk.last and self._decoder is None:
            return Frame(Opcode.TEXT, str(data, "utf-8"), True, True)
        self._decoder = self._decoder or getincrementaldecoder("utf-8")()
        text = self._decoder.decode(data, chunk.last)
        if chunk.last:
            self._decoder = None
        return Frame(Opcode.TEXT, text, chunk.ends_frame, chunk.last)

    def _rest(self, chunk: sansocket.Chunk) -> tuple[sansocket.Chunk, bytes]:
        parts = [chunk.data]
        while not chunk.ends_frame:
            event = self._core.next_event()
            if type(event) is sansocket.Failed:
                self._fail(event)
            if type(event) is not sansocket.Chunk:
                break
            chunk = event
            parts.append(chunk.data)
        return chunk, b"".join(parts)

    def close(self, code: int | None = None, reason: str | None = None) -> bytes:
        """A Close frame. A reason that is too long is cut at a character."""
        if code == CloseReason.NO_STATUS_RCVD:
            code = None
        if code is None and reason:
            raise TypeError("a reason needs a code")
        if code in LOCAL_ONLY_CLOSE_REASONS:
            code = CloseReason.NORMAL_CLOSURE
        try:
            self._core.close_lossy(code, reason or "")
        except ValueError as why:
            raise LocalProtocolError(str(why)) from None
        return self._core.take_output()

    def ping(self, payload: bytes = b"") -> bytes:
        """A Ping frame."""
        return self._control(self._core.ping, payload)

    def pong(self, payload: bytes = b"") -> bytes:
        """A Pong frame."""
        return self._control(self._core.pong, payload)

    def _control(self, send: Any, payload: bytes) -> bytes:
        if len(payload) > MAX_PAYLOAD_NORMAL:
            raise ValueError(f"{len(payload)} bytes in a control frame, which has at most {MAX_PAYLOAD_NORMAL}")
        try:
            send(payload)
        except sansocket.SendError as why:
            raise LocalProtocolError(str(why)) from None
        return self._core.take_output()

    def send_data(self, payload: bytes | bytearray | str = b"", fin: bool = True) -> bytes:
        """A frame of a message: of one that has begun, or the first of another."""
        kind: type[str] | type[bytes] = str if isinstance(payload, str) else bytes
        if kind is bytes and not isinstance(payload, (bytes, bytearray, memoryview)):
            raise TypeError(f"{type(payload).__name__}: a message is str or bytes")
        if self._sent_kind not in (None, kind):
            raise TypeError("a message is all text or all binary")
        try:
            if fin and self._sent_kind is None:
                self._core.send(payload)
            else:
                self._core.send_part(payload if kind is str else bytes(payload), last=fin)  # type: ignore[arg-type]
        except sansocket.SendError as why:
            raise LocalProtocolError(str(why)) from None
        self._sent_kind = None if fin else kind
        return self._core.take_output()
