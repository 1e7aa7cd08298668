"""Records on the wire: what is written is read, by every later version, and what cannot be read is told exactly."""

import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from record_strategies import Lying, any_record, records_of

from schemas import records as r
from schemas import wire
from schemas.wire import RECORDS, RecordError, decode, decode_as, encode, faults_of, fingerprint_of, schema_of

AVRO = Path(wire.__file__).parent / "avro"

DELIVERED = r.ReplyDelivered(transaction_id="AP02:1", delivery_no=1, confirmed_ms=2)


def lying(record: r.Record) -> Lying:
    encoded = encode(record)
    return Lying(encoded.value, encoded.headers)


def told(message: Lying) -> str:
    with pytest.raises(RecordError) as raised:
        decode(message)
    assert raised.value.__cause__ is None
    return str(raised.value)


# --- there and back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(RECORDS))
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_what_is_written_is_read(name: str, data: st.DataObject) -> None:
    record = data.draw(records_of(RECORDS[name]))
    assert decode(lying(record)) == record
    assert decode_as(RECORDS[name], lying(record)) == record


def test_the_header_names_the_schema_and_other_headers_do_not_matter() -> None:
    message = lying(DELIVERED)
    ((name, mark),) = message.headers
    assert (name, mark.decode()) == ("schema", fingerprint_of(schema_of(r.ReplyDelivered)))
    assert re.fullmatch(rb"[0-9a-f]{16}", mark)
    assert decode(replace(message, headers=(("epoch", b"7"), *message.headers))) == DELIVERED


def test_the_fingerprint_is_that_of_the_avro_specification() -> None:
    # The known value of the schema "null": Avro's share/test/data/schema-tests.txt, as the digits of the number.
    assert int.from_bytes(bytes.fromhex(fingerprint_of("null")), "big") in {
        7195948357588979594,
        int.from_bytes((7195948357588979594).to_bytes(8, "little"), "big"),
    }


def test_no_two_records_share_a_fingerprint() -> None:
    marks = [fingerprint_of(schema_of(cls)) for cls in RECORDS.values()]
    assert len(set(marks)) == len(marks)


def test_a_later_optional_field_is_none_in_what_was_written_before(monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = schema_of(r.AttentionRaised)
    earlier["fields"] = [field for field in earlier["fields"] if field["name"] != "error_code"]
    mark = remember(monkeypatch, earlier)
    record = r.AttentionRaised(
        transaction_id="AP02:1",
        customer="AP02",
        reference="1",
        partner="cafis",
        line="cafis-1",
        kind=r.Kind.SALE,
        terminal_id="T1",
        amount=1,
        trace_number=None,
        business_date=None,
        reason="x",
        error_code=None,
        attempts=1,
        since_ms=1,
        raised_ms=2,
    )
    value = written_with(earlier, record)
    assert decode(Lying(value, (("schema", mark),))) == record


def test_a_field_that_is_no_more_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = schema_of(r.ReplyDelivered)
    earlier["fields"].insert(1, {"name": "gone", "type": ["null", "string"], "default": None})
    mark = remember(monkeypatch, earlier)
    fields = {"transaction_id": "AP02:1", "gone": "something", "delivery_no": 1, "confirmed_ms": 2}
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(earlier, {}), fields)
    assert decode(Lying(out.getvalue(), (("schema", mark),))) == DELIVERED


def remember(monkeypatch: pytest.MonkeyPatch, earlier: dict[str, Any]) -> bytes:
    """Let the book of schemas hold one that was current once; give its header."""
    mark = fingerprint_of(earlier).encode()
    parsed = fastavro.parse_schema(earlier, {})
    monkeypatch.setitem(wire._BY_HEADER, mark, wire._Written(earlier["name"], parsed, current=False))  # type: ignore[index]
    return mark


def written_with(schema: dict[str, Any], record: r.Record) -> bytes:
    import msgspec  # noqa: PLC0415  nowhere else in this file

    out = io.BytesIO()
    known = {field["name"] for field in schema["fields"]}
    fields = {name: value for name, value in msgspec.to_builtins(record).items() if name in known}
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema, {}), fields)
    return out.getvalue()


