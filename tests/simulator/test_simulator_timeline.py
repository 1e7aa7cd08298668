"""What the partner does of its own accord, and when: played without a clock."""

import datetime as dt

import pytest

from simulator.timeline import Event, Occurrence, Timeline, event_problem

NOON = dt.time(12)


def played(*events: Event, until_s: float, clock: dt.time = NOON) -> list[tuple[float, Occurrence]]:
    """All that happens up to then, each at the moment it is due."""
    timeline = Timeline(events, clock)
    seen: list[tuple[float, Occurrence]] = []
    while (next_s := timeline.next_s) is not None and next_s <= until_s:
        seen += [(next_s, event.do) for event in timeline.take(next_s)]
    return seen


def test_events_come_in_the_order_of_time_and_else_as_written() -> None:
    close, reopen = Event(Occurrence.CLOSE, at_s=5), Event(Occurrence.REOPEN, at_s=9)
    down = Event(Occurrence.DESTINATION_DOWN, at_s=5)
    assert played(reopen, close, down, until_s=100) == [
        (5, Occurrence.CLOSE), (5, Occurrence.DESTINATION_DOWN), (9, Occurrence.REOPEN),
    ]  # fmt: skip


def test_an_event_comes_again_and_again_between_its_bounds() -> None:
    every = Event(Occurrence.KEEPALIVE, every_s=10)
    assert [at for at, _ in played(every, until_s=35)] == [10, 20, 30]
    bounded = Event(Occurrence.KEEPALIVE, every_s=10, from_s=5, until_s=26)
    assert [at for at, _ in played(bounded, until_s=100)] == [5, 15, 25]
    assert played(Event(Occurrence.KEEPALIVE, every_s=10, until_s=10), until_s=100) == []


def test_an_event_comes_each_day_at_its_time() -> None:
    evening = Event(Occurrence.CLOSE, at=dt.time(23, 30))
    assert [at for at, _ in played(evening, until_s=200_000)] == [41_400, 41_400 + 86_400]
    assert [at for at, _ in played(evening, until_s=90_000, clock=dt.time(23, 31))] == [86_340]


def test_what_was_missed_several_times_comes_once() -> None:
    timeline = Timeline([Event(Occurrence.KEEPALIVE, every_s=1)], NOON)
    assert len(timeline.take(1_000.5)) == 1
    assert timeline.next_s == 1_001


@pytest.mark.parametrize(
    ("event", "timed", "problem"),
    [
        (Event(Occurrence.CLOSE), True, "when is said 0 times: give one of at_s, every_s, at"),
        (Event(Occurrence.CLOSE, at_s=1, every_s=1), True, "when is said 2 times: give one of at_s, every_s, at"),
        (Event(Occurrence.CLOSE, at_s=1), False, "at_s: it happens at once: leave it out"),
        (Event(Occurrence.CLOSE, at_s=-1), True, "at_s: must be from 0 to 31622400 seconds"),
        (Event(Occurrence.CLOSE, every_s=0), True, "every_s: must be at least 0.01"),
        (Event(Occurrence.CLOSE, at_s=1, from_s=2), True, "from_s, until_s: they bound every_s: leave them out"),
        (Event(Occurrence.CLOSE, every_s=1, from_s=5, until_s=5), True, "until_s: must be later than from_s"),
        (
            Event(Occurrence.DESTINATION_UP, at_s=1, station="A"),
            True,
            "station: destination_up is about the whole centre: leave it out",
        ),
        (Event(Occurrence.CLOSE, at_s=1, station="A"), True, None),
        (Event(Occurrence.CLOSE), False, None),
    ],
)
def test_what_is_wrong_with_an_event_is_said(event: Event, timed: bool, problem: str | None) -> None:
    assert event_problem(event, timed=timed) == problem
