"""The command ``denbun``."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from pipeline.config import ConfigError, load
from pipeline.log import LogError
from schemas.installation import Installation
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


def main() -> None:
    """The console script."""
    app()


if __name__ == "__main__":
    main()
