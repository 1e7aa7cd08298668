"""CAFIS with a second edition, from 1 April 2026 on, that changes what is easily taken for the old one.

Its sale request has another type code and one field more; in its sale report two codes of one length have changed
places, and in its 8930 the numbers of the original, under the same type codes and of the same lengths as before.
"""

import shutil
from pathlib import Path

import schemas.telegrams

PACKAGE = Path(schemas.telegrams.__file__).parent
CHANGED = Path(__file__).with_name("changed_cafis")
SINCE, FOLDER = "20260401", "2026-04-01"
BEFORE = "20260331"


def write_editions(where: Path) -> Path:
    """Its folder, below `where`."""
    place = Path(shutil.copytree(PACKAGE / "cafis", where / "cafis"))
    shutil.copytree(CHANGED, place / "versions" / FOLDER)
    return place
