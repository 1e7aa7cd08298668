"""Every command of `denbun`, on whatever it is shown, wherever its output goes, with an extra missing: no traceback."""

import io
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
import typer
from typer.core import TyperGroup

import ops.__main__ as command
from ops import interrupts
from ops.folder_lock import FolderLock
from ops.guard import EXTRAS, guarded

ROOT = Path(__file__).parents[2]
DEVELOPMENT = str(ROOT / "deploy" / "environments" / "development" / "denbun.toml")
NOWHERE = "/dev/null/nowhere"  # no folder can be there
ORDER = ("--reason", "why", "--by", "me", "--config", NOWHERE)

# For every command a call that needs nothing that runs, and its status: it tells much, or is told what is wrong.
CALLS: dict[str, tuple[tuple[str, ...], int]] = {
    "run": (("router", "--config", NOWHERE), 2),
    "demo": (("--course", "nonsense"), 2),
    "drill": (("--list",), 0),
    "simulate": (("--runs", "1"), 0),
    "up": (("--folder", NOWHERE), 1),
    "broker": (("--folder", NOWHERE), 1),
    "pay": (("--config", NOWHERE), 2),
    "topology": (("--config", NOWHERE), 2),
    "inspect": (("--hex", "30 31 3f"), 1),
    "images": (("--out", ".", "--flow", "nonsense"), 2),
    "acceptance": (("--partner", "cafis", "--list"), 0),
    "topics create": (("--config", NOWHERE), 2),
    "faults list": (("--config", NOWHERE), 2),
    "faults show": (("AP02:x", "--config", NOWHERE), 2),
    "faults watch": (("--config", NOWHERE), 2),
    "faults repeat": (("AP02:x", *ORDER), 2),
    "faults settle": (("AP02:x", *ORDER), 2),
    "lines list": (("--config", NOWHERE), 2),
    "lines open": (("cafis-1", *ORDER), 2),
    "lines drain": (("cafis-1", *ORDER), 2),
    "lines close": (("cafis-1", *ORDER), 2),
    "lines calendar": (("cafis-1", *ORDER), 2),
    "lines hold": (("cafis-1", "1", *ORDER), 2),
    "lines release": (("cafis-1", "1", *ORDER), 2),
    "deploy roll": (("--folder", NOWHERE), 1),
    "keys create": ((f"{NOWHERE}.json",), 1),
    "simulator run": (("--partner", "nobody", "--listen", "127.0.0.1:0"), 2),
    "simulator scenarios": ((), 0),
    "simulator use": (("plain", "--control", "127.0.0.1:1"), 1),
    "simulator rule": (('do = "silent"', "--control", "127.0.0.1:1"), 1),
    "simulator event": (("close", "--control", "127.0.0.1:1"), 1),
    "simulator state": (("--control", "127.0.0.1:1"), 1),
    "simulator ledger": (("--control", "127.0.0.1:1"), 1),
    "simulator telegrams": (("--control", "127.0.0.1:1"), 1),
    "simulator record": ((f"{NOWHERE}.toml", "--control", "127.0.0.1:1"), 2),
}
NEEDS = {"simulate": "stack", "broker": "stack", "images": "documents", "acceptance": "documents", "up": "documents"}

every_command = pytest.mark.parametrize("name", CALLS)


def commands(group: TyperGroup, before: str = "") -> Iterator[str]:
    for name, found in group.commands.items():
        if isinstance(found, TyperGroup):
            yield from commands(found, f"{before}{name} ")
        else:
            yield before + name


def test_the_table_has_every_command() -> None:
    whole = typer.main.get_command(command.app)
    assert isinstance(whole, TyperGroup)
    assert sorted(CALLS) == sorted(commands(whole))


def broken_pipe() -> BinaryIO:
    """A pipe that nobody reads any more."""
    read, write = os.pipe()
    os.close(read)
    return os.fdopen(write, "wb")


Denbun = Callable[..., tuple[int, str, str]]


