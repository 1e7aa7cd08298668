"""What a run is made of, drawn from its seed: payments, what the centres do with them, which faults may happen."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from ops.courses import CANCELS, CONFIRMS
from schemas.records import Kind
from schemas.telegrams import FAULT_COMMANDS, ORDINARY_REQUESTS, Role
from simulation.broker import Weather
from simulation.world import MS
from simulator.deeds import Deed
from simulator.rules import Rule

CUSTOMERS = {"AP02": "cafis", "AP22": "cardnet"}
_NOON_MS = 1_788_231_600_000  # 2026-09-01 12:00 in Japan
_MIDNIGHT_MS = _NOON_MS + 12 * 3_600_000
_COMMANDS = [*CONFIRMS, *CANCELS]
_CARRYING = 0.25  # of all runs


class Manner(Enum):
    """How the client of a payment behaves."""

    WAITS = "waits"
    VANISHES = "vanishes"  # its process ends a while after it has asked
    MUTE = "mute"  # it stays, and acknowledges nothing


class Mischief(Enum):
    """What may befall the world, beside the weather of the broker."""

    CRASH = "crash in a step"
    FREEZE = "short freeze in a step"
    FREEZE_LONG = "freeze in a step beyond the session"
    KILL = "kill"
    STOP = "stop in order"
    PAUSE = "short freeze between steps"
    PAUSE_LONG = "freeze between steps beyond the session"
    NODE = "machine lost"
    RESET = "connection reset"
    SILENCE = "connection dead without a word"
    STALL = "connection stands still"
    CLOCK = "clock step"
    EXPEL = "session run out for no reason"
    CLIENT = "client ends"
    DROP = "centre breaks its lines"
    REFUSE = "centre refuses to open"
    CLOSE = "centre closes its stations"
    KEEPALIVE = "centre sends a keep-alive"
    ORDER = "operator orders a line"
    SLOW = "writes slow"
    UNACKNOWLEDGED = "writes failed and stored"
    REFUSED = "writes failed and lost"
    LAG = "records seen late"
    FLOOD = "centre sends garbage"
    LEADER = "leader with a slow clock"


_SINCE: Mapping[Mischief, tuple[str, float]] = {Mischief.FLOOD: ("flood", 0.2), Mischief.LEADER: ("leader", 0.2)}


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment, and what its client does about it."""

    number: int
    at_us: int
    customer: str
    kind: Kind
    amount: int
    wait_ms: int
    manner: Manner
    leaves_us: int  # after so long a client that vanishes is gone
    then: Kind | None  # what follows when it was approved
    then_amount: int
    again_us: int | None  # another till asks the same after so long
    again_more: int  # with so many yen more: other content
    inquires_us: int | None  # another till inquires after so long

    @property
    def reference(self) -> str:
        return f"p{self.number}"


@dataclass(frozen=True, slots=True)
class Limits:
    """What is left out of a run to find out what makes it fail. Everything else stays as the seed has it."""

    faults: int | None = None  # no more than so many
    without_faults: frozenset[int] = frozenset()
    without_kinds: frozenset[Mischief] = frozenset()
    without_payments: frozenset[int] = frozenset()


def kinds_named(names: Iterable[str]) -> frozenset[Mischief]:
    """The kinds of these names. Raises `ValueError`."""
    known = {kind.name.lower(): kind for kind in Mischief}
    if strangers := set(names) - known.keys():
        raise ValueError(f"there is no kind of fault {min(strangers)}: one of {', '.join(known)}")
    return frozenset(known[name] for name in names)


@dataclass(slots=True)
class Plan:
    """One run."""

    seed: int
    epoch_ms: int
    lines: int
    carries: bool  # whether lines of one partner carry another's telegrams too
    routes: int
    safety_us: int  # how long faults may happen
    payments: Sequence[Payment]
    rules: dict[str, list[Rule]]  # by partner
    kinds: Sequence[Mischief]
    points: int  # steps from one fault in a step to the next, on average
    restarts: bool  # whether every line gets a new owner in the end
    faults_every_us: int  # from one fault between steps to the next, on average
    weather: Weather
    limits: Limits = field(default_factory=Limits)


def plan_of(seed: int, limits: Limits | None = None) -> Plan:
    """The run of this seed."""
    chance = random.Random(f"plan {seed}")  # noqa: S311  that it can be had again is its purpose
    limits = limits or Limits()
    # Other faults in every run, so that none hides others.
    kinds: list[Mischief] = [kind for kind in Mischief if kind not in _SINCE and chance.random() < 0.4]
    for kind, (name, share_of_runs) in _SINCE.items():
        if random.Random(f"{name} {seed}").random() < share_of_runs:  # noqa: S311  of its own: the rest stays as it was
            kinds.append(kind)
    safety_us = chance.randint(3_000, 6_000) * MS
    payments: list[Payment] = []
    rules: dict[str, list[Rule]] = {partner: [] for partner in CUSTOMERS.values()}
    for number in range(chance.randint(5, 10)):
        payment = _payment(chance, number, safety_us)
        payments.append(payment)
        rules[CUSTOMERS[payment.customer]] += _rules(chance, payment.amount)
    for of_partner in rules.values():
        of_partner.extend(_line_rules(chance))
    used = [kind for kind in kinds if kind not in limits.without_kinds]

    def share(kind: Mischief, most: float) -> float:
        drawn = chance.uniform(0.2, 1.0) * most
        return drawn if kind in used else 0.0

    return Plan(
        seed=seed,
        epoch_ms=_NOON_MS if chance.random() < 0.9 else _MIDNIGHT_MS - chance.randint(500, 8_000),
        lines=chance.choice((1, 2)),
        carries=random.Random(f"carries {seed}").random() < _CARRYING,  # noqa: S311  of its own: the rest stays as it was
        routes=chance.choice((2, 3, 5, 20)),
        safety_us=safety_us,
        payments=payments,
        rules=rules,
        kinds=kinds,
        points=chance.choice((150, 400, 1_000)),
        restarts=chance.random() < 0.25,
        faults_every_us=chance.choice((400, 900, 2_000)) * MS,
        weather=Weather(
            slow=share(Mischief.SLOW, 0.05),
            unacknowledged=share(Mischief.UNACKNOWLEDGED, 0.02),
            refused=share(Mischief.REFUSED, 0.02),
            lagging=share(Mischief.LAG, 0.05),
        ),
        limits=limits,
    )


