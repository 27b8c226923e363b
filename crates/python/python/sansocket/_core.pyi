from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar, Literal, TypeAlias, final
_Bytes: TypeAlias = bytes | bytearray | memoryview
_Headers: TypeAlias = Mapping[str, str | bytes] | Iterable[tuple[str | bytes, str | bytes]]
_Compression: TypeAlias = Literal['auto', 'never', 'always', 'alone']
_Delivery: TypeAlias = Literal['whole', 'chunks', 'ask']
_Kind: TypeAlias = Literal['text', 'binary']
_Event: TypeAlias = Request | Refused | Open | MessageStart | Message | Chunk | Ping | Pong | Close | Failed | Closed
__version__: str

class Error(Exception):
    """A call that changed nothing: `code` and `name` say why."""
    code: int
    name: str

class SendError(Error):
    """Nothing was queued."""
    ...

class FullError(SendError):
    """The output queue is full: write some of it first."""
    ...

class CloseError(Error):
    """The closing handshake was not begun."""
    ...

class AnswerError(Error):
    """The request was not answered: another answer can be given."""
    ...

class FieldError(Error):
    """A header field that cannot be sent."""
    ...

class HandshakeError(Error):
    """A request that another HTTP stack has parsed breaks a rule: `response` answers it."""
    response: Response

class UriError(Error):
    """No URI of a WebSocket."""
    ...

class EntropyError(Error):
    """There is no source of randomness."""
    ...

@final
class Limits:
    """Limits on everything that the peer controls, and on queued output.

    Start from a preset, "server", "strict", "client" or "trusted", and change what you need:

    >>> Limits("server", message=4 << 20).message
    4194304

    `memory` bounds all that the connection holds; `budgets` bound how often pings, empty frames, tiny fragments and
    messages may come: "generous", "tight" or "none".
    """

    def __new__(cls, preset: Literal['server', 'strict', 'client', 'trusted']='server', *, head: int | None=None, fields: int | None=None, frame: int | None=None, message: int | None=None, fragments: int | None=None, output: int | None=None, held: int | None=None, body: int | None=None, memory: int | None=None, budgets: Literal['generous', 'tight', 'none'] | None=None) -> Limits:
        ...

    @property
    def head(self) -> int:
        """Bytes of the head of the opening handshake. Beyond it a server answers 414 or 431."""
        ...

    @property
    def fields(self) -> int:
        """Header fields of one head, 128 at most."""
        ...

    @property
    def frame(self) -> int:
        """Bytes of payload that the header of a data frame may announce. Beyond it: 1009."""
        ...

    @property
    def message(self) -> int:
        """Bytes of a message, after decompression. Beyond it: 1009."""
        ...

    @property
    def fragments(self) -> int:
        """Frames of one message, empty ones included. Beyond it: 1008."""
        ...

    @property
    def output(self) -> int:
        """Bytes of queued output from which on `send` raises FullError."""
        ...

    @property
    def held(self) -> int:
        """Bytes kept after a request that the application has not decided on. Beyond it: 400."""
        ...

    @property
    def memory(self) -> int | None:
        """Bytes of memory that the connection may take in all. None: there is no such ceiling."""
        ...

    @property
    def body(self) -> int:
        """Bytes of the body of a refusal that a client keeps."""
        ...

    def __eq__(self, other: object, /) -> bool:
        ...

@final
class Timeouts:
    """Deadlines in seconds, driven by `Connection.advance_time`. None: there is no such deadline."""

    def __new__(cls, *, handshake: float=10.0, close: float=5.0, ping: float | None=None, pong: float | None=20.0, idle: float | None=None, message: float | None=None) -> Timeouts:
        ...

    @property
    def handshake(self) -> float:
        """From the first `advance_time` until the connection is established."""
        ...

    @property
    def close(self) -> float:
        """How long the peer may take for its end of the closing handshake."""
        ...

    @property
    def ping(self) -> float | None:
        """A ping is sent when no frame came for this long."""
        ...

    @property
    def pong(self) -> float | None:
        """How long nothing may come after such a ping before the peer counts as dead (1011)."""
        ...

    @property
    def idle(self) -> float | None:
        """How long nothing may be received before the connection is failed with 1001."""
        ...

    @property
    def message(self) -> float | None:
        """How long a message may take from its first byte to its last."""
        ...

    def __eq__(self, other: object, /) -> bool:
        ...

