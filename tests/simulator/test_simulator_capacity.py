"""How much a centre takes at once, and what becomes of more: as tables of arrivals and what they meet."""

import msgspec
import pytest
from centre_rig import NOON, Line, partner_named

from schemas.telegrams import Outcome, Role
from simulator.capacity import Capacity, Load, Overload, capacity_problem
from simulator.centre import Centre
from simulator.conduct import Moment
from simulator.rules import Rules
from simulator.scenario import Defaults, Scenario

LINE = "DNB00001"


def met(load: Load, *arrivals: float, takes_ms: int = 0, station: str = LINE) -> list[int | Overload]:
    """What arrivals at these seconds meet: how long each waits, in milliseconds, or that it is not taken."""
    seen: list[int | Overload] = []
    for at_s in arrivals:
        admission = load.admit(station, at_s)
        seen.append(admission.wait_ms if admission.verdict is None else admission.verdict)
        if admission.verdict is None:
            load.taken(station, at_s, admission, takes_ms)
    return seen


def load_of(**limits: object) -> Load:
    capacity = msgspec.convert(limits, Capacity)
    assert capacity_problem(capacity) is None
    return Load(capacity, seed=1)


def test_without_limits_everything_is_taken_at_once() -> None:
    assert met(Load(None, 0), *[0.0] * 1_000, takes_ms=60_000) == [0] * 1_000


def test_what_comes_faster_than_it_may_waits_for_its_turn() -> None:
    load = load_of(tps=10, burst=1)
    assert met(load, 0.0, 0.0, 0.0, 0.05) == [0, 100, 200, 250]
    assert met(load, 1.0) == [0], "the queue is worked off by then"
    assert load.counters == {"queued": 3}


def test_a_burst_may_come_at_once() -> None:
    assert met(load_of(tps=10, burst=3), *[0.0] * 5) == [0, 0, 0, 100, 200]
    assert met(load_of(tps=100), *[0.0] * 12) == [0] * 10 + [10, 20], "a tenth of tps where no burst is given"


def test_in_flight_waits_for_the_first_answer_that_goes_out() -> None:
    load = load_of(in_flight=2)
    assert met(load, 0.0, 0.1, 0.2, 0.3, 0.4, takes_ms=1_000) == [0, 0, 800, 800, 1_600]
    assert met(load, 10.0, takes_ms=1_000) == [0]


def test_each_line_has_limits_of_its_own_within_those_of_the_centre() -> None:
    load = load_of(line_in_flight=1, in_flight=2)
    assert met(load, 0.0, takes_ms=1_000, station="A") == [0]
    assert met(load, 0.0, takes_ms=5_000, station="B") == [0]
    assert met(load, 0.5, takes_ms=1_000, station="A") == [500], "line A is busy until 1.0"
    assert met(load, 0.5, takes_ms=1_000, station="C") == [1_500], "the centre is busy until line A's second ends"


def test_what_would_wait_too_long_is_refused() -> None:
    load = load_of(tps=10, burst=1, queue_ms=150)
    assert met(load, 0.0, 0.0, 0.0, 0.0) == [0, 100, Overload.REFUSE, Overload.REFUSE]
    assert met(load, 0.1) == [100], "what was refused has taken no place"
    assert load.counters == {"queued": 2, "refused": 2}


@pytest.mark.parametrize(
    ("overload", "verdict", "counter"),
    [("refuse", Overload.REFUSE, "refused"), ("drop", Overload.DROP, "dropped")],
)
def test_what_is_too_much_can_be_refused_or_dropped(overload: str, verdict: Overload, counter: str) -> None:
    load = load_of(tps=10, burst=1, overload=overload)
    assert met(load, 0.0, 0.0, 0.05, 0.1) == [0, verdict, verdict, 0]
    assert load.counters == {counter: 2}


def test_what_is_too_much_can_be_answered_late_and_goes_on_being_too_much() -> None:
    load = load_of(tps=10, burst=1, overload="slow", slow=700)
    assert met(load, 0.0, 0.0, 0.0) == [0, 700, 700]
    assert load.counters == {"slowed": 2}


# --- a centre with limits


def centre_with(partner: str, latency: int = 0, **limits: object) -> Centre:
    centre = Centre(partner_named(partner), Rules())
    capacity = msgspec.convert(limits, Capacity)
    centre.use(Scenario("limited", defaults=Defaults(latency), capacity=capacity), NOON)
    return centre


def test_queued_answers_go_out_later_and_the_books_stand_at_once() -> None:
    centre = centre_with("cafis", latency=40, tps=10, burst=1)
    line = Line(centre)
    for number in (1, 2, 3):
        line.send(Role.SALE_REQUEST, trace_number=number)
    assert [each.after_ms for each in line.waiting] == [40, 140, 240]
    assert centre.ledger.balance() == 3_600


@pytest.mark.parametrize("partner", ["cafis", "cardnet"])
def test_a_request_too_many_is_turned_round_and_a_cancel_too_many_is_not_carried_out(partner: str) -> None:
    centre = centre_with(partner, tps=1, burst=1, overload="refuse")
    line = Line(centre)
    line.send(Role.SALE_REQUEST, trace_number=1)
    (report,) = line.send(Role.SALE_REQUEST, trace_number=2)
    assert centre.partner.classify(report) is Outcome.TURNED_ROUND
    named = {"original_trace_number": 1, "original_type_code": centre.partner.type_code(Role.SALE_REQUEST)}
    (told,) = line.send(Role.FAULT_CONFIRM, trace_number=3, **named)
    assert told.values["error_code"] in ("C13", "E13")
    assert centre.ledger.balance() == 1_200, "the first one stands, uncancelled"
    line.now = Moment(5.0, NOON.clock)
    line.send(Role.FAULT_CONFIRM_AGAIN, trace_number=4, **named)
    assert centre.ledger.balance() == 0


def test_what_is_dropped_never_came() -> None:
    centre = centre_with("cafis", tps=1, burst=1, overload="drop")
    line = Line(centre)
    assert len(line.send(Role.SALE_REQUEST, trace_number=1)) == 1
    assert line.send(Role.SALE_REQUEST, trace_number=2) == []
    assert [entry.trace_number for entry in centre.ledger.entries.values()] == [1]


def test_the_line_itself_is_never_too_much() -> None:
    line = Line(centre_with("cafis", tps=1, burst=1, overload="drop"))
    answers = [line.send(Role.KEEPALIVE_REQUEST) for _ in range(5)]
    assert [each[0].role for each in answers] == [Role.KEEPALIVE_ANSWER] * 5


@pytest.mark.parametrize(
    ("limits", "problem"),
    [
        ({"tps": 0}, "tps: must be above 0, or left out for no limit"),
        ({"line_in_flight": -1}, "line_in_flight: must be above 0, or left out for no limit"),
        (
            {"overload": "drop"},
            "no limit is given: one of tps, in_flight, line_tps, line_in_flight, or leave the section out",
        ),
        ({"tps": 1, "queue_ms": -1}, "queue_ms: must be from 0 to 3600000"),
        ({"tps": 1, "overload": "drop", "code": "R02"}, "code: drop refuses nothing: leave it out"),
        ({"tps": 1, "overload": "slow", "slow": -5}, "slow: must be from 0 to 3600000 ms"),
    ],
)
def test_what_is_wrong_with_limits_is_said(limits: dict[str, object], problem: str) -> None:
    assert capacity_problem(msgspec.convert(limits, Capacity)) == problem
