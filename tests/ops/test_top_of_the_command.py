"""What ``denbun`` tells of itself: its version, its services, and where the topics' configuration is looked for."""

import re
from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ops.__main__ import SERVICES, app


def test_the_version_is_told() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert re.fullmatch(rf"denbun {re.escape(metadata.version('denbun'))}( \([0-9a-f]+(-dirty)?\))?\n", result.output)


@pytest.mark.parametrize("arguments", [["run", "--help"], ["run", "-h"], ["run"]])
def test_the_help_of_run_tells_every_service(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, [name for name in SERVICES if f"  {name} " not in result.output]) == (0, [])


def test_topics_are_created_for_what_runs_here_where_no_configuration_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["topics", "create"])
    assert (result.exit_code, ".denbun/up/denbun.toml" in result.output) == (2, True)
    assert "or name another with --config" in result.output
