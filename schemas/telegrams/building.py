"""From the tables of layout files to `FieldSpec`s, checking each field by itself and each telegram's row of fields."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from schemas.near_names import meant
from schemas.telegrams.coding import compile_element, compile_positional
from schemas.telegrams.errors import Problem
from schemas.telegrams.field_checks import faults_of
from schemas.telegrams.fields import TYPES, Blank, Encoding, FieldSpec, Pad
from schemas.telegrams.files import (
    FIELD_KEYS,
    FIELDS,
    HEADER,
    PARTNER,
    VALUE_KEYS,
    Faults,
    Table,
    add_missing,
    check_table,
    check_value,
    check_when,
    tables_in,
)
from schemas.telegrams.roles import Role
from schemas.telegrams.vocabulary import FILLED, FORBIDDEN, NAMING, VOCABULARY, Value

_ALWAYS_IN_TELEGRAM = frozenset({"required", "offset"})


class Dictionary:
    """The fields of ``fields.toml``, which telegrams refer to by name and may add to.

    `codes`: the values of fields whose codes ``partner.toml`` lists, by the name of the field.
    """

    def __init__(self, table: Table, faults: Faults, codes: Mapping[str, Sequence[Table]]) -> None:
        self._faults = faults
        self.codes = codes
        self.entries: dict[str, Table] = {}
        self.faulty: set[str] = set()
        self.used: set[str] = set()
        for name, value in table.items():
            if name != "fields":
                faults.add(FIELDS, None, f"the key {name!r} is not known", "use [[fields]] only")
            elif isinstance(value, list):
                for entry in tables_in(faults, FIELDS, "fields", value):
                    self._take(entry)
            else:
                faults.add(FIELDS, None, "fields is not a list", "use [[fields]]")

    def _take(self, entry: Table) -> None:
        name = entry.get("name")
        if not isinstance(name, str):
            self._faults.add(FIELDS, None, "a field has no name", "add it")
            return
        if name in self.entries:
            self._faults.add(FIELDS, name, "the field is defined twice", "keep one of them")
            return
        if not check_known_keys(self._faults, FIELDS, name, entry):
            self.faulty.add(name)
        self.entries[name] = entry

    def report_unused(self, own: Collection[str]) -> None:
        """Say which fields no telegram uses, of those that are the edition's own."""
        for name in self.entries.keys() & set(own) - self.used:
            self._faults.add(FIELDS, name, "the field is used in no telegram", "use it or take it away")


def check_known_keys(faults: Faults, file: str, name: str, entry: Table) -> bool:
    """Whether all keys of a field are known and have values they may have; says which do not."""
    before = faults.told
    for key, value in entry.items():
        if key in FIELD_KEYS:
            check_value(faults, file, name, key, FIELD_KEYS[key], value)
        else:
            faults.add(file, name, f"the key {key!r} is not known", meant(key, sorted(FIELD_KEYS)))
    values = entry.get("values")
    for listed in tables_in(faults, file, f"{name} values", values if isinstance(values, list) else ()):
        check_table(faults, file, f"{name} values {listed.get('value', '?')}", listed, VALUE_KEYS)
    if isinstance(when := entry.get("when"), dict):
        check_when(faults, file, f"{name} when", when)
    return faults.told == before


class Override(NamedTuple):
    """Keys that another file adds to a field."""

    file: str
    field: str
    keys: Table


