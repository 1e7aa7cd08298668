"""What layout files may say: tables, each checked for the keys it must and may have. Faults are collected."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from schemas.near_names import meant
from schemas.records import Outcome
from schemas.telegrams.errors import Fault
from schemas.telegrams.fields import TYPES, Blank, Encoding, LengthKind, Pad
from schemas.telegrams.framing import LengthKind as FramingKind
from schemas.telegrams.roles import Family
from schemas.telegrams.spec import ErrorClass
from schemas.telegrams.vocabulary import Sensitivity

PARTNER = "partner.toml"
HEADER = "header.toml"
FIELDS = "fields.toml"
Table = Mapping[str, Any]

_MARK = "say `assumption = true` (our own guess) or `assumption = false` (checked against the partner's specification)"


class Key(NamedTuple):
    """A key of a table: the types its value may have, whether it must be there, and which values are allowed."""

    types: tuple[type, ...]
    required: bool = True
    choices: tuple[str, ...] = ()


_TEXT = Key((str,))
_WHOLE = Key((int,))
_FLAG = Key((bool,))
_OUTCOME = Key((str,), choices=tuple(each for each in Outcome if each is not Outcome.IN_ERROR))
_CLASS = Key((str,), choices=tuple(ErrorClass))
_NAMED = {"japanese": _TEXT, "english": _TEXT, "assumption": _FLAG}

PARTNER_KEYS: dict[str, Key] = _NAMED | {
    "name": _TEXT,
    "note": _TEXT,
    "layout": Key((str,), choices=("fixed", "bitmap")),
    "trace_width": _WHOLE,
    "trace_range": Key((list,)),
    "route_range": Key((list,)),
    "result_field": _TEXT,
    "framing": Key((dict,)),
    "match": Key((dict,)),
    "result_codes": Key((list,)),
    "unknown_result": Key((dict,)),
    "error_codes": Key((list,)),
    "unknown_error": Key((dict,)),
}
FRAMING_KEYS: dict[str, Key] = {
    "kind": Key((str,), choices=tuple(FramingKind)),
    "length_bytes": _WHOLE,
    "counts_itself": _FLAG,
    "max_length": _WHOLE,
    "assumption": _FLAG,
}
MATCH_KEYS: dict[str, Key] = {family.value: Key((list,)) for family in Family}
UNKNOWN_RESULT_KEYS: dict[str, Key] = _NAMED | {"outcome": _OUTCOME}
RESULT_KEYS: dict[str, Key] = UNKNOWN_RESULT_KEYS | {"code": _TEXT, "fault_cancel": Key((bool,), required=False)}
UNKNOWN_ERROR_KEYS: dict[str, Key] = _NAMED | {"error_class": _CLASS}
ERROR_KEYS: dict[str, Key] = UNKNOWN_ERROR_KEYS | {"code": _TEXT, "may_be_done": Key((bool,), required=False)}
LIST_KEYS: dict[str, Key] = {"fields": Key((list,))}
TELEGRAM_KEYS: dict[str, Key] = (
    _NAMED
    | LIST_KEYS
    | {
        "type_code": _TEXT,
        "meaning": _TEXT,
        "japanese_meaning": Key((str,), required=False),
        "told_apart_by": Key((str,), required=False),
    }
)
FIXED_TELEGRAM_KEYS: dict[str, Key] = TELEGRAM_KEYS | {"length": _WHOLE, "groups": Key((list,), required=False)}
WHEN_KEYS: dict[str, Key] = {"field": _TEXT, "values": Key((list,))}
REPEAT_KEYS: dict[str, Key] = {"count": _TEXT, "most": _WHOLE}
GROUP_KEYS: dict[str, Key] = (
    _NAMED
    | LIST_KEYS
    | {
        "name": _TEXT,
        "meaning": _TEXT,
        "when": Key((dict,), required=False),
        "repeat": Key((dict,), required=False),
    }
)
VALUE_KEYS: dict[str, Key] = {"value": Key((str, int)), "japanese": _TEXT, "english": _TEXT}
FIELD_KEYS: dict[str, Key] = _NAMED | {
    "number": Key((str,), required=False),
    "name": _TEXT,
    "type": Key((str,), choices=tuple(TYPES)),
    "length": _WHOLE,
    "encoding": Key((str,), choices=tuple(Encoding)),
    "required": _FLAG,
    "sensitivity": Key((str,), choices=tuple(Sensitivity)),
    "meaning": _TEXT,
    "japanese_meaning": Key((str,), required=False),
    "sample": Key((str, int)),
    "length_kind": Key((str,), required=False, choices=tuple(LengthKind)),
    "length_encoding": Key((str,), required=False, choices=("ascii", "ebcdic", "ebcdic_kana", "bcd", "binary")),
    "min_length": Key((int,), required=False),
    "pad": Key((str,), required=False, choices=tuple(Pad)),
    "blank": Key((str,), required=False, choices=tuple(Blank)),
    "default": Key((str, int), required=False),
    "const": Key((str, int), required=False),
    "offset": Key((int,), required=False),
    "bit": Key((int,), required=False),
    "values": Key((list,), required=False),
    "values_closed": Key((bool,), required=False),
    "source": Key((str,), required=False),
    "when": Key((dict,), required=False),
}

_TYPE_NAMES = {str: "text", int: "a whole number", bool: "true or false", list: "a list", dict: "a table"}


class Faults:
    """Collects faults; one that is met many times, because many telegrams use a field, counts once.

    `folder` is where the files are. Of an edition, those that are older ones still stand elsewhere (`stands`); what was
    said of them in the edition before is not said again.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._elsewhere: dict[tuple[str, str | None], str] = {}
        self._found: dict[Fault, None] = {}
        self.unreadable: set[str] = set()  # files that are no TOML: what others refer to in them is not known
        self.told = 0  # how often one was met: tells a step whether something in it went wrong

    def edition(self, folder: str) -> None:
        """From here on it is about the edition of this folder."""
        self.folder = folder

    def stands(self, file: str, field: str | None, folder: str) -> None:
        """This file, or this field of it, is that of a folder."""
        self._elsewhere[file, field] = folder

    def add(self, file: str, field: str | None, problem: str, remedy: str) -> None:
        self.told += 1
        name = None if field is None else field.split(" ")[0]
        folder = self._elsewhere.get((file, name)) or self._elsewhere.get((file, None), self.folder)
        fault = Fault(f"{folder}/{file}", field, problem, remedy)
        if folder == self.folder:
            self._found[fault] = None
        elif fault not in self._found:
            self._found[fault._replace(file=f"{folder}/{file} in {self.folder}")] = None

    def put(self, fault: Fault) -> None:
        """One that names its file itself."""
        self.told += 1
        self._found[fault] = None

    def all(self) -> list[Fault]:
        return list(self._found)


