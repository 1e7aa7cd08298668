"""Tells the history of a run: a line an event, what lies in the log among it."""

from collections.abc import Iterator

from pipeline.log import Message
from pipeline.owned import EPOCH, MARKER_KEY
from schemas import wire
from schemas.records import LineState, Record
from simulation.run import History

_FACTS = (
    "stage", "status", "outcome", "attempt", "command", "reason", "refusal", "doubt", "trace_number", "route_number",
    "delivery_no", "deadline", "error_code", "end", "node", "line",
)  # fmt: skip


def told(history: History, about: str = "") -> Iterator[str]:
    """The lines, in order; with `about`, of the log only those that name it."""
    lines = [(at_us, number, who, what) for number, (at_us, who, what) in enumerate(history.notes)]
    number = len(lines)
    for at_us, who, message in history.journal:
        number += 1
        text = _record(message)
        if about in text:
            lines.append((at_us, number, who, text))
    for at_us, _, who, what in sorted(lines, key=lambda line: line[:2]):
        yield f"{at_us / 1_000_000:9.4f}  {who:16} {what}"


def _record(message: Message) -> str:
    place = f"{message.topic}/{message.partition}@{message.offset}"
    if message.key == MARKER_KEY:
        return f"{place} a new owner's marker"
    if message.value is None:
        return f"{place} {(message.key or b'').decode()} is no more"
    record = wire.decode(message)
    epoch = next((f" epoch {value.decode()}" for name, value in message.headers if name == EPOCH), "")
    return f"{place} {_worded(record)}{epoch}"


def _worded(record: Record) -> str:
    who = getattr(record, "transaction_id", getattr(record, "line", ""))
    names = [name for name in _FACTS if name != "line" or not isinstance(record, LineState)]
    facts = [f"{name}={value}" for name in names if (value := getattr(record, name, None)) is not None]
    return f"{type(record).__name__} {who} {' '.join(facts)}"
