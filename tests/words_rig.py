"""What a library says of wrong input today: its words change with its versions, so no test writes them down."""

from typing import Any

import msgspec


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
