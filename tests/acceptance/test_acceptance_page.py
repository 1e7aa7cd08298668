"""The page on the acceptance says what the command and the catalogue say."""

import re
import tomllib
from pathlib import Path

import typer.main
from typer.core import TyperGroup

from acceptance.cards import CARDS
from acceptance.catalogue import PACKAGED
from ops.__main__ import app

PAGE = (Path(__file__).parents[2] / "docs" / "acceptance.md").read_text("utf-8")
COMMAND = typer.main.get_command(app)
assert isinstance(COMMAND, TyperGroup)
OPTIONS = {option for each in COMMAND.commands["acceptance"].params for option in each.opts}


def blocks() -> list[str]:
    """The indented blocks, without their indentation."""
    found = re.findall(r"(?:^    .*\n|^\n(?=    ))+", PAGE, re.MULTILINE)
    return [re.sub(r"^    ", "", each, flags=re.MULTILINE).strip() for each in found]


def test_every_option_that_is_named_exists_and_all_are_named() -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z]+", PAGE)) - {"--payments"}
    assert named == OPTIONS


def test_the_example_of_a_case_is_the_case() -> None:
    (example,) = [each for each in blocks() if each.startswith("[[case]]")]
    (shown,) = tomllib.loads(example)["case"]
    cases = tomllib.loads((PACKAGED / "3_confirm.toml").read_text("utf-8"))["case"]
    assert shown == next(each for each in cases if each["number"] == shown["number"])


def test_the_example_of_cards_has_the_keys_and_the_brands_are_told() -> None:
    (example,) = [each for each in blocks() if each.startswith("[visa]")]
    assert tomllib.loads(example)["visa"].keys() == {"number", "expiry", "security_code"}
    assert "、".join(CARDS) in PAGE
