"""Strays 該当なし電文: for each answer that matched nothing, the request it nearly answers, by the gateway's records.

A stray is kept masked, as the layouts describe it; `sent.<line>` has the numbers of what went onto the line, `dispatch`
the rest of what a report is matched by. What neither knows is not compared, and that is said.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from images.matching import ANSWERS, Asked, NearMiss, near_miss
from schemas.installation import Line
from schemas.records import (
    CancelReported,
    Record,
    ReportReceived,
    SendCancel,
    SendRequest,
    StrayTelegram,
    TelegramSent,
)
from schemas.telegrams import Message, PartnerSpec, Role, Telegram, Value

_DAY_MS = 86_400_000


class Records(NamedTuple):
    """What the topics of a line hold. `dispatch` is by offset."""

    sent: Sequence[TelegramSent]
    dispatch: Mapping[int, Record]
    answered: frozenset[tuple[str, int]]  # transaction and attempt, 0 for the request itself


class Stray(NamedTuple):
    """A stray, and what is nearest to it. `why` is what the line said; `message` is None of what could not be read."""

    record: StrayTelegram
    why: str
    partner: PartnerSpec | None
    message: Message | None
    miss: NearMiss | None
    of: TelegramSent | None  # what the miss is about


def answered_by(records: Iterable[Record]) -> frozenset[tuple[str, int]]:
    """What was answered, by the records of `reports` and `cancel-reports`."""
    found: set[tuple[str, int]] = set()
    for record in records:
        if isinstance(record, ReportReceived):
            found.add((record.transaction_id, 0))
        elif isinstance(record, CancelReported):
            found.add((record.transaction_id, record.attempt))
    return frozenset(found)


def nearest(
    stray: StrayTelegram, line: Line, specs: Mapping[str, PartnerSpec], records: Records, clock_tolerance_ms: int
) -> Stray:
    """The request on this line that a stray nearly answers. `specs`: the partners' layouts, by the partner's name.

    `clock_tolerance_ms`: the installation's. What was sent and what came is timed by two owners' idea of one clock.
    """
    why, _, description = stray.description.partition("\n")
    read = next(((name, found) for name in line.partners if (found := _read(description, specs[name]))), None)
    if read is None:
        return Stray(stray, why, None, None, None, None)
    name, (spec, message) = read
    if message.role not in ANSWERS:
        return Stray(stray, why, spec, message, None, None)
    sent = {
        each.dispatch_offset: each
        for each in records.sent
        if (each.partner or line.partner) == name
        and stray.received_ms - _DAY_MS <= each.sent_ms <= stray.received_ms + clock_tolerance_ms
    }
    asked = [_asked(each, line, name, records) for each in sent.values()]
    miss = near_miss(spec, asked, message)
    return Stray(stray, why, spec, message, miss, None if miss is None else sent[miss.asked.number])


# --- what was sent --------------------------------------------------------------------------------------------------


def _asked(sent: TelegramSent, line: Line, partner: str, records: Records) -> Asked:
    codes = {each.partner: each.company_code for each in line.carries}
    values: dict[str, Value | None] = {
        "company_code": codes.get(partner, line.company_code),
        "trace_number": sent.trace_number,
        "route_number": sent.route_number,
        "business_date": sent.business_date,
        "station_id": line.station_id,
    }
    ordered = records.dispatch.get(sent.dispatch_offset)
    if isinstance(ordered, SendRequest):
        values |= {"terminal_id": ordered.terminal_id, "amount": ordered.amount}
    elif isinstance(ordered, SendCancel):
        original = ordered.original
        values |= {
            "terminal_id": original.terminal_id,
            "amount": original.amount,
            "original_trace_number": original.trace_number,
            "original_business_date": original.business_date,
        }
    known = {name: value for name, value in values.items() if value is not None}
    answered = (sent.transaction_id, sent.attempt) in records.answered
    return Asked(sent.dispatch_offset, Role(sent.role), known, sent.dispatch_offset if answered else None)


# --- what came ------------------------------------------------------------------------------------------------------


def _read(description: str, partner: PartnerSpec) -> tuple[PartnerSpec, Message] | None:
    """The telegram of which this is the description (`PartnerSpec.describe`), as far as it is shown; its edition."""
    lines = description.splitlines()
    for spec in reversed(tuple(partner.editions)):
        for telegram in spec.telegrams.values():
            if (
                not lines
                or lines[0] != f"{spec.japanese} {telegram.type_code} {telegram.japanese} {telegram.role.value}"
            ):
                continue
            values = _values(telegram, lines[1:])
            if spec.dated(values) is spec:
                return spec, Message(telegram.role, values)
    return None


def _values(telegram: Telegram, lines: Sequence[str]) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for field in telegram.fields:
        start = f"  {field.japanese} {field.name}: "
        said = next((line.removeprefix(start) for line in lines if line.startswith(start)), None)
        if said is not None:
            bare = said.partition("（")[0]  # what follows is a code's meaning; no alphabet has this bracket
            values[field.name] = int(bare) if field.value_type is int else bare
    return values
