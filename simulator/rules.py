"""How the centre behaves: rules over telegrams, the first that matches wins. Pure; time and chance are given in.

[[rule]]
role = "sale_request"        # or a list; leave it out for every telegram the deed makes sense for
amount = 4000                # or amount = [4000, 4999], from and to
pan = "4111111111111111"     # or the beginning of it: "411111*"
terminal_id = "4980123456789"
times = 1                    # for the first so many telegrams about one transaction; leave it out for all
do = "silent"
code = "C13"                 # for decline, turn_round, trouble, error_report, refuse: instead of the first listed code
after_ms = 500               # how long after it has come it is answered; late takes 1000 where this is left out

Which telegrams besides:

station = "DNB00001"         # that came over the line of this station
share = 0.05                 # of those that all else is true of, by a seeded chance
between = ["09:00", "17:00"] # in this time of day, Japan's; over midnight where the second is the smaller
from_s = 60                  # from so many seconds after the scenario began …
until_s = 120                # … and before so many
when = "destination_down"    # or "destination_up": the state of the issuer's centre 被仕向センタ

What is answered besides:

latency = { kind = "lognormal", median_ms = 60, p99_ms = 900 }   # instead of after_ms; see simulator/latency.py
codes = { C13 = 3, C14 = 1 } # instead of code: by a seeded chance with these weights; a list: one after the other;
                             # "every": every code of the deed's kind, one after the other
floor_limit = 30000          # for stand_in 代行: what is above this many yen is declined
"""

import datetime as dt
import random
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

import msgspec

from schemas.telegrams import Message, Role
from simulator.deeds import FITTING, MONEY, Deed
from simulator.latency import Latency, drawn_ms

_LATE_MS = 1_000


class Destination(StrEnum):
    """The issuer's centre 被仕向センタ behind the network, as far as the network knows."""

    UP = "destination_up"
    DOWN = "destination_down"


