"""The course of one transaction as its client sees it: frames and time in, frames and an end out. Pure.

    NEW ─request─▶ AWAITING ─reply to confirm─▶ ACKNOWLEDGED ─settled, confirmed─▶ ENDED
     ▲                │  ▲                          │
     │                │  └─in_process─┐             └─settled, not confirmed─▶ UNSURE
     └───unknown──────┼───────── INQUIRED ◀─inquiry── UNSURE ◀─session lost─ (any that was sent)
                      └─reply that is final, status that is final─▶ ENDED

Its law: the end is "approved" or "declined" only by a reply that was settled as confirmed, or by the status that an
inquiry tells. Whatever is doubtful is inquired about, and sent again only when the gateway says that it knows nothing.
"""

from enum import Enum
from typing import assert_never

import msgspec

from client.results import ClientError, NotSent, OutcomeUnknown, RequestRefused, Result
from schemas.client_frames import (
    Ack,
    ClientFrame,
    Inquiry,
    Refused,
    Rejection,
    Reply,
    Request,
    Settled,
    StatusTold,
)
from schemas.records import Status

CourseFrame = Reply | StatusTold | Settled | Refused

_TRY_ELSEWHERE = (Rejection.STOPPING, Rejection.TOO_MANY_IN_FLIGHT)


class Stage(Enum):
    """Where a transaction stands for its client."""

    NEW = "new"  # nothing sent that could have been taken
    AWAITING = "awaiting"  # the request's answer
    INQUIRED = "inquired"  # the inquiry's answer
    ACKNOWLEDGED = "acknowledged"  # `settled` is awaited
    UNSURE = "unsure"  # an inquiry is to be sent
    ENDED = "ended"


class Course:
    """One transaction. With `request` None it is only inquired about."""

    def __init__(self, inquiry: Inquiry, request: Request | None = None, expires_ms: int = 0) -> None:
        self.reference, self.original = inquiry.reference, inquiry.original_reference
        self.stage = Stage.NEW if request is not None else Stage.UNSURE
        self.end: Result | ClientError | None = None
        self.setbacks = 0  # how often in a row it came back to where it was: the next try waits longer
        self._inquiry = inquiry
        self._request = request
        self._expires_ms = expires_ms
        self._acknowledged: dict[int, Reply] = {}
        self._maybe_taken = request is None
        self._maybe_taken_before = self._maybe_taken

    def next_frame(self, now_ms: int) -> ClientFrame | None:
        """What is to be sent on a session that is there; None when nothing is."""
        if self.stage is Stage.UNSURE:
            self.stage = Stage.INQUIRED
            return self._inquiry
        if self.stage is not Stage.NEW or self._request is None:
            return None
        left_ms = self._expires_ms - now_ms
        if left_ms <= 0:
            return None
        self.stage = Stage.AWAITING
        self._maybe_taken_before, self._maybe_taken = self._maybe_taken, True
        return msgspec.structs.replace(self._request, wait_ms=left_ms)

    def take(self, frame: CourseFrame) -> Ack | None:
        """What the gateway says about this transaction; gives the acknowledgement to send at once."""
        if self.stage is Stage.ENDED:
            return None
        match frame:
            case Reply():
                return self._reply(frame)
            case StatusTold():
                self._status(frame)
            case Settled():
                self._settled(frame)
            case Refused():
                self._refused(frame)
            case _:
                assert_never(frame)
        return None

    def session_lost(self) -> None:
        """The session over which it was sent is no more."""
        if self.stage in (Stage.AWAITING, Stage.INQUIRED, Stage.ACKNOWLEDGED):
            self.stage = Stage.UNSURE

    @property
    def is_answered(self) -> bool:
        """Whether nothing more is to come of it: not so where its caller has left, or waits no longer."""
        return self.end is not None and not isinstance(self.end, OutcomeUnknown)

    def time_up(self) -> None:
        """Its caller waits no longer."""
        if self.stage is not Stage.ENDED:
            unknown = self._maybe_taken
            self._end(OutcomeUnknown(self.reference) if unknown else NotSent(self.reference))

    def _end(self, end: Result | ClientError) -> None:
        self.stage = Stage.ENDED
        self.end = end

    def _reply(self, reply: Reply) -> Ack | None:
        if not reply.confirm:
            self._end(Result.of(reply))
            return None
        self.stage = Stage.ACKNOWLEDGED
        self._acknowledged[reply.delivery_no] = reply
        return Ack(reference=self.reference, delivery_no=reply.delivery_no)

    def _status(self, told: StatusTold) -> None:
        if told.status is Status.IN_PROCESS:
            if self.stage is Stage.INQUIRED:
                self.stage = Stage.AWAITING
        elif told.status is Status.UNKNOWN and self._request is not None:
            if self.stage is Stage.INQUIRED:  # never stored: the same request once more, under the same reference
                self.stage = Stage.NEW
        else:
            self._end(Result.of(told))

    def _settled(self, settled: Settled) -> None:
        reply = self._acknowledged.get(settled.delivery_no)
        if settled.confirmed and reply is not None:
            self._end(Result.of(reply))
        elif reply is None or settled.delivery_no == max(self._acknowledged):
            self.stage = Stage.UNSURE
            self.setbacks += 1

    def _refused(self, refused: Refused) -> None:
        inquiring = self.stage is Stage.INQUIRED
        if refused.inquire:
            self.stage = Stage.UNSURE
            self.setbacks += 1
        elif refused.code in _TRY_ELSEWHERE:
            self.stage = Stage.UNSURE if inquiring else Stage.NEW
            if not inquiring:
                self._maybe_taken = self._maybe_taken_before
            if refused.code == Rejection.TOO_MANY_IN_FLIGHT:
                self.setbacks += 1
        elif self._maybe_taken_before and not inquiring:  # an earlier sending may have been taken: only it can tell
            self.stage = Stage.UNSURE
            self.setbacks += 1
        else:
            self._end(RequestRefused(self.reference, refused))
