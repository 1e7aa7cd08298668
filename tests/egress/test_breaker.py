"""The circuit breaker of a line: when it opens, what closes it, and how long it rests."""

import pytest

from egress.breaker import Breaker, State
from schemas.installation import Breaker as Settings

SETTINGS = Settings(silences=3, errors=4, rest_ms=1_000, rest_max_ms=3_000, probe_ms=100, probes=2)


def opened(breaker: Breaker, now_ms: int = 0) -> Breaker:
    while breaker.state is not State.OPEN:
        breaker.silent(now_ms, now_ms)
    return breaker


def test_it_opens_at_the_limit_of_silences_in_a_row_and_says_so_once() -> None:
    breaker = Breaker(SETTINGS)
    assert [breaker.silent(0, 0) for _ in range(5)] == [False, False, True, False, False]
    assert str(breaker) == "5 requests in a row without an answer"


def test_errors_are_counted_by_themselves_and_end_a_row_of_silences() -> None:
    breaker = Breaker(SETTINGS)
    assert [breaker.silent(0, 0), breaker.silent(0, 0)] == [False, False]
    assert [breaker.failed(0) for _ in range(3)] == [False, False, False], "the partner is there"
    assert breaker.silent(0, 0) is False
    assert breaker.failed(0) is True
    assert str(breaker) == "4 errors in a row"


def test_an_answer_ends_both_rows() -> None:
    breaker = Breaker(SETTINGS)
    for _ in range(10):
        assert not breaker.silent(0, 0)
        assert not breaker.silent(0, 0)
        breaker.answered()
    assert breaker.state is State.CLOSED


def test_it_needs_rest_and_answered_keep_alives_before_requests_go_again() -> None:
    breaker = opened(Breaker(SETTINGS))
    assert [breaker.probed(100), breaker.probed(200), breaker.probed(999)] == [False, False, False]
    assert breaker.probed(1_000) is True
    assert breaker.state is State.TRIAL
    early = opened(Breaker(SETTINGS))
    assert early.probed(5_000) is False, "one is not enough, however late"
    assert early.probed(5_100) is True


def test_on_trial_the_first_silence_opens_it_for_twice_as_long_and_the_first_answer_closes_it() -> None:
    breaker, now_ms = opened(Breaker(SETTINGS)), 0
    for rest_ms in (1_000, 2_000, 3_000, 3_000):  # never longer than the longest
        assert breaker.rest_until_ms == now_ms + rest_ms
        now_ms = breaker.rest_until_ms
        breaker.probed(now_ms)
        assert breaker.probed(now_ms) is True
        assert breaker.silent(now_ms, now_ms) is True
    now_ms = breaker.rest_until_ms
    breaker.probed(now_ms)
    assert breaker.probed(now_ms) is True
    assert breaker.answered() is True
    assert breaker.state is State.CLOSED
    assert opened(breaker, now_ms).rest_until_ms == now_ms + 1_000, "and it begins anew"


def test_what_comes_while_it_is_open_changes_nothing() -> None:
    breaker = opened(Breaker(SETTINGS))
    assert not breaker.silent(10, 10)
    assert not breaker.failed(10)
    assert not breaker.answered()
    assert breaker.state is State.OPEN
    assert breaker.rest_until_ms == 1_000


@pytest.mark.parametrize("call", ["silent", "failed"])
def test_a_limit_of_nothing_never_opens_it(call: str) -> None:
    breaker = Breaker(Settings(silences=0, errors=0))
    sent = (0,) if call == "silent" else ()
    assert not any(getattr(breaker, call)(0, *sent) for _ in range(1_000))


def test_keep_alives_are_counted_anew_over_another_connection() -> None:
    breaker = opened(Breaker(SETTINGS))
    assert breaker.probed(2_000) is False
    breaker.broken()
    assert breaker.probed(2_100) is False
    assert breaker.probed(2_200) is True


def test_it_says_what_came_last_in_a_row() -> None:
    breaker = Breaker(SETTINGS)
    breaker.failed(0)
    assert str(breaker) == "1 errors in a row"
    breaker.silent(1, 1)
    breaker.silent(2, 2)
    assert str(breaker) == "2 requests in a row without an answer"
    breaker.failed(3)
    assert str(breaker) == "2 errors in a row"


def test_what_went_out_before_a_trial_says_nothing_about_it() -> None:
    breaker = Breaker(SETTINGS)
    for at in range(3):
        breaker.silent(at, 0)
    assert breaker.state is State.OPEN
    until_ms = breaker.rest_until_ms
    for _ in range(SETTINGS.probes):
        breaker.probed(until_ms)
    assert breaker.state is State.TRIAL
    assert not breaker.silent(until_ms + 10, until_ms - 1)
    assert breaker.state is State.TRIAL
    assert breaker.silent(until_ms + 10, until_ms)
    assert breaker.state is State.OPEN
