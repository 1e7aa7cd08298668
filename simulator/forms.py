"""What may stand where something wrong does, read from the types themselves: the remedy in a message. Pure."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, get_args

import msgspec


def remedy(kind: type[msgspec.Struct], error: msgspec.ValidationError) -> str:
    """What to write instead; `kind` is what was to be read."""
    fields = {each.encode_name: each for each in msgspec.structs.fields(kind)}
    place = re.search(r"at `\$\.(\w+)", str(error))
    if place is None or place[1] not in fields:
        return f"its names are {', '.join(fields)}"
    known = dict.fromkeys(name for enum in _enums(fields[place[1]].type) for name in enum)
    return f"one of {', '.join(known)}" if known else "give a value of that kind"


def _enums(kind: Any) -> Iterator[type[StrEnum]]:
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        yield kind
    for each in get_args(kind):
        yield from _enums(each)
