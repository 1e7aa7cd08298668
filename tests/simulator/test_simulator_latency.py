"""How long answers take: each distribution is the one it says it is, and the same for the same seed."""

import random
from typing import Any

import msgspec
import pytest

from simulator.latency import LONGEST_MS, Latency, Lognormal, Normal, Table, Uniform, drawn_ms, problem_of

COUNT = 20_000
SHAPES: list[Latency] = [
    Uniform(20, 80),
    Normal(60, 15),
    Lognormal(60, 900),
    Table(((0.5, 60), (0.95, 200), (1.0, 900))),
]


def drawn(latency: Latency, seed: int = 1) -> list[int]:
    chance = random.Random(seed)
    return sorted(drawn_ms(latency, chance) for _ in range(COUNT))


def at(share: float, times: list[int]) -> int:
    return times[int(share * COUNT)]


def test_a_constant_is_constant() -> None:
    assert set(drawn(30)) == {30}


def test_uniform_lies_between_its_ends() -> None:
    times = drawn(Uniform(20, 80))
    assert (times[0], times[-1]) == (20, 80)
    assert 48 <= at(0.5, times) <= 52


def test_normal_lies_about_its_mean_and_never_below_nothing() -> None:
    times = drawn(Normal(60, 15))
    assert 59 <= at(0.5, times) <= 61
    assert 74 <= at(0.8413, times) <= 76, "one standard deviation above the mean"
    assert drawn(Normal(5, 50))[0] == 0


def test_lognormal_has_its_median_and_its_ninety_ninth_percentile() -> None:
    times = drawn(Lognormal(60, 900))
    assert 57 <= at(0.5, times) <= 63
    assert 780 <= at(0.99, times) <= 1_030
    assert set(drawn(Lognormal(60, 60))) == {60}


def test_a_table_gives_its_points_and_straight_lines_between() -> None:
    times = drawn(Table(((0.5, 60), (0.95, 200), (1.0, 900))))
    assert times[0] == 60
    assert at(0.25, times) == 60, "what is below the first point takes as long as it"
    assert 193 <= at(0.94, times) <= 200, "just before the point 200"
    assert 125 <= at(0.725, times) <= 135, "half way between the points 60 and 200"
    assert 860 <= times[-1] <= 900


@pytest.mark.parametrize("latency", SHAPES, ids=lambda each: type(each).__name__)
def test_the_same_seed_gives_the_same_times(latency: Latency) -> None:
    assert drawn(latency, 7) == drawn(latency, 7)
    assert drawn(latency, 7) != drawn(latency, 8)
    assert problem_of(latency) is None


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (-1, f"must be from 0 to {LONGEST_MS} ms"),
        (LONGEST_MS + 1, f"must be from 0 to {LONGEST_MS} ms"),
        ({"kind": "uniform", "from_ms": 9, "to_ms": 8}, f"uniform: give 0 ≤ from_ms ≤ to_ms ≤ {LONGEST_MS}"),
        ({"kind": "normal", "mean_ms": 1, "sd_ms": -1}, f"normal: give mean_ms and sd_ms from 0 to {LONGEST_MS}"),
        (
            {"kind": "lognormal", "median_ms": 0, "p99_ms": 9},
            f"lognormal: give 0 < median_ms ≤ p99_ms ≤ {LONGEST_MS}",
        ),
        ({"kind": "table", "points": []}, "table: the shares must rise from above 0 to 1.0, the last one"),
        ({"kind": "table", "points": [[0.5, 1]]}, "table: the shares must rise from above 0 to 1.0, the last one"),
        (
            {"kind": "table", "points": [[0.5, 1], [0.5, 2], [1.0, 3]]},
            "table: the shares must rise from above 0 to 1.0, the last one",
        ),
        (
            {"kind": "table", "points": [[0.5, 9], [1.0, 3]]},
            f"table: the milliseconds must rise, from 0 to {LONGEST_MS} at most",
        ),
    ],
)
def test_what_is_wrong_with_a_distribution_is_said(raw: Any, problem: str) -> None:
    latency: Latency = msgspec.convert(raw, Latency)  # type: ignore[arg-type]
    assert problem_of(latency) == problem
