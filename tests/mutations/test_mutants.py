"""`make mutants`: its lists fit the code, and it tells what mutmut found. The run itself takes hours."""

import ast
import json
import shutil
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fastest_first
import mutants
import pytest
from mutants import (
    ROOT,
    Group,
    Survivor,
    count,
    function_of,
    groups,
    outcome,
    read_difference,
    reasons,
    scores,
    settings,
    synchronise,
    table,
    told,
    try_again,
)

GROUP = Group("one", ("pkg/core.py",), ("tests/pkg",))
CHANGE = Survivor("pkg/core.py", "decide", "if due < now:", "if due <= now:")


# --- the lists


def test_each_module_is_there_and_tried_once() -> None:
    named = [module for group in groups() for module in group.modules]
    assert [module for module in named if not (ROOT / module).is_file()] == []
    assert len(set(named)) == len(named) >= 40


def test_each_selection_of_tests_is_there() -> None:
    assert [test for group in groups() for test in group.tests if not (ROOT / test).exists()] == []


def test_no_two_groups_share_a_folder() -> None:
    names = [group.name for group in groups()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("survivor", reasons(), ids=lambda each: f"{each.module}:{each.function}")
def test_a_change_with_a_reason_still_stands_in_its_function(survivor: Survivor) -> None:
    source = (ROOT / survivor.module).read_text("utf-8")
    body = [line.strip() for line in _function(source, survivor.function).splitlines()]
    missing = [line for line in survivor.before.splitlines() if line.strip() not in body]
    assert missing == [], "the place has changed: is the reason still true?"
    assert survivor.before != survivor.after
    assert survivor.module in {module for group in groups() for module in group.modules}


@pytest.mark.parametrize(("survivor", "why"), reasons().items(), ids=lambda each: str(each)[:40])
def test_a_reason_says_something(survivor: Survivor, why: str) -> None:
    assert len(why.split()) >= 4, survivor


def _function(source: str, name: str) -> str:
    """The text of `Class.method` or `function`; raises `LookupError` where there is none."""
    body = ast.parse(source).body
    for part in name.split("."):
        (node,) = (each for each in body if isinstance(each, _DEFINITIONS) and each.name == part)
        body = node.body
    return "\n".join(source.splitlines()[node.lineno - 1 : node.end_lineno])  # with what is said behind the last one


_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


# --- the copy


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree of one module, one file of data and one test; copies are made beside it, and the scores are its own."""
    monkeypatch.setattr(mutants, "PLACE", tmp_path / "copies")
    tree = tmp_path / "tree"
    monkeypatch.setattr(mutants, "ROOT", tree)
    monkeypatch.setattr(mutants, "SCORES", tmp_path / "scores.toml")
    for name in ("pkg/core.py", "pkg/rules.toml", "tests/pkg/test_core.py", "pyproject.toml", ".git/HEAD"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(f"# {name}\n")
    (tree / "pyproject.toml").write_text("[tool.setuptools]\npackages = ['pkg', 'pkg.sub']\n")
    return tree


def test_the_tree_is_never_written_to_and_its_copy_follows_it(place: Path) -> None:
    assert synchronise(place, GROUP)
    assert not synchronise(place, GROUP)
    assert not (GROUP.folder / ".git").exists()
    (place / "pkg" / "rules.toml").write_text("new = 1\n")
    (place / "tests" / "pkg" / "test_core.py").unlink()
    of_mutmut = GROUP.folder / "mutants"
    for name in ("pkg/rules.toml", "tests/pkg/test_core.py", "pkg/core.py"):
        (of_mutmut / name).parent.mkdir(parents=True, exist_ok=True)
        (of_mutmut / name).write_text("old")
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    assert synchronise(place, GROUP)
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before
    assert (GROUP.folder / "pkg" / "rules.toml").read_text() == "new = 1\n"
    assert not (GROUP.folder / "tests" / "pkg" / "test_core.py").exists()
    assert [path.name for path in sorted(of_mutmut.rglob("*.*"))] == ["core.py"]  # mutmut keeps the mutated module up


def test_mutmut_is_told_the_modules_and_the_tests_and_copies_all_else(place: Path) -> None:
    synchronise(place, GROUP)
    (GROUP.folder / "mutants").mkdir()
    lines = [line.strip() for line in settings(GROUP, place).splitlines()]
    assert lines[lines.index("source_paths =") + 1 : lines.index("only_mutate =")] == ["pkg"]
    assert lines[lines.index("only_mutate =") + 1] == "pkg/core.py"
    copied = lines[lines.index("also_copy =") + 1 : lines.index("pytest_add_cli_args =")]
    assert copied == ["pyproject.toml", "tests"]
    assert lines[lines.index("pytest_add_cli_args_test_selection =") + 1 :][:3] == ["-m", "not stack", "tests/pkg"]
    assert not any(line.startswith("--stack") for line in lines)


def test_where_a_broker_was_started_the_tests_that_need_one_are_run_on_it(place: Path) -> None:
    synchronise(place, GROUP)
    (GROUP.folder / "mutants").mkdir()
    lines = [line.strip() for line in settings(GROUP, place, "127.0.0.1:9").splitlines()]
    selection = lines.index("pytest_add_cli_args_test_selection =")
    assert "--stack=127.0.0.1:9" in lines[lines.index("pytest_add_cli_args =") : selection]
    assert lines[selection + 1] == "tests/pkg"


def test_what_survived_is_tried_again_and_nothing_else(place: Path) -> None:
    synchronise(place, GROUP)
    meta = GROUP.folder / "mutants" / "pkg" / "core.py.meta"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"exit_code_by_key": {"killed": 1, "survived": 0, "untested": 33, "typed": 37}}))
    try_again(GROUP)
    assert json.loads(meta.read_text())["exit_code_by_key"] == {
        "killed": 1,
        "survived": None,
        "untested": None,
        "typed": 37,
    }


def test_the_fastest_test_is_the_first_once_mutmut_knows_how_long_each_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    items: list[Any] = [SimpleNamespace(nodeid=name) for name in ("slow", "fast", "new", "middling")]
    fastest_first.pytest_collection_modifyitems(items)
    assert [item.nodeid for item in items] == ["slow", "fast", "new", "middling"]  # it measures: their own order
    took = {"slow": 9.0, "fast": 0.1, "middling": 1.0}
    fastest_first.STATS.write_text(json.dumps({"duration_by_test": took}))
    fastest_first.pytest_collection_modifyitems(items)
    assert [item.nodeid for item in items] == ["new", "fast", "middling", "slow"]


# --- what is told


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (0, "survived"),
        (33, "survived"),  # no test reaches it
        (1, "killed"),
        (3, "killed"),  # pytest itself broke
        (-11, "killed"),
        (36, "timed out"),
        (-24, "timed out"),
        (37, "refused by mypy"),
        (None, "left"),
        (2, "left"),  # interrupted
    ],
)
def test_what_became_of_a_mutant(code: int | None, word: str) -> None:
    assert outcome(code) == word


@pytest.mark.parametrize(
    ("key", "function"),
    [
        ("egress.known.xǁKnownǁforget_before__mutmut_7", "Known.forget_before"),
        ("faults.table.x__row__mutmut_12", "_row"),
        ("faults.core.x_decide__mutmut_1", "decide"),
    ],
)
def test_a_mutant_is_told_by_its_function(key: str, function: str) -> None:
    assert function_of(key) == function


def test_a_survivor_is_known_by_its_text_whatever_its_line() -> None:
    shown = "# pkg.core.x_decide__mutmut_1: survived\n--- pkg/core.py\n+++ pkg/core.py\n@@ -{} +{} @@\n"
    changed = "     due = 1\n-    if due < now:\n+    if due <= now:\n         return\n"
    for place in ("1,3", "80,3"):
        found = read_difference("pkg/core.py", "pkg.core.x_decide__mutmut_1", shown.format(place, place) + changed)
        assert found == CHANGE
    assert 'before = "if due < now:"' in told(CHANGE)


def test_the_score_is_what_tests_noticed_of_what_could_land() -> None:
    row = count([1, 1, 36, 0, 37, 37], [CHANGE], {CHANGE: "the bound is never met exactly"})
    assert row == Counter(
        {"mutants": 6, "refused by mypy": 2, "killed": 2, "timed out": 1, "survived": 1, "with a reason": 1}
    )
    head, module, total = table({"pkg/core.py": row}, {"pkg/core.py": 50.0}).splitlines()
    assert head.split()[:2] == ["module", "mutants"]
    assert module.split() == ["pkg/core.py", "6", "2", "2", "1", "1", "1", "0", "50.0%", "75.0%"]
    assert total.split() == ["all", "6", "2", "2", "1", "1", "1", "0", "–", "75.0%"]
    assert table({"pkg/core.py": Counter()}, {}).splitlines()[1].split()[-2:] == ["–", "–"]


@pytest.mark.parametrize(
    ("codes", "listed", "status"),
    [([1, 37], False, 0), ([1, 0], False, 1), ([1, 0], True, 0), ([1, None], False, 1)],
)
def test_it_ends_badly_for_a_survivor_without_a_reason_and_for_what_was_not_tried(
    codes: list[int | None], listed: bool, status: int, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synchronise(place, GROUP)
    meta = GROUP.folder / "mutants" / "pkg" / "core.py.meta"
    meta.parent.mkdir(parents=True)
    meta.write_text(
        json.dumps({"exit_code_by_key": {f"pkg.core.x_decide__mutmut_{n}": code for n, code in enumerate(codes)}})
    )
    monkeypatch.setattr(mutants, "groups", lambda: [GROUP])
    monkeypatch.setattr(mutants, "reasons", lambda: {CHANGE: "it changes nothing at all"} if listed else {})
    monkeypatch.setattr(mutants, "_mutmut", lambda *_, **__: f"-{CHANGE.before}\n+{CHANGE.after}\n")
    assert mutants.main(["--report"]) == status


def test_what_was_never_tried_is_not_well(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    synchronise(place, GROUP)
    monkeypatch.setattr(mutants, "groups", lambda: [GROUP])
    assert mutants.main(["--report"]) == 1
    assert "not tried yet: pkg/core.py" in capsys.readouterr().out


# --- what is kept


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int | None]]:
    """What mutmut finds of the module when it is run, and what it has found already."""
    found: dict[str, list[int | None]] = {"run": [1, 1, 1, 0, 37]}
    monkeypatch.setattr(mutants, "groups", lambda: [GROUP])
    monkeypatch.setattr(mutants, "reasons", lambda: {CHANGE: "it changes nothing at all"})

    def mutmut(_: Group, *words: str) -> str:
        if words[0] == "run":
            meta = GROUP.folder / "mutants" / "pkg" / "core.py.meta"
            meta.parent.mkdir(parents=True, exist_ok=True)
            codes = {f"pkg.core.x_decide__mutmut_{n}": code for n, code in enumerate(found["run"])}
            meta.write_text(json.dumps({"exit_code_by_key": codes}))
            found["ran"] = [*found.get("ran", []), 1]
        return f"-{CHANGE.before}\n+{CHANGE.after}\n"

    monkeypatch.setattr(mutants, "_mutmut", mutmut)
    return found


def test_what_was_tried_is_not_tried_again_until_its_text_changes(
    tried: dict[str, list[int | None]], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mutants.main([]) == 0
    shutil.rmtree(mutants.PLACE)  # another machine
    assert mutants.main([]) == mutants.main(["--report"]) == 0
    assert len(tried["ran"]) == 1
    assert capsys.readouterr().out.count("pkg/core.py       5               1       3") == 3
    (place / "pkg" / "core.py").write_text("# other\n")
    assert mutants.main(["--report"]) == 1
    assert mutants.main([]) == 0
    assert len(tried["ran"]) == 2
    assert mutants.main(["one"]) == 0
    assert len(tried["ran"]) == 3


@pytest.mark.usefixtures("place")
def test_a_survivor_without_a_reason_is_tried_again_and_the_first_score_is_kept(
    tried: dict[str, list[int | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mutants, "reasons", dict)
    assert mutants.main([]) == 1
    assert mutants.main([]) == 1
    assert len(tried["ran"]) == 2
    tried["run"] = [1, 1, 1, 1, 37]
    assert mutants.main([]) == 0
    kept = mutants.scores()["pkg/core.py"]
    assert kept.before == 75.0
    assert kept.row == Counter({"mutants": 5, "refused by mypy": 1, "killed": 4})


@pytest.mark.usefixtures("place")
def test_what_is_not_wholly_tried_is_not_kept(tried: dict[str, list[int | None]]) -> None:
    tried["run"] = [1, None]
    assert mutants.main([]) == 1
    assert mutants.scores() == {}


def test_the_scores_are_of_modules_that_are_tried() -> None:
    assert scores().keys() <= {module for group in groups() for module in group.modules}


def test_a_name_that_is_neither_a_group_nor_a_module_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        mutants.main(["--report", "nonsense"])
    assert "there is no group and no module nonsense: see modules.toml" in capsys.readouterr().err
