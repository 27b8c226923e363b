"""A server's end."""

from websockets import server
from websockets.http11 import Response

from .protocol import OPEN, Protocol


class ServerProtocol(server.ServerProtocol, Protocol):
    """A server's end, from the request to its end."""

    def send_response(self, response: Response) -> None:
        """Answers the request."""
        super().send_response(response)
        if self.state is OPEN and self.reader.buffer:
            # What came before the answer.
            next(self.parser)
