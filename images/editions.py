"""Which layouts a document was made from: a fingerprint of their files."""

import hashlib
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path

from schemas.telegrams.folders import place_of


def digest_of(layout: str | Path) -> str:
    """Twelve hexadecimal digits that differ whenever a layout file does. Raises `LayoutError`."""
    found = hashlib.sha256()
    for place, content in _files(place_of(layout), ""):
        found.update(place.encode() + b"\0" + content + b"\0")
    return found.hexdigest()[:12]


def _files(folder: Traversable, place: str) -> Iterator[tuple[str, bytes]]:
    """Each layout file, those of later editions in folders of their own included, in one order on all machines."""
    for each in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if each.is_dir():
            yield from _files(each, f"{place}{each.name}/")
        elif each.name.endswith(".toml"):
            yield f"{place}{each.name}", each.read_bytes()
