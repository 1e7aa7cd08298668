"""Whether a field stands twice in a frame (docs/client-protocol.md: none may). Pure.

JSON's decoders take the last one and say nothing: of two amounts the client meant one, and nobody knows which.
"""

import json
import re
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode
# In JSON that can be decoded a string before a colon is a field's name, and without a backslash it ends at the quote.
_NAME = re.compile(rb'"([^"]*)"[ \t\n\r]*:')


def doubled_field(payload: bytes, message: msgspec.Struct | None = None) -> str | None:
    """The first name that stands twice in one object of this JSON, which some decoder has taken; None: there is none.

    `message`: what was decoded. What is written as we would write it has each field once, and is seen soonest.
    Raises `RecursionError` for what is nested too deep.
    """
    if message is not None and _encode(message) == payload:
        return None
    if b"\\" not in payload:
        names = _NAME.findall(payload)
        if len(set(names)) == len(names):  # not even in two objects
            return None
    doubled: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                doubled.append(name)
            seen.add(name)

    json.loads(payload, object_pairs_hook=look)
    return doubled[0] if doubled else None
