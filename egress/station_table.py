"""The life of a station 開局・閉局 as one total table: for each stage and event the next stage, and what is done. Pure.

A station is what the partner knows of a line: it is opened by a telegram of ours over a connection, and closed by one.
What it should be is its *wish*: the operator's order, else the calendar's, and above both the end of this process. The
wish comes in again after every event, so that no stage is left in which it would have been forgotten. And a line is
suspended where the table has it open, for as long as its breaker is open (`egress.station`).
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from schemas.records import LineStage as S


class Event(StrEnum):
    """What befalls a station."""

    WISHED_OPEN = "wished open"
    WISHED_DRAINED = "wished drained"
    WISHED_CLOSED = "wished closed"
    TROUBLE = "no connection comes about"
    CONNECTED = "connected"
    OPENED = "opening answered"
    REFUSED = "opening refused"
    UNANSWERED = "a station telegram of ours is not answered in time"
    TRIPPED = "the breaker opens"
    RECOVERED = "the breaker closes"
    EMPTY = "nothing is in flight any more, or the drain limit is over"
    CLOSING_ANSWERED = "closing answered"
    PARTNER_CLOSES = "the partner closes"
    LOOPED = "a telegram of ours comes back"
    BROKEN = "the connection is gone"


class Deed(StrEnum):
    """What is done on the way."""

    SEEK = "seek a connection"
    REST = "seek no more"
    ASK_OPENING = "send the opening"
    ASK_CLOSING = "send the closing"
    HANG_UP = "hang up"


class Row(NamedTuple):
    """One cell of the table."""

    stage: S
    event: Event
    next: S
    deeds: tuple[Deed, ...] = ()


CARRIES = frozenset({S.OPEN, S.SUSPENDED, S.DRAINING})
"""Stages in which telegrams may go onto the line: cancels always, requests in OPEN alone."""

SEEKING = (S.CONNECTING, S.FAILED)
WISHES = (Event.WISHED_OPEN, Event.WISHED_DRAINED, Event.WISHED_CLOSED)


def _rows() -> Iterable[Row]:
    e, d = Event, Deed
    yield Row(S.CLOSED, e.WISHED_OPEN, S.CONNECTING, (d.SEEK,))
    yield Row(S.CLOSED, e.WISHED_DRAINED, S.CONNECTING, (d.SEEK,))
    yield Row(S.CLOSED, e.CONNECTED, S.CLOSED, (d.HANG_UP,))  # a call that was accepted just before
    for seeking in SEEKING:
        yield Row(seeking, e.WISHED_CLOSED, S.CLOSED, (d.REST,))
        yield Row(seeking, e.TROUBLE, S.FAILED)
        yield Row(seeking, e.BROKEN, S.FAILED)
        yield Row(seeking, e.CONNECTED, S.OPENING, (d.ASK_OPENING,))
    yield Row(S.OPENING, e.WISHED_CLOSED, S.CLOSED, (d.HANG_UP, d.REST))
    yield Row(S.OPENING, e.OPENED, S.OPEN)
    yield Row(S.OPENING, e.REFUSED, S.FAILED, (d.HANG_UP,))
    yield Row(S.OPENING, e.PARTNER_CLOSES, S.FAILED, (d.HANG_UP,))
    yield Row(S.OPEN, e.TRIPPED, S.SUSPENDED)
    yield Row(S.SUSPENDED, e.RECOVERED, S.OPEN)
    for working in (S.OPEN, S.SUSPENDED):
        yield Row(working, e.WISHED_DRAINED, S.DRAINING)
        yield Row(working, e.WISHED_CLOSED, S.DRAINING)
    yield Row(S.DRAINING, e.WISHED_OPEN, S.OPEN)
    yield Row(S.DRAINING, e.EMPTY, S.CLOSING, (d.ASK_CLOSING,))
    for carrying in sorted(CARRIES):
        yield Row(carrying, e.PARTNER_CLOSES, S.CLOSING)
    for connected in (S.OPENING, *sorted(CARRIES)):
        yield Row(connected, e.UNANSWERED, S.FAILED, (d.HANG_UP,))
        yield Row(connected, e.LOOPED, S.FAILED, (d.HANG_UP,))
        yield Row(connected, e.BROKEN, S.FAILED)
    yield Row(S.CLOSING, e.CLOSING_ANSWERED, S.CLOSED, (d.HANG_UP, d.REST))
    yield Row(S.CLOSING, e.UNANSWERED, S.CLOSED, (d.HANG_UP, d.REST))  # the forced end: closed without its answer
    yield Row(S.CLOSING, e.LOOPED, S.CLOSED, (d.HANG_UP, d.REST))  # as above
    yield Row(S.CLOSING, e.BROKEN, S.FAILED)


_CHANGES = {(row.stage, row.event): row for row in _rows()}
TABLE: Mapping[tuple[S, Event], Row] = {
    (stage, event): _CHANGES.get((stage, event), Row(stage, event, stage)) for stage in S for event in Event
}
"""Every stage and event. What is not listed above changes nothing: it came too late, or is so already."""


def markdown() -> str:
    """The rows that change something, for the document."""
    lines = ["| stage | event | next | done on the way |", "|---|---|---|---|"]
    lines += [
        f"| {row.stage} | {row.event} | {row.next} | {', '.join(row.deeds) or '–'} |" for row in _CHANGES.values()
    ]
    return "\n".join(lines) + "\n"
