"""The command ``denbun``."""

from ops import early  # isort: skip  before all else: Ctrl-C while that is imported

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from ops import interrupts
from ops.apps import faults, lines, simulator
from ops.apps.acceptance import acceptance
from ops.apps.images import images
from ops.apps.inspect import inspect
from ops.apps.options import HERE, AsJson, Config
from ops.apps.version import tell_version
from ops.guard import guarded
from pipeline.config import ConfigError, check_environment, load
from pipeline.log import LogError
from schemas.installation import Installation
from schemas.sealing import KeyRingError, create_ring
from wiring import create_topics, kafka_log, mend_topics
from wiring.about import overview

SERVICES = ("ingress", "router", "egress", "faults", "simulator")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="denbun 電文: a card-payment gateway over Apache Kafka.",
)
topics = typer.Typer(no_args_is_help=True, help="The topics of an installation.")
app.add_typer(topics, name="topics")
app.add_typer(faults.app, name="faults")
app.add_typer(lines.app, name="lines")
deploy = typer.Typer(no_args_is_help=True, help="Versions of the gateway on the stack that `denbun up` runs.")
app.add_typer(deploy, name="deploy")
keys = typer.Typer(no_args_is_help=True, help="The key ring that card data is sealed with.")
app.add_typer(keys, name="keys")
app.add_typer(simulator.app, name="simulator")


@app.callback()
def root(
    _: Annotated[
        bool, typer.Option("--version", callback=tell_version, is_eager=True, help="tell the version, and end")
    ] = False,
) -> None:
    """電文: a card-payment gateway over Apache Kafka."""


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def run(context: typer.Context, service: Annotated[str, typer.Argument(metavar="SERVICE")] = "--help") -> None:
    """Run one service: ingress, router, egress, faults or simulator. `denbun run --help` tells what each needs."""
    if service in ("--help", "-h"):
        print(f"Usage: denbun run SERVICE [OPTIONS]\n\n{overview()}")
        raise typer.Exit
    if service not in SERVICES:
        raise typer.BadParameter(f"there is no service {service}: one of {', '.join(SERVICES)}")
    interrupts.leave()  # a service has ways of its own
    raise typer.Exit(import_module(f"{service}.__main__").main(context.args))


@topics.command("create")
def create(
    alter: Annotated[bool, typer.Option("--alter", help="set what differs in topics that exist")] = False,
    config: Config = HERE,
) -> None:
    """Create the topics that do not exist yet; those that do are compared, and refused where they differ."""
    try:
        installation = load(Installation, config)
        log = kafka_log(installation.kafka)
        for each in mend_topics(installation, log) if alter else ():
            print(f"{each.topic}: {each.entry}: {each.found} -> {each.wanted}")
        created = create_topics(installation, log)
    except ConfigError as error:
        print(error, file=sys.stderr)
        if not config.exists():
            print("is the gateway up? `denbun up` writes this file; or name another with --config", file=sys.stderr)
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
    kafka_port: Annotated[
        int | None, typer.Option(min=1, max=65_535, help="of the embedded broker; 9092 by default, or a free one")
    ] = None,
    folder: Annotated[Path, typer.Option(help="topics, keys, logs and configuration are kept here")] = Path(
        ".denbun/up"
    ),
) -> None:
    """Run the whole gateway on this machine until Ctrl-C: embedded Kafka, simulated centres, every service.

    What ends by itself is started again. One at a time in a folder: a second one ends with status 3.
    """
    from ops.commands.up import up as work  # noqa: PLC0415

    raise typer.Exit(work(nodes=nodes, servers=bootstrap_servers, kafka_port=kafka_port, folder=folder))


@app.command()
def broker(
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="9092 by default, or a free one")] = None,
    folder: Annotated[Path, typer.Option(help="its data is kept here; one of `denbun up` is taken, too")] = Path(
        ".denbun/broker"
    ),
) -> None:
    """Run the embedded Kafka alone until Ctrl-C, to try one line or one service against a real broker."""
    from ops.commands.broker import broker as work  # noqa: PLC0415

    raise typer.Exit(work(folder=folder, port=port))


@app.command()
def pay(
    amount: Annotated[int, typer.Option(min=1, help="yen")] = 1_000,
    kind: Annotated[str, typer.Option(help="authorisation, sale, cancel or refund")] = "sale",
    partner: Annotated[str | None, typer.Option(help="pay as the customer whose requests go to this partner")] = None,
    customer: Annotated[str | None, typer.Option(help="pay as this customer")] = None,
    reference: Annotated[str | None, typer.Option(help="a new one by default; R-1 or AP02:R-1")] = None,
    original: Annotated[str | None, typer.Option(help="what a cancel or refund follows; R-1 or AP02:R-1")] = None,
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


for command in (inspect, images, acceptance):
    app.command()(command)


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
    try:
        check_environment(Installation, os.environ)
    except ConfigError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    sys.exit(guarded(app, " ".join(["denbun", *sys.argv[1:2]])))


early.over()

if __name__ == "__main__":
    main()
