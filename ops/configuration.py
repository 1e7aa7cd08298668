"""Every name that configures denbun, printed from the types: ``python -m ops.configuration``.

The installation's file, variables of the environment, and arguments of the services. What a name means stands where it
is defined; what follows when a wait is over, in `schemas.timeouts`.
"""

import argparse
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from egress.__main__ import add_arguments as of_egress
from ingress.__main__ import add_arguments as of_ingress
from pipeline.config import tables
from pipeline.environment import VARIABLES
from schemas.installation import Installation
from schemas.timeouts import TABLE
from simulator.__main__ import parser_of as parser_of_simulator
from wiring import parser_of

SERVICES = ("ingress", "router", "egress", "faults")
_ALL = "all"

READERS: Mapping[str, tuple[str, ...]] = {
    "": (_ALL,),
    "kafka": (_ALL,),
    "keys": (_ALL,),
    "keys.ring": ("ingress", "egress"),
    "ingress": ("ingress",),
    "ingress.slots": (_ALL,),
    "router": ("router",),
    "router.confirm_ms": ("ingress", "router"),
    "egress": ("egress",),
    "faults": ("faults",),
    "partner.name": (_ALL,),
    "partner.telegrams": ("ingress", "egress", "faults"),
    "partner.send_window_ms": ("router",),
    "partner.report_timeout_ms": ("router",),
    "partner.sessions_max": (),
    "partner.cancel": ("faults",),
    "partner.breaker": ("egress",),
    "line": ("egress",),
    "line.name": (_ALL,),
    "line.partner": ("router", "egress"),
    "line.carries.partner": ("router", "egress"),
    "customer": ("ingress", "router"),
    "customer.token_sha256": ("ingress",),
}
"""Which services read a name, or all the names of a section; the longest that fits counts. None: it is only checked."""

_UNITS = (("_ms", "ms"), ("_bytes", "bytes"), ("_per_minute", "a minute"))


def markdown() -> str:
    """The whole reference, from its first heading on."""
    lines = ["## The file"]
    for heading, rows in sections():
        head = ["| name | meaning | unit | range | default | read by |", "|---|---|---|---|---|---|"]
        lines += ["", *heading, "", *head, *(f"| {' | '.join(row)} |" for row in rows)]
    lines += ["", "## The environment", "", "| variable | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {meaning} |" for name, meaning in VARIABLES.items()]
    lines += ["", "## The services' arguments"]
    for title, parser in parsers():
        lines += ["", f"### {title}", "", "| argument | meaning | default |", "|---|---|---|"]
        lines += [f"| {' | '.join(row)} |" for row in _arguments(parser)]
    return "\n".join(lines) + "\n"


# --- the file -------------------------------------------------------------------------------------------------------


def sections() -> Iterator[tuple[list[str], list[tuple[str, ...]]]]:
    """Each table of the file: its heading and what it is, and a row for each name."""
    schema = Installation.model_json_schema()
    known = schema["$defs"]
    for table in tables(Installation):
        properties = table.model.model_json_schema()["properties"]
        inner = {other.path[-1] for other in tables(Installation) if other.path[:-1] == table.path and other.path}
        heading = [f"### {f'`{table.title}`' if table.path else 'The top of the file'}"]
        if table.path and (says := table.model.__doc__):
            heading += ["", "\n".join(line.strip() for line in says.strip().splitlines())]
        required = table.model.model_json_schema().get("required", [])
        rows = [
            _row((*table.path, name), found, known, name in required)
            for name, found in properties.items()
            if name not in inner
        ]
        yield heading, rows


def _row(path: tuple[str, ...], found: Mapping[str, Any], known: Mapping[str, Any], needed: bool) -> tuple[str, ...]:
    name, dotted = path[-1], ".".join(path)
    says = found.get("description", "")
    then = next((wait.then for wait in TABLE if wait.name == dotted), None)
    meaning = "; ".join(filter(None, (says, then and f"when it passes: {then}")))
    unit = next((unit for end, unit in _UNITS if name.endswith(end)), "")
    default = "none: give it" if needed else _value(found.get("default"))
    return f"`{name}`", meaning, unit, _range(found, known), default, ", ".join(readers(dotted)) or "–"


def readers(dotted: str) -> tuple[str, ...]:
    """The services that read this name."""
    parts = dotted.split(".")
    return next(
        READERS[key] for end in range(len(parts), -1, -1) if (key := ".".join(parts[:end])) in READERS
    )  # fmt: skip


def _range(found: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    """What a value may be, by its JSON schema."""
    if "$ref" in found:
        return _range(known[found["$ref"].rpartition("/")[2]], known)
    if "anyOf" in found:
        return next(_range(each, known) for each in found["anyOf"] if each.get("type") != "null")
    if "enum" in found or "const" in found:
        return ", ".join(_value(each) for each in found.get("enum", [found.get("const")]))
    match found["type"]:
        case "boolean":
            return "`true`, `false`"
        case "integer":
            least, most = found.get("minimum", "any"), found.get("maximum")
            return f"{least} or more" if most is None else f"{least} to {most}"
        case "array" if "prefixItems" in found:
            return f"{len(found['prefixItems'])} of: {_range(found['prefixItems'][0], known)}"
        case "array":
            return f"list of {_range(found['items'], known)}"
        case "object":
            names = _range(found["propertyNames"], known) if "propertyNames" in found else "text"
            return f"table of {names}: {_range(found['additionalProperties'], known)}"
        case _:
            return _text_range(found)


def _text_range(found: Mapping[str, Any]) -> str:
    if "pattern" in found:
        return f"`{found['pattern']}`"
    return {"path": "path, from the file's folder", "ipvanynetwork": "addresses, networks"}.get(
        found.get("format", ""), "text, not empty" if found.get("minLength") else "text"
    )


def _value(value: object) -> str:
    match value:
        case None:
            return "left out"
        case bool():
            return f"`{str(value).lower()}`"
        case str():
            return f'`"{value}"`'
        case list():
            return f"`{value}`"
        case dict():
            return "`{}`"
        case _:
            return str(value)


# --- arguments ------------------------------------------------------------------------------------------------------


def parsers() -> Iterable[tuple[str, argparse.ArgumentParser]]:
    """What each service is started with."""
    yield "All four services", parser_of("SERVICE")
    yield "`denbun run ingress`, beside these", _own("ingress", of_ingress)
    yield "`denbun run egress`, beside these", _own("egress", of_egress)
    yield "`denbun run simulator`, a centre, which has these alone", parser_of_simulator()


def _own(service: str, add: Any) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"denbun run {service}")
    add(parser)
    return parser


def _arguments(parser: argparse.ArgumentParser) -> Iterator[tuple[str, ...]]:
    for action in parser._actions:  # noqa: SLF001  argparse tells of them in no other way
        if isinstance(action, argparse._HelpAction):  # noqa: SLF001  as above
            continue
        takes = "" if action.nargs == 0 else f" {action.metavar or action.dest.upper()}"
        default = "required" if action.required else _default(action)
        yield f"`{action.option_strings[0]}{takes}`", str(action.help), default


def _default(action: argparse.Action) -> str:
    if action.dest == "node":
        return "the machine's name"
    if action.dest == "config":
        return "`DENBUN_CONFIG`"
    if action.default is None or action.default is False or action.default == []:
        return "left out"
    return ":".join(map(str, action.default)) if isinstance(action.default, tuple) else str(action.default)


if __name__ == "__main__":
    print(markdown(), end="")
