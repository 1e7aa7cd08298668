"""The reference of the configuration has every name with a meaning, and says truly which service reads it.

That the document is what is printed, `tests/structure/test_documents.py` sees to.
"""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import wiring
from faults.__main__ import trouble_codes
from faults.config import Settings as FaultsSettings
from ingress.config import Settings as IngressSettings
from ops.configuration import READERS, SERVICES, markdown, parsers, readers, sections
from pipeline.config import load, tables
from router.config import Settings as RouterSettings
from schemas.installation import Carried, Installation

ROOT = Path(__file__).parents[2]
DEVELOPMENT = ROOT / "deploy" / "environments" / "development" / "denbun.toml"


def names() -> Iterator[str]:
    """Every name of the file, dotted."""
    every = list(tables(Installation))
    for table in every:
        inner = {other.path for other in every}
        for name in table.model.model_fields:
            if (*table.path, name) not in inner:
                yield ".".join((*table.path, name))


def test_every_name_of_the_file_has_a_row_and_a_meaning() -> None:
    rows = [row for _, found in sections() for row in found]
    assert [row[0].strip("`") for row in rows] == [name.rpartition(".")[2] for name in names()]
    assert [row[0] for row in rows if not row[1]] == []


def test_a_wait_says_what_follows_and_a_limit_its_range() -> None:
    text = markdown()
    assert "| `confirm_ms` | from the reply to its acknowledgement; when it passes: " in text
    assert "| `max_frame_bytes` | the longest frame that is taken | bytes | 1024 to 1048576 | 16384 | ingress |" in text
    assert '| `mode` | who calls: we do, or the partner |  | `"dial"`, `"listen"` | none: give it | egress |' in text


def test_every_argument_has_a_meaning() -> None:
    for title, parser in parsers():
        for action in parser._actions:
            assert action.help, (title, action.option_strings)
    assert "| `--slot SLOT` | this process's partition of replies; no two share one | 0 |" in markdown()


# --- who reads a name


class Spy:
    """An object of the configuration that writes down which of its names are read."""

    def __init__(self, found: BaseModel, path: str, seen: set[str]) -> None:
        self._found, self._path, self._seen = found, path, seen

    def __getattr__(self, name: str) -> Any:
        kind = type(self._found)
        if name not in kind.model_fields:
            return getattr(kind, name).fget(self)
        return self._spied(f"{self._path}{name}", getattr(self._found, name))

    def _spied(self, path: str, value: object) -> Any:
        if isinstance(value, BaseModel):
            return Spy(value, f"{path}.", self._seen)
        if isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
            return [self._spied(path, each) for each in value]
        self._seen.add(path)
        return value


def read_by(service: str) -> set[str]:
    """The names whose values become a service's settings, and the topics it looks for."""
    seen: set[str] = set()
    plain = load(Installation, DEVELOPMENT, {})
    carrying = plain.line[0].model_copy(
        update={"carries": (Carried(partner="cardnet", code="CDN", company_code="200001"),)}
    )
    spy: Any = Spy(plain.model_copy(update={"line": (carrying, plain.line[1])}), "", seen)
    wiring.wanted_topics(spy)
    made: Mapping[str, Any] = {
        "router": lambda: RouterSettings.from_installation(spy),
        "faults": lambda: FaultsSettings.from_installation(spy, trouble_codes(spy)),
        "ingress": lambda: IngressSettings.from_installation(spy),
    }
    made[service]()
    return seen


@pytest.mark.parametrize("service", ["router", "ingress", "faults"])
def test_a_service_reads_what_is_said_that_it_reads(service: str) -> None:
    seen = read_by(service)
    handed_on = ("partner.cancel.", "ingress.tls.", *(("customer.",) if service == "ingress" else ()))  # as they are
    by_wiring = (f"{service}.metrics_port", "keys.ring")
    for name in names():
        if readers(name) != ("all",) and not name.startswith((*handed_on, *by_wiring)):
            assert (name in seen) == (service in readers(name)), name


def test_the_lines_own_service_has_a_use_for_each_of_its_names() -> None:
    used = {
        node.attr
        for path in (ROOT / "egress").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
    }
    of_lines = {"calendar": {"hours", "maintenance"}, "rank_of": {"nodes"}}  # what `Line` makes of them
    used |= {name for maker, made in of_lines.items() if maker in used for name in made}
    told = [name for name in names() if "egress" in readers(name) and name not in {"egress.metrics_port", "keys.ring"}]
    assert [name for name in told if name.rpartition(".")[2] not in used] == []


def test_every_entry_about_readers_is_about_a_name_or_a_section() -> None:
    sections_too = {".".join(table.path) for table in tables(Installation)}
    assert set(READERS) <= {*names(), *sections_too}
    assert {each for found in READERS.values() for each in found} == {"all", *SERVICES}
