"""The drills: what is done to the gateway while payments go on, by name and seed.

Each schedule is made by chance from its seed, around a fixed story: the same seed gives the same faults at the same
share of the load's time. When exactly they meet a payment is the machine's business: a drill is repeatable as an
exercise, and only the simulation to the letter.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ops.chaos import Deed, Fault
from ops.installations import LINES, QUICK
from ops.line_faults import AT_ONCE, COUNTED, TIMED, LineFault
from ops.stage import SERVICES

NODES = 2
_SHORT_S, _LONG_S = (0.5, 1.8), (4.0, 6.0)  # shorter, and longer, than a session on the broker lasts (3 s)
_LATE_MS = (900, 1_800)  # longer than a report is awaited (`ops.installations.QUICK`)
_PARTNERS = tuple(dict.fromkeys(line.partner for line in LINES))

WAITS: Mapping[str, Any] = {**QUICK, "partner": {**QUICK["partner"], "send_window_ms": 8_000}}
"""Quick, but a dispatch lives longer than a line needs to change its owner, as in production: the new one has to know
what went out already, for nothing has expired."""

Chance = random.Random


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill. `at_once`: payments of one customer under way; `rate`: payments a second; `brokers` of the cluster."""

    name: str
    japanese: str
    tells: str
    schedule: Callable[[Chance], Sequence[Fault]]
    brokers: int = 1
    at_once: int = 24
    rate: float = 25.0

    def faults(self, seed: int) -> list[Fault]:
        """What is done, and when."""
        return sorted(self.schedule(random.Random(f"{self.name} {seed}")), key=lambda fault: fault.at)  # noqa: S311


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


def _node_death(chance: Chance) -> list[Fault]:
    """A front-end dies at once, the rest of its node only hangs; then, all well again, the other node dies whole."""
    first = chance.randrange(NODES)
    at = _at(chance, 0.1, 0.2)
    hanging = [name for name in SERVICES if name != "ingress"]
    return [
        Fault(at, Deed.KILL, f"ingress-{first}", 6.0),
        *(Fault(at, Deed.FREEZE, f"{name}-{first}", _seconds(chance, _LONG_S)) for name in hanging),
        Fault(_at(chance, 0.65, 0.75), Deed.KILL, f"node-{1 - first}", _seconds(chance, (1.0, 5.0))),
    ]


def _failed_switchover(chance: Chance) -> list[Fault]:
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


def _slow_overload(chance: Chance) -> list[Fault]:
    """Both partners slow down beyond the time-out while the load goes on; in the middle a line and a service fail."""
    return [
        *(Fault(_at(chance, 0.1, 0.2), Deed.SLOW, partner, 8.0, chance.randint(*_LATE_MS)) for partner in _PARTNERS),
        _line_trouble(chance, LineFault.CUT),
        _frozen(chance),
    ]


def _broker_restart(chance: Chance) -> list[Fault]:
    return [
        Fault(_at(chance, 0.1, 0.25), Deed.STOP, "broker-0", 0.1),
        Fault(_at(chance, 0.6, 0.8), Deed.KILL, "broker-0", _seconds(chance, (0.1, 3.0))),
    ]


def _broker_freeze(chance: Chance) -> list[Fault]:
    return [
        Fault(_at(chance, 0.1, 0.2), Deed.FREEZE, "broker-0", _seconds(chance, _SHORT_S)),
        Fault(_at(chance, 0.5, 0.7), Deed.FREEZE, "broker-0", _seconds(chance, _LONG_S)),
    ]


def _three_brokers(chance: Chance) -> list[Fault]:
    """One after the other of three brokers dies, is frozen, or is stopped in order: two always go on."""
    order = chance.sample(range(3), 3)
    return [
        Fault(_at(chance, 0.1, 0.15), Deed.KILL, f"broker-{order[0]}", _seconds(chance, (1.0, 4.0))),
        Fault(_at(chance, 0.4, 0.45), Deed.FREEZE, f"broker-{order[1]}", _seconds(chance, (2.0, 4.0))),
        Fault(_at(chance, 0.75, 0.8), Deed.STOP, f"broker-{order[2]}", 1.0),
    ]


def _frozen_owner(chance: Chance) -> list[Fault]:
    """Every kind of owner is frozen, shorter and longer than its session: those wake up as former owners."""
    return [
        Fault(_at(chance), Deed.FREEZE, f"{name}-{chance.randrange(NODES)}", _seconds(chance, span))
        for name in SERVICES
        for span in (_SHORT_S, _LONG_S)
    ]


def _all_line_troubles(chance: Chance) -> list[Fault]:
    return [_line_trouble(chance, fault) for fault in (*LineFault, *LineFault)]


def _stations(chance: Chance) -> list[Fault]:
    """Every line is closed or drained by order, both partners close at noon, and egress dies in the middle of it."""
    faults = [Fault(_at(chance), Deed.PARTNER_CLOSES, partner, 0.1) for partner in _PARTNERS for _ in range(2)]
    for line in LINES:
        at = _at(chance, 0.05, 0.8)
        faults.append(Fault(at, chance.choice((Deed.CLOSE, Deed.DRAIN)), line.name, _seconds(chance, (1.5, 4.0))))
        if chance.random() < 0.5:
            how = chance.choice((Deed.KILL, Deed.STOP))
            faults.append(Fault(at + 0.005, how, f"egress-{chance.randrange(NODES)}", _seconds(chance, (0.1, 2.0))))
    return faults


def _nothing(_: Chance) -> list[Fault]:
    return []


def _everything(chance: Chance) -> list[Fault]:
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


DRILLS: Sequence[Drill] = (
    Drill("node-death", "ノード障害", "a front-end dies and its node hangs; later the other node dies", _node_death),
    Drill(
        "failed-switchover", "切り替え失敗", "a node dies, and of its spare only half comes up", _failed_switchover
    ),
    Drill(
        "slow-overload", "応答遅延と過負荷", "the partners slow down beyond the time-out while load goes on",
        _slow_overload, at_once=200, rate=40.0,
    ),
    Drill("broker-restart", "ブローカ再起動", "the broker is stopped and started, then killed", _broker_restart),
    Drill("broker-freeze", "ブローカ停止(凍結)", "the broker hangs, briefly and for long", _broker_freeze),
    Drill(
        "three-brokers", "3 ブローカ構成", "of three brokers each in turn dies, hangs or is stopped", _three_brokers,
        brokers=3,
    ),
    Drill(
        "frozen-owner", "所有プロセスの凍結", "owners hang, shorter and longer than their session", _frozen_owner
    ),
    Drill("line-trouble", "回線障害", "every fault of a line, twice", _all_line_troubles),
    Drill(
        "stations", "開局・閉局", "lines are closed and drained by order, partners close, owners die meanwhile",
        _stations,
    ),
    Drill("bad-clients", "異常な顧客", "clients vanish, stay mute, come back elsewhere, repeat, contradict", _nothing),
    Drill("everything", "全障害", "faults of every kind, by chance", _everything),
)  # fmt: skip


def drill_named(name: str) -> Drill | None:
    """The drill of this name, if there is one."""
    return next((drill for drill in DRILLS if drill.name == name), None)
