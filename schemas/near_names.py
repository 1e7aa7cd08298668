"""What a name that nobody knows was meant to be: for the remedy in a fault's text. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

_ALIKE = 0.7  # two letters exchanged in a name of four


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
    """Why `raw` is no `kind`: an unknown name or value with the nearest known ones, or else msgspec's word."""
    found = next(iter(_strange(inspect.type_info(kind), raw, "")), None)
    if found is None:
        return f"{error}: correct it"
    place = found.path.removeprefix(".")
    return f"{f'{place}: ' if place else ''}unknown {found.what} {found.name!r}: {meant(found.name, found.known)}"


class _Strange(NamedTuple):
    path: str  # such as ``.steps[0]``
    what: str
    name: str
    known: Sequence[str]


def _strange(kind: inspect.Type, raw: Any, path: str) -> Sequence[_Strange]:
    """What stands in `raw` under a name, or as a choice, that this type does not know."""
    match kind, raw:
        case inspect.UnionType(), _:
            return _in_union(kind.types, raw, path)
        case inspect.StructType(), dict():
            return _in_struct(kind, raw, path)
        case inspect.EnumType(), str():
            return _chosen(raw, [str(each.value) for each in kind.cls], path)
        case inspect.LiteralType(), str():
            return _chosen(raw, [str(each) for each in kind.values], path)
        case inspect.TupleType(), list():
            pairs = zip(kind.item_types, raw, strict=False)
            return [each for at, (inner, part) in enumerate(pairs) for each in _strange(inner, part, f"{path}[{at}]")]
        case inspect.CollectionType(), list():
            return [each for at, part in enumerate(raw) for each in _strange(kind.item_type, part, f"{path}[{at}]")]
        case _:
            return []


def _chosen(raw: str, known: Iterable[str], path: str) -> Sequence[_Strange]:
    choices = sorted(known)
    return [] if raw in choices else [_Strange(path, "value", raw, choices)]


def _in_union(kinds: Iterable[inspect.Type], raw: Any, path: str) -> Sequence[_Strange]:
    tagged = [each for each in kinds if isinstance(each, inspect.StructType) and each.tag_field is not None]
    if tagged and isinstance(raw, dict):
        field, tag = str(tagged[0].tag_field), raw.get(str(tagged[0].tag_field))
        named = [each for each in tagged if each.tag == tag]
        if not named:
            return _chosen(tag, [str(each.tag) for each in tagged], f"{path}.{field}") if isinstance(tag, str) else []
        return _in_struct(named[0], raw, path)
    choices = [each for each in kinds if isinstance(each, (inspect.EnumType, inspect.LiteralType))]
    if isinstance(raw, str):
        if any(isinstance(each, inspect.StrType) for each in kinds):
            return []
        known = [name for each in choices for name in _names(each)]
        return _chosen(raw, known, path) if known else []
    return [found for each in kinds for found in _strange(each, raw, path)]


def _names(kind: inspect.EnumType | inspect.LiteralType) -> Iterable[str]:
    return map(str, kind.values) if isinstance(kind, inspect.LiteralType) else [str(each.value) for each in kind.cls]


def _in_struct(kind: inspect.StructType, raw: Mapping[str, Any], path: str) -> Sequence[_Strange]:
    fields = {field.encode_name: field for field in kind.fields}
    known = sorted([*fields, *([] if kind.tag_field is None else [kind.tag_field])])
    found: list[_Strange] = []
    for name, inner in raw.items():
        if name in fields:
            found += _strange(fields[name].type, inner, f"{path}.{name}")
        elif name not in known and kind.forbid_unknown_fields:
            found.append(_Strange(path, "name", name, known))
    return found
