"""A connection after its opening handshake."""

from collections import deque
from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING

from .events import BytesMessage, CloseConnection, Event, Message, Ping, Pong, TextMessage
from .frame_protocol import CloseReason, Frame, FrameProtocol, Opcode, ParseFailed
from .utilities import LocalProtocolError

if TYPE_CHECKING:
    from .extensions import Extension


class ConnectionState(Enum):
    """How far a connection is."""

    CONNECTING = 0
    OPEN = 1
    #: The peer has sent a Close frame, which waits for an answer.
    REMOTE_CLOSING = 2
    #: We have sent one.
    LOCAL_CLOSING = 3
    CLOSED = 4
    #: The request is being refused.
    REJECTING = 5


class ConnectionType(Enum):
    """Which end it is."""

    CLIENT = 1
    SERVER = 2


CLIENT = ConnectionType.CLIENT
SERVER = ConnectionType.SERVER


class Connection:
    """One end of a connection that has opened."""

    def __init__(
        self,
        connection_type: ConnectionType,
        extensions: "list[Extension] | None" = None,
        trailing_data: bytes = b"",
    ) -> None:
        self.client = connection_type is ConnectionType.CLIENT
        self._frames = FrameProtocol(self.client, extensions or [])
        self._events: deque[Event] = deque()
        self._state = ConnectionState.OPEN
        self.receive_data(trailing_data)

    @property
    def state(self) -> ConnectionState:
        """How far it is, as far as `events` has told."""
        return self._state

    def send(self, event: Event) -> bytes:
        """The bytes for an event, which are to be written."""
        if self._state is ConnectionState.OPEN:
            if isinstance(event, Message):
                return self._frames.send_data(event.data, event.message_finished)
            if isinstance(event, Ping):
                return self._frames.ping(event.payload)
            if isinstance(event, Pong):
                return self._frames.pong(event.payload)
            if isinstance(event, CloseConnection):
                data = self._frames.close(event.code, event.reason)
                self._state = ConnectionState.LOCAL_CLOSING
                return data
        if isinstance(event, CloseConnection) and self._state is ConnectionState.REMOTE_CLOSING:
            data = self._frames.close(event.code, event.reason)
            self._state = ConnectionState.CLOSED
            return data
        raise LocalProtocolError(f"{type(event).__name__} cannot be sent: the state is {self._state.name}")

    def receive_data(self, data: bytes | None) -> None:
        """Takes bytes that were read, or None for the end of the stream. `events` tells what they bring."""
        if data is None:
            self._events.append(CloseConnection(CloseReason.ABNORMAL_CLOSURE))
            self._state = ConnectionState.CLOSED
        elif self._state is ConnectionState.CLOSED:
            raise LocalProtocolError("nothing can be received: the connection is closed")
        elif self._state is not ConnectionState.REMOTE_CLOSING:
            self._frames.receive_bytes(data)

    def events(self) -> Iterator[Event]:
        """What there is to tell, an event at a time: what comes after one is read when the next is asked for."""
        while self._events:
            yield self._events.popleft()
        try:
            for frame in self._frames.received_frames():
                yield self._told(frame)
        except ParseFailed as why:
            yield CloseConnection(why.code, str(why))

    def _told(self, frame: Frame) -> Event:
        opcode, payload, frame_finished, message_finished = frame
        if opcode is Opcode.TEXT:
            return TextMessage(payload, frame_finished, message_finished)  # type: ignore[arg-type]
        if opcode is Opcode.BINARY:
            return BytesMessage(payload, frame_finished, message_finished)  # type: ignore[arg-type]
        if opcode is Opcode.PING:
            return Ping(payload)  # type: ignore[arg-type]
        if opcode is Opcode.PONG:
            return Pong(payload)  # type: ignore[arg-type]
        closing = self._state is ConnectionState.LOCAL_CLOSING
        self._state = ConnectionState.CLOSED if closing else ConnectionState.REMOTE_CLOSING
        assert isinstance(payload, tuple)
        return CloseConnection(*payload)
