"""``denbun up``: the whole gateway on this machine, until it is interrupted."""

import os
import queue
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from importlib.util import find_spec
from pathlib import Path

from rich.table import Table

from ops.broker import BrokerError
from ops.commands.consoles import open_console, timed
from ops.guard import EXTRAS
from ops.ports import HOST, format_address
from ops.processes import ProcessError
from ops.rolling import Roll, RollError
from ops.stage import Say, Stage, playing
from ops.stage_desk import StageDesk, StageOrder
from ops.supervising import Supervisor
from pipeline.log import LogError

_LOOK_S = 0.5


def up(*, nodes: int, servers: str | None, kafka_port: int | None, folder: Path) -> int:
    """Run it until a signal asks it to end; gives the exit status. What ends by itself meanwhile is started again."""
    console = open_console()
    say = timed(console)
    pages = all(map(find_spec, EXTRAS["documents"]))
    if not pages:
        say("センタの画面なし  the centres have no pages: pip install 'denbun[documents]'")
    try:
        place = folder.resolve()
        with playing(
            place, servers=servers, nodes=nodes, kafka_port=kafka_port, settle=True, pages=pages, say=say
        ) as stage:  # fmt: skip
            with suppress(KeyboardInterrupt), closing(StageDesk(place)) as desk:
                console.print(_told(stage))
                console.print(
                    "[bold]稼働中  running[/bold]: in another terminal [bold]denbun pay[/bold]; Ctrl-C ends all"
                )
                _tend(stage, desk, say)
            say("閉局して終了します  closing the lines and ending everything")
    except (BrokerError, ProcessError, LogError, OSError) as error:
        console.print(str(error), style="bold red", markup=False)
        return 1
    say(f"終了しました  ended; topics and keys stay in {folder}")
    return 0


def _tend(stage: Stage, desk: StageDesk, say: Say) -> None:
    """Keep everything running and carry out orders, until it is interrupted."""
    supervisor = Supervisor(say)
    rolls = Roll(stage, say)
    while True:
        time.sleep(_LOOK_S)
        supervisor.look(stage.kept())
        with suppress(queue.Empty):
            _carry_out(desk.orders.get_nowait(), rolls, say)


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
    except KeyboardInterrupt:
        order.say("denbun up ends: the roll was not finished")
        order.end(1)
        raise
    tell("done: everything was replaced, and does its work")
    order.end(0)


def _told(stage: Stage) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    last = ""
    for japanese, english, text in _rows(stage):
        head = f"{japanese} [dim]{english}[/dim]"
        table.add_row("" if head == last else head, text)
        last = head
    return table


def _rows(stage: Stage) -> Iterator[tuple[str, str, str]]:
    """Where everything is: the name in both languages, and the place."""
    plan = stage.plan
    yield "構成", "configuration", _near(plan.file)
    yield "Kafka", "", plan.servers
    for door in plan.doors:
        yield "接続先", "clients", format_address(door)
    for customer, file in plan.token_files.items():
        yield "顧客", "customer", f"{customer}  token {plan.tokens[customer]}"
        yield "顧客", "customer", f"      in {_near(file)}"
    for name, address in plan.metrics.items():
        yield "監視", "metrics", f"{name:9}  http://{format_address(address)}/metrics"
    for partner in stage.centres:
        if partner in plan.page_ports:
            yield "センタ画面", "centre", f"{partner:9}  http://{HOST}:{plan.page_ports[partner]}/"
        yield "センタ画面", "centre", f"{partner:9}  --control {HOST}:{plan.control_ports[partner]}"
    yield "ログ", "logs", _near(stage.folder / "logs")


def _near(path: Path) -> str:
    """As short as it can be named from here."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith(os.pardir) else relative
