"""One field of a telegram, as its layout file describes it, and the types and encodings a field may have."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from schemas.telegrams.vocabulary import Sensitivity, Value


class Encoding(StrEnum):
    """How characters or digits become bytes."""

    ASCII = "ascii"
    EBCDIC = "ebcdic"  # IBM code page 037
    EBCDIC_KANA = "ebcdic_kana"  # EBCDIC with half-width katakana: schemas/telegrams/ebcdic_kana.py
    JIS_X0201 = "jis_x0201"  # 8-bit: Roman letters and half-width katakana
    SHIFT_JIS = "shift_jis"  # the characters of JIS X 0208, two bytes each
    BCD = "bcd"  # two digits a byte
    BINARY = "binary"  # numbers: unsigned, big-endian; hex: the bytes themselves


class LengthKind(StrEnum):
    """Whether a field has a length of its own. Variable fields belong to bitmap layouts."""

    FIXED = "fixed"
    LLVAR = "llvar"  # two digits of length in front
    LLLVAR = "lllvar"  # three

    @property
    def digits(self) -> int:
        return {LengthKind.FIXED: 0, LengthKind.LLVAR: 2, LengthKind.LLLVAR: 3}[self]


class Pad(StrEnum):
    """What fills a field of fixed length whose value is shorter."""

    NONE = "none"  # the value must have the full length
    SPACE_RIGHT = "space_right"  # text, left-justified 左詰め
    SPACE_LEFT = "space_left"  # text, right-justified 右詰め
    ZERO_LEFT = "zero_left"  # numbers, right-justified


class Blank(StrEnum):
    """What stands in a fixed layout where an optional field is absent."""

    SPACES = "spaces"  # ideographic ones in Shift_JIS
    ZEROS = "zeros"


ONE_BYTE = frozenset({Encoding.ASCII, Encoding.EBCDIC, Encoding.EBCDIC_KANA, Encoding.JIS_X0201})
_DIGITS = "0123456789"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_KATAKANA = "".join(map(chr, range(0xFF61, 0xFFA0)))  # half-width, with its punctuation and voicing marks
_KANA = frozenset({Encoding.JIS_X0201, Encoding.EBCDIC_KANA})


ValueType = type[str] | type[int]


class FieldType(NamedTuple):
    """A type of field: the Python type of its values, the characters it may hold and the encodings it may have."""

    value_type: ValueType
    alphabet: str
    encodings: frozenset[Encoding]
    lengths: frozenset[int] | None = None  # None: any


TYPES: Mapping[str, FieldType] = MappingProxyType(
    {
        # codes: text that is not calculated with; leading zeros count
        "digits": FieldType(str, _DIGITS, ONE_BYTE | {Encoding.BCD}),
        "alphanumeric": FieldType(str, _DIGITS + _LETTERS + _LETTERS.lower(), ONE_BYTE),
        "identifier": FieldType(str, _DIGITS + _LETTERS + _LETTERS.lower() + "-._", ONE_BYTE),
        "track2": FieldType(str, _DIGITS + "=", ONE_BYTE),  # ISO/IEC 7813
        "text": FieldType(str, "".join(map(chr, range(0x20, 0x7F))), ONE_BYTE - {Encoding.JIS_X0201}),
        "kana": FieldType(str, _DIGITS + _LETTERS + " ¥()-./,&'" + _KATAKANA, _KANA),
        "kanji": FieldType(str, "", frozenset({Encoding.SHIFT_JIS})),  # any character of JIS X 0208
        # YYYYMMDD in values; with a length of 6 the century (20) does not travel
        "date": FieldType(str, _DIGITS, ONE_BYTE | {Encoding.BCD}, frozenset({6, 8})),
        "time": FieldType(str, _DIGITS, ONE_BYTE | {Encoding.BCD}, frozenset({6})),  # HHMMSS
        "number": FieldType(int, _DIGITS, ONE_BYTE | {Encoding.BCD, Encoding.BINARY}),
        "amount": FieldType(int, _DIGITS, ONE_BYTE | {Encoding.BCD, Encoding.BINARY}),  # yen
        "hex": FieldType(str, _DIGITS + "abcdef", frozenset({Encoding.BINARY})),  # lower case, two digits a byte
    }
)


class Condition(msgspec.Struct, frozen=True):
    """What another field of the telegram must say for a field to be there: one of `values`, or `at_least` so many."""

    field: str
    values: tuple[Value, ...] = ()
    at_least: int | None = None

    def holds(self, value: Value | None) -> bool:
        """Whether the other field's value is such a one."""
        if self.at_least is not None:
            return isinstance(value, int) and value >= self.at_least
        return value in self.values


