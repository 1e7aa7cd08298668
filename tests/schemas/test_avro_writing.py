"""Records are written by plans of our own, and the bytes are those of Avro's library."""

import io
from collections.abc import Callable

import fastavro
import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from record_strategies import any_record

from schemas import records as r
from schemas import wire
from schemas.avro_writing import plan_of


def of_the_library(schema: object, value: object) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, value)  # type: ignore[arg-type]
    return out.getvalue()


@settings(max_examples=400, deadline=None)
@given(record=any_record)
def test_every_record_is_written_as_the_library_writes_it(record: r.Record) -> None:
    plain = msgspec.to_builtins(record, builtin_types=(bytes,))
    assert wire.encode(record).value == of_the_library(wire._CURRENT[type(record)], plain)


@pytest.mark.parametrize("size", [0, 1, 63, 64, 1_023, 1_024, 1_025, 8_191, 8_192])
@pytest.mark.parametrize(("form", "of"), [("string", str), ("bytes", str.encode)])
def test_every_length_is_written_as_the_library_writes_it(size: int, form: str, of: Callable[[str], object]) -> None:
    value = of("あ" * (size // 3) + "x" * (size % 3))
    assert plan_of(fastavro.parse_schema(form))(value) == of_the_library(form, value)


@settings(deadline=None)
@given(value=st.integers(-(2**63), 2**63 - 1))
@example(value=0)
@example(value=-1)
@example(value=63)
@example(value=64)
@example(value=-64)
@example(value=-65)
@example(value=2**63 - 1)
@example(value=-(2**63))
def test_every_long_is_written_as_the_library_writes_it(value: int) -> None:
    assert plan_of("long")(value) == of_the_library("long", value)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 2**64, -(2**65)])
def test_what_has_more_than_64_bits_is_not_written(value: int) -> None:
    with pytest.raises(OverflowError, match=f"{value.bit_length()} bits where Avro's long has 64"):
        plan_of("long")(value)


@pytest.mark.parametrize("length", [0, 1, 63, 64, 8_191, 8_192, 70_000])
def test_a_text_has_its_length_in_bytes_before_it(length: int) -> None:
    for text in ("a" * length, "電" * length):
        assert plan_of("string")(text) == of_the_library("string", text)
        assert plan_of(["null", "string"])(text) == of_the_library(["null", "string"], text)


def test_a_record_that_stands_in_a_record_twice_is_written_each_time() -> None:
    sealed = wire.schema_of(r.Sealed)
    fields = [{"name": "card", "type": sealed}, {"name": "sensitive", "type": ["null", "denbun.Sealed"]}]
    schema = fastavro.parse_schema({"type": "record", "name": "Both", "namespace": "denbun", "fields": fields}, {})

    class Both(msgspec.Struct):
        card: r.Sealed
        sensitive: r.Sealed | None

    both = Both(*(r.Sealed(key_id=name, nonce=b"n" * 12, ciphertext=b"c") for name in ("card-1", "sensitive-1")))
    assert plan_of(schema)(both) == of_the_library(schema, msgspec.to_builtins(both, builtin_types=(bytes,)))


@pytest.mark.parametrize("schema", ["double", ["string", "null"], {"type": "array", "items": "long"}, "denbun.Unknown"])
def test_a_form_that_no_record_has_is_no_plan(schema: object) -> None:
    with pytest.raises(TypeError, match="no record holds a value of the form"):
        plan_of(schema)


@pytest.mark.parametrize(
    "change", [{"amount": None}, {"reference": None}, {"reference": 1}, {"amount": "1"}, {"customer": b"s"}]
)
def test_a_value_of_a_wrong_type_is_our_bug_and_written_by_nobody(change: dict[str, object]) -> None:
    sound = r.SendRequest(
        transaction_id="AP02:1",
        customer="AP02",
        reference="1",
        kind=r.Kind.SALE,
        terminal_id="T1",
        amount=1,
        payment_method="10",
        card=r.Sealed(key_id="k", nonce=b"n", ciphertext=b"c"),
        sensitive=None,
        original=None,
        send_by_ms=1,
        report_timeout_ms=1,
        partner=None,
    )
    with pytest.raises((TypeError, AttributeError)):
        wire.encode(msgspec.structs.replace(sound, **change))
