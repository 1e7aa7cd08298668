"""What the centre does with a telegram: books, and telegrams to send. Pure; time is not even an argument."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from schemas.telegrams import (
    FAULT_COMMANDS,
    ORDINARY_REQUESTS,
    REPORT_OF,
    DecodeError,
    Message,
    Outcome,
    PartnerSpec,
    Role,
    Value,
)
from simulator.entries import CREDITS, Broken, Command, Entry, EntryKey
from simulator.ledger import Ledger
from simulator.rules import Deed, Rule, Rules, code_of
from simulator.story import Story, Told, number_in, text_in

GARBAGE = b"\xff\x00 this is no telegram \xff"
NOISE = b"\x00" * 16  # a length of nothing, in every framing
_UNCANCELLABLE = {Deed.TURN_ROUND: Outcome.TURNED_ROUND, Deed.ERROR_REPORT: Outcome.IN_ERROR}
_LINE_STATES = (Role.OPENING_REQUEST, Role.CLOSING_REQUEST)


class Send(NamedTuple):
    """Send this after so many milliseconds; then call `Centre.sent`."""

    role: Role
    values: dict[str, Value]
    after_ms: int = 0
    about: EntryKey | None = None
    is_report: bool = False  # it answers the request `about`
    ends: bool = False  # nothing is open any more about what it answers
    envelope: Mapping[str, Value] | None = None  # what the telegram it answers came in; it goes back in another


class Break(NamedTuple):
    """Break the connection of this number."""

    number: int


class Rubbish(NamedTuple):
    """Send bytes that are no telegram."""

    data: bytes


class Answered(NamedTuple):
    """The centre's own telegram with this trace number was answered by this one."""

    role: Role
    trace_number: int


Act = Send | Break | Rubbish | Answered


