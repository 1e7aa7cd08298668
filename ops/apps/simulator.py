"""``denbun simulator``: a partner's centre alone, and what people order of it. Loads the simulator only when called."""

import os
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from ops import interrupts

app = typer.Typer(no_args_is_help=True, help="センタシミュレータ: a partner's centre to develop and test against.")

CONTROL = "127.0.0.1:7310"
Where = Annotated[
    str, typer.Option("--control", metavar="HOST:PORT", help="of the running centre", envvar="DENBUN_SIMULATOR")
]
Whose = Annotated[str | None, typer.Option("--partner", help="the partner whose telegrams its lines carry")]
Last = Annotated[int, typer.Option(min=1, max=10_000, help="so many, the newest first")]
AsJson = Annotated[bool, typer.Option("--json", help="for machines")]


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def run(context: typer.Context) -> None:
    """Run a centre until Ctrl-C; --help after it tells its arguments. Commands are taken at 127.0.0.1:7310."""
    arguments = list(context.args)
    if not any(each.split("=")[0] == "--control" for each in arguments):
        arguments += ["--control", os.environ.get("DENBUN_SIMULATOR", CONTROL)]
    interrupts.leave()  # it has ways of its own
    raise typer.Exit(import_module("simulator.__main__").main(arguments, prog="denbun simulator run"))


@app.command()
def scenarios(as_json: AsJson = False) -> None:
    """シナリオ一覧: the scenarios that come with the package."""
    from ops.commands.simulator import show_scenarios  # noqa: PLC0415

    raise typer.Exit(show_scenarios(as_json=as_json))


@app.command()
def use(
    scenario: Annotated[str, typer.Argument(metavar="NAME", help="of a packaged scenario, or a .toml file")],
    control: Where = CONTROL,
    partner: Whose = None,
) -> None:
    """シナリオ切り替え: have the running centre behave as a scenario says, from now on."""
    from ops.commands.simulator import Door, use_scenario  # noqa: PLC0415

    raise typer.Exit(use_scenario(Door(control, partner), scenario))


_RULE = """\b
センタの動作  what the centre does: do = "silent"
  answer decline stand_in turn_round error_report trouble refuse
  silent lose late twice drop garbage noise loop
  other_amount other_terminal other_type other_route other_error unknown_code

\b
対象電文  with which telegrams (all that it makes sense for, where nothing is said):
  role = "sale_request"         or a list of them
  amount = 4000                 or [4000, 4999]: from, to
  pan = "411111*"               a test card's number, or its beginning
  terminal_id = "4980123456789"
  station = "DNB00001"          that came over the line of this station
  times = 1                     the first so many about one transaction
  share = 0.05                  of all others, by a seeded chance
  between = ["09:00", "17:00"]  time of day in Japan
  from_s = 60, until_s = 120    seconds since the scenario began
  when = "destination_down"     state of the issuer's centre; or destination_up

\b
応答  how it is answered:
  code = "C13"                  instead of the first listed code
  codes = { C13 = 3, C14 = 1 }  by chance with weights; a list: in turn; "every"
  after_ms = 500                how long after it has come
  latency = { kind = "lognormal", median_ms = 60, p99_ms = 900 }
  floor_limit = 30000           of stand_in: more yen than that is declined

\b
例  examples:
  denbun simulator rule 'do = "silent", role = "sale_request", amount = 4000'
  denbun simulator rule 'do = "trouble", code = "C13", times = 1'
"""
_EVENT = """\b
keepalive 疎通確認       close 閉局        ask_to_close    reopen
drop_line 回線断         refuse_openings   accept_openings
stop_listening           listen_again
destination_down 被仕向センタ障害          destination_up
"""


@app.command(epilog=_RULE)
def rule(
    text: Annotated[str, typer.Argument(metavar="RULE", help="""as 'do = "silent", amount = 4000'""")],
    control: Where = CONTROL,
    partner: Whose = None,
) -> None:
    """ルール追加: put a rule before all others of the running centre."""
    from ops.commands.simulator import Door, add_rule  # noqa: PLC0415

    raise typer.Exit(add_rule(Door(control, partner), text))


@app.command(epilog=_EVENT)
def event(
    do: Annotated[str, typer.Argument(metavar="EVENT", help="which, as below")],
    station: Annotated[str | None, typer.Option(help="only the line of this station")] = None,
    control: Where = CONTROL,
) -> None:
    """センタ起動イベント: have the partner do something of its own accord, now."""
    from ops.commands.simulator import Door, order_event  # noqa: PLC0415

    raise typer.Exit(order_event(Door(control), do, station))


@app.command()
def state(control: Where = CONTROL, partner: Whose = None, as_json: AsJson = False) -> None:
    """状態: scenario, lines, rules with their hits, load, counts."""
    from ops.commands.simulator import Door, show_state  # noqa: PLC0415

    raise typer.Exit(show_state(Door(control, partner), as_json=as_json))


@app.command()
def ledger(last: Last = 20, control: Where = CONTROL, partner: Whose = None, as_json: AsJson = False) -> None:
    """センタ元帳: the centre's books, card numbers masked."""
    from ops.commands.simulator import Door, show_ledger  # noqa: PLC0415

    raise typer.Exit(show_ledger(Door(control, partner), last, as_json=as_json))


@app.command()
def telegrams(
    last: Last = 20,
    full: Annotated[bool, typer.Option("--full", help="field by field")] = False,
    control: Where = CONTROL,
    partner: Whose = None,
    as_json: AsJson = False,
) -> None:
    """送受信電文: the telegrams that passed, card data masked."""
    from ops.commands.simulator import Door, show_telegrams  # noqa: PLC0415

    raise typer.Exit(show_telegrams(Door(control, partner), last, full=full, as_json=as_json))


@app.command()
def record(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="the scenario file to write; it must not exist yet")],
    control: Where = CONTROL,
    partner: Whose = None,
) -> None:
    """記録: write what happened since the scenario began, as a scenario that makes it happen again."""
    from ops.commands.simulator import Door, write_record  # noqa: PLC0415

    raise typer.Exit(write_record(Door(control, partner), file))
