"""A gateway's end of the lines to a centre, as tables: what is sent, and what the centre makes of it.

    sale 1 r1 do=silent      -> !…   a sale, trace number 1, on route 1; the centre is told to stay silent
    8930 2 r1 of=1           ->      a cancel-confirm of it
    refund 3 r2 of=1 amount=500
    reopen                           a new connection of the station
    … on=B                           on the line of another station
    balance                  -> 700

After the arrow: the violations that came with it, the suspicions (with a question mark), or what was asked for.
"""

import datetime as dt
import functools
import itertools
from typing import Any

from schemas.telegrams import STATION_REQUESTS, Deframer, Message, PartnerSpec, Role, Value, load_partner
from simulator.acts import Act, Break, Rubbish, Send, Station
from simulator.centre import Centre
from simulator.conduct import Moment
from simulator.rule_files import rule_from
from simulator.rules import Rule, Rules

PARTNERS = ("cafis", "cardnet")
PAN = "4111111111111111"
DATE, TIME = "20261124", "093015"
ROLES = {
    "auth": Role.AUTHORISATION_REQUEST,
    "sale": Role.SALE_REQUEST,
    "cancel": Role.CANCEL_REQUEST,
    "refund": Role.REFUND_REQUEST,
    "8910": Role.FAULT_CANCEL,
    "8920": Role.FAULT_CANCEL_AGAIN,
    "8930": Role.FAULT_CONFIRM,
    "8940": Role.FAULT_CONFIRM_AGAIN,
}
NOON = Moment(0.0, dt.datetime(2026, 11, 24, 12, tzinfo=dt.timezone(dt.timedelta(hours=9))))
TERMINAL = "4980123456789"

NUMBERS = itertools.count(800_000)  # of station telegrams, each its own
partner_named = functools.lru_cache(load_partner)


def values_for(partner: PartnerSpec, role: Role, **given: Value | None) -> dict[str, Value]:
    """The values of a telegram: what is given, and samples for the rest of what it needs. None leaves a field out."""
    telegram = partner.telegrams[role]
    common: dict[str, Value] = {
        "terminal_id": TERMINAL[: telegram.field("terminal_id").length] if "terminal_id" in telegram.names else "",
        "pan": PAN,
        "amount": 1_200,
        "business_date": DATE,
        "original_business_date": DATE,
        "station_id": "DNB00001",
    }
    wanted = {**telegram.sample(optional=False), **common, **given}
    return {name: value for name, value in wanted.items() if name in telegram.names and value is not None}


class Line:
    """A connection of the gateway to a centre without sockets. Late answers wait in `waiting` until `pass_time`."""

    def __init__(self, centre: Centre, name: str = "DNB00001", number: int = 1, *, opened: bool = True) -> None:
        self.centre = centre
        self.name = name
        self.station = Station(number)
        self.broken = False
        self.now = NOON
        self.waiting: list[Send] = []
        self.rubbish: list[bytes] = []
        self._deframer: Deframer = centre.partner.framing.deframer()
        if opened:
            self.send(Role.OPENING_REQUEST, route_number=0)

    def send(self, role: Role, **given: Value | None) -> list[Message]:
        """Send a telegram; gives what comes back at once."""
        partner = self.centre.partner
        number = {"trace_number": next(NUMBERS)} if role in STATION_REQUESTS else {}
        values = values_for(partner, role, **{"station_id": self.name, **number, **given})
        return self.perform(self.centre.received(self.station, partner.encode(role, values), self.now))

    def perform(self, acts: list[Act]) -> list[Message]:
        heard: list[Message] = []
        for act in acts:
            match act:
                case Send(after_ms=0):
                    framed = self.centre.sent(self.station, act)
                    heard += [self.centre.partner.decode(each) for each in self._deframer.feed(framed)]
                case Send():
                    self.waiting.append(act)
                case Break() if act.number == self.station.number:
                    self.broken = True
                    self.centre.disconnected(self.station)
                case Rubbish():
                    self.rubbish.append(act.data)
        return heard

    def pass_time(self) -> list[Message]:
        """What was to come later comes now."""
        waiting, self.waiting = self.waiting, []
        return self.perform([each._replace(after_ms=0) for each in waiting])


class Table:
    """Plays the lines of a table on a centre."""

    def __init__(self, partner: str, centre: Centre | None = None) -> None:
        self.partner = partner_named(partner)
        self.centre = centre or Centre(self.partner, Rules())
        self.lines: dict[str, Line] = {}
        self.numbers = 0
        self.heard: list[Message] = []
        self.sent: dict[tuple[str, int], tuple[Role, int]] = {}

    def play(self, table: str) -> list[str]:
        """The table as it went."""
        return [self._row(row) for row in rows_of(table)]

    def _row(self, row: str) -> str:
        event = row.partition("->")[0].strip()
        ledger = self.centre.ledger
        broken, odd = len(ledger.violations), len(ledger.suspicions)
        told = self._event(*event.split())
        seen = [each.broken.name.lower() for each in ledger.violations[broken:]]
        seen += [f"?{each.odd.name.lower()}" for each in ledger.suspicions[odd:]]
        return f"{event} -> {told or ', '.join(seen)}".strip()

    def _event(self, what: str, *words: str) -> str:
        given = dict(word.split("=") for word in words if "=" in word)
        plain = [word for word in words if "=" not in word]
        on = given.pop("on", "A")
        match what:
            case "balance":
                return str(self.centre.ledger.balance())
            case "not_arrived":
                return str(self.centre.ledger.not_arrived)
            case "reopen":
                self._open(on)
                return ""
            case "close":
                self._line(on).send(Role.CLOSING_REQUEST, route_number=0)
                return ""
            case "later":
                self.heard = self._line(on).pass_time()
                return ""
        self._telegram(ROLES[what], int(plain[0]), int(plain[1][1:]), on, given)
        return ""

    def _telegram(self, role: Role, trace: int, route: int, on: str, given: dict[str, str]) -> None:
        line = self._line(on)
        self.centre.rules.clear()
        if "do" in given:
            self.centre.rules.add(Rule(do=rule_from({"do": given["do"]}, self.partner, "rule").do))
        values: dict[str, Any] = {"trace_number": trace, "route_number": route, "reference": given.get("ref")}
        for name in ("terminal_id", "business_date", "original_approval_code", "pan"):
            if name in given:
                values[name] = given[name]
        if "amount" in given:
            values["amount"] = int(given["amount"])
        if "of" in given:
            original = int(given["of"])
            first, first_route = self.sent.get((on, original), (Role.SALE_REQUEST, 1))
            values |= {
                "original_trace_number": original,
                "original_route_number": int(given.get("original_route", first_route)),
                "original_type_code": self.partner.type_code(ROLES[given["type"]] if "type" in given else first),
            }
        self.sent.setdefault((on, trace), (role, route))
        self.heard = line.send(role, **values)

    def _line(self, name: str) -> Line:
        return self.lines.get(name) or self._open(name)

    def _open(self, name: str) -> Line:
        self.numbers += 1
        self.centre.rules.clear()
        self.lines[name] = Line(self.centre, f"DNB0000{name}", self.numbers)
        return self.lines[name]


def rows_of(table: str) -> list[str]:
    rows = []
    for row in table.strip().splitlines():
        event, _, after = row.partition("->")
        rows.append(f"{' '.join(event.split())} -> {' '.join(after.split())}".strip())
    return rows
