"""Where the cancel service can be made to die (`schemas.crash_points`): after its states, and after its orders."""

from collections.abc import Iterable, Iterator, Sequence

from pipeline import crash
from pipeline.log import Message, Outgoing
from schemas import wire
from schemas.crash_points import Point
from schemas.records import CancelSettled, CancelState, Record, SendCancel


def stored(states: Sequence[Outgoing]) -> None:
    """The broker has acknowledged these states; no order is written yet."""
    if crash.armed and any(isinstance(state, CancelState) for state in _records(states)):
        crash.here(Point.CANCEL_STORED)


def written(acts: Sequence[Outgoing]) -> None:
    """The broker has acknowledged what follows; the messages are not counted as done yet."""
    if not crash.armed:
        return
    for record in _records(acts):
        match record:
            case SendCancel():
                crash.here(Point.COMMAND_WRITTEN)
            case CancelSettled():
                crash.here(Point.SETTLEMENT_WRITTEN)


def _records(messages: Iterable[Outgoing]) -> Iterator[Record]:
    for each in messages:
        if each.value is not None:
            yield wire.decode(Message(each.topic, each.partition or 0, 0, each.key, each.value, each.headers, 0))
