"""The function that writes one telegram, made of its layout (`schemas.telegrams.generating`)."""

import codecs
from collections.abc import Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

import msgspec

from schemas.telegrams.coding import (
    blank_of,
    compile_element,
    compile_positional,
    is_date,
    is_time,
    space_of,
    variable_codec,
)
from schemas.telegrams.conditions import Rule, rules_of
from schemas.telegrams.fields import TYPES, Encoding, FieldSpec, Pad
from schemas.telegrams.generating import PLAIN, QuickFit, QuickWrite, Source, Values, nothing_quick
from schemas.telegrams.spec import Telegram
from schemas.telegrams.vocabulary import Value

_TABLED = (Encoding.ASCII, Encoding.EBCDIC, Encoding.JIS_X0201)  # EBCDIC with katakana is left to the strict codec
_UNQUOTED = frozenset(map(chr, range(0x20, 0x7F))) - set("%\\'")  # stand in a format as they are


class _Kind(StrEnum):
    """What a piece is; those of one kind side by side are made in one go."""

    HEX = "hex"  # a format and what stands in it, of hexadecimal digits
    ASCII = "ascii"  # the same, of characters that are turned into ASCII, if they can be
    BYTES = "bytes"  # an expression
    FIXED = "fixed"  # a literal of bytes, which can stand in the others


class _Piece(NamedTuple):
    """A stretch of the telegram, as Python says it."""

    kind: _Kind
    text: str
    arguments: tuple[str, ...] = ()  # of a format
    raw: bytes = b""  # of a fixed one


class _Form(NamedTuple):
    """How a present value ``x`` is written: what must hold of it, and its pieces."""

    condition: str
    pieces: list[_Piece]


def quick_write(front: Sequence[FieldSpec], rest: Sequence[FieldSpec], *, bitmap: bool) -> QuickWrite:
    """The function for a telegram with these fields in header and body."""
    source = Source("write(values)")
    source.add("get = values.get")
    always = [field for field in (*front, *rest) if field.const is None and field.always and field.default is None]
    source.add(f"count = {len(always)}")
    writer = _Writer(source)
    pieces: list[_Piece] = []
    for field in front:
        pieces += writer.positional(field)
    if bitmap:
        needed = sum(_mask(field) for field in rest if field.always)
        source.add(f"bits = {needed:#x}")
        pieces.append(_Piece(_Kind.BYTES, f"{source.name('bitmap', bitmap_bytes)}(bits)"))
    for field in rest:
        pieces += writer.element(field) if bitmap else writer.positional(field)
    for rule in rules_of((*front, *rest)):
        writer.condition(rule)
    source.unless("count == len(values)")
    source.add(f"return {_joined(source, pieces)}")
    made: QuickWrite = source.function("write")
    return made


def quick_fit(telegram: Telegram, asked: Mapping[str, str], others: Values) -> QuickFit:
    """The function that writes fields of a telegram alone, the others holding `others`: to see that they fit.

    `asked`: the fields, and the attribute of what the function is given in which each has its value, or None.
    """
    if telegram.groups:
        return nothing_quick
    fields = [field for field in telegram.fields if field.name in asked]
    source = Source("fit(asked)")
    writer = _Asked(source, asked)
    writer.know({field.name: others.get(field.name) for field in telegram.fields if field not in fields})
    pieces = [piece for field in fields for piece in (writer.element if field.bit else writer.positional)(field)]
    for rule in telegram.rules:
        if rule.field.name in asked or rule.condition.field in asked:
            writer.condition(rule)
    source.add(f"return {_joined(source, pieces)}")
    made: QuickFit = source.function("fit")
    return made


@lru_cache(maxsize=1024)
def bitmap_bytes(bits: int) -> bytes:
    """A bitmap of which bit n of 128 is set where ``1 << (128 - n)`` is; the second half only where it is needed."""
    if bits & ((1 << 64) - 1):
        return (bits | 1 << 127).to_bytes(16, "big")  # bit 1: a second bitmap follows
    return (bits >> 64).to_bytes(8, "big")


def _mask(field: FieldSpec) -> int:
    return 1 << (128 - (field.bit or 0))


