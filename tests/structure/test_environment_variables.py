"""Every variable of the environment that code or documents name is known: what is not is refused as misspelt."""

import re
from pathlib import Path

from pipeline.config import TOOLS
from schemas.installation import Installation

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"\bDENBUN(?:_[A-Z]+)+\b(?!_)")
SETTINGS = {f"DENBUN_{name.upper()}" for name in Installation.model_fields}
PACKAGES = (
    "client",
    "deploy",
    "docs",
    "egress",
    "faults",
    "ingress",
    "ops",
    "pipeline",
    "router",
    "simulator",
    "wiring",
)


def test_every_variable_that_is_named_is_known() -> None:
    files = [ROOT / "README.md", ROOT / "compose.yaml", ROOT / "Makefile"]
    for package in PACKAGES:
        files += [each for each in (ROOT / package).rglob("*") if each.suffix in (".py", ".md", ".toml", ".yaml")]
    named = {name for file in files for name in NAMED.findall(file.read_text("utf-8"))}
    assert "DENBUN_TOKEN" in named
    assert named - TOOLS - SETTINGS == set()


def test_every_known_variable_is_named_somewhere_else() -> None:
    text = "".join(
        file.read_text("utf-8")
        for package in (*PACKAGES, ".")
        for file in (ROOT / package).glob("**/*.py" if package != "." else "compose.yaml")
        if file != ROOT / "pipeline" / "config.py"
    )
    assert {name for name in TOOLS if name not in text} == set()
