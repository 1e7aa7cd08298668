"""Business hours and maintenance windows, in Japanese time."""

from datetime import datetime

import pytest

from schemas.business_hours import Calendar, Due, hours_of, window_of
from schemas.japan_time import JST


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=JST).timestamp() * 1000)


WEEKDAYS = Calendar.of(["mon-fri 08:00-24:00", "sat,sun 09:00-21:00"], ["2026-12-31T22:00/2027-01-01T06:00"])


@pytest.mark.parametrize(
    ("now", "open_", "until"),
    [
        ("2026-11-24T07:59:59", False, "2026-11-24T08:00"),  # a Tuesday
        ("2026-11-24T08:00", True, "2026-11-25T00:00"),
        ("2026-11-25T00:00", False, "2026-11-25T08:00"),
        ("2026-11-28T20:59", True, "2026-11-28T21:00"),  # a Saturday
        ("2026-11-29T21:00", False, "2026-11-30T08:00"),  # a Sunday
        ("2026-12-31T21:59", True, "2026-12-31T22:00"),
        ("2026-12-31T22:00", False, "2027-01-01T00:00"),
        ("2027-01-01T06:00", False, "2027-01-01T08:00"),
    ],
)
def test_what_holds_and_until_when(now: str, open_: bool, until: str) -> None:
    assert WEEKDAYS.due(at(now)) == Due(open_, at(until))


def test_nothing_changes_before_it_is_asked_again() -> None:
    """Walked through minute by minute, the calendar is what its last answer said it would be."""
    start = at("2026-12-28T00:00")
    due = WEEKDAYS.due(start)
    for minute in range(1, 6 * 24 * 60):
        now = start + minute * 60_000
        known, due = due, WEEKDAYS.due(now)
        if known.until_ms is not None and now < known.until_ms:
            assert due.open is known.open


def test_without_hours_a_line_is_always_open_but_for_its_windows() -> None:
    assert Calendar().due(0) == Due(open=True, until_ms=None)
    only = Calendar.of([], ["2026-12-31T22:00/2027-01-01T06:00"])
    assert only.due(at("2026-12-01T00:00")) == Due(open=True, until_ms=at("2026-12-31T22:00"))
    assert only.due(at("2027-01-01T05:59")) == Due(open=False, until_ms=at("2027-01-01T06:00"))
    assert only.due(at("2027-01-01T06:00")) == Due(open=True, until_ms=None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("always", "'always' names no hours: write them like 'mon-fri 08:00-24:00'"),
        ("mon 8:00-9:00", "'mon 8:00-9:00' names no hours: write them like 'mon-fri 08:00-24:00'"),
        ("mon 22:00-06:00", "the times must be 00:00 to 24:00, the first before the second; part it at midnight"),
        ("mon 08:00-24:01", "the times must be 00:00 to 24:00, the first before the second; part it at midnight"),
        ("mon 08:60-09:00", "the times must be 00:00 to 24:00, the first before the second; part it at midnight"),
        ("mon-day 08:00-09:00", "days are mon, tue, wed, thu, fri, sat, sun"),
        ("fri-mon 08:00-09:00", "fri comes after mon: write it as two, with a comma"),
    ],
)
def test_hours_that_cannot_be_read_are_told(text: str, said: str) -> None:
    with pytest.raises(ValueError, match="'") as raised:
        hours_of(text)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-12-31", "is no window: write it like '2026-12-31T22:00/2027-01-01T06:00', in Japanese time"),
        ("2026-12-31T22:00", "is no window: write it like"),
        ("2026-12-31T22:00/tomorrow", "is no window: write it like"),
        ("2027-01-01T06:00/2026-12-31T22:00", "ends before it begins"),
    ],
)
def test_windows_that_cannot_be_read_are_told(text: str, said: str) -> None:
    with pytest.raises(ValueError, match="'") as raised:
        window_of(text)
    assert said in str(raised.value)
