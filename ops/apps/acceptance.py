"""``denbun acceptance``: the acceptance cases of a step of the roadmap, played and judged."""

from pathlib import Path
from typing import Annotated

import typer


def acceptance(
    partner: Annotated[str, typer.Option(help="whose cases: cafis, cardnet, or another partner of it")],
    env: Annotated[str, typer.Option(help="the step of the roadmap: dev, brand or production")] = "dev",
    case: Annotated[list[str] | None, typer.Option(help="only this case, as CAF-D-301; may be given again")] = None,
    config: Annotated[Path | None, typer.Option(help="an installation that is up; else dev starts a stage")] = None,
    control: Annotated[str | None, typer.Option(help="HOST:PORT of that installation's simulated centre")] = None,
    out: Annotated[Path | None, typer.Option(help="where the evidence is to lie: a new folder")] = None,
    resume: Annotated[Path | None, typer.Option(help="go on with the run whose evidence lies here")] = None,
    printed: Annotated[
        Path | None,
        typer.Option("--print", help="only write the short edition for print of the evidence that lies here"),
    ] = None,
    by: Annotated[str | None, typer.Option(help="who tests; asked at a terminal, else who is logged in")] = None,
    customer: Annotated[str | None, typer.Option(help="whose requests; by default one of this partner's")] = None,
    token: Annotated[str | None, typer.Option(envvar="DENBUN_TOKEN", help="the customer's token")] = None,
    terminal: Annotated[list[str] | None, typer.Option(help="端末識別番号; may be given again")] = None,
    cards: Annotated[Path | None, typer.Option(help="a file of the test cards that the partner gave")] = None,
    authority: Annotated[Path | None, typer.Option(help="PEM: who issued the gateway's certificate")] = None,
    catalogue: Annotated[Path | None, typer.Option(help="a folder of cases in place of the packaged ones")] = None,
    unattended: Annotated[bool, typer.Option("--unattended", help="leave out what needs a person")] = False,
    listed: Annotated[bool, typer.Option("--list", help="tell the cases, and do nothing else")] = False,
) -> None:
    """受入試験: play the acceptance cases of a step of the roadmap, and write the evidence (XLSX, HTML, JSON)."""
    from acceptance.cases import Environment  # noqa: PLC0415  a service must not load it
    from ops.commands.acceptance import Wanted, list_cases, print_short  # noqa: PLC0415
    from ops.commands.acceptance import acceptance as work  # noqa: PLC0415

    if env not in {*Environment}:
        raise typer.BadParameter(f"--env {env}: one of {', '.join(Environment)}")
    if listed:
        raise typer.Exit(list_cases(partner, Environment(env), catalogue))
    if [out, resume, printed].count(None) != 2:
        raise typer.BadParameter("give --out for a new run, or --resume to go on with one, or --print to print one")
    wanted = Wanted(
        partner=partner, environment=Environment(env), cases=case or (), config=config, control=control,
        out=out or resume or printed or Path(), resume=resume is not None, by=by, customer=customer, token=token,
        terminals=terminal or (), cards=cards, authority=authority, catalogue=catalogue, unattended=unattended,
    )  # fmt: skip
    raise typer.Exit(work(wanted) if printed is None else print_short(wanted))
