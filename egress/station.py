"""The life of a line's connection: opening 開局, keep-alive 疎通確認, closing 閉局. Pure.

CLOSED ─▶ CONNECTING ─connected─▶ OPENING ─answer─▶ OPEN ─close─▶ CLOSING ─answer─▶ CLOSED
▲                      │ refused, silent │                 │ silent
└──────────────────────┴──── broken ─────┘                 └─▶ CLOSED
"""

from collections.abc import Sequence
from dataclasses import dataclass

from egress.acts import Act, Hang, Tell, Transmit
from egress.telegrams import Telegrams
from schemas.installation import Egress, Line
from schemas.records import LineStage, LineState, Outcome
from schemas.telegrams import Message, PartnerSpec, Role

_ANSWER_TO = {
    Role.KEEPALIVE_REQUEST: Role.KEEPALIVE_ANSWER,
    Role.OPENING_REQUEST: Role.OPENING_ANSWER,
    Role.CLOSING_REQUEST: Role.CLOSING_ANSWER,
}
_NOT_ANSWERED = {
    Role.OPENING_REQUEST: "opening not answered",
    Role.KEEPALIVE_REQUEST: "keep-alive not answered",
    Role.CLOSING_REQUEST: "closing not answered",
}
_TELL_AGAIN_MS = 5_000  # so long may a former owner, who has not noticed yet, have the last word about the line
ANSWERS = frozenset({Role.OPENING_ANSWER, Role.CLOSING_ANSWER, Role.KEEPALIVE_ANSWER})
ASKED = frozenset(_ANSWER_TO)


@dataclass(frozen=True, slots=True)
class _Awaited:
    """A station telegram of ours without an answer yet."""

    role: Role
    key: tuple[object, ...]
    by_ms: int


class Station:
    """One line's station. `stage` says where it stands; what it wants done is returned."""

    def __init__(self, line: Line, partner: PartnerSpec, telegrams: Telegrams, times: Egress, node: str) -> None:
        self.stage = LineStage.CLOSED
        self._line = line
        self._partner = partner
        self._telegrams = telegrams
        self._times = times
        self._node = node
        self._trace_number = partner.trace_range[0] - 1
        self._awaited: _Awaited | None = None
        self._reason: str | None = None
        self._since_ms = 0
        self._told_ms = 0
        self._heard_ms = 0
        self._closing = False
        self.open = False  # requests may be put on the line; so also while the last ones before a closing go out

    # --- what happens

    def dialling(self, now_ms: int, reason: str | None = None) -> list[Act]:
        """A connection is being sought."""
        return self._move(LineStage.CONNECTING, now_ms, reason)

    def connected(self, now_ms: int) -> list[Act]:
        """There is a connection: ask to open the station."""
        self._heard_ms = now_ms
        asked = self._ask(Role.OPENING_REQUEST, self._times.opening_timeout_ms, now_ms)
        return [*self._move(LineStage.OPENING, now_ms), asked]

    def heard(self, now_ms: int) -> None:
        """Some telegram came from the partner."""
        self._heard_ms = now_ms

    def asked(self, message: Message, now_ms: int) -> list[Act]:
        """The partner sends a station telegram of its own: answer it at once."""
        role = _ANSWER_TO[message.role]
        trace_number = message.values["trace_number"]
        assert isinstance(trace_number, int)
        values = self._telegrams.station(role, trace_number, now_ms)
        if "station_id" in message.values:
            values["station_id"] = message.values["station_id"]
        acts: list[Act] = [self._transmit(role, values)]
        if message.role is Role.CLOSING_REQUEST:
            self._awaited, self.open = None, False
            acts += self._move(LineStage.CLOSING, now_ms, "the partner closes the station")
        return acts

    def answered(self, message: Message, now_ms: int) -> list[Act] | None:
        """The partner answers a station telegram of ours; None when it is none of ours."""
        awaited = self._awaited
        if awaited is None or awaited.key != self._partner.match_key(message.role, message.values):
            return None
        self._awaited = None
        if message.role is Role.KEEPALIVE_ANSWER:
            return []
        if message.role is Role.CLOSING_ANSWER:
            return [*self._move(LineStage.CLOSED, now_ms), Hang("closed")]
        if self._partner.classify(message) is not Outcome.APPROVED:
            code = str(message.values.get("result_code", ""))
            return [Hang(f"the partner refuses to open the station: {code}")]
        self.open = True
        return self._move(LineStage.OPEN, now_ms)

    def disconnected(self, now_ms: int, reason: str) -> list[Act]:
        """The connection is gone."""
        self._awaited, self.open = None, False
        stage = LineStage.CLOSED if self._closing else LineStage.CONNECTING
        return self._move(stage, now_ms, reason)

    def will_close(self, now_ms: int) -> list[Act]:
        """No new requests: the station is about to be closed."""
        self._closing = True
        stage = LineStage.CLOSING if self.stage is LineStage.OPEN else LineStage.CLOSED
        return self._move(stage, now_ms)

    def close(self, now_ms: int) -> list[Act]:
        """Everything is answered: ask to close the station."""
        if not self.open:
            return [Hang("closed")]
        self.open = False
        return [self._ask(Role.CLOSING_REQUEST, self._times.closing_timeout_ms, now_ms)]

    def due(self, now_ms: int) -> Sequence[Act]:
        """What the passing of time brings."""
        late = self.stage is not LineStage.CLOSED and now_ms - self._told_ms >= _TELL_AGAIN_MS
        again = [self._told(now_ms)] if late else []
        return [*again, *self._asked_or_not(now_ms)]

    def _asked_or_not(self, now_ms: int) -> Sequence[Act]:
        if self._awaited is not None:
            if now_ms < self._awaited.by_ms:
                return ()
            reason = _NOT_ANSWERED[self._awaited.role]
            self._awaited = None
            return [Hang(reason)]
        if self.open and now_ms - self._heard_ms >= self._times.probe_idle_ms:
            return [self._ask(Role.KEEPALIVE_REQUEST, self._times.probe_timeout_ms, now_ms)]
        return ()

    # --- how

    def _ask(self, role: Role, timeout_ms: int, now_ms: int) -> Act:
        first, last = self._partner.trace_range
        self._trace_number = self._trace_number + 1 if self._trace_number < last else first
        values = self._telegrams.station(role, self._trace_number, now_ms)
        self._awaited = _Awaited(role, self._partner.match_key(role, values), now_ms + timeout_ms)
        return self._transmit(role, values)

    def _transmit(self, role: Role, values: dict[str, int | str]) -> Transmit:
        return Transmit(self._partner.framing.wrap(self._partner.encode(role, values)))

    def _move(self, stage: LineStage, now_ms: int, reason: str | None = None) -> list[Act]:
        if stage is self.stage and reason in (None, self._reason):
            return []
        self.stage, self._reason, self._since_ms = stage, reason, now_ms
        return [self._told(now_ms)]

    def _told(self, now_ms: int) -> Tell:
        """Tell where the line stands; now and then once more."""
        self._told_ms = now_ms
        state = LineState(
            line=self._line.name,
            partner=self._line.partner,
            node=self._node,
            stage=self.stage,
            reason=self._reason,
            since_ms=self._since_ms,
        )
        return Tell("lines", self._line.name.encode(), state)
