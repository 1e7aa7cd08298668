"""What the partner does of its own accord, and when. Pure; time is an argument.

[[event]]
do = "keepalive"             # 疎通確認 on every open line, or on that of one station
every_s = 30                 # again and again; from_s and until_s bound it
station = "DNB00001"

[[event]]
do = "close"                 # 閉局: closes every open line (or one), and refuses its opening until "reopen"
at_s = 120                   # once, so many seconds after the scenario began; or at = "23:30", each day, Japan's time
"""

import datetime as dt
import heapq
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import msgspec

_DAY_S = 86_400.0
LONGEST_S = 366 * 86_400  # a year: more is a slip of the pen


class Occurrence(StrEnum):
    """What a partner can do of its own accord."""

    KEEPALIVE = "keepalive"  # 疎通確認
    CLOSE = "close"  # 閉局, and no opening is taken after it: of one station, or of all
    ASK_TO_CLOSE = "ask_to_close"  # 閉局, and who opens again is welcome
    REOPEN = "reopen"  # openings are taken again, and lines called and awaited
    DROP_LINE = "drop_line"  # 回線断: connections are broken
    REFUSE_OPENINGS = "refuse_openings"
    ACCEPT_OPENINGS = "accept_openings"
    STOP_LISTENING = "stop_listening"  # no new connection is taken, and nobody is called
    LISTEN_AGAIN = "listen_again"
    DESTINATION_DOWN = "destination_down"  # 被仕向センタ障害, for rules with `when`
    DESTINATION_UP = "destination_up"


OF_ONE_LINE = (Occurrence.KEEPALIVE, Occurrence.CLOSE, Occurrence.ASK_TO_CLOSE, Occurrence.REOPEN, Occurrence.DROP_LINE)


class Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One event of a scenario. Without a time: at once, as a command."""

    do: Occurrence
    at_s: float | None = None
    every_s: float | None = None
    at: dt.time | None = None
    from_s: float | None = None
    until_s: float | None = None
    station: str | None = None


def event_problem(event: Event, *, timed: bool = True) -> str | None:
    """What is wrong with an event, and the remedy; None where nothing is. `timed`: it needs a time."""
    given = [name for name in ("at_s", "every_s", "at") if getattr(event, name) is not None]
    if timed and len(given) != 1:
        return f"when is said {len(given)} times: give one of at_s, every_s, at"
    if not timed and given:
        return f"{given[0]}: it happens at once: leave it out"
    for name in ("at_s", "every_s", "from_s", "until_s"):
        value = getattr(event, name)
        if value is not None and not 0 <= value <= LONGEST_S:
            return f"{name}: must be from 0 to {LONGEST_S} seconds"
    if event.every_s is not None and event.every_s < 0.01:
        return "every_s: must be at least 0.01"
    if event.every_s is None and (event.from_s, event.until_s) != (None, None):
        return "from_s, until_s: they bound every_s: leave them out"
    if event.until_s is not None and event.until_s <= (event.from_s or 0):
        return "until_s: must be later than from_s"
    if event.station is not None and event.do not in OF_ONE_LINE:
        return f"station: {event.do} is about the whole centre: leave it out"
    return None


class Due(NamedTuple):
    """An event and when it is due, in seconds since the scenario began."""

    since_s: float
    order: int
    event: Event


class Timeline:
    """The events of a scenario in the order in which they come. `clock`: Japan's, when it began."""

    def __init__(self, events: Sequence[Event], clock: dt.time) -> None:
        firsts = (Due(_first_s(event, clock), order, event) for order, event in enumerate(events))
        self._due = [due for due in firsts if not _is_over(due.event, due.since_s)]
        heapq.heapify(self._due)

    @property
    def next_s(self) -> float | None:
        """When the next event is due, in seconds since the scenario began; None: there is none any more."""
        return self._due[0].since_s if self._due else None

    def take(self, since_s: float) -> list[Event]:
        """The events that are due by now. One that was missed several times comes once."""
        taken: list[Event] = []
        while self._due and self._due[0].since_s <= since_s:
            due, order, event = heapq.heappop(self._due)
            taken.append(event)
            gap_s = event.every_s or (None if event.at is None else _DAY_S)
            if gap_s is None:
                continue
            again_s = due + gap_s * (1 + (since_s - due) // gap_s)
            if not _is_over(event, again_s):
                heapq.heappush(self._due, Due(again_s, order, event))
        return taken


def _first_s(event: Event, clock: dt.time) -> float:
    if event.at_s is not None:
        return event.at_s
    if event.every_s is not None:
        return event.from_s if event.from_s is not None else event.every_s
    assert event.at is not None
    return (_seconds(event.at) - _seconds(clock)) % _DAY_S


def _is_over(event: Event, since_s: float) -> bool:
    return event.until_s is not None and since_s >= event.until_s


def _seconds(clock: dt.time) -> float:
    return clock.hour * 3600 + clock.minute * 60 + clock.second + clock.microsecond / 1e6
