"""A machine's clock can be made wrong on purpose in a development installation alone."""

from pathlib import Path

import pytest

import router.__main__
from ops.installations import DEVELOPMENT
from pipeline.clock import MACHINE, SHIFT
from pipeline.service import MISCONFIGURED, OK


@pytest.fixture(autouse=True)
def right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MACHINE, "shift_ms", 0)


def test_outside_of_development_the_variable_keeps_a_service_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    file = tmp_path / "denbun.toml"
    file.write_text(DEVELOPMENT.read_text("utf-8").replace("create = true", "create = false"), "utf-8")
    monkeypatch.setenv(SHIFT, "1200000")
    assert router.__main__.main(["--config", str(file), "--check"]) == MISCONFIGURED
    assert capsys.readouterr().err == (
        "DENBUN_CLOCK_SHIFT_MS is set, and this is no development installation (keys.create is false): unset it\n"
    )
    assert MACHINE.shift_ms == 0


def test_in_development_it_shifts_the_clock_and_refuses_what_is_no_number(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    monkeypatch.setenv(SHIFT, "-1200000")
    assert router.__main__.main(["--config", str(DEVELOPMENT), "--check"]) == OK
    assert MACHINE.shift_ms == -1_200_000
    capsys.readouterr()
    monkeypatch.setenv(SHIFT, "an hour")
    assert router.__main__.main(["--config", str(DEVELOPMENT), "--check"]) == MISCONFIGURED
    assert capsys.readouterr().err == ("DENBUN_CLOCK_SHIFT_MS: 'an hour' is no number of milliseconds: correct it\n")