class _Writer:
    """Adds the steps of each field to a function, and gives its pieces."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._variables: dict[str, str] = {}  # by field

    def know(self, values: Mapping[str, Value | None]) -> None:
        """Of these fields no steps are added: conditions take them to have these values."""
        self._variables |= {name: repr(value) for name, value in values.items()}

    def positional(self, field: FieldSpec) -> list[_Piece]:
        """The steps of a field at a fixed place."""
        if field.const is not None:
            return [_fixed(compile_positional(field).write(None))]
        if field.default is not None:
            return self._optional(field, compile_positional(field).write(None), same=True)
        if field.always:
            return self._required(field)
        return self._optional(field, blank_of(field))

    def element(self, field: FieldSpec) -> list[_Piece]:
        """The steps of a field of a bitmap layout."""
        if field.const is not None:
            return [_fixed(compile_element(field).write(None))]
        if field.default is not None:
            return self._optional(field, compile_element(field).write(None), same=True)
        return self._required(field) if field.always else self._optional(field, None, _mask(field))

    def condition(self, rule: Rule) -> None:
        """The step that sees to a field's condition, after all fields."""
        x, y = self._variables[rule.field.name], self._variables[rule.condition.field]
        if rule.default is not None:
            y = f"({rule.default!r} if {y} is None else {y})"
        allowed = self._source.name("allowed", frozenset(rule.condition.values))
        if rule.field.required:
            self._source.unless(f"({x} is not None) == ({y} in {allowed})")
        else:
            self._source.unless(f"{x} is None or {y} in {allowed}")

    def _variable(self, field: FieldSpec) -> str:
        name = self._variables[field.name] = f"x{len(self._variables) + 1}"
        return name

    def _required(self, field: FieldSpec) -> list[_Piece]:
        x = self._variable(field)
        form = self._form(field, x)
        self._source.add(f"{x} = {self._required_value(field)}")
        self._source.unless(form.condition)
        return form.pieces

    def _optional(self, field: FieldSpec, absent: bytes | None, mask: int = 0, *, same: bool = False) -> list[_Piece]:
        """`absent`: what stands there without a value (None: nothing); `mask`: the bit that is set with one.

        `same`: what stands there without a value may stand for one, too: it is a default.
        """
        source, x = self._source, self._variable(field)
        form = self._form(field, x)
        runs = _runs(form.pieces)
        if absent is not None and (len(runs) > 1 or _in_kind(_fixed(absent), runs[0].kind) is None):
            runs = [_Piece(_Kind.BYTES, _joined(source, runs))]
        parts = [f"{x}_{number}" for number in range(len(runs))]
        nothing = [_expression(_in_kind(_fixed(absent or b""), run.kind) or _fixed(b"")) for run in runs]
        source.add(f"{x} = {self._optional_value(field)}")
        source.add(f"if {x} is None:")
        for part, blank in zip(parts, nothing, strict=True):
            source.add(f"{part} = {blank}", deep=1)
        source.add("else:")
        source.unless(form.condition, deep=1)
        for part, run in zip(parts, runs, strict=True):
            source.add(f"{part} = {_expression(run)}", deep=1)
        if absent is not None and not same and _may_be(field, absent):
            source.unless(f"{parts[0]} != {nothing[0]}", deep=1)
        self._given(mask)
        return [
            _Piece(run.kind, part) if run.kind is _Kind.BYTES else _Piece(run.kind, "%s", (part,))
            for part, run in zip(parts, runs, strict=True)
        ]

    def _required_value(self, field: FieldSpec) -> str:
        return f"values[{field.name!r}]"

    def _optional_value(self, field: FieldSpec) -> str:
        return f"get({field.name!r})"

    def _given(self, mask: int) -> None:
        """The steps where an optional field has a value."""
        self._source.add("count += 1", deep=1)
        if mask:
            self._source.add(f"bits |= {mask:#x}", deep=1)

    # --- forms ------------------------------------------------------------------------------------------------------

    def _form(self, field: FieldSpec, x: str) -> _Form:
        """How a present value is written; by the field's own codec where nothing quicker is known."""
        form = self._number(field, x) if field.value_type is int else self._text(field, x)
        if form is None:
            codec = compile_element(field) if field.is_variable else compile_positional(_present(field))
            write = self._source.name("write", codec.write)
            kind = "int" if field.value_type is int else "str"
            form = _Form(f"type({x}) is {kind}", [_Piece(_Kind.BYTES, f"{write}({x})")])
        if field.values_closed:
            listed = self._source.name("listed", frozenset(each.value for each in field.values))
            form = _Form(f"{form.condition} and {x} in {listed}", form.pieces)
        return form

    def _number(self, field: FieldSpec, x: str) -> _Form | None:
        binary = field.encoding is Encoding.BINARY
        limit = 256**field.length if binary else 10**field.length
        condition = f"type({x}) is int and 0 <= {x} < {limit}"
        if binary:
            return _Form(condition, [_Piece(_Kind.BYTES, f"{x}.to_bytes({field.length}, 'big')")])
        if field.encoding is Encoding.BCD:
            return _Form(condition, [_Piece(_Kind.HEX, f"%0{field.length + field.length % 2}d", (x,))])
        if field.encoding in (Encoding.ASCII, Encoding.JIS_X0201):
            return _Form(condition, [_Piece(_Kind.ASCII, f"%0{field.length}d", (x,))])
        return None

    def _text(self, field: FieldSpec, x: str) -> _Form | None:
        if field.pad is Pad.SPACE_LEFT:
            return None
        if field.type == "date":
            check = f"{self._source.name('is_date', is_date)}({x})"
            check, shown = (check, x) if field.length == 8 else (f"{x}[:2] == '20' and {check}", f"{x}[2:]")
        elif field.type == "time":
            check, shown = f"{self._source.name('is_time', is_time)}({x})", x
        elif field.type in PLAIN:
            check, shown = f"{_length(field, x)} and {x}.{PLAIN[field.type]}()", x
        else:
            return self._by_table(field, x)
        check = f"type({x}) is str and {check}"
        if field.encoding is Encoding.BCD:
            return self._bcd(field, x, check, shown)
        if field.encoding in (Encoding.ASCII, Encoding.JIS_X0201) and not field.is_variable:
            wide = f"%-{field.length}s" if field.pad is Pad.SPACE_RIGHT else "%s"
            return _Form(check, [_Piece(_Kind.ASCII, wide, (shown,))])
        return self._by_table(field, x) if field.type in PLAIN else None

    def _bcd(self, field: FieldSpec, x: str, check: str, shown: str) -> _Form | None:
        if not field.is_variable:
            return _Form(check, [_Piece(_Kind.HEX, "0%s" if field.length % 2 else "%s", (shown,))])
        ends = self._source.name("ends", ("", "f"))
        return _Form(check, [self._front(field, x), _Piece(_Kind.HEX, "%s%s", (x, f"{ends}[len({x}) & 1]"))])

    def _by_table(self, field: FieldSpec, x: str) -> _Form | None:
        """Text in an encoding of one byte a character: characters to bytes, which must be of the type's alphabet."""
        if field.encoding not in _TABLED or field.type in ("date", "time"):
            return None
        kana = field.type == "kana"
        encode = self._source.name("encode", codecs.getencoder("shift_jis" if kana else "ascii"))
        allowed = TYPES[field.type].alphabet.encode("shift_jis" if kana else "ascii")
        check = f"type({x}) is str and {_length(field, x)}"
        if kana:  # in Shift_JIS one byte stands for it and for ¥
            check += f" and {chr(92)!r} not in {x}"
        if field.pad is Pad.SPACE_RIGHT:
            check += f" and {x}[-1] != ' '"
        check += f" and not (r{x} := {encode}({x})[0]).translate(None, {self._source.name('allowed', allowed)})"
        text = f"r{x}"
        if field.encoding is Encoding.EBCDIC:
            text += f".translate({self._source.name('ebcdic', _TO_EBCDIC)})"
        if field.pad is Pad.SPACE_RIGHT:
            text += f".ljust({field.length}, {space_of(field.encoding)!r})"
        written = _Piece(_Kind.BYTES, text)
        return _Form(check, [self._front(field, x), written] if field.is_variable else [written])

    def _front(self, field: FieldSpec, x: str) -> _Piece:
        """The length in front of a field that varies in length."""
        fronts = {count: raw for raw, count in variable_codec(field).counts.items()}
        if field.length_encoding in (Encoding.BCD, Encoding.BINARY):
            known = self._source.name("front", {count: raw.hex() for count, raw in fronts.items()})
            return _Piece(_Kind.HEX, "%s", (f"{known}[len({x})]",))
        return _Piece(_Kind.BYTES, f"{self._source.name('front', fronts)}[len({x})]")


