"""A client's end."""

from websockets import client

from .protocol import Protocol


class ClientProtocol(client.ClientProtocol, Protocol):
    """A client's end, from its request to its end."""
