"""What ends a row of silences or errors, and what a breaker says of the row that opened it."""

import pytest

from egress.breaker import Breaker, State
from schemas.installation import Breaker as Settings

SETTINGS = Settings(silences=3, errors=3, rest_ms=1_000, rest_max_ms=3_000, probe_ms=100, probes=1)


def test_an_error_ends_a_row_of_silences_whole() -> None:
    breaker = Breaker(SETTINGS)
    assert [breaker.silent(0, 0), breaker.silent(0, 0), breaker.failed(0)] == [False] * 3
    assert [breaker.silent(0, 0), breaker.silent(0, 0)] == [False, False]
    assert breaker.silent(0, 0) is True


@pytest.mark.parametrize("state", [State.CLOSED, State.TRIAL])
def test_a_keep_alive_changes_a_breaker_that_is_open_alone(state: State) -> None:
    breaker = Breaker(SETTINGS, state=state)
    assert [breaker.probed(9_999) for _ in range(3)] == [False] * 3
    assert breaker.state is state


@pytest.mark.parametrize(
    ("wrong", "said"), [("silent", "1 requests in a row without an answer"), ("failed", "1 errors in a row")]
)
def test_on_trial_the_rows_begin_anew(wrong: str, said: str) -> None:
    breaker = Breaker(SETTINGS)
    for _ in range(3):
        breaker.silent(0, 0)
    assert breaker.probed(1_000) is True
    assert (breaker.silences, breaker.errors) == (0, 0)
    sent = (1_050,) if wrong == "silent" else ()
    assert getattr(breaker, wrong)(1_100, *sent) is True
    assert str(breaker) == said
