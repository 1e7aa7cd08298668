"""What is done to the gateway in each drill, made by chance from its seed around a fixed story."""

import random
from collections.abc import Sequence
from dataclasses import replace

from ops.chaos import OWNER, OWNERS_NODE, Deed, Fault, Moment
from ops.installations import LINES
from ops.line_faults import AT_ONCE, COUNTED, TIMED, LineFault
from ops.stage import SERVICES
from schemas.records import LineStage

NODES = 2
_SHORT_S, _LONG_S = (0.5, 1.4), (4.0, 6.0)  # shorter, and longer, than a session on the broker lasts (2 s)
_LATE_MS = (900, 1_800)  # longer than a report is awaited (`ops.installations.QUICK`)
_PARTNERS = tuple(dict.fromkeys(line.partner for line in LINES))
_LISTENING = tuple(line.name for line in LINES if line.mode == "listen")
REPLACING = _LISTENING[1:]  # of those that are called, one by each rule for a second call

Chance = random.Random

# --- faults by chance -----------------------------------------------------------------------------------------------


def _seconds(chance: Chance, span: tuple[float, float]) -> float:
    return round(chance.uniform(*span), 1)


def _at(chance: Chance, first: float = 0.05, last: float = 0.9) -> float:
    return round(chance.uniform(first, last), 3)


def _service(chance: Chance) -> str:
    return f"{chance.choice(SERVICES)}-{chance.randrange(NODES)}"


def _killed(chance: Chance) -> Fault:
    return Fault(_at(chance), Deed.KILL, _service(chance), _seconds(chance, (0.1, 4.0)))


def _stopped(chance: Chance) -> Fault:
    return Fault(_at(chance), Deed.STOP, _service(chance), _seconds(chance, (0.1, 2.0)))


def _frozen(chance: Chance) -> Fault:
    return Fault(_at(chance), Deed.FREEZE, _service(chance), _seconds(chance, chance.choice((_SHORT_S, _LONG_S))))


def _line_trouble(chance: Chance, fault: LineFault) -> Fault:
    line, at = chance.choice(LINES).name, _at(chance)
    if fault in AT_ONCE:
        return Fault(at, fault, line)
    if fault in COUNTED:
        return Fault(at, fault, line, _seconds(chance, (3.0, 6.0)), chance.randint(2, 6))
    amount = 0
    if fault in TIMED:
        amount = chance.randint(*_LATE_MS) if fault is LineFault.DELAY else chance.randint(20, 200)
    return Fault(at, fault, line, _seconds(chance, (1.5, 4.0)), amount)


def _slow(chance: Chance, lasts_s: float) -> Fault:
    return Fault(_at(chance, 0.1, 0.5), Deed.SLOW, chance.choice(_PARTNERS), lasts_s, chance.randint(*_LATE_MS))


def _broker_trouble(chance: Chance) -> Fault:
    at = _at(chance, 0.2, 0.8)
    match chance.randrange(3):
        case 0:
            return Fault(at, Deed.STOP, "broker-0", 0.1)
        case 1:
            return Fault(at, Deed.KILL, "broker-0", _seconds(chance, (0.1, 2.0)))
        case _:
            return Fault(at, Deed.FREEZE, "broker-0", _seconds(chance, chance.choice((_SHORT_S, _LONG_S))))


# --- the schedules --------------------------------------------------------------------------------------------------


def node_death(chance: Chance) -> list[Fault]:
    """A front-end dies at once, the rest of its node only hangs; then, all well again, the other node dies whole."""
    first = chance.randrange(NODES)
    at = _at(chance, 0.1, 0.2)
    hanging = [name for name in SERVICES if name != "ingress"]
    return [
        Fault(at, Deed.KILL, f"ingress-{first}", 6.0),
        *(Fault(at, Deed.FREEZE, f"{name}-{first}", _seconds(chance, _LONG_S)) for name in hanging),
        Fault(_at(chance, 0.65, 0.75), Deed.KILL, f"node-{1 - first}", _seconds(chance, (1.0, 5.0))),
    ]


def failed_switchover(chance: Chance) -> list[Fault]:
    """A node dies while half of its spare is dead, too; when all is well again, the spare hangs."""
    first = chance.randrange(NODES)
    spare = 1 - first
    half = chance.sample(SERVICES, 2)
    at = _at(chance, 0.15, 0.25)
    return [
        *(Fault(at, Deed.KILL, f"{name}-{spare}", _seconds(chance, (3.0, 7.0))) for name in half),
        Fault(at + 0.03, Deed.KILL, f"node-{first}", _seconds(chance, (5.0, 8.0))),
        Fault(_at(chance, 0.7, 0.8), Deed.FREEZE, f"node-{spare}", _seconds(chance, _LONG_S)),
    ]


