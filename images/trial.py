"""How far bytes are a telegram of a layout: for those that do not decode, field by field, and which layout is nearest.

A trial never stops at a field that is wrong as long as it knows where the next one begins. What of it people may see is
told in `images.showing`.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import msgspec

from schemas.telegrams import FieldSpec, PartnerSpec, Role, Telegram, Value
from schemas.telegrams.conditions import Rule, broken, rules_of
from schemas.telegrams.plans import BitmapPlan, FieldFault, FieldReader, bit_of, bitmap_of, bits_of

_SHIFTS = [each for distance in range(1, 9) for each in (-distance, distance)]
_TYPE_CODE_WEIGHT = 0.1  # beside the part of the bytes that fits
_NEAR = 0.5


class Tried(msgspec.Struct, frozen=True):
    """One field's bytes, and what is wrong with them, at which byte of the telegram. `cut`: the bytes end inside it."""

    field: FieldSpec | None  # None: the bitmap
    offset: int
    raw: bytes
    value: Value | None = None
    trouble: str | None = None
    trouble_at: int = 0
    cut: bool = False


class Shift(msgspec.Struct, frozen=True):
    """From `offset` on every field fits, were there `missing` bytes more (less, where negative) before it."""

    offset: int
    missing: int
    fitting: tuple[Tried, ...]  # those fields, where they stand


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes held against one layout. `rest` begins where no field could be placed any more."""

    partner: PartnerSpec
    telegram: Telegram
    tried: tuple[Tried, ...]
    rest: int
    size: int
    unmet: tuple[FieldSpec, ...]  # fields that could not be placed any more, or that the bytes do not reach
    shift: Shift | None = None

    @property
    def troubles(self) -> list[Tried]:
        """The fields that are wrong, in order."""
        return [each for each in self.tried if each.trouble is not None]

    @property
    def values(self) -> dict[str, Value]:
        """What the fields say that fit; the card's among them, so nothing to show."""
        found = (each for each in self.tried if each.field is not None and each.value is not None)
        return {each.field.name: each.value for each in found if each.field is not None and each.value is not None}

    @property
    def fitting(self) -> int:
        """How many fields fit."""
        return len(self.tried) - len(self.troubles)

    @property
    def whole(self) -> bool:
        """Whether the bytes end where the layout ends."""
        return self.rest == self.size and not self.unmet

    @property
    def only_trouble(self) -> Tried | None:
        """The field that is all there is wrong: the bytes would be a valid telegram but for it."""
        troubles = self.troubles
        return troubles[0] if len(troubles) == 1 and self.whole and troubles[0].field is not None else None

    @property
    def typed(self) -> bool:
        """Whether the type code is this telegram's."""
        return any(
            each.field is not None and each.field.name == "type_code" and not each.trouble for each in self.tried
        )

    @property
    def score(self) -> tuple[float, int]:
        """Greater is nearer: the part of the bytes that fits, the type code above others; then how many fields fit.

        Where the type code fits, nothing is said against a field that is cut off.
        """
        cut = sum(len(each.raw) for each in self.tried if each.cut) if self.typed and self.shift is None else 0
        fitting = sum(len(each.raw) for each in self.tried if each.trouble is None and not self._moved(each))
        if self.shift is not None:
            fitting += self.size - max(self.shift.offset, self.troubles[0].offset)
        explained = fitting / max(1, self.size - cut)
        return explained + (_TYPE_CODE_WEIGHT if self.typed else 0), self.fitting

    def _moved(self, tried: Tried) -> bool:
        return self.shift is not None and tried.offset >= self.troubles[0].offset


def try_layout(partner: PartnerSpec, telegram: Telegram, data: bytes) -> Trial:
    """Hold bytes against one layout."""
    if isinstance(telegram.plan, BitmapPlan):
        tried, rest, unmet = _bitmap(telegram, data)
    else:
        tried, rest, unmet = _fixed(telegram, telegram.fields, data, 0, {})
    tried = _with_rules(telegram, tried)
    trial = Trial(
        partner=partner, telegram=telegram, tried=tuple(tried), rest=rest, size=len(data), unmet=unmet
    )  # fmt: skip
    if not trial.typed or trial.only_trouble is not None:
        return trial
    return msgspec.structs.replace(trial, shift=_shift(trial, data))


