"""The differences between two versions of a partner's layouts, in the words of the documents. Pure data.

What differs, `schemas.telegrams.differences` says; here it is put in order by telegrams and told in Japanese.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from schemas.telegrams import Difference, FieldSpec, Kind, PartnerSpec, Role, Telegram
from schemas.telegrams import differences as compared

CHANGES: Mapping[Kind, str] = {Kind.ADDED: "追加", Kind.REMOVED: "削除", Kind.CHANGED: "変更"}


class Row(NamedTuple):
    """One difference. `what`: the field's name, empty where it is about the telegram or about all of them."""

    kind: Kind
    japanese: str
    what: str
    key: str  # Japanese, with the code or value it is about; empty where all of it was added or removed
    old: str
    new: str

    @property
    def change(self) -> str:
        return CHANGES[self.kind]


class Part(NamedTuple):
    """The differences of one telegram, or of what all telegrams share (`role` is None)."""

    role: Role | None
    title: str
    english: str
    rows: tuple[Row, ...]


class Differences(NamedTuple):
    """All of it. `unchanged`: the telegrams that are the same in both."""

    old: PartnerSpec
    new: PartnerSpec
    parts: tuple[Part, ...]
    unchanged: tuple[Telegram, ...]

    @property
    def total(self) -> int:
        return sum(len(part.rows) for part in self.parts)


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
    "when": "ある条件",
    "group": "まとまり",
    "groups": "まとまり",
    "framing": "長さ部",
    "match": "照合項目",
    "result_codes": "結果コード",
    "error_codes": "エラーコード",
    "unknown_result": "不明な結果コード",
    "unknown_error": "不明なエラーコード",
    "note": "注記",
    "trace_width": "処理通番の桁数",
    "trace_range": "処理通番の範囲",
    "route_range": "経路番号の範囲",
    "result_field": "結果コードの項目",
}
"""What the keys of layouts are called in Japanese; a key that is not here goes by its own name."""

_NOTHING = "（なし）"
_WORDS = {"": _NOTHING, "true": "はい", "false": "いいえ"}


def differences(old: PartnerSpec, new: PartnerSpec) -> Differences:
    """What differs between two versions."""
    found = compared(old, new)
    parts = []
    for role in (None, *Role):
        rows = tuple(_row(old, new, each) for each in found if each.role is role)
        if rows:
            parts.append(_part(old, new, role, rows))
    changed = {part.role for part in parts}
    unchanged = tuple(telegram for role, telegram in new.telegrams.items() if role not in changed)
    return Differences(old, new, tuple(parts), unchanged)


def _part(old: PartnerSpec, new: PartnerSpec, role: Role | None, rows: tuple[Row, ...]) -> Part:
    if role is None:
        return Part(None, "全電文に共通", "What all telegrams share", rows)
    telegram = new.telegrams[role] if role in new.telegrams else old.telegrams[role]
    return Part(role, f"{telegram.type_code} {telegram.japanese}", telegram.english, rows)


def _row(old: PartnerSpec, new: PartnerSpec, found: Difference) -> Row:
    name, _, about = (found.key or "").partition(" ")
    key = f"{KEYS.get(name, name)} {about}".rstrip()
    before, after = (_WORDS.get(text, text.strip() or "（空白）") for text in (found.before, found.after))
    if found.role is None or found.field is None:
        return Row(found.kind, "" if found.role is None else "電文", "", key, before, after)
    fields = [_field_in(spec, found.role, found.field) for spec in (old, new)]
    if found.key is None:
        before, after = (_NOTHING if field is None else _short(field) for field in fields)
    japanese = next(field.japanese for field in reversed(fields) if field is not None)
    return Row(found.kind, japanese, found.field, key, before, after)


def _field_in(spec: PartnerSpec, role: Role, name: str) -> FieldSpec | None:
    fields: Sequence[FieldSpec] = spec.telegrams[role].fields if role in spec.telegrams else ()
    return next((field for field in fields if field.name == name), None)


def _short(field: FieldSpec) -> str:
    place = f"ビット {field.bit}" if field.bit is not None else "" if field.offset is None else f"位置 {field.offset}"
    return "、".join(each for each in (place, f"{field.width} 桁", field.type, field.encoding.value) if each)
