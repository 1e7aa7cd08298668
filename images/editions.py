"""Which layouts a document is about: their edition 版, and a fingerprint of their files."""

import datetime as dt
import hashlib
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path

from schemas.telegrams import PartnerSpec, load_partner
from schemas.telegrams.folders import place_of


class VersionError(ValueError):
    """A text names no version of layouts. The message says how to write one."""


def version_of(text: str) -> PartnerSpec:
    """Layouts as a command names them: a packaged partner or a folder, and behind ``@`` the day an edition holds on.

    ``cafis``, ``my-layouts``, ``cafis@2027-04-01``; without a day the edition of today. Raises `VersionError`,
    `LayoutError`.
    """
    place, mark, day = text.rpartition("@")
    if not mark:
        return load_partner(text)
    try:
        on = dt.date.fromisoformat(day)
    except ValueError:
        raise VersionError(f"{text}: {day or 'nothing'} is no day: write it as {place}@2027-04-01") from None
    return load_partner(place, f"{on:%Y%m%d}")


def place_named(text: str) -> str:
    """The folder or partner in such a text."""
    return text.rpartition("@")[0] or text


def edition_text(partner: PartnerSpec) -> str:
    """From when on an edition holds, in Japanese."""
    since = partner.since
    return "初版" if since is None else f"{since[:4]}-{since[4:6]}-{since[6:]} からの版"


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
