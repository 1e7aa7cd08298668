"""Which denbun runs: for the documents that have to say what they were made by."""

import shutil
import subprocess
from pathlib import Path

_ROOT = Path(__file__).parents[1]


def commit() -> str | None:
    """The commit of the source that runs, with a mark where it was changed since; None outside a repository."""
    git = shutil.which("git")
    if git is None:
        return None
    done = subprocess.run(
        [git, "-C", str(_ROOT), "describe", "--always", "--dirty", "--abbrev=12", "--exclude", "*"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout.strip() or None if done.returncode == 0 else None
