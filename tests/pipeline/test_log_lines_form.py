"""The form of a log line: which fields come first, in which time, and how what is no text is shown."""

import datetime as dt
import io
import json
import logging
from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest

from pipeline.logs import blacken, configure

log = logging.getLogger("a.library")


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    out = io.StringIO()
    logging.getLogger("asyncio").setLevel("DEBUG")
    configure("router", "node-a", out=out)
    yield out
    root.handlers[:] = handlers
    root.setLevel(level)


def test_who_says_it_and_what_comes_before_the_facts(out: io.StringIO) -> None:
    log.info("what happened", extra={"zeta": 1, "alpha": 2})
    names = list(json.loads(out.getvalue()))
    assert names[:3] == ["service", "node", "event"]
    assert names.index("zeta") < names.index("alpha")  # in the order in which they were given


def test_a_line_is_dated_in_utc(out: io.StringIO) -> None:
    before = dt.datetime.now(dt.UTC)
    log.info("now")
    told = dt.datetime.fromisoformat(json.loads(out.getvalue())["timestamp"])
    assert before - dt.timedelta(seconds=1) <= told <= dt.datetime.now(dt.UTC)
    assert told.utcoffset() == dt.timedelta()


def test_what_is_no_text_is_shown_as_it_shows_itself(out: io.StringIO) -> None:
    log.info("seen", extra={"path": PurePosixPath("a/b"), "error": ValueError("what"), "raw": b"\x00"})
    line = json.loads(out.getvalue())
    assert (line["path"], line["error"], line["raw"]) == ("PurePosixPath('a/b')", "ValueError('what')", "b'\\x00'")


def test_the_event_loop_tells_of_trouble_alone(out: io.StringIO) -> None:
    assert logging.getLogger("asyncio").level == logging.WARNING
    logging.getLogger("asyncio").info("a selector is used")
    assert out.getvalue() == ""


@pytest.mark.parametrize("number", ["41111111111111111111", "00000000000000000000"])
def test_twenty_digits_are_no_card_number_though_their_check_digit_is_right(number: str) -> None:
    digits = [int(digit) for digit in reversed(number)]
    total = sum(digits[::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    number = number[:-1] + str((int(number[-1]) - total) % 10)
    assert blacken(number) == number
