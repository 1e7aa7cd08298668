"""The centre on the day its layouts change: it reads and answers each telegram by the edition of its day."""

from pathlib import Path

import pytest
from centre_rig import Line, values_for
from edition_rig import BEFORE, SINCE, write_editions

from schemas.telegrams import PartnerSpec, Role, load_partner
from simulator.centre import Centre, Send
from simulator.rules import Rules


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    return Centre(load_partner(write_editions(tmp_path), BEFORE), Rules())


def ask(line: Line, partner: PartnerSpec, role: Role, date: str, **given: int | str) -> bytes:
    """Send a telegram of that day; gives the bytes that come back."""
    edition = partner.on(date)
    values = values_for(edition, role, business_date=date, **given)
    (send,) = [act for act in line.centre.received(line.station, edition.encode(role, values)) if isinstance(act, Send)]
    return line.centre.sent(line.station, send)[4:]


def test_each_report_is_of_its_requests_day(centre: Centre) -> None:
    line = Line(centre)
    before = ask(line, centre.partner, Role.SALE_REQUEST, BEFORE, trace_number=1, route_number=1)
    after = ask(line, centre.partner, Role.SALE_REQUEST, SINCE, trace_number=2, route_number=2)
    assert (before[10:16], before[57:60]) == (b"260331", b"000")
    assert (after[10:16], after[57:60], after[67:70]) == (b"260401", b"   ", b"000")
    assert [told.type_code for told in centre.story()][-4:] == ["1110", "1120", "1115", "1120"]
    assert not centre.ledger.violations


def test_yesterdays_sale_is_cancelled_by_a_telegram_of_today(centre: Centre) -> None:
    line = Line(centre)
    ask(line, centre.partner, Role.SALE_REQUEST, BEFORE, trace_number=1, route_number=1, amount=500)
    assert centre.ledger.balance() == 500
    report = ask(
        line, centre.partner, Role.FAULT_CONFIRM, SINCE, trace_number=2, route_number=1, amount=500,
        original_trace_number=1, original_route_number=1, original_business_date=BEFORE, original_type_code="1110",
    )  # fmt: skip
    assert (report[:4], report[76:79]) == (b"8960", b"000")
    assert centre.ledger.balance() == 0
    assert not centre.ledger.violations


def test_a_telegram_in_the_layout_of_another_day_is_unreadable(centre: Centre) -> None:
    line = Line(centre)
    old = centre.partner.on(BEFORE)
    values = values_for(old, Role.SALE_REQUEST, business_date=SINCE, trace_number=1, route_number=1)
    assert centre.received(line.station, old.encode(Role.SALE_REQUEST, values)) == []
    assert "is of a day on which another edition of the layouts holds" in centre.ledger.violations[-1].text
