"""What the centre does with a telegram: books, and telegrams to send. Pure; time is not even an argument."""

from collections import Counter, deque
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from schemas.telegrams import (
    FAULT_COMMANDS,
    ORDINARY_REQUESTS,
    REPORT_OF,
    DecodeError,
    ErrorClass,
    Message,
    Outcome,
    PartnerSpec,
    Role,
    Value,
)
from simulator.ledger import Broken, Command, Entry, EntryKey, Ledger
from simulator.rules import Deed, Rule, Rules

GARBAGE = b"\xff\x00 this is no telegram \xff"
_STORY = 200_000
_UNCANCELLABLE = {Deed.TURN_ROUND: Outcome.TURNED_ROUND, Deed.ERROR_REPORT: Outcome.IN_ERROR}


class Send(NamedTuple):
    """Send this after so many milliseconds; then call `Centre.sent`."""

    role: Role
    values: dict[str, Value]
    after_ms: int
    about: EntryKey | None
    ends: bool  # nothing is open any more about what it answers


class Break(NamedTuple):
    """Break the connection."""


class Rubbish(NamedTuple):
    """Send bytes that are no telegram."""


Act = Send | Break | Rubbish


class Told(msgspec.Struct, frozen=True):
    """A line of the story: one telegram that passed. `way` is seen from the gateway."""

    number: int
    station: str
    way: str  # "→" from the gateway, "←" to it
    role: Role
    type_code: str
    route_number: int
    trace_number: int
    original_trace_number: int | None
    text: str


