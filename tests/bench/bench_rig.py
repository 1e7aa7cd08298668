"""Runs ``python -m bench`` as its users do."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=170, check=False)


def measured(kafka_servers: str, folder: Path, *arguments: str) -> tuple[dict[str, Any], str]:
    """What a measurement that loses nothing has written, and what it has printed."""
    out = folder / "figures.json"
    ended = bench(
        *arguments, "--bootstrap-servers", kafka_servers, "--folder", str(folder / "kept"), "--out", str(out)
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return json.loads(out.read_text("utf-8")), ended.stdout


def limits(found: dict[str, Any], figure: str) -> set[float]:
    """The budgets of the figures whose names begin so; each verdict fits its figure."""
    verdicts = [each for each in found["verdicts"] if each["figure"].startswith(figure)]
    for each in verdicts:
        inside = (each["value"] <= each["limit"], each["value"] >= each["limit"])
        assert each["met"] in inside
    return {each["limit"] for each in verdicts}
