"""Breaks one rule of the product at a time, in a copy, and shows that it is noticed.

``python tests/mutations/apply.py`` tries the list `mutations.toml` beside this file: what is broken, by which change of
which file, which tests must fail then, and the seed of a run of the simulation that must fail, and is clean without the
change. Give names to try only those; ``--tests`` and ``--seeds`` leave the other half out; ``--list`` lists them.
What is not noticed makes the status 1.

A seed belongs to the code as it is: whatever changes the order of events makes another history of it. ``--find-seeds``
looks for the first seed that notices each, beginning with the one that is listed; ``--write`` puts what was found into
the list, and the list's table (``--table``) into the documentation.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("mutations.toml")
DOCUMENT = ROOT / "docs" / "proving.md"
TABLE_MARK = "<!-- python tests/mutations/apply.py --table -->\n"
_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".denbun", "*.egg-info", ".*_cache", "__pycache__", ".hypothesis")
_LIMIT_S = 900
_SHOWN = 110  # of what the simulation says first
_RUNS = """
import json, sys
from simulation.run import many
for result in many(json.loads(sys.argv[1])):
    if result.failures:
        print(json.dumps([result.plan.seed, result.failures[0]]), flush=True)
        if sys.argv[2] == "first":
            break
"""


class Mutation(NamedTuple):
    """One broken rule: `before` stands once in `file`, and becomes `after`; then `caught_by` and the run must fail."""

    name: str
    rule: str
    file: str
    before: str
    after: str
    caught_by: str
    seed: int | None = None  # of the run; None: the simulation cannot see it


def load() -> list[Mutation]:
    """The list."""
    return [Mutation(**each) for each in tomllib.loads(LIST.read_text("utf-8"))["mutation"]]


def mutated(text: str, mutation: Mutation) -> str:
    """The file's text with the rule broken. Raises `ValueError` when the place has changed."""
    count = text.count(mutation.before)
    if count != 1:
        raise ValueError(f"{mutation.name}: its place stands {count} times in {mutation.file}: correct the list")
    return text.replace(mutation.before, mutation.after)


@contextmanager
def copied(tree: Path, mutation: Mutation | None = None) -> Iterator[Path]:
    """A copy of the tree, with the rule broken; for as long as it is used."""
    with tempfile.TemporaryDirectory(prefix="denbun-mutation-") as folder:
        copy = Path(folder) / "denbun"
        shutil.copytree(tree, copy, ignore=_LEFT_OUT)
        if mutation is not None:
            file = copy / mutation.file
            file.write_text(mutated(file.read_text("utf-8"), mutation), "utf-8")
        yield copy


def _environment(tree: Path) -> Mapping[str, str]:
    return {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}


# --- the two ways to notice


def tests_notice(mutation: Mutation, tree: Path) -> bool:
    """Whether the command fails in this tree."""
    command = [sys.executable if word == "python" else word for word in shlex.split(mutation.caught_by)]
    ran = subprocess.run(command, cwd=tree, env=_environment(tree), capture_output=True, check=False, timeout=_LIMIT_S)
    if ran.returncode not in (0, 1):  # it could not even run: that proves nothing
        raise RuntimeError(f"{mutation.name}: status {ran.returncode}: {ran.stderr.decode()[-2_000:]}")
    return ran.returncode == 1


def failing(tree: Path, seeds: Iterable[int], *, first: bool = False) -> dict[int, str]:
    """The seeds whose run fails in this tree, and what each says first; `first`: no more than the first of them."""
    command = [sys.executable, "-c", _RUNS, json.dumps(list(seeds)), "first" if first else "all"]
    ran = subprocess.run(command, cwd=tree, env=_environment(tree), capture_output=True, check=False, text=True)
    if ran.returncode:
        raise RuntimeError(f"the simulation could not run: status {ran.returncode}: {ran.stderr[-2_000:]}")
    return dict(map(json.loads, ran.stdout.splitlines()))


def find(mutation: Mutation, sound: Path, up_to: int) -> tuple[int, str] | None:
    """The first seed that fails with the rule broken and is clean without; before all others the one that is listed."""
    listed = [] if mutation.seed is None else [mutation.seed]
    left = [*listed, *(seed for seed in range(up_to) if seed not in listed)]
    with copied(sound, mutation) as broken:
        while found := failing(broken, left, first=True):
            ((seed, said),) = found.items()
            if not failing(sound, [seed]):
                return seed, said
            left = left[left.index(seed) + 1 :]
    return None


# --- the list in the documentation


def table(mutations: Iterable[Mutation]) -> str:
    """The list as a table."""
    rows = [
        f"| `{each.name}` | {each.rule} | `{each.file}` | {'–' if each.seed is None else each.seed} |"
        for each in mutations
    ]
    return "\n".join(["| mutation | the rule that it breaks | where | seed |", "|---|---|---|---:|", *rows, ""])