@final
class Deflate:
    """Settings of permessage-deflate (RFC 7692). What is not given is as the role's preset has it.

    `level` is 0 to 9; messages below `threshold` bytes go out uncompressed; `ratio` fails a message that
    inflates to more than so many times its frames. The four parameters have the RFC's names.
    """

    def __new__(cls, *, level: int | None=None, mem_level: int | None=None, threshold: int | None=None, ratio: int | None=None, server_no_context_takeover: bool | None=None, client_no_context_takeover: bool | None=None, server_max_window_bits: int | None=None, client_max_window_bits: int | None=None, omit_client_max_window_bits: bool=False, require_client_max_window_bits: bool=False, fallback: bool=False) -> Deflate:
        ...

@final
class ServerConfig:
    """What a server's connections have in common. Make one and use it for all of them.

    `origins` is "same-host", "any", "application" (the application looks at `Request.origin`), or a list of
    origins such as "https://example.com" or "https://*.example.com". `hosts` are the only hosts that the server
    answers to. With `serve_http` plain requests come as `Request` events, too. `deflate` is True for the
    defaults, or a `Deflate`. `delivery` is "whole", "chunks" or "ask". `fragment` cuts what is sent into frames
    of at most so many bytes.
    """

    def __new__(cls, origins: Literal['same-host', 'any', 'application'] | list[str] | None=None, *, hosts: list[str] | None=None, require_origin: bool=False, serve_http: bool=False, accept_unmasked: bool=False, limits: Limits | None=None, timeouts: Timeouts | None=None, deflate: bool | Deflate | None=None, delivery: _Delivery='whole', manual_pong: bool=False, manual_close: bool=False, silent_failures: bool=False, echo_close_reason: bool=False, fragment: int | None=None) -> ServerConfig:
        ...

@final
class ClientConfig:
    """What a client's connections have in common. The arguments mean what they mean for `ServerConfig`."""

    def __new__(cls, *, require_subprotocol: bool=False, require_extension: bool=False, limits: Limits | None=None, timeouts: Timeouts | None=None, deflate: bool | Deflate | None=None, delivery: _Delivery='whole', manual_pong: bool=False, manual_close: bool=False, silent_failures: bool=False, echo_close_reason: bool=False, fragment: int | None=None) -> ClientConfig:
        ...

@final
class Request:
    """A request that waits for `accept` or `respond` (RFC 6455 §4.2), or a plain one (`upgrade` is False)."""
    __match_args__: ClassVar[tuple[Literal['method'], Literal['target']]]

    @property
    def method(self) -> str:
        ...

    @property
    def target(self) -> str:
        ...

    @property
    def path(self) -> str:
        ...

    @property
    def query(self) -> str | None:
        ...

    @property
    def version(self) -> Literal['1.0', '1.1']:
        ...

    @property
    def authority(self) -> str:
        ...

    @property
    def origin(self) -> str | None:
        ...

    @property
    def subprotocols(self) -> list[str]:
        ...

    @property
    def upgrade(self) -> bool:
        """It asks for WebSocket."""
        ...

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        """Names and values, in order."""
        ...

    def header(self, name: str) -> bytes | None:
        """The first value of this name, without regard to case."""
        ...

@final
class Refused:
    """The server refused the handshake with this answer (RFC 6455 §4.1)."""
    __match_args__: ClassVar[tuple[Literal['status']]]

    @property
    def status(self) -> int:
        ...

    @property
    def version(self) -> Literal['1.0', '1.1'] | None:
        ...

    @property
    def reason(self) -> str:
        ...

    @property
    def body(self) -> bytes:
        """The body, as far as it was read."""
        ...

    @property
    def truncated(self) -> bool:
        ...

    @property
    def reusable(self) -> bool:
        ...

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        """Names and values, in order."""
        ...

    def header(self, name: str) -> bytes | None:
        """The first value of this name, without regard to case."""
        ...

