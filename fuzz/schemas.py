"""A record on the topic of schemas, and behind a zero byte a value that is said to be written with it.

What must hold: a schema is learned, or refused in one line that quotes nothing of it; what was learned reads any bytes
as a record or refuses them; and what was known before is known after.
"""

import re

from fuzz.records import Lying
from schemas import wire
from schemas.schema_form import read_schema

_TOLD = re.compile(r"[^\r\n]{1,400}")
_NO_PRINT = b"0123456789abcdef"


def schemas(data: bytes) -> None:
    """One schema, and one value."""
    text, _, value = data.partition(b"\0")
    print_, known = _print_of(text), dict(wire._BY_HEADER)
    try:
        try:
            wire.learn(print_, text)
        except ValueError as error:
            assert _TOLD.fullmatch(str(error)), "the text of an error is not one line"
            assert known == wire._BY_HEADER, "what was refused was learned"
            return
        assert wire._BY_HEADER.items() >= known.items(), "what was known is not known any more"
        if print_ in wire._BY_HEADER:
            _read(Lying(value, ((wire.HEADER, print_),)))
    finally:
        wire._BY_HEADER.clear()
        wire._BY_HEADER.update(known)


def _print_of(text: bytes) -> bytes:
    try:
        return wire.fingerprint_of(read_schema(text)).encode()
    except ValueError:
        return _NO_PRINT


def _read(message: Lying) -> None:
    try:
        record = wire.decode(message)
    except wire.RecordError as error:
        assert error.__cause__ is None, "a library's error is told, which may quote the record"
        return
    encoded = wire.encode(record)
    assert wire.decode(Lying(encoded.value, encoded.headers)) == record, "a record that was read is written otherwise"
