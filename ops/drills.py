"""The drills: what is done to the gateway while payments go on, by name and seed.

Each schedule is made by chance from its seed, around a fixed story: the same seed gives the same faults at the same
share of the load's time. When exactly they meet a payment is the machine's business: a drill is repeatable as an
exercise, and only the simulation to the letter.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ops import drill_schedules as schedules
from ops.chaos import Deed, Fault
from ops.courses import CANCELS, CONFIRMS, rule
from ops.drill_schedules import Chance
from ops.happenings import Happening
from ops.installations import LINES, QUICK, LinePlan
from schemas.japan_time import JST

WAITS: Mapping[str, Any] = {**QUICK, "partner": {**QUICK["partner"], "send_window_ms": 8_000}}
"""Quick, but a dispatch lives longer than a line needs to change its owner, as in production: the new one has to know
what went out already, for nothing has expired."""

_PROBING: Mapping[str, Any] = {
    **WAITS,
    "egress": {
        **WAITS["egress"],
        "probe_idle_ms": 1_500,
        "probe_timeout_ms": 800,
        "breaker": {"silences": 3, "rest_ms": 500, "rest_max_ms": 2_000, "probe_ms": 200, "probes": 2},
    },
}
"""Besides, a line is found dead, or its breaker opens and closes again, while one watches."""

_SECOND_CALLS = tuple(
    replace(line, second_call="replace") if line.name in schedules.REPLACING else line for line in LINES
)
_HOLDS = (rule([*CONFIRMS, *CANCELS], "silent", times=2),)  # so that each hold stands long enough for an order to come
_LONG_STAGES = (
    rule("opening_request", "late", after_ms=1_500),
    rule("closing_request", "late", after_ms=800),
)

Rule = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill. `at_once`: payments of one customer under way; `rate`: payments a second; `brokers` of the cluster.

    `habits`: what its centres do where nothing else is told them. `wants`: what has to happen how often, or the drill
    shows nothing.
    """

    name: str
    japanese: str
    tells: str
    schedule: Callable[[Chance], Sequence[Fault]]
    brokers: int = 1
    ways: bool = False  # each node reaches the broker by a way of its own, of which it can be cut off
    at_once: int = 24
    rate: float = 25.0
    lines: Sequence[LinePlan] = LINES
    waits: Mapping[str, Any] = field(default_factory=lambda: WAITS)
    habits: Sequence[Rule] = ()
    wants: Mapping[Happening, int] = field(default_factory=dict)

    def faults(self, seed: int) -> list[Fault]:
        """What is done, and when."""
        return sorted(self.schedule(random.Random(f"{self.name} {seed}")), key=lambda fault: fault.at)  # noqa: S311


DRILLS: Sequence[Drill] = (
    Drill(
        "node-death", "ノード障害", "a front-end dies and its node hangs; later the other node dies",
        schedules.node_death,
    ),
    Drill(
        "failed-switchover", "切り替え失敗", "a node dies, and of its spare only half comes up",
        schedules.failed_switchover,
    ),
    Drill(
        "slow-overload", "応答遅延と過負荷", "the partners slow down beyond the time-out while load goes on",
        schedules.slow_overload, at_once=200, rate=40.0,
    ),
    Drill(
        "broker-restart", "ブローカ再起動", "the broker is stopped and started, then killed",
        schedules.broker_restart,
    ),
    Drill("broker-freeze", "ブローカ停止(凍結)", "the broker hangs, briefly and for long", schedules.broker_freeze),
    Drill(
        "three-brokers", "3 ブローカ構成", "of three brokers each in turn dies, hangs or is stopped",
        schedules.three_brokers,
        brokers=3,
    ),
    Drill(
        "frozen-owner", "所有プロセスの凍結", "owners hang, shorter and longer than their session",
        schedules.frozen_owner,
    ),
    Drill(
        "cut-off", "Kafka との通信断", "a node loses Kafka, and still has its lines and clients",
        schedules.cut_off, ways=True,
        wants={Happening.TAKEN_FROM_CUT_OFF: 2},
    ),
    Drill("line-trouble", "回線障害", "every fault of a line, twice", schedules.all_line_troubles),
    Drill(
        "flood", "電文の氾濫", "a line brings garbage without end, another never reads", schedules.flood,
        wants={Happening.HUNG_UP_FOR_STRAYS: 2},
    ),
    Drill(
        "stations", "開局・閉局", "lines are closed and drained by order, partners close, owners die meanwhile",
        schedules.stations,
    ),
    Drill(
        "line-owner-death", "回線担当の障害", "owners die holding a route, and while a line is drained, opened, closed",
        schedules.line_owner_death, rate=6.0, habits=(*_HOLDS, *_LONG_STAGES),
        wants={
            Happening.HOLD_INHERITED: 1, Happening.CANCEL_INHERITED: 1, Happening.DIED_DRAINING: 1,
            Happening.DIED_OPENING: 1, Happening.DIED_CLOSING: 1,
        },
    ),
    Drill(
        "second-call", "二重着信", "lines are called while they are connected, and while that is half-open",
        schedules.second_call, rate=12.0, lines=_SECOND_CALLS, waits=_PROBING,
        wants={
            Happening.SECOND_REFUSED: 3, Happening.SECOND_TAKEN: 3, Happening.DEAD_AND_REFUSED: 1,
            Happening.DEAD_AND_REPLACED: 1, Happening.FOUND_DEAD: 1,
        },
    ),
    Drill(
        "calendar", "保守時間", "the calendar closes a line, then a whole partner, amid the load", schedules.calendar,
        rate=10.0,
        wants={
            Happening.CALENDAR_CLOSED: 3, Happening.PARTNER_CLOSED: 1, Happening.KEPT_CLOSED: 1,
            Happening.REFUSED_CLOSED: 1,
        },
    ),
    Drill(
        "breaker", "縮退・復旧の反復", "partners fall silent again and again, and breakers open and close",
        schedules.breaker,
        rate=9.0, waits=_PROBING,
        wants={Happening.BREAKER_OPENED: 6, Happening.BREAKER_CLOSED: 6, Happening.BREAKER_KEPT: 1},
    ),
    Drill(
        "wrong-clocks", "時刻ずれ", "clocks are wrong by seconds to a day, both ways, while owners die",
        schedules.wrong_clocks,
        wants={Happening.CLOCK_WRONG: 4, Happening.LINES_GIVEN_AWAY: 2},
    ),
    Drill("bad-clients", "異常な顧客", "clients vanish, stay mute, come back elsewhere, repeat", lambda _: []),
    Drill("everything", "全障害", "faults of every kind, by chance", schedules.everything),
)  # fmt: skip


def with_windows(
    lines: Sequence[LinePlan], faults: Sequence[Fault], begins_s: float, over_s: float
) -> Sequence[LinePlan]:  # fmt: skip
    """The lines with the maintenance windows of these faults, for a load that begins at this moment of the clock."""

    def window(fault: Fault) -> str:
        start = begins_s + fault.at * over_s
        first, last = (datetime.fromtimestamp(at, JST).replace(tzinfo=None) for at in (start, start + fault.lasts_s))
        return f"{first.isoformat()}/{last.isoformat()}"

    windows = [fault for fault in faults if fault.do is Deed.MAINTENANCE]
    return [
        replace(line, maintenance=[window(each) for each in windows if each.target in (line.name, line.partner)])
        for line in lines
    ]


def drill_named(name: str) -> Drill | None:
    """The drill of this name, if there is one."""
    return next((drill for drill in DRILLS if drill.name == name), None)