class Around(NamedTuple):
    """What is so while a telegram comes: seconds since the scenario began, Japan's time of day, line, destination."""

    since_s: float
    clock: dt.time
    station: str
    destination: Destination = Destination.UP


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One rule, as it stands in a file or comes over the control port."""

    do: Deed
    role: Role | tuple[Role, ...] | None = None
    amount: int | tuple[int, int] | None = None
    pan: str | None = None
    terminal_id: str | None = None
    times: int | None = None
    code: str | None = None
    after_ms: int | None = None
    station: str | None = None
    share: float | None = None
    between: tuple[dt.time, dt.time] | None = None
    from_s: float | None = None
    until_s: float | None = None
    when: Destination | None = None
    latency: Latency | None = None
    codes: dict[str, int] | tuple[str, ...] | str | None = None
    floor_limit: int | None = None

    def __repr__(self) -> str:
        return f"Rule({self.do}, {self.role})"

    @property
    def roles(self) -> tuple[Role, ...]:
        if self.role is None:
            return FITTING[self.do]
        return (self.role,) if isinstance(self.role, Role) else self.role

    def matches(self, message: Message) -> bool:
        """Whether the rule is about this telegram, as far as its own content says."""
        values = message.values
        if message.role not in self.roles:
            return False
        if self.pan is not None and not _is_card(str(values.get("pan", "")), self.pan):
            return False
        if self.terminal_id is not None and values.get("terminal_id") != self.terminal_id:
            return False
        if self.amount is None:
            return True
        amount = values.get("amount")
        if not isinstance(amount, int):
            return False
        first, last = (self.amount, self.amount) if isinstance(self.amount, int) else self.amount
        return first <= amount <= last

    def applies(self, around: Around) -> bool:
        """Whether it is about what comes over this line, at this time."""
        if self.station is not None and self.station != around.station:
            return False
        if self.when is not None and self.when is not around.destination:
            return False
        if self.from_s is not None and around.since_s < self.from_s:
            return False
        if self.until_s is not None and around.since_s >= self.until_s:
            return False
        return self.between is None or _lies_between(around.clock, *self.between)


def _is_card(pan: str, wanted: str) -> bool:
    return pan.startswith(wanted[:-1]) if wanted.endswith("*") else pan == wanted


def _lies_between(clock: dt.time, first: dt.time, last: dt.time) -> bool:
    return first <= clock < last if first <= last else clock >= first or clock < last


class Fate(NamedTuple):
    """What becomes of one telegram."""

    do: Deed = Deed.ANSWER
    after_ms: int = 0  # after it has come it is answered
    code: str | None = None  # None: the first that the partner lists for the deed
    floor_limit: int | None = None  # yen; None: no limit


ANSWERED = Fate()


class InForce:
    """A rule that is in force: how often it was used, and what its chance gives next."""

    def __init__(self, rule: Rule, seed: str) -> None:
        self.rule = rule
        self.hits = 0  # telegrams that it decided
        self._seed = seed
        self._chance: random.Random | None = None  # made when it is needed, which it seldom is
        self._used: dict[object, int] = {}  # by transaction

    def takes(self, message: Message, about: object, around: Around) -> bool:
        """Whether it decides this telegram; if so, that is counted."""
        rule = self.rule
        if not rule.matches(message) or not rule.applies(around):
            return False
        if rule.times is not None and self._used.get(about, 0) >= rule.times:
            return False
        if rule.share is not None and self._drawn.random() >= rule.share:
            return False
        if rule.times is not None:
            self._used[about] = self._used.get(about, 0) + 1
        self.hits += 1
        return True

    @property
    def _drawn(self) -> random.Random:
        if self._chance is None:
            self._chance = random.Random(self._seed)  # noqa: S311  a game, and to be had again
        return self._chance

    def code(self) -> str | None:
        """The code that is given now."""
        codes = self.rule.codes
        if codes is None:
            return self.rule.code
        if isinstance(codes, dict):
            return self._drawn.choices(list(codes), list(codes.values()))[0]
        return codes[(self.hits - 1) % len(codes)]

    def after_ms(self) -> int | None:
        """How long the answer takes; None where the rule does not say."""
        if self.rule.latency is not None:
            return drawn_ms(self.rule.latency, self._drawn)
        if self.rule.after_ms is None and self.rule.do is Deed.LATE:
            return _LATE_MS
        return self.rule.after_ms


class Rules:
    """The rules of a centre. `latency`: of every payment's and cancel's answer that no rule says otherwise of.

    The same telegrams in the same order, with the same seed, have the same fate.
    """

    def __init__(self, rules: tuple[Rule, ...] = (), *, seed: int = 0, latency: Latency = 0) -> None:
        self._seed = seed
        self._made = 0
        self._latency = latency
        self._chance: random.Random | None = None if isinstance(latency, int) else random.Random(f"{seed}:latency")  # noqa: S311
        self.in_force = [self._of(rule) for rule in rules]
        self.others = 0  # telegrams that no rule decided

    def __iter__(self) -> Iterator[Rule]:
        return (each.rule for each in self.in_force)

    def _of(self, rule: Rule) -> InForce:
        self._made += 1
        return InForce(rule, f"{self._seed}:{self._made}")

    def add(self, rule: Rule) -> None:
        """Put a rule before all others."""
        self.in_force.insert(0, self._of(rule))

    def clear(self) -> None:
        """Have no rules any more."""
        self.in_force.clear()

    def of(self, message: Message, about: object, around: Around) -> Fate:
        """What becomes of this telegram, which is `about` a transaction."""
        for each in self.in_force:
            if each.takes(message, about, around):
                rule = each.rule
                after_ms = each.after_ms()
                if after_ms is None:
                    after_ms = self._usual_ms(message.role)
                return Fate(rule.do, after_ms, each.code(), rule.floor_limit)
        return self.of_none(message.role)

    def of_none(self, role: Role) -> Fate:
        """What becomes of a telegram of this role that no rule decides."""
        self.others += 1
        return ANSWERED if self._latency == 0 else Fate(after_ms=self._usual_ms(role))

    def _usual_ms(self, role: Role) -> int:
        if self._latency == 0 or role not in MONEY:
            return 0
        if isinstance(self._latency, int):
            return self._latency
        assert self._chance is not None
        return drawn_ms(self._latency, self._chance)