@final
class Open:
    """The connection is established. `headers` are those of the answer, for a client."""

    @property
    def subprotocol(self) -> str | None:
        ...

    @property
    def extensions(self) -> str:
        ...

    @property
    def reason(self) -> str:
        ...

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        """Names and values, in order."""
        ...

    def header(self, name: str) -> bytes | None:
        """The first value of this name, without regard to case."""
        ...

@final
class MessageStart:
    """The head of a message, with delivery "ask"."""
    __match_args__: ClassVar[tuple[Literal['kind'], Literal['frame_len']]]

    @property
    def kind(self) -> _Kind:
        ...

    @property
    def frame_len(self) -> int:
        ...

    @property
    def fin(self) -> bool:
        ...

    @property
    def compressed(self) -> bool:
        ...

    @property
    def reserved_bits(self) -> int:
        ...

@final
class Message:
    """A whole message: `data` is a str or bytes."""
    __match_args__: ClassVar[tuple[Literal['data']]]

    @property
    def data(self) -> str | bytes:
        """A `str` or `bytes`."""
        ...

    @property
    def kind(self) -> _Kind:
        """"text" or "binary"."""
        ...

    def __eq__(self, other: object, /) -> bool:
        ...

@final
class Chunk:
    """A part of a message, with delivery "chunks". `data` is bytes, which may end inside a character."""
    __match_args__: ClassVar[tuple[Literal['data'], Literal['last']]]

    @property
    def kind(self) -> _Kind:
        ...

    @property
    def data(self) -> bytes:
        ...

    @property
    def first(self) -> bool:
        ...

    @property
    def ends_frame(self) -> bool:
        """The frame that it came in ends with it."""
        ...

    @property
    def last(self) -> bool:
        ...

    @property
    def reserved_bits(self) -> int:
        ...

@final
class Ping:
    """A Ping. The Pong is queued already, unless `manual_pong` is set."""
    __match_args__: ClassVar[tuple[Literal['payload']]]

    @property
    def payload(self) -> bytes:
        ...

@final
class Pong:
    """A Pong. `round_trip` is in seconds, if it answers the last ping and the time is told."""
    __match_args__: ClassVar[tuple[Literal['payload']]]

    @property
    def payload(self) -> bytes:
        ...

    @property
    def round_trip(self) -> float | None:
        """Seconds."""
        ...

@final
class Close:
    """The peer's Close frame. The answer is queued already, unless `manual_close` is set."""
    __match_args__: ClassVar[tuple[Literal['code'], Literal['reason']]]

    @property
    def code(self) -> int | None:
        ...

    @property
    def reason(self) -> str:
        ...

    def __eq__(self, other: object, /) -> bool:
        ...

@final
class Failed:
    """The connection was failed. `code` and `name` are the same in every version; str() is a sentence."""
    __match_args__: ClassVar[tuple[Literal['code'], Literal['name']]]

    @property
    def code(self) -> int:
        ...

    @property
    def name(self) -> str:
        ...

    @property
    def close_code(self) -> int | None:
        ...

    @property
    def text(self) -> str:
        ...

    def __eq__(self, other: object, /) -> bool:
        ...

@final
class Closed:
    """The connection is closed: the last event. `code` is 1005 for a Close without a code, 1006 without a Close."""
    __match_args__: ClassVar[tuple[Literal['code'], Literal['clean']]]

    @property
    def clean(self) -> bool:
        ...

    @property
    def code(self) -> int:
        ...

    @property
    def answered(self) -> int | None:
        ...

    @property
    def sent(self) -> Close | None:
        ...

    @property
    def received(self) -> Close | None:
        ...

    @property
    def failure(self) -> Failed | None:
        ...

    @property
    def began(self) -> Literal['us', 'peer', 'both'] | None:
        ...

    @property
    def text(self) -> str:
        ...

@final
class Response:
    """A response for another HTTP stack to send."""
    __match_args__: ClassVar[tuple[Literal['status'], Literal['headers'], Literal['body']]]

    @property
    def status(self) -> int:
        ...

    @property
    def headers(self) -> list[tuple[str, bytes]]:
        """Names and values, in order."""
        ...

    @property
    def body(self) -> bytes:
        """The body."""
        ...

