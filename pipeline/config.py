"""Configuration: one TOML file per environment, a typed object per reader, all faults told at once.

A value can be overridden from the environment (``DENBUN_ROUTER__GROUP=…``: section and name parted by two underscores;
``DENBUN_LOG_LEVEL=…``: a name at the top of the file). There is no default for what differs between environments.
"""

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from pipeline.environment import PREFIX, strange
from schemas.near_names import meant, nearest
from schemas.plain_text import fault_in
from schemas.toml_files import TomlError, toml_in, toml_of

M = TypeVar("M", bound=BaseModel)
Origins = dict[tuple[int | str, ...], str]
"""Where in the tables something came from the environment, and by which variable."""


class ConfigError(Exception):
    """The configuration cannot be used. The message lists every fault with its place and remedy, one per line."""


def load(model: type[M], path: Path, environment: Mapping[str, str] | None = None) -> M:
    """Read `path` as `model`. Raises `ConfigError`."""
    try:
        file = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}: name the configuration with --config") from error
    raw = read(file, str(path))
    environment = os.environ if environment is None else environment
    check_environment(model, environment)
    origins = override(raw, environment, [name for name in variables(model) if "__" not in name])
    return parse(model, raw, str(path), path.parent, origins)


def read(file: bytes, source: str) -> dict[str, Any]:
    """The tables of a TOML file. Raises `ConfigError`."""
    try:
        return toml_of(file)
    except TomlError as error:
        raise ConfigError(f"{source}: {error}") from error


def parse(
    model: type[M], raw: dict[str, Any], source: str, folder: Path | None = None, origins: Origins | None = None
) -> M:  # fmt: skip
    """Validate `raw` as `model`; relative paths in it are meant from `folder`. Raises `ConfigError`."""
    try:
        return model.model_validate(raw, context={"folder": folder})
    except ValidationError as error:
        lines, faults = [], error.errors(include_url=False, include_input=False)
        within = {fault["loc"][:1] for fault in faults if fault["loc"][1:]}
        for fault in faults:
            if fault["type"] == "too_short" and fault["loc"] in within:
                continue  # what is there is faulty, and is not counted for that
            place = ".".join(_plain(str(part)) for part in fault["loc"]) or "(whole file)"
            where = _origin(fault["loc"], origins or {}) if fault["type"] != "missing" else None
            said = str(fault["ctx"]["error"]) if fault["type"] == "value_error" else fault["msg"]
            message = _message(model, fault["type"], fault["loc"], said)
            lines.append(f"{where or source}: {place}: {message}")
        raise ConfigError("\n".join(lines)) from None


_PLAINLY = {
    "missing": "missing: it has no default, give it a value",
    "tuple_type": "is no list: write it in brackets, as [1, 2]",
    "dict_type": "is no table: write it in braces, as { name = 1 }",
    "model_type": "is no table: write it in braces, as { name = 1 }",
}
_NO_TABLE = {
    "missing": "there is no {0} table: add one",
    "too_short": "there is no {0} table: add one",
    "tuple_type": "is no list of tables: write {0}, in double brackets",
    "model_type": "is no table: write {0} on a line of its own, and what belongs to it below",
}


def _message(model: type[BaseModel], kind: str, place: tuple[int | str, ...], said: str) -> str:
    """What is wrong, and what to do about it."""
    if kind == "extra_forbidden":
        return _unknown(model, place)
    table = next((each for each in tables(model) if each.path == place), None)
    if table is not None and len(place) == 1 and kind in _NO_TABLE:
        examples = model.model_fields[table.path[0]].examples
        return _NO_TABLE[kind].format(table.title) + (f", as {examples[0]}" if examples else "")
    return _PLAINLY.get(kind, said)


# --- the environment ------------------------------------------------------------------------------------------------


def check_environment(model: type[BaseModel], environment: Mapping[str, str]) -> None:
    """Whether every variable of ours is read by somebody. Raises `ConfigError`."""
    if faults := list(strange(environment, variables(model))):
        raise ConfigError("\n".join(faults))


