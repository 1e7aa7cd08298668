"""``denbun faults``: the attention list 要対応一覧, and what an operator decides about it."""

from typing import Annotated

import typer

from ops.apps.options import HERE, AsJson, Config, Operator, Reason
from schemas.records import CaseOutcome, OperatorOrder

app = typer.Typer(no_args_is_help=True, help="障害取消: cancels, the attention list, and what an operator decides.")

Transaction = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="the transaction, as `faults list` and `pay` show it: AP02:pay-1; or its reference alone"
    ),
]


@app.command("list")
def list_cases(
    everything: Annotated[bool, typer.Option("--all", help="also the cancels that are under way")] = False,
    as_json: AsJson = False,
    config: Config = HERE,
) -> None:
    """The attention list 要対応一覧: what was handed to a person and not closed yet."""
    from ops.commands.faults import show_list  # noqa: PLC0415

    raise typer.Exit(show_list(config, everything=everything, as_json=as_json))


@app.command("show")
def show_case(transaction: Transaction, as_json: AsJson = False, config: Config = HERE) -> None:
    """One cancel: where it stands, every telegram, every answer, and who decided what."""
    from ops.commands.faults import show_one  # noqa: PLC0415

    raise typer.Exit(show_one(config, transaction, as_json=as_json))


@app.command("watch")
def watch_cases(config: Config = HERE) -> None:
    """要対応の監視: announce each case for a person as it comes, until Ctrl-C."""
    from ops.commands.faults import watch_list  # noqa: PLC0415

    raise typer.Exit(watch_list(config))


@app.command("repeat")
def repeat_case(transaction: Transaction, reason: Reason, operator: Operator, config: Config = HERE) -> None:
    """Order a re-command 再指令 of a cancel that a person has, or that waits in a pause."""
    from ops.commands.faults import Ordering, give  # noqa: PLC0415

    raise typer.Exit(give(config, Ordering(OperatorOrder.REPEAT, transaction, reason, operator)))


@app.command("settle")
def settle_case(
    transaction: Transaction,
    reason: Reason,
    operator: Operator,
    outcome: Annotated[CaseOutcome | None, typer.Option(help="what the payment is at the partner, if known")] = None,
    config: Config = HERE,
) -> None:
    """Close a case 対応完了 by hand: the partner confirmed by telephone, for example."""
    from ops.commands.faults import Ordering, give  # noqa: PLC0415

    raise typer.Exit(give(config, Ordering(OperatorOrder.SETTLE, transaction, reason, operator, outcome)))
