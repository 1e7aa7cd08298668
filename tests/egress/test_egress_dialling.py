"""When a line calls its partner again: by tables of attempts, with neither a clock nor chance."""

import pytest

from egress.dialling import MINUTE_MS, SPREAD, Dialling, Pause, Taking
from schemas.installation import Egress

TIMES = Egress(metrics_port=0, reconnect_ms=500, reconnect_max_ms=15_000, dials_per_minute=20)

# What came of each attempt: how long its connection lived (0: there was none), and how long is waited then.
COURSES = {
    "a partner that is not there is called ever more seldom": """
        lived    wait
            0     500
            0    1000
            0    2000
            0    4000
            0    8000
            0   15000
            0   15000
    """,
    "a line that was well is sought at once when it breaks": """
        lived    wait
            0     500
            0    1000
            0    2000
        15000     500
            0    1000
    """,
    "a young connection that breaks is sought quickly once, and then less so": """
        lived    wait
         3000     500
            0    1000
    """,
    "a partner that takes the call and hangs up is called no faster than one that is not there": """
        lived    wait
            1     500
            1    1000
            1    2000
            0    4000
        14999    8000
            1   15000
            1   15000
    """,
    "who is called back after a long outage, and breaks, is sought at once": """
        lived    wait
            0     500
            0    1000
            0    2000
            0    4000
            0    8000
            0   15000
        90000     500
        90000     500
    """,
}


@pytest.mark.parametrize("name", COURSES)
def test_the_waits_are_those_of_the_table(name: str) -> None:
    dialling, now_ms = Dialling(TIMES), 0
    rows = [tuple(map(int, row.split())) for row in COURSES[name].strip().splitlines()[1:]]
    told = []
    for lived_ms, _ in rows:
        dialling.began(now_ms)
        now_ms += lived_ms
        pause = dialling.ended(lived_ms, 0.0, now_ms)
        assert pause.attempts is None
        told.append((lived_ms, pause.ms))
        now_ms += pause.ms
    assert told == rows


@pytest.mark.parametrize(("share", "wait_ms"), [(0.0, 500), (0.5, 375), (1.0, 250)])
def test_chance_shortens_a_wait_by_up_to_half_and_never_makes_it_longer(share: float, wait_ms: int) -> None:
    dialling = Dialling(TIMES)
    dialling.began(0)
    assert dialling.ended(0, share, 0).ms == wait_ms
    assert wait_ms >= TIMES.reconnect_ms * SPREAD


def test_chance_does_not_slow_the_doubling() -> None:
    dialling = Dialling(TIMES)
    for expected in (250, 500, 1_000, 2_000, 4_000, 7_500, 7_500):
        dialling.began(0)
        assert dialling.ended(0, 1.0, 0).ms == expected


# --- the cap --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lived_ms", [0, 1, 10, 999, 1_000, 2_500, 11_000])
def test_within_any_minute_there_are_no_more_attempts_than_the_cap_whatever_happens(lived_ms: int) -> None:
    times = TIMES.model_copy(update={"reconnect_ms": 10, "reconnect_max_ms": 1_000, "dials_per_minute": 5})
    dialling, now_ms, begun = Dialling(times), 0, []
    for _ in range(40):
        begun.append(now_ms)
        dialling.began(now_ms)
        now_ms += lived_ms
        now_ms += dialling.ended(lived_ms, 1.0, now_ms).ms
    most = max(sum(since <= each < since + MINUTE_MS for each in begun) for since in begun)
    assert most <= times.dials_per_minute
    # No longer is waited for it than is needed: where calls follow fast, it is used up.
    assert most == times.dials_per_minute


def test_who_waits_for_the_cap_is_told_how_many_attempts_were_made_and_who_does_not_is_not() -> None:
    dialling = Dialling(TIMES.model_copy(update={"dials_per_minute": 3}))
    told = []
    for began_ms in (0, 1_000, 48_000):
        dialling.began(began_ms)
        pause = dialling.ended(0, 0.0, began_ms)
        told.append((pause.ms, pause.attempts))
    assert told == [(500, None), (1_000, None), (12_000, 3)]


def test_a_wait_that_is_longer_than_that_for_the_cap_is_not_told_as_its_own() -> None:
    dialling = Dialling(TIMES.model_copy(update={"reconnect_ms": 15_000, "dials_per_minute": 1}))
    dialling.began(0)
    pause = dialling.ended(50_000, 0.0, 50_000)
    assert (pause.ms, pause.attempts) == (15_000, None)


def test_a_wait_that_is_just_as_long_as_that_for_the_cap_is_not_told_as_its_own() -> None:
    dialling = Dialling(TIMES.model_copy(update={"reconnect_ms": 10_000, "dials_per_minute": 1}))
    dialling.began(0)
    pause = dialling.ended(50_000, 0.0, 50_000)
    assert (pause.ms, pause.attempts) == (10_000, None)


# --- a line that is given up and sought again -----------------------------------------------------------------------


def test_what_is_left_of_a_wait_is_waited_for_by_whoever_seeks_the_line_again() -> None:
    dialling = Dialling(TIMES)
    assert dialling.pause(0) == Pause(0), "the first attempt waits for nothing"
    dialling.began(0)
    dialling.ended(0, 0.0, 1_000)
    assert [dialling.pause(now_ms) for now_ms in (1_000, 1_100, 1_499, 1_500, 9_000)] == [
        Pause(500), Pause(400), Pause(1), Pause(0), Pause(0),
    ]  # fmt: skip


def test_so_is_what_is_left_of_the_wait_for_the_cap_and_it_is_told() -> None:
    dialling = Dialling(TIMES.model_copy(update={"dials_per_minute": 1}))
    dialling.began(0)
    dialling.ended(0, 0.0, 1_000)
    assert dialling.pause(21_000) == Pause(39_000, 1)


def test_no_more_calls_are_taken_within_any_minute_than_would_be_made() -> None:
    taking = Taking(TIMES.model_copy(update={"dials_per_minute": 2}))
    for now_ms in (100_000, 110_000):
        assert taking.refusal(now_ms) is None
        taking.took(now_ms)
    told = ("too_often", "a call was refused: 2 were taken in the last minute")
    assert [taking.refusal(now_ms) for now_ms in (110_001, 159_999, 160_000)] == [told, told, None]


def test_who_was_hung_up_is_not_heard_for_twice_as_long_each_time_until_it_was_well_for_long() -> None:
    taking, now_ms, waits = Taking(TIMES), 100_000, []
    told = ("shunned", "a call was refused: the partner was hung up a moment ago")
    for _ in range(7):
        taking.shun(now_ms)
        waits.append(next(ms for ms in range(0, 20_000, 250) if taking.refusal(now_ms + ms) is None))
        assert taking.refusal(now_ms) == told
        now_ms += waits[-1] + TIMES.reconnect_max_ms
    assert waits == [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]
    taking.shun(now_ms + 1)
    assert taking.refusal(now_ms + 1 + 500) is None
