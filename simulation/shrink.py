"""Makes a failing run smaller: fewer kinds of faults, fewer faults, fewer payments; it must fail alike."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from simulation.plan import Limits, plan_of
from simulation.run import Result, play

T = TypeVar("T")

_TRIES = 120


def alike(failure: str) -> str:
    """What a failure has in common with others of its kind: its words, without names and numbers."""
    return re.sub(r"[A-Z]{2}\d+:\S+|\d[\d,.:]*|node\d\S*", "·", failure)[:60]


def shrunk(result: Result, tried: Callable[[], object]) -> Result:
    """The smallest run found that fails as this one does. Within `run.quiet`; `tried` is called after each try."""
    kind = alike(result.failures[0])
    left = _TRIES
    smallest = result

    def attempt(limits: Limits) -> bool:
        nonlocal left, smallest
        if left == 0:
            return False
        left -= 1
        tried()
        found = play(plan_of(result.plan.seed, limits))
        if kind not in map(alike, found.failures):
            return False
        smallest = found
        return True

    _without(result.plan.kinds, lambda limits, kind: replace(limits, without_kinds=limits.without_kinds | {kind}),
             lambda: smallest, attempt)  # fmt: skip
    for count in range(smallest.faults):
        if attempt(replace(smallest.plan.limits, faults=count)):
            break
    _without(range(smallest.plan.limits.faults or smallest.faults),
             lambda limits, number: replace(limits, without_faults=limits.without_faults | {number}),
             lambda: smallest, attempt)  # fmt: skip
    _without([payment.number for payment in result.plan.payments],
             lambda limits, number: replace(limits, without_payments=limits.without_payments | {number}),
             lambda: smallest, attempt)  # fmt: skip
    return smallest


def _without(
    names: Iterable[T], less: Callable[[Limits, T], Limits], smallest: Callable[[], Result],
    attempt: Callable[[Limits], bool],
) -> None:  # fmt: skip
    for name in names:
        attempt(less(smallest().plan.limits, name))
