"""Centres that contradict themselves, and looped lines: what they book, and what comes instead of an answer."""

import pytest
from centre_rig import PARTNERS, Line, partner_named

from schemas.telegrams import Role, Value
from simulator.centre import Centre
from simulator.contradicting import CONTRADICTING
from simulator.deeds import FITTING, Deed
from simulator.rules import Rule, Rules


def centre_with(partner: str, *rules: Rule) -> Centre:
    return Centre(partner_named(partner), Rules(rules))


ORIGINAL: dict[str, Value] = {
    "original_type_code": "", "original_trace_number": 1, "original_route_number": 1, "amount": 1_200,
}  # fmt: skip


@pytest.mark.parametrize("partner", PARTNERS)
@pytest.mark.parametrize(
    ("deed", "field"),
    [
        (Deed.OTHER_TERMINAL, "terminal_id"), (Deed.OTHER_TYPE, "original_type_code"),
        (Deed.OTHER_ROUTE, "original_route_number"), (Deed.UNKNOWN_CODE, "result_code"),
        (Deed.OTHER_AMOUNT, "amount"),
    ],
)  # fmt: skip
def test_all_but_one_thing_of_a_cancel_report_is_right_and_nothing_was_cancelled(
    deed: Deed, field: str, partner: str
) -> None:
    reports = []
    for rules in ((), (Rule(do=deed, role=Role.FAULT_CONFIRM),)):
        centre = centre_with(partner, Rule(do=Deed.SILENT, role=Role.SALE_REQUEST), *rules)
        line = Line(centre)
        line.send(Role.SALE_REQUEST, trace_number=1, route_number=1)
        named = ORIGINAL | {"original_type_code": centre.partner.type_code(Role.SALE_REQUEST)}
        (report,) = line.send(Role.FAULT_CONFIRM, trace_number=2, route_number=1, **named)
        reports.append(report.values)
        (entry,) = centre.ledger.entries.values()
        assert entry.cancelled is (not rules or deed is Deed.OTHER_AMOUNT)
        assert centre.ledger.violations == []
    right, wrong = reports
    assert {name for name in right if right[name] != wrong[name]} == {field}


@pytest.mark.parametrize("partner", PARTNERS)
def test_a_sale_is_booked_and_another_type_is_said_to_be_in_error(partner: str) -> None:
    centre = centre_with(partner, Rule(do=Deed.OTHER_ERROR, role=Role.SALE_REQUEST))
    (report,) = Line(centre).send(Role.SALE_REQUEST, trace_number=1)
    assert report.role is Role.ERROR_REPORT
    assert report.values["original_type_code"] != centre.partner.type_code(Role.SALE_REQUEST)
    (entry,) = centre.ledger.entries.values()
    assert (entry.in_force, entry.answers) == (True, 0)


@pytest.mark.parametrize("partner", PARTNERS)
def test_the_unknown_code_is_in_no_list(partner: str) -> None:
    centre = centre_with(partner, Rule(do=Deed.UNKNOWN_CODE, role=Role.SALE_REQUEST))
    (report,) = Line(centre).send(Role.SALE_REQUEST, trace_number=1)
    assert report.values["result_code"] not in centre.partner.result_codes
    assert centre.ledger.balance() == 1_200


@pytest.mark.parametrize("partner", PARTNERS)
@pytest.mark.parametrize("role", [Role.OPENING_REQUEST, Role.KEEPALIVE_REQUEST, Role.SALE_REQUEST])
def test_what_is_looped_never_came_and_goes_back_as_it_was(role: Role, partner: str) -> None:
    centre = centre_with(partner, Rule(do=Deed.LOOP, role=role))
    line = Line(centre)
    assert line.send(role, trace_number=1) == []
    data = line.rubbish[-1]
    (payload,) = partner_named(partner).framing.deframer().feed(data)
    assert payload == line.station.came
    assert list(centre.ledger.rows()) == []


def test_every_contradiction_fits_something() -> None:
    assert all(FITTING[deed] for deed in CONTRADICTING)