class Builder:
    """Makes the fields of one file."""

    def __init__(
        self,
        file: str,
        dictionary: Dictionary,
        faults: Faults,
        *,
        bitmap: bool,
        override: Override | None = None,
        grouped: bool = False,
        first: int = 1,
    ) -> None:
        self._file = file
        self._dictionary = dictionary
        self._faults = faults
        self._bitmap = bitmap  # these fields are elements of a bitmap layout, not at fixed places
        self._override = override
        self._grouped = grouped  # these fields are those of a group
        self._first = first  # the place of the first of them, counted through the telegram

    def fields(self, entries: Sequence[object]) -> list[FieldSpec] | None:
        """All fields, or None when one is at fault."""
        before = self._faults.told
        specs: list[FieldSpec | None] = []
        seen: set[str] = set()
        for place, entry in enumerate(tables_in(self._faults, self._file, "fields", entries), self._first):
            name = entry.get("name")
            if not isinstance(name, str):
                self._faults.add(self._file, None, "a field has no name", "add it")
                continue
            if name in seen:
                self._faults.add(self._file, name, "the field stands here twice", "give each field its own name")
            seen.add(name)
            specs.append(self._field(name, entry, f"H-{place}" if self._file == HEADER else str(place)))
        sound = [spec for spec in specs if spec is not None]
        return sound if self._faults.told == before and len(sound) == len(specs) else None

    def _field(self, name: str, entry: Table, place: str) -> FieldSpec | None:
        before = self._faults.told
        known = self._dictionary.entries.get(name, {})
        self._dictionary.used.add(name)
        check_known_keys(self._faults, self._file, name, entry)
        table = {**known, **entry}
        if self._override is not None and self._override.field == name:
            table |= self._override.keys
        if name in self._dictionary.codes:
            if "values" in table:
                problem, remedy = f"its values stand in {PARTNER}", "take values away"
                self._faults.add(self._origin(entry, name, "values"), name, problem, remedy)
            table["values"] = self._dictionary.codes[name]
        if "type" not in table and not known:
            remedy = meant(name, self._dictionary.entries, "define it there, or give all its keys here")
            self._faults.add(self._file, name, f"the field is not defined in {FIELDS}", remedy)
            return None
        for key in [key for key, rule in FIELD_KEYS.items() if rule.required and key not in table]:
            add_missing(self._faults, self._origin(entry, name, key), name, key)
        if self._faults.told != before or name in self._dictionary.faulty:
            return None
        spec = msgspec.convert(_with_defaults(table, place), FieldSpec)
        for keys, problem, remedy in faults_of(spec, bitmap=self._bitmap, grouped=self._grouped):
            self._faults.add(self._origin(entry, name, *keys), name, problem, remedy)
        if self._faults.told == before:
            self._check_values(spec, entry)
        return spec if self._faults.told == before else None

    def _origin(self, entry: Table, name: str, *keys: str) -> str:
        """The file a fault about these keys belongs to: the dictionary's, unless another sets one of them."""
        override = self._override
        if override is not None and override.field == name and any(key in override.keys for key in keys):
            return override.file
        here = name not in self._dictionary.entries or any(key in entry or key in _ALWAYS_IN_TELEGRAM for key in keys)
        return self._file if here else FIELDS

    def _check_values(self, spec: FieldSpec, entry: Table) -> None:
        plain = msgspec.structs.replace(spec, const=None, default=None, values_closed=False)
        write = (compile_element(plain) if self._bitmap else compile_positional(plain)).write
        for key, value in (("sample", spec.sample), ("default", spec.default), ("const", spec.const)):
            problem = None if value is None or (key == "sample" and spec.const is not None) else trouble(write, value)
            if problem is not None:
                file = self._origin(entry, spec.name, key)
                self._faults.add(file, spec.name, f"the {key} {problem}", f"give a {key} that fits the field")
            elif value is not None and spec.values and spec.meaning_of(value) is None:
                file = self._origin(entry, spec.name, key, "values")
                self._faults.add(
                    file, spec.name, f"the {key} is not among its values", f"list it, or correct the {key}"
                )
        for listed in spec.values if spec.name not in self._dictionary.codes else ():
            problem = trouble(write, listed.value)
            if problem is not None:
                file = self._origin(entry, spec.name, "values")
                remedy = "give values that fit the field"
                self._faults.add(file, spec.name, f"its value {listed.value!r} {problem}", remedy)


def trouble(write: Any, value: Value) -> str | None:
    """What the codec has against a value, or None."""
    try:
        write(value)
    except UnicodeEncodeError as error:
        return f"has a character ({error.start + 1}) that its type does not allow"
    except Problem as problem:
        return str(problem)
    return None


def _with_defaults(table: Table, place: str) -> dict[str, Any]:
    """The table with the defaults that depend on other keys, and on its place among the fields."""
    is_number = TYPES[table["type"]].value_type is int if table["type"] in TYPES else False
    packed = table["encoding"] in (Encoding.BCD, Encoding.BINARY)
    defaults = {
        "number": str(table.get("bit", place)),
        "pad": Pad.ZERO_LEFT if is_number else Pad.NONE,
        "blank": Blank.ZEROS if packed else Blank.SPACES,
    }
    return {**defaults, **table}


