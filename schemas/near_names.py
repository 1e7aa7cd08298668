"""What a name that nobody knows was meant to be: for the remedy in a fault's text. Pure."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import msgspec
from msgspec import inspect

_STRANGE = re.compile(r"Object contains unknown field `(?P<name>.*?)`(?: - at `\$(?P<path>.*)`)?", re.DOTALL)
_NO_CHOICE = re.compile(r"Invalid (?:enum )?value '(?P<name>.*?)' - at `\$(?P<path>.*)`", re.DOTALL)
_ALIKE = 0.7  # two letters exchanged in a name of four
_STEP = re.compile(r"\.([A-Za-z_0-9]+)|\[([0-9]+)\]")


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Up to three known names that are spelled much like this one, the nearest first."""
    names = {each.lower(): each for each in known}
    return [names[each] for each in get_close_matches(name.lower(), names, cutoff=_ALIKE)]


def meant(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """The remedy for an unknown name: the nearest known ones; where none is near, `otherwise`, or all there are."""
    names = list(known)
    near = nearest(name, names)
    if not near:
        return otherwise or f"use one of: {', '.join(names)}"
    return f"did you mean {' or '.join(near)}?{f' Otherwise {otherwise}' if otherwise else ''}"


def unconverted(error: msgspec.ValidationError, kind: object, raw: object) -> str:
    """Why `raw` is no `kind`, by msgspec's word; where that is an unknown name, with the nearest known ones."""
    told = str(error)
    for form, what in ((_STRANGE, "unknown name"), (_NO_CHOICE, "unknown value")):
        if (found := form.fullmatch(told)) is not None:
            path = found["path"] or ""
            try:
                known = sorted(_known_at(kind, raw, path))
            except (LookupError, TypeError):  # a name that holds what msgspec writes around a name
                return told
            place = path.removeprefix(".")
            return f"{f'{place}: ' if place else ''}{what} {found['name']!r}: {meant(found['name'], known)}"
    return told


def _known_at(kind: object, raw: Any, path: str) -> Iterable[str]:
    """The names that an object may have at this place, such as ``.steps[0]``; or the values, where it is a choice."""
    types = _members(inspect.type_info(kind))
    for key, index in _STEP.findall(path):
        if index:
            raw, types = raw[int(index)], [inner for each in types for inner in _items(each, int(index))]
        else:
            types = [inner for each in types for inner in _field(each, key, raw)]
            raw = raw[key]
    return {name for each in types for name in _names(each, raw)}


def _members(found: inspect.Type) -> list[inspect.Type]:
    return list(found.types) if isinstance(found, inspect.UnionType) else [found]


def _items(found: inspect.Type, index: int) -> list[inspect.Type]:
    if isinstance(found, inspect.TupleType):
        return _members(found.item_types[index])
    return _members(found.item_type) if isinstance(found, inspect.CollectionType) else []


def _field(found: inspect.Type, name: str, raw: Any) -> list[inspect.Type]:
    """The types of a struct's field, if an object is to be this struct by its tag."""
    if not isinstance(found, inspect.StructType):
        return []
    if name == found.tag_field:
        return [inspect.LiteralType((found.tag,))]
    if found.tag_field is not None and raw.get(found.tag_field) != found.tag:
        return []
    return [inner for field in found.fields if field.encode_name == name for inner in _members(field.type)]


def _names(found: inspect.Type, raw: Any) -> Iterable[str]:
    match found:
        case inspect.StructType(tag_field=str(field), tag=tag) if raw.get(field) != tag:
            return []
        case inspect.StructType():
            own = [] if found.tag_field is None else [found.tag_field]
            return [*own, *(field.encode_name for field in found.fields)]
        case inspect.EnumType():
            return [str(each.value) for each in found.cls]
        case inspect.LiteralType():
            return [str(each) for each in found.values]
        case _:
            return []
