"""``denbun lines``: the line board 回線状態, and what an operator orders about lines and routes."""

from collections.abc import Callable
from typing import Annotated

import typer

from ops.apps.options import HERE, AsJson, Config, Operator, Reason
from schemas.records import LineOrder

app = typer.Typer(no_args_is_help=True, help="回線: the line board, and what an operator orders about lines.")

LineName = Annotated[str, typer.Argument(metavar="LINE", help="the line's name, as the list shows it")]
Sure = Annotated[bool, typer.Option("--yes", help="do not ask, whatever the order takes away")]
Route = Annotated[int, typer.Argument(metavar="ROUTE", help="経路番号", min=0, max=999)]


@app.command("list")
def list_lines(as_json: AsJson = False, config: Config = HERE) -> None:
    """The line board 回線状態: every contracted line, beside what it should be."""
    from ops.commands.lines import show_board  # noqa: PLC0415

    raise typer.Exit(show_board(config, as_json=as_json))


def _asker(*, sure: bool) -> Callable[[str], bool]:
    """Whoever is at the terminal; where nobody is, the answer is no."""

    def ask(question: str) -> bool:
        try:
            return sure or typer.confirm(question)
        except typer.Abort:
            print("\n応答なし  nobody has answered: give --yes where nobody can be asked")
            return False

    return ask


def _ordered(order: LineOrder, help_text: str) -> None:
    def command(line: LineName, reason: Reason, operator: Operator, sure: Sure = False, config: Config = HERE) -> None:
        from ops.commands.lines import Given, order_line  # noqa: PLC0415

        raise typer.Exit(order_line(config, line, order, Given(operator, reason), ask=_asker(sure=sure)))

    app.command(order.value, help=help_text)(command)


_ordered(LineOrder.OPEN, "開局: open the station, whatever its hours say, until another order.")
_ordered(LineOrder.DRAIN, "取消のみ: take no new requests; cancels go on.")
_ordered(LineOrder.CLOSE, "閉局: take no new requests, await what is in flight and its cancels, close the station.")
_ordered(LineOrder.CALENDAR, "業務時間どおり: let its hours say again what it should be.")


@app.command("hold")
def hold(
    line: LineName, route: Route, reason: Reason, operator: Operator, sure: Sure = False, config: Config = HERE
) -> None:
    """経路の使用停止: keep a route from all use."""
    from ops.commands.lines import Given, hold_route  # noqa: PLC0415

    raise typer.Exit(hold_route(config, line, route, Given(operator, reason), ask=_asker(sure=sure)))


@app.command("release")
def release(
    line: LineName, route: Route, reason: Reason, operator: Operator, sure: Sure = False, config: Config = HERE
) -> None:
    """経路保留の解除: show for whom a route is held, then release it."""
    from ops.commands.lines import Given, release_route  # noqa: PLC0415

    raise typer.Exit(release_route(config, line, route, Given(operator, reason), ask=_asker(sure=sure)))
