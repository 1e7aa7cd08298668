"""``denbun pay``: one payment from the shell, and the story of its telegrams."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from client import Card, ClientError, RequestRefused, Result, SyncClient
from ops.commands.consoles import open_console
from ops.commands.tables import show
from ops.payment_words import KINDS, STATUSES, ending, told
from ops.player import worded
from ops.reading import Ends, ends, read_topics
from ops.references import nearest, parted
from ops.story import About, about
from ops.times import clock, now_ms
from pipeline.config import ConfigError, load
from pipeline.log import LogError
from schemas.identity import transaction_id
from schemas.installation import Customer, Installation
from schemas.records import Record, Stage, TransactionState
from schemas.telegrams import LayoutError, PartnerSpec, load_partner
from schemas.topics import Topics
from schemas.wire import RecordError

_LOOK_S = 1.0
_STORY_S = 10.0  # how long an end is awaited: a cancel may take many times as long
_PASSING = (None, Stage.DISPATCHED, Stage.REPLIED, Stage.IN_DOUBT, Stage.UNDELIVERED)


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
        payment = _plain(payment)
        customer = _customer(installation, payment)
        token = _token(customer, payment)
    except ConfigError as error:
        console.print(str(error), style="red", markup=False)
        if not config.exists():
            console.print("is the gateway up? `denbun up` writes this file; or name another with --config")
        return 2
    reference = payment.reference or f"pay-{now_ms() % 10**11}"
    named = transaction_id(customer.id, reference, payment.original)
    before = _before(installation)
    result = _paid(console, installation, customer, token, replace(payment, reference=reference), named)
    if isinstance(before, LogError):
        _no_story(console, before)
    else:
        _tell(console, installation, named, before)
    return 0 if result is not None and result.approved else 1


def _paid(
    console: Console, installation: Installation, customer: Customer, token: str, payment: Payment, named: str
) -> Result | None:
    """Ask, and say what came of it; None where no end is known."""
    door = (installation.ingress.host, installation.ingress.port)
    assert payment.reference is not None
    try:
        with SyncClient(door, customer=customer.id, token=token) as client:
            result = client.pay(
                reference=payment.reference,
                kind=payment.kind,
                terminal_id=payment.terminal,
                amount=payment.amount,
                card=Card(number=payment.card, expiry=payment.expiry),
                original_reference=payment.original,
            )
    except RequestRefused as error:
        console.print(f"受付拒否  {error.text_ja}  {error}", style="red", markup=False)
        return None
    except ClientError as error:
        console.print(str(error), style="red", markup=False)
        return None
    colour = "green" if result.approved else "yellow"
    said = f"[{colour}]{worded(result)}  {STATUSES[result.status]}[/{colour}]  {escape(named)} ¥{payment.amount:,}"
    console.print(said, soft_wrap=True)
    if result.refusal is not None:
        console.print(f"  {result.refusal.text_ja}  {result.refusal.text_en}")
    return result


# --- whose, and which -----------------------------------------------------------------------------------------------


def _plain(payment: Payment) -> Payment:
    """References as the gateway has them: ``CUSTOMER:REFERENCE`` names the customer. Raises `ConfigError`."""
    if payment.kind not in set(KINDS):
        raise ConfigError(f"--kind {payment.kind}: 取引種別なし  no such kind: one of {', '.join(KINDS)}")
    customer = payment.customer
    found: dict[str, str | None] = {}
    for option in ("reference", "original"):
        text = getattr(payment, option)
        whose, plain = (None, text) if text is None else parted(text)
        if plain is not None and "/" in plain:
            first, _, _ = plain.partition("/")
            raise ConfigError(f"--{option} {text}: 取消・返品の参照番号  is that of a cancel or refund: name {first}")
        if whose is not None and customer not in (None, whose):
            raise ConfigError(f"--{option} {text}: {customer} の取引ではありません  is not {customer}'s, but {whose}'s")
        customer = whose or customer
        found[option] = plain
    return replace(payment, customer=customer, reference=found["reference"], original=found["original"])


def _customer(installation: Installation, payment: Payment) -> Customer:
    """Whose payment it is. Raises `ConfigError`."""
    customers = {each.id: each for each in installation.customer}
    partners = [each.name for each in installation.partner]
    if payment.partner not in (None, *partners):
        told_ = nearest(str(payment.partner), partners)
        raise ConfigError(f"--partner {payment.partner}: 登録のない相手先  no such partner: {told_}")
    if payment.customer is not None and payment.customer not in customers:
        told_ = nearest(payment.customer, customers)
        raise ConfigError(f"--customer {payment.customer}: 登録のない顧客  no such customer: {told_}")
    wanted = list(customers.values()) if payment.customer is None else [customers[payment.customer]]
    for each in wanted:
        if payment.partner in (None, *each.partners.values()):
            return each
    ways = "; ".join(f"{each.id}: {', '.join(dict.fromkeys(each.partners.values()))}" for each in wanted)
    raise ConfigError(
        f"--partner {payment.partner}: この相手先を使う顧客なし  no request of these customers goes there ({ways}): "
        "choose another, or add it under [[customer]] partners"
    )


def _token(customer: Customer, payment: Payment) -> str:
    """The customer's token: given, or that of the development environment. Raises `ConfigError`."""
    token = payment.token or f"development-token-{customer.id.lower()}"
    if customer.accepts(token):
        return token
    if payment.token is None:
        raise ConfigError(f"customer {customer.id}: give its token with --token, or in DENBUN_TOKEN")
    raise ConfigError(
        f"--token (DENBUN_TOKEN): {customer.id} のトークンではありません  is not the token of customer {customer.id}: "
        "its SHA-256 is not the token_sha256 in the configuration; give the right one, or name its customer with "
        "--customer"
    )


