"""What a schema that another version tells of may look like: the forms that our own have, bounded in size and depth.

Whoever can write to the topic ``schemas`` can write anything there, and the library that reads records recurses in C as
deep as their schema says. So a schema is looked at before that library sees it: records of one another to a bounded
depth, never of themselves; strings, longs, bytes and booleans; each of these alone or in a union with null. No record
is without fields: every value that the library reads then takes a byte at least, and the size of a record bounds its
work.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

NAMESPACE = "denbun"
TEXT_BYTES_MAX = 65_536  # ours are below 8 KiB
DEPTH_MAX = 8  # of records in records; ours have two

_PRIMITIVES = frozenset({"string", "long", "bytes", "boolean"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_RECORD = frozenset({"type", "name", "namespace", "doc", "fields"})
_FIELD = frozenset({"name", "type", "default"})
_OPEN = -1  # of a record that is being looked at: who names it is inside it
_TOO_DEEP = f"records in records more than {DEPTH_MAX} deep"


def read_schema(text: bytes) -> dict[str, Any]:
    """The schema of a record, as JSON. Raises `ValueError` that says what is not as in ours; never a word of `text`."""
    if len(text) > TEXT_BYTES_MAX:
        raise ValueError(f"{len(text)} bytes where a schema has at most {TEXT_BYTES_MAX}")
    try:
        raw = json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except json.JSONDecodeError:
        raise ValueError("not JSON") from None
    _record(raw, {}, 1)
    return dict(raw)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _record(raw: Any, known: dict[str, int], depth: int) -> int:
    """Look at a record; give how many records deep it is. `known`: the same of those named so far, by full name."""
    if not isinstance(raw, Mapping) or raw.get("type") != "record":
        raise ValueError("not a record")
    if depth > DEPTH_MAX:
        raise ValueError(_TOO_DEEP)
    if strange := raw.keys() - _RECORD:
        raise ValueError(f"a record has {len(strange)} entries that ours do not have, such as aliases")
    name, fields = raw.get("name"), raw.get("fields")
    if not isinstance(name, str) or not _NAME.fullmatch(name) or raw.get("namespace") != NAMESPACE:
        raise ValueError(f"a record without a name in the namespace {NAMESPACE}")
    if not isinstance(raw.get("doc", ""), str):
        raise ValueError("a doc that is no text")  # noqa: TRY004  one kind for all that a schema may be
    full = f"{NAMESPACE}.{name}"
    if full in known:
        raise ValueError("two records of one name")
    known[full] = _OPEN
    if not isinstance(fields, list) or not fields:
        raise ValueError("a record without fields")
    found = [_field(field, known, depth) for field in fields]
    if len({name for name, _ in found}) < len(fields):
        raise ValueError("two fields of one name")
    known[full] = 1 + max(deep for _, deep in found)
    return known[full]


def _field(field: Any, known: dict[str, int], depth: int) -> tuple[str, int]:
    """Look at a field; give its name, and how many records deep its value is."""
    if not isinstance(field, Mapping) or field.keys() - _FIELD:
        raise ValueError("a field that is not name, type and default")
    name, form = field.get("name"), field.get("type")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError("a field without a name")
    if isinstance(form, list) != ("default" in field) or field.get("default") is not None:
        raise ValueError("a default other than null of a union")
    if isinstance(form, list):
        if len(form) != 2 or form[0] != "null":
            raise ValueError("a union other than of null and one form")
        form = form[1]
    return name, _value(form, known, depth)


def _value(form: Any, known: dict[str, int], depth: int) -> int:
    """Look at the form of a value; give how many records deep it is."""
    if isinstance(form, Mapping):
        return _record(form, known, depth + 1)
    if not isinstance(form, str) or (form not in _PRIMITIVES and form not in known):
        raise ValueError(
            "a form that no record of ours has, such as an array, a map, a fixed, an enum or another number"
        )
    deep = known.get(form, 0)
    if deep == _OPEN:
        raise ValueError("a record that contains itself")
    if depth + deep > DEPTH_MAX:
        raise ValueError(_TOO_DEEP)
    return deep