# --- what cannot be read --------------------------------------------------------------------------------------------


def test_no_value() -> None:
    assert told(replace(lying(DELIVERED), value=None)) == (
        "record dev-requests/3@4711 has no value where a record is expected: "
        "find out who wrote it; see docs/operations.md"
    )


def test_no_header() -> None:
    assert told(replace(lying(DELIVERED), headers=(("epoch", b"7"),))) == (
        "record dev-requests/3@4711 carries no 'schema' header: only the gateway's own services may write to its topics"
    )


def test_an_unknown_fingerprint() -> None:
    assert told(replace(lying(DELIVERED), headers=(("schema", b"0123456789abcdef"),))) == (
        "record dev-requests/3@4711 was written with a schema unknown here (fingerprint 0123456789abcdef): "
        "run a version whose schemas/avro holds this schema; nothing was skipped, it resumes at this record"
    )


@pytest.mark.parametrize("mark", [b"", b"4111111111111111\n", b"\xff" * 40, b"0123456789ABCDEF"])
def test_a_header_that_is_no_fingerprint_is_not_repeated(mark: bytes) -> None:
    assert told(replace(lying(DELIVERED), headers=(("schema", mark),))).startswith(
        "record dev-requests/3@4711 was written with a schema unknown here (fingerprint of another form): run a version"
    )


def test_a_truncated_value() -> None:
    message = lying(DELIVERED)
    assert message.value is not None
    assert told(replace(message, value=message.value[:-1])) == (
        "record dev-requests/3@4711 is not a valid ReplyDelivered (EOFError): "
        "the record is damaged; keep it, call support"
    )


def test_a_value_with_something_after_its_end() -> None:
    message = lying(DELIVERED)
    assert message.value is not None
    assert told(replace(message, value=message.value + b"\x00")) == (
        "record dev-requests/3@4711 is longer than a ReplyDelivered: the record is damaged; keep it, call support"
    )


def test_the_wrong_record() -> None:
    with pytest.raises(RecordError) as raised:
        decode_as(r.ReplyReady, lying(DELIVERED))
    assert str(raised.value) == (
        "record dev-requests/3@4711 is a ReplyDelivered where only ReplyReady belongs: "
        "see the topic table, schemas/topics.py"
    )


def test_a_sound_record_on_the_wrong_topic() -> None:
    assert str(wire.misplaced(lying(DELIVERED), DELIVERED)) == (
        "record dev-requests/3@4711 is a ReplyDelivered, which does not belong there: "
        "see the topic table, schemas/topics.py"
    )


def test_a_member_of_an_enumeration_that_only_a_newer_version_knows() -> None:
    state = r.LineState(
        line="l", partner="p", node="n", stage=r.LineStage.OPEN, reason=None, since_ms=1, wish=None, wished_by=None,
        wished_since_ms=None, connected_ms=None, asked_ms=None, answered_ms=None, in_flight=None,
        cancels_waiting=None, routes_held=None, told_ms=None, spared=None,
    )  # fmt: skip
    message = lying(state)
    assert message.value is not None
    newer = message.value.replace(b"\x08open", b"\x0ahalf_")
    assert told(replace(message, value=newer)) == (
        "record dev-requests/3@4711 says what is unknown here "
        "(LineState: Invalid enum value 'half_' - at `$.stage`): "
        "run the version that wrote it, or a newer one; nothing was skipped, it resumes at this record"
    )
    odd = message.value.replace(b"\x08open", b"\x20" + b"4111111111111111")
    assert told(replace(message, value=odd)) == (
        "record dev-requests/3@4711 is not a valid LineState (ValidationError): "
        "the record is damaged; keep it, call support"
    )


def test_a_record_that_this_version_has_no_class_for_is_unknown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copytree(AVRO, tmp_path / "avro")
    gone = {"type": "record", "name": "Gone", "namespace": "denbun", "fields": []}
    (tmp_path / "avro" / "history" / "Gone.1.avsc").write_text(json.dumps(gone), "utf-8")
    monkeypatch.setattr(wire.resources, "files", lambda _: tmp_path)
    assert {name.split(".")[-1] for name in (each.record for each in wire._load().values())} == set(RECORDS)


