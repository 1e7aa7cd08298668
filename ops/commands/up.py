"""``denbun up``: the whole gateway on this machine, until it is interrupted."""

import signal
import threading
import time
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from ops.broker import BrokerError
from ops.commands.consoles import open_console
from ops.ports import HOST, format_address
from ops.processes import ProcessError
from ops.stage import Stage, playing
from pipeline.log import LogError

_LOOK_S = 0.5


def up(*, nodes: int, servers: str | None, kafka_port: int | None, folder: Path) -> int:
    """Run it until SIGINT or SIGTERM, or until a process ends by itself; gives the exit status."""
    console = open_console()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    began = time.monotonic()

    def say(text: str) -> None:
        console.print(f"  [dim]{time.monotonic() - began:5.1f} s[/dim] {escape(text)}")

    try:
        place = folder.resolve()
        with playing(place, servers=servers, nodes=nodes, kafka_port=kafka_port, settle=True, say=say) as stage:
            console.print(_told(stage))
            console.print(
                "[bold]稼働中  running[/bold]: try [bold]denbun pay[/bold] in another terminal; Ctrl-C ends all"
            )
            while not stop.wait(_LOOK_S):
                for process in (*stage.centres.values(), *stage.services.values()):
                    process.check()
            say("closing the lines 閉局 and ending everything")
    except (BrokerError, ProcessError, LogError, OSError) as error:
        console.print(str(error), style="bold red", markup=False)
        return 1
    say("ended; topics and keys stay in " + str(folder))
    return 0


def _told(stage: Stage) -> Table:
    plan = stage.plan
    table = Table(show_header=False)
    table.add_row("configuration", str(plan.file))
    table.add_row("Kafka", plan.servers)
    table.add_row("clients connect to", ", ".join(map(format_address, plan.doors)))
    for customer, token in plan.tokens.items():
        table.add_row(f"customer {customer}", f"token {token}")
    for line in stage.installation.line:
        table.add_row(f"line 回線 {line.name}", f"{line.partner}, {line.mode} {line.host}:{line.port}")
    for partner, port in plan.control_ports.items():
        table.add_row(f"centre {partner}", f"commands at {HOST}:{port}")
    for name, address in plan.metrics.items():
        table.add_row(name, f"http://{format_address(address)}/metrics  /livez  /readyz")
    table.add_row("logs", str(stage.folder / "logs"))
    return table
