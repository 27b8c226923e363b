"""The names of the sans-IO classes of websockets 17 over `sansocket.Connection`.

These are subclasses of websockets' own, which has to be installed: its requests, responses, frames, exceptions and
factories of extensions are used as they are, its opening handshake too, and so what an application asks with
`isinstance` stays true. Frames, masks, compression, fragments, control frames, limits and the closing handshake are the
core's. With an extension other than permessage-deflate a connection works as it does in websockets.
"""

from .client import ClientProtocol
from .protocol import SEND_EOF, Protocol, Side, State
from .server import ServerProtocol

__all__ = ("SEND_EOF", "ClientProtocol", "Protocol", "ServerProtocol", "Side", "State")


def put_in_place() -> None:
    """Makes websockets use these classes itself, in its servers and clients for asyncio, threads and trio."""
    import websockets.client
    import websockets.protocol
    import websockets.server

    websockets.protocol.Protocol = Protocol  # type: ignore[misc]
    websockets.client.ClientProtocol = ClientProtocol  # type: ignore[misc]
    websockets.server.ServerProtocol = ServerProtocol  # type: ignore[misc]