@final
class Uri:
    """A ws or wss URI (RFC 6455 §3): where to connect to, and what to ask for."""

    def __new__(cls, text: str) -> Uri:
        ...

    @property
    def secure(self) -> bool:
        """It is a wss URI: TLS comes first."""
        ...

    @property
    def host(self) -> str:
        """The host as DNS and TLS want it: an IPv6 address without brackets."""
        ...

    @property
    def port(self) -> int:
        """The port, 80 or 443 where none is written."""
        ...

    @property
    def resource_name(self) -> str:
        """Path and query, as the request names them."""
        ...

@final
class Upgrade:
    """A request for WebSocket that another HTTP stack has parsed, checked by the rules of RFC 6455 §4.2.

    Raises HandshakeError, whose `response` is the answer to give.
    """

    def __new__(cls, config: ServerConfig, method: str, target: str, headers: _Headers, *, version: Literal['1.0', '1.1']='1.1') -> Upgrade:
        ...

    @property
    def subprotocols(self) -> list[str]:
        """The subprotocols that the client offers, most wanted first."""
        ...

    @property
    def extensions(self) -> str:
        """The value of Sec-WebSocket-Extensions in the request."""
        ...

    def accept(self, subprotocol: str | None=None, headers: _Headers | None=None, *, prefer: list[str] | None=None, compression: bool=True) -> tuple[Response, Connection]:
        """The response that opens, and the connection over the stream that is upgraded by it."""
        ...

@final
class Prepared:
    """A message encoded once, to be sent to any number of connections."""

    def __new__(cls, data: str | _Bytes) -> Prepared:
        ...

