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


def test_a_line_that_breaks_as_soon_as_it_is_open_goes_to_another_node() -> None:
    rig = Rig(times={"hand_over_ms": 60_000, "reconnect_max_ms": 15_000})
    helpless = []
    for start in range(0, 150_000, 15_000):
        rig.play("opened", start)
        for now in range(start, start + 15_000, 100):
            if now == start + 14_900:  # a moment before it has shown that it lives
                rig.play("broken", now)
            if rig.core.station.is_helpless(MIDNIGHT + now):
                helpless.append(now)
    assert helpless == [74_900, 134_900]


def test_a_connection_that_has_lived_begins_the_time_anew() -> None:
    rig = Rig(times={"hand_over_ms": 60_000, "reconnect_max_ms": 15_000})
    rig.play("broken", 0)
    assert not rig.core.station.is_helpless(MIDNIGHT)
    rig.play("opened", 50_000)
    assert not rig.core.station.is_helpless(MIDNIGHT + 65_000)
    rig.play("broken", 65_000)
    seen = [now for now in range(65_000, 130_000, 1_000) if rig.core.station.is_helpless(MIDNIGHT + now)]
    assert seen == [125_000]
