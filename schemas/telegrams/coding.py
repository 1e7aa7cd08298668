"""From a field's description to a pair of functions: value to bytes, bytes to value. Nothing is looked up later.

Both are strict, and each undoes the other: bytes that `read` takes are the bytes `write` would give for that value.
They raise `Problem`, or `UnicodeError` where the C routine that translates characters found one it has no place for.
"""

import codecs
import re
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from schemas.telegrams import ebcdic_kana
from schemas.telegrams.errors import Problem
from schemas.telegrams.fields import TYPES, Blank, Encoding, FieldSpec, Pad, bytes_for
from schemas.telegrams.vocabulary import Value

Write = Callable[[Value | None], bytes]
Read = Callable[[bytes], Value | None]

_EBCDIC = (Encoding.EBCDIC, Encoding.EBCDIC_KANA)
ABSENT = "is what stands for an absent value"
_UNDEFINED = "\ufffe"  # marks a byte without a character in the tables of codecs.charmap_decode


class FieldCodec(NamedTuple):
    """`write` gives the bytes of a value, or of None (absent) where the field may be; `read` the value, or None."""

    write: Write
    read: Read


class VariableCodec(NamedTuple):
    """As `FieldCodec`, for a field with its length in front.

    By those first bytes `sizes` gives the whole size, `counts` the digits or characters (bytes for ``binary``).
    """

    write: Write
    read: Read
    sizes: dict[bytes, int]
    counts: dict[bytes, int]


# --- alphabets ------------------------------------------------------------------------------------------------------


def byte_of(character: str, encoding: Encoding) -> int:
    """The byte of a character in one of the character encodings."""
    if encoding is Encoding.EBCDIC:
        return character.encode("cp037")[0]
    if encoding is Encoding.EBCDIC_KANA:
        return ebcdic_kana.BYTE_OF[character]
    if encoding is Encoding.JIS_X0201:
        if character == "¥":
            return 0x5C
        if 0xFF61 <= ord(character) <= 0xFF9F:
            return ord(character) - 0xFF61 + 0xA1
    return character.encode("ascii")[0]


@lru_cache(maxsize=64)
def alphabet_table(alphabet: str, encoding: Encoding) -> str:
    """For each byte its character in an alphabet, as `codecs.charmap_decode` wants it."""
    table = [_UNDEFINED] * 256
    for character in alphabet:
        table[byte_of(character, encoding)] = character
    return "".join(table)


def space_of(encoding: Encoding) -> bytes:
    """A space."""
    if encoding is Encoding.SHIFT_JIS:
        return b"\x81\x40"
    return b"\x40" if encoding in _EBCDIC else b" "


# --- text -----------------------------------------------------------------------------------------------------------