def nearest(partners: Iterable[PartnerSpec], data: bytes) -> list[Trial]:
    """The layouts, of all telegrams of these partners, that most of the bytes fit: more than one where they look alike.

    None where it is less than half of the bytes and not even the type code fits. Of a telegram that several editions
    have alike, that of the business date in it.
    """
    editions = [edition for partner in partners for edition in partner.editions]
    trials = [try_layout(edition, telegram, data) for edition in editions for telegram in edition.telegrams.values()]
    scores = [trial.score for trial in trials]
    best = max(scores, default=(0.0, 0))
    found: dict[tuple[str, Role], Trial] = {}
    for trial, score in zip(trials, scores, strict=True):
        if score == best and (best[0] >= _NEAR or trial.typed):
            name = trial.partner.name, trial.telegram.role
            if name not in found or trial.partner.dated(trial.values) is trial.partner:
                found[name] = trial
    return list(found.values())


# --- field by field -------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _reader(field: FieldSpec, placed: bool) -> FieldReader:
    plain = field if field.group is None else msgspec.structs.replace(field, when=None)  # the group is there
    return FieldReader(plain, placed=placed)


def _try(field: FieldSpec, data: bytes, at: int, *, placed: bool) -> Tried | None:
    """The field from byte `at` on; None where its end is not known, so that no other can follow."""
    reader = _reader(field, placed)
    try:
        raw = reader.take(data, at)
    except FieldFault:
        return None
    try:
        return Tried(field, at, raw, reader.read(raw, at))
    except FieldFault as fault:
        return Tried(field, at, raw, None, fault.problem, fault.offset or at)


def _lost(field: FieldSpec, data: bytes, at: int, *, placed: bool) -> Tried:
    """A field whose end is not known: what is left of it and of all behind it."""
    try:
        _reader(field, placed).take(data, at)
    except FieldFault as fault:
        raw = data[at : at + field.size]
        cut = at + len(raw) == len(data) and fault.problem.startswith("ends after")
        return Tried(field, at, raw, None, fault.problem, fault.offset or at, cut)
    raise AssertionError("only a field that cannot be taken is lost")


def _fixed(
    telegram: Telegram, fields: Sequence[FieldSpec], data: bytes, at: int, known: Mapping[str, Value]
) -> tuple[list[Tried], int, tuple[FieldSpec, ...]]:
    """These fields from byte `at` on: what came of them, the byte behind them, and those that the bytes do not reach.

    `known` are values of fields before them, by which groups may be there or not.
    """
    rules = _rules(telegram)
    values = dict(known)
    tried: list[Tried] = []
    for index, field in enumerate(fields):
        if field.group is not None and not rules[field.name].holds(values):
            continue
        found = _try(field, data, at, placed=True)
        if found is None:
            if at < len(data):
                tried.append(_lost(field, data, at, placed=True))
            return tried, min(len(data), at + field.size), tuple(fields[index:])
        tried.append(found)
        at += len(found.raw)
        if found.value is not None:
            values[field.name] = found.value
    return tried, at, ()


@lru_cache(maxsize=256)
def _rules_of(fields: tuple[FieldSpec, ...]) -> dict[str, Rule]:
    return {rule.field.name: rule for rule in rules_of(fields)}


def _rules(telegram: Telegram) -> dict[str, Rule]:
    """For each field that another one decides about, its rule."""
    return _rules_of(telegram.fields)


