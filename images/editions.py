"""Which layouts a document was made from: a fingerprint of their files."""

import hashlib
from pathlib import Path

from schemas.telegrams.files import place_of


def digest_of(layout: str | Path) -> str:
    """Twelve hexadecimal digits that differ whenever a layout file does. Raises `LayoutError`."""
    found = hashlib.sha256()
    for file in sorted(place_of(layout).iterdir(), key=lambda each: each.name):
        if file.name.endswith(".toml"):
            found.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return found.hexdigest()[:12]
