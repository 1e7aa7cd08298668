"""The list of broken rules still fits the code: whether each is noticed is shown by `apply.py`."""

import pytest
from apply import ROOT, Mutation, load, mutated


@pytest.mark.parametrize("mutation", load(), ids=lambda mutation: mutation.name)
def test_its_place_stands_once_and_its_change_is_code(mutation: Mutation) -> None:
    text = (ROOT / mutation.file).read_text("utf-8")
    changed = mutated(text, mutation)
    assert changed != text
    compile(changed, mutation.file, "exec")


def test_no_two_have_the_same_name() -> None:
    names = [mutation.name for mutation in load()]
    assert len(set(names)) == len(names) >= 12


def test_a_place_that_has_changed_is_told() -> None:
    first = load()[0]
    with pytest.raises(ValueError, match=f"{first.name}: its place stands 0 times in {first.file}: correct the list"):
        mutated("something else", first)
