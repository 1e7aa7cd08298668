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


# --- poisoned records on the topic


def nested(depth: int) -> dict[str, Any]:
    """A schema like ours, of records in records to this depth."""
    inner: dict[str, Any] = {"type": "record", "name": "R0", "namespace": "denbun", "fields": [LONG]}
    for number in range(1, depth - 1):
        fields = [{"name": "x", "type": inner}]
        inner = {"type": "record", "name": f"R{number}", "namespace": "denbun", "fields": fields}
    return with_field({"name": "x", "type": ["null", inner], "default": None})


def chained(depth: int) -> dict[str, Any]:
    """The same without nesting: each record names the one before it."""
    records: list[Any] = [{"type": "record", "name": "R0", "namespace": "denbun", "fields": [LONG]}]
    for number in range(1, depth - 1):
        fields = [{"name": "x", "type": f"denbun.R{number - 1}"}]
        records.append({"type": "record", "name": f"R{number}", "namespace": "denbun", "fields": fields})
    return with_field(*({"name": f"x{each['name']}", "type": ["null", each], "default": None} for each in records))


def with_field(*fields: Any) -> dict[str, Any]:
    schema = wire.schema_of(LineTaken)
    return {**schema, "fields": [*schema["fields"], *fields]}


def without_field(name: str) -> dict[str, Any]:
    schema = wire.schema_of(LineTaken)
    return {**schema, "fields": [each for each in schema["fields"] if each["name"] != name]}


LONG = {"name": "n", "type": "long"}
ITSELF = {"type": "record", "name": "N", "namespace": "denbun", "fields": [{"name": "n", "type": "denbun.N"}]}
EMPTY = {"type": "record", "name": "N", "namespace": "denbun", "fields": []}


def optional(form: Any, **more: Any) -> dict[str, Any]:
    return with_field({"name": "x", "type": ["null", form], "default": None, **more})


POISON: dict[str, Any] = {
    "a record of itself": optional(ITSELF),
    "a record of the record": optional("denbun.LineTaken"),
    "records too deep": nested(9),
    "records too deep, by names": chained(9),
    "an empty record": optional(EMPTY),
    "an array": optional({"type": "array", "items": "long"}),
    "a map": optional({"type": "map", "values": "long"}),
    "a fixed": optional({"type": "fixed", "name": "F", "size": 4}),
    "an enum": optional({"type": "enum", "name": "E", "symbols": ["A"]}),
    "a double": optional("double"),
    "nothing but null": with_field({"name": "x", "type": "null"}),
    "a logical type": optional({"type": "long", "logicalType": "timestamp-millis"}),
    "an unknown name": optional("denbun.Nobody"),
    "a number for a form": with_field({"name": "x", "type": 7}),
    "a union of three": with_field({"name": "x", "type": ["null", "string", "long"], "default": None}),
    "a union in a union": optional(["null", "long"]),
    "null behind": with_field({"name": "x", "type": ["string", "null"], "default": "a"}),
    "a default of its own": with_field({"name": "x", "type": "string", "default": "a"}),
    "a default for null": with_field({"name": "x", "type": ["null", "string"], "default": "a"}),
    "an alias": {**newer(a=1), "aliases": ["LineGiven"]},
    "an alias of a field": optional("string", aliases=["node"]),
    "an order": optional("string", order="ignore"),
    "another namespace": {**newer(a=1), "namespace": "elsewhere"},
    "a name of its own making": {**newer(a=1), "name": "Line-Taken"},
    "a doc that is none": {**newer(a=1), "doc": {"a": 1}},
    "a field twice": with_field(LONG, LONG),
    "a field without a name": with_field({"type": "long"}),
    "a field that is a list": with_field(["n", "long"]),
    "fields that are no list": {**newer(a=1), "fields": {"n": "long"}},
    "no record": {"type": "string", "name": "LineTaken", "namespace": "denbun"},
    "a field that must be there is not": without_field("taken_ms"),
    "a field that must be there and is unknown": with_field(LONG),
    "a field of another type": {**newer(a=1), "fields": [{"name": "line", "type": "long"}, *newer()["fields"][1:]]},
    "huge": {**newer(a=1), "doc": "x" * 65_536},
    "huge by fields": with_field(*({"name": f"x{n}", "type": ["null", "long"], "default": None} for n in range(2_000))),
}


