"""``denbun inspect``: bytes, hex text or a capture made into telegrams that people can read."""

from pathlib import Path
from typing import Annotated

import typer

from ops.apps.options import HERE, AsJson


def inspect(
    given: Annotated[
        str | None, typer.Argument(metavar="FILE", help="bytes, hex text or a capture; - is standard input")
    ] = None,
    text: Annotated[str | None, typer.Option("--hex", metavar="TEXT", help="hex text itself")] = None,
    form: Annotated[str, typer.Option("--as", help="raw, hex, decimal or pcap, where the guess is wrong")] = "auto",
    partner: Annotated[str | None, typer.Option(help="whose telegrams these are, where the guess is wrong")] = None,
    telegrams: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="also a partner's layouts, or a folder of such")
    ] = None,
    number: Annotated[list[int] | None, typer.Option(help="this telegram in full; may be given several times")] = None,
    everything: Annotated[bool, typer.Option("--all", help="every telegram of a capture in full")] = False,
    trace: Annotated[
        int | None, typer.Option(metavar="N", help="処理通番: of a capture only the telegrams about this one")
    ] = None,
    strays: Annotated[bool, typer.Option("--strays", help="the gateway's own: answers that matched nothing")] = False,
    line: Annotated[str | None, typer.Option(help="with --strays: of this line alone")] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="show card number and expiry; is written down")] = False,
    reason: Annotated[str | None, typer.Option(help="with --reveal: why card data has to be seen")] = None,
    operator: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="with --reveal: who looks", envvar="DENBUN_OPERATOR")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="with --reveal: the installation's key ring, as authority")] = None,
    audit: Annotated[Path | None, typer.Option(help="with --reveal: the file each reveal is appended to")] = None,
    as_json: AsJson = False,
    config: Annotated[
        Path | None, typer.Option(help="the installation: its partners' layouts, its topics", envvar="DENBUN_CONFIG")
    ] = None,
) -> None:
    """電文の解読: what these bytes are, field by field and masked; a capture as a conversation."""
    from ops.commands.inspect import Look, Reveal  # noqa: PLC0415
    from ops.commands.inspect import inspect as work  # noqa: PLC0415
    from ops.commands.inspect_strays import inspect_strays  # noqa: PLC0415

    if strays and (given is not None or text is not None or reveal):
        raise typer.BadParameter("--strays reads the gateway's topics: give no bytes and no --reveal with it")
    if line is not None and not strays:
        raise typer.BadParameter("--line goes with --strays")
    if strays:
        raise typer.Exit(inspect_strays(config or HERE, line=line, as_json=as_json))
    raise typer.Exit(work(Look(
        given=given, text=text, form=form, partner=partner, folders=telegrams or (), config=config,
        numbers=number or (), everything=everything, trace=trace, as_json=as_json,
        reveal=Reveal(reason, operator, key, audit) if reveal else None,
    )))  # fmt: skip
