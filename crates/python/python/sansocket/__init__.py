"""WebSocket (RFC 6455, RFC 7692) as a state machine without IO.

`Connection` takes the bytes that were received and gives events and the bytes to send; it touches no socket and
no clock, so any kind of IO can drive it. `sansocket.asyncio` is a driver that is ready to use.

>>> import sansocket
>>> server = sansocket.Connection.upgraded_server(sansocket.ServerConfig("any"))
>>> client = sansocket.Connection.upgraded_client()
>>> client.send("Hello")
>>> for event in server.receive(client.take_output()):
...     match event:
...         case sansocket.Message(data):
...             print(data)
Hello
"""

from typing import TypeAlias

from ._core import (
    AnswerError,
    Chunk,
    ClientConfig,
    Close,
    CloseError,
    Closed,
    Connection,
    Deflate,
    EntropyError,
    Error,
    Failed,
    FieldError,
    FullError,
    HandshakeError,
    Limits,
    Message,
    MessageStart,
    Open,
    Ping,
    Pong,
    Prepared,
    Refused,
    Request,
    Response,
    SendError,
    ServerConfig,
    Timeouts,
    Upgrade,
    Uri,
    UriError,
    __version__,
)

#: What a connection tells.
Event: TypeAlias = (
    Request | Refused | Open | MessageStart | Message | Chunk | Ping | Pong | Close | Failed | Closed
)

__all__ = [
    "AnswerError",
    "Chunk",
    "ClientConfig",
    "Close",
    "CloseError",
    "Closed",
    "Connection",
    "Deflate",
    "EntropyError",
    "Error",
    "Event",
    "Failed",
    "FieldError",
    "FullError",
    "HandshakeError",
    "Limits",
    "Message",
    "MessageStart",
    "Open",
    "Ping",
    "Pong",
    "Prepared",
    "Refused",
    "Request",
    "Response",
    "SendError",
    "ServerConfig",
    "Timeouts",
    "Upgrade",
    "Uri",
    "UriError",
    "__version__",
]
