"""What a line knows of the recent past: what went out under which numbers, what did not, and since when all of it."""

from egress.known import Known
from egress.numbers import Numbers

FIRST, SECOND = Numbers(1, 1, "20261124"), Numbers(2, 1, "20261124")


def test_what_was_decided_is_known_by_transaction_and_attempt() -> None:
    known = Known()
    known.put("a", 0, FIRST, 100)
    known.put("a", 1, None, 200)
    assert [name in known for name in (("a", 0), ("a", 1), ("a", 2), ("b", 0))] == [True, True, False, False]
    assert (known.request("a"), known.request("b")) == (FIRST, None)
    known.put("a", 1, SECOND, 300)  # it goes out after all
    assert known.request("a") == FIRST


def test_nothing_went_out_before_only_if_each_earlier_attempt_is_known_not_to_have() -> None:
    known = Known()
    assert known.nothing_went_out_before("a", 1)
    assert not known.nothing_went_out_before("a", 2)  # of the first nothing is known
    known.put("a", 0, FIRST, 100)  # the request is no cancel telegram
    known.put("a", 1, None, 100)
    assert known.nothing_went_out_before("a", 2)
    assert not known.nothing_went_out_before("a", 3)
    known.put("a", 2, SECOND, 100)
    assert known.nothing_went_out_before("a", 2)
    assert not known.nothing_went_out_before("a", 3)
    known.put("a", 3, None, 100)
    assert not known.nothing_went_out_before("a", 4)


def test_what_is_forgotten_is_older_than_what_all_is_known_of() -> None:
    known = Known()
    for number, name in enumerate("abc"):
        known.put(name, 0, FIRST, 100 + number)
    known.forget_before(100)
    assert (("a", 0) in known, known.since_ms) == (True, 0)
    known.forget_before(102)
    assert [(name, 0) in known for name in "abc"] == [False, False, True]
    assert known.since_ms == 102  # the moment after the last that was forgotten
    known.forget_before(1_000)
    assert known.since_ms == 103


def test_what_is_known_since_never_goes_back() -> None:
    known = Known()
    known.since_ms = 500
    known.put("a", 0, FIRST, 100)
    known.forget_before(1_000)
    assert known.since_ms == 500


def test_it_is_forgotten_by_the_time_of_its_first_decision_and_once() -> None:
    known = Known()
    known.put("a", 0, None, 100)
    known.put("a", 0, FIRST, 900)
    known.put("b", 0, SECOND, 901)
    known.forget_before(500)
    assert [(name, 0) in known for name in "ab"] == [False, True]
    known.put("a", 0, FIRST, 902)
    known.forget_before(902)
    assert [(name, 0) in known for name in "ab"] == [True, False]
