"""What people may see of anything that was found: one kind of line for telegrams, for those that fail, and for bytes.

Whoever may see card data sees the card number and its expiry date. Sensitive authentication data (track 2, security
code, PIN block) is shown to nobody: it must not be there after the authorisation (PCI DSS 3.3.1), and nothing that is
looked into at a desk needs it. Nor are bytes that no layout explains, for they may hold it.
"""

from collections.abc import Sequence

import msgspec

from images.annotated import Meaning, Row, annotate
from images.finding import Found
from images.hiding import NARROW, Level, holds_card_number
from images.showing import Stretch, shown, stretch
from images.trial import Tried
from schemas.telegrams import Message, PartnerSpec, Sensitivity, Value

REVEALED = frozenset({"pan", "expiry"})
"""Fields that whoever may see card data sees; other sensitive fields stay hidden."""

_CODES = frozenset({"digits", "number", "amount", "date", "time"})  # types that a layout says to be no text
_DIGITS = frozenset("0123456789") | {chr(wide) for wide in NARROW}


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A field, the bitmap, or bytes without a field, as people may see them; `trouble` is what is wrong with it."""

    offset: int
    name: str  # empty: bytes without a field
    japanese: str
    english: str
    cells: tuple[int | None, ...]  # None for each byte that is hidden
    characters: tuple[str, ...]
    value: Value | None = None
    meaning: Meaning | None = None
    trouble: str | None = None
    trouble_at: int = 0
    assumption: bool = False

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.cells)

    @property
    def hidden(self) -> bool:
        """Whether any of it is hidden."""
        return None in self.cells


def tell(found: Found, *, reveal: bool = False) -> list[Told]:
    """Every byte of what was found, in order, by field as far as there are fields."""
    if found.message is not None and found.partner is not None:
        masked = annotate(found.partner, found.data).rows
        if not reveal:
            return [_of_row(row) for row in masked]
        clear = annotate(found.partner, found.data, reveal=True).rows
        pairs = zip(masked, clear, strict=True)
        return [
            _of_row(clear, guarded=False) if may_be_revealed(hidden) else _of_row(hidden) for hidden, clear in pairs
        ]
    if not found.trials:
        return [_of_stretch(stretch(found.data, 0, len(found.data), Level.SHAPE), None)]
    best = found.trials[0]
    return [
        _of_stretch(each.row, each.tried) if isinstance(each.row, Stretch) else _of_row(each.row)
        for each in shown(best, found.data)
    ]


def may_be_revealed(row: Row) -> bool:
    """Whether somebody who may see card data sees this field whole."""
    return row.field is not None and (row.field.sensitivity is Sensitivity.NONE or row.name in REVEALED)


def visible(partner: PartnerSpec, message: Message) -> dict[str, Value]:
    """A telegram's values as everybody may see them, texts that hold a card number included."""
    found = partner.masked(message.values)
    for field in partner.telegrams[message.role].fields:
        value = found.get(field.name)
        if isinstance(value, str) and field.type not in _CODES and holds_card_number(value):
            found[field.name] = _without_digits(value)
    return found


def revealed_fields(found: Sequence[Found]) -> list[str]:
    """The names of the fields that are shown to whoever may see card data, for the audit."""
    names = [
        masked.name
        for each in found
        for one in (each, *each.carried)
        for masked, clear in zip(tell(one), tell(one, reveal=True), strict=True)
        if masked.cells != clear.cells
    ]
    return sorted(set(names))


def _of_row(row: Row, *, guarded: bool = True) -> Told:
    told = Told(
        offset=row.offset, name=row.name, japanese=row.japanese, english=row.english, cells=row.cells,
        characters=row.characters, value=row.value, meaning=row.meaning,
        assumption=row.field is not None and row.field.assumption,
    )  # fmt: skip
    text = row.field is not None and row.field.sensitivity is Sensitivity.NONE and row.field.type not in _CODES
    return _without_card_number(told) if guarded and text else told


def _of_stretch(found: Stretch, tried: Tried | None) -> Told:
    field = None if tried is None else tried.field
    if tried is None:
        name, japanese, english = "", "項目なし", "no field"
    elif field is None:
        name, japanese, english = "bitmap", "ビットマップ", "Bitmap"
    else:
        name, japanese, english = field.name, field.japanese, field.english
    return Told(
        offset=found.offset, name=name, japanese=japanese, english=english, cells=found.cells,
        characters=found.characters, trouble=None if tried is None else tried.trouble,
        trouble_at=0 if tried is None else tried.trouble_at, assumption=field is not None and field.assumption,
    )  # fmt: skip


def _without_card_number(told: Told) -> Told:
    """The line without the card number that somebody wrote into a text, say into a reference."""
    text = "".join(told.characters)
    if not isinstance(told.value, str) or not holds_card_number(text):
        return told
    cells: list[int | None] = []
    for cell, character in zip(told.cells, told.characters, strict=True):
        second = character == "" and bool(cells) and cells[-1] is None  # of a character of two bytes
        cells.append(None if character in _DIGITS or second else cell)
    characters = tuple(map(_without_digits, told.characters))
    return msgspec.structs.replace(told, cells=tuple(cells), characters=characters, value=_without_digits(told.value))


def _without_digits(text: str) -> str:
    return "".join("*" if each in _DIGITS else each for each in text)
