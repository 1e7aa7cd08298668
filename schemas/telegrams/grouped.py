"""Fixed layouts that end in groups: fields that come together, if another field says so, or as often as one counts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import msgspec

from schemas.telegrams.coding import (
    FieldCodec,
    VariableCodec,
    Write,
    compile_positional,
    variable_codec,
)
from schemas.telegrams.conditions import Rule, broken, rules_of
from schemas.telegrams.errors import Problem
from schemas.telegrams.fields import Condition, FieldSpec
from schemas.telegrams.plans import FieldFault, FixedPlan, Part, Step, offset_in, step_of, take, text_of
from schemas.telegrams.vocabulary import Value


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Fields that come together after those at fixed places: once if `when` holds, or as often as `count` says."""

    name: str
    japanese: str
    english: str
    meaning: str
    assumption: bool
    when: Condition | None
    count: str | None  # the field that counts them
    most: int  # how often it may come
    fields: tuple[str, ...]  # as they are named in the layout; those of the n-th time end in _n


class _Occurrence(NamedTuple):
    """A group's fields, once."""

    rule: Rule
    writes: tuple[tuple[FieldSpec, Write], ...]
    steps: tuple[Step, ...]


class GroupedPlan:
    """The fields at fixed places, then each group that is there."""

    def __init__(self, fixed: Sequence[FieldSpec], grouped: Sequence[FieldSpec], groups: Sequence[Group]) -> None:
        self._front = FixedPlan(fixed)
        self._occurrences = tuple(_occurrences(fixed, grouped))
        self._rules = rules_of((*fixed, *grouped))
        self._counts = tuple((group.count, group.most) for group in groups if group.count is not None)

    def encode(self, values: Mapping[str, Value]) -> bytes:
        out = [self._front.encode(values)]
        self._check(values, None)
        for occurrence in self._occurrences:
            if occurrence.rule.holds(values):
                for field, write in occurrence.writes:
                    try:
                        out.append(write(values.get(field.name)))
                    except (Problem, UnicodeError) as trouble:
                        raise FieldFault(field.name, None, text_of(trouble, field)) from None
        return b"".join(out)

    def decode(self, data: bytes) -> dict[str, Value]:
        if len(data) < self._front.size:
            raise FieldFault(None, None, f"is {len(data)} bytes long where the layout has {self._front.size} and more")
        values = self._front.decode_front(data)
        end = self._front.size
        for step, raw, at in self._walk(values, data):
            try:
                value = step.read(raw)
            except (Problem, UnicodeError) as trouble:
                raise FieldFault(step.name, at + offset_in(trouble), text_of(trouble, step.field)) from None
            if value is not None:
                values[step.name] = value
            end = at + len(raw)
        if end != len(data):
            raise FieldFault(None, end, f"goes on for {len(data) - end} bytes after its last field")
        self._check(values, self._front.offset_of_name)
        return values

    def parts(self, data: bytes) -> list[Part]:
        values = self._front.decode_front(data)
        return [*self._front.parts(data), *(Part(step.field, at, raw) for step, raw, at in self._walk(values, data))]

    def _walk(self, values: Mapping[str, Value], data: bytes) -> Iterator[tuple[Step, bytes, int]]:
        """Each field of the groups that are there, its bytes and where they begin. Raises `FieldFault`."""
        at = self._front.size
        self._check_counts(values, self._front.offset_of_name)
        for occurrence in self._occurrences:
            if not occurrence.rule.holds(values):
                continue
            for step in occurrence.steps:
                try:
                    raw = take(step, data, at)
                except Problem as trouble:
                    raise FieldFault(step.name, at + trouble.at, str(trouble)) from None
                yield step, raw, at
                at += len(raw)

    def _check(self, values: Mapping[str, Value], place: Callable[[str], int | None] | None) -> None:
        self._check_counts(values, place)
        wrong = broken(self._rules, values)
        if wrong is not None:
            field, problem = wrong
            raise FieldFault(field.name, None if place is None else place(field.name), problem)

    def _check_counts(self, values: Mapping[str, Value], place: Callable[[str], int | None] | None) -> None:
        for name, most in self._counts:
            count = values.get(name)
            if isinstance(count, int) and count > most:
                problem = f"counts more than the {most} that the layout has room for"
                raise FieldFault(name, None if place is None else place(name), problem)


def _occurrences(fixed: Sequence[FieldSpec], grouped: Sequence[FieldSpec]) -> Iterator[_Occurrence]:
    deciding = {field.name: field for field in fixed}
    for _, members in groupby(grouped, key=lambda field: (field.group, field.when)):
        fields = tuple(members)
        when = fields[0].when
        if when is None:
            raise AssertionError(f"the loader lets no group without a condition through: {fields[0].name}")
        codecs = [_codec(field) for field in fields]
        yield _Occurrence(
            Rule(fields[0], when, deciding[when.field].default),
            tuple((field, codec.write) for field, codec in zip(fields, codecs, strict=True)),
            tuple(step_of(field, codec) for field, codec in zip(fields, codecs, strict=True)),
        )


def _codec(field: FieldSpec) -> FieldCodec | VariableCodec:
    """The codec of a field in a group that is there: blank where it is optional."""
    plain = msgspec.structs.replace(field, when=None)
    return variable_codec(plain) if field.is_variable else compile_positional(plain)