def print_of(schema: Any) -> bytes:
    """Its fingerprint, where it has one that can be told."""
    try:
        return wire.fingerprint_of(schema).encode()
    except Exception:  # noqa: BLE001  it is no schema at all
        return b"0123456789abcdef"


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
def test_a_schema_that_is_not_like_ours_is_told_of_and_teaches_nothing(
    log: MemoryLog, poison: Any, caplog: pytest.LogCaptureFixture
) -> None:
    print_ = print_of(poison)
    told(log, print_, json.dumps(poison).encode())
    SchemaTopic(log, TOPICS).share()
    (said,) = [record for record in caplog.records if record.message == "not a schema"]
    assert said.place == "x-schemas/0@0"  # type: ignore[attr-defined]
    assert print_ not in wire._BY_HEADER


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 100_000,
        b'{"type":' * 7_000,
        b'{"a":1}' + b"]",
        b"\xff\xfe",
        b"7",
        b"null",
        b"NaN",
        json.dumps(newer(a=1)).encode()[:-1],
        json.dumps(newer(a=1)).replace('{"type"', '{"type": "record", "type"', 1).encode(),
    ],
    ids=["brackets", "braces", "a tail", "no UTF-8", "a number", "null", "NaN", "cut off", "a name twice"],
)
def test_what_is_not_json_of_a_schema_is_told_of(log: MemoryLog, text: bytes, caplog: pytest.LogCaptureFixture) -> None:
    told(log, wire.fingerprint_of(newer(a=1)).encode(), text)
    SchemaTopic(log, TOPICS).share()
    assert [record.message for record in caplog.records] == ["not a schema"]


@pytest.mark.parametrize("schema", [nested(8), chained(8), optional("bytes"), newer()], ids=range(4))
def test_a_schema_of_our_forms_is_learned(log: MemoryLog, schema: Any, caplog: pytest.LogCaptureFixture) -> None:
    told(log, print_of(schema), json.dumps(schema).encode())
    SchemaTopic(log, TOPICS).share()
    assert not caplog.records
    assert print_of(schema) in wire._BY_HEADER


@pytest.mark.parametrize("poison", [b"", b"what", json.dumps(optional(ITSELF)).encode(), None])
def test_a_poisoned_record_hides_no_schema_under_its_fingerprint(log: MemoryLog, poison: bytes | None) -> None:
    own = wire.fingerprint_of(wire.schema_of(LineTaken)).encode()
    another = newer(reason="upgrade")
    other = wire.fingerprint_of(another).encode()
    SchemaTopic(log, TOPICS).share()
    told(log, other, json.dumps(another).encode())
    for print_ in (own, other):
        log.writer("another").write([Outgoing(TOPICS("schemas"), print_, poison, (), 0)])
    SchemaTopic(log, TOPICS).share()
    newest = {message.key: message.value for message in log.everything(TOPICS("schemas"))}
    assert json.loads(newest[own] or b"") == wire.schema_of(LineTaken)
    assert wire.decode(written(another, reason="upgrade")) == TAKEN


def test_a_record_that_is_written_with_a_poisoned_schema_is_refused_with_its_place(log: MemoryLog) -> None:
    deep = optional(ITSELF)
    told(log, print_of(deep), json.dumps(deep).encode())
    SchemaTopic(log, TOPICS).share()
    value = b"\x0ecafis-1\x04n1\x0e" + b"\x02" * 60_000 + b"\x00"
    message = Message("sent.cafis-1", 0, 9, b"k", value, ((wire.HEADER, print_of(deep)),), 0)
    with pytest.raises(wire.RecordError, match=r"^record sent\.cafis-1/0@9 was written with a schema unknown here"):
        wire.decode(message)


def test_a_record_beyond_all_size_is_refused_with_its_place() -> None:
    encoded = wire.encode(TAKEN)
    value = encoded.value + b"\x00" * wire.VALUE_BYTES_MAX
    with pytest.raises(wire.RecordError, match=r"^record sent/0@3 has \d+ bytes where a record has at most 1048576"):
        wire.decode(Message("sent", 0, 3, b"k", value, encoded.headers, 0))
