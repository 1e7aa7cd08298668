"""What a session was asked and has not answered. Pure.

A client knows its answers by the reference alone, and a cancel or refund is another transaction under each original
(`schemas.identity`). So one reference is in flight for one transaction at a time, and answers that one.
"""

import msgspec

from schemas.client_frames import Refused, Rejection
from schemas.records import ReplyReady, Status


class Asked(msgspec.Struct, frozen=True, gc=False):
    """A request or inquiry without an answer."""

    transaction_id: str
    asked_ms: int
    expires_ms: int
    content: int = 0  # a request's, as a number that means nothing outside of this process


class InFlight:
    """Requests and inquiries in flight, at most `most`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._asked: dict[tuple[str, bool], Asked] = {}  # by reference and whether it is an inquiry

    def __len__(self) -> int:
        return len(self._asked)

    def has_lately(self, reference: str, asked: Asked, within_ms: int, *, inquiry: bool) -> bool:
        """Whether the same was asked here within this time, and the answer that is owed answers this, too.

        Else a client that repeats one thing without end would fill the log, which all share.
        """
        before = self._asked.get((reference, inquiry))
        return before is not None and _same(before, asked) and asked.asked_ms - before.asked_ms < within_ms

    def enter(self, reference: str, asked: Asked, *, inquiry: bool) -> Refused | None:
        """Count it as in flight, or say why not."""
        before, beside = self._asked.get((reference, inquiry)), self._asked.get((reference, not inquiry))
        if (before is not None and not _same(before, asked)) or (
            beside is not None and beside.transaction_id != asked.transaction_id
        ):  # or the one's answer would pass for the other's
            return Rejection.REFERENCE_IN_FLIGHT.told(reference=reference)
        if before is None and len(self._asked) >= self._most:
            self.forget_expired(asked.asked_ms)
            if len(self._asked) >= self._most:
                return Rejection.TOO_MANY_IN_FLIGHT.told(reference=reference, place=f"at most {self._most}")
        self._asked[reference, inquiry] = asked
        return None

    def forget_expired(self, now_ms: int) -> None:
        """Nobody waits for these any more; an answer that comes all the same is told."""
        self._asked = {key: asked for key, asked in self._asked.items() if asked.expires_ms > now_ms}

    def give_up(self, reference: str, *, inquiry: bool) -> None:
        """Nothing is to come."""
        self._asked.pop((reference, inquiry), None)

    def is_about_another(self, record: ReplyReady) -> bool:
        """Whether under the reference of this reply another transaction is in flight, which it would pass for."""
        asked = self._asked.get((record.reference, False)) or self._asked.get((record.reference, True))
        return asked is not None and asked.transaction_id != record.transaction_id

    def answered(self, record: ReplyReady) -> int | None:
        """End what this reply answers; gives when that was asked, None where nothing was or it goes on."""
        inquiry = self._asked.pop((record.reference, True), None) if record.inquiry else None
        if record.status is Status.IN_PROCESS:
            return None
        asked = self._asked.pop((record.reference, False), None) or inquiry
        return None if asked is None else asked.asked_ms


def _same(one: Asked, other: Asked) -> bool:
    return one.content == other.content and one.transaction_id == other.transaction_id
