"""The story of one transaction: every record about it in the topics, in the order of time, a line each."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from pipeline.log import Message
from pipeline.owned import MARKER_KEY
from schemas import wire
from schemas.records import Sealed

_ABOUT = "transaction_id"
_LEFT_OUT = (
    _ABOUT, "transaction_key", "request_id", "session", "content_digest", "asker", "slot", "customer", "reference",
)  # fmt: skip
_FACTS_MAX = 9
_NO_RECORDS = "schemas"  # what lies there tells how records are read


class Line(NamedTuple):
    """One line: when, in which topic, which record, and its facts in words (card data is sealed, and left out)."""

    at_ms: int
    topic: str
    record: str
    facts: str


def story(topics: Mapping[str, Sequence[Message]], transaction_id: str) -> list[Line]:
    """The lines about a transaction, from topics as `ops.reading` gives them. Raises `RecordError`."""
    lines = [
        line
        for topic, messages in topics.items()
        if not topic.endswith(_NO_RECORDS)
        for line in _lines(topic, messages, transaction_id)
    ]
    return sorted(lines, key=lambda line: line.at_ms)


def _lines(topic: str, messages: Iterable[Message], transaction_id: str) -> Iterable[Line]:
    for message in messages:
        if message.value is None or message.key == MARKER_KEY:
            continue
        record = wire.decode(message)
        if getattr(record, _ABOUT, None) == transaction_id:
            facts = {name: getattr(record, name) for name in record.__struct_fields__ if name not in _LEFT_OUT}
            yield Line(message.timestamp_ms, topic, type(record).__name__, _worded(facts))


def _worded(facts: Mapping[str, object]) -> str:
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
