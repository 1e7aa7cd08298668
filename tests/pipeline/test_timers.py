"""Timers against a model that knows no better than to look at every due time each time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pipeline.timers import MOST, Timers

names = st.sampled_from([f"t{number}" for number in range(12)])
times = st.integers(0, 40)


class AgainstTheModel(RuleBasedStateMachine):
    """Sets, takes back and takes, in any order; after each step both must agree."""

    def __init__(self) -> None:
        super().__init__()
        self.timers = Timers()
        self.model: dict[str, int] = {}

    @rule(name=names, due_ms=times)
    def set(self, name: str, due_ms: int) -> None:
        self.timers.set(name, due_ms)
        self.model[name] = due_ms

    @rule(name=names)
    def take_back(self, name: str) -> None:
        self.timers.set(name, None)
        self.model.pop(name, None)

    @rule(name=names, count=st.integers(1, 200))
    def set_again_and_again(self, name: str, count: int) -> None:
        for number in range(count):
            self.timers.set(name, number % 41)
            self.model[name] = number % 41

    @rule(now_ms=times)
    def take(self, now_ms: int) -> None:
        taken = self.timers.take(now_ms)
        expected = {name: due_ms for name, due_ms in self.model.items() if due_ms <= now_ms}
        assert dict(taken) == expected
        assert len(taken) == len(expected)
        assert [due_ms for _, due_ms in taken] == sorted(expected.values())
        for name in expected:
            del self.model[name]

    @invariant()
    def agree(self) -> None:
        assert len(self.timers) == len(self.model)
        assert self.timers.next_ms() == min(self.model.values(), default=None)


AgainstTheModel.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAgainstTheModel = AgainstTheModel.TestCase


def test_a_name_that_is_set_again_is_due_once_at_the_later_word() -> None:
    timers = Timers()
    for due_ms in (30, 10, 20):
        timers.set("a", due_ms)
    assert timers.take(19) == []
    assert timers.take(20) == [("a", 20)]
    assert timers.take(1_000) == []
    assert timers.next_ms() is None


@given(st.lists(st.tuples(names, times), max_size=60))
def test_what_is_due_together_comes_in_a_fixed_order(settings_: list[tuple[str, int]]) -> None:
    timers = Timers()
    for name, due_ms in settings_:
        timers.set(name, due_ms)
    taken = timers.take(40)
    assert taken == sorted(taken, key=lambda each: (each[1], each[0]))


def test_ten_thousand_changes_of_one_deadline_do_not_pile_up() -> None:
    timers = Timers()
    for number in range(10_000):
        timers.set("a", number)
    assert len(timers._heap) <= 64 + 4
    assert timers.take(10_000) == [("a", 9_999)]


@pytest.mark.parametrize("count", [1, 10, 100])
def test_as_many_as_64_and_four_for_each_name_are_kept_before_the_outdated_are_thrown_away(count: int) -> None:
    timers = Timers()
    for number in range(count):
        timers.set(f"t{number}", 0)
    kept = []
    for number in range(1, 1_000):
        timers.set("t0", number)
        kept.append(len(timers._heap))
    assert (min(kept), max(kept)) == (count, 64 + 4 * count)


def test_of_more_than_a_writer_holds_only_so_many_are_taken_at_once_and_none_is_lost() -> None:
    timers = Timers()
    for number in range(2 * MOST + 1):
        timers.set(f"t{number}", number)
    taken = [timers.take(10 * MOST) for _ in range(4)]
    assert [len(each) for each in taken] == [MOST, MOST, 1, 0]
    assert [due_ms for each in taken for _, due_ms in each] == list(range(2 * MOST + 1))
