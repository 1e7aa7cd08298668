"""What is installed is what is locked, and the lock is what `pyproject.toml` allows."""

import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

TOP = Path(__file__).parents[2]
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))
SETS = {
    "build": PROJECT["build-system"]["requires"],
    "services": PROJECT["project"]["dependencies"],
    "product": [
        *PROJECT["project"]["dependencies"],
        *PROJECT["project"]["optional-dependencies"]["stack"],
        *PROJECT["project"]["optional-dependencies"]["documents"],
    ],
    "development": [
        *PROJECT["project"]["dependencies"],
        *(each for extra in PROJECT["project"]["optional-dependencies"].values() for each in extra),
    ],
}


def locked(name: str) -> list[tuple[Requirement, int]]:
    """What a set installs, and how many hashes each has."""
    text = (TOP / "requirements" / f"{name}.txt").read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(Requirement(line.split("--hash=")[0].strip()), line.count("--hash=sha256:")) for line in lines]


def version(requirement: Requirement) -> str:
    (specifier,) = requirement.specifier
    assert specifier.operator == "=="
    return specifier.version


def here(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate()


@pytest.mark.parametrize("name", SETS)
def test_every_version_is_one_and_its_files_are_known_by_their_hashes(name: str) -> None:
    found = locked(name)
    assert found
    for requirement, hashes in found:
        assert Version(version(requirement))
        assert hashes, requirement


@pytest.mark.parametrize("name", SETS)
def test_what_the_project_wants_is_locked_within_its_range(name: str) -> None:
    found = {canonicalize_name(each.name): each for each, _ in locked(name) if here(each)}
    for wanted in map(Requirement, SETS[name]):
        if wanted.name != PROJECT["project"]["name"] and here(wanted):
            assert wanted.specifier.contains(version(found[canonicalize_name(wanted.name)])), wanted


def test_the_smaller_sets_have_the_versions_of_the_larger_ones() -> None:
    development, product, services = (set(map(str, [each for each, _ in locked(name)]))
                                      for name in ("development", "product", "services"))  # fmt: skip
    assert services <= product <= development


def test_the_range_of_what_builds_us_stands_twice_and_is_the_same() -> None:
    text = (TOP / "requirements" / "build.in").read_text("utf-8")
    assert [line for line in text.splitlines() if not line.startswith("#")] == SETS["build"]


def test_what_is_installed_is_what_is_locked() -> None:
    installed = {canonicalize_name(each.name): each.version for each in distributions()}
    wanted = {canonicalize_name(each.name): version(each) for each, _ in locked("development") if here(each)}
    assert {name: installed.get(name) for name in wanted} == wanted, "make .venv/development"
    ours = {"denbun", "pip", "setuptools"}
    assert installed.keys() - wanted.keys() <= ours, "not locked: install from requirements/ alone"
