"""``denbun drill``: payments on real processes while faults happen to them, then the money report."""

import asyncio
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from client import ClientError
from ops.broker import BrokerError
from ops.chaos import Chaos
from ops.commands.consoles import open_console
from ops.commands.demo import money_table
from ops.drills import DRILLS, NODES, WAITS, Drill, drill_named
from ops.evidence import collect, drain
from ops.mixture import BAD_CENTRES, BAD_CLIENTS, SHARES, Mixture, teach
from ops.money import Evidence, Finding, report
from ops.processes import ProcessError
from ops.proxy_control import ProxyError
from ops.stage import Stage, playing
from ops.story import story
from pipeline.log import LogError
from pipeline.owned import MARKER_KEY
from schemas import wire
from schemas.records import RequestAccepted, TransactionState
from simulator.control import ControlError

EVERYTHING = "everything"
_DRAIN_S = 120.0
_STORIES = 3
_SHARES = (*SHARES, *BAD_CLIENTS, *BAD_CENTRES)
_TROUBLES = (BrokerError, ProcessError, ProxyError, LogError, wire.RecordError, ControlError, ClientError, OSError)

Advance = Callable[[], object]
Say = Callable[[str], None]


class Load(threading.Thread):
    """The payments of all customers, on a thread of their own."""

    def __init__(self, mixtures: Sequence[Mixture], advance: Advance) -> None:
        super().__init__(name="load", daemon=True)
        self._mixtures = mixtures
        self._advance = advance
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            asyncio.run(self._all())
        except Exception as error:  # noqa: BLE001  told by whoever waits
            self.error = error

    async def _all(self) -> None:
        await asyncio.gather(*(each.run(self._advance) for each in self._mixtures))


@dataclass(slots=True)
class Outcome:
    """What came of one drill."""

    faults: int = 0
    ended: Sequence[str] = ()
    left: Sequence[str] = ()  # transactions without an end
    untold: Sequence[str] = ()  # payments of which nobody could tell their client the end
    findings: Sequence[Finding] = ()
    evidence: Evidence | None = None
    trouble: str | None = None
    ends: Mapping[str, int] = field(default_factory=dict)  # transactions, by how they ended
    met: Mapping[str, int] = field(default_factory=dict)  # what the line faults met: connections, telegrams, pieces

    @property
    def good(self) -> bool:
        return self.trouble is None and not self.left and not self.untold and all(each.holds for each in self.findings)

    def offences(self) -> list[str]:
        """Everything that is wrong, a line each."""
        found = [] if self.trouble is None else [self.trouble]
        found += [f"{each} has no end" for each in self.left]
        found += list(self.untold)
        return found + [f"{each.number}: {offender}" for each in self.findings for offender in each.offenders]


def play(drill: Drill, stage: Stage, *, payments: int, seed: int, say: Say, advance: Advance) -> Outcome:
    """Play the drill on a stage that runs; gives what came of it."""
    outcome = Outcome()

    def teach_centre(partner: str) -> None:
        with stage.control(partner) as control:
            teach(control, _SHARES)

    over_s = payments / drill.rate
    mixtures = _mixtures(drill, stage, payments, seed, over_s)
    for partner in stage.centres:
        teach_centre(partner)
    chaos = Chaos(stage, say, teach_centre)
    load = Load(mixtures, advance)
    load.start()
    try:
        chaos.run(drill.faults(seed), over_s, load.is_alive)
        say("healing everything")
        chaos.heal()
    except BaseException:
        chaos.thaw()
        raise
    outcome.faults, outcome.ended = len(chaos.done), chaos.ended
    with stage.proxy() as proxy:
        outcome.met = proxy.counts()
    load.join()
    if load.error is not None:
        outcome.trouble = f"the load broke off: {type(load.error).__name__}: {load.error}"
        return outcome
    say("waiting until every payment has its end")
    outcome.left = sorted(drain(stage, _DRAIN_S))
    outcome.untold = asyncio.run(_inquire(mixtures))
    clients = [record for mixture in mixtures for record in mixture.records]
    outcome.evidence = collect(stage, clients)
    outcome.findings = report(outcome.evidence)
    outcome.ends = _ends(outcome.evidence)
    return outcome


def _ends(evidence: Evidence) -> dict[str, int]:
    states = {
        message.key: wire.decode_as(TransactionState, message)
        for message in evidence.topics["transactions"]
        if message.key != MARKER_KEY and message.value is not None
    }
    return dict(Counter(str(state.stage) for state in states.values()).most_common())


def _mixtures(drill: Drill, stage: Stage, payments: int, seed: int, over_s: float) -> list[Mixture]:
    customers, doors = stage.plan.customers.values(), stage.plan.doors
    return [
        Mixture(
            doors[number % len(doors)], customer, stage.plan.tokens[customer],
            count=payments // len(customers) + (number < payments % len(customers)), at_once=drill.at_once, seed=seed,
            shares=_SHARES, over_s=over_s, spare=doors[(number + 1) % len(doors)],
        )
        for number, customer in enumerate(customers)
    ]  # fmt: skip


async def _inquire(mixtures: Sequence[Mixture]) -> list[str]:
    return [each for untold in await asyncio.gather(*(mixture.inquire() for mixture in mixtures)) for each in untold]


