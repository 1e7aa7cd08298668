"""Configuration: one TOML file per environment, a typed object per reader, all faults told at once.

A value can be overridden from the environment (``DENBUN_ROUTER__GROUP=…``: section and name parted by two underscores).
There is no default for what differs between environments.
"""

import os
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from schemas.plain_text import fault_in
from schemas.toml_files import TomlError, toml_in, toml_of

PREFIX = "DENBUN_"

M = TypeVar("M", bound=BaseModel)


class ConfigError(Exception):
    """The configuration cannot be used. The message lists every fault with its place and remedy, one per line."""


def load(model: type[M], path: Path, environment: dict[str, str] | None = None) -> M:
    """Read `path` as `model`. Raises `ConfigError`."""
    try:
        file = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}: name the configuration with --config") from error
    raw = read(file, str(path))
    override(raw, dict(os.environ) if environment is None else environment)
    return parse(model, raw, str(path), path.parent)


def read(file: bytes, source: str) -> dict[str, Any]:
    """The tables of a TOML file. Raises `ConfigError`."""
    try:
        return toml_of(file)
    except TomlError as error:
        raise ConfigError(f"{source}: {error}") from error


def parse(model: type[M], raw: dict[str, Any], source: str, folder: Path | None = None) -> M:
    """Validate `raw` as `model`; relative paths in it are meant from `folder`. Raises `ConfigError`."""
    try:
        return model.model_validate(raw, context={"folder": folder})
    except ValidationError as error:
        lines = []
        for fault in error.errors(include_url=False, include_input=False):
            place = ".".join(_plain(str(part)) for part in fault["loc"]) or "(whole file)"
            message = fault["msg"].removeprefix("Value error, ")
            if fault["type"] == "extra_forbidden":
                message = "unknown name: remove it or correct its spelling"
            elif fault["type"] == "missing":
                message = "missing: it has no default, give it a value"
            lines.append(f"{source}: {place}: {message}")
        raise ConfigError("\n".join(lines)) from None


def override(raw: dict[str, Any], environment: dict[str, str]) -> None:
    """Lay the environment's ``DENBUN_SECTION__NAME`` values over `raw`. Values are read as TOML, else as text."""
    for name, text in sorted(environment.items()):
        if not name.startswith(PREFIX) or "__" not in name:
            continue
        *sections, last = name.removeprefix(PREFIX).lower().split("__")
        place = raw
        for section in sections:
            inner = place.setdefault(section, {})
            if not isinstance(inner, dict):
                told = f"environment {_plain(name)}: {_plain(section)}"
                raise ConfigError(f"{told} is not a section, so nothing in it can be overridden")
            place = inner
        if (fault := fault_in(text, lines=True)) is not None:
            raise ConfigError(f"environment {_plain(name)}: {fault}: give it without")
        place[last] = _value(text)


def _value(text: str) -> Any:
    try:
        found = toml_in(f"value = {text}")
    except TomlError:
        return text
    return found["value"] if len(found) == 1 else text


def _plain(name: str) -> str:
    """A name as one line can hold it: TOML allows any character between quotation marks."""
    return name if name.isprintable() else ascii(name)
