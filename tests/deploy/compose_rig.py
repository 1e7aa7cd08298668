"""compose.yaml as its readers see it: its services, and what the files it points at say."""

import itertools
import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

from pipeline.config import load
from schemas.installation import Installation

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("denbun:")}
RUNNING = {name: service for name, service in OURS.items() if service["command"][0] == "run"}
CENTRES = {name: service for name, service in RUNNING.items() if service["command"][1] == "simulator"}
GATEWAY = {name: service for name, service in RUNNING.items() if name not in CENTRES}

INSTALLATION = load(Installation, ROOT / COMPOSE["configs"]["installation"]["file"], {})
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def run_by(service: str) -> dict[str, dict[str, Any]]:
    """The containers that run this service, by name."""
    return {name: each for name, each in RUNNING.items() if each["command"][1] == service}


def option(command: list[str], name: str) -> list[str]:
    """Every value of an option of a command."""
    return [value for given, value in itertools.pairwise(command) if given == name]


def port_of(service: str) -> int:
    """The port of a service's metrics and health."""
    port: int = getattr(INSTALLATION, service).metrics_port
    return port


def seconds(duration: str) -> float:
    """A duration of Compose in seconds."""
    found = re.fullmatch(r"(\d+)(ms|s|m)", duration)
    assert found is not None, duration
    return int(found[1]) * {"ms": 0.001, "s": 1, "m": 60}[found[2]]
