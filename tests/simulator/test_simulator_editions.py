"""The centre on the day its layouts change: it reads and answers each telegram by the edition of its day."""

from pathlib import Path

import pytest
from centre_rig import Line
from edition_rig import BEFORE, SINCE, write_editions

from schemas.telegrams import Message, Role, Value, load_partner
from simulator.centre import Centre
from simulator.rules import Rules


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    return Centre(load_partner(write_editions(tmp_path), BEFORE), Rules())


def ask(line: Line, role: Role, date: str, **given: Value) -> Message:
    """What comes back for a telegram of that day, in the layouts of that day; both ends hold any edition."""
    line.centre.partner = line.centre.partner.on(date)  # the rig writes and reads by it, the centre by the date alone
    (report,) = line.send(role, business_date=date, **given)
    return report


def test_each_report_is_of_its_requests_day(centre: Centre) -> None:
    line = Line(centre)
    before = ask(line, Role.SALE_REQUEST, BEFORE, trace_number=1, route_number=1)
    after = ask(line, Role.SALE_REQUEST, SINCE, trace_number=2, route_number=2)
    again = ask(line, Role.SALE_REQUEST, BEFORE, trace_number=3, route_number=1)
    for report, date in ((before, BEFORE), (after, SINCE), (again, BEFORE)):
        assert (report.values["business_date"], report.values["result_code"]) == (date, "000")
        assert "error_code" not in report.values, "it stands in the other's place in the other edition"
    assert [told.type_code for told in centre.story()][-6:] == ["1110", "1120", "1115", "1120", "1110", "1120"]
    assert not centre.ledger.violations


def test_yesterdays_sale_is_cancelled_by_a_telegram_of_today(centre: Centre) -> None:
    line = Line(centre)
    ask(line, Role.SALE_REQUEST, BEFORE, trace_number=1, route_number=1, amount=500)
    assert centre.ledger.balance() == 500
    report = ask(
        line, Role.FAULT_CONFIRM, SINCE, trace_number=2, route_number=1, amount=500,
        original_trace_number=1, original_route_number=1, original_business_date=BEFORE, original_type_code="1110",
    )  # fmt: skip
    assert (report.role, report.values["result_code"]) == (Role.FAULT_CONFIRM_REPORT, "000")
    assert centre.ledger.balance() == 0
    assert not centre.ledger.violations


@pytest.mark.parametrize(("layout", "day"), [(BEFORE, SINCE), (SINCE, BEFORE)])
def test_a_telegram_in_the_layout_of_another_day_is_unreadable(centre: Centre, layout: str, day: str) -> None:
    line = Line(centre)
    centre.partner = centre.partner.on(layout)
    assert line.send(Role.SALE_REQUEST, business_date=day, trace_number=1, route_number=1) == []
    assert "is of a day on which another edition of the layouts holds" in centre.ledger.violations[-1].text