def slow_overload(chance: Chance) -> list[Fault]:
    """Both partners slow down beyond the time-out while the load goes on; in the middle a line and a service fail."""
    return [
        *(Fault(_at(chance, 0.1, 0.2), Deed.SLOW, partner, 8.0, chance.randint(*_LATE_MS)) for partner in _PARTNERS),
        _line_trouble(chance, LineFault.CUT),
        _frozen(chance),
    ]


def broker_restart(chance: Chance) -> list[Fault]:
    """The broker is stopped in order and started, then killed."""
    return [
        Fault(_at(chance, 0.1, 0.25), Deed.STOP, "broker-0", 0.1),
        Fault(_at(chance, 0.6, 0.8), Deed.KILL, "broker-0", _seconds(chance, (0.1, 3.0))),
    ]


def broker_freeze(chance: Chance) -> list[Fault]:
    """The broker hangs, shorter and longer than a session on it lasts."""
    return [
        Fault(_at(chance, 0.1, 0.2), Deed.FREEZE, "broker-0", _seconds(chance, _SHORT_S)),
        Fault(_at(chance, 0.5, 0.7), Deed.FREEZE, "broker-0", _seconds(chance, _LONG_S)),
    ]


def three_brokers(chance: Chance) -> list[Fault]:
    """One after the other of three brokers dies, is frozen, or is stopped in order: two always go on."""
    order = chance.sample(range(3), 3)
    return [
        Fault(_at(chance, 0.1, 0.15), Deed.KILL, f"broker-{order[0]}", _seconds(chance, (1.0, 4.0))),
        Fault(_at(chance, 0.4, 0.45), Deed.FREEZE, f"broker-{order[1]}", _seconds(chance, (2.0, 4.0))),
        Fault(_at(chance, 0.75, 0.8), Deed.STOP, f"broker-{order[2]}", 1.0),
    ]


def frozen_owner(chance: Chance) -> list[Fault]:
    """Every kind of owner is frozen, shorter and longer than its session: those wake up as former owners."""
    return [
        Fault(_at(chance), Deed.FREEZE, f"{name}-{chance.randrange(NODES)}", _seconds(chance, span))
        for name in SERVICES
        for span in (_SHORT_S, _LONG_S)
    ]


def cut_off(chance: Chance) -> list[Fault]:
    """Each node in turn loses Kafka and nothing else, shorter and longer than its session."""
    order = chance.sample(range(NODES), NODES)
    return [
        Fault(round(0.1 + 0.45 * number + chance.uniform(0, 0.05) + 0.2 * longer, 3), Deed.CUT_OFF, f"node-{node}",
              _seconds(chance, _LONG_S if longer else _SHORT_S))
        for number, node in enumerate(order)
        for longer in (False, True)
    ]  # fmt: skip


def all_line_troubles(chance: Chance) -> list[Fault]:
    """Every fault of a line, twice."""
    return [_line_trouble(chance, fault) for fault in (*LineFault, *LineFault)]


def stations(chance: Chance) -> list[Fault]:
    """Every line is closed or drained by order, both partners close at noon, and egress dies in the middle of it."""
    faults = [Fault(_at(chance), Deed.PARTNER_CLOSES, partner, 0.1) for partner in _PARTNERS for _ in range(2)]
    for line in LINES:
        at = _at(chance, 0.05, 0.8)
        faults.append(Fault(at, chance.choice((Deed.CLOSE, Deed.DRAIN)), line.name, _seconds(chance, (1.5, 4.0))))
        if chance.random() < 0.5:
            how = chance.choice((Deed.KILL, Deed.STOP))
            faults.append(Fault(at + 0.005, how, f"egress-{chance.randrange(NODES)}", _seconds(chance, (0.1, 2.0))))
    return faults


def line_owner_death(chance: Chance) -> list[Fault]:
    """Owners die while they hold a route, and while a line is drained, opened, and closed; a spare is always there."""
    held, drained, opened, closed = (line.name for line in chance.sample(LINES, len(LINES)))

    def dies(line: str, when: Moment | LineStage, whom: str = OWNER) -> Fault:
        return Fault(0, Deed.KILL, f"{whom}{line}", _seconds(chance, _LONG_S), when=when)

    faults = [
        dies(held, Moment.CALM_AND_HELD, OWNERS_NODE),
        Fault(0, Deed.CLOSE, drained, 6.0, when=Moment.CALM_AND_HELD),
        dies(drained, LineStage.DRAINING),
        Fault(0, LineFault.CUT, opened, when=Moment.CALM),
        dies(opened, LineStage.OPENING),
        Fault(0, Deed.CLOSE, closed, 6.0, when=Moment.CALM),
        dies(closed, LineStage.CLOSING),
    ]
    return _in_order(faults)