class ListedValue(msgspec.Struct, frozen=True):
    """A value a field may have, and what it says."""

    value: Value
    japanese: str
    english: str


class FieldSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One field. `length` counts digits or characters; bytes for encoding ``binary``; the greatest when variable."""

    number: str  # 項番: the field's number in the specification, unique within its telegram; the bit where it has one
    name: str
    japanese: str
    english: str
    type: str
    length: int
    encoding: Encoding
    required: bool
    sensitivity: Sensitivity
    meaning: str
    sample: Value
    assumption: bool  # True: our own guess at a confidential layout; False: checked by the licensee
    japanese_meaning: str | None = None  # for documents that are Japanese first
    length_kind: LengthKind = LengthKind.FIXED
    length_encoding: Encoding | None = None  # of the length in front of a variable field
    min_length: int = 1
    pad: Pad = Pad.NONE
    blank: Blank = Blank.SPACES
    default: Value | None = None  # sent when the caller gives no value
    const: Value | None = None  # always sent, demanded on receipt, never among the values
    offset: int | None = None  # byte of the telegram; None where it depends on what stands before
    bit: int | None = None  # in bitmap layouts
    values: tuple[ListedValue, ...] = ()  # those with a meaning of their own
    values_closed: bool = False  # True: any other is refused, both ways; False: others may be agreed upon
    source: str | None = None  # where the facts come from; demanded of what is no assumption
    when: Condition | None = None  # it is there only if this holds; if it holds, `required` says whether it must be
    group: str | None = None  # of the group that brings it, whole, or not at all: then an absent one takes no bytes

    @property
    def value_type(self) -> ValueType:
        """What the field is in Python: `str` for text and codes, `int` for amounts and counting numbers."""
        return TYPES[self.type].value_type

    @property
    def always(self) -> bool:
        """Whether each telegram has it, whatever the others say."""
        return self.required and self.when is None

    @property
    def least(self) -> int:
        """The shortest value, in the unit of `length`."""
        return self.min_length if self.is_variable or self.pad in (Pad.SPACE_LEFT, Pad.SPACE_RIGHT) else self.length

    @property
    def justified(self) -> str | None:
        """The side a shorter value stands on, ``left`` 左詰め or ``right`` 右詰め; None where the length is exact."""
        return {Pad.SPACE_RIGHT: "left", Pad.SPACE_LEFT: "right", Pad.ZERO_LEFT: "right"}.get(self.pad)

    @property
    def is_variable(self) -> bool:
        return self.length_kind is not LengthKind.FIXED

    @property
    def size(self) -> int:
        """Bytes on the line; for a variable field the greatest number, its length in front included."""
        return self.length_size + bytes_for(self.length, self.encoding)

    @property
    def length_size(self) -> int:
        """Bytes of the length in front of a variable field."""
        if self.length_encoding is None:
            return 0
        return (
            1 if self.length_encoding is Encoding.BINARY else bytes_for(self.length_kind.digits, self.length_encoding)
        )

    def meaning_of(self, value: Value) -> ListedValue | None:
        """What the layout says about a value of this field; None of one that it does not list."""
        return next((listed for listed in self.values if listed.value == value), None)

    @property
    def width(self) -> str:
        """The length as a specification writes it: ``13`` or ``..19``."""
        return f"..{self.length}" if self.is_variable else str(self.length)


def bytes_for(length: int, encoding: Encoding) -> int:
    """How many bytes `length` digits or characters (bytes for ``binary``) take."""
    if encoding is Encoding.BCD:
        return (length + 1) // 2
    return 2 * length if encoding is Encoding.SHIFT_JIS else length
