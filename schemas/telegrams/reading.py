"""The function that reads one telegram, made of its layout (`schemas.telegrams.generating`)."""

import codecs
from collections.abc import Sequence
from itertools import groupby

import msgspec

from schemas.telegrams.coding import (
    alphabet_table,
    blank_of,
    compile_element,
    compile_positional,
    is_date,
    is_time,
    space_of,
    variable_codec,
)
from schemas.telegrams.conditions import rules_of
from schemas.telegrams.fields import ONE_BYTE, TYPES, Encoding, FieldSpec, Pad
from schemas.telegrams.generating import PLAIN, QuickRead, Source


def quick_read(
    front: Sequence[FieldSpec], rest: Sequence[FieldSpec], *, bitmap: bool, told_apart_by: str | None
) -> QuickRead:
    """The function for a telegram with these fields in header and body."""
    source = Source("read(data)")
    if bitmap:
        reader = _Bitmap(source)
        reader.dismiss(front, rest, told_apart_by)
        reader.run(front, rest)
    else:
        _Fixed(source).run(front, rest)
    for rule in rules_of((*front, *rest)):
        allowed = source.name("allowed", frozenset(rule.condition.values))
        there, holds = f"{rule.field.name!r} in values", f"values[{rule.condition.field!r}] in {allowed}"
        source.unless(
            f"({there}) == ({holds})" if rule.field.required else f"{holds} or {rule.field.name!r} not in values"
        )
    source.add("return values")
    made: QuickRead = source.function("read")
    return made


class _Reader:
    """What both kinds of layout have in common."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def keep(self, field: FieldSpec, expression: str, deep: int) -> None:
        """Put a value that has been checked among the others."""
        if field.values_closed:
            self.source.add(f"x = {expression}", deep=deep)
            listed = self.source.name("listed", frozenset(each.value for each in field.values))
            self.source.unless(f"x in {listed}", deep=deep)
            expression = "x"
        self.source.add(f"values[{field.name!r}] = {expression}", deep=deep)

    def digits(self, field: FieldSpec, deep: int) -> None:
        """A date, a time or a code from its characters ``x``."""
        if field.type == "date":
            if field.length == 6:
                self.source.add("x = '20' + x", deep=deep)
            self.source.unless(f"{self.source.name('is_date', is_date)}(x)", deep=deep)
        elif field.type == "time":
            self.source.unless(f"{self.source.name('is_time', is_time)}(x)", deep=deep)
        self.keep(field, "x", deep)

    def by_table(self, field: FieldSpec, raw: str, deep: int) -> None:
        """Text of bytes, through the table of the type's alphabet."""
        if field.pad is Pad.SPACE_RIGHT:
            self.source.add(f"x = {raw}.rstrip({space_of(field.encoding)!r})", deep=deep)
            self.source.unless(f"len(x) >= {field.min_length}", deep=deep)
            raw = "x"
        table = alphabet_table(TYPES[field.type].alphabet, field.encoding)
        decode = self.source.name("decode", codecs.charmap_decode)
        self.keep(field, f"{decode}({raw}, 'strict', {self.source.name('table', table)})[0]", deep)

    def by_codec(self, field: FieldSpec, raw: str, deep: int) -> None:
        """By the field's own codec, where nothing quicker is known."""
        placed = field.bit is None and not field.is_variable  # a bit says that it is there: zeros are a value then
        codec = compile_positional(field) if placed else compile_element(field)
        self.source.add(f"x = {self.source.name('read', codec.read)}({raw})", deep=deep)
        self.source.add("if x is not None:", deep=deep)
        self.keep(msgspec.structs.replace(field, values_closed=False), "x", deep + 1)


def _is_by_table(field: FieldSpec) -> bool:
    plain = field.encoding in ONE_BYTE and field.pad is not Pad.SPACE_LEFT
    return plain and field.value_type is str and field.type not in ("date", "time")


