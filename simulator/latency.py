"""How long a centre takes to answer: a distribution, in milliseconds. Pure; chance is given in.

latency = 30                                                     # always
latency = { kind = "uniform", from_ms = 20, to_ms = 80 }
latency = { kind = "normal", mean_ms = 60, sd_ms = 15 }          # never below 0
latency = { kind = "lognormal", median_ms = 60, p99_ms = 900 }   # what networks look like
latency = { kind = "table", points = [[0.5, 60], [0.95, 200], [1.0, 900]] }   # share of answers, within so many ms
"""

import math
import random
from typing import assert_never

import msgspec

_Z99 = 2.3263478740408408  # of the normal distribution: 99 % lie below
LONGEST_MS = 3_600_000  # an hour: more is a slip of the pen


class Uniform(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="uniform"):
    """Anything from the one to the other."""

    from_ms: int
    to_ms: int


class Normal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="normal"):
    """About a mean."""

    mean_ms: int
    sd_ms: int


class Lognormal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="lognormal"):
    """Half of all within the median, with a long tail: 99 % within `p99_ms`."""

    median_ms: int
    p99_ms: int


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="table"):
    """As it was measured: this share of all answers came within so many milliseconds; straight lines between."""

    points: tuple[tuple[float, int], ...]


Latency = int | Uniform | Normal | Lognormal | Table


def drawn_ms(latency: Latency, chance: random.Random) -> int:
    """How long this answer takes."""
    match latency:
        case int():
            return latency
        case Uniform():
            return chance.randint(latency.from_ms, latency.to_ms)
        case Normal():
            return min(LONGEST_MS, max(0, round(chance.gauss(latency.mean_ms, latency.sd_ms))))
        case Lognormal():
            sigma = math.log(latency.p99_ms / latency.median_ms) / _Z99
            return min(LONGEST_MS, round(chance.lognormvariate(math.log(latency.median_ms), sigma)))
        case Table():
            return _read_off(latency, chance.random())
        case _:
            assert_never(latency)


def _read_off(table: Table, share: float) -> int:
    before, least = 0.0, table.points[0][1]
    for upto, within in table.points:
        if share <= upto:
            return round(least + (within - least) * (share - before) / (upto - before))
        before, least = upto, within
    return least


def problem_of(latency: Latency) -> str | None:
    """What is wrong with a distribution, and the remedy; None where nothing is."""
    match latency:
        case int():
            return None if 0 <= latency <= LONGEST_MS else f"must be from 0 to {LONGEST_MS} ms"
        case Uniform():
            good = 0 <= latency.from_ms <= latency.to_ms <= LONGEST_MS
            return None if good else f"uniform: give 0 ≤ from_ms ≤ to_ms ≤ {LONGEST_MS}"
        case Normal():
            good = 0 <= latency.mean_ms <= LONGEST_MS and 0 <= latency.sd_ms <= LONGEST_MS
            return None if good else f"normal: give mean_ms and sd_ms from 0 to {LONGEST_MS}"
        case Lognormal():
            good = 0 < latency.median_ms <= latency.p99_ms <= LONGEST_MS
            return None if good else f"lognormal: give 0 < median_ms ≤ p99_ms ≤ {LONGEST_MS}"
        case Table():
            return _table_problem(latency)
        case _:
            assert_never(latency)


def _table_problem(table: Table) -> str | None:
    shares = [share for share, _ in table.points]
    times = [ms for _, ms in table.points]
    if not shares or shares != sorted(set(shares)) or not shares[0] > 0 or shares[-1] != 1:
        return "table: the shares must rise from above 0 to 1.0, the last one"
    if times != sorted(times) or times[0] < 0 or times[-1] > LONGEST_MS:
        return f"table: the milliseconds must rise, from 0 to {LONGEST_MS} at most"
    return None
