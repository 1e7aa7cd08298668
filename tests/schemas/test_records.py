"""The conventions that all records keep."""

import re
from enum import StrEnum
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given
from record_strategies import any_record

from schemas import records as r
from schemas.records import Record
from schemas.topics import TABLE
from schemas.wire import RECORDS

STRUCTS: dict[str, type[msgspec.Struct]] = {
    name: item
    for name, item in vars(r).items()
    if isinstance(item, type) and issubclass(item, msgspec.Struct) and item is not Record
}
ENUMS: dict[str, type[StrEnum]] = {
    name: item for name, item in vars(r).items() if isinstance(item, type) and issubclass(item, StrEnum)
}
ENDS_OF_A_TRANSACTION = {"refused", "answered", "returned", "cancelled", "attention"}


def fields() -> list[tuple[str, str, Any]]:
    return [(owner, name, hint) for owner, cls in STRUCTS.items() for name, hint in get_type_hints(cls).items()]


@pytest.mark.parametrize("name", sorted(STRUCTS))
def test_a_record_is_frozen_and_built_by_names(name: str) -> None:
    config = STRUCTS[name].__struct_config__
    assert config.frozen
    assert not STRUCTS[name].__struct_defaults__  # whoever builds a record says everything
    with pytest.raises(TypeError):
        STRUCTS[name](*STRUCTS[name].__struct_fields__)


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_a_records_text_begins_with_the_topics_it_is_on(name: str) -> None:
    said = (RECORDS[name].__doc__ or "").partition(":")[0]
    named = set(re.findall(r"`([a-z-]+)(?:\.<line>)?`", said))
    assert named == {topic.name for topic in TABLE if RECORDS[name] in topic.holds}


def test_every_record_has_a_topic() -> None:
    assert {record.__name__ for topic in TABLE for record in topic.holds} == set(RECORDS)


def test_times_are_whole_milliseconds() -> None:
    for owner, name, hint in fields():
        if name.endswith("_ms"):
            kinds = set(get_args(hint)) if get_origin(hint) is UnionType else {hint}
            assert kinds <= {int, type(None)}, (owner, name)
        assert not name.endswith(("_s", "_at", "_time")), (owner, name)


def test_card_data_travels_sealed_only() -> None:
    for owner, name, hint in fields():
        if name in {"card", "sensitive"}:
            kinds = set(get_args(hint)) if get_origin(hint) is UnionType else {hint}
            assert kinds - {type(None)} == {r.Sealed}, (owner, name)
        assert not re.search(r"pan|track|security|pin|expiry", name.replace("expires", "")) or owner == "Sealed", (
            owner,
            name,
        )


def test_no_state_keeps_card_data() -> None:
    """What is compacted is kept for days: no card data, sealed or not, may stand in it."""
    kept = [record for topic in TABLE if topic.keep_ms is None for record in topic.holds]
    assert kept
    seen: set[type] = set()

    def holds_sealed(cls: type[msgspec.Struct]) -> bool:
        seen.add(cls)
        inner = [each for hint in get_type_hints(cls).values() for each in (hint, *get_args(hint))]
        structs = [each for each in inner if isinstance(each, type) and issubclass(each, msgspec.Struct)]
        return r.Sealed in structs or any(holds_sealed(each) for each in structs if each not in seen)

    assert [record.__name__ for record in kept if holds_sealed(record)] == []
    assert holds_sealed(r.SendRequest)


def test_a_sealed_field_shows_nothing_of_itself() -> None:
    sealed = r.Sealed(key_id="card-1", nonce=b"n" * 12, ciphertext=b"secret text")
    assert repr(sealed) == "Sealed(key_id='card-1', 11 bytes)"
    assert str(sealed) == repr(sealed)


@given(any_record)
def test_the_text_of_a_record_never_holds_a_ciphertext(record: Record) -> None:
    def walk(item: Any) -> None:
        if isinstance(item, r.Sealed):
            assert f"ciphertext={item.ciphertext!r}" not in repr(record)
            assert f"nonce={item.nonce!r}" not in repr(record)
        elif isinstance(item, msgspec.Struct):
            for name in item.__struct_fields__:
                walk(getattr(item, name))

    walk(record)


@pytest.mark.parametrize("name", sorted(ENUMS))
def test_the_words_of_an_enumeration_are_lower_case_names(name: str) -> None:
    for member in ENUMS[name]:
        assert member.value == member.name.lower()
        assert re.fullmatch(r"[a-z_]{1,40}", member.value)  # so `wire` may tell one that it does not know


def test_the_ends_of_a_transaction_are_those_of_the_second_money_invariant() -> None:
    assert {stage.value for stage in r.Stage if stage.ended} == ENDS_OF_A_TRANSACTION


def test_only_cancel_and_refund_follow_an_original() -> None:
    assert {kind for kind in r.Kind if kind.follows_an_original} == {r.Kind.CANCEL, r.Kind.REFUND}


def test_the_cancel_commands_stand_in_the_order_of_their_type_codes() -> None:
    assert [each.value for each in r.Command] == ["cancel", "cancel_again", "confirm", "confirm_again"]
