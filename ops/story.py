"""The story of one transaction: every record about it in the topics, in the order of time, a line each."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from pipeline.log import Message
from pipeline.owned import MARKER_KEY
from schemas import wire
from schemas.records import Record, Sealed

_ABOUT = "transaction_id"
_LEFT_OUT = (
    _ABOUT, "transaction_key", "request_id", "session", "content_digest", "asker", "slot", "customer", "reference",
)  # fmt: skip
_FACTS_MAX = 9
_NO_RECORDS = "schemas"  # what lies there tells how records are read


class About(NamedTuple):
    """A record about a transaction, where it lies; the topic is named as whoever read it names it."""

    topic: str
    message: Message
    record: Record


class Line(NamedTuple):
    """One line: when, in which topic, which record, and its facts in words (card data is sealed, and left out)."""

    at_ms: int
    topic: str
    record: str
    facts: str


def story(topics: Mapping[str, Sequence[Message]], transaction_id: str) -> list[Line]:
    """The lines about a transaction, from topics as `ops.reading` gives them. Raises `RecordError`."""
    return [
        Line(message.timestamp_ms, topic, type(record).__name__, _worded(record))
        for topic, message, record in about(topics, transaction_id)
    ]


def about(topics: Mapping[str, Sequence[Message]], transaction_id: str) -> list[About]:
    """The records about a transaction, in the order of time. Raises `RecordError`."""
    found = [
        About(topic, message, record)
        for topic, messages in topics.items()
        if not topic.endswith(_NO_RECORDS)
        for message, record in _decoded(messages)
        if getattr(record, _ABOUT, None) == transaction_id
    ]
    return sorted(found, key=lambda each: each.message.timestamp_ms)


def _decoded(messages: Iterable[Message]) -> Iterable[tuple[Message, Record]]:
    for message in messages:
        if message.value is not None and message.key != MARKER_KEY:
            yield message, wire.decode(message)


def _worded(record: Record) -> str:
    facts = {name: getattr(record, name) for name in record.__struct_fields__ if name not in _LEFT_OUT}
    told = [
        f"{name}={_value(value)}"
        for name, value in facts.items()
        if value is not None and not isinstance(value, Sealed) and not name.endswith("_ms")
    ]
    return " ".join(told[:_FACTS_MAX])


def _value(value: object) -> str:
    if isinstance(value, msgspec.Struct):
        inner = {name: each for name, each in msgspec.to_builtins(value).items() if each is not None}
        return json.dumps(inner, ensure_ascii=False, separators=(",", ":"))
    return str(value)