class _Fixed(_Reader):
    """Every field at its place. Those in ASCII side by side become one text; their digits are looked at together."""

    def run(self, front: Sequence[FieldSpec], rest: Sequence[FieldSpec]) -> None:
        fields = [field for field in (*front, *rest) if not field.is_variable]
        tail = [field for field in rest if field.is_variable]  # the last one, if any
        total = sum(field.size for field in fields)
        self.source.unless(f"len(data) {'>' if tail else '=='} {total}")
        self.source.add("values = {}")
        for field in tail:
            self._tail(field, total)
        at = 0
        for is_ascii, group in groupby(fields, key=_is_ascii):
            together = list(group)
            size = sum(field.size for field in together)
            if is_ascii:
                self.source.add(f"text = data[{at}:{at + size}].decode('ascii')")
                self._ascii(together)
            else:
                self._others(together, at)
            at += size

    def _tail(self, field: FieldSpec, at: int) -> None:
        codec = variable_codec(field)
        self.source.add(f"tail = data[{at}:]")
        self.source.unless(f"{self.source.name('sizes', codec.sizes)}[tail[:{field.length_size}]] == len(tail)")
        self.by_codec(field, "tail", 0)

    def _ascii(self, fields: Sequence[FieldSpec]) -> None:
        at = 0
        for form, group in groupby(fields, key=_form):
            together = list(group)
            size = sum(field.size for field in together)
            if form is not None:
                self.source.unless(f"text[{at}:{at + size}].{form}()")
            for field in together:
                self._ascii_one(field, f"text[{at}:{at + field.size}]", checked=form is not None)
                at += field.size

    def _ascii_one(self, field: FieldSpec, x: str, *, checked: bool) -> None:
        source, deep = self.source, 0
        if field.const is not None:
            constant = compile_positional(field).write(None).decode("ascii")
            source.unless(f"{x} == {constant!r}")
            return
        if not field.always:
            source.add(f"x = {x}")
            source.add(f"if x != {blank_of(field).decode('ascii')!r}:")
            x, deep = "x", 1
        if field.value_type is int:
            if not checked:
                source.unless(f"{x}.isdigit()", deep=deep)
            self.keep(field, f"int({x})", deep)
            return
        if field.pad is Pad.SPACE_RIGHT:
            source.add(f"x = {x}.rstrip(' ')", deep=deep)
            source.unless(f"len(x) >= {field.min_length} and x.{PLAIN[field.type]}()", deep=deep)
            self.keep(field, "x", deep)
            return
        if field.type in PLAIN:
            if not checked:
                source.unless(f"{x}.{PLAIN[field.type]}()", deep=deep)
            self.keep(field, x, deep)
            return
        if x != "x":
            source.add(f"x = {x}", deep=deep)
        self.digits(field, deep)

    def _others(self, fields: Sequence[FieldSpec], at: int) -> None:
        for field in fields:
            raw = f"data[{at}:{at + field.size}]"
            at += field.size
            if field.const is not None or not _is_by_table(field):
                self.by_codec(field, raw, 0)
            elif field.always:
                self.by_table(field, raw, 0)
            else:
                self.source.add(f"x = {raw}")
                self.source.add(f"if x != {blank_of(field)!r}:")
                self.by_table(field, "x", 1)


def _is_ascii(field: FieldSpec) -> bool:
    return (
        field.encoding is Encoding.ASCII
        and field.pad is not Pad.SPACE_LEFT
        and (field.value_type is int or field.type in (*PLAIN, "date", "time") or field.const is not None)
    )


def _form(field: FieldSpec) -> str | None:
    """What the characters of a field that is always there and never padded must be, to be looked at together."""
    if field.const is not None or not field.always or field.pad is Pad.SPACE_RIGHT:
        return None
    return PLAIN.get(field.type, "isdigit")


