"""What a line decides: dispatches, acknowledgements, telegrams and time in, acts out. Pure.

The life of one dispatch (`Job`):

    WAITING ─route, numbers─▶ STORING ─stored─▶ SENT ─report─▶ done
       │ too late, does not fit   │ line gone       │ silence, line broke
       └▶ WITHHOLDING ─stored─▶ done ◀─┘             └▶ LATE ─report─▶ done

Nothing is transmitted, and nobody is told that something never will be, before `sent.<line>` holds it and proves that
the line is still ours. A transaction's request, and each attempt of its cancel, is decided once: copies are known.
"""

from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from egress.acts import Act, Store, Tell, Transmit
from egress.holds import IN_DOUBT, OPERATOR, asking_about, held, held_by_order
from egress.jobs import (
    CANCELS,
    FIRST,
    Job,
    Load,
    Order,
    Reason,
    Stage,
    Takeover,
    job_of,
    never_sent,
    no_route,
    not_open,
    numbers_of,
    sent,
    too_late,
    unanswered,
    withheld,
)
from egress.known import Known
from egress.looped import ASKED, LOOPED, STATION
from egress.numbers import Numbers, Reserve, Reserved, shares_of
from egress.offsets import Offsets
from egress.parties import Parties, Unreadable
from egress.preparing import Preparing
from egress.routes import Routes
from egress.sparing import Sparing
from egress.station import Station
from egress.telegrams import OpenCard, cancel_reported, reported
from pipeline.timers import Timers
from schemas.installation import Egress, Line
from schemas.japan_time import business_date
from schemas.records import (
    Doubt,
    LineOrdered,
    NotCancelled,
    Record,
    ReleaseRoute,
    RouteOrderAnswered,
    RouteOrdered,
    SendCancel,
    StrayTelegram,
    TelegramSent,
    TelegramWithheld,
)
from schemas.refusals import Refusal
from schemas.telegrams import Message, PartnerSpec, Role

_ANSWERS = 1_000  # that are remembered, to know one that comes twice


