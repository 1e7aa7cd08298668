"""A record is read as it was written; what is none is refused with its place and the remedy."""

from pathlib import Path

import msgspec
import pytest
from images_rig import record_of, usual

from images.record import RecordError, read_record, write_record


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    record = record_of(usual("cafis").part(), usual("cardnet").part())
    write_record(record, tmp_path / "record.json")
    assert read_record(tmp_path / "record.json") == record


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "name a record that `denbun images` has written"),
        (b"{", "is no record: "),
        (b"\xff", "is no record: "),
        (b'{"format": 1}', "missing required field"),
    ],
)
def test_what_is_no_record_is_refused(tmp_path: Path, content: bytes | None, told: str) -> None:
    file = tmp_path / "record.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(RecordError) as caught:
        read_record(file)
    assert str(caught.value).startswith(str(file))
    assert told in str(caught.value)


def test_a_record_of_another_format_is_refused(tmp_path: Path) -> None:
    write_record(msgspec.structs.replace(record_of(), format=99), tmp_path / "r.json")
    with pytest.raises(RecordError, match="has format 99, this version reads 1: record anew"):
        read_record(tmp_path / "r.json")
