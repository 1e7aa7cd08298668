"""Changes one place after another of the modules that carry the money, and tells which change no test notices.

``make mutants``, or ``python tests/mutations/mutants.py [GROUP or MODULE …]``: mutmut makes the changes and runs the
tests, group by group of `modules.toml`, in a copy of the tree under `.denbun/mutants`. What mypy refuses could never
land and is not tried. A run that was ended goes on where it stopped; once anything has changed, what survived is tried
again, and of what died only the functions that changed. ``--afresh`` tries everything anew, ``--report`` tries nothing
and tells what is known.

A module of which every change was tried gets its row in `scores.toml`, which is kept with the code. A group whose
modules all stand there, with the text that they have now and a reason for each survivor, is not tried again, unless it
is named.

What survives is killed by a new test, or changes nothing: then it stands in `equivalent.toml` with the reason, by its
text and not by its line. The status is 1 while any survivor has no reason, or something was not tried.
"""

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ops.broker import running

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
GROUPS, REASONS, PLUGIN = HERE / "modules.toml", HERE / "equivalent.toml", HERE / "fastest_first.py"
SCORES = HERE / "scores.toml"
PLACE = ROOT / ".denbun" / "mutants"
_LEFT_OUT = {".git", ".venv", ".denbun", "__pycache__", ".hypothesis", "build", "mutants", "mutations"}
_TYPED = 37
_UNTOLD = {None: "left", 2: "left", 0: "survived", 5: "survived", 33: "survived", _TYPED: "refused by mypy"}
_TIMED_OUT = {36, 24, -24, 152, 255, -9}
_KEPT = ("mutants", "refused by mypy", "killed", "timed out", "survived", "with a reason")
_COLUMNS = (*_KEPT, "left")


class Group(NamedTuple):
    """Modules that the same tests look at."""

    name: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]
    broker: bool = False  # whether the tests of the marker `stack` are among them, on a broker started once

    @property
    def folder(self) -> Path:
        """Where the copy of the tree is for it."""
        return PLACE / self.name


class Survivor(NamedTuple):
    """A change that no test noticed: in this function the lines `before` became `after`."""

    module: str
    function: str
    before: str
    after: str


def groups() -> list[Group]:
    """All of them, in the order they are tried."""
    listed = tomllib.loads(GROUPS.read_text("utf-8"))["group"]
    return [
        Group(each["name"], tuple(each["modules"]), tuple(each["tests"]), each.get("broker", False)) for each in listed
    ]


def reasons() -> dict[Survivor, str]:
    """Why each of these changes nothing."""
    listed = tomllib.loads(REASONS.read_text("utf-8")).get("equivalent", [])
    return {Survivor(each["module"], each["function"], each["before"], each["after"]): each["why"] for each in listed}


# --- what was found for good


class Score(NamedTuple):
    """A module's row, and the text of which it tells; `before`: the share noticed when it was tried first, in percent.

    Where nobody wrote that down, it is None.
    """

    text: str
    row: Counter[str]
    before: float | None = None

    def settles(self, module: str) -> bool:
        """Whether nothing is to be tried: the module still has that text, and every survivor had a reason."""
        return self.text == text_of(module) and self.row["survived"] == self.row["with a reason"]


def text_of(module: str) -> str:
    """What tells a module's text from others."""
    return hashlib.sha256((ROOT / module).read_bytes()).hexdigest()[:16]


def scores() -> dict[str, Score]:
    """Every module's, by its name."""
    listed = tomllib.loads(SCORES.read_text("utf-8")) if SCORES.exists() else {}
    return {
        module: Score(each["text"], Counter({name: each[_key(name)] for name in _KEPT}), each.get("before"))
        for module, each in listed.items()
    }


def keep(found: Mapping[str, Score]) -> None:
    """Write them down, in the order of the groups."""
    order = [module for group in groups() for module in group.modules if module in found]
    parts = [_HEAD]
    for module in order:
        score = found[module]
        lines = [f'["{module}"]', f'text = "{score.text}"']
        lines += [f"{_key(name)} = {score.row[name]}" for name in _KEPT]
        lines += [] if score.before is None else [f"before = {score.before}"]
        parts.append("\n".join([*lines, ""]))
    SCORES.write_text("\n".join(parts), "utf-8")


def _key(column: str) -> str:
    return column.replace(" ", "_")


_HEAD = """\
# What `make mutants` found, module by module, when it tried every change of the text that is named; it writes this.
# `before`: what share of what mypy lets through was noticed when the module was tried first, in percent.
"""


# --- the copy


