"""Writes records in Avro's binary form (Avro specification, "Binary Encoding"), by a plan made once from the schema.

A payment writes nine records. fastavro finds out anew for each value which branch of a union it belongs to; a plan has
but one that is not null, and takes a third of the time. The bytes are fastavro's, to which a test holds it; whatever is
read is read with fastavro.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

Write = Callable[[Any], bytes]

_NULL, _SOME = b"\x00", b"\x02"  # the branches of ["null", X]
_CACHED = 4_096  # lengths and small numbers, and the times of the last moments


@lru_cache(_CACHED)
def _long(value: int) -> bytes:
    """Zigzag, then seven bits a byte, the least first. Raises `OverflowError` beyond 64 bits."""
    left = (value << 1) ^ (value >> 63)
    if left >> 64:
        raise OverflowError(f"{value.bit_length()} bits where Avro's long has 64")
    written = bytearray()
    while left > 0x7F:
        written.append(left & 0x7F | 0x80)
        left >>= 7
    written.append(left)
    return bytes(written)


def _string(value: str) -> bytes:
    data = value.encode()
    return _long(len(data)) + data


def _string_or_null(value: str | None) -> bytes:
    if value is None:
        return _NULL
    data = value.encode()
    return _SOME + _long(len(data)) + data


def _bytes(value: bytes) -> bytes:
    return _long(len(value)) + value


def _boolean(value: bool) -> bytes:
    return b"\x01" if value else b"\x00"


def _or_null(write: Write) -> Write:
    def written(value: Any) -> bytes:
        return _NULL if value is None else _SOME + write(value)

    return written


def plan_of(schema: Any, known: dict[str, Write] | None = None) -> Write:
    """How a value of this schema (as `fastavro.parse_schema` gives it) is written; records by their attributes.

    Raises `TypeError` for a form that no record of ours has.
    """
    named = {} if known is None else known
    if isinstance(schema, list) and len(schema) == 2 and schema[0] == "null":
        inner = plan_of(schema[1], named)
        return _string_or_null if inner is _string else _or_null(inner)
    if isinstance(schema, str) and (write := _PRIMITIVES.get(schema) or named.get(schema)) is not None:
        return write
    if isinstance(schema, dict) and schema["type"] == "record":
        write = _record([(field["name"], plan_of(field["type"], named)) for field in schema["fields"]])
        named[schema["name"]] = write
        return write
    raise TypeError(f"no record holds a value of the form {schema!r}")


def _record(fields: Sequence[tuple[str, Write]]) -> Write:
    names, writes = [name for name, _ in fields], [write for _, write in fields]
    assert len(names) > 1  # of one name, attrgetter gives no tuple
    values_of, join = attrgetter(*names), b"".join

    def written(record: Any) -> bytes:
        return join([write(value) for write, value in zip(writes, values_of(record), strict=True)])

    return written


_PRIMITIVES: dict[str, Write] = {"string": _string, "long": _long, "bytes": _bytes, "boolean": _boolean}
