"""Events: what `receive_data` brings, and what `send` takes."""

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from .typing import Headers

if TYPE_CHECKING:
    from .extensions import Extension


class Event(ABC):
    """What all events are."""


@dataclass(frozen=True)
class Request(Event):
    """A request to open a connection.

    A server's `extensions` are the client's offers as text, and `extra_headers` all fields but Host,
    Sec-WebSocket-Extensions and Sec-WebSocket-Protocol, names in lower case.
    """

    host: str
    target: str
    extensions: "Sequence[Extension] | Sequence[str]" = field(default_factory=list)
    extra_headers: Headers = field(default_factory=list)
    subprotocols: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class AcceptConnection(Event):
    """The answer that opens it."""

    subprotocol: str | None = None
    extensions: "list[Extension]" = field(default_factory=list)
    extra_headers: Headers = field(default_factory=list)


@dataclass(frozen=True)
class RejectConnection(Event):
    """The answer that does not. With `has_body`, `RejectData` follows."""

    status_code: int = 400
    headers: Headers = field(default_factory=list)
    has_body: bool = False


@dataclass(frozen=True)
class RejectData(Event):
    """A piece of that answer's body."""

    data: bytes
    body_finished: bool = True


@dataclass(frozen=True)
class CloseConnection(Event):
    """A Close frame, the end of the stream (1006), or a rule that the peer broke (1002, 1007 and so on).

    A peer's Close frame is not answered by itself: send `response()` if the state is REMOTE_CLOSING.
    """

    code: int
    reason: str | None = None

    def response(self) -> "CloseConnection":
        """The answer with the same code and reason."""
        return CloseConnection(self.code, self.reason)


T = TypeVar("T", bytes | bytearray, str)


@dataclass(frozen=True)
class Message(Event, Generic[T]):
    """A message or a part of one: as much of a frame as came in one read."""

    data: T
    frame_finished: bool = True
    message_finished: bool = True


@dataclass(frozen=True)
class TextMessage(Message[str]):
    """Text, cut between characters only."""


@dataclass(frozen=True)
class BytesMessage(Message[bytes | bytearray]):
    """Binary data."""


@dataclass(frozen=True)
class Ping(Event):
    """A Ping. It is not answered by itself: send `response()`."""

    payload: bytes = b""

    def response(self) -> "Pong":
        """The Pong that answers it."""
        return Pong(self.payload)


@dataclass(frozen=True)
class Pong(Event):
    """A Pong."""

    payload: bytes = b""
