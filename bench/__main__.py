"""``python -m bench``: a bare relay and the whole gateway, one after the other on the same broker, side by side.

Further measurements have a name each: ``python -m bench lines``, ``flood``, ``takeover``, ``roll``, ``scaling``.
"""

import json
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.console import Console

from bench import floods, gateway, lines, relay, report, rolling, scaling, takeover
from bench.budgets import Report
from bench.gateway import Say
from bench.load import LoadError
from bench.quantities import machine
from ops.broker import Broker, BrokerError
from ops.outputs import OutputError, ensure_file, ensure_folder
from ops.processes import ProcessError
from ops.rolling import RollError
from pipeline.log import LogError
from schemas.line_rules import NODES_MAX
from schemas.wire import RecordError
from simulator.control import ControlError

_RATE_MAX = 20_000
_WIDTH = 108  # of the table, where the terminal is narrower or there is none
_TROUBLES = (
    BrokerError, ProcessError, LogError, OSError, ControlError, LoadError, RecordError, RollError, relay.RelayError,
)  # fmt: skip

app = typer.Typer(add_completion=False, rich_markup_mode=None)


def _numbers(text: str, most: int, what: str, example: str) -> list[int]:
    numbers = []
    for each in text.split(","):
        if not (each.isascii() and each.isdecimal() and 1 <= int(each) <= most):
            raise typer.BadParameter(f"{each!r} is no {what}: give whole numbers from 1 to {most}, as in {example}")
        numbers.append(int(each))
    return sorted(set(numbers))


def _file(path: Path | None) -> Path | None:
    if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
        raise typer.BadParameter(f"{path} cannot be written: name a file in a folder that is there")
    return path


Seconds = Annotated[float, typer.Option(min=0.5, max=600, help="how long each measurement takes")]
Rate = Annotated[int, typer.Option(min=1, max=_RATE_MAX, help="payments a second")]
Servers = Annotated[str | None, typer.Option("--bootstrap-servers", help="a Kafka broker that is there")]
Out = Annotated[Path | None, typer.Option(help="write everything as JSON to this file", callback=_file)]
Folder = Annotated[Path | None, typer.Option(help="keep logs, configuration and topics here")]


class Ground(NamedTuple):
    """On what is measured. `broker`: its process, where it is this measurement's own."""

    servers: str
    prefix: str
    folder: Path
    broker: int | None
    say: Say


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    seconds: Seconds = 10.0,
    rates: Annotated[str, typer.Option(help="constant arrival rates, with commas between them")] = "200,500",
    servers: Servers = None,
    out: Out = None,
    folder: Folder = None,
) -> None:
    """Measure the relay and the gateway. Ends with 1 when a payment was lost or not approved, whatever the budgets."""
    if context.invoked_subcommand is not None:
        sources = [context.get_parameter_source(name) for name in context.params]
        if any(source is not None and source.name == "COMMANDLINE" for source in sources):
            raise typer.BadParameter(f"give the options of {context.invoked_subcommand} behind its name")
        return
    asked = _numbers(rates, _RATE_MAX, "rate", "200,500")

    def measured(ground: Ground) -> Report:
        ground.say(f"relay: {len(relay.HOPS)} hops, {seconds:g} s each at {rates} a second and saturated")
        relayed = relay.measure(ground.servers, f"{ground.prefix}relay-", ground.folder, asked, seconds)
        found = gateway.measure(
            ground.servers, ground.prefix, ground.folder, asked, seconds, broker=ground.broker, say=ground.say
        )
        return report.report(seconds, relayed, found)

    _run(measured, servers, out, folder)


@app.command("lines")
def keepalives(
    seconds: Seconds = 10.0,
    rate: Rate = 1_000,
    keepalives: Annotated[int, typer.Option(min=1, max=100, help="keep-alives a second on each line")] = 20,
    servers: Servers = None,
    out: Out = None,
    folder: Folder = None,
) -> None:
    """Measure how soon the partners' keep-alives are answered under load. Ends with 1 when a payment was lost."""

    def measured(ground: Ground) -> Report:
        found = lines.measure(
            ground.servers, ground.prefix, ground.folder, rate=rate, a_second=keepalives, seconds=seconds,
            broker=ground.broker, say=ground.say,
        )  # fmt: skip
        return lines.report(found, seconds)

    _run(measured, servers, out, folder)


