"""The opening handshake over HTTP/1.1, by the core's rules."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import sansocket

from .connection import Connection, ConnectionState, ConnectionType
from .events import AcceptConnection, Event, RejectConnection, RejectData, Request
from .extensions import Extension
from .typing import Headers
from .utilities import LocalProtocolError, RemoteProtocolError, split_comma_header

WEBSOCKET_VERSION = b"13"
WEBSOCKET_UPGRADE = b"websocket"

_LIMITS = sansocket.Limits("trusted")
_SERVER = sansocket.ServerConfig("any", limits=_LIMITS)
_CLIENT = sansocket.ClientConfig(limits=_LIMITS)

#: Fields of a request that `Request` has elsewhere, and of an answer that `AcceptConnection` has or leaves out.
_IN_REQUEST = {b"host", b"sec-websocket-extensions", b"sec-websocket-protocol"}
_IN_ANSWER = {
    b"connection",
    b"sec-websocket-accept",
    b"sec-websocket-extensions",
    b"sec-websocket-protocol",
    b"upgrade",
}
#: Fields that frame a refusal. The core sets the first two itself.
_FRAMING = {b"connection", b"content-length", b"transfer-encoding"}
_CHUNKED = b"\r\nTransfer-Encoding: chunked\r\n"

_END = b"\r\n\r\n"


class H11Handshake:
    """One end of an opening handshake."""

    def __init__(self, connection_type: ConnectionType) -> None:
        self.client = connection_type is ConnectionType.CLIENT
        self._type = connection_type
        self._state = ConnectionState.CONNECTING
        self._core = None if self.client else sansocket.Connection.server(_SERVER)
        self._connection: Connection | None = None
        self._events: deque[Event] = deque()
        self._request: Request | None = None
        self._received = bytearray()
        # The body of a refusal goes in chunks.
        self._chunked = False

    @property
    def state(self) -> ConnectionState:
        """CONNECTING, OPEN, REJECTING or CLOSED."""
        return self._state

    @property
    def connection(self) -> Connection | None:
        """The connection, once it has opened."""
        return self._connection

    def initiate_upgrade_connection(self, headers: Headers, path: bytes | str) -> None:
        """Takes a request that another HTTP stack has parsed."""
        if self.client:
            raise LocalProtocolError("a client has no request to upgrade: send a Request")
        target = path.encode("ascii") if isinstance(path, str) else bytes(path)
        lines = [b"GET %b HTTP/1.1" % target, *(b"%b: %b" % field for field in _pairs(headers))]
        if any(b"\r" in line or b"\n" in line for line in lines):
            raise LocalProtocolError("a line break in the target or a field")
        self.receive_data(b"\r\n".join(lines) + _END)

    def send(self, event: Event) -> bytes:
        """The bytes for an event, which are to be written."""
        if isinstance(event, Request) and self.client:
            return self._ask(event)
        if isinstance(event, AcceptConnection) and self._request is not None and not self.client:
            return self._accept(event)
        if isinstance(event, RejectConnection) and not self.client:
            return self._reject(event)
        if isinstance(event, RejectData) and self._state is ConnectionState.REJECTING:
            return self._reject_data(event)
        raise LocalProtocolError(f"{type(event).__name__} cannot be sent: the state is {self._state.name}")

    def receive_data(self, data: bytes | None) -> None:
        """Takes bytes that were read, or nothing for the end of the stream. `events` tells what they bring."""
        if self._core is None or self._connection is not None:
            raise LocalProtocolError("nothing can be received before a Request is sent")
        if not data:
            if self.client or self._received:
                self._tell(self._core, self._core.receive_eof())
            return
        self._received += data
        # A head at a time: what comes after the last one is for the connection.
        while self._received and self._waits():
            end = self._received.find(_END)
            head = bytes(self._received if end < 0 else self._received[: end + len(_END)])
            del self._received[: len(head)]
            self._tell(self._core, self._core.receive(head))
        if self._connection is not None and self._received:
            self._connection.receive_data(bytes(self._received))
        elif len(self._received) > _LIMITS.held:
            raise RemoteProtocolError("too much after a request that is not answered", RejectConnection())

    def events(self) -> Iterator[Event]:
        """What there is to tell."""
        while self._events:
            yield self._events.popleft()

    def _waits(self) -> bool:
        """For a head."""
        asked = self._request is not None and not self.client
        return self._state is ConnectionState.CONNECTING and not asked

    def _tell(self, core: sansocket.Connection, events: Iterable[object]) -> None:
        for event in events:
            match event:
                case sansocket.Request():
                    self._events.append(self._asked(event))
                case sansocket.Open():
                    self._events.append(self._accepted(event))
                case sansocket.Refused():
                    self._refused(event)
                case sansocket.Failed() if self.client:
                    raise RemoteProtocolError(event.text, RejectConnection())
                case sansocket.Failed():
                    raise RemoteProtocolError(event.text, _hint(core.take_output()))

    # A server's end.

    def _asked(self, request: sansocket.Request) -> Request:
        fields = _fields(request.headers)
        host = next(value for name, value in fields if name == b"host")
        self._request = Request(
            host=host.decode("idna"),
            target=request.target,
            extensions=_elements(fields),
            extra_headers=[field for field in fields if field[0] not in _IN_REQUEST],
            subprotocols=request.subprotocols,
        )
        return self._request

    def _accept(self, event: AcceptConnection) -> bytes:
        assert self._core is not None and self._request is not None
        offered = [str(offer) for offer in self._request.extensions]
        agreed = server_extensions_handshake(offered, event.extensions)
        elements = None if agreed is None else split_comma_header(agreed)
        try:
            self._core.accept(event.subprotocol, _pairs(event.extra_headers), extensions=elements)
        except sansocket.Error as why:
            raise LocalProtocolError(str(why)) from None
        self._open(event.extensions)
        return self._core.take_output()

    def _reject(self, event: RejectConnection) -> bytes:
        if self._state is not ConnectionState.CONNECTING:
            raise LocalProtocolError(f"nothing to refuse: the state is {self._state.name}")
        head = _refusal(event.status_code, _pairs(event.headers), event.has_body)
        self._chunked = _CHUNKED in head
        self._state = ConnectionState.REJECTING if event.has_body else ConnectionState.CLOSED
        return head

    def _reject_data(self, event: RejectData) -> bytes:
        data = bytes(event.data)
        if self._chunked and data:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        if event.body_finished:
            self._state = ConnectionState.CLOSED
            return data + b"0\r\n\r\n" if self._chunked else data
        return data

    # A client's end.

    def _ask(self, request: Request) -> bytes:
        if self._core is not None:
            raise LocalProtocolError("there is a request already")
        origin = None
        headers = []
        for name, value in _pairs(request.extra_headers):
            if name.lower() == b"origin":
                origin = value.decode("ascii")
            else:
                headers.append((name, value))
        try:
            host = request.host.encode("idna").decode("ascii")
            self._core = sansocket.Connection.client(
                f"ws://{host}{request.target}",
                _CLIENT,
                headers=headers,
                subprotocols=request.subprotocols,
                extensions=_offers(request.extensions),
                origin=origin,
            )
        except (sansocket.Error, UnicodeError) as why:
            raise LocalProtocolError(str(why)) from None
        self._request = request
        return self._core.take_output()

    def _accepted(self, answer: sansocket.Open) -> AcceptConnection:
        assert self._request is not None
        fields = _fields(answer.headers)
        offered = [offer for offer in self._request.extensions if isinstance(offer, Extension)]
        extensions = client_extensions_handshake(_elements(fields), offered)
        self._open(extensions)
        return AcceptConnection(
            subprotocol=answer.subprotocol,
            extensions=extensions,
            extra_headers=[field for field in fields if field[0] not in _IN_ANSWER],
        )

    def _refused(self, answer: sansocket.Refused) -> None:
        self._events.append(RejectConnection(answer.status, _fields(answer.headers), has_body=True))
        if answer.body:
            self._events.append(RejectData(answer.body, body_finished=False))
        self._events.append(RejectData(b"", body_finished=True))
        self._state = ConnectionState.CLOSED

    def _open(self, extensions: list[Extension]) -> None:
        after = b"" if self.client else bytes(self._received)
        self._connection = Connection(self._type, extensions, after)
        self._state = ConnectionState.OPEN

    def __repr__(self) -> str:
        return f"{type(self).__name__}(client={self.client}, state={self.state})"


def _fields(headers: Iterable[tuple[str, bytes]]) -> Headers:
    return [(name.lower().encode("ascii"), value) for name, value in headers]


def _pairs(headers: Iterable[Sequence[bytes | str]]) -> Headers:
    """Fields as an application has them, which may be lists and text."""
    return [(_octets(name), _octets(value)) for name, value in headers]


def _octets(text: bytes | str) -> bytes:
    return text.encode("ascii") if isinstance(text, str) else bytes(text)


def _elements(fields: Headers) -> list[str]:
    """All of Sec-WebSocket-Extensions."""
    values = [value for name, value in fields if name == b"sec-websocket-extensions"]
    return [element for value in values for element in split_comma_header(value)]


def _offers(extensions: Sequence[Extension] | Sequence[str]) -> list[str]:
    offers = []
    for extension in extensions:
        if not isinstance(extension, Extension):
            raise LocalProtocolError("a client offers Extension objects")
        offer = extension.offer()
        if isinstance(offer, str):
            offers.append(f"{extension.name}; {offer}" if offer else extension.name)
        elif offer:
            offers.append(extension.name)
    return offers


def _hint(answer: bytes) -> RejectConnection:
    """The answer that the core has to a bad request."""
    status = int(answer[9:12])
    version = [(b"Sec-WebSocket-Version", WEBSOCKET_VERSION)] if status == 426 else []
    return RejectConnection(status_code=status, headers=version)


#: A request that can be refused in any way.
_REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def _refusal(status: int, headers: Headers, has_body: bool) -> bytes:
    """The head of a refusal. A body whose length it does not tell is chunked (RFC 9112 §7.1)."""
    core = sansocket.Connection.server(_SERVER)
    core.receive(_REQUEST)
    try:
        core.respond(status, [field for field in headers if field[0].lower() not in _FRAMING])
    except sansocket.Error as why:
        raise LocalProtocolError(str(why)) from None
    head = core.take_output()
    if not has_body:
        return head
    length = next((int(value) for name, value in headers if name.lower() == b"content-length"), None)
    framing = _CHUNKED if length is None else b"\r\nContent-Length: %d\r\n" % length
    return head.replace(b"\r\nContent-Length: 0\r\n", framing, 1)


def server_extensions_handshake(requested: Iterable[str], supported: list[Extension]) -> bytes | None:
    """The value of Sec-WebSocket-Extensions that answers these offers, the first that is accepted of each name. None:
    nothing is agreed on.
    """
    agreed: dict[str, str] = {}
    for offer in requested:
        name = offer.partition(";")[0].strip()
        for extension in supported:
            if extension.name != name or name in agreed:
                continue
            answer = extension.accept(offer)
            if isinstance(answer, str):
                agreed[name] = f"{name}; {answer}" if answer else name
            elif answer:
                agreed[name] = name
    return ", ".join(agreed.values()).encode("ascii") or None


def client_extensions_handshake(accepted: Iterable[str], supported: Sequence[Extension]) -> list[Extension]:
    """The extensions that the server's answer agrees on. RemoteProtocolError: it has another one."""
    agreed = []
    for answer in accepted:
        name = answer.partition(";")[0].strip()
        extension = next((ours for ours in supported if ours.name == name), None)
        if extension is None:
            raise RemoteProtocolError(f"the server answers with an extension {name}", RejectConnection())
        extension.finalize(answer)
        agreed.append(extension)
    return agreed
