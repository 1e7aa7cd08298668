"""What the centre does with a telegram: books, and telegrams to send. Pure; time is an argument."""

from collections import Counter
from collections.abc import Callable, Mapping

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
from simulator.acts import GARBAGE, NOISE, Act, Answered, Break, Rubbish, Send, Station, Stations, delivered
from simulator.conduct import Conduct, Moment
from simulator.deeds import LOST, NOT_CARRIED_OUT, Deed
from simulator.entries import CREDITS, Broken, Command, Entry, EntryKey
from simulator.ledger import Ledger
from simulator.rule_files import code_of
from simulator.rules import Fate, Rules
from simulator.scenario import Scenario
from simulator.sessions import Excess
from simulator.story import Story, Told, number_in, text_in

_UNCANCELLABLE = {Deed.TURN_ROUND: Outcome.TURNED_ROUND, Deed.ERROR_REPORT: Outcome.IN_ERROR}
_LINE_STATES = (Role.OPENING_REQUEST, Role.CLOSING_REQUEST)


class Centre:
    """A partner's centre.

    `carries`: whom it passes telegrams on to, by code (MC 回線). `clock_s`, `recorded`: see `Story`.
    """

    def __init__(
        self, partner: PartnerSpec, rules: Rules, *, story: bool = True, carries: Mapping[str, "Centre"] | None = None,
        clock_s: Callable[[], float] | None = None, recorded: bool = False,
    ) -> None:  # fmt: skip
        self.partner = partner
        self.carries: dict[str, Centre] = dict(carries or {})
        self.conduct = Conduct(partner, rules=rules, recorded=story)
        self.ledger = Ledger()
        self.counters: Counter[str] = Counter()
        self._kept = story
        self._story = Story(partner, kept=story, clock_s=clock_s, recorded=recorded)
        self._stations = Stations()
        self._approvals = 0
        self._trace_number = partner.trace_range[0] - 1

    @property
    def rules(self) -> Rules:
        """The rules in force."""
        return self.conduct.rules

    def use(self, scenario: Scenario, now: Moment) -> None:
        """Behave as this scenario says from now on. The books stay, and so do the lines."""
        self.conduct = Conduct(self.partner, scenario, recorded=self._kept)
        self.conduct.begin(now)

    # --- telegrams in

    def of(self, partner: str | None) -> "Centre":
        """The centre of this partner, here or passed on to; None: this one. Raises `KeyError`."""
        every = {self.partner.name: self, **{each.partner.name: each for each in self.carries.values()}}
        return self if partner is None else every[partner]

    def received(self, station: Station, payload: bytes, now: Moment, *, passed_on: bool = False) -> list[Act]:
        """A telegram from the gateway. `passed_on`: by the centre whose line it came over."""
        station.came = payload
        try:
            message = self.partner.read(payload)
        except DecodeError as error:
            self.ledger.violation(Broken.UNREADABLE, station.name, str(error))
            return []
        if message.role in ORDINARY_REQUESTS:
            return self._request(station, message, now)
        if message.role in FAULT_COMMANDS:
            return self._command(station, message, now)
        if passed_on:
            self.ledger.violation(Broken.NOT_CARRIED, station.name, f"{message.role} in an envelope")
            return []
        if message.role is Role.ENVELOPE_REQUEST:
            return self._passed_on(station, message, now)
        return self._about_the_line(station, message, now)

    def _passed_on(self, station: Station, message: Message, now: Moment) -> list[Act]:
        """What is inside goes to the centre that it is for; what that one answers comes back in an envelope."""
        self._told_to_us(station, message, Deed.ANSWER)
        code, inside = text_in(message, "carried_code"), text_in(message, "carried_telegram")
        centre = self.carries.get(code)
        if centre is None:
            self.ledger.violation(Broken.NOT_CARRIED, station.name, f"an envelope for {code}")
            return []
        acts: list[Act] = []
        for act in centre.received(station, bytes.fromhex(inside), now, passed_on=True):
            if isinstance(act, Send):
                acts.append(act._replace(envelope=message.values))
            elif isinstance(act, Rubbish) and act.data != NOISE:
                looped = act.data == centre.partner.framing.wrap(bytes.fromhex(inside))
                sent = bytes.fromhex(inside) if looped else GARBAGE
                acts.append(Rubbish(self._enveloped(station, message.values, sent)))
            else:
                acts.append(act)
        return acts

    def _enveloped(self, station: Station, envelope: Mapping[str, Value], inside: bytes) -> bytes:
        values = {**envelope, "carried_telegram": inside.hex()}
        return self.partner.framing.wrap(self._told_by_us(station, Role.ENVELOPE_REPORT, values))

    def disconnected(self, station: Station) -> None:
        """The connection is gone."""
        self._stations.close(station)

    # --- requests

    def _request(self, station: Station, message: Message, now: Moment) -> list[Act]:
        key = EntryKey(station.name, text_in(message, "business_date"), number_in(message, "trace_number"))
        fate = self.conduct.fate(message, key, station.name, now)
        self._take(station, message, fate)
        entry = self._entry(station, message, fate, now)
        if fate.do in LOST:
            self.ledger.lost(entry)
            return self._gone(station, fate)
        if entry.outcome is Outcome.APPROVED:
            self._approvals += 1
            entry.approval_code = self._approval_code(stand_in=entry.stand_in)
        self.ledger.request(entry)
        return delivered(self.partner, station, fate, self._report(message, fate, entry))

    def _gone(self, station: Station, fate: Fate) -> list[Act]:
        """It never came; on a looped line it goes back."""
        looped = fate.do is Deed.LOOP
        return [Rubbish(self.partner.framing.wrap(station.came))] if looped else []

    def _approval_code(self, *, stand_in: bool) -> str:
        """The next one; of a stand-in answer 代行 with S in front, or 9 where no letter fits: an assumption of ours."""
        if not stand_in:
            return f"{self._approvals % 1_000_000:06}"
        letters = self.partner.telegrams[Role.SALE_REPORT].field("approval_code").type != "digits"
        return f"{'S' if letters else '9'}{self._approvals % 100_000:05}"

    def _entry(self, station: Station, message: Message, fate: Fate, now: Moment) -> Entry:
        values = message.values
        pan = str(self.partner.masked({"pan": values.get("pan", "")})["pan"])
        original = self._original(station, message, pan)
        amount = number_in(message, "amount")
        over = fate.do is Deed.STAND_IN and fate.floor_limit is not None and amount > fate.floor_limit
        if fate.do is Deed.DECLINE or over:
            outcome = Outcome.DECLINED
        elif fate.do in _UNCANCELLABLE:
            outcome = _UNCANCELLABLE[fate.do]
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
            stand_in=fate.do is Deed.STAND_IN,
            at_ms=round(now.clock.timestamp() * 1_000),
        )

    def _original(self, station: Station, message: Message, pan: str) -> Entry | None:
        values = message.values
        if message.role not in CREDITS:
            return None
        code = values.get("original_approval_code")
        wanted = None if code is None else str(code)
        return self.ledger.original_of(station.name, *_named(message), approval_code=wanted, pan=pan)

    def _report(self, message: Message, fate: Fate, entry: Entry) -> Send:
        if entry.outcome is Outcome.IN_ERROR or fate.do is Deed.OTHER_ERROR:
            return self._error_report(message, fate)._replace(about=entry.key, is_report=True, ends=True)
        values: dict[str, Value] = dict(message.values)
        partner = self.partner.dated(values)
        values["result_code"] = partner.result_code_for(entry.outcome)
        stood_in_vain = fate.do is Deed.STAND_IN and entry.outcome is Outcome.DECLINED
        if fate.do in (Deed.DECLINE, Deed.TURN_ROUND) or stood_in_vain:
            values["result_code"] = code_of(fate, partner)
        if entry.approval_code is not None:
            values["approval_code"] = entry.approval_code
        return self._send(REPORT_OF[message.role], values)._replace(about=entry.key, is_report=True, ends=True)

    # --- cancel telegrams

    def _command(self, station: Station, message: Message, now: Moment) -> list[Act]:
        original = EntryKey(station.name, *_named(message))
        fate = self.conduct.fate(message, original, station.name, now)
        self._take(station, message, fate)
        lost = fate.do in LOST
        done = not lost and fate.do not in NOT_CARRIED_OUT
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
        self.ledger.command(command, done=done, lost=lost)
        if lost:
            return self._gone(station, fate)
        if fate.do in (Deed.ERROR_REPORT, Deed.OTHER_ERROR):
            answer = self._error_report(message, fate)._replace(about=original, ends=True)
            return delivered(self.partner, station, fate, answer)
        partner = self.partner.dated(message.values)
        outcome = Outcome.DECLINED if fate.do is Deed.TROUBLE else Outcome.APPROVED
        code = partner.result_code_for(outcome, fault_cancel=True)
        values: dict[str, Value] = {**message.values, "result_code": code}
        if fate.do is Deed.TROUBLE:
            values["error_code"] = code_of(fate, partner)
        answer = self._send(REPORT_OF[message.role], values)._replace(about=original, ends=done)
        return delivered(self.partner, station, fate, answer)

    # --- the line itself

    def _about_the_line(self, station: Station, message: Message, now: Moment) -> list[Act]:
        self._name(station, message)
        answer = REPORT_OF.get(message.role)
        if answer is None:
            return self._answered(station, message)
        fate = self.conduct.fate(message, station.name, station.name, now)
        self._told_to_us(station, message, fate.do)
        number = number_in(message, "trace_number")
        self.ledger.numbered(EntryKey(station.name, text_in(message, "business_date"), number))
        if fate.do in LOST:
            return self._gone(station, fate)
        acts: list[Act] = []
        values: dict[str, Value] = dict(message.values)
        partner = self.partner.dated(values)
        if message.role in _LINE_STATES:
            refused = fate.do is Deed.REFUSE
            if message.role is Role.OPENING_REQUEST and not refused:
                excess = self._stations.refusal(station, self.conduct.scenario.sessions)
                if excess is Excess.HANG_UP:
                    self.counters["hung_up_sessions"] += 1
                    return [Break(station.number)]
                refused = self.conduct.refuses(station.name) or excess is Excess.REFUSE_OPENING
            values["result_code"] = partner.result_code_for(Outcome.DECLINED if refused else Outcome.APPROVED)
            if fate.do is Deed.REFUSE:
                values["result_code"] = code_of(fate, partner)
            if not refused and message.role is Role.OPENING_REQUEST:
                acts += self._open(station, message)
            elif not refused:
                self.disconnected(station)
        return [*acts, *delivered(self.partner, station, fate, self._send(answer, values))]

    def _name(self, station: Station, message: Message) -> None:
        name = str(message.values.get("station_id", station.name))
        if station.name == "?":
            station.name = name
        elif station.name != name:
            self.ledger.violation(Broken.OTHER_STATION, station.name, f"{message.role} in the name of {name}")

    def _open(self, station: Station, message: Message) -> list[Act]:
        """The session is open here; where its station has too many now, the oldest one is broken."""
        station.opening = message.values
        older = self._stations.open(station, self.conduct.scenario.sessions)
        for centre in (self, *self.carries.values()):
            centre.ledger.opened(station.name, station.number)
        if older is None:
            return []
        self.counters["replaced_connections"] += 1
        return [Break(older.number)]

    def _answered(self, station: Station, message: Message) -> list[Act]:
        """An answer to a telegram of the centre's own; or to none."""
        self._story.tell(station.name, "→", message, station.came)
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
            return self._enveloped(station, send.envelope, centre._telegram(station, send))  # noqa: SLF001  one of us
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
        return self._told_by_us(station, send.role, send.values)

    def _send(self, role: Role, values: Mapping[str, Value]) -> Send:
        return Send(role, self.partner.dated(values).telegrams[role].fitting(values))

    def _error_report(self, message: Message, fate: Fate) -> Send:
        """異常報告: its "original" is the telegram that was in error, whatever that one was about."""
        values: dict[str, Value] = dict(message.values)
        partner = self.partner.dated(values)
        for name in ("trace_number", "route_number", "business_date", "amount"):
            if name in values:
                values[f"original_{name}"] = values[name]
        values["original_type_code"] = partner.type_code(message.role)
        values["error_code"] = code_of(fate, partner)
        return self._send(Role.ERROR_REPORT, values)

    # --- the story, and what every request and cancel telegram has to keep to

    def story(self, since: int = 0) -> list[Told]:
        """The telegrams that passed, from the one numbered `since` on."""
        return self._story.since(since)

    def last_told(self, count: int) -> list[Told]:
        """The last telegrams that passed, the newest first."""
        return self._story.last(count)

    def _take(self, station: Station, message: Message, fate: Fate) -> None:
        self._told_to_us(station, message, fate.do)
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
        self._story.tell(station.name, "→", message, station.came, deed)

    def _told_by_us(self, station: Station, role: Role, values: dict[str, Value]) -> bytes:
        data = self.partner.dated(values).encode(role, values)
        self._story.tell(station.name, "←", Message(role, values), data)
        return data


def _named(message: Message) -> tuple[str, int]:
    """What a follow-up or a cancel telegram is about."""
    return text_in(message, "original_business_date"), number_in(message, "original_trace_number")
