"""The image: what it is built from, what is left in it, and as whom it runs."""

import fnmatch
import json
import re
from pathlib import PurePosixPath

import pytest
from compose_rig import INSTALLATION, OURS, PYPROJECT, ROOT

PACKAGES = {package for package in PYPROJECT["tool"]["setuptools"]["packages"] if "." not in package}
FILES = {"pyproject.toml", PYPROJECT["project"]["readme"], *PYPROJECT["project"]["license-files"]}


def instructions() -> list[tuple[str, str]]:
    """The Containerfile's instructions: name and rest, continued lines joined."""
    text = (ROOT / "deploy/containers/Containerfile").read_text("utf-8")
    text = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    return [(name, rest) for name, _, rest in (line.strip().partition(" ") for line in lines) if name]


ALL = instructions()
FROM = [index for index, (name, _) in enumerate(ALL) if name == "FROM"]
BUILD, FINAL = ALL[FROM[0] : FROM[1]], ALL[FROM[1] :]


def rests(stage: list[tuple[str, str]], name: str) -> list[str]:
    return [rest for each, rest in stage if each == name]


def test_it_is_built_in_two_stages_on_one_pinned_python() -> None:
    assert len(FROM) == 2
    assert [ALL[index][1] for index in FROM] == ["${PYTHON} AS build", "${PYTHON}"]
    (base,) = rests(ALL, "ARG")
    found = re.fullmatch(r"PYTHON=python:3\.13\.\d+-slim-[a-z]+", base)
    assert found is not None, base


def test_every_package_goes_into_the_wheel() -> None:
    copied: set[str] = set()
    for rest in rests(BUILD, "COPY"):
        *sources, target = rest.split()
        if target == "./":
            copied.update(sources)
        else:
            assert sources == [target]
            copied.add(target.rstrip("/"))
    assert copied == PACKAGES | FILES | {"requirements"}
    assert all((ROOT / name).exists() for name in copied)


def test_only_the_installed_wheel_is_left() -> None:
    assert rests(FINAL, "COPY") == ["--from=build /opt/denbun /opt/denbun"]
    assert rests(ALL, "ADD") == []
    ran = " ".join(rests(FINAL, "RUN"))
    assert re.search(r"\b(apt|apt-get|pip|gcc|make|curl|wget)\b", ran) is None
    assert "--without-pip" in rests(BUILD, "RUN")[-1]


def test_what_is_installed_is_locked() -> None:
    commands = [each.strip() for rest in rests(BUILD, "RUN") for each in rest.split("&&")]
    installs = [each for each in commands if " install " in each]
    assert [each.split()[-1] for each in installs] == [
        "requirements/build.txt", "requirements/services.txt", "/wheels/*.whl",
    ]  # fmt: skip
    for each in installs[:2]:
        assert {"--require-hashes", "--only-binary"} <= set(each.split()), each
    assert {"--no-deps", "--no-index"} <= set(installs[2].split())
    (wheel,) = [each for each in commands if " wheel " in each]
    assert {"--no-deps", "--no-build-isolation"} <= set(wheel.split()), "or what builds it is fetched besides"


def test_it_starts_the_command_as_a_user_that_owns_only_the_place_of_the_ring() -> None:
    assert json.loads(rests(FINAL, "ENTRYPOINT")[0]) == ["denbun"]
    assert "denbun" in PYPROJECT["project"]["scripts"]
    (user,) = rests(FINAL, "USER")
    number, group = user.split(":")
    assert int(number) > 0
    assert {service["user"] for service in OURS.values()} == {user}
    (ran,) = rests(FINAL, "RUN")
    assert f"--uid {number} --gid {group}" in ran
    *_, made = re.split(r"\s*&&\s*", ran)
    assert f"--owner={number} --group={group} --mode=0700" in made
    assert str(INSTALLATION.keys.ring.parent) in made.split()


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path out of the build: the last line that fits it or a folder above it decides."""
    places = [path, *(str(above) for above in PurePosixPath(path).parents if str(above) != ".")]
    out = False
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        pattern = line.removeprefix("!")
        if not pattern or pattern.startswith("#"):
            continue
        deep = pattern.startswith("**/")
        names = [PurePosixPath(place).name if deep else place for place in places]
        if any(fnmatch.fnmatchcase(name, pattern.removeprefix("**/")) for name in names):
            out = not line.startswith("!")
    return out


@pytest.mark.parametrize("path", sorted(FILES | {f"{package}/__init__.py" for package in PACKAGES}))
def test_what_the_image_is_built_from_reaches_its_build(path: str) -> None:
    assert not ignored(path)


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".venv/bin/python",
        ".denbun/development/keys.json",
        "tests/deploy/test_image.py",
        "bench/codec.py",
        "compose.yaml",
        "router/__pycache__/core.cpython-313.pyc",
        "router/core.pyc",
    ],
)
def test_nothing_else_does(path: str) -> None:
    assert ignored(path)