def check_value(faults: Faults, file: str, place: str | None, name: str, key: Key, value: object) -> bool:
    """Whether `value` is one `key` allows; if not, says so."""
    fits = type(value) in key.types
    if not fits:
        wanted = " or ".join(_TYPE_NAMES[each] for each in key.types)
        faults.add(file, place, f"{name} is {_kind(value)}", f"it must be {wanted}")
    elif key.choices and value not in key.choices:
        faults.add(file, place, f"{name} {value!r} is not known", meant(str(value), key.choices))
        return False
    elif value == "":
        faults.add(file, place, f"{name} is empty", "write what it is")
        return False
    return fits


def check_table(faults: Faults, file: str, place: str | None, table: Table, keys: Mapping[str, Key]) -> bool:
    """Whether `table` has the keys it must have and no others, with values they allow; if not, says all that is."""
    before = faults.told
    for name, value in table.items():
        if name in keys:
            check_value(faults, file, place, name, keys[name], value)
        else:
            faults.add(file, place, f"the key {name!r} is not known", meant(name, sorted(keys)))
    for name, key in keys.items():
        if key.required and name not in table:
            add_missing(faults, file, place, name)
    return faults.told == before


def check_when(faults: Faults, file: str, place: str, table: Table) -> bool:
    """Whether a condition is one: a field, and values such as a field may have; if not, says all that is."""
    sound = check_table(faults, file, place, table, WHEN_KEYS)
    values = table.get("values")
    for number, value in enumerate(values if isinstance(values, list) else (), 1):
        if type(value) not in VALUE_KEYS["value"].types:
            faults.add(file, place, f"item {number} of values is {_kind(value)}", "it must be text or a whole number")
            sound = False
    return sound


def add_missing(faults: Faults, file: str, place: str | None, name: str) -> None:
    """Say that a required key is not there."""
    faults.add(file, place, f"the key {name!r} is missing", _MARK if name == "assumption" else "add it")


def tables_in(faults: Faults, file: str, place: str, items: Iterable[object]) -> list[Table]:
    """Those of `items` that are tables; says which are not."""
    tables: list[Table] = []
    for number, item in enumerate(items, 1):
        if isinstance(item, dict):
            tables.append(item)
        else:
            faults.add(file, place, f"item {number} is {_kind(item)}", "it must be a table")
    return tables


def _kind(value: object) -> str:
    return _TYPE_NAMES.get(type(value), f"a {type(value).__name__}")
