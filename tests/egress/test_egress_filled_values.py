"""The ranges that the law of loading asks layouts for hold what egress puts into telegrams."""

import pytest

from schemas.japan_time import business_date, time_of_day
from schemas.telegrams import ROLE_OF_KIND, STATION_REQUESTS, Role, load_partner
from schemas.telegrams.coding import is_date, is_time
from schemas.telegrams.filling import ASKED, OwnRanges
from schemas.telegrams.vocabulary import FILLED, MAY_FILL

CONTRACTED = {"company_code", "station_id", "carried_code", "carried_telegram"}
OF_THE_ORIGINAL = {"original_amount", "original_approval_code"}
MIDNIGHT_MS = 1_743_433_200_000


def ranges() -> OwnRanges:
    cafis = load_partner("cafis")
    codes = {role: telegram.type_code for role, telegram in cafis.telegrams.items()}
    return OwnRanges(cafis.trace_width, cafis.trace_range, cafis.route_range, codes)


@pytest.mark.parametrize("role", FILLED)
def test_each_name_that_egress_fills_has_a_range(role: Role) -> None:
    own = ranges()
    names = FILLED[role] | MAY_FILL.get(role, frozenset())
    without = {name for name in names if own.of(role, name) is None and name not in ASKED}
    assert without <= CONTRACTED | OF_THE_ORIGINAL | {"result_code"}


def test_dates_and_times_have_the_form_that_egress_gives_them() -> None:
    own = ranges()
    dates, times = own.of(Role.SALE_REQUEST, "business_date"), own.of(Role.SALE_REQUEST, "sent_time")
    assert dates is not None
    assert times is not None
    assert all(is_date(str(each)) for each in (*dates.values, business_date(MIDNIGHT_MS)))
    assert all(is_time(str(each)) for each in times.values)
    assert time_of_day(MIDNIGHT_MS) == times.values[0] == "000000"


def test_numbers_reach_from_the_first_to_the_last() -> None:
    own = ranges()
    for name, first, last in (("trace_number", 1, 999_999), ("original_route_number", 1, 999)):
        its = own.of(Role.FAULT_CONFIRM, name)
        assert its is not None
        assert (its.values[0], its.values[-1]) == (first, last)
    assert [own.of(role, "route_number") for role in STATION_REQUESTS] == 3 * [
        own.of(Role.CLOSING_ANSWER, "route_number")
    ]


def test_the_type_codes_are_those_of_all_that_can_be_taken_back() -> None:
    own, cafis = ranges(), load_partner("cafis")
    its = own.of(Role.FAULT_CONFIRM, "original_type_code")
    assert its is not None
    assert set(its.values) == {cafis.type_code(role) for role in ROLE_OF_KIND.values()}
