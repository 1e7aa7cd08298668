"""What people may see of bytes that do not decode.

Where one field is all that is wrong, the others are shown as in any telegram. So are those behind missing bytes, or
behind some that are too many, once they fit to the last byte. Else nobody knows whether the bytes stand where they
should: from the first fault on they are hidden by `images.hiding`. Before it only short fields are shown, of card data
nothing, and none whose digits go on into the fault, for they may be those of a card number that has moved.
"""

import msgspec

from images.annotated import Row, row_of
from images.hiding import RUNS, SHORTEST, Level, character_of, hidden_in
from images.trial import Trial, Tried
from schemas.telegrams import FieldSpec, Sensitivity
from schemas.telegrams.fields import Encoding
from schemas.telegrams.plans import Part

_ALWAYS_SHOWN = 6  # digits, PCI DSS 3.4


class Stretch(msgspec.Struct, frozen=True):
    """Bytes without a field, or of a field that is wrong, as people may see them: None for each that is hidden."""

    offset: int
    cells: tuple[int | None, ...]
    characters: tuple[str, ...]


def level_of(trial: Trial | None) -> Level:
    """How much to hide of bytes that this layout does not explain; None: no layout is known to be theirs."""
    if trial is None or not trial.typed:
        return Level.SHAPE
    harmless = all(field.sensitivity is Sensitivity.NONE for field in trial.telegram.fields)
    return Level.NUMBERS if harmless else Level.SHAPE


def stretch(data: bytes, start: int, end: int, level: Level) -> Stretch:
    """Bytes of a telegram from `start` to `end`; runs of digits are seen beyond both."""
    hidden = hidden_in(data, level)[start:end]
    pairs = list(zip(data[start:end], hidden, strict=True))
    cells = tuple(None if hide else byte for byte, hide in pairs)
    return Stretch(start, cells, tuple(character_of(byte, hidden=hide) for byte, hide in pairs))


class Shown(msgspec.Struct, frozen=True):
    """A field as it was tried, None for bytes that belong to none, and what people may see of it."""

    tried: Tried | None
    row: Row | Stretch


def shown(trial: Trial, data: bytes) -> list[Shown]:
    """Every byte once, in order."""
    only, shift = trial.only_trouble, trial.shift
    if only is not None or not (trial.troubles or trial.unmet):
        rows = [_sure(trial, number, each) for number, each in enumerate(trial.tried, 1)]
    elif shift is None:
        rows = _unsure(trial, data)
    else:
        rows = [each for each in _unsure(trial, data) if _end(each) <= min(shift.offset, trial.troubles[0].offset)]
        level = level_of(trial)
        begin = _end(rows[-1]) if rows else 0
        if begin < shift.offset:
            rows.append(Shown(None, stretch(data, begin, shift.offset, level)))
        return rows + [_sure(trial, number, each) for number, each in enumerate(shift.fitting, len(rows) + 1)]
    if trial.rest < len(data):
        rows.append(Shown(None, stretch(data, trial.rest, len(data), level_of(trial))))
    return rows


def _end(each: Shown) -> int:
    return each.row.offset + len(each.row.cells)


def _sure(trial: Trial, number: int, each: Tried) -> Shown:
    """A field that stands where it should."""
    return Shown(each, _own(each, sure=True) if each.trouble is not None else _plain(trial, number, each))


def _plain(trial: Trial, number: int, each: Tried) -> Row:
    """A field as in any telegram."""
    part = Part(each.field, each.offset, each.raw)
    values = {} if each.field is None or each.value is None else {each.field.name: each.value}
    return row_of(trial.partner, trial.telegram, number, part, values, reveal=False)


def _unsure(trial: Trial, data: bytes) -> list[Shown]:
    """The tried fields, of which nobody knows whether they stand where they should."""
    level = level_of(trial)
    fault = trial.troubles[0].offset if trial.troubles else trial.rest
    doubtful = _run_into(data, fault) if level is Level.SHAPE else fault
    rows: list[Shown] = []
    for number, each in enumerate(trial.tried, 1):
        end = each.offset + len(each.raw)
        harmless = each.field is None or each.field.sensitivity is Sensitivity.NONE
        if each.offset == fault and each.trouble is not None and _is_short(each.field):
            row: Row | Stretch = _own(each, sure=False)
        elif each.trouble is not None or each.offset >= fault:
            row = stretch(data, each.offset, end, level)
        elif not harmless or (level is Level.SHAPE and _may_be_moved(each.field)):
            row = _own(each, sure=False)
        elif end > doubtful and each.field is not None:
            row = stretch(data, each.offset, end, level)
        else:
            row = _plain(trial, number, each)
        rows.append(Shown(each, row))
    return rows


def _is_short(field: FieldSpec | None) -> bool:
    """Whether a field that is to hold no card data has no more digits than may be seen of any number."""
    if field is None or field.sensitivity is not Sensitivity.NONE:
        return False
    return digits_of(field) <= _ALWAYS_SHOWN


def _may_be_moved(field: FieldSpec | None) -> bool:
    """Whether a field that fits, and is to hold no card data, has room for more of a card number than may be seen."""
    if field is None or field.const is not None or field.sensitivity is not Sensitivity.NONE:
        return False
    return not _is_short(field)


def _run_into(data: bytes, at: int) -> int:
    """Where a card number would begin whose last digit stands before byte `at`, or at it, by the digits before it."""
    begin = at
    for alphabet, most in RUNS:
        start = at
        while start > 0 and at - start < most and data[start - 1] in alphabet:
            start -= 1
        begin = min(begin, start)
    return begin


def _own(tried: Tried, *, sure: bool) -> Stretch:
    """A field that is wrong, by itself: all hidden where it is to hold card data, else what could be a card number.

    `sure`: it stands where it should, so that it is not part of a number that goes on beside it.
    """
    count = len(tried.raw)
    if tried.field is None or tried.field.sensitivity is not Sensitivity.NONE:
        return Stretch(tried.offset, (None,) * count, ("#",) * count)
    if sure and digits_of(tried.field) < SHORTEST:
        return Stretch(tried.offset, tuple(tried.raw), tuple(character_of(byte, hidden=False) for byte in tried.raw))
    return msgspec.structs.replace(stretch(tried.raw, 0, count, Level.NUMBERS), offset=tried.offset)


def digits_of(field: FieldSpec) -> int:
    """The digits that a field's bytes can hold."""
    return field.size * (2 if field.encoding in (Encoding.BCD, Encoding.BINARY) else 1)
