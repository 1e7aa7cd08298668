"""When a line is handed over because it cannot be opened here: after its time, once for each such time."""

from test_egress_core import MIDNIGHT, Rig

TIMES = {"hand_over_ms": 1_000}


def helpless(rig: Rig, *times: int) -> list[bool]:
    return [rig.core.station.is_helpless(MIDNIGHT + now) for now in times]


def test_a_line_that_does_not_come_about_is_handed_over_after_its_time_and_again_after_as_long() -> None:
    rig = Rig(times=TIMES)
    rig.play("sought refused", 0)
    assert helpless(rig, 0, 999, 1_000, 1_001, 1_999, 2_000) == [False, False, True, False, False, True]


def test_a_line_that_is_open_is_not_and_its_time_begins_when_it_breaks() -> None:
    rig = Rig(times=TIMES)
    assert helpless(rig, 0) == [False]
    rig.play("opened", 900)
    assert helpless(rig, 1_000, 5_000) == [False, False]
    rig.play("broken", 5_000)
    assert helpless(rig, 5_000, 5_999, 6_000) == [False, False, True]


def test_a_line_that_is_drained_by_order_is_handed_over_while_it_has_no_connection() -> None:
    rig = Rig(times=TIMES)
    rig.play("order drain", 0)
    assert helpless(rig, 0, 1_000) == [False, True]
    rig.play("opened", 1_100)
    assert helpless(rig, 1_200, 9_000) == [False, False]


def test_a_line_that_is_to_be_closed_is_not_handed_over() -> None:
    rig = Rig(times=TIMES)
    assert helpless(rig, 0) == [False]
    rig.play("order close", 10)
    assert helpless(rig, 20, 1_000, 9_000) == [False] * 3
    rig.play("order open", 9_100)
    assert helpless(rig, 9_100, 10_099, 10_100) == [False, False, True]


def test_a_line_whose_owner_ends_is_not_handed_over() -> None:
    rig = Rig(times=TIMES)
    assert helpless(rig, 0) == [False]
    rig.play("drain", 10)
    assert helpless(rig, 1_000, 9_000) == [False, False]


def test_an_owner_that_has_waited_enough_hangs_up_where_there_is_nothing_to_close() -> None:
    rig = Rig(times=TIMES)
    assert rig.play("close", 10) == "hang closed"
