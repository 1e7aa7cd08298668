"""Business days and times of sending are Japan's, to the second, whatever the machine's zone."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.japan_time import DAY_MS, business_date, midnight_ms, time_of_day

JAPAN = dt.timezone(dt.timedelta(hours=9))
MIDNIGHT = 1_795_446_000_000  # 2026-11-24 00:00:00 in Japan

# Milliseconds after that midnight, and what they are.
TIMES = """
           0  20261124 000000
         999  20261124 000000
        1000  20261124 000001
       59999  20261124 000059
       60000  20261124 000100
     3599999  20261124 005959
     3600000  20261124 010000
    43200000  20261124 120000
    86399999  20261124 235959
    86400000  20261125 000000
          -1  20261123 235959
"""


@pytest.mark.parametrize("row", TIMES.strip().splitlines())
def test_the_day_and_the_time_are_those_of_the_table(row: str) -> None:
    after_ms, day, time = row.split()
    now_ms = MIDNIGHT + int(after_ms)
    assert (business_date(now_ms), time_of_day(now_ms)) == (day, time)


def test_a_day_begins_at_its_midnight_and_lasts_until_the_next() -> None:
    assert DAY_MS == 86_400_000
    for after_ms in (0, 1, 43_200_000, DAY_MS - 1):
        assert midnight_ms(MIDNIGHT + after_ms) == MIDNIGHT
    assert midnight_ms(MIDNIGHT + DAY_MS) == MIDNIGHT + DAY_MS
    assert midnight_ms(MIDNIGHT - 1) == MIDNIGHT - DAY_MS


@given(st.integers(0, 4_000_000_000_000))
def test_they_are_what_the_calendar_says(now_ms: int) -> None:
    moment = dt.datetime.fromtimestamp(now_ms // 1000, JAPAN)
    assert business_date(now_ms) == f"{moment:%Y%m%d}"
    assert time_of_day(now_ms) == f"{moment:%H%M%S}"
    assert dt.datetime.fromtimestamp(midnight_ms(now_ms) / 1000, JAPAN).time() == dt.time()
