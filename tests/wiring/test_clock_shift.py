"""A machine's clock can be made wrong on purpose in a development installation alone."""

from pathlib import Path

import pytest

import router.__main__
from ops.installations import DEVELOPMENT
from pipeline.clock import MACHINE, SHIFT_FILE, Machine
from pipeline.service import MISCONFIGURED, OK


@pytest.fixture(autouse=True)
def right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MACHINE, "shift_file", None)


def test_outside_of_development_the_variable_keeps_a_service_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "denbun.toml"
    file.write_text(DEVELOPMENT.read_text("utf-8").replace("create = true", "create = false"), "utf-8")
    monkeypatch.setenv(SHIFT_FILE, "shift")
    assert router.__main__.main(["--config", str(file), "--check"]) == MISCONFIGURED
    assert capsys.readouterr().err == (
        "DENBUN_CLOCK_SHIFT_FILE is set, and this is no development installation (keys.create is false): unset it\n"
    )
    assert MACHINE.shift_file is None


def test_in_development_the_file_that_it_names_shifts_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "shift"
    monkeypatch.setenv(SHIFT_FILE, str(file))
    assert router.__main__.main(["--config", str(DEVELOPMENT), "--check"]) == OK
    assert MACHINE.shift_file == file
    for text, shift_ms in ((None, 0), ("-1200000\n", -1_200_000), ("an hour", 0), ("5000", 5_000)):
        if text is not None:
            file.write_text(text, "utf-8")
        right_ms = Machine().now_ms()
        assert shift_ms <= MACHINE.now_ms() - right_ms <= shift_ms + 10_000
