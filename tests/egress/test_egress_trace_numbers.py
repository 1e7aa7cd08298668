"""Trace numbers 処理通番: none twice on a line and business day, of whatever telegram, and always one for a cancel."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from line_rig import LINE, Clock, MoodyLog, line, until
from loop_rig import in_loop
from test_egress_core import MIDNIGHT, Rig

from egress.acts import Transmit
from egress.jobs import Takeover
from egress.numbers import AT_FIRST, BATCH, FIRST_TIME, Reserve, Reserved, batch_of, days_about, shares_of
from egress.reserving import NotTheOwner, reserve
from egress.takeover import Places, take_over
from pipeline.log import NewTopic, Outgoing
from schemas import wire
from schemas.installation import Egress
from schemas.japan_time import DAY_MS, business_date
from schemas.records import LineTaken, NumbersReserved
from schemas.telegrams import Deframer, load_partner
from schemas.topics import Topics

FEW = msgspec.structs.replace(load_partner("cafis"), trace_range=(1, 100))
NOON = MIDNIGHT + 12 * 3_600_000


class FewNumbers(Rig):
    """Its partner has a hundred trace numbers: 90 for what is dispatched, ten in reserve."""

    def __init__(self, found: Takeover | None = None, **more: Any) -> None:
        self.numbers: list[int] = []
        super().__init__(found, partner=FEW, **more)

    def transmitted(self, data: bytes) -> str:
        (payload,) = Deframer(FEW.framing).feed(data)
        message = FEW.decode(payload)
        if not message.role.endswith("_answer"):
            number = message.values["trace_number"]
            assert isinstance(number, int)
            self.numbers.append(number)
        return super().transmitted(data)


def exhausted() -> FewNumbers:
    """A line that has no number left for requests."""
    rig = FewNumbers()
    rig.play("opened", 0)
    rig.play("ask silent", 1)
    rig.play("stored", 1)
    rig.offset = 90
    assert rig.play("ask late", 2) == "withheld late#0 trace_numbers_exhausted"
    return rig


def test_the_reserve_is_the_last_tenth_of_the_range() -> None:
    assert shares_of(1, 999_999) == ((1, 900_000), (900_001, 999_999))
    assert shares_of(1, 20) == ((1, 18), (19, 20))
    assert shares_of(5, 6) == ((5, 5), (6, 6))


def test_a_cancel_goes_out_when_requests_are_refused_for_want_of_numbers() -> None:
    rig = exhausted()
    rig.play("due", 1_002)
    assert rig.play("8930 silent 1", 1_010) == "sent silent#1 t92 r1", "91 was the opening's"
    for attempt in range(2, 11):
        rig.play("stored", 1_010 + attempt)
        told = rig.play(f"8940 silent {attempt}", 1_010 + attempt)
        assert told.startswith("sent" if attempt < 10 else "withheld"), (attempt, told)


def test_no_number_is_used_twice_by_requests_cancels_and_station_telegrams_together() -> None:
    rig = exhausted()
    now = 2_000
    for attempt in range(1, 4):
        rig.play(f"{'8930' if attempt == 1 else '8940'} silent {attempt}", now)
        rig.play("stored", now)
        rig.play("broken", now + 1)
        rig.play("opened", now + 2)
        now += 1_000
    assert len(rig.numbers) == len(set(rig.numbers)) == 1 + 4 + 3


def test_without_a_number_no_station_telegram_goes_out_and_the_board_says_why() -> None:
    rig = FewNumbers()
    evening = 18 * 3_600_000
    for turn in [*range(7), evening, evening]:
        assert "transmit opening_request" in rig.play("opened", turn), turn
        rig.play("broken", turn)
        if turn == 6:
            acts = rig.core.connected(MIDNIGHT + 10)
            assert rig.seen(acts).endswith("hang no trace number is left for the opening now"), (
                "some are kept for later"
            )
    acts = rig.core.connected(MIDNIGHT + evening + 1)
    assert not [act for act in acts if isinstance(act, Transmit)]
    assert rig.seen(acts).endswith("hang no trace number is left for the opening now")
    assert "transmit opening_request" in rig.play("opened", DAY_MS), "a new business day has them all again"


def test_without_a_number_an_open_line_is_not_asked_for_a_sign_of_life_and_stays_open() -> None:
    rig = FewNumbers()
    rig.play("opened", 0)
    noon = 12 * 3_600_000
    for turn in [*range(1, 5), noon // 30_000, noon // 30_000 + 1]:
        assert rig.play("due", 30_000 * turn).endswith("transmit keepalive_request"), turn
        rig.play("alive", 30_000 * turn)
        if turn == 4:
            assert [rig.play("due", now) for now in (150_000, 180_000)] == ["line open"] * 2
    assert rig.play("due", noon + 60_000) == "line open"
    assert rig.core.station.open


FOUR_DIGITS = msgspec.structs.replace(load_partner("cafis"), trace_range=(1, 9_999))


class FourDigits(Rig):
    """A line whose partner has four-digit trace numbers, and whose owner is granted more whenever it wants some."""

    def __init__(self, **times: Any) -> None:
        self.granted = BATCH
        super().__init__(partner=FOUR_DIGITS, times=times)

    def play(self, event: str, now: int) -> str:
        if self.core.reserve.wants_more:
            more = batch_of(999)
            self.core.reserved(Reserved(self.granted, self.granted + more, business_date(MIDNIGHT), 0), MIDNIGHT + now)
            self.granted += more
        return super().play(event, now)


def test_a_line_with_few_numbers_comes_back_however_long_it_was_suspended() -> None:
    rig = FourDigits(breaker={"silences": 1, "rest_ms": 5_000, "rest_max_ms": 300_000, "probe_ms": 2_000, "probes": 2})
    rig.play("opened", 0)
    hour, number, asked = 3_600_000, 0, None
    for now in range(0, hour + 700_000, 500):
        if rig.core.station.open and asked is None:
            number, asked = number + 1, now
            rig.play(f"ask n{number} until {now + 5_000}", now)
            rig.play("stored", now)
        if rig.core.station.open and asked is not None and now > asked and now >= hour:  # its host answers again
            rig.play(f"approved n{number}", now)
        said = rig.play("due", now)
        if "missing" in said:
            rig.play(f"release n{number}", now)
            asked = None
        if "transmit keepalive_request" in said:  # its front end answers all the time
            rig.play("alive", now)
    assert rig.core.station.open
    assert rig.core.reserve.left(business_date(MIDNIGHT), cancel=False) > 700, "it is probed no more than needed"


def test_a_quiet_day_of_keep_alives_leaves_a_line_with_few_numbers_enough_to_open_it_again() -> None:
    rig = FourDigits()
    rig.play("opened", 0)
    asked = []
    for now in range(0, DAY_MS, 10_000):
        if "transmit keepalive_request" in rig.play("due", now):
            rig.play("alive", now)
            asked.append(now)
        if now % 3_600_000 == 0:
            rig.play("broken", now)
            assert "line open" in rig.play("opened", now), f"after {now // 3_600_000} hours"
    assert len(asked) > 800, "more than half of them go out"
    assert max(after - before for before, after in pairwise(asked)) < 15 * 60_000


def test_openings_in_vain_all_day_leave_a_line_with_few_numbers_one_again_and_again() -> None:
    rig = FourDigits()
    opened = []
    for now in range(0, DAY_MS, 15_000):
        if "transmit opening_request" in rig.play("refused", now):
            opened.append(now)
        rig.play("broken", now + 5_000)
    assert max(after - before for before, after in pairwise(opened)) < 15 * 60_000


def test_the_days_about_midnight_are_two_and_else_there_is_one() -> None:
    (first, second, third) = (business_date(MIDNIGHT + DAY_MS * day) for day in (-1, 0, 1))
    minute_ms = 60_000
    assert days_about(MIDNIGHT) == {first, second}
    assert days_about(MIDNIGHT + minute_ms) == {second}
    assert days_about(MIDNIGHT + minute_ms - 1) == {first, second}
    assert days_about(MIDNIGHT + DAY_MS - minute_ms - 1) == {second}
    assert days_about(MIDNIGHT + DAY_MS - minute_ms) == {second, third}


def test_what_is_left_is_counted() -> None:
    rig = FewNumbers()
    rig.play("opened", 0)
    assert rig.core.numbers_left(MIDNIGHT) == (90, 9)
    rig.play("ask a", 1)
    assert rig.core.numbers_left(MIDNIGHT) == (89, 9)
    assert rig.core.numbers_left(MIDNIGHT + DAY_MS) == (90, 10)
    rig.offset = 95
    rig.play("ask b", 2)
    assert rig.core.numbers_left(MIDNIGHT) == (0, 9)


def test_a_new_owner_counts_from_where_the_day_began() -> None:
    found = Takeover(sent=[], known_since_ms=MIDNIGHT, position=50, holds=(), day_began_at=20)
    assert FewNumbers(found).core.numbers_left(MIDNIGHT)[0] == 90 - (50 - 20)


def test_a_cancel_waits_for_more_of_the_reserve_and_goes_out_with_it() -> None:
    found = Takeover(
        sent=[], known_since_ms=MIDNIGHT, position=0, holds=(), day_began_at=0, reserved=Reserved(0, 1, "20260401", 0)
    )
    rig = FewNumbers(found)
    rig.play("opened", 0)
    rig.offset = 90
    assert rig.core.reserve.wants_more
    assert rig.play("8930 z 1", 1) == ""
    assert rig.seen(rig.core.reserved(Reserved(1, 2, "20260401", 0), MIDNIGHT + 2)) == "sent z#1 t92 r1"


# --- the reserve ----------------------------------------------------------------------------------------------------


def drawn(found: Reserve, day: str, *, cancel: bool = True) -> Iterator[int]:
    while (number := found.of(day, cancel=cancel)) is not None:
        yield number


def test_the_last_tenth_of_the_reserve_is_for_cancels_alone() -> None:
    found = Reserve(901, 1_000)
    found.grant(Reserved(0, 200, "20260401", 0))
    assert list(drawn(found, "20260401", cancel=False)) == list(range(901, 991))
    assert list(drawn(found, "20260401")) == list(range(991, 1_001))
    assert list(drawn(found, "20260402")) == list(range(901, 1_001)), "the next day"


@pytest.mark.parametrize(
    ("count", "at_once"), [(1, 1), (99, 1), (100, 1), (199, 1), (200, 2), (1_000, 10), (99_999, BATCH)]
)
def test_an_owner_takes_a_hundredth_of_the_reserve_at_once_at_least_one_place_and_not_too_many(
    count: int, at_once: int
) -> None:
    assert batch_of(count) == at_once


@pytest.mark.parametrize(("used", "later"), [(89, True), (95, True), (99, True), (100, False)])
def test_more_places_help_a_cancel_while_one_number_of_the_day_is_left(used: int, later: bool) -> None:
    found = Reserve(901, 1_000)
    found.grant(Reserved(0, used, "20260401", 0))
    assert not found.comes_later("20260401"), "it has a number now"
    assert len(list(drawn(found, "20260401"))) == used
    assert found.comes_later("20260401") is later


def test_places_that_are_granted_before_the_last_ones_are_used_follow_them() -> None:
    found, day = Reserve(901, 1_000), "20260401"
    found.grant(Reserved(0, 4, day, 0))
    assert [found.of(day, cancel=True) for _ in range(2)] == [901, 902]
    assert found.wants_more
    found.grant(Reserved(10, 14, day, 0))  # those between were taken by an owner that has lost the line since
    assert not found.wants_more
    assert list(drawn(found, day)) == [903, 904, 911, 912, 913, 914]


def test_an_owner_goes_on_where_the_last_one_may_have_been() -> None:
    first, second = Reserve(1, 100), Reserve(1, 100)
    first.grant(Reserved(0, 60, "20260401", 0))
    second.grant(Reserved(60, 120, "20260401", 0))
    numbers = [*drawn(first, "20260401"), *drawn(second, "20260401")]
    assert len(numbers) == len(set(numbers)) == 100


def test_a_clock_that_goes_back_over_midnight_gives_no_number_anew() -> None:
    found = Reserve(1, 10)
    found.grant(Reserved(0, 100, "20260402", 0))
    numbers = [*drawn(found, "20260402"), *drawn(found, "20260401"), *drawn(found, "20260402")]
    assert numbers == list(range(1, 11))


# --- taking out of it, over the log ---------------------------------------------------------------------------------


class Taking:
    """The log of a line, and owners that take it."""

    def __init__(self) -> None:
        topics = Topics("t-")
        self.log = MoodyLog(Clock())
        self.log.create(NewTopic(each.name, each.partitions, each.config) for each in topics.creations([LINE], 3, 1))
        self.places = Places.of(topics, LINE)
        self.writer = self.log.writer("test")

    def take(self, node: str) -> int:
        return take_over(self.log, self.writer, self.places, Egress(metrics_port=0), node, NOON)[1]

    def reserve(self, taken: int, count: int = 10, now_ms: int = NOON) -> Reserved:
        return reserve(self.log, self.writer, self.places, taken, count, now_ms)


def test_owners_take_one_after_the_other_and_a_new_day_begins_where_the_last_owner_may_have_begun_it() -> None:
    line = Taking()
    first = line.take("n1")
    assert line.reserve(first)[:2] == (0, 10)
    assert line.reserve(first)[:2] == (10, 20), "the same owner needs more"
    second = line.take("n2")
    assert line.reserve(second) == Reserved(20, 30, "20260401", FIRST_TIME.end)
    assert line.reserve(second, 300) == Reserved(30, 330, "20260401", FIRST_TIME.end)
    assert line.reserve(second, now_ms=NOON + DAY_MS) == Reserved(330, 340, "20260402", 0)
    assert line.reserve(second, now_ms=NOON + DAY_MS) == Reserved(340, 350, "20260402", 0)
    assert line.reserve(second, now_ms=NOON + 2 * DAY_MS) == Reserved(350, 360, "20260403", 340 - BATCH)


def test_who_has_lost_the_line_takes_nothing() -> None:
    line = Taking()
    first = line.take("n1")
    second = line.take("n2")
    with pytest.raises(NotTheOwner, match="was taken by another process"):
        line.reserve(first)
    assert line.reserve(second).start == 10, "what the first one wrote stays unused"


def test_what_a_former_owner_writes_late_moves_no_days_first_place() -> None:
    line, tomorrow_ms = Taking(), NOON + DAY_MS
    first = line.take("n1")
    line.reserve(first, 300)
    assert line.reserve(first)[:2] == (300, 310)
    second = line.take("n2")
    assert line.reserve(second, now_ms=tomorrow_ms) == Reserved(310, 320, "20260402", 300 - BATCH)
    late = NumbersReserved(  # it was frozen before midnight, on its way to take the same places
        line=LINE, start=310, end=320, business_date="20260401", day_from=0, reserved_ms=NOON
    )
    value, headers = wire.encode(late)
    place = line.places.numbers
    line.writer.write([Outgoing(place.topic, f"{LINE}/{first}".encode(), value, headers, place.partition)])
    assert line.reserve(second, now_ms=tomorrow_ms) == Reserved(320, 330, "20260402", 300 - BATCH)


def test_what_another_line_takes_is_not_this_ones_business() -> None:
    line = Taking()
    other = Places.of(Topics("t-"), "cardnet-1")
    line.log.create([NewTopic(other.sent.topic, 1, {})])
    value, headers = wire.encode(LineTaken(line="cardnet-1", node="n1", taken_ms=NOON))
    (taken,) = line.writer.write([Outgoing(other.sent.topic, b"cardnet-1", value, headers, 0)])
    reserve(line.log, line.writer, other, taken, 50, NOON)
    assert line.reserve(line.take("n1"))[:2] == (0, 10)


@in_loop
async def test_station_telegrams_of_owner_after_owner_have_numbers_of_their_own(tmp_path: Path) -> None:
    async with line(tmp_path, probe_idle_ms=60_000) as rig:
        numbers = []
        for node in ("n1", "n2", "n3"):
            server = await rig.start(node)
            call = await rig.partner.called()
            asked = await call.receive()
            numbers.append(asked.values["trace_number"])
            call.answer(asked)
            await until(lambda: rig.said("lines")[-1] == "open", lambda: rig.said("lines"))
            await rig.die(server)
        first = 900_001
        assert numbers == [first, first + AT_FIRST, first + 2 * AT_FIRST]