def _with_rules(telegram: Telegram, tried: list[Tried]) -> list[Tried]:
    """With what is wrong with fields that another one decides about, where each field by itself is right."""
    if any(each.trouble is not None for each in tried):
        return tried
    values = {each.field.name: each.value for each in tried if each.field is not None and each.value is not None}
    counts = {group.count: group.most for group in telegram.groups if group.count is not None}
    wrong: dict[str, str] = {}
    for rule in _rules(telegram).values():
        if (found := broken([rule], values)) is not None:
            wrong.setdefault(found[0].name, found[1])
    for name, most in counts.items():
        count = values.get(name)
        if isinstance(count, int) and count > most:
            wrong[name] = f"counts more than the {most} that the layout has room for"
    names = {each.field.name for each in tried if each.field is not None}
    absent = "; ".join(f"{name} {problem}" for name, problem in wrong.items() if name not in names)
    return [_faulty(each, absent if each.field is None else wrong.get(each.field.name)) for each in tried]


def _faulty(tried: Tried, trouble: str | None) -> Tried:
    return msgspec.structs.replace(tried, trouble=trouble, trouble_at=tried.offset) if trouble else tried


def _bitmap(telegram: Telegram, data: bytes) -> tuple[list[Tried], int, tuple[FieldSpec, ...]]:
    header = [field for field in telegram.fields if field.bit is None]
    by_bit = {bit_of(field): field for field in telegram.fields if field.bit is not None}
    tried, at, unmet = _fixed(telegram, header, data, 0, {})
    if unmet:
        return tried, at, unmet
    try:
        bitmap, at_fields = bitmap_of(data, at)
    except FieldFault as fault:
        return [*tried, Tried(None, at, data[at:], None, fault.problem, at)], len(data), tuple(by_bit.values())
    bits = bits_of(bitmap)
    tried.append(_tried_bitmap(by_bit, bits, bitmap, at))
    at = at_fields
    for index, bit in enumerate(bits):
        field = by_bit.get(bit)
        if field is None:  # of unknown length: nobody knows where the next one begins
            return tried, at, _named(by_bit, bits[index + 1 :])
        found = _try(field, data, at, placed=False)
        if found is None:
            lost = _lost(field, data, at, placed=False)
            behind = _named(by_bit, bits[index + 1 :])
            return [*tried, lost], at + len(lost.raw), behind
        tried.append(found)
        at += len(found.raw)
    return tried, at, ()


def _named(by_bit: Mapping[int, FieldSpec], bits: Sequence[int]) -> tuple[FieldSpec, ...]:
    return tuple(by_bit[bit] for bit in bits if bit in by_bit)


def _tried_bitmap(by_bit: Mapping[int, FieldSpec], bits: Sequence[int], bitmap: bytes, at: int) -> Tried:
    unknown = [bit for bit in bits if bit not in by_bit]
    missing = [field for bit, field in sorted(by_bit.items()) if bit not in bits and field.always]
    troubles = [f"bit {bit} is set, but this telegram has no such field" for bit in unknown]
    troubles += [f"bit {field.bit} is not set, but the field {field.name} is required" for field in missing]
    shown = " ".join(map(str, bits))
    return Tried(None, at, bitmap, shown, "; ".join(troubles) or None, at)


def _shift(trial: Trial, data: bytes) -> Shift | None:
    """Whether the bytes fit from some field on, once some are put in or taken away before it."""
    fields = trial.telegram.fields
    troubles = trial.troubles
    if isinstance(trial.telegram.plan, BitmapPlan) or not troubles:
        return None
    first = next(index for index, field in enumerate(fields) if field is troubles[0].field)
    before = trial.values
    known = {field.name: before[field.name] for field in fields[:first] if field.name in before}
    for missing in _SHIFTS:
        at = troubles[0].offset - missing
        for start in (first, first + 1):  # the fault lies before the first field that is wrong, or in it
            begin = at + (fields[first].size if start > first else 0)
            left = fields[start:]
            if len(left) < 2 or begin < 0:
                continue
            fitting, end, unmet = _fixed(trial.telegram, left, data, begin, known)
            right = end == len(data) and not unmet and all(each.trouble is None for each in fitting)
            if right and any(each.value is not None for each in fitting):
                return Shift(begin, missing, tuple(fitting))
    return None
