"""Where a router can be made to die (`schemas.crash_points`): between its states and its acts, and after them."""

from collections.abc import Iterable, Iterator, Sequence

from pipeline import crash
from pipeline.log import Message, Outgoing
from schemas import wire
from schemas.crash_points import Point
from schemas.records import Record, ReplyReady, SendRequest, Stage, TransactionState


def stored(states: Sequence[Outgoing]) -> None:
    """The broker has acknowledged these states; nothing that follows from them is written yet."""
    if not crash.armed:
        return
    for record in _records(states):
        match record:
            case TransactionState(stage=Stage.DISPATCHED):
                crash.here(Point.DISPATCHED_STORED)
            case TransactionState(stage=Stage.ANSWERED):
                crash.here(Point.ANSWERED_STORED)
            case TransactionState(stage=Stage.IN_DOUBT):
                crash.here(Point.IN_DOUBT_STORED)
            case TransactionState(stage=Stage.UNDELIVERED):
                crash.here(Point.UNDELIVERED_STORED)
            case TransactionState(stage=Stage.CANCELLED | Stage.ATTENTION):
                crash.here(Point.END_STORED)


def written(acts: Sequence[Outgoing]) -> None:
    """The broker has acknowledged what follows; the messages are not counted as done yet."""
    if not crash.armed:
        return
    for record in _records(acts):
        match record:
            case SendRequest():
                crash.here(Point.DISPATCH_WRITTEN)
            case ReplyReady(inquiry=False):
                crash.here(Point.REPLY_WRITTEN)


def _records(messages: Iterable[Outgoing]) -> Iterator[Record]:
    for each in messages:
        if each.value is not None:
            yield wire.decode(Message(each.topic, each.partition or 0, 0, each.key, each.value, each.headers, 0))
