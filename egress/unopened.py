"""Says in the log why a line that should be open is not: with its reason, and once a minute at most."""

import logging

from schemas.installation import Line
from schemas.records import LineStage, LineState, LineWish, Record

_AGAIN_MS = 60_000
_PATIENCE_MS = 10_000  # so long may opening take where nothing came in its way

_log = logging.getLogger(__name__)


class Unopened:
    """One line, as long as this process owns it."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._told_ms: int | None = None
        self._shut = False

    def notice(self, record: Record | None, now_ms: int) -> None:
        """What the station tells of itself, which it does every few seconds; no other record matters."""
        if not isinstance(record, LineState) or record.wish in (None, LineWish.CLOSED):
            return
        if record.stage is record.wish.stage:
            if self._shut:
                _log.info("line as it should be", extra={"line": record.line, "stage": record.stage})
            self._shut = False
            return
        reason = record.reason or self._waits(record, now_ms)
        if reason is None or (self._told_ms is not None and now_ms - self._told_ms < _AGAIN_MS):
            return
        self._told_ms, self._shut = now_ms, True
        told = {
            "line": record.line, "partner": record.partner, "stage": record.stage, "reason": reason,
            "seconds": (now_ms - max(record.since_ms, record.wished_since_ms or 0)) // 1_000,
        }  # fmt: skip
        _log.warning("開局できません line not open", extra=told)

    def _waits(self, record: LineState, now_ms: int) -> str | None:
        """What is waited for, of a line to which nothing has happened."""
        if now_ms - max(record.since_ms, record.wished_since_ms or 0) < _PATIENCE_MS:
            return None
        place = f"{self._line.host}:{self._line.port}"
        if record.stage is LineStage.CONNECTING:
            return f"nobody has called at {place}" if self._line.mode == "listen" else f"no connection to {place} yet"
        return f"still {record.stage}"
