"""Runs of the simulation for tests: what they found, and a hand that does mischief step by step."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from simulation import standins
from simulation.broker import Weather
from simulation.plan import Limits, Plan, plan_of
from simulation.run import Whole, many, play, quiet

__all__ = ["Limits", "first_failure", "history_of", "quiet_plan", "whole_world"]


def first_failure(seeds: Iterable[int]) -> tuple[int, str] | None:
    """The first of the seeds whose run fails, and what it says."""
    for result in many(seeds):
        if result.failures:
            return result.plan.seed, "; ".join(result.failures)
    return None


def history_of(seed: int, limits: Limits | None = None) -> list[str]:
    """Everything that happens in a run, in words that are the same when it is the same."""
    with quiet():
        result = play(plan_of(seed, limits))
    notes = [f"{at_us} {who} {what}" for at_us, who, what in result.history.notes]
    return [*notes, *(f"{at_us} {who} {message!r}" for at_us, who, message in result.history.journal)]


def quiet_plan(seed: int = 1) -> Plan:
    """A run in which nothing happens by itself."""
    plan = plan_of(seed)
    plan.payments, plan.kinds, plan.rules, plan.weather = (), (), {partner: [] for partner in plan.rules}, Weather()
    plan.lines, plan.carries, plan.routes = 2, False, 3
    return plan


@contextmanager
def whole_world(plan: Plan) -> Iterator[Whole]:
    """The world of a plan, with every service started."""
    with quiet():
        whole = Whole(plan)
        with standins.inhabited(whole.world):
            whole.machines.start_all()
            whole.world.run(1_000_000)
            yield whole
            whole.world.end()
