"""What one edition of a partner's layouts changed of another: pure data, for pages and reviews."""

from collections.abc import Container, Iterable, Iterator, Mapping
from enum import StrEnum
from itertools import chain
from typing import NamedTuple

import msgspec

from schemas.telegrams.fields import FieldSpec
from schemas.telegrams.roles import Role
from schemas.telegrams.spec import PartnerSpec, Telegram


class Kind(StrEnum):
    """What became of something."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class Difference(NamedTuple):
    """One thing that is another: of the partner (no role), of a telegram (no field), or of a field in a telegram.

    `key` is what of it, as the layout files call it, with the code or listed value it is about behind it; None where
    all of it was added or removed. `before` and `after` are texts for people, empty where there is nothing.
    """

    kind: Kind
    role: Role | None
    field: str | None
    key: str | None
    before: str
    after: str


_PARTNER = ("japanese", "english", "note", "framing", "trace_width", "trace_range", "route_range", "result_field")
_CODES = ("result_codes", "error_codes")
_TELEGRAM = ("japanese", "english", "type_code", "meaning", "japanese_meaning", "size", "told_apart_by")
_FIELD = tuple(name for name in FieldSpec.__struct_fields__ if name not in ("name", "values"))


def differences(old: PartnerSpec, new: PartnerSpec) -> tuple[Difference, ...]:
    """What `new` has otherwise than `old`: the partner's own settings first, then telegram by telegram."""
    found: list[Difference] = [*_keys(old, new, _PARTNER, None, None)]
    for family, names in new.match_fields.items():
        found += _changed(None, None, f"match {family}", old.match_fields[family], names)
    for codes in _CODES:
        found += _listed(codes, getattr(old, codes), getattr(new, codes))
    found += _changed(None, None, "unknown_result", old.unknown_result, new.unknown_result)
    found += _changed(None, None, "unknown_error", old.unknown_error, new.unknown_error)
    coded = {"error_code", old.result_field, new.result_field}  # the partner's codes, told above
    for role in Role:
        found += _telegram(role, old.telegrams.get(role), new.telegrams.get(role), coded)
    return tuple(found)


def _telegram(
    role: Role, old: Telegram | None, new: Telegram | None, coded: Container[str]
) -> Iterator[Difference]:  # fmt: skip
    if old is None or new is None:
        if new is not None:
            yield Difference(Kind.ADDED, role, None, None, "", f"{new.type_code} {new.japanese} {new.english}")
        if old is not None:
            yield Difference(Kind.REMOVED, role, None, None, f"{old.type_code} {old.japanese} {old.english}", "")
        return
    yield from _keys(old, new, _TELEGRAM, role, None)
    yield from _changed(
        role, None, "groups", [group.name for group in old.groups], [group.name for group in new.groups]
    )
    before, after = ({field.name: field for field in each.fields} for each in (old, new))
    for name in dict.fromkeys(chain(before, after)):
        one, other = before.get(name), after.get(name)
        if one is None and other is not None:
            yield Difference(Kind.ADDED, role, name, None, "", _shown_field(other))
        elif other is None and one is not None:
            yield Difference(Kind.REMOVED, role, name, None, _shown_field(one), "")
        elif one is not None and other is not None:
            yield from _keys(one, other, _FIELD, role, name)
            if name not in coded:
                yield from _values(role, one, other)


def _values(role: Role, old: FieldSpec, new: FieldSpec) -> Iterator[Difference]:
    """The listed values of a field, one by one."""
    before, after = ({each.value: each for each in field.values} for field in (old, new))
    for value in dict.fromkeys(chain(before, after)):
        one, other = before.get(value), after.get(value)
        if one != other:
            kind = Kind.ADDED if one is None else Kind.REMOVED if other is None else Kind.CHANGED
            texts = ("" if each is None else f"{each.japanese} {each.english}" for each in (one, other))
            yield Difference(kind, role, new.name, f"values {value}", *texts)


def _listed(codes: str, old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[Difference]:
    for code in dict.fromkeys(chain(old, new)):
        if code not in old:
            yield Difference(Kind.ADDED, None, None, f"{codes} {code}", "", _shown(new[code]))
        elif code not in new:
            yield Difference(Kind.REMOVED, None, None, f"{codes} {code}", _shown(old[code]), "")
        else:
            yield from _changed(None, None, f"{codes} {code}", old[code], new[code])


def _keys(old: object, new: object, keys: Iterable[str], role: Role | None, field: str | None) -> Iterator[Difference]:
    for key in keys:
        yield from _changed(role, field, key, getattr(old, key), getattr(new, key))


def _changed(role: Role | None, field: str | None, key: str, before: object, after: object) -> Iterator[Difference]:
    if before != after:
        yield Difference(Kind.CHANGED, role, field, key, _shown(before), _shown(after))


def _shown_field(field: FieldSpec) -> str:
    place = f"bit {field.bit}" if field.bit is not None else "" if field.offset is None else f"offset {field.offset}"
    return ", ".join(each for each in (field.japanese, place, f"{field.type} {field.width}", field.encoding) if each)


def _shown(value: object) -> str:
    """A value as people read it."""
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, msgspec.Struct):
        parts = {name: getattr(value, name) for name in value.__struct_fields__}
        return ", ".join(f"{name} {_shown(each)}" for name, each in parts.items() if each not in (None, ()))
    if isinstance(value, tuple | list):
        return ", ".join(_shown(each) for each in value)
    return str(value)
