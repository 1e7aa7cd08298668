"""A line changes hands: by a death, in order, and from what only the log still knows."""

from pathlib import Path

import pytest
from line_rig import KEY, LINE, PAN, Rig, line, until
from loop_rig import in_loop

from egress import takeover, tenure
from egress.acts import Tell
from egress.core import LineCore
from egress.takeover import _LOOK, Places, take_over
from egress.telegrams import CardData
from pipeline.log import Message, NewTopic, Outgoing
from pipeline.memory import MemoryLog
from pipeline.owned import EPOCH
from schemas import wire
from schemas.installation import Egress, Line
from schemas.japan_time import business_date, midnight_ms
from schemas.records import (
    LineOrder,
    LineOrderAnswered,
    LineStage,
    LineTaken,
    Record,
    RouteHeld,
    RouteOrderAnswered,
    TelegramSent,
    TelegramWithheld,
)
from schemas.refusals import Refusal
from schemas.telegrams import Role, load_partner
from schemas.topics import Topics

NOON = 1_775_012_400_000


def line_of() -> Line:
    return Line.model_validate({
        "name": LINE, "partner": "cafis", "mode": "dial", "host": "127.0.0.1", "port": 1, "station_id": "DNB00001",
        "company_code": "100001", "routes": [1, 200],
    })  # fmt: skip


def write_sent(rig: Rig, who: str, offset: int, route: int) -> None:
    """What an owner that died right after it left in `sent`."""
    record = TelegramSent(
        transaction_id=f"AP02:{who}", transaction_key=KEY.decode(), attempt=0, role=Role.SALE_REQUEST,
        dispatch_offset=offset, trace_number=offset + 1, route_number=route, business_date=business_date(rig.clock()),
        sent_ms=rig.clock(), report_by_ms=rig.clock() + 30_000, node="n0", partner=None, original=None,
    )  # fmt: skip
    rig.write(record, rig.sent)


# --- after a death --------------------------------------------------------------------------------------------------


@in_loop
async def test_what_was_sent_is_in_doubt_what_was_not_goes_out_once_what_is_too_late_is_withheld(
    tmp_path: Path,
) -> None:
    async with line(tmp_path) as rig:
        rig.order("sent")
        write_sent(rig, "sent", 0, 7)
        rig.order("fresh")
        rig.order("late", send_in_ms=-1)
        await rig.start()
        call = await rig.partner.opened()
        asked = await call.receive_role(Role.SALE_REQUEST)
        assert asked.values["reference"] == "fresh"
        await call.nothing_came()
        call.answer(asked)
        await rig.hears("reports", "sent line_broke", "fresh approved", "late never sent: not_sent_in_time")
        assert rig.said("holds") == ["r7 for sent"]
        assert rig.said("sent")[:2] == ["sent#0 t1 r7 by n0", "taken by n1"]
        assert sorted(rig.said("sent")[2:]) == ["fresh#0 t2 r1 by n1", "late#0 withheld: not_sent_in_time"]
        await rig.position_is(3)


