"""Log lines: one JSON object each, with their facts in fields, and never a card number."""

import io
import json
import logging
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.logs import blacken, configure

CARDS = ["4111111111111111", "5555555555554444", "378282246310005", "3530111333300000", "4222222222222"]
BLACK = "*" * 8

log = logging.getLogger("a.library")


class Lines:
    """What was logged since, as objects."""

    def __init__(self) -> None:
        self.out = io.StringIO()

    def all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.getvalue().splitlines()]

    def only(self) -> dict[str, Any]:
        (line,) = self.all()
        return line


@pytest.fixture
def lines() -> Iterator[Lines]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    lines = Lines()
    configure("router", "node-a", out=lines.out)
    yield lines
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_is_one_json_object_with_its_facts_in_fields(lines: Lines) -> None:
    log.info("partition taken", extra={"partition": 3, "seconds": 0.25, "states": None, "mine": True})
    line = lines.only()
    moment = line.pop("timestamp")
    assert moment.endswith("Z")
    assert line == {
        "service": "router",
        "node": "node-a",
        "event": "partition taken",
        "level": "info",
        "partition": 3,
        "seconds": 0.25,
        "states": None,
        "mine": True,
    }


def test_japanese_stays_readable_and_a_newline_stays_inside(lines: Lines) -> None:
    log.warning("回線 %s\nが閉局しました", "cafis-1")
    assert "回線 cafis-1\\nが閉局しました" in lines.out.getvalue()
    assert lines.only()["event"] == "回線 cafis-1\nが閉局しました"


def test_what_is_below_the_level_is_not_written(lines: Lines) -> None:
    log.debug("detail")
    logging.getLogger("asyncio").info("a selector is used")
    assert lines.all() == []


def test_structures_stay_structures(lines: Lines) -> None:
    log.info("assigned", extra={"places": [("requests", 0), ("requests", 1)], "by": {"group": "router", 1: 2}})
    line = lines.only()
    assert line["places"] == [["requests", 0], ["requests", 1]]
    assert line["by"] == {"group": "router", "1": 2}


@dataclass
class Careless:
    """An object whose text shows what it holds."""

    pan: str


@pytest.mark.parametrize("card", CARDS)
def test_a_card_number_is_blackened_wherever_it_stands(lines: Lines, card: str) -> None:
    grouped = " ".join(card[at : at + 4] for at in range(0, len(card), 4))
    log.info(f"card {card}")  # noqa: G004  as a careless caller would
    log.info("card %s of %d", card, int(card))
    log.info("grouped %s, hyphens %s", grouped, grouped.replace(" ", "-"))
    log.info(
        "extra",
        extra={
            "text": card,
            "number": int(card),
            "list": [card, {"deep": (card, int(card))}],
            "object": Careless(card),
            "bytes": card.encode(),
            "set": {card},
            "error": ValueError(card),
            "track": f"{card}=28122010000000000000",
            "key": {card: 1},
        },
    )
    try:
        int(f"cannot use {card}")
    except ValueError:
        log.exception("failed")
    log.info("with a stack %s", card, stack_info=True)
    text = lines.out.getvalue()
    assert len(lines.all()) == 6
    for shape in (card, grouped, grouped.replace(" ", "-")):
        assert shape not in text
    assert lines.all()[4]["exception"].endswith(f"invalid literal for int() with base 10: 'cannot use {BLACK}'")
    assert lines.all()[3]["track"] == f"{BLACK}=28122010000000000000"


@pytest.mark.parametrize(
    "text",
    [
        "4111111111111112",  # Luhn fails
        "123456789012",  # 12 digits
        "41111111111111111111111111111111",  # 32 digits: no card is that long
        "trace 000123 of 20251124",
        "4111-1111",
        "A-20250401-000010",  # the check digit is right, and no issuer's number begins so
        "4111a1111a1111a1111",
        "2026-01-02T03:04:05.123456Z",
        "",
    ],
)
def test_what_is_no_card_number_stays(text: str) -> None:
    assert blacken(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4111111111111111", BLACK),
        ("100 4111111111111111", f"100 {BLACK}"),  # 19 digits together, and no card of 19
        ("4111 1111 1111 1111 28", f"{BLACK} 28"),
        ("amount 1000-4111 1111 1111 1111-28-12", f"amount 1000-{BLACK}-28-12"),
        ("4111111111111111,5555555555554444", f"{BLACK},{BLACK}"),
        ("4111111111111111 5555555555554444", f"{BLACK} {BLACK}"),
        ("x4111111111111111D2812", f"x{BLACK}D2812"),
        ("pan='4111111111111111'", f"pan='{BLACK}'"),
        ("4111.1111.1111.1111", BLACK),
        ("reference r-4111_1111-1111.1111 refused", f"reference r-{BLACK} refused"),
        ("4111/1111/1111/1111", BLACK),
        ("4111 - 1111 - 1111 - 1111", BLACK),
        ("4111\u00a01111\t1111\n1111", BLACK),
        ("3782-822463-10005", BLACK),
        ("0004111-1111-1111-11112812", BLACK),
        ("\uff14" + "\uff11" * 15, BLACK),  # full-width digits
    ],
)
def test_a_card_number_among_other_digits_is_found(text: str, expected: str) -> None:
    assert blacken(text) == expected


def with_check_digit(digits: str) -> str:
    """ISO/IEC 7812-1, Annex B, written out the long way."""
    for check in "0123456789":
        number = digits + check
        total = 0
        for place, digit in enumerate(reversed(number)):
            value = int(digit) * (2 if place % 2 else 1)
            total += value - 9 if value > 9 else value
        if total % 10 == 0:
            return number
    raise AssertionError


@given(st.text("0123456789", min_size=12, max_size=18), st.text(max_size=20), st.text(max_size=20))
def test_every_number_with_a_check_digit_is_blackened(digits: str, before: str, after: str) -> None:
    number = with_check_digit(digits)
    assert number not in blacken(f"{before}|{number}|{after}").split("|")


@given(st.text(max_size=200))
def test_any_text_can_be_blackened_and_again_without_a_change(text: str) -> None:
    once = blacken(text)
    assert blacken(once) == once


def test_a_long_row_of_groups_takes_no_long_time() -> None:
    generator = random.Random(1)
    text = " ".join(str(generator.randrange(10)) for _ in range(20_000))
    assert len(blacken(text)) <= len(text)


def test_times_in_milliseconds_are_numbers_even_when_they_look_like_cards(lines: Lines) -> None:
    looks_like_one = int(with_check_digit("179550000000"))
    log.info("due", extra={"due_ms": looks_like_one, "other": looks_like_one})
    line = lines.only()
    assert line["due_ms"] == looks_like_one
    assert line["other"] == BLACK
