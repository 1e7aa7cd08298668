"""Building the groups of a telegram, and checking what its fields say about one another."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from schemas.near_names import meant
from schemas.telegrams.building import Builder, Dictionary, trouble
from schemas.telegrams.coding import compile_element, compile_positional
from schemas.telegrams.fields import Condition, FieldSpec
from schemas.telegrams.files import GROUP_KEYS, REPEAT_KEYS, Faults, Table, check_table, check_when, tables_in
from schemas.telegrams.grouped import Group
from schemas.telegrams.vocabulary import Sensitivity

_MOST = 99  # times a group may come


class GroupBuilder:
    """Makes the groups of one telegram's file. `before`: how many fields stand before them."""

    def __init__(self, file: str, dictionary: Dictionary, faults: Faults, before: int) -> None:
        self._place = before + 1
        self._file = file
        self._dictionary = dictionary
        self._faults = faults

    def groups(self, entries: Sequence[object]) -> list[tuple[Group, list[FieldSpec]]] | None:
        """All groups, each with its fields as often as it may come; None when one is at fault."""
        before = self._faults.told
        made = [self._group(entry) for entry in tables_in(self._faults, self._file, "groups", entries)]
        sound = [each for each in made if each is not None]
        return sound if self._faults.told == before else None

    def _group(self, entry: Table) -> tuple[Group, list[FieldSpec]] | None:
        name = str(entry.get("name", "?"))
        place = f"group {name}"
        if not check_table(self._faults, self._file, place, entry, GROUP_KEYS) or not self._kind(entry, place):
            return None
        builder = Builder(self._file, self._dictionary, self._faults, bitmap=False, grouped=True, first=self._place)
        fields = builder.fields(entry["fields"])
        self._place += len(entry["fields"])
        if fields is None:
            return None
        if not fields:
            self._faults.add(self._file, place, "the group has no fields", "list them, or take the group away")
            return None
        when = msgspec.convert(entry["when"], Condition) if "when" in entry else None
        repeat = entry.get("repeat", {})
        group = Group(
            name=name,
            japanese=entry["japanese"],
            english=entry["english"],
            meaning=entry["meaning"],
            assumption=entry["assumption"],
            when=when,
            count=repeat.get("count"),
            most=repeat.get("most", 1),
            fields=tuple(field.name for field in fields),
        )
        return group, list(_as_often(group, fields))

    def _kind(self, entry: Table, place: str) -> bool:
        """Whether it says either when it comes or how often."""
        if ("when" in entry) == ("repeat" in entry):
            remedy = "say either `when = { field, values }` or `repeat = { count, most }`"
            self._faults.add(self._file, place, "it is not said when or how often the group comes", remedy)
            return False
        if "when" in entry:
            return check_when(self._faults, self._file, place, entry["when"])
        if not check_table(self._faults, self._file, place, entry["repeat"], REPEAT_KEYS):
            return False
        most = entry["repeat"]["most"]
        if not 1 <= most <= _MOST:
            self._faults.add(self._file, place, f"cannot come {most} times", f"use 1 to {_MOST} for most")
            return False
        return True


def _as_often(group: Group, fields: Sequence[FieldSpec]) -> Iterable[FieldSpec]:
    for time in range(1, group.most + 1):
        for field in fields:
            if group.count is None:
                yield msgspec.structs.replace(field, group=group.name, when=group.when)
                continue
            yield msgspec.structs.replace(
                field,
                name=f"{field.name}_{time}",
                number=f"{field.number}-{time}",
                japanese=f"{field.japanese}（{time}件目）",
                english=f"{field.english} ({time})",
                group=group.name,
                when=Condition(group.count, at_least=time),
            )


def check_conditions(faults: Faults, file: str, fields: Sequence[FieldSpec], groups: Iterable[Group]) -> None:
    """Whether each condition names a field that is always there, can have these values, and is no constant."""
    by_name = {field.name: field for field in fields}
    told: set[str] = set()
    for field in fields:
        place = field.name if field.group is None else f"group {field.group}"
        if field.when is None or place in told:
            continue
        before = faults.told
        _check_condition(faults, file, place, field.when, by_name)
        if faults.told != before:
            told.add(place)
    for group in groups:
        count = by_name.get(group.count or "")
        if count is not None and count.value_type is int and _trouble(count, group.most) is not None:
            problem = f"may come {group.most} times, but {count.name} cannot count so far"
            faults.add(file, f"group {group.name}", problem, "correct most, or the length of the field that counts")


def _check_condition(
    faults: Faults, file: str, place: str, when: Condition, by_name: Mapping[str, FieldSpec]
) -> None:  # fmt: skip
    decider = by_name.get(when.field)
    if decider is None or decider.group is not None:
        fitting = [] if decider is not None else [name for name, each in by_name.items() if each.group is None]
        remedy = meant(when.field, fitting, "name a field at a fixed place, or with a bit of its own")
        faults.add(file, place, f"depends on {when.field}, which the telegram does not have", remedy)
        return
    if not decider.always:
        problem = f"depends on {when.field}, which may itself be absent"
        faults.add(file, place, problem, "name a field that is always there")
    if decider.const is not None:
        problem = f"depends on {when.field}, which always says the same"
        faults.add(file, place, problem, "name a field without a const")
    if decider.sensitivity is not Sensitivity.NONE:
        problem = f"depends on {when.field}, which not everybody may see"
        faults.add(file, place, problem, "name a field of sensitivity none: what is there would tell its value")
    if when.at_least is not None:
        if decider.value_type is not int:
            faults.add(file, place, f"is counted by {when.field}, which is no number", "name a field of type number")
        return
    if not when.values:
        faults.add(file, place, "depends on no value", "list the values with which it is there")
    for value in when.values:
        if _trouble(decider, value) is not None:
            remedy = "list values that the field can have"
            faults.add(file, place, f"depends on {when.field} being {value!r}, which it cannot be", remedy)


def _trouble(field: FieldSpec, value: object) -> str | None:
    plain = msgspec.structs.replace(field, const=None, default=None, required=True, when=None)
    write = (compile_positional if field.bit is None else compile_element)(plain).write
    return trouble(write, value)  # type: ignore[arg-type]