@final
class Connection:
    """One end of a WebSocket connection, without IO.

    Give what was read to `receive`, write what `output` has, and close as `transport` says. A call that is
    refused raises an Error and changes nothing.
    """

    @staticmethod
    def server(config: ServerConfig) -> Connection:
        """A server's end, which waits for a request."""
        ...

    @staticmethod
    def client(uri: str, config: ClientConfig | None=None, *, headers: _Headers | None=None, subprotocols: list[str] | None=None, extensions: list[str] | None=None, origin: str | None=None, entropy: Callable[[int], bytes] | None=None) -> Connection:
        """A client's end. Its request is in `output` already.

        `extensions` are offers of extensions that the application does itself, as "name; parameter=value".
        `entropy` is a function that gives as many random bytes as it is asked for; without it they are the system's.
        """
        ...

    @staticmethod
    def upgraded_server(config: ServerConfig, *, subprotocol: str | None=None, extensions: str='') -> Connection:
        """A server's end of a stream that was upgraded elsewhere."""
        ...

    @staticmethod
    def upgraded_client(config: ClientConfig | None=None, *, subprotocol: str | None=None, extensions: str='') -> Connection:
        """A client's end of a stream that was upgraded elsewhere."""
        ...

    def receive(self, data: _Bytes | None=None) -> list[_Event]:
        """Takes bytes that were received, and gives all events that they bring.

        A bytearray and a writable memoryview are unmasked in place, so their contents change; bytes are copied.
        Without bytes it gives the events that calls such as `accept` and `advance_time` have brought.
        """
        ...

    def next_event(self, data: _Bytes | None=None) -> _Event | None:
        """As `receive`, but gives only the first event. The bytes after it are kept and not looked at before the next call,
        so that what is done about an event is done before what follows it.
        """
        ...

    def receive_eof(self) -> list[_Event]:
        """The peer has ended the stream. Gives the events that are left."""
        ...

    def get_buffer(self, sizehint: int=0) -> bytearray:
        """A bytearray to read into, of 64 KiB, as `asyncio.BufferedProtocol` wants it."""
        ...

    def buffer_updated(self, nbytes: int) -> list[_Event]:
        """The first `nbytes` of that buffer were read: gives all events. No copy is made of them, and the buffer serves
        other connections afterwards.
        """
        ...

    def write_lost(self) -> None:
        """Nothing can be written any more; reading goes on."""
        ...

    def transport_lost(self) -> None:
        """The transport is gone, in both directions."""
        ...

    def tls_failed(self) -> None:
        """The TLS handshake failed (1015)."""
        ...

    def output(self) -> list[bytes | memoryview]:
        """What is queued, in pieces: large bytes that a server has sent come as memoryviews of themselves. At most 64 pieces.

        Tell `consume_output` how many bytes of them were written.
        """
        ...

    def consume_output(self, n: int) -> None:
        """So many bytes of the output were written."""
        ...

    def take_output(self) -> bytes:
        """All that is queued, as bytes, which count as written."""
        ...

    @property
    def output_len(self) -> int:
        """Bytes that are queued."""
        ...

    @property
    def buffered_amount(self) -> int:
        """Bytes of messages that are queued, without their frames."""
        ...

    def send(self, data: str | _Bytes | Prepared, *, kind: _Kind | None=None, compress: _Compression='auto') -> None:
        """Queues a message: text for a str, binary for bytes and the like, or a `Prepared`.

        With the kind "text", bytes are text in UTF-8. `compress` is "auto", "never", "always" or "alone" (in a context
        of its own).
        """
        ...

    def send_part(self, data: str | _Bytes, *, last: bool, kind: _Kind | None=None, compress: _Compression='auto') -> None:
        """Queues one frame of a message. The kind is that of its first part. With the kind "text", bytes are text in UTF-8,
        which may be cut anywhere.
        """
        ...

    def ping(self, payload: str | _Bytes | None=None) -> None:
        """Queues a Ping, of at most 125 bytes."""
        ...

    def pong(self, payload: str | _Bytes | None=None) -> None:
        """Queues a Pong, of at most 125 bytes."""
        ...

    def stream_message(self) -> None:
        """With delivery "ask": the message that has begun comes in chunks."""
        ...

    def accept(self, subprotocol: str | None=None, headers: _Headers | None=None, *, prefer: list[str] | None=None, extensions: list[str] | None=None, compression: bool=True) -> None:
        """Accepts the request. `prefer` names subprotocols, most wanted first, of which one that the client offers is chosen.
        `extensions` are those that the application does itself, as "name; parameter=value" with what is agreed on.
        """
        ...

    def respond(self, status: int, headers: _Headers | None=None, body: str | _Bytes | None=None) -> None:
        """Answers the request over HTTP instead, with a page or a refusal."""
        ...

    def close(self, code: int | None=1000, reason: str='') -> None:
        """Begins the closing handshake (RFC 6455 §7.1.2). Without a code the Close frame is empty."""
        ...

    def close_lossy(self, code: int | None=1000, reason: str='') -> None:
        """The same for a reason that may be too long: it is cut at a character."""
        ...

    def fail(self, code: int, reason: str='') -> None:
        """Fails the connection (RFC 6455 §7.1.7): nothing is delivered after it."""
        ...

    @property
    def close_sent(self) -> Close | None:
        """Our Close frame, as soon as it is queued."""
        ...

    @property
    def close_received(self) -> Close | None:
        """The peer's Close frame."""
        ...

    def advance_time(self, now: float) -> None:
        """Tells the time, in seconds of a clock that never goes back, such as `time.monotonic()`. Call `receive` after it."""
        ...

    @property
    def next_deadline(self) -> float | None:
        """When `advance_time` has to be called next, on the same clock. None: nothing is waited for."""
        ...

    @property
    def state(self) -> Literal['initial', 'connecting', 'open', 'closing', 'closed']:
        """"initial", "connecting", "open", "closing" or "closed"."""
        ...

    @property
    def transport(self) -> Literal['keep-open', 'shutdown-write', 'await-peer-end', 'close']:
        """What to do with the transport: "keep-open", "shutdown-write", "await-peer-end" or "close"."""
        ...

    @property
    def role(self) -> Literal['server', 'client']:
        """"server" or "client"."""
        ...

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol in use."""
        ...

    @property
    def extensions(self) -> str:
        """The extensions in use, as the value of Sec-WebSocket-Extensions."""
        ...

    @property
    def failed_head(self) -> bytes | None:
        """The bytes of a request or an answer with which the opening handshake failed, for a log."""
        ...

    @property
    def memory_held(self) -> int:
        """Bytes of memory that the connection holds outside of Python's objects."""
        ...

    @property
    def limits(self) -> Limits:
        """The limits, which can be set anew after the opening."""
        ...

    @limits.setter
    def limits(self, limits: Limits) -> None:
        ...
