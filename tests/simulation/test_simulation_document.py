"""What the documentation tells of the simulation is all that there is: every fault it draws, every module of it."""

import re
from pathlib import Path

from simulation.plan import Mischief

ROOT = Path(__file__).parents[2]
(SECTION,) = re.findall(
    r"^## Simulation$\n(.*?)(?=^## )", (ROOT / "docs/proving.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
)


def test_every_fault_is_told_of_by_the_name_that_leaves_it_out() -> None:
    faults = SECTION.partition("### What befalls it")[2].partition("\n### ")[0]
    assert set(re.findall(r"`([a-z_]+)`", faults)) == {kind.name.lower() for kind in Mischief}


def test_every_module_is_told_of() -> None:
    named = set(re.findall(r"`simulation/(\w+)\.py`", SECTION))
    assert named == {path.stem for path in (ROOT / "simulation").glob("[a-z]*.py")}
