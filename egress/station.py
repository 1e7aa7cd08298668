"""A line's station 開局・閉局 on its way through `egress.station_table`: its telegrams, its waits, its wish. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, assert_never

from egress.acts import Act, Hang, Rest, Seek, Tell, Transmit
from egress.answers import Named, contradiction, named
from egress.breaker import Breaker, State
from egress.jobs import Load
from egress.looped import LOOPED, Sent
from egress.numbers import Reserve
from egress.sparing import Sparing
from egress.station_table import CARRIES, TABLE, WISHES, Deed, Event
from egress.station_telegrams import ANSWER_TO, NO_NUMBER, NOT_ANSWERED, kept_from
from egress.telegrams import Telegrams
from schemas.installation import Egress, Line
from schemas.japan_time import business_date
from schemas.records import (
    ITS_OWNERS_END,
    LineOrder,
    LineOrderAnswered,
    LineOrdered,
    LineStage,
    LineState,
    LineWish,
    Outcome,
)
from schemas.refusals import Refusal
from schemas.telegrams import Message, PartnerSpec, Role

_TELL_AGAIN_MS = 5_000  # so long may a former owner, who has not noticed yet, have the last word about the line

_WISH_OF = {LineOrder.OPEN: LineWish.OPEN, LineOrder.DRAIN: LineWish.DRAINED, LineOrder.CLOSE: LineWish.CLOSED}
_EVENT_OF = dict(zip(LineWish, WISHES, strict=True))


class Wish(NamedTuple):
    """What the station should be, who says so, and until when he needs not be asked again."""

    what: LineWish
    by: str
    until_ms: int | None


@dataclass(frozen=True, slots=True)
class _Awaited:
    """A station telegram of ours without an answer yet."""

    role: Role
    key: tuple[object, ...]
    named: Named
    by_ms: int


class Station:
    """One line's station. `stage` says where it stands; what it wants done is returned."""

    def __init__(
        self, line: Line, partner: PartnerSpec, telegrams: Telegrams, times: Egress, node: str,
        reserve: Reserve, load: Callable[[], Load], sparing: Sparing,
    ) -> None:  # fmt: skip
        self.stage = LineStage.CLOSED
        self.breaker = Breaker(times.breaker)
        self._line = line
        self._calendar = line.calendar
        self._partner = partner
        self._telegrams = telegrams
        self._times = times
        self._node = node
        self._load = load
        self._sparing = sparing
        self._told_spared: Sequence[str] = ()
        self._reserve = reserve
        self._awaited: _Awaited | None = None
        self._sent = Sent()
        self._reason: str | None = None
        self._order: LineOrdered | None = None
        self._ending = False
        self._wish = Wish(LineWish.OPEN, "calendar", 0)
        self._wished_since_ms = 0
        self._helpless_since_ms: int | None = None  # it should be open, and nothing goes over it
        self._since_ms = 0
        self._told_ms = 0
        self._heard_ms = 0
        self._connected_ms: int | None = None
        self._asked_ms: int | None = None
        self._answered_ms: int | None = None

    # --- what is seen from outside

    @property
    def open(self) -> bool:
        """Whether requests are taken."""
        return self.stage is LineStage.OPEN

    @property
    def carries(self) -> bool:
        """Whether telegrams may go onto the line: cancels, and the last requests before it closes."""
        return self.stage in CARRIES

    @property
    def as_wished(self) -> bool:
        """Whether the station is what it should be."""
        return self.stage is self._wish.what.stage

    def is_helpless(self, now_ms: int) -> bool:
        """Whether it should be open, and could not be opened for long; true once for each such time."""
        times = self._times  # that it works, only a connection shows that lives, as in `egress.dialling`
        lives = self.carries and now_ms - (self._connected_ms or 0) >= min(times.reconnect_max_ms, times.hand_over_ms)
        if self._ending or lives or self._wish.what is LineWish.CLOSED:
            self._helpless_since_ms = None
        elif self._helpless_since_ms is None:
            self._helpless_since_ms = now_ms
        elif not self.carries and now_ms - self._helpless_since_ms >= times.hand_over_ms:
            self._helpless_since_ms = now_ms
            return True
        return False

    @property
    def refusal(self) -> Refusal | None:
        """Why a request must not even wait here; None where it may."""
        if self._ending:  # what waits is for the next owner
            return None
        if self.stage is LineStage.SUSPENDED:
            return Refusal.LINE_SUSPENDED
        return Refusal.STATION_CLOSED if self._wish.what is not LineWish.OPEN else None

    @property
    def _spared(self) -> Sequence[str]:
        return self._sparing.among(self._line.partners)

    # --- what it should be

    def begin(self, order: LineOrdered | None, now_ms: int) -> list[Act]:
        """A process begins to own the line, and to do as was ordered last."""
        self._order, self._since_ms, self._wished_since_ms = order, now_ms, now_ms
        self._wish = self._wish_now(now_ms)
        if self._wish.what is LineWish.CLOSED:  # as it is
            self._reason = self._why()
            return [self._told(now_ms)]
        return self._befalls(_EVENT_OF[self._wish.what], now_ms)

    def ordered(self, order: LineOrdered, now_ms: int) -> list[Act]:
        """An operator orders; the order holds until the next one."""
        self._order = order
        acts = self._wished(now_ms)
        answer = LineOrderAnswered(
            order_id=order.order_id,
            line=order.line,
            order=order.order,
            operator=order.operator,
            reason=order.reason,
            node=self._node,
            stage=self.stage,
            answered_ms=now_ms,
        )
        return [*acts, Tell("line-answers", self._line.name.encode(), answer)]

    def will_close(self, now_ms: int) -> list[Act]:
        """The owner ends, or gives the line up: no new requests."""
        self._ending = True
        return self._wished(now_ms)

    def close(self, now_ms: int) -> list[Act]:
        """The owner has waited enough: ask to close the station."""
        if self.stage is LineStage.DRAINING:
            return self._befalls(Event.EMPTY, now_ms)
        return [Hang("closed")]

    def _wished(self, now_ms: int) -> list[Act]:
        before, self._wish = self._wish, self._wish_now(now_ms)
        changed = self._wish[:2] != before[:2]
        if changed:
            self._wished_since_ms = now_ms
        acts = self._befalls(_EVENT_OF[self._wish.what], now_ms, self._why())
        told = any(isinstance(act, Tell) for act in acts)
        return acts if told or not changed else [self._told(now_ms), *acts]

    def _wish_now(self, now_ms: int) -> Wish:
        if self._ending:
            return Wish(LineWish.CLOSED, ITS_OWNERS_END, None)
        order = self._order
        if order is not None and order.order is not LineOrder.CALENDAR:
            return Wish(_WISH_OF[order.order], order.operator, None)
        due = self._calendar.due(now_ms)
        return Wish(LineWish.OPEN if due.open else LineWish.CLOSED, "calendar", due.until_ms)

    def _why(self) -> str | None:
        """Why it should not be open."""
        if self._wish.what is LineWish.OPEN:
            return None
        if self._ending or self._wish.by == "calendar" or self._order is None:
            return f"{self._wish.what} by {self._wish.by}"
        return f"{self._wish.what} by {self._wish.by}: {self._order.reason}"

    # --- what happens

    def sought(self, now_ms: int, trouble: str | None) -> list[Act]:
        """A connection is being sought; `trouble` is what came in the way of the last try."""
        return [] if trouble is None else self._befalls(Event.TROUBLE, now_ms, trouble)

    def connected(self, now_ms: int) -> list[Act]:
        """There is a connection."""
        self._heard_ms = self._connected_ms = now_ms
        return self._befalls(Event.CONNECTED, now_ms)

    def heard(self, now_ms: int) -> None:
        """Some telegram came from the partner."""
        self._heard_ms = now_ms

    def is_ours(self, payload: bytes, role: Role) -> bool:
        """Whether what came is what we have sent ourselves."""
        return self._sent.holds(payload, role)

    def looped(self, now_ms: int) -> list[Act]:
        """What we have sent comes back: whoever is at the other end, it is not the partner."""
        acts = self._befalls(Event.LOOPED, now_ms, LOOPED)
        return [act._replace(warn=True) if isinstance(act, Hang) else act for act in acts]

    def asked(self, message: Message, now_ms: int) -> list[Act] | str:
        """The partner sends a station telegram of its own: answer it at once. Or why it is none for this line."""
        if message.values.get("station_id", self._line.station_id) != self._line.station_id:
            return "is about another station than this line's"
        role = ANSWER_TO[message.role]
        trace_number = message.values["trace_number"]
        assert isinstance(trace_number, int)
        data, _ = named(self._partner, role, self._telegrams.station(role, trace_number, now_ms))
        acts: list[Act] = [self._transmit(data)]
        if message.role is Role.KEEPALIVE_REQUEST:
            self._asked_ms = now_ms
        if message.role is Role.CLOSING_REQUEST:
            self._awaited = None
            acts += self._befalls(Event.PARTNER_CLOSES, now_ms, "the partner closes the station")
        return acts

    def answered(self, message: Message, now_ms: int) -> list[Act] | str:
        """The partner answers a station telegram of ours; or why it answers none."""
        awaited = self._awaited
        if awaited is None or awaited.key != self._partner.match_key(message.role, message.values):
            return "answers nothing that was asked"
        if (field := contradiction(message.values, awaited.named, now_ms)) is not None:
            return f"answers nothing that was asked: {awaited.role.value} has another {field}"
        self._awaited = None
        if message.role is Role.KEEPALIVE_ANSWER:
            self._answered_ms = now_ms
            return self._befalls(Event.RECOVERED, now_ms) if self.breaker.probed(now_ms) else []
        if message.role is Role.CLOSING_ANSWER:
            return self._befalls(Event.CLOSING_ANSWERED, now_ms)
        if self._partner.dated(message.values).classify(message) is not Outcome.APPROVED:
            code = message.values[self._partner.result_field]
            return self._befalls(Event.REFUSED, now_ms, f"the partner refuses to open the station: {code}")
        return self._befalls(Event.OPENED, now_ms)

    def disconnected(self, now_ms: int, reason: str) -> list[Act]:
        """The connection is gone."""
        self._awaited = self._connected_ms = None
        self.breaker.broken()
        return self._befalls(Event.BROKEN, now_ms, reason)

    def called_again(self, now_ms: int) -> list[Act]:
        """The partner calls, though there is a connection: whether that still leads to it is asked at once."""
        if self.carries and self._awaited is None:
            return self._ask(Role.KEEPALIVE_REQUEST, self._times.probe_timeout_ms, now_ms)
        return []

    def silent(self, now_ms: int, sent_ms: int) -> list[Act]:
        """A request of then was not answered in time. Only an answer to another one ends the row."""
        return self._befalls(Event.TRIPPED, now_ms, str(self.breaker)) if self.breaker.silent(now_ms, sent_ms) else []

    def reported(self, now_ms: int, *, in_error: bool) -> list[Act]:
        """A request was answered in time. `in_error`: by an error of the network, not by an answer to what it asks."""
        if in_error:
            return self._befalls(Event.TRIPPED, now_ms, str(self.breaker)) if self.breaker.failed(now_ms) else []
        self.breaker.answered()
        return []

    def due(self, now_ms: int) -> Sequence[Act]:
        """What the passing of time brings."""
        over = self._ending and self.stage is LineStage.CLOSED  # the next owner tells
        again = not over and (now_ms - self._told_ms >= _TELL_AGAIN_MS or self._spared != self._told_spared)
        acts: list[Act] = [self._told(now_ms)] if again else []
        if self._wish.until_ms is not None and now_ms >= self._wish.until_ms:
            acts += self._wished(now_ms)
        acts += self._drained_or_not(now_ms)
        acts += self._asked_or_not(now_ms)
        return acts

    def _drained_or_not(self, now_ms: int) -> list[Act]:
        closes = self.stage is LineStage.DRAINING and self._wish.what is LineWish.CLOSED and not self._ending
        if closes and (self._load().nothing_awaited or now_ms - self._since_ms >= self._times.close_limit_ms):
            return self._befalls(Event.EMPTY, now_ms)
        return []

    def _asked_or_not(self, now_ms: int) -> list[Act]:
        if self._awaited is not None:
            if now_ms < self._awaited.by_ms:
                return []
            reason = NOT_ANSWERED[self._awaited.role]
            self._awaited = None
            return self._befalls(Event.UNANSWERED, now_ms, reason)
        if self.stage is LineStage.CLOSING:  # by the partner, who has the answer, and should hang up
            late = now_ms - self._since_ms >= self._times.closing_timeout_ms
            return self._befalls(Event.UNANSWERED, now_ms, "closed by the partner") if late else []
        if not self.carries:
            return []
        probe_ms = self._times.breaker.probe_ms
        probing = self.breaker.awaits_probes(now_ms, probe_ms)
        if probing or self._sparing.awaits_probes(self._line.partners, now_ms, probe_ms):
            due_ms = (self._answered_ms or 0) + probe_ms  # only an answer counts: all else could come for ever
        else:
            due_ms = self._heard_ms + self._times.probe_idle_ms
        return self._ask(Role.KEEPALIVE_REQUEST, self._times.probe_timeout_ms, now_ms) if now_ms >= due_ms else []

    # --- how

    def _befalls(self, event: Event, now_ms: int, reason: str | None = None) -> list[Act]:
        """Go through the table; then let the wish come in, which may have waited for this."""
        row = TABLE[self.stage, event]
        if row.next is LineStage.OPEN and self.stage is not LineStage.OPEN and self.breaker.state is State.OPEN:
            row, reason = row._replace(next=LineStage.SUSPENDED), "its breaker is open"  # it tripped before
        acts: list[Act] = []
        anew = row.next is LineStage.FAILED and event not in WISHES and reason != self._reason  # a wish is no trouble
        if row.next is not self.stage or anew:
            closes = row.next in (LineStage.CLOSING, LineStage.CLOSED)  # for the reason for which it was drained
            self._reason = self._reason if reason is None and closes else reason
            self.stage, self._since_ms = row.next, now_ms
            acts.append(self._told(now_ms))
        for deed in row.deeds:
            acts += self._do(deed, reason, now_ms)
        if event not in WISHES:
            acts += self._befalls(_EVENT_OF[self._wish.what], now_ms, self._why())
        return acts

    def _do(self, deed: Deed, reason: str | None, now_ms: int) -> list[Act]:
        match deed:
            case Deed.SEEK:
                return [Seek()]
            case Deed.REST:
                return [Rest()]
            case Deed.HANG_UP:
                self._awaited = None
                return [Hang(reason or "closed")]
            case Deed.ASK_OPENING:
                return self._ask(Role.OPENING_REQUEST, self._times.opening_timeout_ms, now_ms)
            case Deed.ASK_CLOSING:
                return self._ask(Role.CLOSING_REQUEST, self._times.closing_timeout_ms, now_ms)
            case _:
                assert_never(deed)

    def _ask(self, role: Role, timeout_ms: int, now_ms: int) -> list[Act]:
        trace_number = self._reserve.of(business_date(now_ms), cancel=False, keep=kept_from(role, now_ms))
        if trace_number is None:  # nothing is put on the line under a number that was used
            without = role is not Role.KEEPALIVE_REQUEST  # whether the partner is there, it says itself, too
            return self._befalls(Event.UNANSWERED, now_ms, NO_NUMBER[role]) if without else []
        values = self._telegrams.station(role, trace_number, now_ms)
        data, names = named(self._partner, role, values)
        self._awaited = _Awaited(role, self._partner.match_key(role, values), names, now_ms + timeout_ms)
        return [self._transmit(data)]

    def _transmit(self, data: bytes) -> Transmit:
        self._sent.add(data)
        return Transmit(self._partner.framing.wrap(data))

    def _told(self, now_ms: int) -> Tell:
        """Tell where the line stands; now and then once more."""
        self._told_ms = now_ms
        load, self._told_spared = self._load(), self._spared
        state = LineState(
            line=self._line.name,
            partner=self._line.partner,
            node=self._node,
            stage=self.stage,
            reason=self._reason,
            since_ms=self._since_ms,
            wish=self._wish.what,
            wished_by=self._wish.by,
            wished_since_ms=self._wished_since_ms,
            connected_ms=self._connected_ms,
            asked_ms=self._asked_ms,
            answered_ms=self._answered_ms,
            in_flight=load.in_flight,
            cancels_waiting=load.cancels_waiting,
            routes_held=load.routes_held,
            told_ms=now_ms,
            spared=",".join(self._told_spared) or None,
        )
        return Tell("lines", self._line.name.encode(), state)