def _payment(chance: random.Random, number: int, safety_us: int) -> Payment:
    amount = 10_000 * (number + 1)
    kind = Kind.SALE if chance.random() < 0.8 else Kind.AUTHORISATION
    drawn = chance.random()
    manner = Manner.VANISHES if drawn < 0.15 else Manner.MUTE if drawn < 0.3 else Manner.WAITS
    then = chance.choice((Kind.CANCEL, Kind.REFUND)) if chance.random() < 0.4 else None
    other_content = chance.random() < 0.3
    return Payment(
        number=number,
        at_us=chance.randint(300 * MS, safety_us),
        customer=chance.choice(list(CUSTOMERS)),
        kind=kind,
        amount=amount,
        wait_ms=chance.choice((800, 2_000, 5_000)),
        manner=manner,
        leaves_us=chance.randint(0, 1_500) * MS,
        then=then,
        then_amount=amount if then is Kind.CANCEL else chance.randint(1, amount),
        again_us=chance.randint(0, 1_500) * MS if chance.random() < 0.2 else None,
        again_more=1 if other_content else 0,
        inquires_us=chance.randint(0, 1_500) * MS if chance.random() < 0.2 else None,
    )


def _rules(chance: random.Random, amount: int) -> list[Rule]:
    """What a centre does with the telegrams about a payment of this amount."""
    rules = []
    if chance.random() < 0.55:
        deed = chance.choices(_REQUEST_DEEDS, _REQUEST_WEIGHTS)[0]
        role = tuple(ORDINARY_REQUESTS) if chance.random() < 0.3 else (Role.SALE_REQUEST, Role.AUTHORISATION_REQUEST)
        rules.append(Rule(do=deed, role=role, amount=amount, after_ms=_wait(chance, deed)))
    if chance.random() < 0.5:
        deed = chance.choice(_COMMAND_DEEDS)
        times = chance.choice((1, 1, 2, None))
        after_ms = _wait(chance, deed)
        rules.append(Rule(do=deed, role=tuple(FAULT_COMMANDS), amount=amount, times=times, after_ms=after_ms))
    return rules


def _wait(chance: random.Random, deed: Deed) -> int | None:
    if deed is Deed.LATE:
        return chance.choice((chance.randint(50, 750), chance.randint(790, 830), chance.randint(900, 3_000)))
    return chance.randint(0, 600) if deed is Deed.TWICE else None


def _line_rules(chance: random.Random) -> list[Rule]:
    """What a centre does with openings, closings and keep-alives, sometimes."""
    if chance.random() < 0.8:
        return []
    role = chance.choice((Role.OPENING_REQUEST, Role.CLOSING_REQUEST, Role.KEEPALIVE_REQUEST))
    deeds = [Deed.SILENT, Deed.LOSE, Deed.LATE, Deed.DROP, Deed.GARBAGE, Deed.NOISE, Deed.LOOP]
    if role is not Role.KEEPALIVE_REQUEST:
        deeds.append(Deed.REFUSE)
    deed = chance.choice(deeds)
    return [Rule(do=deed, role=role, times=chance.randint(1, 3), after_ms=_wait(chance, deed))]


_REQUEST_DEEDS = (
    Deed.LATE, Deed.SILENT, Deed.DECLINE, Deed.TURN_ROUND, Deed.ERROR_REPORT, Deed.LOSE, Deed.TWICE, Deed.DROP,
    Deed.GARBAGE, Deed.NOISE, Deed.OTHER_AMOUNT, Deed.OTHER_TERMINAL, Deed.OTHER_ERROR, Deed.UNKNOWN_CODE, Deed.LOOP,
)  # fmt: skip
_REQUEST_WEIGHTS = (30, 16, 10, 8, 6, 8, 6, 8, 3, 3, 3, 3, 3, 4, 3)
_COMMAND_DEEDS = (
    Deed.SILENT, Deed.TROUBLE, Deed.ERROR_REPORT, Deed.LATE, Deed.LOSE, Deed.TWICE, Deed.DROP, Deed.GARBAGE,
    Deed.NOISE, Deed.OTHER_AMOUNT, Deed.OTHER_TERMINAL, Deed.OTHER_TYPE, Deed.OTHER_ROUTE, Deed.OTHER_ERROR,
    Deed.UNKNOWN_CODE, Deed.LOOP,
)  # fmt: skip
