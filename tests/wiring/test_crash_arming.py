"""A service dies at a crash point in a development installation alone; elsewhere it does not even start."""

from pathlib import Path

import pytest

import egress.__main__
import faults.__main__
import ingress.__main__
import router.__main__
from ops.installations import DEVELOPMENT
from pipeline import crash
from pipeline.service import MISCONFIGURED, OK
from schemas.crash_points import Point

MAINS = [ingress.__main__.main, router.__main__.main, egress.__main__.main, faults.__main__.main]
each_service = pytest.mark.parametrize("main", MAINS, ids=["ingress", "router", "egress", "faults"])


@pytest.fixture(autouse=True)
def nothing_armed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(crash.ONCE_FILE, raising=False)
    monkeypatch.setattr(crash, "armed", False)


@each_service
def test_outside_of_development_the_variable_keeps_it_from_starting(
    main: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "denbun.toml"
    file.write_text(DEVELOPMENT.read_text("utf-8").replace("create = true", "create = false"), "utf-8")
    monkeypatch.setenv(crash.AT, Point.SENT_STORED)
    assert callable(main)
    assert main(["--config", str(file), "--check"]) == MISCONFIGURED
    assert capsys.readouterr() == (
        "", "DENBUN_CRASH_AT is set, and this is no development installation (keys.create is false): unset it\n",
    )  # fmt: skip
    assert not crash.armed


@each_service
def test_in_development_it_is_armed_for_a_point_that_is_there_and_told_of_any_other(
    main: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(main)
    monkeypatch.setenv(crash.AT, f"{Point.SENT_STORED}:2")
    assert main(["--config", str(DEVELOPMENT), "--check"]) == OK
    assert crash.armed
    capsys.readouterr()
    monkeypatch.setenv(crash.AT, "nowhere")
    assert main(["--config", str(DEVELOPMENT), "--check"]) == MISCONFIGURED
    assert capsys.readouterr().err == (
        f"DENBUN_CRASH_AT=nowhere: there is no point 'nowhere': one of {', '.join(Point)}\n"
    )
    assert not crash.armed


@each_service
def test_without_the_variable_nothing_is_armed(main: object, capsys: pytest.CaptureFixture[str]) -> None:
    assert callable(main)
    assert main(["--config", str(DEVELOPMENT), "--check"]) == OK
    assert capsys.readouterr().err == ""
    assert not crash.armed
