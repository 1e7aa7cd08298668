"""What docs/partner-line.md says in numbers and names is what the code has; the courses themselves are other tests."""

import re
from pathlib import Path

import pytest

from egress import answers, connection, core, intake, looped, numbers
from egress.station_telegrams import kept_from
from schemas.japan_time import midnight_ms
from schemas.telegrams import Role

TEXT = re.sub(r"\s+", " ", (Path(__file__).parents[2] / "docs" / "partner-line.md").read_text("utf-8"))
NOON = midnight_ms(1_743_476_400_000) + 12 * 3_600_000


@pytest.mark.parametrize(
    "sentence",
    [
        f"among the last {core._ANSWERS:,} answers",
        f"one of our last {looped._REMEMBERED} about the line",
        f"are taken at {intake._UNASKED_A_SECOND} a second, after {intake._UNASKED_AT_ONCE} at once",
        f"leaves more than {connection._UNSENT_MAX >> 20} MiB unread",
    ],
)
def test_its_numbers_are_the_codes(sentence: str) -> None:
    assert sentence in TEXT


def test_it_lists_every_field_that_is_compared_and_no_other() -> None:
    table = TEXT.partition("| what | fields |")[2].partition("What an answer does not carry")[0]
    assert sorted(re.findall(r"`([a-z_]+)`", table)) == sorted(answers.REPEATED)


def test_the_reserve_is_shared_as_it_says() -> None:
    assert "the first nine tenths" in TEXT
    shares = numbers.shares_of(1, 1_000)
    assert (shares.dispatched, shares.reserve) == ((1, 900), (901, 1_000))
    assert "eight when it takes the line over" in TEXT
    assert numbers.AT_FIRST == 8
    assert "at noon keep-alives go out while more than a quarter of the reserve is left beside that tenth" in TEXT
    assert kept_from(Role.KEEPALIVE_REQUEST, NOON) == 1 / 4
    assert "openings while more than an eighth is" in TEXT
    assert kept_from(Role.OPENING_REQUEST, NOON) == 1 / 8
    assert "closings nothing" in TEXT
    assert kept_from(Role.CLOSING_REQUEST, NOON) == 0
    reserve = numbers.Reserve(901, 1_000)
    reserve.grant(numbers.Reserved(0, 100, "20250401", 0))
    assert reserve.left("20250401", cancel=True) - reserve.left("20250401", cancel=False) == 10  # for cancels alone