class _Asked(_Writer):
    """Of values that are attributes of what is asked for, None where there is none."""

    def __init__(self, source: Source, attributes: Mapping[str, str]) -> None:
        super().__init__(source)
        self._attributes = attributes

    def _required_value(self, field: FieldSpec) -> str:
        return f"asked.{self._attributes[field.name]}"

    _optional_value = _required_value

    def _given(self, mask: int) -> None:
        pass


_TO_EBCDIC = bytes(range(128)).decode("ascii").encode("cp037").ljust(256, b"\0")  # of ASCII only


def _present(field: FieldSpec) -> FieldSpec:
    """The field as it is written when there is a value."""
    return msgspec.structs.replace(field, required=True, default=None, when=None)


def _length(field: FieldSpec, x: str) -> str:
    padded = field.pad is Pad.SPACE_RIGHT
    if padded or field.is_variable:
        return f"{field.min_length} <= len({x}) <= {field.length}"
    return f"len({x}) == {field.length}"


def _may_be(field: FieldSpec, blank: bytes) -> bool:
    """Whether a value might be written as what stands for an absent one."""
    never = field.encoding is Encoding.ASCII and blank.isspace() and (field.value_type is int or field.type in PLAIN)
    return not never


# --- pieces into bytes ----------------------------------------------------------------------------------------------


