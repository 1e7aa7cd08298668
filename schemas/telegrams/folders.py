"""A partner's folder: its files, and its editions 版, each in a folder of its own with what changes.

    cafis/partner.toml, header.toml, fields.toml, sale_request.toml, …
    cafis/versions/2027-04-01/fields.toml, sale_request.toml

The files of an edition take the place of those before it, whole; but for ``fields.toml``, of which an edition says what
is new or changed, field by field. It holds from the business date on that its folder is named after.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import date
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NamedTuple

from schemas.near_names import meant, nearest
from schemas.telegrams.errors import Fault, LayoutError
from schemas.telegrams.files import FIELDS, HEADER, PARTNER, Faults, Table
from schemas.telegrams.roles import ENVELOPES, Role
from schemas.toml_files import TomlError, toml_of

VERSIONS = "versions"


class Folder(NamedTuple):
    """The tables of a partner's files that could be read, in one edition."""

    tables: Mapping[str, Table]  # by file
    names: frozenset[str]  # of the files, those too that could not be read
    own_fields: frozenset[str]  # those the edition itself defines

    @property
    def partner(self) -> Table | None:
        return self.tables.get(PARTNER)

    @property
    def header(self) -> Table | None:
        return self.tables.get(HEADER)

    @property
    def fields(self) -> Table:
        return self.tables.get(FIELDS, {})

    @property
    def telegrams(self) -> dict[Role, Table]:
        return {role: self.tables[f"{role.value}.toml"] for role in Role if f"{role.value}.toml" in self.tables}

    def origin(self, role: Role, name: str, keys: Collection[str]) -> str:
        """The file in which a telegram's field has one of these keys; without keys that of the telegram itself."""
        file = f"{role.value}.toml"
        entry = _fields_in(self.header or {}).get(name)
        if entry is None:
            entry = self._own_fields(self.tables.get(file, {})).get(name, {})
        else:
            file = HEADER
        known = name in _fields_in(self.fields)
        return FIELDS if known and keys and not any(key in entry for key in keys) else file

    def _own_fields(self, table: Table) -> dict[str, Table]:
        groups = table.get("groups")
        found = _fields_in(table)
        for group in groups if isinstance(groups, list) else ():
            found |= _fields_in(group) if isinstance(group, dict) else {}
        return found


def packaged() -> list[str]:
    """The names of the partners whose layouts come with the package."""
    return sorted(each.name for each in resources.files("schemas.telegrams").iterdir() if (each / PARTNER).is_file())


def place_of(partner: str | Path) -> Traversable:
    """The folder of a packaged partner by name, or of any by path. Raises `LayoutError` when there is none.

    A text is a name first: no folder that happens to lie here stands in for a packaged partner.
    """
    if isinstance(partner, Path):
        if partner.is_dir():
            return partner
        problem, remedy = "is not a directory", "give the directory that holds partner.toml"
        raise LayoutError(str(partner), [Fault(str(partner), None, problem, remedy)])
    if partner in packaged():
        return resources.files("schemas.telegrams") / partner
    if Path(partner).is_dir():
        return Path(partner)
    remedy = f"use one of: {', '.join(packaged())}; or give the path of a directory"
    raise LayoutError(partner, [Fault(partner, None, "no partner of this name comes with the package", remedy)])


class Version(NamedTuple):
    """A further edition's folder, and the business date (``YYYYMMDD``) it holds from."""

    since: str
    place: Traversable
    shown: str


def versions_in(place: Traversable, faults: Faults) -> Iterator[Version]:
    """The folders of a partner's further editions, the oldest first."""
    for name in sorted(each.name for each in place.iterdir() if each.is_dir() and each.name != VERSIONS):
        if nearest(name, [VERSIONS]):  # else its editions would never hold, and nobody would hear of it
            faults.add(name, None, "is not the folder of the editions", f"did you mean {VERSIONS}? Rename it")
    folder = place / VERSIONS
    if not folder.is_dir():
        return
    for each in sorted(folder.iterdir(), key=lambda each: each.name):
        if each.name.startswith("."):
            continue
        since = _date_in(each.name)
        if since is None or not each.is_dir():
            remedy = "name the folder of an edition after the business date it holds from, as in 2027-04-01"
            faults.add(f"{VERSIONS}/{each.name}", None, "is not the folder of an edition", remedy)
            continue
        yield Version(since, each, f"{place.name}/{VERSIONS}/{each.name}")


def _date_in(name: str) -> str | None:
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", name, re.ASCII) is None:
        return None
    try:
        return date.fromisoformat(name).strftime("%Y%m%d")
    except ValueError:
        return None


def read_folder(place: Traversable, faults: Faults, before: Folder | None = None) -> Folder:
    """All layout files of a folder; `before`: of the edition that this one changes."""
    read = _read(place, faults)
    own = {name for name in read if name in _EXPECTED}
    if before is not None and not own:
        remedy = "add the files that change, or take its folder away"
        faults.put(Fault(faults.folder, None, "the edition changes nothing", remedy))
    names = own | (before.names if before is not None else set())
    _say_missing(names, faults)
    tables = {name: table for name, table in read.items() if table is not None}
    own_fields = frozenset(_fields_in(tables.get(FIELDS, {})))
    for field in own_fields:
        faults.stands(FIELDS, field, faults.folder)
    if before is not None:
        if FIELDS in tables and isinstance(tables[FIELDS].get("fields"), list):
            kept = [each for name, each in _fields_in(before.fields).items() if name not in own_fields]
            tables[FIELDS] = {**tables[FIELDS], "fields": [*kept, *tables[FIELDS]["fields"]]}
        tables = {**before.tables, **tables}
    return Folder(tables, frozenset(names), own_fields)


_EXPECTED = (PARTNER, HEADER, FIELDS, *(f"{role.value}.toml" for role in Role))


def _read(place: Traversable, faults: Faults) -> dict[str, Table | None]:
    """The files of one folder; None for one that could not be read."""
    tables: dict[str, Table | None] = {}
    for name in sorted(each.name for each in place.iterdir() if each.name.endswith(".toml")):
        tables[name] = None
        faults.stands(name, None, faults.folder)
        if name not in _EXPECTED:
            remedy = "name a telegram's file after its role (schemas/telegrams/roles.py), or take it away"
            remedy = meant(name, _EXPECTED, remedy)
            faults.add(name, None, "is the file of no role", remedy)
            continue
        try:
            tables[name] = toml_of((place / name).read_bytes())
        except TomlError as error:
            faults.unreadable.add(name)
            faults.add(name, None, error.problem, error.remedy)
    return tables


def _say_missing(names: set[str] | frozenset[str], faults: Faults) -> None:
    envelopes = [f"{role.value}.toml" for role in ENVELOPES]
    optional = [FIELDS, *(() if any(name in names for name in envelopes) else envelopes)]
    for name in _EXPECTED:
        if name not in names and name not in optional:
            remedy = "with the other envelope it makes a pair" if name in envelopes else "every partner needs it"
            faults.add(name, None, "the file is missing", remedy)


def _fields_in(table: Table) -> dict[str, Table]:
    """The fields of a ``fields.toml`` by name; others tell what is wrong with it."""
    entries = table.get("fields")
    found = [each for each in entries if isinstance(each, dict)] if isinstance(entries, list) else []
    return {str(each.get("name")): each for each in found}