@in_loop
async def test_a_killed_owner_is_followed_by_one_that_sends_nothing_twice(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        first = await rig.start("n1")
        call = await rig.partner.opened()
        rig.order("answered")
        call.answer(await call.receive_role(Role.SALE_REQUEST))
        await rig.position_is(1)
        rig.order("flying")
        await call.receive_role(Role.SALE_REQUEST)
        rig.log.hold(rig.sent)
        rig.order("stored")
        await until(lambda: bool(rig.log.kept), lambda: "not stored")
        await rig.die(first)
        assert await call.rest() == []
        assert rig.position == 1
        rig.log.release()
        await rig.start("n2")
        call = await rig.partner.opened()
        await rig.hears("reports", "answered approved", "flying line_broke", "stored line_broke")
        await rig.hears("holds", "r2 for flying", "r3 for stored")
        await call.nothing_came()
        await rig.position_is(3)
        # 8930 finds the original's numbers in what the dead owner left.
        rig.confirm("flying")
        confirm = await call.receive_role(Role.FAULT_CONFIRM)
        assert confirm.values["original_trace_number"] == 2
        assert confirm.values["route_number"] == 2


@in_loop
async def test_a_third_owner_does_not_tell_again_what_the_second_told(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        rig.order("sent")
        write_sent(rig, "sent", 0, 7)
        second = await rig.start("n2")
        await rig.partner.opened()
        await rig.hears("reports", "sent line_broke")
        await rig.position_is(1)
        await rig.die(second)
        await rig.start("n3")
        call = await rig.partner.opened()
        await call.nothing_came()
        assert rig.said("reports") == ["sent line_broke", "sent nobody_said"], (
            "the third asks whether the hold is needed"
        )
        assert rig.said("holds") == ["r7 for sent", "r7 for sent"], "and holds it in its own name"


@in_loop
async def test_a_copy_of_an_order_that_went_out_before_the_takeover_is_known(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        first = await rig.start("n1")
        call = await rig.partner.opened()
        rig.order("a")
        call.answer(await call.receive_role(Role.SALE_REQUEST))
        await rig.position_is(1)
        await rig.die(first)
        rig.order("a")
        await rig.start("n2")
        call = await rig.partner.opened()
        await rig.position_is(2)
        await call.nothing_came()
        assert rig.said("reports") == ["a approved"]


@in_loop
async def test_a_held_route_stays_held_for_the_next_owner_until_it_is_released(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        first = await rig.start("n1")
        call = await rig.partner.opened()
        rig.order("a")
        await call.receive_role(Role.SALE_REQUEST)
        await call.hang_up()
        await rig.hears("holds", "r1 for a")
        await rig.die(first)
        second = await rig.start("n2")
        await until(lambda: rig.metric("held_routes") == 1, lambda: rig.metric("held_routes"))
        assert rig.metric("free_routes") == 199
        rig.release("a")
        await rig.hears("holds", "r1 for a", "r1 for a", "free")
        await until(lambda: rig.metric("free_routes") == 200, lambda: rig.metric("free_routes"))
        await rig.die(second)
        await rig.start("n3")
        await until(lambda: rig.metric("free_routes") == 200, lambda: rig.metric("free_routes"))


def test_what_a_former_owner_wrote_after_its_successor_had_the_line_is_not_what_became_of_it() -> None:
    log, topics, times = MemoryLog(lambda: NOON), Topics(), Egress(metrics_port=0)
    log.create(NewTopic(each.name, each.partitions, each.config) for each in topics.creations([LINE], 1, 1))
    places, writer = Places.of(topics, LINE), log.writer("test")

    def write(record: Record, *headers: tuple[str, bytes]) -> None:
        value, known = wire.encode(record)
        writer.write([Outgoing(places.sent.topic, KEY, value, (*known, *headers), 0)])

    def sent(who: str) -> TelegramSent:
        return TelegramSent(
            transaction_id=f"AP02:{who}", transaction_key=KEY.decode(), attempt=0, role=Role.SALE_REQUEST,
            dispatch_offset=0, trace_number=1, route_number=1, business_date=business_date(NOON), sent_ms=NOON,
            report_by_ms=NOON, node="n1", partner=None, original=None,
        )  # fmt: skip

    def withheld(who: str) -> TelegramWithheld:
        return TelegramWithheld(
            transaction_id=f"AP02:{who}", transaction_key=KEY.decode(), attempt=0, role=Role.SALE_REQUEST,
            dispatch_offset=0, reason="not_sent_in_time", noticed_ms=NOON, node="n1",
        )  # fmt: skip

    write(sent("before"))  # as versions wrote it that named no owner
    _, first = take_over(log, writer, places, times, "n1", NOON)
    write(sent("a"), (EPOCH, b"%d" % first))
    _, second = take_over(log, writer, places, times, "n1", NOON)
    write(sent("b"), (EPOCH, b"%d" % second))
    write(withheld("b"), (EPOCH, b"%d" % first))  # it was on its way for long, or its process frozen
    found, _ = take_over(log, writer, places, times, "n2", NOON)
    assert [(type(each).__name__, each.transaction_id) for each in found.sent] == [
        ("TelegramSent", "AP02:before"), ("TelegramSent", "AP02:a"), ("TelegramSent", "AP02:b"),
    ]  # fmt: skip


def test_what_the_first_owner_of_all_wrote_counts_where_its_taking_over_lies_further_back() -> None:
    record = TelegramWithheld(
        transaction_id="AP02:a", transaction_key=KEY.decode(), attempt=0, role=Role.SALE_REQUEST, dispatch_offset=0,
        reason="not_sent_in_time", noticed_ms=NOON, node="n1",
    )  # fmt: skip
    value, known = wire.encode(record)
    message = Message("sent", 0, 7, KEY, value, (*known, (EPOCH, b"0")), NOON)
    assert list(takeover._by_owners([message])) == [record]


def test_a_hold_that_a_former_owner_wrote_after_a_later_one_is_none_and_its_last_word_is_known() -> None:
    log, topics, times = MemoryLog(lambda: NOON), Topics(), Egress(metrics_port=0)
    log.create(NewTopic(each.name, each.partitions, each.config) for each in topics.creations([LINE], 1, 1))
    places, writer = Places.of(topics, LINE), log.writer("test")

    def write(route: int, who: str | None, epoch: int) -> None:
        record = None if who is None else RouteHeld(
            line=LINE, route_number=route, transaction_id=f"AP02:{who}", trace_number=1,
            business_date=business_date(NOON), reason="in_doubt", since_ms=NOON, expires_ms=None,
        )  # fmt: skip
        value, known = (None, ()) if record is None else wire.encode(record)
        name = f"{LINE}/{route}".encode()
        writer.write([Outgoing(places.holds.topic, name, value, (*known, (EPOCH, b"%d" % epoch)), 0)])

    write(3, None, 3)  # of its hold nothing is left: the topic is compacted
    write(1, "a", 4)
    write(2, "b", 4)
    write(1, "a", 9)  # the next owner, in its own name
    write(2, None, 9)
    write(1, "z", 4)  # the one before, who was frozen
    write(2, "b", 4)
    found, _ = take_over(log, writer, places, times, "n2", NOON)
    assert [(each.route_number, each.transaction_id) for each in found.holds] == [(1, "AP02:a")]
    assert found.last_words == [1, 2]
    rig = LineCore(line_of(), load_partner("cafis"), times, "n2", lambda _: CardData(PAN, "2812", None, None))
    told = [act for act in rig.take(found, NOON) if isinstance(act, Tell) and act.topic == "holds"]
    assert [(act.key, act.record is None) for act in told] == [(b"cafis-1/1", False), (b"cafis-1/2", True)]


@pytest.mark.parametrize("topic", ["sent", "holds", "line-answers"])
def test_what_the_last_owner_left_must_be_readable(topic: str, tmp_path: Path) -> None:
    @in_loop
    async def play() -> None:
        async with line(tmp_path) as rig:
            rig.order("a")
            name = rig.topics(topic, LINE if topic == "sent" else None)
            unknown = ((wire.HEADER, b"0123456789abcdef"),)
            rig.log.writer("test").write([Outgoing(name, f"{LINE}/1".encode(), b"what", unknown)])
            error = await rig.failure(await rig.start())
            assert str(error) == (
                f"record {name}/0@0 was written with a schema unknown here (fingerprint 0123456789abcdef): "
                "run a version whose schemas/avro holds this schema; nothing was skipped, it resumes at this record"
            )
            assert rig.said("lines") == [], "the partner was not even sought"

    play()


def test_an_operators_order_about_a_route_that_was_answered_not_done_is_known_and_no_other() -> None:
    clock = Ticking()
    log, topics, times = MemoryLog(clock), Topics(), Egress(metrics_port=0)
    log.create(NewTopic(each.name, each.partitions, each.config) for each in topics.creations([LINE], 1, 1))
    places, writer = Places.of(topics, LINE), log.writer("test")

    def write(record: LineOrderAnswered | RouteOrderAnswered) -> None:
        value, headers = wire.encode(record)
        writer.write([Outgoing(places.answers.topic, record.line.encode(), value, headers, 0)])

    def answer(order_id: str, at_line: str = LINE, *, done: bool = False) -> None:
        write(RouteOrderAnswered(
            order_id=order_id, line=at_line, route_number=1, hold=True, operator="Sato", reason="asked for", node="n1",
            done=done, released=None, answered_ms=clock(),
        ))  # fmt: skip

    clock.now_ms = NOON - 1_000
    answer("long-ago")
    clock.now_ms = NOON + 1_000
    answer("refused")
    answer("done", done=True)
    answer("elsewhere", "cafis-2")
    write(LineOrderAnswered(
        order_id="line", line=LINE, order=LineOrder.CLOSE, operator="Sato", reason="storm", node="n1",
        stage=LineStage.DRAINING, answered_ms=NOON,
    ))  # fmt: skip
    clock.now_ms = NOON + times.look_back_ms
    found, _ = take_over(log, writer, places, times, "n2", clock.now_ms)
    assert list(found.not_done) == ["refused"]


@in_loop
async def test_the_holds_of_another_line_are_not_this_ones_business(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        rig.log.writer("test").write([Outgoing(rig.topics("holds"), b"cafis-11/1", b"of cafis-11")])
        await rig.start()
        await rig.partner.opened()
        await rig.line_is("open")


# --- in order -------------------------------------------------------------------------------------------------------


@in_loop
async def test_a_line_that_is_given_up_drains_and_closes_its_station(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        server = await rig.start("n1")
        call = await rig.partner.opened()
        rig.order("flying")
        asked = await call.receive_role(Role.SALE_REQUEST)
        stopping = rig.begin_stop(server)
        await rig.line_is("draining: closed by the end of its owner")
        rig.order("waits")
        await call.nothing_came()  # the line waits for its last report, and takes no new order
        assert not stopping.done()
        call.answer(asked)
        closing = await call.receive_role(Role.CLOSING_REQUEST)
        assert closing.values["station_id"] == "DNB00001"
        assert rig.said("reports") == ["flying approved"]
        call.answer(closing)
        assert await call.rest() == []
        await stopping
        assert rig.said("lines")[-1] == "closed: closed by the end of its owner"
        assert rig.position == 1
        assert rig.metric("line_owned") == rig.metric("line_open") == rig.metric("in_flight") == 0
        # The next owner has nothing to doubt, and sends what waited.
        await rig.start("n2")
        call = await rig.partner.opened()
        waited = await call.receive_role(Role.SALE_REQUEST)
        assert waited.values["reference"] == "waits"
        call.answer(waited)
        await rig.hears("reports", "flying approved", "waits approved")


@in_loop
async def test_an_owner_in_a_hurry_awaits_no_report_and_closes_its_station_all_the_same(tmp_path: Path) -> None:
    async with line(tmp_path, drain_ms=3_600_000) as rig:
        server = await rig.start()
        call = await rig.partner.opened()
        rig.order("flying")
        await call.receive_role(Role.SALE_REQUEST)
        stopping = rig.begin_stop(server)
        await rig.line_is("draining: closed by the end of its owner")
        server.hurry()
        call.answer(await call.receive_role(Role.CLOSING_REQUEST))
        await stopping
        assert rig.said("reports") == ["flying line_broke"]
        assert rig.said("holds") == ["r1 for flying"]


@in_loop
async def test_what_is_not_answered_while_draining_is_in_doubt_and_the_station_is_closed_all_the_same(
    tmp_path: Path,
) -> None:
    async with line(tmp_path, drain_ms=10_000) as rig:
        server = await rig.start()
        call = await rig.partner.opened()
        rig.order("flying")
        await call.receive_role(Role.SALE_REQUEST)
        stopping = rig.begin_stop(server)
        await rig.line_is("draining: closed by the end of its owner")
        rig.clock.pass_ms(10_000)
        call.answer(await call.receive_role(Role.CLOSING_REQUEST))
        await stopping
        assert rig.said("reports") == ["flying line_broke"]
        assert rig.said("holds") == ["r1 for flying"]
        assert rig.position == 1


@in_loop
async def test_a_partner_that_does_not_answer_the_closing_does_not_keep_the_line(tmp_path: Path) -> None:
    async with line(tmp_path, closing_timeout_ms=5_000) as rig:
        server = await rig.start()
        call = await rig.partner.opened()
        await rig.line_is("open")
        stopping = rig.begin_stop(server)
        await call.receive_role(Role.CLOSING_REQUEST)
        rig.clock.pass_ms(5_000)
        assert await call.rest() == []
        await stopping
        assert rig.said("lines")[-1] == "closed: closing not answered"


@in_loop
async def test_a_line_that_never_found_its_partner_is_given_up_at_once(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        rig.partner.stop_listening()
        server = await rig.start()
        await until(lambda: len(rig.said("lines")) == 2, lambda: rig.said("lines"))
        await rig.begin_stop(server)
        assert rig.said("lines")[-1] == "closed: closed by the end of its owner"


@in_loop
async def test_a_log_that_does_not_acknowledge_does_not_keep_the_line_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenure, "_STORE_MS", 0)
    async with line(tmp_path, drain_ms=10_000) as rig:
        server = await rig.start("n1")
        call = await rig.partner.opened()
        await rig.line_is("open")
        rig.log.hold(rig.sent)
        rig.order("a")
        await until(lambda: bool(rig.log.kept), lambda: "not stored")
        stopping = rig.begin_stop(server)
        await rig.line_is("draining: closed by the end of its owner")
        rig.clock.pass_ms(10_000)
        call.answer(await call.receive_role(Role.CLOSING_REQUEST))
        await stopping
        assert rig.position in (None, 0)
        rig.log.release()
        await rig.start("n2")
        call = await rig.partner.opened()
        await rig.hears("reports", "a line_broke")  # stored by n1, so nobody may send it
        await call.nothing_came()


# --- two nodes ------------------------------------------------------------------------------------------------------


@in_loop
async def test_the_lower_rank_takes_the_line_back_when_it_returns(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        await rig.start("spare", rank=1)
        call = await rig.partner.opened()
        await rig.line_is("open")
        await rig.start("preferred", rank=0)
        call.answer(await call.receive_role(Role.CLOSING_REQUEST))
        assert await call.rest() == []
        call = await rig.partner.opened()
        rig.order("a")
        await call.receive_role(Role.SALE_REQUEST)
        assert rig.said("sent") == ["taken by spare", "taken by preferred", "a#0 t1 r1 by preferred"]


@in_loop
async def test_the_other_node_has_the_line_when_its_owner_stops(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        owner = await rig.start("n1")
        call = await rig.partner.opened()
        await rig.line_is("open")
        await rig.start("n2")
        stopping = rig.begin_stop(owner)
        call.answer(await call.receive_role(Role.CLOSING_REQUEST))
        call = await rig.partner.opened()
        await stopping
        rig.order("a")
        call.answer(await call.receive_role(Role.SALE_REQUEST))
        await rig.hears("reports", "a approved")


HOUR_MS = 3_600_000


@pytest.mark.parametrize("off_ms", [-24 * HOUR_MS, -HOUR_MS, -1_200_000, -5_000, 0, 5_000, 1_200_000, 24 * HOUR_MS])
def test_what_the_last_owner_sent_is_found_however_wrong_either_owners_clock_is(off_ms: int) -> None:
    log, topics, times = MemoryLog(lambda: NOON), Topics(), Egress(metrics_port=0)
    log.create(NewTopic(each.name, each.partitions, each.config) for each in topics.creations([LINE], 1, 1))
    places, writer = Places.of(topics, LINE), log.writer("test")
    owner_ms = NOON + off_ms
    writer.write([Outgoing(places.sent.topic, KEY, *wire.encode(_sent("AP02:a", owner_ms)), 0)])
    for now_ms in (NOON, NOON - off_ms):
        found, _ = take_over(log, writer, places, times, "n2", now_ms)
        assert [each.transaction_id for each in found.sent] == ["AP02:a"]
        assert found.known_since_ms == NOON - times.look_back_ms


class Ticking:
    """The broker's clock, which a test moves."""

    def __init__(self) -> None:
        self.now_ms = NOON

    def __call__(self) -> int:
        return self.now_ms


@pytest.mark.parametrize("count", [1, _LOOK, _LOOK + 1, 3 * _LOOK])
def test_what_was_sent_is_found_when_the_broker_that_stamped_it_was_an_hour_behind_and_is_gone(count: int) -> None:
    clock = Ticking()
    log, topics, times = MemoryLog(clock), Topics(), Egress(metrics_port=0)
    log.create(NewTopic(each.name, each.partitions, each.config) for each in topics.creations([LINE], 1, 1))
    places, writer = Places.of(topics, LINE), log.writer("test")
    clock.now_ms = NOON - HOUR_MS
    writer.write([Outgoing(places.sent.topic, KEY, *wire.encode(_sent("old", NOON - HOUR_MS)), 0)])
    writer.write([
        Outgoing(places.sent.topic, KEY, *wire.encode(_sent(f"young {number}", NOON - 1_000)), 0)
        for number in range(count)
    ])  # fmt: skip
    clock.now_ms = NOON
    found, _ = take_over(log, writer, places, times, "n2", NOON)
    assert len([each for each in found.sent if each.transaction_id.startswith("young")]) == count
    assert len(found.sent) <= count + 1


def test_what_was_withheld_is_found_then_too_and_an_owner_that_only_took_the_line_leads_further_back() -> None:
    clock = Ticking()
    log, topics, times = MemoryLog(clock), Topics(), Egress(metrics_port=0)
    log.create(NewTopic(each.name, each.partitions, each.config) for each in topics.creations([LINE], 1, 1))
    places, writer = Places.of(topics, LINE), log.writer("test")
    clock.now_ms = NOON - HOUR_MS
    withheld = TelegramWithheld(
        transaction_id="AP02:w", transaction_key=KEY.decode(), attempt=0, role=Role.SALE_REQUEST, dispatch_offset=0,
        reason=Refusal.NOT_SENT_IN_TIME, noticed_ms=NOON - 1_000, node="n1",
    )  # fmt: skip
    taken = LineTaken(line=LINE, node="n1", taken_ms=NOON - 500)
    for record in (withheld, *[taken] * _LOOK):
        writer.write([Outgoing(places.sent.topic, KEY, *wire.encode(record), 0)])
    clock.now_ms = NOON
    found, _ = take_over(log, writer, places, times, "n2", NOON)
    assert [each.transaction_id for each in found.sent] == ["AP02:w"]


def _sent(transaction_id: str, sent_ms: int) -> TelegramSent:
    return TelegramSent(
        transaction_id=transaction_id, transaction_key=KEY.decode(), attempt=0, role=Role.SALE_REQUEST,
        dispatch_offset=0, trace_number=1, route_number=1, business_date=business_date(sent_ms), sent_ms=sent_ms,
        report_by_ms=sent_ms, node="n1", partner=None, original=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("before_midnight_ms", "counts"),
    [(0, True), (599_999, True), (600_000, True), (600_001, False)],
)
def test_a_business_day_counts_its_telegrams_from_before_midnight_as_long_as_they_may_wait(
    before_midnight_ms: int, counts: bool
) -> None:
    clock = Ticking()
    log, topics, times = MemoryLog(clock), Topics(), Egress(metrics_port=0)
    log.create(NewTopic(each.name, each.partitions, each.config) for each in topics.creations([LINE], 1, 1))
    places, writer = Places.of(topics, LINE), log.writer("test")
    clock.now_ms = midnight_ms(NOON) - before_midnight_ms
    writer.write([Outgoing(places.dispatch.topic, KEY, b"an order of the evening", (), 0)])
    clock.now_ms = NOON
    writer.write([Outgoing(places.dispatch.topic, KEY, b"an order of the day", (), 0)])
    found, _ = take_over(log, writer, places, times, "n2", NOON)
    assert found.day_began_at == (0 if counts else 1)


def test_an_order_without_an_outcome_is_looked_for_from_before_it_was_given() -> None:
    clock = Ticking()
    log, topics, times = MemoryLog(clock), Topics(), Egress(metrics_port=0)
    log.create(NewTopic(each.name, each.partitions, each.config) for each in topics.creations([LINE], 1, 1))
    places, writer = Places.of(topics, LINE), log.writer("test")
    writer.write([Outgoing(places.dispatch.topic, KEY, b"an order without an outcome", (), 0)])
    clock.now_ms += 3 * times.look_back_ms
    found, _ = take_over(log, writer, places, times, "n2", clock.now_ms)
    assert found.known_since_ms == NOON - times.look_back_ms
