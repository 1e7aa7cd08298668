"""A crash point kills its process there, the right time, once; and does nothing at all when nobody asked for it."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from pipeline import crash
from pipeline.config import ConfigError

POINTS = ["one", "two"]
PROGRAM = """
import os, sys
from pipeline import crash
crash.arm(os.environ, ["one", "two"])
for point in sys.argv[1:]:
    crash.here(point)
    print(point, flush=True)
"""


@pytest.fixture(autouse=True)
def nothing_armed() -> Iterator[None]:
    yield
    crash.arm({}, POINTS)


def passed(*points: str, **environment: str | Path) -> tuple[list[str], int]:
    """The points a process passes that comes to these, and its exit status."""
    named = {crash.AT: environment.get("at"), crash.ONCE_FILE: environment.get("once")}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, *points],
        env={name: str(value) for name, value in named.items() if value is not None},
        cwd=Path(crash.__file__).parents[1], capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert ended.stderr == ""
    return ended.stdout.split(), ended.returncode


def test_where_nothing_is_asked_for_every_point_is_passed() -> None:
    assert passed("one", "two", "one") == (["one", "two", "one"], 0)


def test_it_dies_at_the_point_and_is_not_asked_before() -> None:
    assert passed("one", "two", "one", at="two") == (["one"], -signal.SIGKILL)


def test_it_dies_at_the_passing_that_was_counted() -> None:
    assert passed("one", "two", "one", "one", "two", at="one:3") == (["one", "two", "one"], -signal.SIGKILL)


def test_a_process_that_is_started_again_lives_where_it_is_to_die_once(tmp_path: Path) -> None:
    once = tmp_path / "once"
    assert passed("one", "two", at="one", once=once) == ([], -signal.SIGKILL)
    assert once.exists()
    assert passed("one", "two", at="one", once=once) == (["one", "two"], 0)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("three", "DENBUN_CRASH_AT=three: there is no point 'three': one of one, two"),
        ("", "DENBUN_CRASH_AT=: there is no point '': one of one, two"),
        ("one:", "DENBUN_CRASH_AT=one:: '' is no count: give one:1 or more, or one alone"),
        ("one:0", "DENBUN_CRASH_AT=one:0: '0' is no count: give one:1 or more, or one alone"),
        ("one:x", "DENBUN_CRASH_AT=one:x: 'x' is no count: give one:1 or more, or one alone"),
    ],
)
def test_what_names_no_point_is_told(wanted: str, said: str) -> None:
    with pytest.raises(ConfigError) as told:
        crash.arm({crash.AT: wanted}, POINTS)
    assert str(told.value) == said
    assert not crash.armed


@pytest.mark.parametrize("environment", [{}, {crash.ONCE_FILE: "somewhere"}], ids=["nothing", "the file alone"])
def test_nothing_is_armed_by_nothing(environment: Mapping[str, str]) -> None:
    crash.arm({crash.AT: "one"}, POINTS)
    assert crash.armed
    crash.arm(environment, POINTS)
    assert not crash.armed
    crash.here("one")
