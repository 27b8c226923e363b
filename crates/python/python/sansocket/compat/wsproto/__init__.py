"""The names of wsproto 1.3 over `sansocket.Connection`.

What these classes take and give is what wsproto's do; the README of `compat-suites` in the source tells each
difference. h11 is not needed.
"""

from collections.abc import Iterator

from . import events as _events
from .connection import Connection, ConnectionState, ConnectionType
from .handshake import H11Handshake
from .typing import Headers

__version__ = "1.3.2"

__all__ = ("Connection", "ConnectionState", "ConnectionType", "WSConnection")


class WSConnection:
    """One end of a connection, from its opening handshake to its end."""

    def __init__(self, connection_type: ConnectionType) -> None:
        self.client = connection_type is ConnectionType.CLIENT
        self.handshake = H11Handshake(connection_type)
        self.connection: Connection | None = None

    @property
    def state(self) -> ConnectionState:
        """How far it is."""
        return self.handshake.state if self.connection is None else self.connection.state

    def initiate_upgrade_connection(self, headers: Headers, path: bytes | str) -> None:
        """Takes a request that another HTTP stack has parsed."""
        self.handshake.initiate_upgrade_connection(headers, path)

    def send(self, event: _events.Event) -> bytes:
        """The bytes for an event, which are to be written."""
        if self.connection is not None:
            return self.connection.send(event)
        data = self.handshake.send(event)
        self.connection = self.handshake.connection
        return data

    def receive_data(self, data: bytes | None) -> None:
        """Takes bytes that were read, or None for the end of the stream. `events` tells what they bring."""
        if self.connection is not None:
            self.connection.receive_data(data)
        else:
            self.handshake.receive_data(data)
            self.connection = self.handshake.connection

    def events(self) -> Iterator[_events.Event]:
        """What there is to tell, an event at a time: what comes after one is read when the next is asked for."""
        yield from self.handshake.events()
        if self.connection is not None:
            yield from self.connection.events()