def variables(model: type[BaseModel]) -> list[str]:
    """The variables that override a name of the file: those in no list of sections."""
    found = []
    for table in tables(model):
        if table.single:
            inner = {part for other in tables(model) for part in other.path[len(table.path) :][:1]}
            names = [name for name in table.model.model_fields if name not in inner]
            found += [PREFIX + "__".join((*table.path, name)).upper() for name in names]
    return found


def override(raw: dict[str, Any], environment: Mapping[str, str], top: Collection[str] = ()) -> Origins:
    """Lay the environment's values over `raw`, read as TOML or else as text. `top`: those outside of any section."""
    origins: Origins = {}
    for name, text in sorted(environment.items()):
        *sections, last = name.removeprefix(PREFIX).lower().split("__")
        if not name.startswith(PREFIX) or not (sections or name in top):
            continue
        place, path = raw, tuple[str, ...]()
        for section in sections:
            path = (*path, section)
            if section not in place:
                origins[path] = name
            inner = place.setdefault(section, {})
            if not isinstance(inner, dict):
                told = f"environment {_plain(name)}: {_plain(section)}"
                raise ConfigError(f"{told} is not a section, so nothing in it can be overridden")
            place = inner
        if (fault := fault_in(text, lines=True)) is not None:
            raise ConfigError(f"environment {_plain(name)}: {fault}: give it without")
        place[last] = _value(text)
        origins[*path, last] = name
    return origins


def _value(text: str) -> Any:
    try:
        found = toml_in(f"value = {text}")
    except TomlError:
        return text
    return found["value"] if len(found) == 1 else text


def _origin(place: tuple[int | str, ...], origins: Origins) -> str | None:
    """The variable that this place, or what holds it, came from."""
    found = next((origins[place[:end]] for end in range(len(place), 0, -1) if place[:end] in origins), None)
    return None if found is None else f"environment {_plain(found)}"


# --- the tables -----------------------------------------------------------------------------------------------------


class TableOf(NamedTuple):
    """A table of the file: where it stands, its type, and whether there is at most one."""

    path: tuple[str, ...]
    model: type[BaseModel]
    single: bool
    listed: bool  # one of several: [[…]]

    @property
    def title(self) -> str:
        """As the file writes it."""
        name = ".".join(self.path)
        return (
            f"[[{name}]]" if self.listed else f"[{name}]" if name else "the top of the file, before its first section"
        )


def tables(model: type[BaseModel]) -> Iterator[TableOf]:
    """All tables that a file may have, the file itself first."""
    yield from _tables(TableOf((), model, single=True, listed=False))


def _tables(table: TableOf) -> Iterator[TableOf]:
    yield table
    for name, field in table.model.model_fields.items():
        kinds = (field.annotation, *get_args(field.annotation))
        inner = next((each for each in kinds if isinstance(each, type) and issubclass(each, BaseModel)), None)
        if inner is not None:
            listed = Ellipsis in kinds
            yield from _tables(TableOf((*table.path, name), inner, table.single and not listed, listed))


def _unknown(model: type[BaseModel], place: tuple[int | str, ...]) -> str:
    """What is said of a name that its table does not have."""
    name, path = str(place[-1]), tuple(part for part in place[:-1] if isinstance(part, str))
    every = list(tables(model))
    known = next((table.model.model_fields for table in every if table.path == path), {})
    elsewhere = [table.title for table in every if name in table.model.model_fields]
    if not elsewhere:
        return f"unknown name: {meant(_plain(name), known)}"
    near = nearest(name, known)
    also = f"; or did you mean {' or '.join(near)}?" if near else ""
    return f"unknown name: it belongs to {' or '.join(elsewhere)}{also}"


def _plain(name: str) -> str:
    """A name as one line can hold it: TOML allows any character between quotation marks."""
    return name if name.isprintable() else ascii(name)
