"""CAFIS with a second edition, from 1 April 2026 on, that changes what is easily taken for the old one.

Its sale request has another type code and one field more; in its sale report two codes of one length have changed places, and
in its 8930 the numbers of the original, under the same type codes and of the same lengths as before.
"""

import shutil
from pathlib import Path

import schemas.telegrams

PACKAGE = Path(schemas.telegrams.__file__).parent
SINCE, FOLDER = "20260401", "2026-04-01"
BEFORE = "20260331"

CHANNEL = """[[fields]]
name = "channel"
japanese = "取引経路区分"
english = "Channel"
type = "digits"
length = 2
encoding = "ascii"
sensitivity = "none"
sample = "01"
meaning = "By which way the holder paid."
assumption = true
"""


def write_editions(where: Path) -> Path:
    """Its folder, below `where`."""
    place = Path(shutil.copytree(PACKAGE / "cafis", where / "cafis"))
    edition = place / "versions" / FOLDER
    edition.mkdir(parents=True)
    (edition / "fields.toml").write_text(CHANNEL, "utf-8")
    for name, changes in CHANGES.items():
        text = (place / name).read_text("utf-8")
        for old, new in changes:
            assert old in text, f"{name} no longer holds {old!r}"
            text = text.replace(old, new)
        (edition / name).write_text(text, "utf-8")
    return place


CHANGES: dict[str, list[tuple[str, str]]] = {
    "sale_request.toml": [
        ('type_code = "1110"', 'type_code = "1115"'),
        ("length = 193", "length = 195"),
        (
            'name = "reference",      offset = 161, required = false },\n',
            'name = "reference",      offset = 161, required = false },\n'
            '  { number = "13", name = "channel",        offset = 193, required = false },\n',
        ),
    ],
    "sale_report.toml": [
        ('number = "3", name = "result_code",   offset = 57', 'number = "5", name = "error_code", offset = 57'),
        ('number = "5", name = "error_code",    offset = 67', 'number = "3", name = "result_code", offset = 67'),
        ('offset = 57, required = true', 'offset = 57, required = false'),
        ('offset = 67, required = false', 'offset = 67, required = true'),
    ],
    "fault_confirm.toml": [
        (
            '  { number = "2", name = "original_type_code",     offset = 49, required = true },\n'
            '  { number = "3", name = "original_trace_number",  offset = 53, required = true },\n',
            '  { number = "2", name = "original_trace_number",  offset = 49, required = true },\n'
            '  { number = "3", name = "original_type_code",     offset = 55, required = true },\n',
        ),
    ],
}  # fmt: skip
