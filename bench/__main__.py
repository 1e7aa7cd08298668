"""``python -m bench``: a bare relay and the whole gateway, one after the other on the same broker, side by side."""

import json
import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench import gateway, relay, report
from bench.load import LoadError
from bench.quantities import machine
from ops.broker import Broker, BrokerError
from ops.processes import ProcessError
from pipeline.log import LogError
from simulator.control import ControlError

_RATE_MAX = 20_000
_WIDTH = 108  # of the table, where the terminal is narrower or there is none

app = typer.Typer(add_completion=False, rich_markup_mode=None)


def _rates(text: str) -> list[int]:
    rates = []
    for each in text.split(","):
        if not (each.isascii() and each.isdecimal() and 1 <= int(each) <= _RATE_MAX):
            raise typer.BadParameter(f"{each!r} is no rate: give whole numbers from 1 to {_RATE_MAX}, as in 200,500")
        rates.append(int(each))
    return sorted(set(rates))


def _file(path: Path | None) -> Path | None:
    if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
        raise typer.BadParameter(f"{path} cannot be written: name a file in a folder that is there")
    return path


@app.command()
def main(
    seconds: Annotated[float, typer.Option(min=0.5, max=600, help="how long each measurement takes")] = 10.0,
    rates: Annotated[str, typer.Option(help="constant arrival rates, with commas between them")] = "200,500",
    bootstrap_servers: Annotated[str | None, typer.Option(help="a Kafka broker that is there")] = None,
    out: Annotated[Path | None, typer.Option(help="write everything as JSON to this file", callback=_file)] = None,
    folder: Annotated[Path | None, typer.Option(help="keep logs, configuration and topics here")] = None,
) -> None:
    """Measure the relay and the gateway. Ends with 1 when a payment was lost or not approved, whatever the budgets."""
    asked = _rates(rates)
    console = Console(highlight=False)
    console.width = max(_WIDTH, console.width)
    place = folder or Path(tempfile.mkdtemp(prefix="denbun-bench-"))
    began, about = time.monotonic(), machine()

    def say(text: str) -> None:
        console.print(f"  [dim]{time.monotonic() - began:5.1f} s[/dim] {text}")

    try:
        with ExitStack() as stack:
            pid, servers = None, bootstrap_servers
            if servers is None:
                broker = Broker(place / "kafka", quick=False)
                broker.start(say)
                stack.callback(broker.stop)
                pid, servers = broker.process.pid, broker.servers
            prefix = f"bench{int(time.time())}-"
            say(f"relay: {len(relay.HOPS)} hops, {seconds:g} s each at {rates} a second and saturated")
            relayed = relay.measure(servers, f"{prefix}relay-", place, asked, seconds)
            figures = gateway.measure(servers, prefix, place, asked, seconds, broker=pid, say=say)
    except (
        BrokerError, ProcessError, LogError, OSError, ControlError, LoadError, relay.RelayError
    ) as error:  # fmt: skip
        console.print(f"[bold red]{error}[/bold red]\nwhat the processes said: {place / 'logs'}")
        raise typer.Exit(1) from error
    console.print(report.table(relayed, figures))
    console.print("load before: {load_before}, {cores} cores, Python {python}".format(**about))
    for line in report.told(figures):
        console.print(line, style="bold red")
    if out is not None:
        text = json.dumps(report.as_json(about, seconds, relayed, figures), indent=2, ensure_ascii=False)
        out.write_text(text + "\n", "utf-8")
    lost = bool(figures.losses or figures.not_approved)
    if folder is None and not lost:
        shutil.rmtree(place, ignore_errors=True)
    raise typer.Exit(1 if lost else 0)


if __name__ == "__main__":
    app(prog_name="python -m bench")