def documented(document: str) -> str:
    """The table as it stands in the document."""
    lines = document.partition(TABLE_MARK)[2].splitlines(keepends=True)
    return "".join(lines[: next((at for at, line in enumerate(lines) if not line.startswith("|")), len(lines))])


def with_seed(text: str, name: str, seed: int) -> str:
    """The list's text with another seed for the mutation of this name."""
    start = text.index(f'name = "{name}"\n')
    end = text.find("\n[[mutation]]", start)
    entry = text[start:] if end < 0 else text[start:end]
    without = re.sub(r"^seed = \d+\n", "", entry, flags=re.MULTILINE)
    return text[:start] + without.rstrip("\n") + f"\nseed = {seed}\n" + ("" if end < 0 else text[end:])


def _write(found: Mapping[str, int]) -> None:
    text = LIST.read_text("utf-8")
    for name, seed in found.items():
        text = with_seed(text, name, seed)
    LIST.write_text(text, "utf-8")
    document = DOCUMENT.read_text("utf-8")
    DOCUMENT.write_text(document.replace(documented(document), table(load())), "utf-8")


# --- the command


def check(mutations: Sequence[Mutation], *, tests: bool, seeds: bool) -> int:
    """Try the mutations; gives how many were missed."""
    missed = 0
    with copied(ROOT) as sound:
        listed = [each.seed for each in mutations if seeds and each.seed is not None]
        unsound = failing(sound, dict.fromkeys(listed)) if listed else {}
        for mutation in mutations:
            with copied(sound, mutation) as broken:
                began = time.monotonic()
                if tests:
                    noticed = tests_notice(mutation, broken)
                    missed += not noticed
                    _tell(mutation, noticed, "tests", f"{time.monotonic() - began:.0f} s")
                if seeds and mutation.seed is not None:
                    said = failing(broken, [mutation.seed]).get(mutation.seed, "clean: see --find-seeds")
                    if mutation.seed in unsound:
                        said = f"fails without it too: {unsound[mutation.seed]}"
                    noticed = not said.startswith(("clean: ", "fails without"))
                    missed += not noticed
                    _tell(mutation, noticed, f"seed {mutation.seed}", said)
    return missed


def seek(mutations: Sequence[Mutation], up_to: int) -> dict[str, int]:
    """Look for a seed for each; gives those that were found."""
    found: dict[str, int] = {}
    with copied(ROOT) as sound:
        for mutation in mutations:
            one = find(mutation, sound, up_to)
            if one is None:
                _tell(mutation, noticed=False, way=f"0..{up_to - 1}", said="clean")
            else:
                found[mutation.name] = one[0]
                _tell(mutation, noticed=True, way=f"seed {one[0]}", said=one[1])
    return found


def _tell(mutation: Mutation, noticed: bool, way: str, said: str) -> None:
    first = said.splitlines()[0]
    shown = first if len(first) <= _SHOWN else f"{first[: _SHOWN - 1]}…"
    print(f"{'noticed' if noticed else 'MISSED':8} {mutation.name:46} {way:12} {shown}", flush=True)


def main(argv: list[str]) -> int:
    """Do what was asked for; gives the exit status."""
    parser = argparse.ArgumentParser(description="Break one rule at a time and see that it is noticed.")
    parser.add_argument("names", nargs="*", help="only these")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--tests", action="store_true", help="try the tests alone")
    which.add_argument("--seeds", action="store_true", help="try the simulation alone")
    which.add_argument("--list", action="store_true", help="list them and do nothing")
    which.add_argument("--table", action="store_true", help="print the documentation's table")
    which.add_argument("--find-seeds", action="store_true", help="look for the first seed that notices each")
    parser.add_argument("--up-to", type=int, default=1_000, metavar="N", help="of seeds that are looked at (1000)")
    parser.add_argument("--write", action="store_true", help="with --find-seeds: into the list and the documentation")
    arguments = parser.parse_args(argv)
    mutations = load()
    if unknown := set(arguments.names) - {each.name for each in mutations}:
        parser.error(f"there is no mutation {min(unknown)}: see --list")
    chosen = [each for each in mutations if not arguments.names or each.name in arguments.names]
    if arguments.list:
        print("\n".join(f"{each.name:46} {each.rule}" for each in chosen))
    elif arguments.table:
        print(table(chosen), end="")
    elif arguments.find_seeds:
        found = seek(chosen, arguments.up_to)
        if arguments.write:
            _write(found)
        return 1 if len(found) < len(chosen) else 0
    else:
        return 1 if check(chosen, tests=not arguments.seeds, seeds=not arguments.tests) else 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
