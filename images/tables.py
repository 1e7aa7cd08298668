"""The fields of a telegram as a specification lists them, each with what stands in it in one real telegram.

Words only, the same for pages and sheets: Japanese first, the English beside it in its own column.
"""

import re
import unicodedata
from typing import NamedTuple

from images.annotated import AnnotatedTelegram, Row
from schemas.telegrams import FieldSpec, PartnerSpec, Sensitivity, Telegram, Value
from schemas.telegrams.fields import Blank, Encoding, Pad

TYPES = {
    "digits": ("数字", "digits"),
    "alphanumeric": ("英数字", "letters, digits"),
    "identifier": ("英数字・記号(-._)", "letters, digits, -._"),
    "track2": ("数字・区切り(=)", "digits and ="),
    "text": ("文字", "text"),
    "kana": ("半角カナ", "half-width katakana"),
    "kanji": ("漢字", "kanji"),
    "date": ("日付", "date"),
    "time": ("時刻", "time"),
    "number": ("数値", "number"),
    "amount": ("金額（円）", "amount, yen"),
    "hex": ("バイト列", "bytes"),
}
ENCODINGS = {
    Encoding.ASCII: "ASCII",
    Encoding.EBCDIC: "EBCDIC",
    Encoding.EBCDIC_KANA: "EBCDIC カナ",
    Encoding.JIS_X0201: "JIS X 0201",
    Encoding.SHIFT_JIS: "Shift_JIS",
    Encoding.BCD: "BCD",
    Encoding.BINARY: "バイナリ",
}
_PADS = {
    Pad.NONE: None,
    Pad.SPACE_RIGHT: "左詰め・右空白",
    Pad.SPACE_LEFT: "右詰め・左空白",
    Pad.ZERO_LEFT: "右詰め・前ゼロ",
}
_BLANKS = {Blank.SPACES: "省略時は空白", Blank.ZEROS: "省略時はゼロ"}
_SENSITIVE = {Sensitivity.PAN: "会員番号", Sensitivity.SECRET: "秘匿"}


class Line(NamedTuple):
    """One field of the table. `row` is None where the telegram shown has not got it; `colour` counts from 1."""

    number: str  # 項番
    japanese: str
    name: str
    english: str
    offset: str  # in parentheses where it is that of the telegram shown alone
    length: str
    size: str  # bytes
    form: str  # Japanese
    form_english: str
    required: str
    meaning: str  # English
    japanese_meaning: str
    allowed: tuple[str, ...]
    value: str
    value_meaning: str
    hex: str
    characters: str
    basis: str
    source: str
    row: Row | None

    @property
    def colour(self) -> int:
        """Which of the colours its bytes have; 0 where there are none."""
        return 0 if self.row is None else colour_of(self.row.number)


COLOURS = 8
ROOM = 20
"""Columns of one byte that a value has on a line: a card number has 19 at most (ISO/IEC 7812-1)."""
_CUT = 16  # columns
_LONG = 16  # bytes
_WORDS = re.compile(r"[^-._=/\s]*[-._=/\s]|[^-._=/\s]+")


def colour_of(row: int) -> int:
    """The colour of a row's bytes, 1 to 8, so that neighbours differ."""
    return (row - 1) % COLOURS + 1


def lines_of(partner: PartnerSpec, telegram: AnnotatedTelegram) -> list[Line]:
    """The table of a telegram: all fields of its layout, and the bitmap at its place."""
    rows = {row.name: row for row in telegram.rows}
    lines = []
    for field in telegram.telegram.fields:
        if field.bit is not None and "bitmap" in rows:
            lines.append(_bitmap_line(rows.pop("bitmap")))
        lines.append(_line(partner, telegram.telegram, field, rows.get(field.name)))
    return lines


def value_text(row: Row) -> str:
    """The value of a row as people read it; an amount with separators."""
    if row.value is None:
        return "（省略）"
    if row.field is not None and row.field.type == "hex" and row.size > _LONG and not row.hidden:
        return f"{row.size - row.field.length_size} バイト"  # they stand beside it
    if isinstance(row.value, int) and row.field is not None and row.field.type == "amount":
        return f"{row.value:,}"
    return _visible(row.value)


def columns_of(text: str) -> int:
    """How wide a text is, in columns of one byte: a Japanese character takes two."""
    return sum(2 if unicodedata.east_asian_width(each) in "WFA" else 1 for each in text)


def pieces(value: str) -> list[str]:
    """A value in pieces that stay on one line each: whole up to 20 columns, so that no card number is broken.

    A longer one is parted behind spaces and ``-._=/``, and where there is none for long, every 16 columns.
    """
    if columns_of(value) <= ROOM:
        return [value]
    found = []
    for word in _WORDS.findall(value):
        cut, width = "", 0
        for character in word:
            if width + columns_of(character) > _CUT:
                found.append(cut)
                cut, width = "", 0
            cut += character
            width += columns_of(character)
        found.append(cut)
    return found


