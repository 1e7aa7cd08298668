"""``denbun up``: the whole gateway on this machine, until it is interrupted."""

import queue
import signal
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from ops.broker import BrokerError
from ops.commands.consoles import open_console
from ops.ports import HOST, format_address
from ops.processes import ProcessError
from ops.rolling import Roll, RollError
from ops.stage import Say, Stage, playing
from ops.stage_desk import StageDesk, StageOrder
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
            with closing(StageDesk(place)) as desk:
                rolls = Roll(stage, say, stop.is_set)
                while not stop.wait(_LOOK_S):
                    for process in (*stage.centres.values(), *stage.services.values()):
                        process.check()
                    with suppress(queue.Empty):
                        _carry_out(desk.orders.get_nowait(), rolls, say)
            say("closing the lines 閉局 and ending everything")
    except (BrokerError, ProcessError, LogError, OSError) as error:
        console.print(str(error), style="bold red", markup=False)
        return 1
    say("ended; topics and keys stay in " + str(folder))
    return 0


def _carry_out(order: StageOrder, rolls: Roll, say: Say) -> None:
    """A roll, told here and to whoever has ordered it."""

    def tell(text: str) -> None:
        say(text)
        order.say(text)

    rolls.say = tell
    try:
        asked = order.asked["roll"]
        if asked["back"]:
            rolls.back()
        else:
            rolls.forward(asked["python"] or sys.executable)
    except RollError as error:
        tell(str(error))
        order.end(1)
        return
    tell("done: everything was replaced, and does its work")
    order.end(0)


def _told(stage: Stage) -> Table:
    plan = stage.plan
    table = Table(show_header=False)
    table.add_row("configuration", str(plan.file))
    table.add_row("Kafka", plan.servers)
    table.add_row("clients connect to", ", ".join(map(format_address, plan.doors)))
    for customer, token in plan.tokens.items():
        table.add_row(f"customer {customer}", f"token {token}")
    for line in stage.installation.line:
        table.add_row(f"line 回線 {line.name}", f"{' + '.join(line.partners)}, {line.mode} {line.host}:{line.port}")
    for partner, port in plan.control_ports.items():
        table.add_row(f"centre {partner}", f"commands at {HOST}:{port}")
    for name, address in plan.metrics.items():
        table.add_row(name, f"http://{format_address(address)}/metrics  /livez  /readyz")
    table.add_row("logs", str(stage.folder / "logs"))
    return table