class Station:
    """One connection of the gateway: whose it is, and whether it is open."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.name = "?"
        self.open = False
        self.opening: Mapping[str, Value] = {}  # the telegram that opened it
        self.asked: set[tuple[Role, int]] = set()  # what the centre awaits: the answer's role, and trace number


class Centre:
    """A partner's centre. `carries`: to which centres it passes telegrams on, by the code on the envelope (MC 回線)."""

    def __init__(
        self, partner: PartnerSpec, rules: Rules, *, story: bool = True, carries: Mapping[str, "Centre"] | None = None
    ) -> None:
        self.partner = partner
        self.carries: dict[str, Centre] = dict(carries or {})
        self.rules = rules
        self.ledger = Ledger()
        self.counters: Counter[str] = Counter()
        self.refuse_opening = False
        self._story = Story(partner, kept=story)
        self._stations: dict[str, Station] = {}  # by name, while open
        self._approvals = 0
        self._trace_number = partner.trace_range[0] - 1

    # --- telegrams in

    def of(self, partner: str | None) -> "Centre":
        """The centre of this partner, here or passed on to; None: this one. Raises `KeyError`."""
        every = {self.partner.name: self, **{each.partner.name: each for each in self.carries.values()}}
        return self if partner is None else every[partner]

    def received(self, station: Station, payload: bytes, *, passed_on: bool = False) -> list[Act]:
        """A telegram from the gateway. `passed_on`: by the centre whose line it came over."""
        try:
            message = self.partner.read(payload)
        except DecodeError as error:
            self.ledger.violation(Broken.UNREADABLE, station.name, str(error))
            return []
        if message.role in ORDINARY_REQUESTS:
            return self._request(station, message)
        if message.role in FAULT_COMMANDS:
            return self._command(station, message)
        if passed_on:
            self.ledger.violation(Broken.NOT_CARRIED, station.name, f"{message.role} in an envelope")
            return []
        if message.role is Role.ENVELOPE_REQUEST:
            return self._passed_on(station, message)
        return self._about_the_line(station, message)

    def _passed_on(self, station: Station, message: Message) -> list[Act]:
        """What is inside goes to the centre that it is for; what that one answers comes back in an envelope."""
        self._told_to_us(station, message, Deed.ANSWER)
        code, inside = text_in(message, "carried_code"), text_in(message, "carried_telegram")
        centre = self.carries.get(code)
        if centre is None:
            self.ledger.violation(Broken.NOT_CARRIED, station.name, f"an envelope for {code}")
            return []
        acts: list[Act] = []
        for act in centre.received(station, bytes.fromhex(inside), passed_on=True):
            if isinstance(act, Send):
                acts.append(act._replace(envelope=message.values))
            elif isinstance(act, Rubbish) and act.data != NOISE:
                acts.append(Rubbish(self._enveloped(message.values, GARBAGE)))
            else:
                acts.append(act)
        return acts

    def _enveloped(self, envelope: Mapping[str, Value], inside: bytes) -> bytes:
        values = {**envelope, "carried_telegram": inside.hex()}
        return self.partner.framing.wrap(self.partner.dated(values).encode(Role.ENVELOPE_REPORT, values))

    def disconnected(self, station: Station) -> None:
        """The connection is gone."""
        station.open = False
        if self._stations.get(station.name) is station:
            del self._stations[station.name]

    # --- requests

    def _request(self, station: Station, message: Message) -> list[Act]:
        key = EntryKey(station.name, text_in(message, "business_date"), number_in(message, "trace_number"))
        rule = self.rules.of(message, key)
        self._take(station, message, rule)
        entry = self._entry(station, message, rule)
        if rule.do is Deed.LOSE:
            self.ledger.lost(entry)
            return []
        if entry.outcome is Outcome.APPROVED:
            self._approvals += 1
            entry.approval_code = f"{self._approvals % 1_000_000:06}"
        self.ledger.request(entry)
        return self._delivered(station, rule, self._report(message, rule, entry))

    def _entry(self, station: Station, message: Message, rule: Rule) -> Entry:
        values = message.values
        pan = str(self.partner.masked({"pan": values.get("pan", "")})["pan"])
        original = self._original(station, message, pan)
        amount = number_in(message, "amount")
        if rule.do is Deed.DECLINE:
            outcome = Outcome.DECLINED
        elif rule.do in _UNCANCELLABLE:
            outcome = _UNCANCELLABLE[rule.do]
        elif message.role in CREDITS and (original is None or self.ledger.left(original) < amount):
            outcome = Outcome.DECLINED  # there is nothing to take back, or not so much
        else:
            outcome = Outcome.APPROVED
        paid = message.role if original is None else original.role
        return Entry(
            station=station.name,
            business_date=text_in(message, "business_date"),
            trace_number=number_in(message, "trace_number"),
            route_number=number_in(message, "route_number"),
            role=message.role,
            type_code=self.partner.dated(values).type_code(message.role),
            terminal_id=text_in(message, "terminal_id"),
            amount=amount,
            pan=pan,
            reference=str(values["reference"]) if "reference" in values else None,
            outcome=outcome,
            connection=station.number,
            names=_named(message) if message.role in CREDITS else None,
            original=None if original is None else original.key,
            moves_money=paid is not Role.AUTHORISATION_REQUEST,
        )

    def _original(self, station: Station, message: Message, pan: str) -> Entry | None:
        values = message.values
        if message.role not in CREDITS:
            return None
        code = values.get("original_approval_code")
        wanted = None if code is None else str(code)
        return self.ledger.original_of(station.name, *_named(message), approval_code=wanted, pan=pan)

    def _report(self, message: Message, rule: Rule, entry: Entry) -> Send:
        if entry.outcome is Outcome.IN_ERROR:
            return self._error_report(message, rule)._replace(about=entry.key, is_report=True, ends=True)
        values: dict[str, Value] = dict(message.values)
        partner = self.partner.dated(values)
        values["result_code"] = partner.result_code_for(entry.outcome)
        if rule.do in (Deed.DECLINE, Deed.TURN_ROUND):
            values["result_code"] = code_of(rule, partner)
        if entry.approval_code is not None:
            values["approval_code"] = entry.approval_code
        return self._send(REPORT_OF[message.role], values)._replace(about=entry.key, is_report=True, ends=True)

    # --- cancel telegrams

    def _command(self, station: Station, message: Message) -> list[Act]:
        original = EntryKey(station.name, *_named(message))
        rule = self.rules.of(message, original)
        self._take(station, message, rule)
        done = rule.do not in (Deed.TROUBLE, Deed.ERROR_REPORT, Deed.LOSE)
        command = Command(
            role=message.role,
            station=station.name,
            route_number=number_in(message, "route_number"),
            trace_number=number_in(message, "trace_number"),
            business_date=text_in(message, "business_date"),
            original=original,
            original_route=number_in(message, "original_route_number"),
            original_type=text_in(message, "original_type_code"),
            terminal_id=text_in(message, "terminal_id"),
            amount=number_in(message, "amount"),
            connection=station.number,
        )
        self.ledger.command(command, done=done, lost=rule.do is Deed.LOSE)
        if rule.do is Deed.LOSE:
            return []
        if rule.do is Deed.ERROR_REPORT:
            answer = self._error_report(message, rule)._replace(about=original, ends=True)
            return self._delivered(station, rule, answer)
        values: dict[str, Value] = dict(message.values)
        partner = self.partner.dated(values)
        values["result_code"] = partner.result_code_for(Outcome.APPROVED if done else Outcome.DECLINED)
        if rule.do is Deed.TROUBLE:
            values["error_code"] = code_of(rule, partner)
        answer = self._send(REPORT_OF[message.role], values)._replace(about=original, ends=done)
        return self._delivered(station, rule, answer)

    # --- the line itself

    def _about_the_line(self, station: Station, message: Message) -> list[Act]:
        self._name(station, message)
        answer = REPORT_OF.get(message.role)
        if answer is None:
            return self._answered(station, message)
        rule = self.rules.of(message, station.name)
        self._told_to_us(station, message, rule.do)
        if rule.do is Deed.LOSE:
            return []
        acts: list[Act] = []
        values: dict[str, Value] = dict(message.values)
        partner = self.partner.dated(values)
        if message.role in _LINE_STATES:
            refused = rule.do is Deed.REFUSE or (message.role is Role.OPENING_REQUEST and self.refuse_opening)
            values["result_code"] = partner.result_code_for(Outcome.DECLINED if refused else Outcome.APPROVED)
            if rule.do is Deed.REFUSE:
                values["result_code"] = code_of(rule, partner)
            if not refused and message.role is Role.OPENING_REQUEST:
                acts += self._open(station, message)
            elif not refused:
                self.disconnected(station)
        return [*acts, *self._delivered(station, rule, self._send(answer, values))]

    def _name(self, station: Station, message: Message) -> None:
        name = str(message.values.get("station_id", station.name))
        if station.name == "?":
            station.name = name
        elif station.name != name:
            self.ledger.violation(Broken.OTHER_STATION, station.name, f"{message.role} in the name of {name}")

    def _open(self, station: Station, message: Message) -> list[Act]:
        """The station is open here, and so nowhere else: an older connection of it is broken."""
        older = self._stations.get(station.name)
        station.open, station.opening = True, message.values
        self._stations[station.name] = station
        for centre in (self, *self.carries.values()):
            centre.ledger.opened(station.name, station.number)
        if older is None or older is station:
            return []
        older.open = False
        self.counters["replaced_connections"] += 1
        return [Break(older.number)]

    def _answered(self, station: Station, message: Message) -> list[Act]:
        """An answer to a telegram of the centre's own; or to none."""
        self._tell(station, "→", message)
        self.counters[f"own_{message.role}"] += 1
        asked = message.role, number_in(message, "trace_number")
        if asked not in station.asked:
            self.ledger.violation(Broken.NOT_ASKED, station.name, f"{message.role} {asked[1]}")
            return []
        station.asked.remove(asked)
        if message.role is not Role.CLOSING_ANSWER:
            return [Answered(*asked)]
        self.disconnected(station)
        return [Break(station.number)]

    # --- telegrams out

    def ask(self, station: Station, role: Role, date: str, time: str) -> Send:
        """A keep-alive or a closing of the centre's own, on an open line."""
        first, last = self.partner.trace_range
        self._trace_number = self._trace_number + 1 if self._trace_number < last else first
        values = {
            **station.opening,
            "business_date": date,
            "sent_time": time,
            "trace_number": self._trace_number,
            "route_number": 0,
        }
        return self._send(role, values)

    def sent(self, station: Station, send: Send) -> bytes:
        """It goes out now: its bytes, framed."""
        if send.envelope is not None:
            centre = self.carries[str(send.envelope["carried_code"])]
            return self._enveloped(send.envelope, centre._telegram(station, send))  # noqa: SLF001  one of us
        return self.partner.framing.wrap(self._telegram(station, send))

    def _telegram(self, station: Station, send: Send) -> bytes:
        if send.role in REPORT_OF:
            self.counters[f"own_{send.role}"] += 1
            station.asked.add((REPORT_OF[send.role], int(send.values["trace_number"])))
        else:
            self.counters[send.role] += 1
        if send.about is not None and send.is_report:
            self.ledger.reported(send.about)
        if send.about is not None and send.ends:
            cancelled = not send.is_report and send.role is not Role.ERROR_REPORT
            route = int(send.values["route_number"])
            self.ledger.answered(send.about, station.name, route, cancelled=cancelled)
        self._tell(station, "←", Message(send.role, send.values))
        return self.partner.dated(send.values).encode(send.role, send.values)

    def _delivered(self, station: Station, rule: Rule, answer: Send) -> list[Act]:
        answer = answer._replace(after_ms=rule.waits_ms)
        match rule.do:
            case Deed.SILENT:
                return []
            case Deed.TWICE:
                return [answer, answer]
            case Deed.DROP:
                return [Break(station.number)]
            case Deed.GARBAGE:
                return [Rubbish(self.partner.framing.wrap(GARBAGE))]
            case Deed.NOISE:
                return [Rubbish(NOISE)]
            case Deed.OTHER_AMOUNT:  # so it answers nothing
                amount = int(answer.values["amount"])
                return [Send(answer.role, {**answer.values, "amount": amount - 1 if amount else 1}, answer.after_ms)]
            case _:
                return [answer]

    def _send(self, role: Role, values: Mapping[str, Value]) -> Send:
        names = self.partner.dated(values).telegrams[role].names
        return Send(role, {name: value for name, value in values.items() if name in names})

    def _error_report(self, message: Message, rule: Rule) -> Send:
        values: dict[str, Value] = dict(message.values)
        partner = self.partner.dated(values)
        values["original_type_code"] = partner.type_code(message.role)
        values["error_code"] = code_of(rule, partner)
        return self._send(Role.ERROR_REPORT, values)

    # --- the story, and what every request and cancel telegram has to keep to

    def story(self, since: int = 0) -> list[Told]:
        """The telegrams that passed, from the one numbered `since` on."""
        return self._story.since(since)

    def _take(self, station: Station, message: Message, rule: Rule) -> None:
        self._told_to_us(station, message, rule.do)
        if not station.open:
            self.ledger.violation(Broken.NOT_OPEN, station.name, f"{message.role} before an opening")
        for name, (first, last) in (
            ("trace_number", self.partner.trace_range),
            ("route_number", self.partner.route_range),
        ):
            if not first <= (number := number_in(message, name)) <= last:
                text = f"{message.role}: {name} {number} is not from {first} to {last}"
                self.ledger.violation(Broken.OUT_OF_RANGE, station.name, text)

    def _told_to_us(self, station: Station, message: Message, deed: Deed) -> None:
        self.counters[message.role] += 1
        self._tell(station, "→", message, deed)

    def _tell(self, station: Station, way: str, message: Message, deed: Deed | None = None) -> None:
        self._story.tell(station.name, way, message, deed)


def _named(message: Message) -> tuple[str, int]:
    """What a follow-up or a cancel telegram is about."""
    return text_in(message, "original_business_date"), number_in(message, "original_trace_number")
