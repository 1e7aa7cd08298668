"""Times as people read them: in Japan's time wherever the machine is, or in the zone that is asked for."""

import time

import pytest
from typer.testing import CliRunner

from ops.__main__ import app
from ops.times import ZONE, clock
from pipeline.config import ConfigError

AT = 1_796_094_932_007  # 2026-12-01T03:15:32.007Z


@pytest.mark.parametrize("machine", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_a_moment_has_its_day_and_is_told_in_japans_time_whatever_zone_the_machine_has(
    monkeypatch: pytest.MonkeyPatch, machine: str
) -> None:
    monkeypatch.setenv("TZ", machine)
    time.tzset()
    try:
        assert clock(AT) == "2026-12-01 12:15:32.007 JST"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_another_zone_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ZONE, "UTC")
    assert clock(AT) == "2026-12-01 03:15:32.007 UTC"
    monkeypatch.setenv(ZONE, "")
    assert clock(AT).endswith("JST")


@pytest.mark.parametrize("name", ["Tokyo", "../etc", "/etc/passwd", "Asia", "東京", "UTC\0"])
def test_a_zone_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("os.environ", {ZONE: name})
    with pytest.raises(ConfigError, match="environment DENBUN_TZ: no such time zone"):
        clock(AT)


def test_a_command_says_so_before_it_does_anything() -> None:
    result = CliRunner().invoke(app, ["lines", "list"], env={ZONE: "Tokyo"})
    assert (result.exit_code, "write it as Asia/Tokyo or UTC" in result.output) == (2, True)
