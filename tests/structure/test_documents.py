"""The documents say what the code says: what is printed from it is compared, what is named must exist."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from source_rig import PYPROJECT, ROOT, TOP, tracked

from pipeline.config import tables
from schemas.installation import Installation

DOCUMENTS = [path for path in tracked() if path.suffix == ".md"]
ARCHITECTURE = (ROOT / "docs" / "ARCHITECTURE.md").read_text("utf-8")
PRINTED = re.compile(r"^<!-- python -m ([a-z_.]+) -->\n", re.MULTILINE)


def section(title: str) -> str:
    """The part of the architecture under this heading."""
    (found,) = re.findall(rf"^## {re.escape(title)}$\n(.*?)(?=^## |\Z)", ARCHITECTURE, re.MULTILINE | re.DOTALL)
    return str(found)


def rows(title: str) -> list[list[str]]:
    """The cells of the table in a section, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


# --- what is printed from the code


PLACES = [
    pytest.param(path, found[1], found.end(), id=f"{path}-{found[1]}")
    for path in DOCUMENTS
    for found in PRINTED.finditer((ROOT / path).read_text("utf-8"))
]


@pytest.mark.parametrize(("path", "module", "start"), PLACES)
def test_what_a_document_has_from_a_command_is_what_the_command_prints(path: Path, module: str, start: int) -> None:
    printed = subprocess.run(
        [sys.executable, "-m", module],
        cwd=ROOT, env={**os.environ, "PYTHONIOENCODING": "utf-8"}, capture_output=True, encoding="utf-8", check=True,
        timeout=60,
    ).stdout  # fmt: skip
    written = (ROOT / path).read_text("utf-8")[start:]
    assert written[: len(printed)].splitlines() == printed.splitlines()
    assert written[len(printed.rstrip()) :].startswith("\n\n"), "the table goes on in the document"


def test_the_topics_and_the_life_of_a_cancel_are_printed_from_the_code() -> None:
    assert PRINTED.findall(section("Topics")) == ["schemas.topics"]
    assert PRINTED.findall(section("The life of a cancel")) == ["faults.table"]


# --- what is named


def test_the_steps_of_a_telegram_are_counted_and_each_says_what_a_crash_leads_to() -> None:
    steps = rows("The life of one telegram")
    assert [row[0] for row in steps] == [str(number) for number in range(1, len(steps) + 1)]
    assert all(len(row) == 5 and all(row) for row in steps)


def test_every_file_of_a_telegrams_life_exists() -> None:
    for number, _, where, _, _ in rows("The life of one telegram"):
        named = re.findall(r"`([^`]+)`", where)
        assert named, number
        assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_a_place_in_the_repository_that_a_document_names_exists(path: Path) -> None:
    named = re.findall(r"`([a-z_]+/[A-Za-z0-9_./-]*)`", (ROOT / path).read_text("utf-8"))
    ours = {*TOP, "bench", "docs", "fuzz", "tests"}
    assert [name for name in named if name.split("/")[0] in ours and not (ROOT / name).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_a_name_of_the_configuration_that_a_document_names_exists(path: Path) -> None:
    known = {table.path: table for table in tables(Installation)}
    heads = "|".join(path[0] for path in known if path)
    named = re.findall(rf"`((?:{heads})(?:\.[a-z_0-9]+)+)[`\s:=]", (ROOT / path).read_text("utf-8"))
    unknown = []
    for name in named:
        *section, last = name.split(".")
        table = known.get(tuple(section))
        fits = table is not None and (last in table.model.model_fields or (*section, last) in known)
        if not fits and not (ROOT / Path(*section, f"{last}.py")).is_file() and last not in {"py", "toml", "pcap"}:
            unknown.append(name)
    assert unknown == []


def test_every_package_is_told_of() -> None:
    named = [name.rstrip("/") for row in rows("Topology") for name in re.findall(r"`([a-z]+/)`", row[0])]
    assert sorted(named) == sorted(TOP)


def test_every_dependency_has_its_reason_and_every_reason_its_dependency() -> None:
    project = PYPROJECT["project"]
    wanted = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    found = [re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower() for requirement in wanted]
    names = [name for name in found if name != project["name"]]  # an extra that another one includes
    told = rows("Dependencies")
    assert sorted(name.lower() for row in told for name in row[0].split(", ")) == sorted(set(names))
    assert all(row[1] for row in told)