def _visible(value: Value) -> str:
    return str(value) if str(value).strip() else "（空白）"


def _line(partner: PartnerSpec, telegram: Telegram, field: FieldSpec, row: Row | None) -> Line:
    japanese, english = form_of(field)
    meaning = None if row is None else row.meaning
    at = "" if row is None else f"({row.offset})"
    return Line(
        number=field.number,
        japanese=field.japanese,
        name=field.name,
        english=field.english,
        offset=at if field.offset is None else str(field.offset),
        length=field.width,
        size=size_of(field),
        form=japanese,
        form_english=english,
        required="△" if field.when is not None else "○" if field.required else "－",
        meaning=field.meaning,
        japanese_meaning=field.japanese_meaning or "",
        allowed=(*allowed(partner, field), *condition_of(telegram, field)),
        value="（この電文にはない）" if row is None else value_text(row),
        value_meaning="" if meaning is None else meaning.japanese,
        hex="" if row is None else row.hex,
        characters="" if row is None else row.text,
        basis="仮定" if field.assumption else "確認済",
        source=field.source or "",
        row=row,
    )


def _bitmap_line(row: Row) -> Line:
    return Line(
        number="BM", japanese=row.japanese, name=row.name, english=row.english, offset=str(row.offset),
        length=str(8 * row.size), size=str(row.size), form="ビット列・バイナリ", form_english="bits, binary",
        required="○",
        meaning="Which of the following fields are there; bit 1 announces a second bitmap.",
        japanese_meaning="後に続く項目を示す。ビット 1 は第2ビットマップがあることを示す。",
        allowed=("1 のビットの項目が続く",), value=value_text(row), value_meaning="", hex=row.hex, characters=row.text,
        basis="仮定", source="", row=row,
    )  # fmt: skip


def form_of(field: FieldSpec) -> tuple[str, str]:
    """Type, encoding, padding and length in front, in Japanese and in English."""
    encoding = ENCODINGS[field.encoding]
    japanese, english = TYPES[field.type]
    parts = [japanese] if field.type == "hex" else [japanese, encoding]
    told = [english, field.encoding.value]
    if field.is_variable and field.length_encoding is not None:
        parts.append(f"可変長（長さ部 {field.length_kind.digits}桁 {ENCODINGS[field.length_encoding]}）")
        told.append(field.length_kind.value)
    pad = _PADS[field.pad]
    if pad is not None and field.encoding is not Encoding.BINARY:
        parts.append(pad)
        told.append(field.pad.value.replace("_", " "))
    if not field.required and field.bit is None:
        parts.append(_BLANKS[field.blank])
        told.append(f"{field.blank.value} if absent")
    if field.sensitivity in _SENSITIVE:
        parts.append(_SENSITIVE[field.sensitivity])
        told.append(field.sensitivity.value)
    return "、".join(parts), ", ".join(told)


def condition_of(telegram: Telegram, field: FieldSpec) -> list[str]:
    """When a field is there that is not always, in Japanese."""
    if field.when is None:
        return []
    decider = telegram.field(field.when.field).japanese
    if field.when.at_least is not None:
        return [f"［{decider}が {field.when.at_least} 以上のとき］"]
    return [f"［{decider}が {'・'.join(map(str, field.when.values))} のとき］"]


def size_of(field: FieldSpec) -> str:
    """Bytes on the line; of a field that varies the greatest number, its length in front included."""
    return f"最大 {field.size}" if field.is_variable else str(field.size)


def allowed(partner: PartnerSpec, field: FieldSpec) -> list[str]:
    """Which values the field may have, in Japanese."""
    if field.const is not None:
        return [f"固定値 {_visible(field.const)}"]
    if field.name in (partner.result_field, "error_code"):
        return ["コード一覧を参照"]
    if field.values:
        listed = [f"{each.value} {each.japanese}" for each in field.values]
        return listed if field.values_closed else [*listed, "ほか（取り決めによる）"]
    ranges = {"trace_number": partner.trace_range, "route_number": partner.route_range}
    if field.name in ranges:
        first, last = ranges[field.name]
        return [f"{first}〜{last:,}" + ("（業務電文）" if field.name == "route_number" else "")]
    if field.type == "date":
        return ["YYMMDD" if field.length == len("YYMMDD") else "YYYYMMDD"]
    if field.type == "time":
        return ["HHMMSS"]
    if field.type in ("amount", "number") and field.encoding is not Encoding.BINARY:
        return [f"0〜{10**field.length - 1:,}"]
    if field.default is not None:
        return [f"既定値 {_visible(field.default)}"]
    if field.is_variable or field.pad is Pad.SPACE_RIGHT:
        unit = "バイト" if field.encoding is Encoding.BINARY else "桁"
        return [f"{field.min_length}〜{field.length} {unit}"]
    return [f"{field.length} 桁"]
