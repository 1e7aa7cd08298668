"""Whole histories by seed: each the same every time, and in every one the money is right."""

import gc
import io
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from rich.console import Console
from simulated import Limits, history_of

from simulation.command import simulate
from simulation.plan import Mischief, plan_of
from simulation.run import many, play, quiet
from simulation.world import Strand, World

SEEDS = range(300)


def test_whatever_befalls_the_gateway_the_money_is_right_and_everything_settles() -> None:
    failed, counters = {}, Counter[str]()
    for result in many(SEEDS):
        counters += result.counters
        if result.failures:
            failed[result.plan.seed] = result.failures
    assert failed == {}
    assert [kind.value for kind in Mischief if counters[kind.value] == 0] == [], "faults that never happened"
    ends = ("answered", "returned", "refused", "cancelled", "attention")
    assert [end for end in ends if counters[f"ended {end}"] == 0] == [], "ends that no transaction came to"
    seen = ("lines taken over", "rivals of a line noticed", "sessions run out", "services that gave up")
    assert [name for name in seen if counters[name] == 0] == []


def test_the_same_seed_is_the_same_history() -> None:
    for seed in (3, 5, 8):
        assert history_of(seed) == history_of(seed)


def test_other_seeds_are_other_histories() -> None:
    assert len({tuple(history_of(seed)) for seed in range(5)}) == 5


def test_another_process_with_other_hashes_of_texts_has_the_same_history() -> None:
    script = """
import hashlib, simulated
told = [line for seed in (7, 910008, 910019) for line in simulated.history_of(seed)]
print(hashlib.sha256("\\n".join(told).encode()).hexdigest())
"""
    told = set()
    for hashes in ("1", "2", "3"):  # of the last seed, what a client's set of connections gave depended on it
        environment = {**os.environ, "PYTHONHASHSEED": hashes, "PYTHONPATH": str(Path(__file__).parent)}
        ran = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120, env=environment
        )
        told.add(ran.stdout)
    assert len(told) == 1


def test_what_the_limits_leave_out_does_not_happen() -> None:
    with quiet():
        whole = next(result for result in map(play, map(plan_of, range(50))) if result.faults > 3)
        seed, kinds = whole.plan.seed, frozenset(whole.plan.kinds)
        fewer = play(plan_of(seed, Limits(faults=2)))
        none = play(plan_of(seed, Limits(without_kinds=kinds)))
        poorer = play(plan_of(seed, Limits(without_payments=frozenset({0, 1}))))
    assert [who for _, who, _ in fewer.history.notes].count("fault") == 2
    assert sum(none.counters[kind.value] for kind in Mischief) == 0
    assert not any("p0: " in what or "p1: " in what for _, _, what in poorer.history.notes)


def test_a_run_leaves_nothing_behind() -> None:
    for result in many(range(5)):
        assert result.simulated_ms
    del result
    gc.collect()
    assert [each for each in gc.get_objects() if isinstance(each, World | Strand)] == []


def test_the_command_tells_what_happened_and_that_all_is_well() -> None:
    console = Console(record=True, width=120, file=io.StringIO())
    assert simulate(runs=20, seed=0, jobs=1, limits=Limits(), trace=False, keep_going=False, console=console) == 0
    text = console.export_text()
    assert "20 runs, seeds 0 to 19, all clean" in text
    assert "ended answered" in text
