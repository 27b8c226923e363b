"""How a connection did not come about, or ended."""

from __future__ import annotations

from .. import Closed, Refused


class ConnectionClosed(Exception):
    """The connection is closed: `report` says how."""

    def __init__(self, report: Closed) -> None:
        super().__init__(str(report))
        self.report = report

    @property
    def code(self) -> int:
        """The close code: 1005 for a Close without a code, 1006 without a Close."""
        return self.report.code


class HandshakeRefused(Exception):
    """The server did not open the connection: `refused` is its answer, if it gave one, and `report` the end."""

    def __init__(self, refused: Refused | None, report: Closed) -> None:
        what = f"the server answered with status {refused.status}" if refused else str(report)
        super().__init__(what)
        self.refused = refused
        self.report = report

    @property
    def is_temporary(self) -> bool:
        """Trying again may help: no answer came, or it has a status of 429, or one from 500 on."""
        return self.refused is None or self.refused.status == 429 or self.refused.status >= 500
