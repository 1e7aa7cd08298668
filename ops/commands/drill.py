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
from ops.chaos import Chaos, Deed, Fault
from ops.commands.consoles import open_console
from ops.commands.demo import money_table
from ops.commands.tables import show
from ops.drill_schedules import NODES
from ops.drills import DRILLS, Drill, drill_named, with_windows
from ops.evidence import collect, drain
from ops.happenings import Happened, Happening, happened, misused_payments
from ops.installations import LinePlan
from ops.interrupts import dropped_if_interrupted
from ops.line_faults import LineFault
from ops.mixture import BAD_CENTRES, BAD_CLIENTS, SHARES, Mixture, teach
from ops.money import Evidence, Finding, report
from ops.outputs import OutputError, ensure_folder
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
_LEAD_S = 30.0  # until everything runs: so long after it was configured begins the load that its calendar is made for
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
    missed: Sequence[Fault] = ()  # whose moment never came
    unmet: Sequence[LineFault] = ()  # that met nothing on the lines
    happened: Sequence[Happened] = ()
    wants: Mapping[Happening, int] = field(default_factory=dict)
    misused: Sequence[str] = ()  # payments that found out what keep-alives should have
    ended: Sequence[str] = ()
    aborted: list[str] = field(default_factory=list)  # services that a signal ended which the drill did not send
    reopened: Sequence[str] = ()  # how soon all lines were open after a broker came back
    left: Sequence[str] = ()  # transactions without an end
    untold: Sequence[str] = ()  # payments of which nobody could tell their client the end
    findings: Sequence[Finding] = ()
    evidence: Evidence | None = None
    trouble: str | None = None
    ends: Mapping[str, int] = field(default_factory=dict)  # transactions, by how they ended
    met: Mapping[str, int] = field(default_factory=dict)  # what the line faults met: connections, telegrams, pieces

    @property
    def good(self) -> bool:
        return not self.offences()

    def times(self, what: Happening) -> int:
        """How often this happened."""
        return sum(each.what is what for each in self.happened)

    def offences(self) -> list[str]:
        """Everything that is wrong, a line each."""
        found = [] if self.trouble is None else [self.trouble]
        found += self.aborted
        found += [f"{each} has no end" for each in self.left]
        found += [*self.untold, *self.misused]
        found += [f"{each.told()}: it never was, so this drill shows nothing about it" for each in self.missed]
        if self.findings:  # else there was nothing to look into
            found += [
                f"{what}: {times} of {wanted} times, so this drill shows nothing about it"
                for what, wanted in self.wants.items()
                if (times := self.times(what)) < wanted
            ]
        return found + [f"{each.number}: {offender}" for each in self.findings for offender in each.offenders]


@dataclass(slots=True)
class Exercise:
    """What is to be played. `begins_s`: when the load has to begin, by the clock, where it matters."""

    drill: Drill
    payments: int
    seed: int
    begins_s: float | None = None

    @property
    def faults(self) -> Sequence[Fault]:
        return self.drill.faults(self.seed)

    @property
    def over_s(self) -> float:
        """How long the load lasts."""
        return self.payments / self.drill.rate

    def lines(self) -> Sequence[LinePlan]:
        """The lines that the stage needs, where it is about to start them."""
        if not any(fault.do is Deed.MAINTENANCE for fault in self.faults):
            return self.drill.lines
        self.begins_s = time.time() + _LEAD_S
        return with_windows(self.drill.lines, self.faults, self.begins_s, self.over_s)


def play(exercise: Exercise, stage: Stage, *, say: Say, advance: Advance) -> Outcome:
    """Play the drill on a stage that runs; gives what came of it."""
    outcome = Outcome(wants=exercise.drill.wants)

    def teach_centre(partner: str) -> None:
        with stage.control(partner) as control:
            teach(control, _SHARES, exercise.drill.habits)

    mixtures = _mixtures(exercise, stage)
    for partner in stage.centres:
        teach_centre(partner)
    chaos = Chaos(stage, say, teach_centre)
    load = Load(mixtures, advance)
    if exercise.begins_s is not None:
        if (early_s := exercise.begins_s - time.time()) < 0:
            outcome.trouble = f"everything ran {-early_s:.0f} s too late for its maintenance windows: have it run again"
            return outcome
        say(f"waiting {early_s:.0f} s: the maintenance windows are counted from then on")
        time.sleep(early_s)
    load.start()
    try:
        chaos.run(exercise.faults, exercise.over_s, load.is_alive)
        say("healing everything")
        chaos.heal()
    except BaseException:
        chaos.thaw()
        raise
    outcome.faults, outcome.missed, outcome.ended = len(chaos.done), chaos.missed, chaos.ended
    outcome.aborted, outcome.reopened = chaos.aborted, chaos.reopened()
    with stage.proxy() as proxy:
        outcome.met = proxy.counts()
    done = {each.fault.do for each in chaos.done}
    outcome.unmet = [fault for fault in LineFault if fault in done and not outcome.met.get(fault)]
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
    outcome.happened = happened(outcome.evidence, chaos.done)
    outcome.misused = misused_payments(outcome.evidence)
    outcome.ends = _ends(outcome.evidence)
    return outcome


