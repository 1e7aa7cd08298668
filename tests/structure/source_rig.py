"""The source as the structure tests see it: packages, modules and their trees, none of them executed."""

import ast
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
NOT_SHIPPED = ("bench", "docs", "fuzz", "tests")


def tracked() -> list[Path]:
    """Every file under version control, or about to be, from the top of the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return [Path(name) for name in sorted(listed.stdout.split("\0")) if name and (ROOT / name).is_file()]


def packages() -> list[str]:
    """Every folder of ours with an `__init__.py`, dotted."""
    found = [path.parent for path in tracked() if path.name == "__init__.py"]
    return sorted(".".join(path.parts) for path in found if path.parts[0] not in NOT_SHIPPED)


TOP = [package for package in packages() if "." not in package]


def modules(*tops: str) -> list[Path]:
    """The modules of these packages, from the top of the repository."""
    return [path for path in tracked() if path.suffix == ".py" and path.parts[0] in tops]


@cache
def tree(path: Path) -> ast.Module:
    """A module's syntax tree."""
    return ast.parse((ROOT / path).read_text("utf-8"), str(path))


def imports(path: Path) -> set[str]:
    """The modules that a module names in its imports; for `from a import b` both `a` and `a.b`."""
    named: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            named.update(each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None
            assert node.level == 0
            named.update({node.module, *(f"{node.module}.{each.name}" for each in node.names)})
    return named


def module_file(name: str) -> Path | None:
    """The file of a module of ours, or None when the name is none."""
    place = Path(*name.split("."))
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if (ROOT / path).is_file():
            return path
    return None