@app.command("flood")
def flooded(
    seconds: Seconds = 10.0, rate: Rate = 200, servers: Servers = None, out: Out = None, folder: Folder = None
) -> None:
    """Measure what one partner's floods cost the other's customers. Ends with 1 when a payment was lost."""

    def measured(ground: Ground) -> Report:
        found = floods.measure(
            ground.servers, ground.prefix, ground.folder, rate=rate, seconds=seconds, say=ground.say
        )  # fmt: skip
        return floods.report(found, seconds)

    _run(measured, servers, out, folder)


@app.command("takeover")
def takeovers(
    times: Annotated[int, typer.Option(min=1, max=1_000, help="how often a node dies, and how often it stops")] = 20,
    rate: Rate = 20,
    session_ms: Annotated[
        int | None, typer.Option(min=1_000, max=60_000, help="kafka.session_timeout_ms, where it shall be another")
    ] = None,
    servers: Servers = None,
    out: Out = None,
    folder: Folder = None,
) -> None:
    """Measure how long lines are closed when a node dies, and when it stops. Ends with 1 when the money is wrong."""

    def measured(ground: Ground) -> Report:
        found = takeover.measure(
            ground.servers, ground.prefix, ground.folder, times=times, rate=rate, session_ms=session_ms,
            say=ground.say,
        )  # fmt: skip
        return takeover.report(found)

    _run(measured, servers, out, folder)


@app.command("scaling")
def scaled(
    seconds: Seconds = 10.0,
    rate: Rate = 500,
    nodes: Annotated[str, typer.Option(help="numbers of nodes, with commas between them")] = "1,2,3",
    servers: Servers = None,
    out: Out = None,
    folder: Folder = None,
) -> None:
    """Measure the same load on one, two and three processes of each service. Ends with 1 when a payment was lost."""
    counts = _numbers(nodes, NODES_MAX, "number of nodes", "1,2,3")

    def measured(ground: Ground) -> Report:
        found = scaling.measure(
            ground.servers, ground.prefix, ground.folder, nodes=counts, rate=rate, seconds=seconds,
            broker=ground.broker, say=ground.say,
        )  # fmt: skip
        return scaling.report(found, rate, seconds)

    _run(measured, servers, out, folder)


@app.command("roll")
def rolled(
    times: Annotated[int, typer.Option(min=1, max=1_000, help="how often everything is replaced")] = 20,
    rate: Rate = 50,
    servers: Servers = None,
    out: Out = None,
    folder: Folder = None,
) -> None:
    """Measure what customers notice while every service is replaced. Ends with 1 when the money is wrong."""

    def measured(ground: Ground) -> Report:
        found = rolling.measure(ground.servers, ground.prefix, ground.folder, times=times, rate=rate, say=ground.say)
        return rolling.report(found)

    _run(measured, servers, out, folder)


def _ensure(out: Path | None, folder: Path | None) -> None:
    """Refuse what cannot be written before anything is measured."""
    try:
        if out is not None:
            ensure_file("--out", out)
        if folder is not None:
            ensure_folder("--folder", folder)
    except OutputError as error:
        raise typer.BadParameter(str(error)) from error


def _run(work: Callable[[Ground], Report], servers: str | None, out: Path | None, folder: Path | None) -> None:
    """Have it measured, say what there is to say, and end: with 1 when a payment was lost."""
    console = Console(highlight=False)
    console.width = max(_WIDTH, console.width)
    _ensure(out, folder)
    place = folder or Path(tempfile.mkdtemp(prefix="denbun-bench-"))
    began, about = time.monotonic(), machine()

    def say(text: str) -> None:
        console.print(f"  [dim]{time.monotonic() - began:5.1f} s[/dim] {text}")

    try:
        with ExitStack() as stack:
            pid = None
            if servers is None:
                broker = Broker(place / "kafka", quick=False)
                broker.start(say)
                stack.callback(broker.stop)
                pid, servers = broker.process.pid, broker.servers
            found = work(Ground(servers, f"bench{int(time.time())}-", place, pid, say))
    except _TROUBLES as error:
        console.print(f"[bold red]{error}[/bold red]\nwhat the processes said: {place / 'logs'}")
        raise typer.Exit(1) from error
    console.print(found.table)
    console.print("load before: {load_before}, {cores} cores, Python {python}".format(**about))
    for line in found.offences:
        console.print(line, style="bold red", markup=False)
    if out is not None:
        out.write_text(json.dumps({"machine": about, **found.figures}, indent=2, ensure_ascii=False) + "\n", "utf-8")
    if folder is None and not found.lost:
        shutil.rmtree(place, ignore_errors=True)
    raise typer.Exit(1 if found.lost else 0)


if __name__ == "__main__":
    app(prog_name="python -m bench")
