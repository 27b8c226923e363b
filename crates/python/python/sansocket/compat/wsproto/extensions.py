"""Extensions: permessage-deflate, which the core does, and offers and answers of others."""

from abc import ABC, abstractmethod
from typing import Any

from .frame_protocol import CloseReason, RsvBits

_BITS = "Window size must be between 9 and 15 inclusive"


class Extension(ABC):
    """An extension that can be offered and agreed on.

    The methods for frames are never called: what an extension does to frames is done by the core, and it does
    permessage-deflate only.
    """

    name: str

    def enabled(self) -> bool:
        """It was agreed on."""
        return False

    @abstractmethod
    def offer(self) -> bool | str:
        """A client's parameters, or whether to offer it without any."""

    def accept(self, offer: str) -> bool | str | None:
        """A server's answer to an offer: parameters, or whether to accept it without any."""
        return None

    def finalize(self, offer: str) -> None:
        """Takes the server's answer."""

    def frame_inbound_header(self, proto: Any, opcode: Any, rsv: RsvBits, payload_length: int) -> CloseReason | RsvBits:
        """The reserved bits that it uses."""
        return RsvBits(False, False, False)

    def frame_inbound_payload_data(self, proto: Any, data: bytes) -> bytes | CloseReason:
        """What a piece of a frame's payload is for the application."""
        return data

    def frame_inbound_complete(self, proto: Any, fin: bool) -> bytes | CloseReason | None:
        """What comes after the last piece."""
        return None

    def frame_outbound(self, proto: Any, opcode: Any, rsv: RsvBits, data: bytes, fin: bool) -> tuple[RsvBits, bytes]:
        """The reserved bits and the payload of a frame to send."""
        return (rsv, data)


class PerMessageDeflate(Extension):
    """permessage-deflate (RFC 7692), with the parameters that are wanted and then those that were agreed on."""

    name = "permessage-deflate"

    DEFAULT_CLIENT_MAX_WINDOW_BITS = 15
    DEFAULT_SERVER_MAX_WINDOW_BITS = 15

    def __init__(
        self,
        client_no_context_takeover: bool = False,
        client_max_window_bits: int | None = None,
        server_no_context_takeover: bool = False,
        server_max_window_bits: int | None = None,
    ) -> None:
        self.client_no_context_takeover = client_no_context_takeover
        self.server_no_context_takeover = server_no_context_takeover
        self._client_max_window_bits = self.DEFAULT_CLIENT_MAX_WINDOW_BITS
        self._server_max_window_bits = self.DEFAULT_SERVER_MAX_WINDOW_BITS
        if client_max_window_bits is not None:
            self.client_max_window_bits = client_max_window_bits
        if server_max_window_bits is not None:
            self.server_max_window_bits = server_max_window_bits
        self._enabled = False

    @property
    def client_max_window_bits(self) -> int:
        """The client's window is at most two to the power of this: 9 to 15."""
        return self._client_max_window_bits

    @client_max_window_bits.setter
    def client_max_window_bits(self, value: int) -> None:
        if not 9 <= value <= 15:
            raise ValueError(_BITS)
        self._client_max_window_bits = value

    @property
    def server_max_window_bits(self) -> int:
        """The same for the server's."""
        return self._server_max_window_bits

    @server_max_window_bits.setter
    def server_max_window_bits(self, value: int) -> None:
        if not 9 <= value <= 15:
            raise ValueError(_BITS)
        self._server_max_window_bits = value

    def enabled(self) -> bool:
        """It was agreed on."""
        return self._enabled

    def offer(self) -> bool | str:
        """All that was asked for."""
        bits = [
            f"client_max_window_bits={self.client_max_window_bits}",
            f"server_max_window_bits={self.server_max_window_bits}",
        ]
        return "; ".join(bits + self._flags())

    def accept(self, offer: str) -> bool | str | None:
        """An answer to the offer with the windows that it asks for; None if there are none such."""
        asked = _parameters(offer)
        self._take_flags(asked)
        answer = self._flags()
        try:
            for name in ("client_max_window_bits", "server_max_window_bits"):
                if name in asked:
                    setattr(self, name, int(asked[name] or getattr(self, name)))
                    answer.append(f"{name}={getattr(self, name)}")
        except ValueError:
            return None
        self._enabled = True
        return "; ".join(answer)

    def finalize(self, offer: str) -> None:
        """Takes what the server's answer says."""
        agreed = _parameters(offer)
        self._take_flags(agreed)
        for name in ("client_max_window_bits", "server_max_window_bits"):
            if name in agreed:
                setattr(self, name, int(agreed[name] or ""))
        self._enabled = True

    def agreed(self) -> str:
        """All of it as the core reads it: an element of Sec-WebSocket-Extensions."""
        parameters = self._flags()
        parameters.append(f"client_max_window_bits={self.client_max_window_bits}")
        parameters.append(f"server_max_window_bits={self.server_max_window_bits}")
        return "; ".join([self.name, *parameters])

    def _flags(self) -> list[str]:
        names = ("client_no_context_takeover", "server_no_context_takeover")
        return [name for name in names if getattr(self, name)]

    def _take_flags(self, parameters: dict[str, str | None]) -> None:
        self.client_no_context_takeover |= "client_no_context_takeover" in parameters
        self.server_no_context_takeover |= "server_no_context_takeover" in parameters

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.agreed().partition('; ')[2]}>"


def _parameters(element: str) -> dict[str, str | None]:
    """The parameters of an element of Sec-WebSocket-Extensions."""
    found: dict[str, str | None] = {}
    for parameter in element.split(";")[1:]:
        name, equals, value = parameter.partition("=")
        found[name.strip()] = value.strip().strip('"') if equals else None
    return found


#: The extensions that there are, by name.
SUPPORTED_EXTENSIONS = {PerMessageDeflate.name: PerMessageDeflate}
