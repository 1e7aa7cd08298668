"""Where a command writes is looked at before it works: what cannot be written is told with its whole path."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ops.__main__ import app
from ops.outputs import OutputError, ensure_file, ensure_folder


@pytest.fixture
def places(tmp_path: Path) -> Path:
    """A file, an empty folder, one that is not empty, and a link to nowhere."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("x")
    (tmp_path / "away").symlink_to(tmp_path / "nowhere")
    return tmp_path


def told(work: Callable[[], None]) -> str | None:
    try:
        work()
    except OutputError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("new", None),
        ("new/below/that", None),
        ("empty", None),
        ("full", "空でないフォルダ  is a folder that is not empty: name a new one, or empty it"),
        ("file", "ファイルです  is a file, and not a folder: name another"),
        ("file/below", "{0}/file はファイルです  is a file, where a folder is needed: name another path"),
    ],
)
def test_a_folder_is_new_or_empty(places: Path, name: str, said: str | None) -> None:
    found = told(lambda: ensure_folder("--out", places / name))
    assert found == (None if said is None else f"--out {places / name}: {said.format(places)}")
    assert not (places / "new").exists()


def test_a_folder_of_ours_may_hold_something(places: Path) -> None:
    assert told(lambda: ensure_folder("--out", places / "full", new=False)) is None


@pytest.mark.parametrize(
    ("name", "new", "said"),
    [
        ("new", True, None),
        ("file", False, None),
        ("file", True, "既に存在します  is there already: name another file"),
        ("away", True, "既に存在します  is there already: name another file"),
        ("empty", False, "フォルダです  is a folder: name a file in it"),
        ("no/file", False, "フォルダなし  there is no folder {0}/no: make it, or name another file"),
        ("file/below", False, "{0}/file はファイルです  is a file, where a folder is needed: name another path"),
    ],
)
def test_a_file_has_a_folder_to_lie_in(places: Path, name: str, new: bool, said: str | None) -> None:
    found = told(lambda: ensure_file("--svg", places / name, new=new))
    assert found == (None if said is None else f"--svg {places / name}: {said.format(places)}")


def test_a_relative_path_is_shown_whole(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(places)
    assert str(told(lambda: ensure_folder("--out", Path("full")))).startswith(f"--out {places / 'full'}: ")


def test_what_is_no_name_of_a_file_is_told() -> None:
    assert told(lambda: ensure_file("--out", Path("a\0b"))) == "--out: 'a\\x00b': is no name of a file: name another"


def test_what_the_system_does_not_let_write_is_told(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert f"書き込めません  {places} is not writable" in str(told(lambda: ensure_folder("--out", places / "new")))


COMMANDS = [
    ["demo", "--payments", "0", "--folder"],
    ["drill", "--payments", "1", "--folder"],
    ["images", "--out"],
    ["acceptance", "--partner", "cafis", "--out"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_command_that_fills_a_folder_says_so_before_it_works(places: Path, command: list[str], name: str) -> None:
    result = CliRunner().invoke(app, [*command, str(places / name)], env={"COLUMNS": "400"})
    assert (result.exit_code, str(places / name) in result.output) == (2, True), result.output


@pytest.mark.parametrize("command", [*COMMANDS[:2], COMMANDS[3]], ids=lambda command: command[0])
def test_a_folder_with_something_in_it_is_left_as_it_is(places: Path, command: list[str]) -> None:
    result = CliRunner().invoke(app, [*command, str(places / "full")], env={"COLUMNS": "400"})
    assert (result.exit_code, "空でないフォルダ" in result.output) == (2, True), result.output
    assert [each.name for each in (places / "full").iterdir()] == ["x"]


FILES = [
    ["topology", "--svg"],
    ["simulator", "record", "--control", "127.0.0.1:1"],
    ["inspect", "--hex", "00", "--reveal", "--reason", "x", "--by", "x", "--key", "none", "--audit"],
]


@pytest.mark.parametrize("command", FILES, ids=lambda command: command[0])
@pytest.mark.parametrize("name", ["empty", "no/file", "file/below"])
def test_a_command_that_writes_a_file_says_so_before_it_asks_anybody(
    places: Path, command: list[str], name: str
) -> None:
    result = CliRunner().invoke(app, [*command, str(places / name)], env={"COLUMNS": "400"})
    assert (result.exit_code, str(places / name) in result.output) == (2, True), result.output