@pytest.fixture
def denbun(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Denbun]:
    """Run the whole command here; gives its status and what it has written, decoded."""
    for name in [name for name in os.environ if name.startswith(("DENBUN_", "COLUMNS"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        interrupts, "_Asked", type("_Asked", interrupts._Asked.__bases__, dict(vars(interrupts._Asked)))
    )

    def run(*arguments: str, encoding: str = "utf-8", out: BinaryIO | None = None) -> tuple[int, str, str]:
        raw, raw_error = io.BytesIO(), io.BytesIO()
        with monkeypatch.context() as shown:
            shown.setattr(sys, "stdout", io.TextIOWrapper(out or raw, encoding))
            shown.setattr(sys, "stderr", io.TextIOWrapper(raw_error, encoding))
            status = guarded(lambda: command.app(list(arguments), prog_name="denbun"), f"denbun {arguments[0]}")
            # Click takes ASCII for a mistake, and writes UTF-8 all the same.
            return status, *(each.getvalue().decode(encoding, "replace") for each in (raw, raw_error))

    yield run
    interrupts.leave()


def call(name: str) -> tuple[list[str], int]:
    arguments, status = CALLS[name]
    return [*name.split(), *arguments], status


def told_without_a_traceback(said: tuple[int, str, str]) -> str:
    """All that was said."""
    _, out, error = said
    for text in ("Traceback", "unexpected error", "Exception ignored"):
        assert text not in out + error
    return out + error


@every_command
@pytest.mark.parametrize("encoding", ["ascii", "shift_jis"])
def test_every_command_can_be_shown_in_every_encoding(denbun: Denbun, name: str, encoding: str) -> None:
    arguments, status = call(name)
    said = denbun(*arguments, encoding=encoding)
    assert told_without_a_traceback(said).strip(), "it says something"
    assert said[0] == status
    whole = denbun(*name.split(), *(["router"] if name == "run" else []), "--help", encoding=encoding)
    assert whole[0] == 0
    assert told_without_a_traceback(whole)


@every_command
@pytest.mark.parametrize("columns", ["0", "20"])
def test_every_command_can_be_shown_at_every_width(
    denbun: Denbun, monkeypatch: pytest.MonkeyPatch, name: str, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("FORCE_COLOR", "1")  # as a terminal, whose width counts
    arguments, status = call(name)
    said = denbun(*arguments)
    told_without_a_traceback(said)
    assert said[0] == status


@every_command
def test_every_command_ends_where_nobody_reads_any_more(denbun: Denbun, name: str) -> None:
    arguments, status = call(name)
    said = denbun(*arguments, out=broken_pipe())
    told_without_a_traceback(said)
    assert said[0] in (status, 1)


# --- extras


WITHOUT_EXTRAS = f"""
import sys
sys.modules.update(dict.fromkeys({[each for modules in EXTRAS.values() for each in modules]}))
from ops.__main__ import main
main()
"""


@every_command
def test_a_command_without_its_extra_says_which_to_install(tmp_path: Path, name: str) -> None:
    """In a process of its own, where no extra is installed."""
    arguments, status = call(name)
    if name == "broker":
        arguments = ["broker", "--folder", "here"]
    environment = {each: value for each, value in os.environ.items() if not each.startswith("DENBUN_")}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS, *arguments],
        cwd=tmp_path, env={**environment, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    text = told_without_a_traceback((done.returncode, done.stdout, done.stderr))
    named = [extra for extra in EXTRAS if f"pip install 'denbun[{extra}]'" in text]
    assert named == ([NEEDS[name]] if name in NEEDS else [])
    assert done.returncode == (1 if named else status)


def test_the_extras_are_those_of_the_project() -> None:
    for extra, modules in EXTRAS.items():
        wanted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"][extra]
        assert sorted(each.partition(">")[0] for each in wanted) == sorted(modules)


# --- what nobody has thought of


def fails(error: BaseException) -> Callable[[], object]:
    def app() -> object:
        raise error

    return app


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (KeyError("x"), 1, "denbun pay: 予期しないエラー  unexpected error: KeyError: 'x' (test_guard.py:"),
        (ValueError("card 4111111111111111"), 1, "unexpected error: ValueError: card ******** (test_guard.py:"),
        (OSError(28, "No space left on device", "f"), 1, "denbun pay: f: No space left on device\n"),
        (ModuleNotFoundError("no", name="openpyxl.styles"), 1, "pip install 'denbun[documents]'"),
        (ModuleNotFoundError("No module named 'x'", name="x"), 1, "unexpected error: ModuleNotFoundError"),
        (SystemExit("why"), 1, "why\n"),
        (SystemExit(None), 0, ""),
        (SystemExit(5), 5, ""),
    ],
)  # fmt: skip
def test_a_failure_is_told_in_a_sentence(
    denbun: Denbun, capsys: pytest.CaptureFixture[str], error: BaseException, status: int, told: str
) -> None:
    assert denbun is not None
    assert guarded(fails(error), "denbun pay") == status
    said = capsys.readouterr().err
    assert told in said
    assert "Traceback" not in said


def test_the_traceback_is_there_for_who_asks(
    denbun: Denbun, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert denbun is not None
    monkeypatch.setenv("DENBUN_TRACEBACK", "1")
    assert guarded(fails(KeyError("x")), "denbun pay") == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_folder_that_another_command_has_is_a_status_of_its_own(denbun: Denbun, tmp_path: Path) -> None:
    for name, folder in (("up", tmp_path / "up"), ("broker", tmp_path / "broker"), ("demo", tmp_path / "demo")):
        with FolderLock(folder):
            status, out, error = denbun(name, "--folder", str(folder))
        assert status == 3
        assert "is in use by" in error
        assert [each.name for each in folder.iterdir()] == ["denbun.lock"], out


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", b"\xe7\xb5\x82 \xe2\x9c\x93\xe2\x9c\x97 \xe2\x94\x82 ?"),
        ("ascii", b"?? vx | ?"),
        ("shift_jis", b"\x8fI vx \x84\xa0 ?"),
    ],
)
def test_what_an_encoding_lacks_is_shown_plainer(
    denbun: Denbun, monkeypatch: pytest.MonkeyPatch, encoding: str, shown: bytes
) -> None:
    assert denbun is not None
    raw = io.BytesIO()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding))
        assert guarded(lambda: sys.stdout.write("終 ✓✗ │ \udc80"), "denbun") == 0
        sys.stdout.detach()
    assert raw.getvalue() == shown


def test_the_lines_of_the_client_library_are_no_part_of_what_a_command_tells() -> None:
    told = "from ops.guard import guarded\nfrom pipeline.kafka import CLIENT_LOG\n"
    told += "guarded(lambda: CLIENT_LOG.error('FAIL [admin#producer-1]: Connection refused'), 'denbun')"
    ran = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("", "")
