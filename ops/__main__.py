"""The command ``denbun``."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from ops.images_app import images
from ops.simulator_app import app as simulator
from pipeline.config import ConfigError, load
from pipeline.log import LogError
from schemas.installation import Installation
from schemas.records import CaseOutcome, LineOrder, OperatorOrder
from schemas.sealing import KeyRingError, create_ring
from wiring import create_topics, kafka_log

SERVICES = ("ingress", "router", "egress", "faults", "simulator")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="denbun 電文: a card-payment gateway over Apache Kafka.",
)
topics = typer.Typer(no_args_is_help=True, help="The topics of an installation.")
app.add_typer(topics, name="topics")
cases = typer.Typer(no_args_is_help=True, help="障害取消: cancels, the attention list, and what an operator decides.")
app.add_typer(cases, name="faults")
lines = typer.Typer(no_args_is_help=True, help="回線: the line board, and what an operator orders about lines.")
app.add_typer(lines, name="lines")
deploy = typer.Typer(no_args_is_help=True, help="Versions of the gateway on the stack that `denbun up` runs.")
app.add_typer(deploy, name="deploy")
keys = typer.Typer(no_args_is_help=True, help="The key ring that card data is sealed with.")
app.add_typer(keys, name="keys")
app.add_typer(simulator, name="simulator")
app.command()(images)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def run(context: typer.Context, service: Annotated[str, typer.Argument(metavar="SERVICE")]) -> None:
    """Run one service: ingress, router, egress, faults or simulator; --help after its name tells its arguments."""
    if service not in SERVICES:
        raise typer.BadParameter(f"there is no service {service}: one of {', '.join(SERVICES)}")
    raise typer.Exit(import_module(f"{service}.__main__").main(context.args))


@topics.command("create")
def create(config: Annotated[Path, typer.Option(help="the installation's file", envvar="DENBUN_CONFIG")]) -> None:
    """Create the topics that do not exist yet; those that do are compared."""
    try:
        installation = load(Installation, config)
        created = create_topics(installation, kafka_log(installation.kafka))
    except ConfigError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from error
    except LogError as error:
        print(f"topics: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    for name in created:
        print(name)
    print(f"{len(created)} created, all of {installation.kafka.bootstrap_servers} as configured")


@app.command()
def demo(
    payments: Annotated[int, typer.Option(min=0, max=20_000, help="how many mixed payments follow the courses")] = 300,
    seed: Annotated[int, typer.Option(help="of the mixture: the same seed gives the same payments")] = 1,
    course: Annotated[list[str] | None, typer.Option(help="only this course; may be given several times")] = None,
    bootstrap_servers: Annotated[str | None, typer.Option(help="a Kafka broker that is there")] = None,
    folder: Annotated[Path | None, typer.Option(help="keep logs, configuration and topics here")] = None,
) -> None:
    """Play every course of a payment on real processes, then mixed payments, then judge the money."""
    from ops.commands.demo import demo as play  # noqa: PLC0415  a service must not load the stack

    raise typer.Exit(play(payments=payments, seed=seed, only=course or (), servers=bootstrap_servers, folder=folder))


@app.command()
def drill(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="which one; everything by default")] = None,
    seed: Annotated[int, typer.Option(help="the same seed gives the same faults and the same payments")] = 1,
    payments: Annotated[int, typer.Option(min=1, max=20_000, help="how many payments go on meanwhile")] = 500,
    repeat: Annotated[int, typer.Option(min=1, max=1_000, help="with this many seeds, one after the other")] = 1,
    listed: Annotated[bool, typer.Option("--list", help="tell which drills there are")] = False,
    folder: Annotated[Path | None, typer.Option(help="keep logs, configuration and topics here")] = None,
) -> None:
    """Let faults happen to two nodes under load, heal everything, and judge the money."""
    from ops.commands.drill import drill as work  # noqa: PLC0415

    raise typer.Exit(work(name, payments=payments, seed=seed, repeat=repeat, listed=listed, folder=folder))


@app.command()
def simulate(
    runs: Annotated[int, typer.Option(min=1, help="how many, each with a seed of its own")] = 1_000,
    seed: Annotated[int, typer.Option(min=0, help="of the first run; the same seed gives the same run")] = 0,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="processes that share the runs")] = 1,
    trace: Annotated[bool, typer.Option("--trace", help="one run, told event by event")] = False,
    keep_going: Annotated[bool, typer.Option("--keep-going", help="do not stop at a run that fails")] = False,
    faults: Annotated[int | None, typer.Option(min=0, help="one run, with only the first so many faults")] = None,
    without_fault: Annotated[list[int] | None, typer.Option(help="one run, without the fault of this number")] = None,
    without_kind: Annotated[list[str] | None, typer.Option(help="one run, without faults of this kind")] = None,
    without_payment: Annotated[list[int] | None, typer.Option(help="one run, without this payment")] = None,
) -> None:
    """Play whole histories of the gateway under faults in one thread, by seed, and judge the money of each."""
    from simulation.command import simulate as work  # noqa: PLC0415
    from simulation.plan import Limits, kinds_named  # noqa: PLC0415

    try:
        kinds = kinds_named(without_kind or ())
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    limits = Limits(faults, frozenset(without_fault or ()), kinds, frozenset(without_payment or ()))
    raise typer.Exit(work(runs=runs, seed=seed, jobs=jobs, limits=limits, trace=trace, keep_going=keep_going))


@app.command()
def up(
    nodes: Annotated[
        int, typer.Option(min=1, max=4, help="complete nodes: ingress, router, egress and faults each")
    ] = 1,
    bootstrap_servers: Annotated[str | None, typer.Option(help="a Kafka broker that is there")] = None,
    kafka_port: Annotated[int | None, typer.Option(help="of the embedded broker; a free one by default")] = None,
    folder: Annotated[Path, typer.Option(help="topics, keys, logs and configuration are kept here")] = Path(
        ".denbun/up"
    ),
) -> None:
    """Run the whole gateway on this machine until Ctrl-C: embedded Kafka, simulated centres, every service."""
    from ops.commands.up import up as work  # noqa: PLC0415

    raise typer.Exit(work(nodes=nodes, servers=bootstrap_servers, kafka_port=kafka_port, folder=folder))


@app.command()
def pay(
    amount: Annotated[int, typer.Option(min=1, help="yen")] = 1_000,
    kind: Annotated[str, typer.Option(help="authorisation, sale, cancel or refund")] = "sale",
    partner: Annotated[str | None, typer.Option(help="pay as the customer whose requests go to this partner")] = None,
    customer: Annotated[str | None, typer.Option(help="pay as this customer")] = None,
    reference: Annotated[str | None, typer.Option(help="of this payment; a new one by default")] = None,
    original: Annotated[str | None, typer.Option(help="the reference that a cancel or refund follows")] = None,
    card: Annotated[str, typer.Option(help="a test card's number", envvar="DENBUN_CARD")] = "4111111111111111",
    expiry: Annotated[str, typer.Option(help="YYMM")] = "2812",
    terminal: Annotated[str, typer.Option(help="端末識別番号")] = "4980000000001",
    token: Annotated[str | None, typer.Option(help="the customer's", envvar="DENBUN_TOKEN")] = None,
    config: Annotated[Path, typer.Option(help="the installation's file", envvar="DENBUN_CONFIG")] = Path(
        ".denbun/up/denbun.toml"
    ),
) -> None:
    """Make one payment and print the story of its telegrams."""
    from ops.commands.pay import Payment  # noqa: PLC0415
    from ops.commands.pay import pay as work  # noqa: PLC0415

    raise typer.Exit(work(config, Payment(
        amount=amount, kind=kind, partner=partner, customer=customer, reference=reference, original=original,
        card=card, expiry=expiry, terminal=terminal, token=token,
    )))  # fmt: skip


Config = Annotated[Path, typer.Option(help="the installation's file", envvar="DENBUN_CONFIG")]
Transaction = Annotated[str, typer.Argument(metavar="ID", help="the transaction's id, as the list shows it")]
Reason = Annotated[str, typer.Option(help="why; kept with the decision")]
Operator = Annotated[str, typer.Option("--by", metavar="NAME", help="who decides", envvar="DENBUN_OPERATOR")]
AsJson = Annotated[bool, typer.Option("--json", help="for machines")]
HERE = Path(".denbun/up/denbun.toml")


@cases.command("list")
def list_cases(
    everything: Annotated[bool, typer.Option("--all", help="also the cancels that are under way")] = False,
    as_json: AsJson = False,
    config: Config = HERE,
) -> None:
    """The attention list 要対応一覧: what was handed to a person and not closed yet."""
    from ops.commands.faults import show_list  # noqa: PLC0415

    raise typer.Exit(show_list(config, everything=everything, as_json=as_json))


@cases.command("show")
def show_case(transaction: Transaction, as_json: AsJson = False, config: Config = HERE) -> None:
    """One cancel: where it stands, every telegram, every answer, and who decided what."""
    from ops.commands.faults import show_one  # noqa: PLC0415

    raise typer.Exit(show_one(config, transaction, as_json=as_json))


@cases.command("repeat")
def repeat_case(transaction: Transaction, reason: Reason, operator: Operator, config: Config = HERE) -> None:
    """Order a re-command 再指令 of a cancel that a person has, or that waits in a pause."""
    from ops.commands.faults import Ordering, give  # noqa: PLC0415

    raise typer.Exit(give(config, Ordering(OperatorOrder.REPEAT, transaction, reason, operator)))


@cases.command("settle")
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


@app.command()
def inspect(
    given: Annotated[
        str | None, typer.Argument(metavar="FILE", help="bytes, hex text or a capture; - is standard input")
    ] = None,
    text: Annotated[str | None, typer.Option("--hex", metavar="TEXT", help="hex text itself")] = None,
    form: Annotated[str, typer.Option("--as", help="raw, hex or pcap, where the guess is wrong")] = "auto",
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


@app.command()
def topology(
    nodes: Annotated[int | None, typer.Option(min=1, max=10, help="also the plan for so many nodes")] = None,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="draw it there")] = None,
    as_json: AsJson = False,
    config: Config = HERE,
) -> None:
    """配置 which node has which partitions and lines; with --nodes, what moves and what must be ordered 発注."""
    from ops.commands.topology import topology as work  # noqa: PLC0415

    raise typer.Exit(work(config, nodes=nodes, svg=svg, as_json=as_json))


LineName = Annotated[str, typer.Argument(metavar="LINE", help="the line's name, as the list shows it")]
Route = Annotated[int, typer.Argument(metavar="ROUTE", help="経路番号", min=0, max=999)]


@lines.command("list")
def list_lines(as_json: AsJson = False, config: Config = HERE) -> None:
    """The line board 回線状態: every contracted line, beside what it should be."""
    from ops.commands.lines import show_board  # noqa: PLC0415

    raise typer.Exit(show_board(config, as_json=as_json))


def _ordered(order: LineOrder, help_text: str) -> None:
    def command(line: LineName, reason: Reason, operator: Operator, config: Config = HERE) -> None:
        from ops.commands.lines import Given, order_line  # noqa: PLC0415

        raise typer.Exit(order_line(config, line, order, Given(operator, reason)))

    lines.command(order.value, help=help_text)(command)


_ordered(LineOrder.OPEN, "開局: open the station, whatever its hours say, until another order.")
_ordered(LineOrder.DRAIN, "取消のみ: take no new requests; cancels go on.")
_ordered(LineOrder.CLOSE, "閉局: take no new requests, await what is in flight and its cancels, close the station.")
_ordered(LineOrder.CALENDAR, "業務時間どおり: let its hours say again what it should be.")


@lines.command("hold")
def hold(line: LineName, route: Route, reason: Reason, operator: Operator, config: Config = HERE) -> None:
    """経路の使用停止: keep a route from all use."""
    from ops.commands.lines import Given, hold_route  # noqa: PLC0415

    raise typer.Exit(hold_route(config, line, route, Given(operator, reason)))


@lines.command("release")
def release(
    line: LineName, route: Route, reason: Reason, operator: Operator,
    sure: Annotated[bool, typer.Option("--yes", help="do not ask")] = False, config: Config = HERE,
) -> None:  # fmt: skip
    """経路保留の解除: show for whom a route is held, then release it."""
    from ops.commands.lines import Given, release_route  # noqa: PLC0415

    def ask(question: str) -> bool:
        return sure or typer.confirm(question)

    raise typer.Exit(release_route(config, line, route, Given(operator, reason), ask=ask))


@app.command()
def acceptance(
    partner: Annotated[str, typer.Option(help="whose cases: cafis, cardnet, or a folder of layouts")],
    env: Annotated[str, typer.Option(help="the step of the roadmap: dev, brand or production")] = "dev",
    case: Annotated[list[str] | None, typer.Option(help="only this case, as CAF-D-301; may be given again")] = None,
    config: Annotated[Path | None, typer.Option(help="an installation that is up; else dev starts a stage")] = None,
    control: Annotated[str | None, typer.Option(help="HOST:PORT of that installation's simulated centre")] = None,
    out: Annotated[Path | None, typer.Option(help="where the evidence is to lie: a new folder")] = None,
    resume: Annotated[Path | None, typer.Option(help="go on with the run whose evidence lies here")] = None,
    by: Annotated[str | None, typer.Option(help="who tests; by default who is logged in")] = None,
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

    try:
        from ops.commands.acceptance import Wanted, list_cases  # noqa: PLC0415
        from ops.commands.acceptance import acceptance as work  # noqa: PLC0415
    except ImportError as error:
        print(f"acceptance: {error.name} is not installed: pip install 'denbun[documents]'", file=sys.stderr)
        raise typer.Exit(1) from error
    if env not in {*Environment}:
        raise typer.BadParameter(f"--env {env}: one of {', '.join(Environment)}")
    if listed:
        raise typer.Exit(list_cases(partner, Environment(env), catalogue))
    if (out is None) == (resume is None):
        raise typer.BadParameter("give --out for a new run, or --resume to go on with one")
    wanted = Wanted(
        partner=partner, environment=Environment(env), cases=case or (), config=config, control=control,
        out=out or resume or Path(), resume=resume is not None, by=by, customer=customer, token=token,
        terminals=terminal or (), cards=cards, authority=authority, catalogue=catalogue, unattended=unattended,
    )  # fmt: skip
    raise typer.Exit(work(wanted))


@deploy.command("roll")
def roll(
    python: Annotated[
        Path | None, typer.Option(help="an interpreter in whose environment the other version is installed")
    ] = None,
    back: Annotated[bool, typer.Option("--back", help="undo the last roll, in the opposite order")] = False,
    folder: Annotated[Path, typer.Option(help="of `denbun up`")] = Path(".denbun/up"),
) -> None:
    """ローリング再起動: replace every service of every node, one after the other, while work goes on."""
    from ops.commands.deploy import roll as work  # noqa: PLC0415

    if back and python is not None:
        raise typer.BadParameter("the way back leads to what ran before: give --back or --python, not both")
    raise typer.Exit(work(folder, python=python, back=back))


@keys.command("create")
def create_keys(
    ring: Annotated[Path, typer.Argument(help="where the ring is to lie; an existing one is kept")],
) -> None:
    """Make a key ring, readable by its owner alone."""
    try:
        there = ring.exists()
        create_ring(ring)
    except KeyRingError as error:
        print(f"keys: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    print(f"{ring}: {'was there, and is kept' if there else 'made'}")


def main() -> None:
    """The console script."""
    app()


if __name__ == "__main__":
    main()