def _ends(evidence: Evidence) -> dict[str, int]:
    states = {
        message.key: wire.decode_as(TransactionState, message)
        for message in evidence.topics["transactions"]
        if message.key != MARKER_KEY and message.value is not None
    }
    return dict(Counter(str(state.stage) for state in states.values()).most_common())


def _mixtures(exercise: Exercise, stage: Stage) -> list[Mixture]:
    customers, doors = stage.plan.customers.values(), stage.plan.doors
    payments = exercise.payments
    return [
        Mixture(
            doors[number % len(doors)], customer, stage.plan.tokens[customer],
            count=payments // len(customers) + (number < payments % len(customers)), at_once=exercise.drill.at_once,
            seed=exercise.seed, shares=_SHARES, over_s=exercise.over_s, spare=doors[(number + 1) % len(doors)],
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
        show(console, _drills_table())
        return 0
    found = drill_named(name or EVERYTHING)
    if found is None:
        console.print(f"there is no drill {name}: one of {', '.join(each.name for each in DRILLS)}", style="red")
        return 2
    if repeat > 1 and folder is not None:
        console.print("--folder is for one drill: leave it out with --repeat", style="red")
        return 2
    try:
        if folder is not None:
            ensure_folder("--folder", folder)
    except OutputError as error:
        console.print(str(error), style="red", markup=False)
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

        exercise = Exercise(found, payments, seed)
        try:
            with dropped_if_interrupted(place if folder is None else None), playing(
                place, nodes=NODES, lines=exercise.lines, waits=found.waits, story=False, brokers=found.brokers,
                detoured=True, ways=found.ways, say=say,
            ) as stage:  # fmt: skip
                outcome = play(exercise, stage, say=say, advance=lambda: progress.advance(task))
            outcome.aborted += stage.aborted()  # now that all have been told to end
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
    missed = f" of {outcome.faults + len(outcome.missed)}" if outcome.missed else ""
    verdict = f"{outcome.faults}{missed} faults{ended}, {seconds:.0f} s: {ends}"
    if brief:
        mark = "[green]✓[/green]" if outcome.good else "[red]✗[/red]"
        told = [f"{outcome.times(what)} {what.name.lower()}" for what in outcome.wants]
        told += [f"{fault} met nothing" for fault in outcome.unmet]
        told += outcome.reopened
        console.print(f"{mark} {head:24} {'; '.join([verdict, *told])}")
    else:
        _tell_all(console, outcome)
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


def _tell_all(console: Console, outcome: Outcome) -> None:
    """The money report, and what of the plan met anything."""
    console.rule("資金照合  money report")
    if outcome.findings:
        show(console, money_table(outcome.findings))
    for each in (*outcome.ended, *outcome.reopened):
        console.print(f"  {each}", style="dim", markup=False)
    if met := ", ".join(f"{fault} {count}" for fault, count in sorted(outcome.met.items()) if count):
        console.print(f"  met on the lines: {met}", style="dim", markup=False)
    if outcome.unmet:
        console.print(f"  met nothing on the lines: {', '.join(outcome.unmet)}", style="yellow", markup=False)
    for line in _happenings(outcome):
        console.print(f"  {line}", style="dim", markup=False)


def _happenings(outcome: Outcome) -> list[str]:
    """What happened, how often and where: what was wanted first."""
    found = {what: Counter(each.where for each in outcome.happened if each.what is what) for what in Happening}
    order = [*outcome.wants, *(what for what in found if found[what] and what not in outcome.wants)]
    lines = []
    for what in order:
        where = ", ".join(f"{place} {count}" for place, count in sorted(found[what].items()) if place)
        wanted = f" (at least {outcome.wants[what]})" if what in outcome.wants else ""
        lines.append(f"{found[what].total():3} × {what}{wanted}{': ' if where else ''}{where}")
    return lines


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
        show(console, table)


def _drills_table() -> Table:
    table = Table(title="障害訓練  drills: denbun drill NAME --seed S --payments N")
    for title in ("name", "", "what happens", "brokers"):
        table.add_column(title, overflow="fold")
    for each in DRILLS:
        table.add_row(each.name, each.japanese, each.tells, str(each.brokers))
    return table