def _padded(spec: FieldSpec, content: FieldCodec) -> FieldCodec:
    """Text that shares its field with the spaces after it, or before it."""
    write_content, read_content = content
    space = space_of(spec.encoding)
    before, wide = spec.pad is Pad.SPACE_LEFT, len(space)

    def write(value: Value | None) -> bytes:
        raw = write_content(value)
        if (raw[:wide] if before else raw[-wide:]) == space:
            where = "begins with" if before else "ends in"
            raise Problem(f"{where} a space, which could not be told from padding")
        padding = space * ((spec.size - len(raw)) // wide)
        return padding + raw if before else raw + padding

    def read(raw: bytes) -> Value | None:
        start, end = 0, len(raw)
        while before and raw[start : start + wide] == space:
            start += wide
        while not before and end and raw[end - wide : end] == space:
            end -= wide
        if start == end:
            raise Problem("is blank")
        return _shifted(read_content, raw[start:end], start)

    return FieldCodec(write, read)


def _shifted(read: Read, raw: bytes, start: int) -> Value | None:
    """What `read` says of bytes that begin at `start` of their field."""
    try:
        return read(raw)
    except UnicodeDecodeError as error:
        error.start += start
        raise


def _characters(spec: FieldSpec) -> FieldCodec:
    """Text of one byte a character: of exactly `length`, or of `min_length` to `length`, padded or framed."""
    table = alphabet_table(TYPES[spec.type].alphabet, spec.encoding)
    encode, decode, encoding_map = codecs.charmap_encode, codecs.charmap_decode, codecs.charmap_build(table)
    length, least = spec.length, spec.least

    def write(value: Value | None) -> bytes:
        if not isinstance(value, str):
            raise Problem(_wrong_type(value, "text"))
        raw = encode(value, "strict", encoding_map)[0]
        if not least <= len(raw) <= length:
            raise Problem(_wrong_length(len(raw), least, length))
        return raw

    def read(raw: bytes) -> Value | None:
        if len(raw) < least:
            raise Problem(_wrong_length(len(raw), least, length) if raw else "is blank")
        return decode(raw, "strict", table)[0]

    return FieldCodec(write, read)


def _kanji(spec: FieldSpec) -> FieldCodec:
    """Characters of JIS X 0208 in Shift_JIS, two bytes each.

    Python's ``shift_jis``, which has each of them once, so that nothing is lost there and back. ``cp932`` has 398
    twice, and its makers' additions are what a host need not know: ① and 髙 are refused rather than spoilt.
    """
    length, least = spec.length, spec.least

    def write(value: Value | None) -> bytes:
        if not isinstance(value, str):
            raise Problem(_wrong_type(value, "text"))
        if not least <= len(value) <= length:
            raise Problem(_wrong_length(len(value), least, length))
        raw = value.encode("shift_jis")
        if len(raw) != 2 * len(value):
            raise Problem("has a character of one byte, where each takes two")
        return raw

    def read(raw: bytes) -> Value | None:
        value = raw.decode("shift_jis")
        if len(raw) != 2 * len(value):
            raise Problem("has a character of one byte, where each takes two")
        if len(value) < least:
            raise Problem(_wrong_length(len(value), least, length))
        return value

    return FieldCodec(write, read)


def _bcd_text(spec: FieldSpec) -> FieldCodec:
    """Digits, two a byte. An odd one out is led by a zero in a fixed field, followed by an F in a variable one."""
    length = spec.length
    least = spec.least
    before, after = ("", "f") if spec.is_variable else ("0", "")
    leading = before * (length % 2)

    def write(value: Value | None) -> bytes:
        if not isinstance(value, str):
            raise Problem(_wrong_type(value, "text"))
        if not least <= len(value) <= length:
            raise Problem(_wrong_length(len(value), least, length))
        if not (value.isascii() and value.isdigit()):
            raise Problem("is not made of digits only")
        return bytes.fromhex(before + value + after if len(value) % 2 else value)

    def read(raw: bytes) -> Value | None:
        digits = raw.hex().removesuffix(after)
        if not digits.isdigit():
            raise Problem("is not made of digits only")
        if not digits.startswith(leading):
            raise Problem("does not begin with a zero half byte")
        return digits[len(leading) :]

    return FieldCodec(write, read)


def _hex(spec: FieldSpec) -> FieldCodec:
    """Bytes, written in Python as lower-case hexadecimal digits."""
    length = spec.length
    least = spec.least
    digits = re.compile(r"[0-9a-f]*")

    def write(value: Value | None) -> bytes:
        if not isinstance(value, str):
            raise Problem(_wrong_type(value, "text"))
        if digits.fullmatch(value) is None or len(value) % 2:
            raise Problem("is not pairs of lower-case hexadecimal digits")
        if not least <= len(value) // 2 <= length:
            raise Problem(_wrong_length(len(value) // 2, least, length, "bytes"))
        return bytes.fromhex(value)

    return FieldCodec(write, bytes.hex)


# --- dates and times ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=512)
def is_date(digits: str) -> bool:
    """Whether these are YYYYMMDD of a day there is."""
    if re.fullmatch(r"[0-9]{8}", digits) is None:
        return False
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return False
    return True


@lru_cache(maxsize=512)
def is_time(digits: str) -> bool:
    """Whether these are HHMMSS of a day."""
    return re.fullmatch(r"(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]", digits) is not None


def _date(spec: FieldSpec, digits: FieldCodec) -> FieldCodec:
    century = "" if spec.length == 8 else "20"
    write_digits, read_digits = digits

    def write(value: Value | None) -> bytes:
        if not isinstance(value, str):
            raise Problem(_wrong_type(value, "text"))
        if not is_date(value):
            raise Problem("is not a date YYYYMMDD")
        if not value.startswith(century):
            raise Problem("is not a date of this century, the only one this layout can carry")
        return write_digits(value[len(century) :])

    def read(raw: bytes) -> Value | None:
        value = f"{century}{read_digits(raw)}"
        if not is_date(value):
            raise Problem("is not a date")
        return value

    return FieldCodec(write, read)


def _time(digits: FieldCodec) -> FieldCodec:
    write_digits, read_digits = digits

    def write(value: Value | None) -> bytes:
        if not isinstance(value, str):
            raise Problem(_wrong_type(value, "text"))
        if not is_time(value):
            raise Problem("is not a time HHMMSS")
        return write_digits(value)

    def read(raw: bytes) -> Value | None:
        value = str(read_digits(raw))
        if not is_time(value):
            raise Problem("is not a time")
        return value

    return FieldCodec(write, read)


# --- numbers --------------------------------------------------------------------------------------------------------


def _binary_number(spec: FieldSpec) -> FieldCodec:
    length = spec.length
    limit = 256**length

    def write(value: Value | None) -> bytes:
        if type(value) is not int:
            raise Problem(_wrong_type(value, "a whole number"))
        if not 0 <= value < limit:
            raise Problem(_out_of_range(value, f"{length} bytes"))
        return value.to_bytes(length, "big")

    return FieldCodec(write, lambda raw: int.from_bytes(raw, "big"))


def _bcd_number(spec: FieldSpec) -> FieldCodec:
    length = spec.length
    limit = 10**length
    template = f"%0{length + length % 2}d"

    def write(value: Value | None) -> bytes:
        if type(value) is not int:
            raise Problem(_wrong_type(value, "a whole number"))
        if not 0 <= value < limit:
            raise Problem(_out_of_range(value, f"{length} digits"))
        return bytes.fromhex(template % value)

    def read(raw: bytes) -> Value | None:
        digits = raw.hex()
        if not digits.isdigit():
            raise Problem("is not made of digits only")
        value = int(digits)
        if value >= limit:
            raise Problem("does not begin with a zero half byte")
        return value

    return FieldCodec(write, read)


def _digit_number(spec: FieldSpec) -> FieldCodec:
    length = spec.length
    limit = 10**length
    template = b"%%0%dd" % length
    # ASCII digits to those of the encoding and back; every other byte becomes one that is no digit
    to_line = bytes.maketrans(b"0123456789", bytes(byte_of(digit, spec.encoding) for digit in "0123456789"))
    translated = spec.encoding in _EBCDIC
    from_line = b"?" * 0xF0 + b"0123456789" + b"?" * 6

    def write(value: Value | None) -> bytes:
        if type(value) is not int:
            raise Problem(_wrong_type(value, "a whole number"))
        if not 0 <= value < limit:
            raise Problem(_out_of_range(value, f"{length} digits"))
        raw = template % value
        return raw.translate(to_line) if translated else raw

    def read(raw: bytes) -> Value | None:
        if translated:
            raw = raw.translate(from_line)
        if not raw.isdigit():
            raise Problem("is not made of digits only")
        return int(raw)

    return FieldCodec(write, read)


# --- putting a field together ---------------------------------------------------------------------------------------


def _content(spec: FieldSpec) -> FieldCodec:
    """The codec of a present value, padding included, length in front not."""
    content = _any_content(spec)
    return _listed(spec, content) if spec.values_closed else content


def _any_content(spec: FieldSpec) -> FieldCodec:
    value_type = TYPES[spec.type].value_type
    if value_type is int:
        if spec.encoding is Encoding.BINARY:
            return _binary_number(spec)
        return _bcd_number(spec) if spec.encoding is Encoding.BCD else _digit_number(spec)
    if spec.type == "hex":
        return _hex(spec)
    if spec.encoding is Encoding.BCD:
        digits = _bcd_text(spec)
    else:
        digits = _kanji(spec) if spec.type == "kanji" else _characters(spec)
    if spec.pad is not Pad.NONE:
        return _padded(spec, digits)
    if spec.type == "date":
        return _date(spec, digits)
    return _time(digits) if spec.type == "time" else digits


def _listed(spec: FieldSpec, any_value: FieldCodec) -> FieldCodec:
    """As `any_value`, for the values alone that a closed list has."""
    allowed = frozenset(listed.value for listed in spec.values)
    write_any, read_any = any_value

    def check(value: Value | None) -> None:
        if value not in allowed:
            raise Problem("is not one of the values the layout lists")

    def write(value: Value | None) -> bytes:
        raw = write_any(value)
        check(value)
        return raw

    def read(raw: bytes) -> Value | None:
        value = read_any(raw)
        check(value)
        return value

    return FieldCodec(write, read)


def _constant(raw: bytes) -> FieldCodec:
    def write(_: Value | None) -> bytes:
        return raw

    def read(got: bytes) -> None:
        if got != raw:
            raise Problem("is not the constant the layout demands")

    return FieldCodec(write, read)


def blank_of(spec: FieldSpec) -> bytes:
    """What stands in a fixed layout for an absent value."""
    if spec.blank is Blank.ZEROS:
        zero = b"\0" if spec.encoding in (Encoding.BCD, Encoding.BINARY) else bytes([byte_of("0", spec.encoding)])
        return zero * spec.size
    space = space_of(spec.encoding)
    return space * (spec.size // len(space))


def _optional(spec: FieldSpec, present: FieldCodec) -> FieldCodec:
    blank = blank_of(spec)
    write_present, read_present = present

    def write(value: Value | None) -> bytes:
        if value is None:
            return blank
        raw = write_present(value)
        if raw == blank:
            raise Problem(f"{ABSENT} in this layout; leave it out")
        return raw

    def read(raw: bytes) -> Value | None:
        return None if raw == blank else read_present(raw)

    return FieldCodec(write, read)


def _defaulted(default: bytes, present: FieldCodec) -> FieldCodec:
    write_present = present.write
    return FieldCodec(lambda value: default if value is None else write_present(value), present.read)


def compile_positional(spec: FieldSpec) -> FieldCodec:
    """The codec of a field at a fixed place, where an absent value is blank."""
    present = _content(spec)
    if spec.const is not None:
        return _constant(present.write(spec.const))
    if spec.default is not None:
        return _defaulted(present.write(spec.default), present)
    return present if spec.always else _optional(spec, present)


def compile_element(spec: FieldSpec) -> FieldCodec | VariableCodec:
    """The codec of a field of a bitmap layout, where the bitmap says whether it is present."""
    codec = _variable(spec) if spec.is_variable else _content(spec)
    if spec.const is None and spec.default is None:
        return codec
    raw = codec.write(spec.const if spec.const is not None else spec.default)
    simple = _constant(raw) if spec.const is not None else _defaulted(raw, FieldCodec(codec.write, codec.read))
    return VariableCodec(*simple, codec.sizes, codec.counts) if isinstance(codec, VariableCodec) else simple


def variable_codec(field: FieldSpec) -> VariableCodec:
    """The codec of a field that varies in length."""
    codec = compile_element(field)
    if not isinstance(codec, VariableCodec):
        raise AssertionError(f"a field that varies in length has no such codec: {field.name}")  # noqa: TRY004
    return codec


def _variable(spec: FieldSpec) -> VariableCodec:
    content = _content(spec)
    if spec.length_encoding is None:
        raise AssertionError(f"the loader lets no variable field without length_encoding through: {spec.name}")
    counts = range(spec.min_length, spec.length + 1)
    prefixes = {count: _length_in_front(spec, count) for count in counts}
    head = spec.length_size
    sizes = {prefix: head + bytes_for(count, spec.encoding) for count, prefix in prefixes.items()}
    counted = {prefix: count for count, prefix in prefixes.items()}
    write_content, read_content = content
    in_bytes = spec.type == "hex"
    is_bcd = spec.encoding is Encoding.BCD

    def write(value: Value | None) -> bytes:
        raw = write_content(value)
        # a number has no variable length, so the value is text here
        return prefixes[len(raw) if in_bytes else len(str(value))] + raw

    def read(raw: bytes) -> Value | None:
        value = read_content(raw[head:])
        if is_bcd and len(str(value)) != counted[raw[:head]]:
            raise Problem("does not have the length it announces", head)
        return value

    return VariableCodec(write, read, sizes, counted)


def _length_in_front(spec: FieldSpec, count: int) -> bytes:
    digits = f"{count:0{spec.length_kind.digits}d}"
    if spec.length_encoding is Encoding.BINARY:
        return bytes([count])
    if spec.length_encoding is Encoding.BCD:
        return bytes.fromhex(digits.zfill(2 * spec.length_size))
    return bytes(byte_of(digit, spec.length_encoding or Encoding.ASCII) for digit in digits)


# --- texts ----------------------------------------------------------------------------------------------------------


def _wrong_type(value: object, wanted: str) -> str:
    return "is missing" if value is None else f"must be {wanted}, not {type(value).__name__}"


def _wrong_length(got: int, least: int, most: int, unit: str = "characters") -> str:
    wanted = f"{most}" if least == most else f"{least} to {most}"
    return f"has {got} {unit} where {wanted} belong"


def _out_of_range(value: int, room: str) -> str:
    return "is negative" if value < 0 else f"does not fit in {room}"
