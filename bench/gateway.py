"""The whole gateway under load: every service a process, simulated centres, one load generator.

The centres answer at once (their thinking time is 0, so nothing is subtracted from a latency), and keep their books:
at the end they are compared with what the callers were told.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.load import AMOUNT, AtOnce, AtRate, Customer, Load, Measured, Told
from bench.quantities import Latency, Meter
from ops.installations import LinePlan
from ops.ports import HOST
from ops.stage import SERVICES, Stage, playing
from simulator.control import Control

AT_ONCE = (64, 128, 256, 512, 1_024, 2_048)
RISES = 1.03  # less than this is no rise
SESSIONS = 8
LINES = (
    LinePlan("cafis-1", "cafis", "dial", (1, 999)),
    LinePlan("cafis-2", "cafis", "listen", (1, 999)),
    LinePlan("cardnet-1", "cardnet", "listen", (1, 999)),
    LinePlan("cardnet-2", "cardnet", "dial", (1, 999)),
)
WAITS: Mapping[str, Any] = {  # so long that nothing ends by a time-out: a lost payment shall be seen as lost
    "ingress": {"gone_after_ms": 10_000, "max_in_flight": 4_096},
    "router": {"report_grace_ms": 10_000, "confirm_ms": 20_000, "confirm_grace_ms": 10_000},
    "partner": {"send_window_ms": 20_000, "report_timeout_ms": 20_000},
}
_WARM_AT_ONCE = 256
_WARM_S = 15.0
_LEDGER_S = 120.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Step:
    """One measurement: what was asked for, what came of it, and the processor time of each process a transaction.

    `elsewhere`: the share of the machine, in percent, that other programs took meanwhile.
    """

    at_once: int | None
    rate: int | None
    a_second: float
    latency: Latency
    others: dict[str, int]
    cpu_us: dict[str, float]
    elsewhere: float

    @property
    def services_us(self) -> float:
        """Processor time of the gateway's own services, a transaction."""
        return round(sum(self.cpu_us[name] for name in SERVICES), 1)


@dataclass(frozen=True, slots=True)
class GatewayFigures:
    """Everything. `losses`: what does not fit together between callers and books; must be empty."""

    at_rate: dict[int, Step]
    saturated: Step
    steps: list[Step]
    memory_mb: dict[str, float]
    approved: int
    not_approved: int
    losses: list[str] = field(default_factory=list)


def measure(
    servers: str, prefix: str, folder: Path, rates: Sequence[int], seconds: float, *, broker: int | None, say: Say
) -> GatewayFigures:
    """Run the gateway on this broker (`broker`: its process). Raises what a stage raises, and `LoadError`."""
    with (
        playing(folder, servers=servers, prefix=prefix, lines=LINES, waits=WAITS, story=False, say=say) as stage,
        loading(stage) as load,
    ):
        return _Measurement(stage, load, broker, say).run(rates, seconds)


def loading(stage: Stage) -> Load:
    """A load generator with sessions of all customers, over all doors."""
    tokens, doors = stage.plan.tokens, stage.plan.doors
    return Load([Customer(each, tokens[each], doors) for each in stage.plan.customers.values()], SESSIONS)


def warm_up(load: Load, seconds: float, say: Say) -> Measured:
    """Let everything run until it runs as it will: longest takes the broker, which compiles itself."""
    lasting = min(_WARM_S, 2 * seconds)
    say(f"gateway: warming up for {lasting:g} s")
    return load.run(AtOnce(_WARM_AT_ONCE, lasting))


class _Measurement:
    def __init__(self, stage: Stage, load: Load, broker: int | None, say: Say) -> None:
        self._stage = stage
        self._load = load
        self._say = say
        pids = {name: [each.pid for full, each in stage.services.items() if full.startswith(name)] for name in SERVICES}
        pids["centres"] = [each.pid for each in stage.centres.values()]
        pids["load generator"] = [load.pid]
        if broker is not None:
            pids["broker"] = [broker]
        self._meter = Meter(pids)

    def run(self, rates: Sequence[int], seconds: float) -> GatewayFigures:
        warm = warm_up(self._load, seconds, self._say)
        at_rate = {}
        for rate in rates:
            self._say(f"gateway: {rate} payments a second for {seconds:g} s")
            at_rate[rate] = self._step(AtRate(rate, seconds))
        steps = self._saturate(seconds)
        memory_mb = self._meter.memory_mb()
        self._say("gateway: comparing the centres' books with what the callers were told")
        approved = self._load.approved()
        measured = [warm.others, *(step.others for step in (*at_rate.values(), *steps))]
        return GatewayFigures(
            at_rate=at_rate,
            saturated=max(steps, key=lambda step: step.a_second),
            steps=steps,
            memory_mb=memory_mb,
            approved=len(approved),
            not_approved=sum(sum(others.values()) for others in measured),
            losses=losses(self._stage, approved),
        )

    def _saturate(self, seconds: float) -> list[Step]:
        """More and more at once, until that has brought nothing twice."""
        steps: list[Step] = []
        flat = 0
        for at_once in AT_ONCE:
            best = max((step.a_second for step in steps), default=0.0)
            self._say(f"gateway: {at_once} payments at once for {seconds:g} s (best so far {best:.0f} a second)")
            steps.append(self._step(AtOnce(at_once, seconds)))
            flat = flat + 1 if steps[-1].a_second < RISES * best else 0
            if flat == 2:
                break
        return steps

    def _step(self, order: AtRate | AtOnce) -> Step:
        self._meter.restart()
        measured: Measured = self._load.run(order)
        return Step(
            at_once=order.at_once if isinstance(order, AtOnce) else None,
            rate=order.rate if isinstance(order, AtRate) else None,
            a_second=measured.a_second,
            latency=measured.latency,
            others=measured.others,
            cpu_us=self._meter.us_each(measured.latency.count),
            elsewhere=self._meter.elsewhere(),
        )


def losses(stage: Stage, approved: Sequence[Told]) -> list[str]:
    """Where the centres' books differ from what the callers were told, a line each."""
    found: list[str] = []
    for partner, customer in stage.plan.customers.items():
        with Control(HOST, stage.plan.control_ports[partner], _LEDGER_S) as control:
            rows = [row for row in control.ledger() if row["in_force"]]
            found += [f"{partner}: {each['broken']}: {each['text']}" for each in control.violations()]
        told = {each.reference for each in approved if each.customer == customer}
        booked = Counter(row["reference"] for row in rows)
        found += [f"{partner}: {each} was approved and is not booked" for each in sorted(told - booked.keys())]
        found += [f"{partner}: {each} is booked and was not told" for each in sorted(booked.keys() - told)]
        found += [f"{partner}: {each} is booked {count} times" for each, count in booked.items() if count > 1]
        found += [
            f"{partner}: {row['reference']} is booked with {row['amount']} yen of {AMOUNT}"
            for row in rows
            if row["amount"] != AMOUNT
        ]
    return found
