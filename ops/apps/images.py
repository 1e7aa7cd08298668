"""``denbun images``: its arguments. What it does stands in `ops.commands.images`, loaded only when it is called."""

from pathlib import Path
from typing import Annotated

import typer


def images(
    out: Annotated[Path, typer.Option(help="the folder to write to: a new one, or one of an earlier run")],
    partner: Annotated[list[str] | None, typer.Option(help="only this partner; may be given several times")] = None,
    flow: Annotated[list[str] | None, typer.Option(help="only this flow; may be given several times")] = None,
    record: Annotated[Path | None, typer.Option(help="of a record of an earlier run, instead of a new run")] = None,
    differences: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="OLD NEW", help="instead: what differs between two versions of layouts, each a folder or FOLDER@DAY"
        ),
    ] = None,
    bootstrap_servers: Annotated[str | None, typer.Option(help="a Kafka broker that is there")] = None,
) -> None:
    """電文イメージ: write the acceptance documents, workbook and pages, of telegrams that really travelled."""
    from ops.commands.images import Wanted, work  # noqa: PLC0415  only here are the documents' libraries needed

    wanted = Wanted(out, tuple(partner or ()), tuple(flow or ()), record, differences, bootstrap_servers)
    raise typer.Exit(work(wanted))
