"""A telegram field by field: where its bytes lie, what they say, and how much of that people may see.

    telegram = annotate(cafis, payload)              # masked: no hidden byte is anywhere inside, so nothing can leak
    telegram = annotate(cafis, payload, reveal=True)  # everything; for test cards, and who has to see it

The law: the rows cover every byte of the telegram once, in order. Offsets count from the telegram's first byte, as the
layouts do; the length in front of it (`framing`) stands apart.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import msgspec

from schemas.telegrams import FieldSpec, FramingError, PartnerSpec, Role, Sensitivity, Telegram, Value
from schemas.telegrams.coding import byte_of
from schemas.telegrams.fields import ONE_BYTE, TYPES, Encoding, Pad
from schemas.telegrams.masking import masked_value
from schemas.telegrams.plans import Part, bits_of

HIDDEN_BYTE = "••"
NO_CHARACTER = "·"
_SHOWN_FRONT, _SHOWN_BACK, _SHORTEST_PAN = 6, 4, 13  # PCI DSS 3.4, as `schemas.telegrams.masking` has it


class Meaning(NamedTuple):
    """What a coded value stands for."""

    japanese: str
    english: str


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a telegram that is there, or the bitmap (`field` is None).

    `cells` are its bytes, None for each that is hidden; `characters` what each is in the field's encoding. `value` is
    what people may see of the value; None where an optional field is blank.
    """

    number: int  # of the row, from 1
    offset: int
    field: FieldSpec | None
    cells: tuple[int | None, ...]
    characters: tuple[str, ...]
    value: Value | None
    meaning: Meaning | None = None

    @property
    def name(self) -> str:
        """The field's name; ``bitmap`` for the bitmap."""
        return "bitmap" if self.field is None else self.field.name

    @property
    def japanese(self) -> str:
        return "ビットマップ" if self.field is None else self.field.japanese

    @property
    def english(self) -> str:
        return "Bitmap" if self.field is None else self.field.english

    @property
    def size(self) -> int:
        """Bytes in this telegram."""
        return len(self.cells)

    @property
    def hidden(self) -> bool:
        """Whether any of it is hidden."""
        return None in self.cells

    @property
    def hex(self) -> str:
        """Its bytes as ``34 31 •• ••``."""
        return hex_of(self.cells)

    @property
    def text(self) -> str:
        """Its bytes as characters, ``·`` where a byte is none."""
        return "".join(self.characters)


class AnnotatedTelegram(msgspec.Struct, frozen=True, kw_only=True):
    """A telegram as people may read it. `framing` is the length in front of it, empty where none was given."""

    partner: str
    telegram: Telegram
    rows: tuple[Row, ...]
    framing: bytes = b""

    @property
    def role(self) -> Role:
        return self.telegram.role

    @property
    def size(self) -> int:
        """Bytes, without the framing."""
        return sum(row.size for row in self.rows)

    @property
    def hidden(self) -> bool:
        """Whether any byte is hidden."""
        return any(row.hidden for row in self.rows)

    @property
    def hex(self) -> str:
        """All bytes, framing first, as ``30 31 39 33 •• …``."""
        return hex_of([*self.framing, *(cell for row in self.rows for cell in row.cells)])

    def row(self, name: str) -> Row:
        """The row of this field. Raises `KeyError` where the telegram has it not."""
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)


def annotate(partner: PartnerSpec, payload: bytes, *, framing: bytes = b"", reveal: bool = False) -> AnnotatedTelegram:
    """The rows of one telegram. `payload` is without, `framing` the length in front of it. Raises `DecodeError`."""
    message = partner.decode(payload)
    telegram = partner.telegrams[message.role]
    rows = tuple(
        row_of(partner, telegram, number, part, message.values, reveal=reveal)
        for number, part in enumerate(partner.dissect(payload), 1)
    )
    return AnnotatedTelegram(partner=partner.name, telegram=telegram, rows=rows, framing=framing)


def unframed(partner: PartnerSpec, data: bytes) -> tuple[bytes, bytes]:
    """The length in front, and the one telegram, of bytes as they lie on the line. Raises `FramingError`."""
    deframer = partner.framing.deframer()
    telegrams = deframer.feed(data)
    deframer.close()
    if len(telegrams) != 1:
        raise FramingError(f"holds {len(telegrams)} telegrams where one is wanted", 0, telegrams)
    width = partner.framing.length_bytes
    return data[:width], data[width:]


def hex_of(cells: Sequence[int | None]) -> str:
    """Bytes as pairs of hexadecimal digits, ``••`` for each that is hidden."""
    return " ".join(HIDDEN_BYTE if cell is None else f"{cell:02X}" for cell in cells)