# --- the command ----------------------------------------------------------------------------------------------------


def drill(name: str | None, *, payments: int, seed: int, repeat: int, listed: bool, folder: Path | None) -> int:
    """Run it, with as many seeds as are wanted; gives the exit status."""
    console = open_console()
    if listed:
        console.print(_drills_table())
        return 0
    found = drill_named(name or EVERYTHING)
    if found is None:
        console.print(f"there is no drill {name}: one of {', '.join(each.name for each in DRILLS)}", style="red")
        return 2
    if repeat > 1 and folder is not None:
        console.print("--folder is for one drill: leave it out with --repeat", style="red")
        return 2
    bad: list[int] = []
    for each in range(seed, seed + repeat):
        good = _one(console, found, payments=payments, seed=each, folder=folder, brief=repeat > 1)
        bad += [] if good else [each]
    if repeat > 1:
        told = f"{repeat - len(bad)} of {repeat} drills {found.name} clean, {payments} payments each"
        seeds = "" if not bad else f"; not so the seeds {', '.join(map(str, bad))}"
        console.print(told + seeds, style="bold red" if bad else "bold green")
    return 1 if bad else 0


def _one(console: Console, found: Drill, *, payments: int, seed: int, folder: Path | None, brief: bool) -> bool:
    place = folder or Path(tempfile.mkdtemp(prefix="denbun-drill-"))
    began = time.monotonic()
    if not brief:
        console.rule(f"{found.japanese}  {found.name}, seed {seed}, {payments} payments")
    bar = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*bar, console=console, transient=True, disable=brief and not console.is_terminal) as progress:
        task = progress.add_task(f"{found.name} {seed}", total=payments)

        def say(text: str) -> None:
            if not brief:
                progress.console.print(f"  [dim]{time.monotonic() - began:5.1f} s[/dim] {escape(text)}")

        try:
            with playing(
                place, nodes=NODES, waits=WAITS, story=False, brokers=found.brokers, detoured=True, say=say
            ) as stage:
                outcome = play(
                    found, stage, payments=payments, seed=seed, say=say, advance=lambda: progress.advance(task)
                )
        except _TROUBLES as error:
            outcome = Outcome(trouble=str(error))
    _tell(console, outcome, brief=brief, head=f"{found.name} {seed}", seconds=time.monotonic() - began)
    if not outcome.good:
        console.print(f"seed {seed}; what the processes said, and the topics: {place}", markup=False)
    elif folder is None:
        shutil.rmtree(place, ignore_errors=True)
    return outcome.good


def _tell(console: Console, outcome: Outcome, *, brief: bool, head: str, seconds: float) -> None:
    ended = f", {len(outcome.ended)} ended by themselves" if outcome.ended else ""
    ends = ", ".join(f"{count} {end}" for end, count in outcome.ends.items())
    verdict = f"{outcome.faults} faults{ended}, {seconds:.0f} s: {ends}"
    if brief:
        mark = "[green]✓[/green]" if outcome.good else "[red]✗[/red]"
        console.print(f"{mark} {head:24} {verdict}")
    else:
        console.rule("資金照合  money report")
        if outcome.findings:
            console.print(money_table(outcome.findings))
        for each in outcome.ended:
            console.print(f"  {each}", style="dim", markup=False)
        if outcome.met:
            met = ", ".join(f"{fault} {count}" for fault, count in sorted(outcome.met.items()) if count)
            console.print(f"  met on the lines: {met}", style="dim", markup=False)
        console.print(f"  {verdict}", style="dim")
    if outcome.good:
        if not brief:
            console.print("全取引の終わりが確定  every payment has its end, the money is right", style="bold green")
        return
    offences = outcome.offences()
    for offence in offences[:20]:
        console.print(f"  {offence}", style="red", markup=False)
    if outcome.evidence is not None:
        _tell_stories(console, outcome.evidence, offences)


def _tell_stories(console: Console, evidence: Evidence, offences: Sequence[str]) -> None:
    """The stories of the transactions that the offences name."""
    requests = (wire.decode(message) for message in evidence.topics["requests"] if message.value is not None)
    known = {record.transaction_id for record in requests if isinstance(record, RequestAccepted)}
    named = [word.rstrip(":,;") for offence in offences for word in offence.split()]
    for transaction_id in list(dict.fromkeys(word for word in named if word in known))[:_STORIES]:
        lines = story(evidence.topics, transaction_id)
        table = Table(title=f"{transaction_id} の経過  its story", expand=True)
        for title in ("ms", "topic", "record", "facts"):
            table.add_column(title, overflow="fold", no_wrap=title in ("ms", "record"))
        for line in lines:
            table.add_row(str(line.at_ms - lines[0].at_ms), line.topic, line.record, escape(line.facts))
        for each in evidence.clients:
            if each.transaction_id == transaction_id:
                table.add_row("", "", "client", f"asked {each.kind} {each.amount}, told {each.told}")
        console.print(table)


def _drills_table() -> Table:
    table = Table(title="障害訓練  drills: denbun drill NAME --seed S --payments N")
    for title in ("name", "", "what happens", "brokers"):
        table.add_column(title, overflow="fold")
    for each in DRILLS:
        table.add_row(each.name, each.japanese, each.tells, str(each.brokers))
    return table
