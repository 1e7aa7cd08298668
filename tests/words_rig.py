"""What a library says of wrong input today: its words change with its versions, so no test writes them down."""

from typing import Any

import msgspec
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails


def unfit(kind: Any, raw: object) -> str:
    """msgspec's words on `raw`, which is no `kind`; as our messages hold them, with the remedy."""
    try:
        msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        return f"{error}: correct it"
    raise AssertionError(raw)


def no_object(data: bytes) -> str:
    """msgspec's words on bytes that are no JSON object."""
    try:
        msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return str(error)
    raise AssertionError(data)


def out_of(kind: Any, raw: object) -> str:
    """pydantic's words on `raw`, which is no `kind`."""
    try:
        TypeAdapter(kind).validate_python(raw)
    except ValidationError as error:
        return error.errors()[0]["msg"]
    raise AssertionError(raw)


def ours(fault: ErrorDetails) -> str:
    """Our words in a fault that pydantic tells; of a rule of its own the rule's name."""
    return str(fault["ctx"]["error"]) if fault["type"] == "value_error" else fault["type"]