# --- the story ------------------------------------------------------------------------------------------------------


def _before(installation: Installation) -> Ends | LogError:
    """Where the topics end before the payment, or why that is not known: it is paid all the same."""
    topics = Topics(installation.kafka.topic_prefix).creations([line.name for line in installation.line], 1, 1)
    try:
        return ends(installation.kafka, [each.name for each in topics])
    except LogError as error:
        return error


def _tell(console: Console, installation: Installation, named: str, before: Ends) -> None:
    """The story, once the payment has come to an end or has been awaited long enough."""
    until = time.monotonic() + _STORY_S
    try:
        while True:
            time.sleep(_LOOK_S)  # the last records follow the answer
            topics = read_topics(installation.kafka, dict.fromkeys(topic for topic, _ in before), after=before)
            found = about(topics, named)
            records = [each.record for each in found]
            stage = next((each.stage for each in reversed(records) if isinstance(each, TransactionState)), None)
            if not found or stage not in _PASSING or time.monotonic() > until:
                break
    except (LogError, RecordError) as error:
        _no_story(console, error)
        return
    if not found:
        console.print(
            f"{named}: 受付記録なし  the gateway has accepted no such request: there is no story", style="dim"
        )
        return
    show(console, _table(named, found, _spec(installation, records)))
    for name, text in _facts(records, named):
        console.print(f"{name}  {text}", markup=False, soft_wrap=True)


def _spec(installation: Installation, records: list[Record]) -> PartnerSpec | None:
    """The telegrams of the partner to whom it went."""
    partner = next((each.partner for each in records if isinstance(each, TransactionState) and each.partner), None)
    try:
        return None if partner is None else load_partner(installation.partner_named(partner).telegrams)
    except (KeyError, LayoutError):
        return None


def _table(named: str, found: list[About], spec: PartnerSpec | None) -> Table:
    start_ms = found[0].message.timestamp_ms
    table = Table(title=f"{escape(named)} の経過  its story, from {clock(start_ms)}")
    for title in ("ms", "記録\nrecord, topic", "内容\nwhat happened"):
        table.add_column(title)
    for topic, message, record in found:
        words = "\n".join(told(message, record, spec))
        name = f"{type(record).__name__}\n{topic}"
        table.add_row(str(message.timestamp_ms - start_ms), escape(name), escape(words))
    return table


def _facts(records: list[Record], named: str) -> list[tuple[str, str]]:
    """Where it went, and where it stands: what is to be kept of a story."""
    states = [each for each in records if isinstance(each, TransactionState)]
    if not states:
        return []
    state = states[-1]
    facts = []
    if state.partner is not None:
        facts.append(("相手・回線  partner, line:", f"{state.partner}, {state.line or '–'}"))
    end = ending(records, named)
    assert end is not None
    return [*facts, ("結末  end:", "  ".join(end))]


def _no_story(console: Console, error: Exception) -> None:
    console.print(f"no story: {error}", style="dim", markup=False)