# --- the fields of a telegram together ------------------------------------------------------------------------------


def check_places(
    faults: Faults, file: str, fields: Sequence[FieldSpec], start: int, *, tail: bool = False
) -> int:  # fmt: skip
    """Whether fields at fixed places follow one another from byte `start` on; gives the byte after the last.

    `tail`: the last one ends the telegram, so that it may vary in length.
    """
    at = start
    for field in fields:
        if field.is_variable and not (tail and field is fields[-1]):
            problem = "a field at a fixed place cannot vary in length, but for the last one of a telegram"
            faults.add(file, field.name, problem, "use length_kind fixed, and pad")
        if field.offset is None:
            faults.add(file, field.name, "the key 'offset' is missing", f"by the fields before it, it is {at}")
        elif field.offset < at:
            problem = f"begins at {field.offset}, overlapping the field before it by {at - field.offset} bytes"
            faults.add(file, field.name, problem, f"that field ends before {at}: correct the offset or the length")
        elif field.offset > at:
            problem = f"begins at {field.offset}, leaving {field.offset - at} bytes before it undescribed"
            faults.add(file, field.name, problem, f"begin at {at}, or describe the gap as a field with a const")
        at = (at if field.offset is None else field.offset) + field.size
    return at


def check_bits(faults: Faults, file: str, fields: Sequence[FieldSpec]) -> None:
    """Whether each element has a bit of its own."""
    seen: dict[int | None, str] = {}
    for field in fields:
        if field.bit in seen:
            faults.add(file, field.name, f"bit {field.bit} is that of {seen[field.bit]}", "give each field its own bit")
        seen[field.bit] = field.name


def check_numbers(faults: Faults, file: str, fields: Sequence[FieldSpec], before: Sequence[FieldSpec] = ()) -> None:
    """Whether each field has a number of its own, none of those `before` it either. A bit has been checked as such."""
    seen = {field.number: field for field in before}
    for field in fields:
        other = seen.setdefault(field.number, field)
        if other.name != field.name and (field.bit is None or field.bit != other.bit):
            problem = f"number {field.number} is that of {other.name}"
            faults.add(file, field.name, problem, "give each field its own number")


def check_role(
    faults: Faults, file: str, role: Role, fields: Sequence[FieldSpec], grouped: Sequence[FieldSpec],
    needed: frozenset[str],
) -> None:  # fmt: skip
    """Whether a telegram carries what the services need in it, nothing they must not put there, nothing they cannot.

    `grouped` are the fields of its groups, which are not always there.
    """
    names = {field.name for field in fields}
    for name in sorted(needed - names):
        if name in NAMING:
            faults.add(file, name, f"a {role.value} cannot name its original without this field", "add it")
        else:
            remedy = meant(name, () if name in VOCABULARY else names, "add it")  # `result_field` may be misspelled
            faults.add(file, name, f"a telegram of role {role.value} must carry this field", remedy)
    for field in fields:
        if field.name in needed & NAMING and not (field.always and field.const is None):
            problem = f"a {role.value} could leave out by what it names its original"
            faults.add(file, field.name, problem, "say `required = true`, without const or when")
    for field in (*fields, *grouped):
        if _term(field) in FORBIDDEN.get(role, frozenset()):
            remedy = "take it away; the original is named by its trace number"
            faults.add(file, field.name, f"a telegram of role {role.value} must not carry card data", remedy)
            continue
        filled = field.const is not None or field.default is not None or field.name in FILLED.get(role, {field.name})
        filled = filled or (
            field.when is not None and field.when.at_least is not None
        )  # we count nothing: none is sent
        if field.required and not filled:
            remedy = (
                "say `required = false`, give it a const or a default, or use one of the names in vocabulary.FILLED"
            )
            faults.add(file, field.name, f"the gateway does not always have a value for it in {role.value}", remedy)


def _term(field: FieldSpec) -> str:
    """The name under which the vocabulary knows a field, whichever time of a group it is."""
    return re.sub(r"_\d+$", "", field.name) if field.group is not None else field.name


def same_form(one: FieldSpec, other: FieldSpec) -> bool:
    """Whether two fields look the same on the line."""
    return all(
        getattr(one, key) == getattr(other, key)
        for key in ("type", "length", "encoding", "length_kind", "length_encoding", "min_length")
    )
