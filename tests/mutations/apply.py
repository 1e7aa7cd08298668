"""Breaks one rule of the product at a time, in a copy, and shows that the tests notice.

``python tests/mutations/apply.py`` tries the list `mutations.toml` beside this file: what is broken, by which change of
which file, and which command must fail then. Give names to try only those; ``--list`` lists them. A mutation that is
not noticed makes the status 1.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("mutations.toml")
_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".denbun", "*.egg-info", ".*_cache", "__pycache__", ".hypothesis")
_LIMIT_S = 900


class Mutation(NamedTuple):
    """One broken rule: `before` stands once in `file`, and becomes `after`; `caught_by` must fail then."""

    name: str
    rule: str
    file: str
    before: str
    after: str
    caught_by: str


def load() -> list[Mutation]:
    """The list."""
    return [Mutation(**each) for each in tomllib.loads(LIST.read_text("utf-8"))["mutation"]]


def mutated(text: str, mutation: Mutation) -> str:
    """The file's text with the rule broken. Raises `ValueError` when the place has changed."""
    count = text.count(mutation.before)
    if count != 1:
        raise ValueError(f"{mutation.name}: its place stands {count} times in {mutation.file}: correct the list")
    return text.replace(mutation.before, mutation.after)


def is_noticed(mutation: Mutation) -> bool:
    """Run the command on a copy that has the mutation; whether it fails."""
    with tempfile.TemporaryDirectory(prefix="denbun-mutation-") as folder:
        copy = Path(folder) / "denbun"
        shutil.copytree(ROOT, copy, ignore=_LEFT_OUT)
        file = copy / mutation.file
        file.write_text(mutated(file.read_text("utf-8"), mutation), "utf-8")
        command = [sys.executable if word == "python" else word for word in shlex.split(mutation.caught_by)]
        environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
        ran = subprocess.run(command, cwd=copy, env=environment, capture_output=True, check=False, timeout=_LIMIT_S)
        if ran.returncode not in (0, 1):  # it could not even run: that proves nothing
            raise RuntimeError(f"{mutation.name}: status {ran.returncode}: {ran.stderr.decode()[-2_000:]}")
        return ran.returncode == 1


def main(argv: list[str]) -> int:
    """Try the mutations; gives the exit status."""
    parser = argparse.ArgumentParser(description="Break one rule at a time and see that it is noticed.")
    parser.add_argument("names", nargs="*", help="only these")
    parser.add_argument("--list", action="store_true", help="list them and do nothing")
    arguments = parser.parse_args(argv)
    mutations = load()
    if unknown := set(arguments.names) - {each.name for each in mutations}:
        parser.error(f"there is no mutation {min(unknown)}: see --list")
    missed = 0
    for mutation in mutations:
        if arguments.names and mutation.name not in arguments.names:
            continue
        if arguments.list:
            print(f"{mutation.name:32} {mutation.rule}")
            continue
        began = time.monotonic()
        noticed = is_noticed(mutation)
        missed += not noticed
        print(
            f"{'noticed' if noticed else 'MISSED':8} {mutation.name:32} {time.monotonic() - began:4.0f} s", flush=True
        )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