@settings(max_examples=300, deadline=None)
@given(record=any_record, cut=st.integers(0, 200))
def test_a_record_that_is_cut_anywhere_is_never_taken_for_a_whole_one(record: r.Record, cut: int) -> None:
    message = lying(record)
    assert message.value is not None
    if cut < len(message.value):
        with pytest.raises(RecordError):
            decode(replace(message, value=message.value[:cut]))


@settings(max_examples=400, deadline=None)
@given(name=st.sampled_from(sorted(RECORDS)), value=st.binary(max_size=120))
def test_no_bytes_do_anything_but_give_a_record_or_the_error(name: str, value: bytes) -> None:
    mark = fingerprint_of(schema_of(RECORDS[name])).encode()
    try:
        record = decode(Lying(value, (("schema", mark),)))
    except RecordError as error:
        outcome = str(error).startswith("record dev-requests/3@4711 ")
    else:
        outcome = type(record) is RECORDS[name]
    assert outcome


@settings(max_examples=300, deadline=None)
@given(record=any_record, at=st.integers(0, 300), byte=st.integers(0, 255))
def test_a_changed_byte_gives_another_record_or_the_error(record: r.Record, at: int, byte: int) -> None:
    message = lying(record)
    assert message.value is not None
    changed = bytearray(message.value)
    if changed:
        changed[at % len(changed)] = byte
    try:
        found = decode(replace(message, value=bytes(changed)))
    except RecordError:
        return
    assert type(found) is type(record)


# --- schemas and their changes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_the_file_is_the_schema_of_the_class(name: str) -> None:
    assert json.loads((AVRO / f"{name}.avsc").read_text("utf-8")) == schema_of(RECORDS[name])


def test_there_is_no_file_without_a_class() -> None:
    assert {path.stem for path in AVRO.glob("*.avsc")} == set(RECORDS)


def test_a_type_that_avro_has_no_form_for_is_refused() -> None:
    class Odd(r.Record, frozen=True, kw_only=True):
        amount: float

    with pytest.raises(TypeError, match="no Avro form for <class 'float'>"):
        schema_of(Odd)


def schema(**fields: Any) -> dict[str, Any]:
    """A record's schema; a nullable field has the default None."""
    return {
        "type": "record",
        "name": "Example",
        "namespace": "denbun",
        "fields": [
            {"name": name, "type": kind, **({"default": None} if isinstance(kind, list) else {})}
            for name, kind in fields.items()
        ],
    }


NULLABLE = ["null", "string"]
INNER = {"type": "record", "name": "Inner", "namespace": "denbun", "fields": [{"name": "a", "type": "long"}]}
INNER_CHANGED = {**INNER, "fields": [{"name": "b", "type": "long"}]}
OLD = schema(id="string", note=NULLABLE)
MARK = fingerprint_of(OLD)


@pytest.mark.parametrize(
    ("new", "faults"),
    [
        (OLD, []),
        ({**OLD, "doc": "other words"}, []),
        (schema(note=NULLABLE, id="string"), []),  # by name, not by place
        (schema(id="string", note=NULLABLE, more=NULLABLE), []),
        (schema(id="string"), []),
        (
            schema(id="string", note=NULLABLE, more="string"),
            [f"Example.more: new since {MARK} without a default; make it optional"],
        ),
        (schema(note=NULLABLE), [f"Example.id: removed since {MARK}, where it had no default; keep it"]),
        (
            schema(id="long", note=NULLABLE),
            [f"Example.id: its type differs from {MARK}; add a field under a new name instead"],
        ),
        (
            schema(id=NULLABLE, note=NULLABLE),
            [f"Example.id: its type differs from {MARK}; add a field under a new name instead"],
        ),
        (
            schema(ident="string", note=["null", "long"]),
            [
                f"Example.id: removed since {MARK}, where it had no default; keep it",
                f"Example.ident: new since {MARK} without a default; make it optional",
                f"Example.note: its type differs from {MARK}; add a field under a new name instead",
            ],
        ),
    ],
)
def test_a_change_is_allowed_or_told(new: dict[str, Any], faults: list[str]) -> None:
    assert faults_of("Example", new, [OLD]) == faults


