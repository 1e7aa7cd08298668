"""The circuit breaker 縮退運転 of a line, or of a partner: keeps requests away from who does not answer. Pure.

    CLOSED ──silences or errors in a row──▶ OPEN ──rested, and keep-alives answered──▶ TRIAL ──answered──▶ CLOSED
                                             ▲                                          │
                                             └──────────── one silence or error ────────┘  (and rests twice as long)

Whether the partner is back is asked by keep-alives 疎通確認, never by a customer's payment. Cancels are not kept away:
to them applies the policy of the cancel service.
"""

from dataclasses import dataclass
from enum import StrEnum

from schemas.installation import Thresholds


class State(StrEnum):
    """Where a breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    TRIAL = "trial"  # requests go again, and the first that goes wrong opens it


@dataclass(slots=True)
class Breaker:
    """Of a line or a partner. Every call says what happened; what it gives, whether the state has changed by it."""

    settings: Thresholds
    state: State = State.CLOSED
    silences: int = 0
    errors: int = 0
    rest_until_ms: int = 0
    _rest_ms: int = 0
    _answers: int = 0
    _trial_ms: int = 0  # when the last one began: what went out before says nothing about it

    def silent(self, now_ms: int, sent_ms: int) -> bool:
        """A request that went out at `sent_ms` was not answered in time."""
        if sent_ms < self._trial_ms:
            return False
        self.silences += 1
        return self._wrong(now_ms, self.silences, self.settings.silences)

    def failed(self, now_ms: int) -> bool:
        """A request was answered, by an error report 異常報告."""
        self.silences = 0
        self.errors += 1
        return self._wrong(now_ms, self.errors, self.settings.errors)

    def answered(self) -> bool:
        """A telegram was answered as it should be, whatever the answer."""
        self.silences = self.errors = 0
        if self.state is not State.TRIAL:
            return False
        self.state, self._rest_ms = State.CLOSED, 0
        return True

    def awaits_probes(self, now_ms: int, probe_ms: int) -> bool:
        """Whether keep-alives this far apart should go out by now, so that it rests no longer than it has to."""
        return self.state is State.OPEN and now_ms >= self.rest_until_ms - self.settings.probes * probe_ms

    def broken(self) -> None:
        """The connection is gone: keep-alives are counted anew over the next one, and an opening is none."""
        self._answers = 0

    def probed(self, now_ms: int) -> bool:
        """A keep-alive was answered."""
        if self.state is not State.OPEN:
            return False
        self._answers += 1
        if self._answers < self.settings.probes or now_ms < self.rest_until_ms:
            return False
        self.state, self._trial_ms = State.TRIAL, now_ms
        self.silences = self.errors = 0
        return True

    def _wrong(self, now_ms: int, count: int, limit: int) -> bool:
        if self.state is State.OPEN or limit == 0 or (self.state is State.CLOSED and count < limit):
            return False
        self._rest_ms = min(max(self.settings.rest_ms, 2 * self._rest_ms), self.settings.rest_max_ms)
        self.rest_until_ms = now_ms + self._rest_ms
        self.state, self._answers = State.OPEN, 0
        return True

    def __str__(self) -> str:
        """Why it is open, for people."""
        if self.silences:
            return f"{self.silences} requests in a row without an answer"
        return f"{self.errors} errors in a row"