def meaning_of(partner: PartnerSpec, field: FieldSpec, value: Value | None) -> Meaning | None:
    """What a value of this field stands for, by the partner's layouts; None where they say nothing of it."""
    if value is None:
        return None
    if field.name == partner.result_field:
        result = partner.result(str(value))
        return Meaning(result.japanese, result.english)
    if field.name == "error_code":
        error = partner.error(str(value))
        return Meaning(error.japanese, error.english)
    if field.name == "original_type_code":
        found = [each for each in partner.telegrams.values() if each.type_code == value]
        return Meaning("／".join(t.japanese for t in found), " / ".join(t.english for t in found)) if found else None
    listed = field.meaning_of(value)
    return None if listed is None else Meaning(listed.japanese, listed.english)


def row_of(
    partner: PartnerSpec, telegram: Telegram, number: int, part: Part, values: Mapping[str, Value], *, reveal: bool
) -> Row:  # fmt: skip
    """One field, by its bytes and its value among `values`."""
    field = part.field
    if field is None:
        bits = " ".join(map(str, bits_of(part.raw)))
        dots = tuple(NO_CHARACTER for _ in part.raw)
        return Row(number=number, offset=part.offset, field=None, cells=tuple(part.raw), characters=dots, value=bits)
    value = values.get(field.name) if field.const is None else field.const
    shown = [True] * len(part.raw) if reveal or value is None else _shown(field, part.raw, str(value))
    seen = value if reveal or value is None else masked_value(field.sensitivity, value)
    characters = _characters(field, part.raw)
    return Row(
        number=number,
        offset=part.offset,
        field=field,
        cells=tuple(byte if show else None for byte, show in zip(part.raw, shown, strict=True)),
        characters=tuple(each if show else "*" for each, show in zip(characters, shown, strict=True)),
        value=seen,
        meaning=_own(telegram) if field.name == "type_code" else _meaning(partner, field, value, seen),
    )


def _own(telegram: Telegram) -> Meaning:
    """Several telegrams may share a type code: which one this is, is known."""
    return Meaning(telegram.japanese, telegram.english)


def _meaning(partner: PartnerSpec, field: FieldSpec, value: Value | None, seen: Value | None) -> Meaning | None:
    return meaning_of(partner, field, value) if value == seen else None  # it would tell what is hidden


def _shown(field: FieldSpec, raw: bytes, value: str) -> list[bool]:
    """Which bytes people may see. The length in front of a secret is none; of a byte with two digits both must be."""
    if field.sensitivity is Sensitivity.NONE:
        return [True] * len(raw)
    head = [True] * field.length_size
    body = [False] * (len(raw) - field.length_size)
    if field.sensitivity is Sensitivity.SECRET or len(value) < _SHORTEST_PAN or field.encoding is Encoding.BINARY:
        return head + body
    digits = [at < _SHOWN_FRONT or at >= len(value) - _SHOWN_BACK for at in range(len(value))]
    if field.encoding is Encoding.BCD:
        filler = [True] * (2 * len(body) - len(digits))  # an odd digit's other half
        halves = digits + filler if field.is_variable else filler + digits
        return head + [halves[at] and halves[at + 1] for at in range(0, len(halves), 2)]
    padding = [True] * (len(body) - len(digits))
    return head + (padding + digits if field.pad is Pad.SPACE_LEFT else digits + padding)


def _characters(field: FieldSpec, raw: bytes) -> list[str]:
    head = [_character(field.length_encoding, byte) for byte in raw[: field.length_size]]
    body = raw[field.length_size :]
    if field.encoding is Encoding.SHIFT_JIS:
        return head + [each for at in range(0, len(body), 2) for each in _double(body[at : at + 2])]
    return head + [_character(field.encoding, byte) for byte in body]


def _double(raw: bytes) -> tuple[str, str]:
    """A character of two bytes stands at its first."""
    try:
        return raw.decode("shift_jis"), ""
    except UnicodeDecodeError:
        return NO_CHARACTER, NO_CHARACTER


def _table(encoding: Encoding) -> dict[int, str]:
    """For each byte its character in an encoding of one byte each."""
    table = {}
    for character in sorted({*TYPES["text"].alphabet, *TYPES["kana"].alphabet}):
        with suppress(UnicodeEncodeError, KeyError):  # it has not got this one
            table[byte_of(character, encoding)] = character
    return table


_CHARACTERS = {encoding: _table(encoding) for encoding in ONE_BYTE}


def _character(encoding: Encoding | None, byte: int) -> str:
    return NO_CHARACTER if encoding is None else _CHARACTERS.get(encoding, {}).get(byte, NO_CHARACTER)