@dataclass(slots=True)
class LineCore:
    """One line, while this process owns it."""

    line: Line
    partner: PartnerSpec
    times: Egress
    node: str
    open_card: OpenCard
    partners: Mapping[str, PartnerSpec] = field(default_factory=dict)  # those whose telegrams it carries, at least
    sparing: Sparing = field(default_factory=lambda: Sparing({}))  # shared by all lines of the process
    clock_tolerance_ms: int = 1_000
    station: Station = field(init=False)
    routes: Routes = field(init=False)
    reserve: Reserve = field(init=False)
    _preparing: Preparing = field(init=False)
    _offsets: Offsets = field(init=False)
    _timers: Timers = field(default_factory=Timers)
    _jobs: dict[int, Job] = field(default_factory=dict)
    _requests: deque[Job] = field(default_factory=deque)  # waiting
    _cancels: deque[Job] = field(default_factory=deque)  # waiting, before them
    _parties: Parties = field(init=False)
    _known: Known = field(default_factory=Known)
    _in_flight: int = 0
    _writable: bool = True
    _draining: bool = False
    _connections: int = 0  # that there have been
    _untold: dict[int, int] = field(default_factory=dict)  # of each dispatch, how much is not stored yet
    _told_holds: set[int] = field(default_factory=set)
    _answers: OrderedDict[bytes, None] = field(default_factory=OrderedDict)  # the last that were taken, as they came
    _inherited: dict[str, int] = field(default_factory=dict)  # transactions, and the last dispatch known of each
    _not_done: frozenset[str] = frozenset()  # orders about routes that a former owner has answered so
    _acts: list[Act] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._parties = Parties(self.line, self.partner, self.partners)
        telegrams = self._parties.own.telegrams
        shares = shares_of(*self.partner.trace_range)
        self.reserve = Reserve(*shares.reserve)
        self.station = Station(
            self.line, self.partner, telegrams, self.times, self.node, self.reserve, lambda: self.load, self.sparing
        )  # fmt: skip
        self.routes = Routes(*self.line.routes)
        self._offsets = Offsets(0)
        self._preparing = Preparing(
            self._parties, self.routes, self._known, self.open_card, shares, self.reserve, self.clock_tolerance_ms
        )  # fmt: skip

    # --- what is seen from outside

    @property
    def position(self) -> int:
        """Every dispatch before this one is done with."""
        return self._offsets.position

    @property
    def in_flight(self) -> int:
        return self._in_flight

    @property
    def load(self) -> Load:
        """What the line is busy with."""
        out_of_use = sum(holder.startswith(OPERATOR) for holder in self.routes.holders)
        return Load(self._in_flight, len(self._cancels), self.routes.held, out_of_use)

    def numbers_left(self, now_ms: int) -> tuple[int, int]:
        """How many trace numbers are left of this business day: for requests, and of the reserve."""
        day = business_date(now_ms)
        requests = self._preparing.trace_numbers.left(self._offsets.next, day)
        return requests, self.reserve.left(day, cancel=True)

    @property
    def waiting(self) -> int:
        return len(self._requests) + len(self._cancels)

    @property
    def idle(self) -> bool:
        """Nothing is on the line, on its way to it, or on its way to the log."""
        return len(self._offsets) == sum(job.stage is Stage.WAITING for job in self._jobs.values())

    def _flush(self) -> list[Act]:
        acts, self._acts = self._acts, []
        return acts

    # --- ownership

    def take(self, found: Takeover, now_ms: int, order: LineOrdered | None = None) -> list[Act]:
        """Begin to own the line, with what its last owner left, and as an operator has ordered last."""
        self._offsets = Offsets(found.position)
        self._known.since_ms = found.known_since_ms
        self._preparing.trace_numbers.day_began(business_date(now_ms), found.day_began_at)
        self.reserve.grant(found.reserved)
        self._inherited = {each.transaction_id: each.dispatch_offset for each in found.sent}
        self._not_done = frozenset(found.not_done)
        carried = {each.route_number: each.transaction_id for each in found.sent if isinstance(each, TelegramSent)}
        for each in found.holds:
            key = self._hold_key(each.route_number)
            ordered = each.transaction_id.startswith(OPERATOR)
            if not ordered and carried.get(each.route_number, each.transaction_id) != each.transaction_id:
                self._tell("holds", key, None, None)  # the route was free again, for it has carried another
                continue
            self.routes.hold(each.route_number, each.transaction_id)
            self._told_holds.add(each.route_number)
            self._tell("holds", key, each, None)  # in this owner's name, so that no former one has the last word
            self._acts += asking_about(each, now_ms)
            if each.reason == IN_DOUBT:
                first = Numbers(each.trace_number, each.route_number, each.business_date)
                self._known.put(each.transaction_id, 0, first, now_ms)
        for route in found.last_words:
            if route not in self._told_holds:
                self._tell("holds", self._hold_key(route), None, None)
        for record in found.sent:
            numbers = None
            if isinstance(record, TelegramSent):
                numbers = Numbers(record.trace_number, record.route_number, record.business_date)
            self._known.put(record.transaction_id, record.attempt, numbers, now_ms)
            if record.dispatch_offset >= found.position:
                holds = numbers is not None and carried[numbers.route_number] == record.transaction_id
                self._inherit(record, numbers, now_ms, holds=holds)
        self._acts += self.station.begin(order, now_ms)
        return self._flush()

    def reserved(self, found: Reserved, now_ms: int) -> list[Act]:
        """More trace numbers out of the line's reserve are this owner's."""
        self.reserve.grant(found)
        return self._pump(now_ms)

    def ordered(self, order: LineOrdered, now_ms: int) -> list[Act]:
        """An operator orders what the line shall be."""
        self._acts += self.station.ordered(order, now_ms)
        return self._pump(now_ms)

    def _inherit(
        self, record: TelegramSent | TelegramWithheld, numbers: Numbers | None, now_ms: int, *, holds: bool
    ) -> None:
        """The last owner may not have told what came of it. `holds`: its route has carried nothing else since."""
        job = Job(
            offset=record.dispatch_offset,
            key=record.transaction_key.encode(),
            transaction_id=record.transaction_id,
            attempt=record.attempt,
            role=Role(record.role),
            send_by_ms=0,
            order=None,
            numbers=numbers,
            partner=record.partner if isinstance(record, TelegramSent) else None,
            original=record.original if isinstance(record, TelegramSent) else None,
        )
        self._jobs[job.offset] = job
        self._offsets.open(job.offset)
        if isinstance(record, TelegramWithheld):
            kind = Refusal if job.command is None else NotCancelled
            job.reason = kind(record.reason)
            self._unsent(job, now_ms)
            return
        assert numbers is not None
        self._parties.inherit(job, numbers, now_ms)
        self._in_doubt(job, Doubt.LINE_BROKE, now_ms, holds=holds)

    # --- orders

    def dispatched(
        self, offset: int, key: bytes, record: Order | ReleaseRoute | RouteOrdered, now_ms: int
    ) -> list[Act]:
        """An order for this line."""
        self._offsets.read(offset)
        if isinstance(record, RouteOrdered):
            self._route_ordered(offset, record, now_ms)
            return self._pump(now_ms)
        if isinstance(record, ReleaseRoute):
            if self._inherited.get(record.transaction_id, -1) < offset:  # or it is read again, and meant an older hold
                self._let_go(record.transaction_id, offset)
            return self._pump(now_ms)
        attempt = record.attempt if isinstance(record, SendCancel) else 0
        if offset in self._offsets or (record.transaction_id, attempt) in self._known:
            return []  # inherited, or a copy
        job = job_of(offset, key, record, attempt)
        self._offsets.open(offset)
        self._jobs[offset] = job
        self._known.put(job.transaction_id, attempt, None, now_ms)
        if now_ms > job.send_by_ms:
            self._withhold(job, too_late(job), now_ms)
            return self._flush()
        self._timers.set(str(offset), job.send_by_ms)
        (self._requests if job.command is None else self._cancels).append(job)
        return self._pump(now_ms)

    def _pump(self, now_ms: int) -> list[Act]:
        """Let what waits go, as far as line and routes allow."""
        self._refuse(now_ms)
        if self.station.carries and self._writable and not self._draining:
            blocked: list[Job] = []
            while self._cancels:
                job = self._cancels.popleft()
                if job.stage is not Stage.WAITING:
                    continue
                if self._has_to_wait(job, now_ms):
                    blocked.append(job)
                else:
                    self._put(job, now_ms)
            self._cancels.extend(blocked)
            while (
                self.station.open
                and self._requests
                and (self.routes.free or self._requests[0].stage is not Stage.WAITING)
            ):
                job = self._requests.popleft()
                if job.stage is Stage.WAITING:
                    self._put(job, now_ms)
        return self._flush()

    def _refuse(self, now_ms: int) -> None:
        """What need not even wait: nothing goes over this line, or to this partner, for long."""
        station, spared = self.station.refusal, self.sparing.spared
        if station is None and not spared:
            return
        requests, self._requests = self._requests, deque()
        for job in requests:
            why = station or (Refusal.PARTNER_SUSPENDED if self._partner_of(job) in spared else None)
            if why is None:
                self._requests.append(job)
            elif job.stage is Stage.WAITING:
                self._withhold(job, why, now_ms)

    def _partner_of(self, job: Job) -> str:
        return job.partner or self.line.partner

    def _put(self, job: Job, now_ms: int) -> None:
        """Make a telegram of it, and have that stored."""
        if job.command in FIRST and self._known.nothing_went_out_before(job.transaction_id, job.attempt):
            job.becomes_first()  # who ordered the re-command took silence for an answer; the line knows better
        order = job.order
        reason = self._why_undecided(order)
        if reason is None:
            reason = self._preparing.prepare(job, self._offsets.position, now_ms)
        if reason is not None:
            self._withhold(job, reason, now_ms)
            return
        assert job.numbers is not None
        if isinstance(order, SendCancel):
            first = job.numbers if order.command in CANCELS else self._preparing.original(order)
            assert isinstance(first, Numbers)
            self.routes.hold(first.route_number, job.transaction_id)
            job.holds = first
        job.stage, job.connection = Stage.STORING, self._connections
        self._known.put(job.transaction_id, job.attempt, job.numbers, now_ms)
        self._acts.append(Store(job.offset, job.key, sent(job, self.node, now_ms)))

    def _has_to_wait(self, cancel: Job, now_ms: int) -> bool:
        """For a route, a trace number, or the command before it."""
        return (
            not self._preparing.finds_route(cancel)
            or self._hangs_on_another(cancel)
            or self._preparing.awaits_number(cancel, self._offsets.position, now_ms)
        )

    def _hangs_on_another(self, job: Job) -> bool:
        """A re-command waits until it is known whether the command before it goes out."""
        return job.command in FIRST and any(
            0 < each.attempt < job.attempt and each.stage in (Stage.WAITING, Stage.STORING)
            for each in self._jobs.values()
            if each.transaction_id == job.transaction_id
        )

    def _why_undecided(self, order: Order | None) -> Reason | None:
        """A cancel whose request still waits itself has to ask again."""
        if not isinstance(order, SendCancel) or order.original.trace_number is not None:
            return None
        if any(job.transaction_id == order.transaction_id for job in self._requests):
            return NotCancelled.NOT_SENT_IN_TIME
        return None

    def stored(self, offset: int, now_ms: int) -> list[Act]:
        """`sent` holds what was decided about this dispatch, and the line was ours when it did."""
        job = self._jobs[offset]
        if job.stage is Stage.WITHHOLDING:
            self._unsent(job, now_ms)
        elif not self.station.carries or job.connection != self._connections:
            # Whoever took the line meanwhile has broken our connection, and may have cancelled this over its own.
            self._not_transmitted(job, not_open(job), now_ms)
        elif now_ms > job.send_by_ms:
            self._not_transmitted(job, too_late(job), now_ms)
        else:
            job.stage, job.order, job.sent_ms = Stage.SENT, None, now_ms
            if job.holds is not None and job.holds.route_number not in self._told_holds:
                self._tell_hold(job, job.holds, now_ms, job.offset)
            self._in_flight += 1
            self._parties.add(job)
            self._timers.set(str(offset), now_ms + job.report_timeout_ms)
            self._acts.append(Transmit(job.data))
            job.data = b""
        return self._pump(now_ms)

    # --- what never goes out

    def _withhold(self, job: Job, reason: Reason, now_ms: int) -> None:
        self._give_back(job)
        job.stage, job.reason, job.order, job.numbers = Stage.WITHHOLDING, reason, None, None
        self._timers.set(str(job.offset), None)
        self._acts.append(Store(job.offset, job.key, withheld(job, reason, self.node, now_ms)))

    def _not_transmitted(self, job: Job, reason: Reason, now_ms: int) -> None:
        """`sent` holds it, but it did not go out: say so, as its owner may."""
        self._known.put(job.transaction_id, job.attempt, None, now_ms)
        self._timers.set(str(job.offset), None)
        self._give_back(job)
        job.reason, job.data = reason, b""
        self._unsent(job, now_ms)

    def _unsent(self, job: Job, now_ms: int) -> None:
        job.stage = Stage.DONE
        topic = "reports" if job.command is None else "cancel-reports"
        self._tell(topic, job.key, never_sent(job, self.line.name, now_ms), job.offset)

    # --- the partner

    def sought(self, trouble: str | None, now_ms: int) -> list[Act]:
        """There is no connection yet."""
        self._acts += self.station.sought(now_ms, trouble)
        return self._flush()

    def connected(self, now_ms: int) -> list[Act]:
        """There is a connection to the partner."""
        self._writable = True
        self._connections += 1
        self._acts += self.station.connected(now_ms)
        return self._flush()

    def received(self, payload: bytes, now_ms: int) -> list[Act]:
        """A telegram from the partner, without its framing."""
        try:
            came = self._parties.read(payload)
        except Unreadable as error:
            self.station.heard(now_ms)
            return self.stray(str(error), now_ms)
        message = came.message
        spec = came.party.spec.dated(message.values)  # the edition it is of
        if came.envelope is None and self.station.is_ours(payload, message.role):
            self._acts += self.station.looped(now_ms)
            return self.stray(LOOPED, now_ms, spec, message)
        self.station.heard(now_ms)
        if message.role in STATION:
            return self._about_the_line(spec, message, now_ms)
        job = self._parties.answered(came, now_ms)
        if isinstance(job, str):
            return self.stray(job, now_ms, spec, message, copy=payload in self._answers)
        self._answers[payload] = None
        if len(self._answers) > _ANSWERS:
            self._answers.popitem(last=False)
        self._outcome(job, spec, message, now_ms)
        return self._pump(now_ms)

    def _about_the_line(self, spec: PartnerSpec, message: Message, now_ms: int) -> list[Act]:
        """A station telegram of the partner's."""
        told = (self.station.asked if message.role in ASKED else self.station.answered)(message, now_ms)
        if isinstance(told, str):
            return self.stray(told, now_ms, spec, message)
        self._acts += told
        if message.role is Role.KEEPALIVE_ANSWER:
            self.sparing.probed(self.line.partners, now_ms)
        return self._pump(now_ms)

    def _outcome(self, job: Job, spec: PartnerSpec, message: Message, now_ms: int) -> None:
        late = job.stage is Stage.LATE
        if not late:
            self._in_flight -= 1
        offset = None if late else job.offset  # of a late one the outcome is told already
        self._timers.set(str(job.offset), None)
        self._parties.remove(job)
        job.stage = Stage.DONE
        if late:
            self._jobs.pop(job.offset, None)
        assert job.numbers is not None
        if not late:  # a late one has left its route already, which may carry another telegram by now
            self.routes.give_back(job.numbers.route_number)
        line, command = self.line.name, job.command
        if command is None and not late:
            self._request_reported(job, now_ms, in_error=message.role is Role.ERROR_REPORT)
        if command is None:
            report = reported(spec, job.transaction_id, line, job.numbers, message, late, now_ms)
            self._tell("reports", job.key, report, offset)
            return
        answer = cancel_reported(spec, job.transaction_id, line, job.attempt, command, message, now_ms)
        self._tell("cancel-reports", job.key, answer, offset)

    def _request_reported(self, job: Job, now_ms: int, *, in_error: bool) -> None:
        """For the breakers, which count requests: nothing else that is answered says that requests would be."""
        partner = self._partner_of(job)
        self.sparing.reported(partner, now_ms, in_error=in_error)
        if partner == self.line.partner:
            self._acts += self.station.reported(now_ms, in_error=in_error)

    def stray(
        self, why: str, now_ms: int, spec: PartnerSpec | None = None, message: Message | None = None, *,
        copy: bool = False,
    ) -> list[Act]:  # fmt: skip
        """Something from the partner that is for nobody: kept for people, masked."""
        role = None if message is None else message.role.value
        told = why if spec is None or message is None else f"{why}\n{spec.describe(message)}"
        record = StrayTelegram(line=self.line.name, role=role, description=told, received_ms=now_ms)
        self._acts.append(Tell("strays", self.line.name.encode(), record, copy=copy))
        return self._flush()

    def disconnected(self, now_ms: int, reason: str) -> list[Act]:
        """The connection is gone: what was on the line is in doubt."""
        for job in [each for each in self._jobs.values() if each.stage is Stage.SENT]:
            self._silent(job, Doubt.LINE_BROKE, now_ms)
        self._acts += self.station.disconnected(now_ms, reason)
        return self._pump(now_ms)

    def called_again(self, now_ms: int) -> list[Act]:
        """The partner calls while there is a connection to it."""
        self._acts += self.station.called_again(now_ms)
        return self._flush()

    def writable(self, writable: bool, now_ms: int) -> list[Act]:
        """Whether the partner takes what is transmitted."""
        self._writable = writable
        return self._pump(now_ms)

    # --- time

    def due(self, now_ms: int) -> list[Act]:
        """What the passing of time brings."""
        for name, _ in self._timers.take(now_ms):
            job = self._jobs.get(int(name))
            if job is None:
                continue
            if job.stage is Stage.WAITING:
                if not self._draining:
                    self._withhold(job, self._why_waiting(job), now_ms)
            elif job.stage is Stage.SENT:
                self._silent(job, Doubt.SILENCE, now_ms)
            elif job.stage is Stage.LATE:
                self._parties.remove(job)
                del self._jobs[job.offset]
        self._known.forget_before(now_ms - self.times.look_back_ms)
        self._acts += self.station.due(now_ms)
        return self._pump(now_ms)

    def _why_waiting(self, job: Job) -> Reason:
        if not self.station.carries or not self._writable:
            return not_open(job)
        return no_route(job)

    def _silent(self, job: Job, doubt: Doubt, now_ms: int) -> None:
        self._in_flight -= 1
        self._in_doubt(job, doubt, now_ms)
        if doubt is Doubt.SILENCE and job.command is None:
            partner = self._partner_of(job)
            self.sparing.silent(partner, now_ms, job.sent_ms)
            if partner == self.line.partner:
                self._acts += self.station.silent(now_ms, job.sent_ms)

    def _in_doubt(self, job: Job, doubt: Doubt, now_ms: int, *, holds: bool = True) -> None:
        """Nobody knows what became of what was on the line: its route is held, its cancel begins or goes on."""
        assert job.numbers is not None
        job.stage = Stage.LATE
        self._timers.set(str(job.offset), now_ms + self.times.look_back_ms)
        self.routes.give_back(job.numbers.route_number)
        about = job.numbers
        if job.command not in CANCELS:
            about = self._known.request(job.transaction_id) or numbers_of(job.original) or job.numbers
        if holds and self.routes.hold(about.route_number, job.transaction_id):
            self._tell_hold(job, about, now_ms, job.offset)
        topic = "reports" if job.command is None else "cancel-reports"
        self._tell(topic, job.key, unanswered(job, self.line.name, doubt, now_ms), job.offset)

    def told(self, offset: int) -> None:
        """The log holds something that followed from this dispatch; with the last of it, the dispatch is done with."""
        self._untold[offset] -= 1
        if self._untold[offset]:
            return
        del self._untold[offset]
        job = self._jobs.get(offset)
        if job is not None and job.stage is Stage.SENT:  # that was its hold: what comes of it is still to be told
            return
        self._offsets.close(offset)
        if job is not None and job.stage is Stage.DONE:
            del self._jobs[offset]

    # --- giving up

    def drain(self, now_ms: int) -> list[Act]:
        """Take no more orders: what waits is for the next owner."""
        self._draining = True
        self._acts += self.station.will_close(now_ms)
        return self._flush()

    def close(self, now_ms: int) -> list[Act]:
        """Close the station; what is still on the line is in doubt."""
        self._acts += self.station.close(now_ms)
        return self._flush()

    # --- small things

    def _tell(self, topic: str, key: bytes, record: Record | None, offset: int | None) -> None:
        """Write something; the dispatch at `offset` is not done with before it is stored."""
        if offset is not None:
            self._untold[offset] = self._untold.get(offset, 0) + 1
        self._acts.append(Tell(topic, key, record, offset))

    def _tell_hold(self, job: Job, about: Numbers, now_ms: int, offset: int | None = None) -> None:
        """The route in `about` is held for the cancel of the job's transaction."""
        self._told_holds.add(about.route_number)
        record = held(job, about, self.line.name, now_ms)
        self._tell("holds", self._hold_key(about.route_number), record, offset)

    def _let_go(self, transaction_id: str, offset: int | None) -> None:
        routes = self.routes.let_go(transaction_id)
        first = self._known.request(transaction_id)
        if not routes and first is not None and not self.routes.taken(first.route_number, transaction_id):
            routes = [first.route_number]  # a former owner, frozen since, may have told a hold that nobody ends
        for route in routes:
            self._told_holds.discard(route)
            if offset is not None and offset not in self._offsets:
                self._offsets.open(offset)
            self._tell("holds", self._hold_key(route), None, offset)

    def _route_ordered(self, offset: int, order: RouteOrdered, now_ms: int) -> None:
        """An operator takes a route out of use, or ends whatever hold is on it."""
        if order.order_id in self._not_done:
            return
        self._offsets.open(offset)
        route = order.route_number
        holder = self.routes.holder(route)
        if order.hold:
            done = self.routes.hold(route, f"{OPERATOR}{order.order_id}") or holder == f"{OPERATOR}{order.order_id}"
            if done:
                self._told_holds.add(route)
                self._tell("holds", self._hold_key(route), held_by_order(order, self.line.name), offset)
        else:
            # Read again, or made on an old view, it meant another hold than the one that is there now.
            done = holder is not None and order.seen in (None, holder) and self._inherited.get(holder, -1) < offset
            if holder is not None and done:
                self._let_go(holder, offset)
        answer = RouteOrderAnswered(
            order_id=order.order_id,
            line=self.line.name,
            route_number=route,
            hold=order.hold,
            operator=order.operator,
            reason=order.reason,
            node=self.node,
            done=done,
            released=holder if done and not order.hold else None,
            answered_ms=now_ms,
        )
        self._tell("line-answers", self.line.name.encode(), answer, offset)

    def _hold_key(self, route: int) -> bytes:
        return f"{self.line.name}/{route}".encode()

    def _give_back(self, job: Job) -> None:
        if job.numbers is not None:
            self.routes.give_back(job.numbers.route_number)