def _files(tree: Path) -> Iterator[Path]:
    for folder, below, names in os.walk(tree):
        below[:] = [name for name in below if name not in _LEFT_OUT and not name.endswith(("_cache", ".egg-info"))]
        yield from (Path(folder, name).relative_to(tree) for name in names if not name.endswith(".pyc"))


def synchronise(tree: Path, group: Group) -> bool:
    """Make the group's copy what the tree is; gives whether anything was not. mutmut's own folder in it follows."""
    wanted = set(_files(tree))
    there = set(_files(group.folder)) - {Path("setup.cfg"), Path(PLUGIN.name)}
    changed = [
        path
        for path in sorted(wanted)
        if path not in there or (group.folder / path).read_bytes() != (tree / path).read_bytes()
    ]
    for path in (*changed, *(there - wanted)):
        if str(path) not in group.modules:  # mutmut compares the times of a module that it changes itself
            (group.folder / "mutants" / path).unlink(missing_ok=True)
        (group.folder / path).unlink(missing_ok=True)
    for path in changed:
        (group.folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tree / path, group.folder / path)
    return bool(changed or there - wanted)


def settings(group: Group, tree: Path, servers: str | None = None) -> str:
    """The `setup.cfg` that tells mutmut what to do; `servers`: the broker of a group that needs one."""
    packages = tomllib.loads((tree / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]
    sources = sorted({each.partition(".")[0] for each in packages})
    silent = [each for code in ("unused-ignore", "no-any-return") for each in ("--disable-error-code", code)]
    mypy = [sys.executable, "-m", "mypy", "--output", "json", *silent, *group.modules]  # silent: of mutmut's own code
    lists = {
        "source_paths": sources,
        "only_mutate": group.modules,
        "also_copy": sorted(each.name for each in group.folder.iterdir() if each.name not in {*sources, "mutants"}),
        "pytest_add_cli_args": [
            "-p",
            PLUGIN.stem,
            "-p",
            "no:cacheprovider",
            *([] if servers is None else [f"--stack={servers}"]),
        ],
        "pytest_add_cli_args_test_selection": [*(["-m", "not stack"] if servers is None else []), *group.tests],
        "do_not_mutate_patterns": [r"assert_never\("],  # mypy holds that nothing gets there
        "type_check_command": mypy,
    }
    told = "".join(f"{name} =\n" + "".join(f"    {value}\n" for value in values) for name, values in lists.items())
    return f"[mutmut]\nuse_git_change_detection = false\n{told}"


# --- what mutmut found


def _meta(group: Group, module: str) -> Path:
    return group.folder / "mutants" / f"{module}.meta"


def _results(group: Group, module: str) -> dict[str, int | None]:
    meta = _meta(group, module)
    if not meta.exists():
        return {}
    found: dict[str, int | None] = json.loads(meta.read_text("utf-8"))["exit_code_by_key"]
    return found


def outcome(code: int | None) -> str:
    """The table's word for what became of a mutant."""
    return _UNTOLD.get(code, "timed out" if code in _TIMED_OUT else "killed")


def try_again(group: Group) -> None:
    """Forget what survived: something has changed that may notice it."""
    for module in group.modules:
        meta = _meta(group, module)
        if meta.exists():
            data = json.loads(meta.read_text("utf-8"))
            codes = data["exit_code_by_key"]
            data["exit_code_by_key"] = {
                key: None if outcome(code) == "survived" else code for key, code in codes.items()
            }
            meta.write_text(json.dumps(data), "utf-8")


def read_difference(module: str, key: str, told: str) -> Survivor:
    """What `mutmut show` told of a mutant."""
    lines = [line for line in told.splitlines() if not line.startswith(("---", "+++", "# "))]
    before, after = ("\n".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return Survivor(module, function_of(key), before, after)


def function_of(key: str) -> str:
    """`Class.method` or `function`, of mutmut's `module.xǁClassǁmethod__mutmut_3` or `module.x_function__mutmut_3`."""
    name = key.rpartition(".")[2].rpartition("__mutmut_")[0]
    return ".".join(name.split("ǁ")[1:]) if "ǁ" in name else name.removeprefix("x_")


def survivors(group: Group, module: str) -> Iterator[Survivor]:
    """What survived in this module, as mutmut tells it."""
    for key, code in _results(group, module).items():
        if outcome(code) == "survived":
            yield read_difference(module, key, _mutmut(group, "show", key))


def _mutmut(group: Group, *words: str) -> str:
    """Run mutmut and give what it says; it is kept beside the copy, too, as it comes."""
    command = [str(Path(sys.executable).with_name("mutmut")), *words]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    log = PLACE / f"{group.name}.log"
    with log.open("w", encoding="utf-8") as out:
        ran = subprocess.run(command, cwd=group.folder, env=environment, stdout=out, stderr=out, check=False)
    if ran.returncode:
        raise SystemExit(f"mutmut {' '.join(words)} for {group.name}: status {ran.returncode}: see {log}")
    return log.read_text("utf-8")


def attempt(group: Group, *, afresh: bool, jobs: int) -> None:
    """Try what has not been tried in this group."""
    if afresh:
        shutil.rmtree(group.folder, ignore_errors=True)
    group.folder.mkdir(parents=True, exist_ok=True)
    if synchronise(ROOT, group):
        try_again(group)
    shutil.copyfile(PLUGIN, group.folder / PLUGIN.name)
    print(f"{group.name}: how far it is, {PLACE / group.name}.log says", flush=True)
    with contextlib.ExitStack() as stack:
        servers = None
        if group.broker:
            servers = stack.enter_context(running(PLACE / f"{group.name}-broker")).servers
        (group.folder / "setup.cfg").write_text(settings(group, ROOT, servers), "utf-8")
        _mutmut(group, "run", "--max-children", str(jobs))


# --- the table


def count(codes: Iterable[int | None], found: Sequence[Survivor], known: Mapping[Survivor, str]) -> Counter[str]:
    """A module's row."""
    row = Counter(map(outcome, codes))
    return row + Counter({"mutants": row.total(), "with a reason": sum(each in known for each in found)})


def share(row: Counter[str]) -> float | None:
    """What tests noticed of what mypy lets through, in percent."""
    tried = row["killed"] + row["timed out"] + row["survived"]
    return round((tried - row["survived"]) / tried * 100, 1) if tried else None


def table(rows: Mapping[str, Counter[str]], before: Mapping[str, float | None]) -> str:
    """The rows of the modules and their sum; the score is the share noticed, behind what it was `before`."""
    total: Counter[str] = sum(rows.values(), Counter())
    width = max(map(len, (*rows, "module")))
    columns = " ".join(f"{column:>{max(len(column), 7)}}" for column in _COLUMNS)
    lines = [f"{'module':{width}} {columns}  before   score"]
    for name, row in (*rows.items(), ("all", total)):
        score = " ".join(f"{'–' if each is None else f'{each}%':>7}" for each in (before.get(name), share(row)))
        cells = " ".join(f"{row[column]:{max(len(column), 7)}}" for column in _COLUMNS)
        lines.append(f"{name:{width}} {cells} {score}")
    return "\n".join(lines)


def told(survivor: Survivor) -> str:
    """A survivor as it is printed: what to kill, or to copy into the list with the reason."""
    pairs = {
        "module": survivor.module,
        "function": survivor.function,
        "before": survivor.before,
        "after": survivor.after,
    }
    return "\n".join(
        ["[[equivalent]]", *(f"{name} = {json.dumps(text, ensure_ascii=False)}" for name, text in pairs.items()), ""]
    )


def main(argv: list[str]) -> int:
    """Do what was asked for; gives the exit status."""
    parser = argparse.ArgumentParser(description="Change one place at a time and see that a test notices.")
    parser.add_argument("names", nargs="*", help="only these groups, or the groups of these modules")
    parser.add_argument("--report", action="store_true", help="try nothing, tell what is known")
    parser.add_argument("--afresh", action="store_true", help="forget what earlier runs found")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes at a time (1)")
    arguments = parser.parse_args(argv)
    chosen = [each for each in groups() if not arguments.names or {each.name, *each.modules} & set(arguments.names)]
    if not chosen:
        parser.error(f"there is no group and no module {arguments.names[0]}: see {GROUPS.name}")
    known, kept = reasons(), scores()
    rows: dict[str, Counter[str]] = {}
    without: list[Survivor] = []
    os.nice(0 if arguments.report else 10)
    for group in chosen:
        if not arguments.names and all(module in kept and kept[module].settles(module) for module in group.modules):
            rows |= {module: kept[module].row for module in group.modules}
            continue
        if not arguments.report:
            attempt(group, afresh=arguments.afresh, jobs=arguments.jobs)
            kept = scores()  # it took hours
        for module in group.modules:
            found = list(survivors(group, module))
            rows[module] = row = count(_results(group, module).values(), found, known)
            without += [each for each in found if each not in known]
            if row["mutants"] and not row["left"]:
                before = kept[module].before if module in kept else share(row)
                kept[module] = Score(text_of(module), row, before)
        if not arguments.report:
            keep(kept)
    print("\n".join(map(told, without)))
    print(table(rows, {module: score.before for module, score in kept.items()}))
    untried = [module for module, row in rows.items() if not row["mutants"]]
    if untried:
        print(f"not tried yet: {', '.join(untried)}")
    return 1 if without or untried or any(row["left"] for row in rows.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
