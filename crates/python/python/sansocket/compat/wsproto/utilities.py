"""Exceptions, and small things around header fields."""

import base64
import hashlib
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .events import Event

#: RFC 6455 §1.3.
ACCEPT_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class ProtocolError(Exception):
    """A rule is broken."""


class LocalProtocolError(ProtocolError):
    """The application asked for what the protocol, or the state of the connection, does not allow."""


class RemoteProtocolError(ProtocolError):
    """The peer broke a rule in the opening handshake. `event_hint` is an event to answer it with."""

    def __init__(self, message: str, event_hint: "Event | None" = None) -> None:
        super().__init__(message)
        self.event_hint = event_hint


def normed_header_dict(h11_headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The fields by name, the values of one name joined by commas."""
    fields: dict[bytes, bytes] = {}
    for name, value in h11_headers:
        fields[name] = fields[name] + b", " + value if name in fields else value
    return fields


def split_comma_header(value: bytes) -> list[str]:
    """The elements of a list without quoted strings."""
    return [element.strip() for element in value.decode("ascii").split(",")]


def generate_nonce() -> bytes:
    """A value for Sec-WebSocket-Key (RFC 6455 §4.1)."""
    return base64.b64encode(os.urandom(16))


def generate_accept_token(token: bytes) -> bytes:
    """The value of Sec-WebSocket-Accept for a key (RFC 6455 §4.2.2)."""
    return base64.b64encode(hashlib.sha1(token + ACCEPT_GUID).digest())
