"""Records on a topic: a line with the record's name (or any other header, or none), then the value.

What must hold: only `RecordError` comes out, and it names the place and not the content; what is read can be written
and read again, to the same record.
"""

import re
from typing import NamedTuple

from schemas import wire

_HEADERS = {
    wire.RECORDS[written.record].__name__.encode(): mark for mark, written in wire._BY_HEADER.items() if written.current
}
_TOLD = re.compile(r"record dev-requests/3@4711 [^\r\n]{1,400}")


class Lying(NamedTuple):
    """A message as it lies on a topic."""

    value: bytes | None
    headers: wire.Headers
    topic: str = "dev-requests"
    partition: int = 3
    offset: int = 4711


def records(data: bytes) -> None:
    """One record."""
    name, parted, value = data.partition(b"\n")
    headers = ((wire.HEADER, _HEADERS.get(name, name)),) if name else ()
    message = Lying(value if parted else None, headers)
    try:
        record = wire.decode(message)
    except wire.RecordError as error:
        assert _TOLD.fullmatch(str(error)), "the text of an error is not one line about the record's place"
        assert error.__cause__ is None, "a library's error is told, which may quote the record"
        return
    encoded = wire.encode(record)
    assert wire.decode(Lying(encoded.value, encoded.headers)) == record, "a record that was read is written otherwise"
    assert len(encoded.value) <= len(value), "a record became longer: two readings of the same bytes"
    for damaged in (encoded.value + b"\0", encoded.value[:-1]):
        assert _is_refused(Lying(damaged, encoded.headers)), "a record that is too long or too short is read"


def _is_refused(message: Lying) -> bool:
    try:
        wire.decode(message)
    except wire.RecordError:
        return True
    return False
