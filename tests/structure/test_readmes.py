"""The two READMEs say the same, and whatever they name is there."""

import inspect
import re
import shlex
import unicodedata
from pathlib import Path

import pytest
import typer.main
from source_rig import ROOT
from typer.core import TyperGroup

from ops.__main__ import SERVICES, app, demo
from ops.courses import COURSES
from simulator.__main__ import main as centre

ENGLISH, JAPANESE = "README.md", "README.ja.md"
TEXTS = {name: (ROOT / name).read_text("utf-8") for name in (ENGLISH, JAPANESE)}
COUNTED = {
    ENGLISH: (r"(\d+) courses of a payment", r"(\d+) mixed payments"),
    JAPANESE: (r"電文シーケンス (\d+) 通り", r"(\d+) 件の混在取引"),
}
LINKS = re.compile(r"\]\(([^)]+)\)")
DRAWN = "┌┐└┘├┤┬┴┼│▶◀▲▼"
BLOCK = re.compile(r"(?:^    .*\n|^\n(?=    ))+", re.MULTILINE)

of_both = pytest.mark.parametrize("name", TEXTS)


def blocks(name: str) -> list[list[str]]:
    """The indented blocks, each as its lines without the empty ones."""
    return [[line for line in found[0].splitlines() if line] for found in BLOCK.finditer(TEXTS[name])]


def is_drawing(block: list[str]) -> bool:
    return any(character in DRAWN for line in block for character in line)


def commands(name: str) -> list[str]:
    """The lines of the blocks that can be typed, without their comments; the indentation is Python's."""
    lines = [line for block in blocks(name) if not is_drawing(block) for line in block]
    return [re.sub(r"\s+# .*", "", line).removeprefix("    ") for line in lines]


def spans(name: str) -> list[str]:
    """What stands between backquotes in the text."""
    return re.findall(r"`([^`\n]+)`", BLOCK.sub("", TEXTS[name]))


def drawing(name: str) -> list[list[tuple[int, str]]]:
    """For each line of the diagram, its corners and arrows with the columns they are shown in."""
    (block,) = filter(is_drawing, blocks(name))
    return [
        [
            (sum(1 + (unicodedata.east_asian_width(each) in "WF") for each in line[:place]), character)
            for place, character in enumerate(line)
            if character in DRAWN
        ]
        for line in block
    ]


# --- both say the same


def test_both_have_the_same_headings_in_the_same_order() -> None:
    english, japanese = (re.findall(r"^#+(?= )", text, re.MULTILINE) for text in TEXTS.values())
    assert english
    assert english == japanese


def test_both_have_the_same_commands() -> None:
    assert commands(ENGLISH)
    assert commands(ENGLISH) == commands(JAPANESE)


def test_both_name_the_same_words_of_the_code() -> None:
    assert set(spans(ENGLISH)) == set(spans(JAPANESE))


def test_both_lead_to_the_same_places_and_to_each_other() -> None:
    english, japanese = (LINKS.findall(text) for text in TEXTS.values())
    assert JAPANESE in english
    assert ENGLISH in japanese
    assert [link for link in english if link != JAPANESE] == [link for link in japanese if link != ENGLISH]


def test_the_diagram_stands_in_the_same_columns_whatever_the_width_of_its_words() -> None:
    assert drawing(ENGLISH) == drawing(JAPANESE)


# --- what they name is there


@of_both
def test_every_linked_file_exists(name: str) -> None:
    ours = [link.partition("#")[0] for link in LINKS.findall(TEXTS[name]) if "://" not in link]
    assert [link for link in ours if not (ROOT / link).exists()] == []


@of_both
def test_every_target_of_make_exists(name: str) -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    named = [words[1] for words in map(str.split, commands(name) + spans(name)) if words[0] == "make"]
    assert {"demo", "test"} <= set(named)
    assert set(named) <= set(targets)


@of_both
def test_every_command_of_denbun_exists_with_its_options(name: str) -> None:
    typed = [line for line in commands(name) + spans(name) if re.match(r"(\S+/)?denbun ", line)]
    assert typed
    for line in typed:
        _, *words = shlex.split(line)
        command = typer.main.get_command(app)
        while isinstance(command, TyperGroup):
            assert words, f"{line}: which command?"
            word = words.pop(0)
            assert word in command.commands, line
            command = command.commands[word]
        if " simulator run " in line:  # the options are the centre's
            assert centre([*words, "--check"]) == 0, line
            continue
        if command.name == "run":  # the options are the service's
            assert words[0] in SERVICES, line
            continue
        known = {option for parameter in command.params for option in parameter.opts}
        assert [word for word in words if word.startswith("--") and word not in known] == [], line


@of_both
def test_every_file_given_to_a_command_exists(name: str) -> None:
    given = [word for line in commands(name) for word in line.split() if Path(word).suffix == ".toml"]
    assert given
    assert [word for word in given if not (ROOT / word).is_file()] == []


@of_both
def test_the_demo_plays_as_many_courses_and_payments_as_told(name: str) -> None:
    told = [int(number) for pattern in COUNTED[name] for number in re.findall(pattern, TEXTS[name])]
    assert told == [len(COURSES), inspect.signature(demo).parameters["payments"].default]
