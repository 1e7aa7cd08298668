"""The list of broken rules still fits the code; whether each is noticed is shown by `apply.py`."""

import tomllib
from pathlib import Path

import apply
import pytest
from apply import LIST, ROOT, Mutation, check, copied, documented, find, load, mutated, table, with_seed

from simulation.run import many

SEEDED = [mutation for mutation in load() if mutation.seed is not None]


@pytest.mark.parametrize("mutation", load(), ids=lambda mutation: mutation.name)
def test_its_place_stands_once_and_its_change_is_code(mutation: Mutation) -> None:
    text = (ROOT / mutation.file).read_text("utf-8")
    changed = mutated(text, mutation)
    assert changed != text
    if mutation.file.endswith(".toml"):
        assert tomllib.loads(changed) != tomllib.loads(text)
    else:
        compile(changed, mutation.file, "exec")


def test_no_two_have_the_same_name() -> None:
    names = [mutation.name for mutation in load()]
    assert len(set(names)) == len(names) >= 12


def test_a_place_that_has_changed_is_told() -> None:
    first = load()[0]
    with pytest.raises(ValueError, match=f"{first.name}: its place stands 0 times in {first.file}: correct the list"):
        mutated("something else", first)


# --- the seeds


def test_most_have_a_seed_and_every_seed_is_clean_while_no_rule_is_broken() -> None:
    assert len(SEEDED) >= 16
    seeds = dict.fromkeys(mutation.seed for mutation in SEEDED if mutation.seed is not None)
    assert {result.plan.seed: result.failures for result in many(seeds) if result.failures} == {}


def test_a_broken_rule_is_noticed_and_a_change_that_breaks_none_is_missed(capsys: pytest.CaptureFixture[str]) -> None:
    broken = SEEDED[0]
    harmless = broken._replace(name="harmless", after=broken.before)
    assert check([broken, harmless], tests=False, seeds=True) == 1
    noticed, missed = capsys.readouterr().out.splitlines()
    assert noticed.startswith(f"noticed  {broken.name} ")
    assert missed.startswith("MISSED   harmless ")
    assert missed.endswith("clean: see --find-seeds")


def test_a_seed_that_fails_while_no_rule_is_broken_proves_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = SEEDED[:2]
    with copied(ROOT, first) as unsound:
        monkeypatch.setattr(apply, "ROOT", unsound)
        assert check([second._replace(seed=first.seed)], tests=False, seeds=True) == 1
        assert find(second._replace(seed=first.seed), unsound, 0) is None
    assert "fails without it too: " in capsys.readouterr().out


# --- what is written down


def test_a_seed_is_written_into_its_own_entry_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "LIST", tmp_path / "mutations.toml")
    before = load_from(LIST.read_text("utf-8"), tmp_path)
    for name in (before[0].name, before[-1].name):
        text = with_seed(LIST.read_text("utf-8"), name, 77)
        seeds = {mutation.name: mutation.seed for mutation in load_from(text, tmp_path)}
        assert seeds == {mutation.name: mutation.seed for mutation in before} | {name: 77}


def load_from(text: str, folder: Path) -> list[Mutation]:
    """The list of this text."""
    (folder / "mutations.toml").write_text(text, "utf-8")
    return load()


def test_the_table_in_the_documentation_is_that_of_the_list() -> None:
    assert documented(apply.DOCUMENT.read_text("utf-8")) == table(load())
