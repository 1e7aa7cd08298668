"""``denbun simulate``: many runs, what happened in them, and of one that fails everything there is to know."""

import multiprocessing
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.pool import Pool
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from ops.story import story
from simulation.plan import Limits, Mischief, plan_of
from simulation.run import Result, many, play, quiet
from simulation.shrink import shrunk
from simulation.telling import told

_CHUNK = 25
_TOLD_EVERY = 1_000  # runs, where no progress bar can be shown
_OFFENDERS = 3
_TRANSACTION = re.compile(r"[A-Z]{2}\d{2}:[A-Za-z0-9._/-]+[A-Za-z0-9]")
_GROUPS = (
    ("何が起きたか  what befell the runs", (
        *(kind.value for kind in Mischief),
        "sessions run out", "services that gave up", "rebalances", "lines taken over", "rivals of a line noticed",
    )),
    ("取引の終わり  how transactions ended", ("transactions", "ended ", "cancels", "cancel telegrams")),
    ("顧客への回答  what clients were told", ("told ",)),
)  # fmt: skip


class Done(NamedTuple):
    """What came of some runs."""

    runs: int
    counters: Counter[str]
    failed: Sequence[tuple[int, Sequence[str]]]  # by seed


def simulate(
    *, runs: int, seed: int, jobs: int, limits: Limits, trace: bool, keep_going: bool, console: Console | None = None
) -> int:
    """Run the seeds from `seed` on; gives the exit status: 1 where money, or anything else, went wrong."""
    console = console or Console(highlight=False)
    if trace or limits != Limits():
        return _one(console, seed, limits, trace=trace)
    began = time.monotonic()
    counters: Counter[str] = Counter()
    failed: list[tuple[int, Sequence[str]]] = []
    count = 0
    with _progress(console) as progress:
        task = progress.add_task("", total=runs, rate="", failed="")
        for done in _chunks(range(seed, seed + runs), jobs):
            count += done.runs
            counters += done.counters
            failed += done.failed
            for each, failures in done.failed:
                console.print(f"[bold red]seed {each}[/]: {escape('; '.join(failures[:3]))}", soft_wrap=True)
            _show(progress, task, done.runs, count / (time.monotonic() - began), len(failed))
            if not console.is_terminal and count % _TOLD_EVERY < done.runs:
                console.print(
                    f"{count:,} runs, {len(failed)} failed, {count / (time.monotonic() - began):.1f} a second"
                )
            if failed and not keep_going:
                break
    seconds = time.monotonic() - began
    console.print(_coverage(counters))
    rate = f"{count / seconds * 60:,.0f} a minute"
    if not failed:
        console.print(
            f"[bold green]すべて正常  {count:,} runs, seeds {seed} to {seed + count - 1}, all clean[/] ({rate})"
        )
        return 0
    console.print(f"[bold red]異常あり  {len(failed)} of {count:,} runs failed[/] ({rate})")
    _explain(console, failed[0][0])
    return 1


# --- many runs ------------------------------------------------------------------------------------------------------


def _chunks(seeds: range, jobs: int) -> Iterator[Done]:
    parts = [seeds[at : at + _CHUNK] for at in range(0, len(seeds), _CHUNK)]
    if jobs == 1:
        yield from map(_run, parts)
        return
    with _deaf_pool(jobs) as pool:
        yield from pool.imap(_run, parts)


def _deaf_pool(jobs: int) -> Pool:
    """Processes that do not hear Ctrl-C at the terminal: this one does, and ends them."""
    resource_tracker.ensure_running()  # it lets the signal through again where it has to begin
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return multiprocessing.get_context("spawn").Pool(jobs)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _run(seeds: range) -> Done:
    counters: Counter[str] = Counter()
    failed = []
    for result in many(seeds):
        counters += result.counters
        if result.failures:
            failed.append((result.plan.seed, tuple(result.failures)))
    return Done(len(seeds), counters, failed)


def _progress(console: Console) -> Progress:
    columns = ("{task.fields[rate]}", "[red]{task.fields[failed]}[/]")
    return Progress(
        TextColumn("simulate"), BarColumn(), MofNCompleteColumn(), *map(TextColumn, columns), TimeElapsedColumn(),
        console=console,
    )  # fmt: skip


def _show(progress: Progress, task: TaskID, advance: int, rate: float, failed: int) -> None:
    progress.update(task, advance=advance, rate=f"{rate:.1f} runs/s", failed=f"{failed} failed" if failed else "")


def _coverage(counters: Counter[str]) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    for title, names in _GROUPS:
        table.add_row(f"[bold]{title}[/]", "")
        shown = [
            name
            for wanted in names
            for name in (
                [wanted] if not wanted.endswith(" ") else sorted(each for each in counters if each.startswith(wanted))
            )
        ]
        for name in shown:
            table.add_row(f"  {escape(name)}", f"{counters[name]:>12,}")
    table.add_row("[bold]合計  altogether[/]", "")
    for name in ("simulated seconds", "records written"):
        table.add_row(f"  {name}", f"{counters[name]:>12,}")
    return table


# --- one run --------------------------------------------------------------------------------------------------------


def _one(console: Console, seed: int, limits: Limits, *, trace: bool) -> int:
    with quiet():
        result = play(plan_of(seed, limits))
    if trace:
        for line in told(result.history):
            console.print(line, markup=False, soft_wrap=True)
    _tell_failures(console, result)
    return 1 if result.failures else 0


def _explain(console: Console, seed: int) -> None:
    """Everything about a run that failed, made as small as it goes."""
    with quiet(), console.status(f"seed {seed} is made smaller") as status:
        tries = 0

        def tried() -> None:
            nonlocal tries
            tries += 1
            status.update(f"seed {seed} is made smaller: try {tries}")

        smallest = shrunk(play(plan_of(seed)), tried)
    console.rule(f"seed {seed}, made as small as it goes")
    for line in told(smallest.history):
        console.print(line, markup=False, soft_wrap=True)
    _tell_failures(console, smallest)
    console.print(f"once more: [bold]denbun simulate {escape(' '.join(_arguments(smallest)))}[/]")


def _tell_failures(console: Console, result: Result) -> None:
    for failure in result.failures:
        console.print(f"[red]{escape(failure)}[/]", soft_wrap=True)
    offenders = dict.fromkeys(each for failure in result.failures for each in _TRANSACTION.findall(failure))
    for name in list(offenders)[:_OFFENDERS]:
        console.rule(f"電文の流れ  the story of {name}")
        for line in story(result.history.topics, name):
            console.print(f"{line.at_ms} {line.topic:16} {line.record} {line.facts}", markup=False, soft_wrap=True)
    if not result.failures:
        console.print(f"[bold green]正常  seed {result.plan.seed}: clean[/]")


def _arguments(result: Result) -> Iterator[str]:
    limits = result.plan.limits
    yield from ("--seed", str(result.plan.seed), "--trace")
    if limits.faults is not None:
        yield from ("--faults", str(limits.faults))
    for kind in Mischief:
        if kind in limits.without_kinds:
            yield from ("--without-kind", kind.name.lower())
    for number in sorted(limits.without_faults):
        yield from ("--without-fault", str(number))
    for number in sorted(limits.without_payments):
        yield from ("--without-payment", str(number))
