"""From records to the values of telegrams, and from reports to records. Pure; knows no partner."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from egress.numbers import Numbers
from schemas.japan_time import business_date, time_of_day
from schemas.records import CancelReported, Command, Original, Outcome, ReportReceived, SendRequest
from schemas.telegrams import ROLE_OF_KIND, Message, PartnerSpec, Role, Value


class CardData(NamedTuple):
    """What was sealed, for the time it takes to put it into a telegram."""

    pan: str
    expiry: str
    track2: str | None
    security_code: str | None

    def __repr__(self) -> str:
        return "CardData(…)"


OpenCard = Callable[[SendRequest], CardData]


class CardDataUnreadable(Exception):  # noqa: N818  it tells what happened
    """The sealed card data of a request cannot be opened."""


class Telegrams:
    """Makes the telegrams of one partner for one line, by the edition that holds on their business date."""

    def __init__(self, company_code: str, station_id: str, partner: PartnerSpec) -> None:
        self._company_code = company_code
        self._station_id = station_id
        self._partner = partner

    def request(self, record: SendRequest, card: CardData, numbers: Numbers, now_ms: int) -> dict[str, Value]:
        """The values of a request of a client."""
        original = record.original
        values: dict[str, Value | None] = {
            "terminal_id": record.terminal_id,
            "pan": card.pan,
            "expiry": card.expiry,
            "track2": card.track2,
            "security_code": card.security_code,
            "amount": record.amount,
            "payment_method": record.payment_method,
            "reference": record.reference,
        }
        if original is not None:
            values["original_trace_number"] = original.trace_number
            values["original_business_date"] = original.business_date
            values["original_approval_code"] = original.approval_code
            values["original_amount"] = original.amount
        return self._fitting(ROLE_OF_KIND[record.kind], values, numbers, now_ms)

    def command(self, role: Role, original: Original, numbers: Numbers, now_ms: int) -> dict[str, Value]:
        """The values of a cancel telegram. The original request has its numbers."""
        assert original.business_date is not None
        values: dict[str, Value | None] = {
            "terminal_id": original.terminal_id,
            "original_type_code": self._partner.on(original.business_date).type_code(ROLE_OF_KIND[original.kind]),
            "original_trace_number": original.trace_number,
            "original_route_number": original.route_number,
            "original_business_date": original.business_date,
            "amount": original.amount,
        }
        return self._fitting(role, values, numbers, now_ms)

    def station(self, role: Role, trace_number: int, now_ms: int) -> dict[str, Value]:
        """The values of a telegram about the line itself; its route number is 0."""
        today = business_date(now_ms)
        values: dict[str, Value | None] = {"station_id": self._station_id}
        if role in (Role.OPENING_ANSWER, Role.CLOSING_ANSWER):
            values["result_code"] = self._partner.on(today).result_code_for(Outcome.APPROVED)
        return self._fitting(role, values, Numbers(trace_number, 0, today), now_ms)

    def envelope(self, code: str, telegram: bytes, numbers: Numbers, now_ms: int) -> dict[str, Value]:
        """The values of an envelope around a telegram of another partner, the one of this code."""
        values: dict[str, Value | None] = {"carried_code": code, "carried_telegram": telegram.hex()}
        return self._fitting(Role.ENVELOPE_REQUEST, values, numbers, now_ms)

    def _fitting(
        self, role: Role, values: Mapping[str, Value | None], numbers: Numbers, now_ms: int
    ) -> dict[str, Value]:
        """With what every telegram may carry, and without what the partner's telegram has no field for."""
        every: Mapping[str, Value] = {
            "company_code": self._company_code,
            "business_date": numbers.business_date,
            "sent_time": time_of_day(now_ms),
            "trace_number": numbers.trace_number,
            "route_number": numbers.route_number,
        }
        names = self._partner.on(numbers.business_date).telegrams[role].names
        return {name: value for name, value in {**values, **every}.items() if value is not None and name in names}


def reported(
    partner: PartnerSpec, transaction_id: str, line: str, numbers: Numbers, message: Message, late: bool, now_ms: int
) -> ReportReceived:
    """What a report about a request says. Its codes are known."""
    values, outcome = message.values, partner.classify(message)
    assert outcome is not None
    return ReportReceived(
        transaction_id=transaction_id,
        line=line,
        trace_number=numbers.trace_number,
        route_number=numbers.route_number,
        business_date=numbers.business_date,
        outcome=outcome,
        result_code=_text(values, "result_code"),
        approval_code=_text(values, "approval_code"),
        error_code=_text(values, "error_code"),
        late=late,
        received_ms=now_ms,
    )


def cancel_reported(
    partner: PartnerSpec, transaction_id: str, line: str, attempt: int, command: Command, message: Message, now_ms: int
) -> CancelReported:
    """What 8950, 8960 or 異常報告 says about a cancel telegram."""
    done = partner.classify(message) is Outcome.APPROVED
    code = _text(message.values, "error_code") or _text(message.values, "result_code")
    return CancelReported(
        transaction_id=transaction_id,
        line=line,
        attempt=attempt,
        command=command,
        in_error=message.role is Role.ERROR_REPORT,
        error_code=None if done else code,
        received_ms=now_ms,
    )


def _text(values: Mapping[str, Value], name: str) -> str | None:
    value = values.get(name)
    return None if value is None else str(value)
