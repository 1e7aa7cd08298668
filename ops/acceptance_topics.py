"""What the gateway's own topics say of the transactions of a case, where the partner's side does not tell.

Telegrams seen from here have no bytes: card data is sealed, and a telegram is made on its way to the line. What a
record does not say is left out, and the judge calls it unseen.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from acceptance.record import Telegram
from acceptance.words import IN, OUT
from ops.reading import Ends, ends, read_topics
from pipeline.log import Message
from pipeline.owned import MARKER_KEY
from schemas import wire
from schemas.installation import Installation
from schemas.records import (
    AttentionRaised,
    CancelReported,
    LineState,
    Original,
    Outcome,
    Record,
    ReportReceived,
    RouteHeld,
    SendCancel,
    SendRequest,
    StrayTelegram,
    TelegramSent,
)
from schemas.telegrams import REPORT_OF, STATION_REQUESTS, PartnerSpec, Role, Value
from schemas.topics import Topics

_NUMBER = re.compile(r"\b(trace_number|route_number|business_date): (\d+)")
_STATION = {*STATION_REQUESTS, *(REPORT_OF[role] for role in STATION_REQUESTS)}


class Found(NamedTuple):
    """What has come into the topics since they ended somewhere."""

    records: Mapping[str, Sequence[Record]]  # by topic, without prefix
    holds: Sequence[Message]


def where(installation: Installation, partner: str) -> Ends:
    """Where the topics of a judgement end now. Raises `LogError`."""
    return ends(installation.kafka, _topics(installation, partner, telegrams=True).values())


def look(installation: Installation, partner: str, after: Ends, *, telegrams: bool) -> Found:
    """Read what a judgement needs; with `telegrams` also what tells of these. Raises `LogError`, `RecordError`."""
    full = _topics(installation, partner, telegrams=telegrams)
    read = read_topics(installation.kafka, full.values(), after=after)
    records = {name: list(_decoded(read[topic])) for name, topic in full.items() if name != "holds"}
    return Found(records, read[full["holds"]])


def _topics(installation: Installation, partner: str, *, telegrams: bool) -> Mapping[str, str]:
    """The topics' full names, by their own."""
    topics = Topics(installation.kafka.topic_prefix)
    full = {name: topics(name) for name in ("attention", "holds")}
    if telegrams:
        lines = [line.name for line in installation.line if partner in line.partners]
        full |= {name: topics(name) for name in ("reports", "cancel-reports", "strays", "lines")}
        full |= {f"{name}.{line}": topics(name, line) for name in ("dispatch", "sent") for line in lines}
    return full


def _decoded(messages: Iterable[Message]) -> Iterator[Record]:
    for message in messages:
        if message.value is not None and message.key != MARKER_KEY:
            yield wire.decode(message)


def with_a_person(found: Found) -> set[str]:
    """The transactions that were put onto the attention list."""
    return {each.transaction_id for each in found.records["attention"] if isinstance(each, AttentionRaised)}


def held(found: Found) -> tuple[set[str], set[str]]:
    """The transactions that had a route held 経路保留, and those that still have one."""
    ever: set[str] = set()
    now: dict[bytes | None, str] = {}
    for message in found.holds:
        if message.value is None:
            now.pop(message.key, None)
        else:
            now[message.key] = wire.decode_as(RouteHeld, message).transaction_id
            ever.add(now[message.key])
    return ever, set(now.values())


# --- telegrams ------------------------------------------------------------------------------------------------------


def telegrams(found: Found, partner: PartnerSpec, transactions: Sequence[str]) -> list[Telegram]:
    """The telegrams about these transactions, and strays with a number of one of them, in the order of time."""
    seen: list[Telegram] = []
    for topic, records in found.records.items():
        name, _, line = topic.partition(".")
        if name == "sent":
            orders = _orders(found.records[f"dispatch.{line}"])
            sent = [each for each in records if isinstance(each, TelegramSent) and each.transaction_id in transactions]
            for each in sent:
                seen.append(_sent(each, line, orders.get((each.transaction_id, each.attempt)), partner))
    reports = [*found.records["reports"], *found.records["cancel-reports"]]
    out = {(each.line, each.trace_number): each for each in seen}
    for record in reports:
        if isinstance(record, ReportReceived) and record.transaction_id in transactions:
            seen.append(_report(record, out))
    sent_of = _attempts(found, transactions)
    for record in reports:
        if isinstance(record, CancelReported) and record.transaction_id in transactions:
            seen.append(_cancel_report(record, sent_of))
    numbers = {(each.line, each.trace_number) for each in seen if each.way == OUT}
    strays = [each for each in found.records["strays"] if isinstance(each, StrayTelegram) and each.role is not None]
    mine = [stray for stray in map(_stray, strays) if (stray.line, stray.trace_number) in numbers]
    seen += [stray for stray in mine if stray.role not in _STATION]
    return sorted(seen, key=lambda each: each.at_ms or 0)


