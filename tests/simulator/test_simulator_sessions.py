"""How many sessions a centre takes, and what becomes of a further one."""

import msgspec
import pytest
from centre_rig import NOON, Line, partner_named
from socket_rig import serving

from schemas.telegrams import Outcome, Role
from simulator.centre import Centre
from simulator.rules import Rules
from simulator.scenario import Scenario
from simulator.sessions import Excess, Sessions, sessions_problem


def centre_with(**limits: object) -> Centre:
    centre = Centre(partner_named("cafis"), Rules())
    centre.use(Scenario("limited", sessions=msgspec.convert(limits, Sessions)), NOON)
    return centre


def opened(centre: Centre, number: int, name: str = "DNB00001") -> tuple[Line, Outcome | None]:
    """A further session, and how its opening was answered."""
    line = Line(centre, name, number, opened=False)
    heard = line.send(Role.OPENING_REQUEST, route_number=0)
    return line, centre.partner.classify(heard[0]) if heard else None


def test_a_station_may_have_as_many_sessions_as_it_is_told_and_the_oldest_gives_way() -> None:
    centre = centre_with(per_line=2)
    lines = [opened(centre, number)[0] for number in (1, 2)]
    assert [line.station.open for line in lines] == [True, True]
    (third, outcome) = opened(centre, 3)
    assert outcome is Outcome.APPROVED
    assert [line.station.open for line in (*lines, third)] == [False, True, True]
    for number, line in ((1, lines[1]), (2, third)):
        assert line.send(Role.SALE_REQUEST, trace_number=number)
    assert centre.ledger.violations == []


def test_a_session_too_many_of_a_station_has_its_opening_refused() -> None:
    centre = centre_with(excess="refuse_opening")
    first, _ = opened(centre, 1)
    second, outcome = opened(centre, 2)
    assert outcome is Outcome.DECLINED
    assert (first.station.open, second.station.open, second.broken) == (True, False, False)
    centre.disconnected(first.station)
    assert centre.partner.classify(second.send(Role.OPENING_REQUEST, route_number=0)[0]) is Outcome.APPROVED


def test_a_session_too_many_of_a_station_is_hung_up() -> None:
    centre = centre_with(excess="hang_up")
    first, _ = opened(centre, 1)
    second, outcome = opened(centre, 2)
    assert (outcome, second.broken, first.station.open) == (None, True, True)
    assert centre.counters["hung_up_sessions"] == 1


def test_openings_are_refused_when_the_centre_has_as_many_as_it_takes() -> None:
    centre = centre_with(per_centre=2, excess="refuse_opening")
    outcomes = [opened(centre, number, f"DNB0000{number}")[1] for number in (1, 2, 3)]
    assert outcomes == [Outcome.APPROVED, Outcome.APPROVED, Outcome.DECLINED]


def test_who_is_open_may_open_again() -> None:
    centre = centre_with(per_centre=1, excess="refuse_opening")
    line, _ = opened(centre, 1)
    assert centre.partner.classify(line.send(Role.OPENING_REQUEST, route_number=0)[0]) is Outcome.APPROVED


@pytest.mark.parametrize("excess", ["hang_up", "replace"])
def test_a_connection_too_many_is_hung_up_before_it_says_a_word(excess: str) -> None:
    with serving("cafis") as centre:
        centre.control.use({"sessions": {"per_centre": 1, "excess": excess}})
        with centre.line("DNB00001") as first, centre.line("DNB00002", opened=False) as second:
            assert second.has_ended()
            assert first.ask(Role.KEEPALIVE_REQUEST).role is Role.KEEPALIVE_ANSWER


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        (Sessions(per_line=0), "per_line: must be at least 1"),
        (Sessions(per_centre=0), "per_centre: must be at least 1, or left out for any number"),
        (Sessions(8, 2, Excess.HANG_UP), None),
    ],
)
def test_what_is_wrong_with_limits_is_said(limits: Sessions, problem: str | None) -> None:
    assert sessions_problem(limits) == problem