class _Bitmap(_Reader):
    """A header, the bitmap, and the fields whose bits are set.

    ``h`` is all of it in hexadecimal digits, ``p`` the place in them where the next field begins.
    """

    def run(self, front: Sequence[FieldSpec], rest: Sequence[FieldSpec]) -> None:
        source = self.source
        start = sum(field.size for field in front)
        known = sum(_mask(field) for field in rest) | 1 << 127
        needed = sum(_mask(field) for field in rest if field.always)
        source.add(f"if data[{start}] & 0x80:")
        source.add(f"p = {2 * (start + 16)}", deep=1)
        source.add(f"bits = int.from_bytes(data[{start}:{start + 16}], 'big')", deep=1)
        source.add("else:")
        source.add(f"p = {2 * (start + 8)}", deep=1)
        source.add(f"bits = int.from_bytes(data[{start}:{start + 8}], 'big') << 64", deep=1)
        source.unless(f"bits & {needed:#x} == {needed:#x} and not bits & {~known & (1 << 128) - 1:#x}")
        source.add("h = data.hex()")
        source.add("values = {}")
        self._front(front)
        for field in rest:
            self._element(field)
        source.unless("p == len(h)")

    def dismiss(self, front: Sequence[FieldSpec], rest: Sequence[FieldSpec], told_apart_by: str | None) -> None:
        """Give up at once where the constant is not about where it must be: another telegram of the same type code."""
        least = most = sum(field.size for field in front) + 8
        if any((field.bit or 0) > 64 and field.always for field in rest):
            least += 8
        most += 8
        for field in rest:
            if field.name == told_apart_by and field.const is not None:
                raw = _element_raw(field)
                self.source.unless(f"data.find({raw!r}, {least}, {most + len(raw)}) >= 0")
                return
            shortest = min(variable_codec(field).sizes.values()) if field.is_variable else field.size
            least, most = least + (shortest if field.always else 0), most + field.size

    def _front(self, fields: Sequence[FieldSpec]) -> None:
        at = 0
        for constant, group in groupby(fields, key=lambda field: field.const is not None):
            together = list(group)
            size = sum(field.size for field in together)
            if constant:
                raw = b"".join(compile_positional(field).write(None) for field in together)
                self.source.unless(f"data[{at}:{at + size}] == {raw!r}")
            else:
                for field in together:
                    self.by_codec(field, f"data[{at}:{at + field.size}]", 0)
                    at += field.size
                continue
            at += size

    def _element(self, field: FieldSpec) -> None:
        deep = 0
        if not field.always:
            self.source.add(f"if bits & {_mask(field):#x}:")
            deep = 1
        if field.is_variable:
            self._variable(field, deep)
            return
        source = self.source
        source.add(f"q = p + {2 * field.size}", deep=deep)
        if field.const is not None:
            source.unless(f"h[p:q] == {_element_raw(field).hex()!r}", deep=deep)
        elif field.encoding is Encoding.BCD:
            self._packed(field, deep)
        elif _is_by_table(field):
            self.by_table(field, "data[p >> 1:q >> 1]", deep)
        else:
            self.by_codec(field, "data[p >> 1:q >> 1]", deep)
        source.add("p = q", deep=deep)

    def _packed(self, field: FieldSpec, deep: int) -> None:
        source, odd = self.source, field.length % 2
        if field.value_type is int:
            source.add("x = int(h[p:q])", deep=deep)
            if odd:
                source.unless(f"x < {10**field.length}", deep=deep)
            self.keep(field, "x", deep)
            return
        source.add(f"x = h[p{' + 1' if odd else ''}:q]", deep=deep)
        if field.type not in ("date", "time"):
            source.unless("x.isdigit()" + (" and h[p] == '0'" if odd else ""), deep=deep)
        self.digits(field, deep)

    def _variable(self, field: FieldSpec, deep: int) -> None:
        source, codec = self.source, variable_codec(field)
        head = 2 * field.length_size
        if field.const is None and field.encoding is Encoding.BCD:
            counts = {front.hex(): count for front, count in codec.counts.items()}
            source.add(f"n = {source.name('counts', counts)}[h[p:p + {head}]]", deep=deep)
            source.add(f"p += {head}", deep=deep)
            source.add("x = h[p:p + n]", deep=deep)
            source.add("p += n", deep=deep)
            source.unless("x.isdigit()", deep=deep)
            source.add("if n & 1:", deep=deep)
            source.unless("h[p] == 'f'", deep=deep + 1)
            source.add("p += 1", deep=deep + 1)
            self.keep(field, "x", deep)
            return
        sizes = {front.hex(): 2 * size for front, size in codec.sizes.items()}
        source.add(f"q = p + {source.name('sizes', sizes)}[h[p:p + {head}]]", deep=deep)
        if field.const is None and _is_by_table(field):
            self.by_table(field, f"data[(p >> 1) + {field.length_size}:q >> 1]", deep)
        else:
            self.by_codec(field, "data[p >> 1:q >> 1]", deep)
        source.add("p = q", deep=deep)


def _element_raw(field: FieldSpec) -> bytes:
    return compile_element(field).write(None)


def _mask(field: FieldSpec) -> int:
    return 1 << (128 - (field.bit or 0))
