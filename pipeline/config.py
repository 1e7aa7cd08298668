"""Configuration: one TOML file per environment, a typed object per reader, all faults told at once.

A value can be overridden from the environment (``DENBUN_ROUTER__GROUP=…``: section and name parted by two underscores;
``DENBUN_LOG_LEVEL=…`` for what stands in no section). There is no default for what differs between environments.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

PREFIX = "DENBUN_"
TOOLS = frozenset({
    "DENBUN_CARD", "DENBUN_CLOCK_SHIFT_FILE", "DENBUN_CONFIG", "DENBUN_CRASH_AT", "DENBUN_CRASH_ONCE_FILE",
    "DENBUN_OPERATOR", "DENBUN_SIMULATOR", "DENBUN_TOKEN", "DENBUN_TZ", "DENBUN_VERSION",
})  # fmt: skip
"""Variables that are read elsewhere, and are no part of a configuration."""

# Kubernetes gives every container the addresses of the services about it, also of those whose names begin with ours.
_KUBERNETES = re.compile(r"_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?$")

# Of a file that is not UTF-8, and beside its own TOMLDecodeError tomllib's for a number of thousands of digits; the
# other one for thousands of brackets.
_NOT_TOML = (ValueError, RecursionError)

M = TypeVar("M", bound=BaseModel)


class ConfigError(Exception):
    """The configuration cannot be used. The message lists every fault with its place and remedy, one per line."""


def load(model: type[M], path: Path, environment: dict[str, str] | None = None) -> M:
    """Read `path` as `model`. Raises `ConfigError`."""
    try:
        file = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}: name the configuration with --config") from error
    raw, given = read(file, str(path)), dict(os.environ) if environment is None else environment
    plain = {name for name, field in model.model_fields.items() if not _is_section(field)}
    _refuse_unknown(given, model, plain)
    overridden = override(raw, given, plain)
    return parse(model, raw, str(path), path.parent, overridden)


def read(file: bytes, source: str) -> dict[str, Any]:
    """The tables of a TOML file. Raises `ConfigError`."""
    try:
        return tomllib.loads(file.decode())
    except _NOT_TOML as error:
        raise ConfigError(f"{source}: not TOML: {error}") from error


def parse(
    model: type[M], raw: dict[str, Any], source: str, folder: Path | None = None,
    overridden: Mapping[str, str] | None = None,
) -> M:  # fmt: skip
    """Validate `raw` as `model`; relative paths in it are meant from `folder`. Raises `ConfigError`.

    `overridden`: as `override` gives it.
    """
    try:
        return model.model_validate(raw, context={"folder": folder})
    except ValidationError as error:
        lines, faults = [], error.errors(include_url=False, include_input=False)
        within = {fault["loc"][:1] for fault in faults if fault["loc"][1:]}
        for fault in faults:
            if fault["type"] == "too_short" and fault["loc"] in within:
                continue  # what is there is faulty, and is not counted for that
            loc = [str(part) for part in fault["loc"]]
            place = ".".join(map(_plain, loc)) or "(whole file)"
            if (variable := (overridden or {}).get(".".join(loc))) is not None:
                place += f" (environment {_plain(variable)})"
            lines.append(f"{source}: {place}: {_message(model, fault['type'], loc, fault['msg'])}")
        raise ConfigError("\n".join(lines)) from None


def _message(model: type[BaseModel], kind: str, loc: list[str], said: str) -> str:
    """What is wrong, and what to do about it."""
    field = model.model_fields.get(loc[0]) if len(loc) == 1 else None
    if field is not None and _is_section(field) and kind in _NO_TABLE:
        name = f"[[{loc[0]}]]" if field.examples else f"[{loc[0]}]"
        example = f", as {field.examples[0]}" if field.examples else ""
        return f"{_NO_TABLE[kind].format(name)}{example}"
    return _PLAINLY.get(kind, said.removeprefix("Value error, "))


_PLAINLY = {
    "extra_forbidden": "unknown name: remove it or correct its spelling",
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


def _is_section(field: FieldInfo) -> bool:
    """Whether it is a table, or a list of such, which tells by its example how one is written."""
    return bool(field.examples) or (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel))


def _refuse_unknown(environment: Mapping[str, str], model: type[BaseModel], plain: Iterable[str]) -> None:
    """Raise `ConfigError` for a variable of ours that nothing reads: it is most likely misspelt."""
    settings = {f"{PREFIX}{name.upper()}" for name in plain}
    sections = {
        f"{PREFIX}{name}__{inner}".upper()
        for name, field in model.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        for inner in field.annotation.model_fields
    }
    lines = []
    for name in sorted(environment):
        if not name.startswith(PREFIX) or "__" in name or name in settings | TOOLS or _KUBERNETES.search(name):
            continue
        near = get_close_matches(name, sorted(settings | TOOLS | sections), n=2, cutoff=0.8)
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        known = ", ".join(sorted(settings | TOOLS))
        lines.append(
            f"environment {_plain(name)}: no such variable: {meant}unset it or correct it; known: {known}, and "
            f"{PREFIX}SECTION__NAME for a value in a section of the file"
        )
    if lines:
        raise ConfigError("\n".join(lines))


def override(raw: dict[str, Any], environment: Mapping[str, str], plain: Iterable[str] = ()) -> dict[str, str]:
    """Lay the environment's ``DENBUN_SECTION__NAME`` values over `raw`, and ``DENBUN_…`` alone for the `plain` names.

    Values are read as TOML, else as text. Gives for each place, as ``section.name``, the variable it came from.
    """
    overridden, names = {}, set(plain)
    for name, text in sorted(environment.items()):
        if not name.startswith(PREFIX):
            continue
        *sections, last = name.removeprefix(PREFIX).lower().split("__")
        if not sections and last not in names:
            continue
        overridden[".".join((*sections, last))] = name
        place = raw
        for section in sections:
            inner = place.setdefault(section, {})
            if not isinstance(inner, dict):
                told = f"environment {_plain(name)}: {_plain(section)}"
                raise ConfigError(f"{told} is not a section, so nothing in it can be overridden")
            place = inner
        place[last] = _value(text)
    return overridden


def _value(text: str) -> Any:
    try:
        found = tomllib.loads(f"value = {text}")
    except _NOT_TOML:
        return text
    return found["value"] if len(found) == 1 else text


def _plain(name: str) -> str:
    """A name as one line can hold it: TOML allows any character between quotation marks."""
    return name if name.isprintable() else ascii(name)
