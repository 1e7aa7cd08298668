"""Whose frames are taken when: others have their turn, however much one has sent, and the log must keep up."""

import asyncio
from collections.abc import Callable

from ingress.connection import Connection
from ingress.core import Session
from pipeline.bridge import LoopWriter

_BUSY = "others have their turn"
_LOG_BEHIND = "too much is without the broker's word"


class Turns:
    """Comes back to connections whose frames are here. `receive` takes some of them, `failed` hears what goes wrong."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        writer: LoopWriter,
        receive: Callable[[Connection, bytes], None],
        failed: Callable[[Connection, Exception], None],
    ) -> None:
        self._loop = loop
        self._writer = writer
        self._receive, self._failed = receive, failed

    def see_to(self, connection: Connection, session: Session) -> None:
        """Go on with the frames that are here already when others had their turn, and read no more meanwhile.

        While the log is behind nothing more is read from anybody who has sent something, until `look_again`.
        """
        if self._writer.behind:
            connection.hold_back(_LOG_BEHIND)
            return
        connection.go_on(_LOG_BEHIND)
        if not session.more:
            connection.go_on(_BUSY)
            return
        connection.hold_back(_BUSY)
        if not connection.has_a_turn:
            connection.has_a_turn = True
            self._loop.call_soon(self._take_more, connection)

    def look_again(self, connection: Connection, session: Session) -> None:
        """Go on, if it waits for the log and need not any more."""
        if connection.is_held_back(_LOG_BEHIND):
            self.see_to(connection, session)

    def _take_more(self, connection: Connection) -> None:
        connection.has_a_turn = False
        if connection.closing_ms is None and connection.reads:  # or it goes on when it does
            try:
                self._receive(connection, b"")
            except Exception as error:  # noqa: BLE001  one client's trouble is no other's
                self._failed(connection, error)