def _in_order(faults: Sequence[Fault]) -> list[Fault]:
    """As they are, one after the other: those that wait for a moment wait for the one before, too."""
    return [replace(fault, at=round(0.03 + number / 1_000, 3)) for number, fault in enumerate(faults)]


def second_call(chance: Chance) -> list[Fault]:
    """Both rules for a second call: while the first connection stands, and while it is half-open."""
    again = [Fault(0, Deed.CALL_AGAIN, line, 0.1, when=Moment.CALM) for line in _LISTENING for _ in range(2)]
    faults = chance.sample(again, len(again))
    for line in chance.sample(_LISTENING, len(_LISTENING)):
        faults += [
            Fault(0, LineFault.HALF_OPEN, line, _seconds(chance, (5.0, 6.0)), when=Moment.CALM),
            Fault(0, Deed.CALL_AGAIN, line, 0.1, when=Moment.HELD),
        ]
        if line not in REPLACING:  # here only a keep-alive finds the first one dead, and then a call is taken
            faults.append(Fault(0, Deed.CALL_AGAIN, line, 0.1, when=LineStage.FAILED))
    return _in_order(faults)


def calendar(chance: Chance) -> list[Fault]:
    """The calendar closes a line, whose owner dies meanwhile, then all lines of a partner; and opens them again."""
    line, partner = chance.choice(LINES).name, chance.choice(_PARTNERS)
    at = _at(chance, 0.1, 0.15)
    return [
        Fault(at, Deed.MAINTENANCE, line, _seconds(chance, (9.0, 10.0))),
        Fault(at + 0.01, Deed.KILL, f"{OWNER}{line}", _seconds(chance, (3.5, 4.5)), when=LineStage.CLOSED),
        Fault(_at(chance, 0.6, 0.65), Deed.MAINTENANCE, partner, _seconds(chance, (4.0, 6.0))),
    ]


def breaker(chance: Chance) -> list[Fault]:
    """Each partner in turn answers nothing, or keep-alives alone, and is well again: three times."""
    flaps = [(partner, deed) for partner in _PARTNERS for deed in (Deed.SILENT, Deed.STALLED, Deed.SILENT)]
    return _in_order(
        [
            Fault(0, deed, partner, _seconds(chance, (3.5, 4.5)), when=Moment.CALM)
            for partner, deed in chance.sample(flaps, len(flaps))
        ]
    )


_OFF_MS = (2_000, 5_000, 1_200_000, 3_600_000, 86_400_000)


def wrong_clocks(chance: Chance) -> list[Fault]:
    """Each node's clock is wrong for a while, by seconds and by much, both ways; then single services', amid deaths."""
    order = chance.sample(range(NODES), NODES)

    def wrong(at: float, target: str, lasts_s: float) -> Fault:
        return Fault(round(at, 3), Deed.CLOCK, target, lasts_s, chance.choice(_OFF_MS) * chance.choice((-1, 1)))

    return [
        wrong(0.05, f"node-{order[0]}", 5.0),
        wrong(0.35, f"node-{order[1]}", 5.0),
        *(wrong(_at(chance, 0.6, 0.8), f"{name}-{chance.randrange(NODES)}", 5.0) for name in SERVICES),
        Fault(_at(chance, 0.1, 0.2), Deed.KILL, f"egress-{order[0]}", 1.0),
        Fault(_at(chance, 0.65, 0.75), Deed.KILL, f"egress-{chance.randrange(NODES)}", 1.0),
    ]


def flood(chance: Chance) -> list[Fault]:
    """One line of each partner brings garbage without end, and another one questions whose answers it never reads."""
    return [
        Fault(round(0.1 + 0.4 * number + 0.15 * later, 3), (LineFault.FLOOD, LineFault.DEAF)[later], line, 5.0)
        for number, partner in enumerate(_PARTNERS)
        for later, line in enumerate(chance.sample([each.name for each in LINES if each.partner == partner], 2))
    ]


def everything(chance: Chance) -> list[Fault]:
    """Faults of every kind, by chance."""
    line_faults = chance.sample(list(LineFault), 6)
    return [
        *(_killed(chance) for _ in range(3)),
        _stopped(chance),
        *(_frozen(chance) for _ in range(2)),
        *(_line_trouble(chance, fault) for fault in line_faults),
        _slow(chance, 3.0),
        _broker_trouble(chance),
        *([Fault(_at(chance), Deed.KILL, f"node-{chance.randrange(NODES)}", 2.0)] if chance.random() < 0.5 else []),
    ]
