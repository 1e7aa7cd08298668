"""``denbun demo``: every course of a payment, a few hundred mixed payments, and the money report."""

import asyncio
import concurrent.futures
import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from ops.broker import BrokerError
from ops.commands.consoles import open_console
from ops.commands.tables import show
from ops.courses import COURSES
from ops.evidence import collect, drain
from ops.installations import QUICK
from ops.interrupts import dropped_if_interrupted
from ops.mixture import Mixture, teach
from ops.money import ClientRecord, Finding, report
from ops.outputs import OutputError, ensure_folder
from ops.player import Played, Player, shown
from ops.processes import ProcessError
from ops.stage import Stage, playing
from pipeline.log import LogError
from schemas.identity import transaction_id
from schemas.telegrams import load_partner

AT_ONCE = 24


class Demo:
    """One run. `run` gives whether everything was as expected."""

    def __init__(self, console: Console, *, payments: int, seed: int, only: Sequence[str]) -> None:
        self._console = console
        self._payments = payments
        self._seed = seed
        self._courses = [course for course in COURSES if not only or course.name in only]
        self._clients: list[ClientRecord] = []
        self._broken_off = threading.Event()

    def run(self, stage: Stage) -> bool:
        """Play everything on `stage`."""
        self._console.rule(
            f"電文シーケンス  {len(self._courses)} courses of a payment, for {len(stage.centres)} partners"
        )
        with concurrent.futures.ThreadPoolExecutor(len(stage.centres)) as pool:
            try:
                all_played = dict(
                    zip(stage.centres, pool.map(lambda each: self._play(stage, each), stage.centres), strict=True)
                )
            except BaseException:
                self._broken_off.set()  # the pool waits for all of its threads
                raise
        for partner, played in all_played.items():
            show(self._console, courses_table(partner, played), wide=True)
        self._console.rule(f"混在取引  {self._payments} mixed payments, seed {self._seed}")
        self._mix(stage)
        left = drain(stage)
        findings = report(collect(stage, self._clients))
        self._console.rule("資金照合  money report")
        show(self._console, money_table(findings), wide=True)
        if left:
            self._console.print(f"[red]{len(left)} transactions have no end yet: {', '.join(sorted(left)[:5])}[/red]")
        wrong = [f"{each.course.name}" for played in all_played.values() for each in played if not each.as_expected]
        good = not wrong and not left and all(finding.holds for finding in findings)
        count = sum(map(len, all_played.values()))
        if good:
            self._console.print(
                f"すべて想定どおり  all {count} courses as expected, the money is right", style="bold green"
            )
        else:
            why = ", ".join(wrong) or "see the money report"
            self._console.print(f"想定と異なる結果あり  not as expected: {why}", style="bold red")
        return good

    def _play(self, stage: Stage, partner: str) -> list[Played]:
        customer = stage.plan.customers[partner]
        lines = sum(line.partner == partner for line in stage.installation.line)
        door = stage.plan.doors[0]
        with stage.control(partner) as control:
            player = Player(load_partner(partner), control, door, customer, stage.plan.tokens[customer], lines)
            try:
                all_played = []
                for course in self._courses:
                    if self._broken_off.is_set():
                        break
                    played = player.play(course)
                    mark = "[green]✓[/green]" if played.as_expected else "[red]✗[/red]"
                    self._console.print(f"  {mark} {partner:8} {course.name:22} {course.japanese}")
                    all_played.append(played)
            finally:
                player.close()
        self._clients += [
            ClientRecord(transaction_id(customer, each.reference, each.original), each.kind, each.amount, each.told)
            for each in player.wrote
        ]
        return all_played

    def _mix(self, stage: Stage) -> None:
        mixtures = []
        for number, (partner, customer) in enumerate(stage.plan.customers.items()):
            with stage.control(partner) as control:
                teach(control)
            count = self._payments // len(stage.plan.customers) + (number < self._payments % len(stage.plan.customers))
            door = stage.plan.doors[0]
            token = stage.plan.tokens[customer]
            mixtures.append(Mixture(door, customer, token, count=count, at_once=AT_ONCE, seed=self._seed))
        bar = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*bar, console=self._console) as progress:
            task = progress.add_task("payments", total=self._payments)

            async def all_of_them() -> None:
                await asyncio.gather(*(each.run(lambda: progress.advance(task)) for each in mixtures))

            asyncio.run(all_of_them())
        for mixture in mixtures:
            self._clients += mixture.records


def courses_table(partner: str, all_played: Sequence[Played]) -> Table:
    """The courses of one partner: expected telegrams beside those that passed, and what the client was told."""
    spec = load_partner(partner)
    table = Table(title=f"{partner.upper()}  → gateway to centre   ← centre to gateway", expand=True, show_lines=True)
    for title in ("course", "expected 想定", "passed 実績", "client told 回答", ""):
        table.add_column(title, overflow="fold")
    for played in all_played:
        course = played.course
        told = [f"{each.at_once or '(gone)'} ⇒ {each.at_last}" for each in played.told]
        table.add_row(
            f"{course.name}\n{course.japanese}",
            "\n".join(shown(course.expected, spec)) or "(nothing is sent)",
            "\n".join(shown(played.seen, spec)) or "(nothing is sent)",
            "\n".join(told),
            Text("✓", "green") if played.as_expected else Text("✗ " + "\n".join(played.problems), "red"),
        )
    return table


def money_table(findings: Sequence[Finding]) -> Table:
    """The invariants, what was looked at, and what broke them."""
    table = Table(expand=True, show_lines=True)
    for title in ("", "invariant 不変条件", "looked at 照合対象", ""):
        table.add_column(title, overflow="fold")
    for finding in findings:
        verdict = Text("✓", "green") if finding.holds else Text(f"✗ {finding.shown()}", "red")
        table.add_row(str(finding.number), f"{finding.japanese}\n{finding.english}", finding.looked_at, verdict)
    return table


def demo(*, payments: int, seed: int, only: Sequence[str], servers: str | None, folder: Path | None) -> int:
    """Run it; gives the exit status."""
    console = open_console()
    unknown = set(only) - {course.name for course in COURSES}
    if unknown:
        known = ", ".join(course.name for course in COURSES)
        console.print(f"there is no course {min(unknown)}: one of {known}", style="red")
        return 2
    try:
        if folder is not None:
            ensure_folder("--folder", folder)
    except OutputError as error:
        console.print(str(error), style="red", markup=False)
        return 2
    place = folder or Path(tempfile.mkdtemp(prefix="denbun-demo-"))
    began = time.monotonic()

    def say(text: str) -> None:
        console.print(f"  [dim]{time.monotonic() - began:5.1f} s[/dim] {escape(text)}")

    console.rule("denbun 電文")
    prefix = f"demo{int(time.time())}-" if servers else ""
    try:
        with (
            dropped_if_interrupted(place if folder is None else None),
            playing(place, servers=servers, prefix=prefix, waits=QUICK, say=say) as stage,
        ):
            good = Demo(console, payments=payments, seed=seed, only=only).run(stage)
    except (BrokerError, ProcessError, LogError, OSError) as error:
        console.print(str(error), style="bold red", markup=False)
        console.print(f"what the processes said: {place}")
        return 1
    console.print(f"  [dim]{time.monotonic() - began:.0f} s in all[/dim]")
    if not good:
        console.print(f"what the processes said, and the topics: {place}")
    elif folder is None:
        shutil.rmtree(place, ignore_errors=True)
    return 0 if good else 1