class Station:
    """One connection of the gateway: whose it is, and whether it is open."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.name = "?"
        self.open = False


class Centre:
    """A partner's centre."""

    def __init__(self, partner: PartnerSpec, rules: Rules, *, story: bool = True) -> None:
        self.partner = partner
        self.rules = rules
        self.ledger = Ledger()
        self.counters: Counter[str] = Counter()
        self.refuse_opening = False
        self._story: deque[Told] | None = deque(maxlen=_STORY) if story else None
        self._told = 0
        self._approvals = 0
        self._trace_number = 0

    # --- telegrams in

    def received(self, station: Station, payload: bytes) -> list[Act]:
        """A telegram from the gateway."""
        try:
            message = self.partner.decode(payload)
        except DecodeError as error:
            self.ledger.violation(Broken.UNREADABLE, station.name, str(error))
            return []
        self.counters[message.role] += 1
        if message.role in ORDINARY_REQUESTS:
            return self._request(station, message)
        if message.role in FAULT_COMMANDS:
            return self._command(station, message)
        return self._about_the_line(station, message)

    def _request(self, station: Station, message: Message) -> list[Act]:
        values = message.values
        key = EntryKey(station.name, _text(values, "business_date"), _number(values, "trace_number"))
        rule = self.rules.of(message, key)
        self._tell(station, "→", message)
        if rule.do is Deed.LOSE:
            return []
        self._must_be_open(station, message)
        outcome = self._outcome(rule, station, values)
        self.ledger.request(self._entry(station, message, outcome))
        answer = self._report(message, rule, outcome, key)
        return self._delivered(rule, answer)

    def _outcome(self, rule: Rule, station: Station, values: Mapping[str, Value]) -> Outcome:
        if rule.do is Deed.DECLINE:
            return Outcome.DECLINED
        if rule.do in _UNCANCELLABLE:
            return _UNCANCELLABLE[rule.do]
        original = _original(station.name, values)
        if original is not None:
            entry = self.ledger.entries.get(original)
            if entry is None or not entry.stands:
                return Outcome.DECLINED  # there is nothing to take back
        return Outcome.APPROVED

    def _entry(self, station: Station, message: Message, outcome: Outcome) -> Entry:
        values = message.values
        masked = self.partner.masked({"pan": values.get("pan", "")})
        return Entry(
            station=station.name,
            business_date=_text(values, "business_date"),
            trace_number=_number(values, "trace_number"),
            route_number=_number(values, "route_number"),
            role=message.role,
            terminal_id=_text(values, "terminal_id"),
            amount=_number(values, "amount"),
            pan=str(masked["pan"]),
            reference=str(values["reference"]) if "reference" in values else None,
            outcome=outcome,
            connection=station.number,
            original=_original(station.name, values),
        )

    def _report(self, message: Message, rule: Rule, outcome: Outcome, key: EntryKey) -> Send:
        if outcome is Outcome.IN_ERROR:
            return self._error_report(message, rule, key)
        values: dict[str, Value] = dict(message.values)
        values["result_code"] = self._result_code(rule, outcome)
        if outcome is Outcome.APPROVED:
            self._approvals += 1
            values["approval_code"] = f"{self._approvals % 1_000_000:06}"
        return self._send(REPORT_OF[message.role], values, key, ends=True)

    def _command(self, station: Station, message: Message) -> list[Act]:
        values = message.values
        original = EntryKey(
            station.name, _text(values, "original_business_date"), _number(values, "original_trace_number")
        )
        rule = self.rules.of(message, original)
        self._tell(station, "→", message)
        if rule.do is Deed.LOSE:
            return []
        self._must_be_open(station, message)
        done = rule.do not in (Deed.TROUBLE, Deed.ERROR_REPORT)
        command = Command(
            role=message.role,
            station=station.name,
            route_number=_number(values, "route_number"),
            trace_number=_number(values, "trace_number"),
            business_date=_text(values, "business_date"),
            original=original,
            original_route=_number(values, "original_route_number"),
            amount=_number(values, "amount"),
            connection=station.number,
        )
        self.ledger.command(command, done=done)
        if rule.do is Deed.ERROR_REPORT:
            return self._delivered(rule, self._error_report(message, rule, original))
        answer: dict[str, Value] = dict(values)
        answer["result_code"] = self._result_code(rule, Outcome.APPROVED if done else Outcome.DECLINED)
        if rule.do is Deed.TROUBLE:
            answer["result_code"] = self.partner.result_code_for(Outcome.DECLINED)
            answer["error_code"] = rule.code or self._error_code(ErrorClass.DESTINATION_TROUBLE)
        return self._delivered(rule, self._send(REPORT_OF[message.role], answer, original, ends=done))

    def _about_the_line(self, station: Station, message: Message) -> list[Act]:
        if "station_id" in message.values and station.name == "?":
            station.name = _text(message.values, "station_id")
        self._tell(station, "→", message)
        answer = REPORT_OF.get(message.role)
        if answer is None:
            return []  # an answer to our own keep-alive
        rule = self.rules.of(message, station.name)
        if rule.do is Deed.LOSE:
            return []
        values: dict[str, Value] = dict(message.values)
        refused = rule.do is Deed.REFUSE or (message.role is Role.OPENING_REQUEST and self.refuse_opening)
        if message.role in (Role.OPENING_REQUEST, Role.CLOSING_REQUEST):
            values["result_code"] = self._result_code(rule, Outcome.DECLINED if refused else Outcome.APPROVED)
            if not refused:
                station.open = message.role is Role.OPENING_REQUEST
        return self._delivered(rule, self._send(answer, values, None, ends=True))

    # --- telegrams out

    def keepalive(self, station: Station, template: Mapping[str, Value]) -> Send:
        """A keep-alive of the centre's own."""
        self._trace_number += 1
        values = {**template, "station_id": station.name, "trace_number": self._trace_number, "route_number": 0}
        return self._send(Role.KEEPALIVE_REQUEST, values, None, ends=False)

    def sent(self, station: Station, send: Send) -> bytes:
        """It goes out now: its bytes, framed."""
        self.counters[send.role] += 1
        if send.about is not None:
            self.ledger.answered(send.about, station.name, _number(send.values, "route_number"), ends=send.ends)
        self._tell(station, "←", Message(send.role, send.values))
        return self.partner.framing.wrap(self.partner.encode(send.role, send.values))

    def _delivered(self, rule: Rule, answer: Send) -> list[Act]:
        match rule.do:
            case Deed.SILENT:
                return []
            case Deed.LATE:
                return [answer._replace(after_ms=rule.after_ms)]
            case Deed.TWICE:
                return [answer, answer]
            case Deed.DROP:
                return [Break()]
            case Deed.GARBAGE:
                return [Rubbish()]
            case _:
                return [answer]

    def _send(self, role: Role, values: Mapping[str, Value], about: EntryKey | None, *, ends: bool) -> Send:
        names = self.partner.telegrams[role].names
        return Send(role, {name: value for name, value in values.items() if name in names}, 0, about, ends)

    def _error_report(self, message: Message, rule: Rule, key: EntryKey) -> Send:
        values: dict[str, Value] = dict(message.values)
        values["original_type_code"] = self.partner.type_code(message.role)
        values["error_code"] = rule.code or self._error_code(ErrorClass.TELEGRAM_ERROR)
        return self._send(Role.ERROR_REPORT, values, key, ends=True)

    def _result_code(self, rule: Rule, outcome: Outcome) -> str:
        if rule.code is not None and rule.code in self.partner.result_codes:
            return rule.code
        return self.partner.result_code_for(outcome)

    def _error_code(self, error_class: ErrorClass) -> str:
        return next(code for code, each in self.partner.error_codes.items() if each.error_class is error_class)

    # --- the story

    def story(self, since: int = 0) -> list[Told]:
        """The telegrams that passed, from the one numbered `since` on."""
        return [told for told in self._story or () if told.number >= since]

    def _tell(self, station: Station, way: str, message: Message) -> None:
        self._told += 1
        if self._story is None:
            return
        values = message.values
        original = values.get("original_trace_number")
        self._story.append(
            Told(
                number=self._told,
                station=station.name,
                way=way,
                role=message.role,
                type_code=self.partner.type_code(message.role),
                route_number=_number(values, "route_number"),
                trace_number=_number(values, "trace_number"),
                original_trace_number=original if isinstance(original, int) else None,
                text=self.partner.describe(message),
            )
        )

    def _must_be_open(self, station: Station, message: Message) -> None:
        if not station.open:
            self.ledger.violation(Broken.NOT_OPEN, station.name, f"{message.role} before an opening")


def _original(station: str, values: Mapping[str, Value]) -> EntryKey | None:
    if "original_trace_number" not in values:
        return None
    return EntryKey(station, _text(values, "original_business_date"), _number(values, "original_trace_number"))


def _number(values: Mapping[str, Value], name: str) -> int:
    value = values[name]
    assert isinstance(value, int), name
    return value


def _text(values: Mapping[str, Value], name: str) -> str:
    return str(values[name])