def test_a_change_is_held_against_every_earlier_schema() -> None:
    older = schema(id="string", note=NULLABLE, third="long")
    assert faults_of("Example", OLD, [OLD, older]) == [
        f"Example.third: removed since {fingerprint_of(older)}, where it had no default; keep it"
    ]


def test_a_change_inside_an_inner_record_is_told() -> None:
    for wrap in (lambda inner: inner, lambda inner: ["null", inner]):
        assert faults_of("Example", schema(part=wrap(INNER)), [schema(part=wrap(INNER))]) == []
        (fault,) = faults_of("Example", schema(part=wrap(INNER_CHANGED)), [schema(part=wrap(INNER))])
        assert fault.startswith("Example.part: its type differs from ")


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copied = tmp_path / "avro"
    shutil.copytree(AVRO, copied)
    return copied


def run(folder: Path, *arguments: str) -> tuple[int, list[str]]:
    said: list[str] = []
    return wire.main(list(arguments), folder, said.append), said


def change(folder: Path, **changes: Any) -> dict[str, Any]:
    """Let the file of ReplyDelivered be an earlier one."""
    path = folder / "ReplyDelivered.avsc"
    content = {**json.loads(path.read_text("utf-8")), **changes}
    path.write_text(json.dumps(content), "utf-8")
    return content


def test_the_repositorys_schemas_are_sound(folder: Path) -> None:
    assert run(folder) == (0, [])


def test_an_allowed_change_is_filed_with_what_was_before_it(folder: Path) -> None:
    fields = schema_of(r.ReplyDelivered)["fields"]
    old = change(folder, fields=[*fields, {"name": "note", "type": NULLABLE, "default": None}])
    assert run(folder) == (
        1,
        ["ReplyDelivered: ReplyDelivered.avsc differs from the class; run python -m schemas.wire --write"],
    )
    assert run(folder, "--write") == (0, ["ReplyDelivered: written"])
    assert json.loads((folder / "ReplyDelivered.avsc").read_text("utf-8")) == schema_of(r.ReplyDelivered)
    (kept,) = (folder / "history").glob("ReplyDelivered.*.avsc")
    assert kept.name == f"ReplyDelivered.{fingerprint_of(old)}.avsc"
    assert json.loads(kept.read_text("utf-8")) == old
    assert run(folder) == (0, [])


def test_other_words_are_written_without_a_history(folder: Path) -> None:
    change(folder, doc="other words")
    assert run(folder, "--write") == (0, ["ReplyDelivered: written"])
    assert list((folder / "history").glob("ReplyDelivered.*.avsc")) == []


def test_an_incompatible_change_is_refused_and_nothing_is_written(folder: Path) -> None:
    fields = [{**each, "type": "string"} for each in schema_of(r.ReplyDelivered)["fields"]]
    old = change(folder, fields=fields)
    before = {path.name: path.read_bytes() for path in folder.rglob("*.avsc")}
    mark = fingerprint_of(old)
    assert run(folder, "--write") == (
        1,
        [
            f"ReplyDelivered.{name}: its type differs from {mark}; add a field under a new name instead"
            for name in ("confirmed_ms", "delivery_no")
        ],
    )
    assert {path.name: path.read_bytes() for path in folder.rglob("*.avsc")} == before


def test_a_new_record_is_written(folder: Path) -> None:
    (folder / "ReplyDelivered.avsc").unlink()
    assert run(folder)[0] == 1
    assert run(folder, "--write") == (0, ["ReplyDelivered: written"])
    assert run(folder) == (0, [])


def test_a_record_that_is_no_more_is_told(folder: Path) -> None:
    (folder / "Gone.avsc").write_text("{}", "utf-8")
    assert run(folder) == (
        1,
        ["Gone: there is no such record any more, but some may lie on the topics; keep the class"],
    )