Orders = Mapping[tuple[str, int], SendRequest | SendCancel]


def _orders(records: Iterable[Record]) -> Orders:
    orders: dict[tuple[str, int], SendRequest | SendCancel] = {}
    for each in records:
        if isinstance(each, SendRequest):
            orders.setdefault((each.transaction_id, 0), each)
        elif isinstance(each, SendCancel):
            orders.setdefault((each.transaction_id, each.attempt), each)
    return orders


def _sent(
    record: TelegramSent, line: str, order: SendRequest | SendCancel | None, partner: PartnerSpec
) -> Telegram:  # fmt: skip
    values: dict[str, Value] = {}
    if isinstance(order, SendRequest):
        values = {"amount": order.amount, "terminal_id": order.terminal_id}
        if order.original is not None:
            values |= _original(order.original)
    elif order is not None:
        values = {"amount": order.original.amount, "terminal_id": order.original.terminal_id}
        values |= _original(order.original)
        values["original_type_code"] = partner.type_code(Role(f"{order.original.kind}_request"))
    return Telegram(
        way=OUT, role=Role(record.role), line=line, trace_number=record.trace_number,
        route_number=record.route_number, business_date=record.business_date, values=values, at_ms=record.sent_ms,
    )  # fmt: skip


def _original(original: Original) -> dict[str, Value]:
    told: dict[str, Value | None] = {
        "original_trace_number": original.trace_number,
        "original_route_number": original.route_number,
        "original_business_date": original.business_date,
    }
    return {name: value for name, value in told.items() if value is not None}


def _report(record: ReportReceived, out: Mapping[tuple[str, int | None], Telegram]) -> Telegram:
    asked = out.get((record.line, record.trace_number))
    in_error = record.outcome == Outcome.IN_ERROR or asked is None
    told = {
        "outcome": str(record.outcome), "result_code": record.result_code, "approval_code": record.approval_code,
        "error_code": record.error_code,
    }  # fmt: skip
    return Telegram(
        way=IN, role=Role.ERROR_REPORT if in_error or asked is None else REPORT_OF[asked.role], line=record.line,
        trace_number=record.trace_number, route_number=record.route_number, business_date=record.business_date,
        values={name: value for name, value in told.items() if value is not None}, at_ms=record.received_ms,
    )  # fmt: skip


def _attempts(found: Found, transactions: Sequence[str]) -> Mapping[tuple[str, int], TelegramSent]:
    return {
        (each.transaction_id, each.attempt): each
        for topic, records in found.records.items()
        if topic.startswith("sent.")
        for each in records
        if isinstance(each, TelegramSent) and each.transaction_id in transactions
    }


def _cancel_report(record: CancelReported, sent: Mapping[tuple[str, int], TelegramSent]) -> Telegram:
    command = sent.get((record.transaction_id, record.attempt))
    role = Role.ERROR_REPORT if record.in_error else REPORT_OF[Role(f"fault_{record.command}")]
    values: dict[str, Value] = {"outcome": str(Outcome.APPROVED if record.error_code is None else Outcome.DECLINED)}
    if record.error_code is not None:
        values["error_code"] = record.error_code
    return Telegram(
        way=IN, role=role, line=record.line, trace_number=None if command is None else command.trace_number,
        route_number=None if command is None else command.route_number,
        business_date=None if command is None else command.business_date, values=values, at_ms=record.received_ms,
    )  # fmt: skip


def _stray(record: StrayTelegram) -> Telegram:
    """A late or second report: it matched nothing, and its masked description is all that is kept of it."""
    assert record.role is not None
    told = dict(_NUMBER.findall(record.description))
    return Telegram(
        way=IN, role=Role(record.role), line=record.line,
        trace_number=int(told["trace_number"]) if "trace_number" in told else None,
        route_number=int(told["route_number"]) if "route_number" in told else None,
        business_date=told.get("business_date"), values={}, at_ms=record.received_ms,
    )  # fmt: skip


def line_story(found: Found, lines: Iterable[str]) -> str:
    """How the lines went on, a row for each change: what tells of opening and closing where telegrams are not seen."""
    names = set(lines)
    told: list[str] = []
    last: dict[str, str] = {}
    for state in found.records["lines"]:
        if isinstance(state, LineState) and state.line in names and last.get(state.line) != state.stage:
            last[state.line] = state.stage
            reason = f" ({state.reason})" if state.reason else ""
            told.append(f"{state.line}: {state.stage}{reason}")
    return "\n".join(told)
