"""The habits of this code base that neither ruff nor mypy nor the import linter knows."""

import ast
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from source_rig import PYPROJECT, ROOT, TOP, modules, packages, tracked, tree

LINES, FUNCTION_LINES = 400, 60
# Longer for a reason. An entry that is not needed any more is a fault, too.
LONG_MODULES = {
    "egress/core.py": "the life of a dispatch, from waiting to done, is read in one piece",
    "pipeline/kafka.py": "every setting of the Kafka client beside its reason, for all kinds of readers and writers",
    "schemas/records.py": "the vocabulary: every record there is, in the order of a telegram's way",
    "schemas/telegrams/coding.py": "each encoding of bytes stands beside its decoding",
}
SHIPPED = modules(*TOP)


def test_a_module_can_be_read_in_one_sitting_or_there_is_a_reason() -> None:
    lengths = {str(path): len((ROOT / path).read_text("utf-8").splitlines()) for path in SHIPPED}
    long = {name: length for name, length in lengths.items() if length > LINES}
    assert long.keys() == LONG_MODULES.keys(), long


def test_a_function_fits_on_a_page() -> None:
    long = [
        f"{path}:{node.lineno} {node.name}: {node.end_lineno - node.lineno + 1} lines"
        for path in (*SHIPPED, *modules("bench", "fuzz"))
        for node in ast.walk(tree(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= FUNCTION_LINES
    ]
    assert long == []


def test_toml_is_read_in_one_place() -> None:
    imports = re.compile(r"^(?:import|from) tomllib", re.MULTILINE)
    assert [str(each) for each in SHIPPED if imports.search((ROOT / each).read_text("utf-8"))] == [
        "schemas/toml_files.py"
    ]


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    homes = re.compile(r"(?<![\w.~$}])/(?:home|root|work|Users)/")
    found = []
    for path in tracked():
        try:
            text = (ROOT / path).read_text("utf-8")
        except UnicodeDecodeError:
            continue  # not text
        found += [f"{path}:{number}" for number, line in enumerate(text.splitlines(), 1) if homes.search(line)]
    assert found == []


# --- what is shipped


def test_every_package_is_installed_and_only_packages_are() -> None:
    assert PYPROJECT["tool"]["setuptools"]["packages"] == packages()


def test_every_package_with_code_is_type_checked_and_its_imports_are() -> None:
    with_code = [top for top in TOP if any(len(tree(path).body) > 1 for path in modules(top))]
    assert PYPROJECT["tool"]["mypy"]["packages"] == with_code
    assert PYPROJECT["tool"]["importlinter"]["root_packages"] == with_code


# What the image and the operator use from the repository, not from the installed package.
NOT_INSTALLED = ("deploy/containers/*", "deploy/dashboards/*", "deploy/alerts/*")


def test_every_file_that_a_package_needs_is_installed_with_it() -> None:
    installed = PYPROJECT["tool"]["setuptools"]["package-data"]
    patterns = [
        f"{package}/{pattern}".replace("**/", "*/") for package, found in installed.items() for pattern in found
    ]
    data = [str(path) for path in tracked() if path.parts[0] in TOP and path.suffix != ".py"]
    left = [name for name in data if not any(fnmatchcase(name, pattern) for pattern in (*patterns, *NOT_INSTALLED))]
    assert left == []
    # Each pattern has its files: the wheel lacks a folder that none of its files is named from.
    assert [pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in data)] in (
        [],
        ["schemas/avro/history/*.avsc"],  # as long as no schema has changed
    )


@pytest.mark.parametrize("script", PYPROJECT["project"]["scripts"].values())
def test_every_command_leads_to_a_function(script: str) -> None:
    module, _, function = script.partition(":")
    names = {
        node.name
        for node in tree(Path(*module.split(".")).with_suffix(".py")).body
        if isinstance(node, ast.FunctionDef)
    }
    assert function in names
