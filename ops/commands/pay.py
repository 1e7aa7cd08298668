"""``denbun pay``: one payment from the shell, and the story of its telegrams."""

import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from client import Card, ClientError, SyncClient
from ops.commands.consoles import open_console
from ops.player import worded
from ops.reading import Ends, ends, read_topics
from ops.story import story
from ops.times import now_ms
from pipeline.config import ConfigError, load
from pipeline.log import LogError
from schemas.identity import transaction_id
from schemas.installation import Customer, Installation
from schemas.topics import Topics

_STORY_S = 1.0


@dataclass(frozen=True, slots=True)
class Payment:
    """What is to be paid, as the command line gives it."""

    amount: int
    kind: str
    partner: str | None
    customer: str | None
    reference: str | None
    original: str | None
    card: str
    expiry: str
    terminal: str
    token: str | None


def pay(config: Path, payment: Payment) -> int:
    """Pay; gives the exit status: 0 approved, 1 not approved or not known, 2 it could not be asked."""
    console = open_console()
    try:
        installation = load(Installation, config)
        customer = _customer(installation, payment)
        token = _token(customer, payment)
    except ConfigError as error:
        console.print(str(error), style="red", markup=False)
        if not config.exists():
            console.print("is the gateway up? `denbun up` writes this file; or name another with --config")
        return 2
    reference = payment.reference or f"pay-{now_ms() % 10**11}"
    before = _before(installation)
    door = (installation.ingress.host, installation.ingress.port)
    approved = False
    try:
        with SyncClient(door, customer=customer.id, token=token) as client:
            result = client.pay(
                reference=reference,
                kind=payment.kind,
                terminal_id=payment.terminal,
                amount=payment.amount,
                card=Card(number=payment.card, expiry=payment.expiry),
                original_reference=payment.original,
            )
    except ClientError as error:
        console.print(str(error), style="red", markup=False)
    else:
        approved = result.approved
        colour = "green" if approved else "yellow"
        console.print(f"[{colour}]{worded(result)}[/{colour}]  {customer.id} {reference} ¥{payment.amount:,}")
        if result.refusal is not None:
            console.print(f"  {result.refusal.text_ja}  {result.refusal.text_en}")
    if isinstance(before, LogError):
        _no_story(console, before)
    else:
        _tell(console, installation, transaction_id(customer.id, reference, payment.original), before)
    return 0 if approved else 1


def _customer(installation: Installation, payment: Payment) -> Customer:
    """Whose payment it is. Raises `ConfigError`."""
    for each in installation.customer:
        if payment.customer == each.id or (
            payment.customer is None and payment.partner in (None, *each.partners.values())
        ):
            return each
    known = ", ".join(each.id for each in installation.customer)
    raise ConfigError(f"no customer {payment.customer or ''} with partner {payment.partner or 'any'}: one of {known}")


def _token(customer: Customer, payment: Payment) -> str:
    """The customer's token: given, or that of the development environment. Raises `ConfigError`."""
    token = payment.token or f"development-token-{customer.id.lower()}"
    if not customer.accepts(token):
        raise ConfigError(f"customer {customer.id}: give its token with --token, or in DENBUN_TOKEN")
    return token


def _before(installation: Installation) -> Ends | LogError:
    """Where the topics end before the payment, or why that is not known: it is paid all the same."""
    topics = Topics(installation.kafka.topic_prefix).creations([line.name for line in installation.line], 1, 1)
    try:
        return ends(installation.kafka, [each.name for each in topics])
    except LogError as error:
        return error


def _tell(console: Console, installation: Installation, transaction_id: str, before: Ends) -> None:
    time.sleep(_STORY_S)  # the last records follow the answer
    try:
        found = read_topics(installation.kafka, dict.fromkeys(topic for topic, _ in before), after=before)
    except LogError as error:
        _no_story(console, error)
        return
    table = Table(title=f"{transaction_id} の経過  its story", expand=True)
    for title in ("ms", "topic", "record", "facts"):
        table.add_column(title, overflow="fold", no_wrap=title in ("ms", "topic", "record"))
    lines = story(found, transaction_id)
    for line in lines:
        table.add_row(str(line.at_ms - lines[0].at_ms), line.topic, line.record, escape(line.facts))
    console.print(table)


def _no_story(console: Console, error: LogError) -> None:
    console.print(f"no story: {error}", style="dim", markup=False)
