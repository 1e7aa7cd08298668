"""What differs between two versions of a partner's layouts: telegrams, fields, codes, framing. Pure data.

Every key of every field is compared, so a key that layouts have tomorrow is compared tomorrow.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import NamedTuple

import msgspec

from schemas.telegrams import ErrorCode, FieldSpec, PartnerSpec, ResultCode, Role, Telegram


class Change(Enum):
    """What happened to something: Japanese, English."""

    ADDED = ("追加", "added")
    REMOVED = ("削除", "removed")
    CHANGED = ("変更", "changed")


class Difference(NamedTuple):
    """One difference. `what`: the field or code it is about; `key`: what of it, empty where all of it is meant."""

    change: Change
    what: str
    japanese: str
    key: str
    old: str
    new: str


class Part(NamedTuple):
    """The differences of one telegram, or of what all telegrams share (`role` is None)."""

    role: Role | None
    title: str
    english: str
    differences: tuple[Difference, ...]


class Differences(NamedTuple):
    """All of it. `unchanged`: the telegrams that are the same in both."""

    old: PartnerSpec
    new: PartnerSpec
    parts: tuple[Part, ...]
    unchanged: tuple[Telegram, ...]

    @property
    def total(self) -> int:
        return sum(len(part.differences) for part in self.parts)


KEYS: Mapping[str, str] = {
    "number": "項番",
    "japanese": "項目名",
    "english": "英名",
    "type": "属性",
    "length": "桁数",
    "encoding": "符号化",
    "required": "必須",
    "sensitivity": "秘匿区分",
    "meaning": "意味（英）",
    "japanese_meaning": "意味",
    "sample": "見本",
    "assumption": "仮定",
    "length_kind": "長さの種類",
    "length_encoding": "長さ部の符号化",
    "min_length": "最小桁数",
    "pad": "詰め方",
    "blank": "省略時",
    "default": "既定値",
    "const": "固定値",
    "offset": "位置",
    "bit": "ビット",
    "values": "値の一覧",
    "values_closed": "一覧以外は不可",
    "source": "出典",
    "size": "電文長",
    "type_code": "電文種別",
    "told_apart_by": "区別する項目",
    "outcome": "扱い",
    "error_class": "扱い",
    "kind": "長さ部の種類",
    "length_bytes": "長さ部のバイト数",
    "counts_itself": "長さ部を含む",
    "max_length": "最大電文長",
    "fault_cancel": "障害取消のみ",
}
"""What the keys of layouts are called in Japanese; a key that is not here goes by its own name."""

_Code = ResultCode | ErrorCode
_TELEGRAM_KEYS = ("japanese", "english", "type_code", "size", "meaning", "japanese_meaning", "told_apart_by")
_PARTNER_KEYS = ("japanese", "english", "note", "trace_width", "trace_range", "route_range", "result_field")
_NOTHING = "（なし）"


def differences(old: PartnerSpec, new: PartnerSpec) -> Differences:
    """What differs between two versions."""
    coded = frozenset(
        {"error_code", old.result_field, new.result_field}
    )  # their values are told once, with what all share
    parts = [Part(None, "全電文に共通", "What all telegrams share", tuple(_shared(old, new)))]
    unchanged = []
    for role in Role:
        before, after = old.telegrams.get(role), new.telegrams.get(role)
        named = after or before
        if named is None:
            continue
        found = tuple(_of_telegram(before, after, coded))
        if found:
            parts.append(Part(role, f"{named.type_code} {named.japanese}", named.english, found))
        elif after is not None:
            unchanged.append(after)
    return Differences(old, new, tuple(part for part in parts if part.differences), tuple(unchanged))


def _shared(old: PartnerSpec, new: PartnerSpec) -> Iterator[Difference]:
    for key in _PARTNER_KEYS:
        yield from _changed("", "", key, getattr(old, key), getattr(new, key))
    yield from _structs("framing", "長さ部", old.framing, new.framing)
    for name, japanese, before, after in (
        ("result_codes", "結果コード", old.result_codes, new.result_codes),
        ("error_codes", "エラーコード", old.error_codes, new.error_codes),
    ):
        yield from _codes(name, japanese, before, after)
    for family in sorted({*old.match_fields, *new.match_fields}):
        yield from _changed(
            f"match.{family}", "照合項目", "", old.match_fields.get(family), new.match_fields.get(family)
        )  # fmt: skip


def _codes(name: str, japanese: str, old: Mapping[str, _Code], new: Mapping[str, _Code]) -> Iterator[Difference]:
    for code in [*old, *(code for code in new if code not in old)]:
        before, after = old.get(code), new.get(code)
        if before is not None and after is not None:
            for key in before._fields:
                yield from _changed(f"{name} {code}", japanese, key, getattr(before, key), getattr(after, key))
        else:
            was, now = (None if each is None else each.japanese for each in (before, after))
            yield _whole(f"{name} {code}", japanese, was, now)


def _of_telegram(old: Telegram | None, new: Telegram | None, coded: frozenset[str]) -> Iterator[Difference]:
    if old is None or new is None:
        yield _whole("", "電文", None if old is None else old.japanese, None if new is None else new.japanese)
        return
    for key in _TELEGRAM_KEYS:
        yield from _changed("", "電文", key, getattr(old, key), getattr(new, key))
    before = {field.name: field for field in old.fields}
    after = {field.name: field for field in new.fields}
    for name in _merged([field.name for field in old.fields], [field.name for field in new.fields]):
        was, now = before.get(name), after.get(name)
        if was is not None and now is not None:
            yield from _fields(was, now, listed=name not in coded)
        else:
            japanese = next(each.japanese for each in (now, was) if each is not None)
            yield _whole(name, japanese, *(None if each is None else _short(each) for each in (was, now)))


def _merged(old: Sequence[str], new: Sequence[str]) -> list[str]:
    """The names of both in the new order; those that are gone where they stood."""
    merged = list(new)
    for at, name in enumerate(old):
        if name not in merged:
            before = next((each for each in reversed(old[:at]) if each in merged), None)
            merged.insert(0 if before is None else merged.index(before) + 1, name)
    return merged


def _short(field: FieldSpec) -> str:
    place = f"ビット {field.bit}" if field.bit is not None else f"位置 {field.offset}"
    return f"{place}、{field.width} 桁、{field.type}、{field.encoding.value}"


def _fields(old: FieldSpec, new: FieldSpec, *, listed: bool) -> Iterator[Difference]:
    yield from _structs(new.name, new.japanese, old, new, without="values")
    before, after = ({each.value: each for each in field.values if listed} for field in (old, new))
    for value in [*before, *(value for value in after if value not in before)]:
        was, now = (
            None if each is None else f"{each.value} {each.japanese}" for each in (before.get(value), after.get(value))
        )
        if was is None or now is None:
            yield _whole(new.name, new.japanese, was, now)._replace(key="values")
        else:
            yield from _changed(new.name, new.japanese, "values", was, now)


def _structs(
    what: str, japanese: str, old: msgspec.Struct, new: msgspec.Struct, without: str = ""
) -> Iterator[Difference]:  # fmt: skip
    for key in old.__struct_fields__:
        if key not in ("name", without):
            yield from _changed(what, japanese, key, getattr(old, key), getattr(new, key))


def _changed(what: str, japanese: str, key: str, old: object, new: object) -> Iterator[Difference]:
    if old != new:
        yield Difference(Change.CHANGED, what, japanese, key, _shown(old), _shown(new))


def _whole(what: str, japanese: str, old: str | None, new: str | None) -> Difference:
    change = Change.ADDED if old is None else Change.REMOVED
    return Difference(change, what, japanese, "", old or _NOTHING, new or _NOTHING)


def _shown(value: object) -> str:
    match value:
        case None:
            return _NOTHING
        case bool():
            return "はい" if value else "いいえ"
        case Enum():
            return str(value.value)
        case str():
            return value.strip() or "（空白）"
        case tuple() | list():
            return "\n".join(_listed(each) for each in value) or _NOTHING
        case _:
            return str(value)


def _listed(value: object) -> str:
    if isinstance(value, msgspec.Struct):
        return " ".join(str(getattr(value, key)) for key in value.__struct_fields__)
    return str(value)
