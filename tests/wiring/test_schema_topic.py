"""The topic of schemas: what one version writes with, another one that does not know it can read."""

import io
import json
from collections.abc import Mapping
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer

from pipeline.log import LogError, Message, NewTopic, Outgoing
from pipeline.memory import MemoryLog
from schemas import wire
from schemas.records import LineTaken
from schemas.topics import Topics
from wiring.schema_topic import SchemaTopic

TOPICS = Topics("x-")
TAKEN = LineTaken(line="cafis-1", node="n1", taken_ms=7)


@pytest.fixture(autouse=True)
def own_book(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is learned in a test is forgotten after it."""
    monkeypatch.setattr(wire, "_BY_HEADER", dict(wire._BY_HEADER))
    monkeypatch.setattr(wire, "_askers", [])


@pytest.fixture
def log() -> MemoryLog:
    log = MemoryLog()
    log.create([NewTopic(TOPICS("schemas"), 1, {})])
    return log


def newer(**more: Any) -> dict[str, Any]:
    """The schema of `LineTaken` in a version that is not written yet."""
    schema = wire.schema_of(LineTaken)
    schema["fields"] += [{"name": name, "type": ["null", "string"], "default": None} for name in more]
    return schema


def written(schema: Mapping[str, Any], **more: Any) -> Message:
    """A record that such a version has written."""
    out = io.BytesIO()
    fields = {"line": TAKEN.line, "node": TAKEN.node, "taken_ms": TAKEN.taken_ms, **more}
    schemaless_writer(out, parse_schema(dict(schema), {}), fields)
    mark = wire.fingerprint_of(dict(schema)).encode()
    return Message("sent.cafis-1", 0, 0, b"k", out.getvalue(), ((wire.HEADER, mark),), 0)


def told(log: MemoryLog, print_: bytes, text: bytes) -> None:
    log.writer("another").write([Outgoing(TOPICS("schemas"), print_, text, (), 0)])


def test_every_schema_of_this_version_lies_there_once(log: MemoryLog) -> None:
    for _ in range(2):
        SchemaTopic(log, TOPICS).share()
    there = {message.key: json.loads(message.value or b"") for message in log.everything(TOPICS("schemas"))}
    assert len(there) == len(log.everything(TOPICS("schemas"))) == len(wire.RECORDS)
    assert all(wire.fingerprint_of(schema).encode() == print_ for print_, schema in there.items())


@pytest.mark.parametrize("when", ["before this one starts", "while it runs"])
def test_what_a_newer_version_writes_is_read_without_what_is_new_in_it(log: MemoryLog, when: str) -> None:
    schema = newer(reason="upgrade")
    text = json.dumps(schema).encode()
    print_ = wire.fingerprint_of(schema).encode()
    if when == "before this one starts":
        told(log, print_, text)
    SchemaTopic(log, TOPICS).share()
    if when == "while it runs":
        told(log, print_, text)
    assert wire.decode(written(schema, reason="upgrade")) == TAKEN


def test_what_nobody_told_stays_unknown_and_may_be_told_later(log: MemoryLog) -> None:
    schema = newer(reason="upgrade")
    SchemaTopic(log, TOPICS).share()
    with pytest.raises(wire.RecordError, match="was written with a schema unknown here"):
        wire.decode(written(schema, reason="upgrade"))
    told(log, wire.fingerprint_of(schema).encode(), json.dumps(schema).encode())
    assert wire.decode(written(schema, reason="upgrade")) == TAKEN


@pytest.mark.parametrize("text", [b"", b"what", b"[]", b'{"type": "record"}', json.dumps(newer(a=1)).encode()])
def test_what_is_no_such_schema_is_told_with_its_place_and_teaches_nothing(
    log: MemoryLog, text: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    schema = newer(reason="upgrade")
    told(log, wire.fingerprint_of(schema).encode(), text)
    SchemaTopic(log, TOPICS).share()
    (said,) = [record for record in caplog.records if record.message == "not a schema"]
    assert said.place == "x-schemas/0@0"  # type: ignore[attr-defined]
    with pytest.raises(wire.RecordError, match="was written with a schema unknown here"):
        wire.decode(written(schema, reason="upgrade"))


def test_without_the_topic_it_says_how_to_make_it() -> None:
    with pytest.raises(LogError, match="there is no topic x-schemas: create the topics first"):
        SchemaTopic(MemoryLog(), TOPICS).share()
