"""Whose telegram a report is about, where a line carries another partner's: what is inside, or its envelope."""

import pytest

from egress.flights import NOTHING
from egress.jobs import Job, Stage
from egress.numbers import Numbers
from egress.parties import Came, Parties, Unreadable
from egress.telegrams import CardData, Telegrams
from schemas.installation import Line
from schemas.records import Kind, Sealed, SendRequest
from schemas.telegrams import Message, Role, Value, load_partner

CAFIS = load_partner("cafis")
NOON_MS = 1_775_012_400_000
TODAY = "20260401"
COMPANY, CODE = "100001", "JCN1"
NUMBERS = Numbers(7, 3, TODAY)


def parties() -> Parties:
    """Those of a line that carries a partner of the same layouts, which knows the line by the same company code."""
    line = Line.model_validate(
        {
            "name": "cafis-1", "partner": "cafis", "mode": "dial", "host": "127.0.0.1", "port": 1,
            "station_id": "DNB00001", "company_code": COMPANY, "routes": [1, 3],
            "carries": [{"partner": "cardnet", "code": CODE, "company_code": COMPANY}],
        }
    )  # fmt: skip
    return Parties(line, CAFIS, {"cardnet": CAFIS})


def job() -> Job:
    """A sale in an envelope."""
    return Job(
        offset=0, key=b"AP02:a", transaction_id="AP02:a", attempt=0, role=Role.SALE_REQUEST, send_by_ms=0, order=None,
        partner="cardnet", stage=Stage.SENT, numbers=NUMBERS,
    )  # fmt: skip


def on_the_line(of: Parties) -> Job:
    request = SendRequest(
        transaction_id="AP02:a", customer="AP02", reference="a", kind=Kind.SALE, terminal_id="4980123456789",
        amount=1_200, payment_method="10", card=Sealed(key_id="k", nonce=b"n", ciphertext=b"c"), sensitive=None,
        original=None, send_by_ms=0, report_timeout_ms=0, partner="cardnet",
    )  # fmt: skip
    made = job()
    card = CardData("4111111111111111", "2812", None, None)
    of.make(made, Telegrams(COMPANY, "DNB00001", CAFIS).request(request, card, NUMBERS, NOON_MS), NOON_MS)
    of.add(made)
    return made


def inherited(of: Parties) -> Job:
    found = job()
    of.inherit(found, NUMBERS, NOON_MS)
    return found


def error_report(about: Role, **more: Value) -> Message:
    values: dict[str, Value] = {
        "company_code": COMPANY, "business_date": TODAY, "trace_number": 7, "route_number": 3, "error_code": "C01",
        "original_type_code": CAFIS.type_code(about), **more,
    }  # fmt: skip
    return Message(Role.ERROR_REPORT, values)


def envelope(**more: Value) -> Message:
    values: dict[str, Value] = {
        "company_code": COMPANY, "business_date": TODAY, "trace_number": 7, "route_number": 3, "carried_code": CODE,
    }  # fmt: skip
    return Message(Role.ENVELOPE_REPORT, values | more)


def test_an_error_report_in_an_envelope_is_about_what_was_inside_and_one_without_about_the_envelope() -> None:
    for of_the_line in (on_the_line, inherited):
        of = parties()
        flying = of_the_line(of)
        inside, around = error_report(Role.SALE_REQUEST), error_report(Role.ENVELOPE_REQUEST)
        carried = of.of(flying)
        assert carried is not None
        assert of.answered(Came(carried, inside, envelope()), {TODAY}) is flying
        assert of.answered(Came(of.own, around), {TODAY}) is flying
        crossed = f"{NOTHING}: sale_request 7 has another original_type_code"
        assert of.answered(Came(carried, around, envelope()), {TODAY}) == crossed
        assert of.answered(Came(of.own, inside), {TODAY}) == crossed


def test_a_report_whose_envelope_is_another_ones_answers_nothing() -> None:
    for of_the_line in (on_the_line, inherited):
        of = parties()
        carried = of.of(of_the_line(of))
        assert carried is not None
        came = Came(carried, error_report(Role.SALE_REQUEST), envelope(trace_number=8))
        assert of.answered(came, {TODAY}) == f"{NOTHING}: the envelope of sale_request 7 has another trace_number"
        came = Came(carried, error_report(Role.SALE_REQUEST), envelope(carried_code="VISA"))
        assert of.answered(came, {TODAY}) == f"{NOTHING}: the envelope of sale_request 7 has another carried_code"


def test_what_has_ended_is_not_found_by_its_envelope_any_more() -> None:
    of = parties()
    flying = on_the_line(of)
    of.remove(flying)
    assert of.answered(Came(of.own, error_report(Role.ENVELOPE_REQUEST)), {TODAY}) == NOTHING


@pytest.mark.parametrize("role", [Role.ENVELOPE_REPORT, Role.ENVELOPE_REQUEST, Role.KEEPALIVE_ANSWER])
def test_an_envelope_holds_neither_another_envelope_nor_anything_about_a_line(role: Role) -> None:
    inside = CAFIS.encode(role, CAFIS.telegrams[role].sample())
    values = CAFIS.telegrams[Role.ENVELOPE_REPORT].sample() | {"carried_code": CODE, "carried_telegram": inside.hex()}
    with pytest.raises(Unreadable, match=r"^in an envelope, where nothing about a line belongs\n"):
        parties().read(CAFIS.encode(Role.ENVELOPE_REPORT, values))