def _fixed(raw: bytes) -> _Piece:
    return _Piece(_Kind.FIXED, repr(raw), raw=raw)


def _in_kind(piece: _Piece, kind: _Kind) -> _Piece | None:
    """A piece among those of that kind, or None where it cannot stand there."""
    if piece.kind is kind:
        return piece
    if piece.kind is not _Kind.FIXED:
        return None
    if kind is _Kind.HEX:
        return _Piece(kind, piece.raw.hex())
    if kind is _Kind.ASCII:
        text = piece.raw.decode("latin-1")
        return _Piece(kind, text) if set(text) <= _UNQUOTED else None
    return _Piece(kind, piece.text)


def _expression(piece: _Piece) -> str:
    """The expression of a piece: text where it stands in a format, else bytes."""
    if piece.kind in (_Kind.BYTES, _Kind.FIXED):
        return piece.text
    if piece.text == "%s":
        return piece.arguments[0]
    return f"'{piece.text}'" + (f" % ({', '.join(piece.arguments)},)" if piece.arguments else "")


def _runs(pieces: Sequence[_Piece]) -> list[_Piece]:
    """The pieces, those of one kind side by side made one."""
    runs: list[_Piece] = []
    for piece in pieces:
        last = runs[-1] if runs else None
        kinds = {each.kind for each in (last, piece) if each is not None} - {_Kind.FIXED}
        kind = min(kinds, default=_Kind.FIXED)
        if last is None or len(kinds) > 1 or kind is _Kind.BYTES:
            runs.append(piece)
        elif kind is _Kind.FIXED:
            runs[-1] = _fixed(last.raw + piece.raw)
        else:
            one, other = _in_kind(last, kind), _in_kind(piece, kind)
            if one is None or other is None:
                runs.append(piece)
            else:
                runs[-1] = _Piece(kind, one.text + other.text, (*one.arguments, *other.arguments))
    return runs


def _joined(source: Source, pieces: Sequence[_Piece]) -> str:
    """The expression of all pieces' bytes."""
    shown: list[str] = []
    for run in _runs(pieces):
        if run.kind is _Kind.HEX:
            shown.append(f"{source.name('fromhex', bytes.fromhex)}({_expression(run)})")
        elif run.kind is _Kind.ASCII:
            shown.append(f"({_expression(run)}).encode('ascii')")
        else:
            shown.append(_expression(run))
    return shown[0] if len(shown) == 1 else f"b''.join(({', '.join(shown)}))"
