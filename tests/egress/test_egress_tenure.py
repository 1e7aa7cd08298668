"""Between the log and the line: nothing goes out before `sent` holds it, nor after a rival has the line."""

import logging
from pathlib import Path

import pytest
from line_rig import KEY, LINE, PAN, line, tenure_of, until
from loop_rig import in_loop
from msgspec.structs import replace

from egress import crashes
from egress.core import LineCore
from pipeline import crash
from pipeline.log import LogError, Outgoing, Reader, WriteFailed
from pipeline.owned import EPOCH
from schemas import wire
from schemas.cards import pack_card
from schemas.crash_points import Point
from schemas.records import LineTaken, Record, TelegramSent
from schemas.sealing import CARD, create_ring, load_ring
from schemas.telegrams import Role

# --- first the log, then the line -----------------------------------------------------------------------------------


@in_loop
async def test_the_log_holds_the_sent_record_before_the_first_byte_is_on_the_line(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        await rig.start()
        call = await rig.partner.opened()
        await rig.line_is("open")
        rig.log.hold(rig.sent)
        rig.order("a")
        await rig.hears("sent", "taken by n1", "a#0 t1 r1 by n1")
        stored = rig.log.everything(rig.sent)[-1]
        assert (stored.key, stored.partition) == (KEY, 0)
        await call.nothing_came()  # stored, but the log has not said so
        rig.log.release()
        asked = await call.receive_role(Role.SALE_REQUEST)
        assert (asked.values["trace_number"], asked.values["route_number"]) == (1, 1)
        assert asked.values["pan"] == PAN


@in_loop
async def test_what_the_log_acknowledges_too_late_is_not_sent(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        await rig.start()
        call = await rig.partner.opened()
        await rig.line_is("open")
        rig.log.hold(rig.sent)
        rig.order("a", send_in_ms=5_000)
        await until(lambda: bool(rig.log.kept), lambda: "not stored")
        rig.clock.pass_ms(5_001)
        rig.log.release()
        await rig.hears("reports", "a never sent: not_sent_in_time")
        await call.nothing_came()


@in_loop
async def test_with_a_log_that_takes_nothing_nothing_is_transmitted_and_the_server_fails(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        server = await rig.start()
        call = await rig.partner.opened()
        await rig.line_is("open")
        rig.log.break_writes(True, after=1)  # the order itself
        rig.order("a")
        error = await rig.failure(server)
        assert isinstance(error, WriteFailed)
        assert str(error) == "t-sent.cafis-1: not acknowledged: the broker is told to fail"
        await call.nothing_came()
        rig.log.break_writes(False)
        await rig.die(server)
        assert await call.rest() == []
        assert rig.position != 1
        # Started again it goes on where it stood: the order was never on the line, so it goes out now.
        await rig.start("n2")
        call = await rig.partner.opened()
        call.answer(await call.receive_role(Role.SALE_REQUEST))
        await rig.hears("reports", "a approved")
        await rig.hears("sent", "taken by n1", "taken by n2", "a#0 t1 r1 by n2")


@in_loop
async def test_a_record_of_which_nobody_knows_whether_it_was_stored_is_in_doubt_and_never_sent(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        server = await rig.start()
        call = await rig.partner.opened()
        await rig.line_is("open")
        rig.log.doubt(rig.sent)
        rig.order("a")
        assert isinstance(await rig.failure(server), WriteFailed)
        await call.nothing_came()
        rig.log.doubt("")
        await rig.die(server)
        await rig.start("n2")
        call = await rig.partner.opened()
        await rig.hears("reports", "a line_broke")
        await rig.position_is(1)
        await call.nothing_came()


@in_loop
async def test_an_outcome_that_the_log_does_not_take_is_told_by_the_next_owner(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        server = await rig.start()
        call = await rig.partner.opened()
        rig.order("a")
        asked = await call.receive_role(Role.SALE_REQUEST)
        rig.log.break_writes(True)
        call.answer(asked)
        error = await rig.failure(server)
        assert str(error) == "t-reports: not acknowledged: the broker is told to fail"
        rig.log.break_writes(False)
        await rig.die(server)
        assert rig.said("reports") == []
        await rig.start("n2")
        call = await rig.partner.opened()
        await rig.hears("reports", "a line_broke")  # the partner's answer reached nobody: it is cancelled
        await call.nothing_came()


@in_loop
async def test_a_process_can_be_made_to_die_when_the_telegram_is_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed: list[str] = []
    monkeypatch.setattr(crash, "armed", True)
    monkeypatch.setattr(crash, "here", passed.append)
    async with line(tmp_path) as rig:
        await rig.start()
        call = await rig.partner.opened()
        rig.order("a")
        await call.receive_role(Role.SALE_REQUEST)
        await until(lambda: len(passed) == 2, lambda: passed)
        assert passed == [Point.SENT_STORED, Point.TELEGRAM_OUT]


@in_loop
async def test_orders_that_are_read_again_hide_none_that_comes_with_them(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        server = await rig.start()
        call = await rig.partner.opened()
        rig.order("a")
        call.answer(await call.receive_role(Role.SALE_REQUEST))
        await rig.position_is(1)
        (first,) = rig.log.everything(rig.dispatch.topic)
        (order,) = rig.records("dispatch")
        card = rig.ring.seal(CARD, "AP02:b", pack_card(PAN, "2812"))
        value, headers = wire.encode(replace(order, transaction_id="AP02:b", reference="b", card=card))
        tenure_of(server).dispatched([first, replace(first, offset=1, value=value, headers=headers)])
        asked = await call.receive_role(Role.SALE_REQUEST)
        assert asked.values["reference"] == "b"
        await call.nothing_came()


# --- a rival --------------------------------------------------------------------------------------------------------


@in_loop
async def test_a_former_owner_transmits_nothing_any_more(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with line(tmp_path) as rig:
        await rig.start()
        call = await rig.partner.opened()
        await rig.line_is("open")
        rig.write(LineTaken(line=LINE, node="n2", taken_ms=rig.clock()), rig.sent)
        rig.order("a")
        rig.order("b")
        assert await call.rest() == []
        (error,) = [each for each in caplog.records if each.levelno == logging.ERROR]
        told = error.getMessage(), error.__dict__["line"], error.__dict__["node"]
        assert told == ("the line has a new owner", LINE, "n2")
        assert rig.metric("line_owned") == 0
        lost = await rig.failure(rig.servers[0])
        assert str(lost) == f"line {LINE} was taken by n2: join its group anew"
        rig.order("c")
        assert rig.said("reports") == []
        assert rig.position in (None, 0), "whoever owns the line reads the orders again"
        # It tells nobody anything, and its partner is not called again.
        states = rig.said("lines")
        await rig.die(rig.servers[0])
        assert rig.said("lines") == states
        assert rig.partner._calls.empty()


@in_loop
async def test_a_former_owner_does_not_say_that_something_was_never_sent(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        await rig.start()
        call = await rig.partner.opened()
        await rig.line_is("open")
        rig.write(LineTaken(line=LINE, node="n2", taken_ms=rig.clock()), rig.sent)
        rig.order("a", send_in_ms=-1)
        assert await call.rest() == []
        assert rig.said("sent")[-1] == "a#0 withheld: not_sent_in_time"
        assert rig.said("reports") == []


@in_loop
async def test_a_report_that_reaches_a_former_owner_is_told_as_long_as_it_does_not_know_better(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        await rig.start()
        call = await rig.partner.opened()
        rig.order("a")
        asked = await call.receive_role(Role.SALE_REQUEST)
        rig.write(LineTaken(line=LINE, node="n2", taken_ms=rig.clock()), rig.sent)
        call.answer(asked)
        await rig.hears("reports", "a approved")  # true, whoever says it; the first word in the log wins


@in_loop
async def test_the_owner_goes_on_when_a_former_owner_writes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with line(tmp_path) as rig:
        await rig.start()
        call = await rig.partner.opened()
        await rig.line_is("open")
        stranger = TelegramSent(
            transaction_id="AP02:z", transaction_key=KEY.decode(), attempt=0, role=Role.SALE_REQUEST,
            dispatch_offset=0, trace_number=1, route_number=9, business_date="20260401",
            sent_ms=rig.clock(), report_by_ms=rig.clock(), node="n0", partner=None, original=None,
        )  # fmt: skip
        rig.write(stranger, rig.sent)
        rig.write(stranger, rig.sent)
        rig.order("a")
        call.answer(await call.receive_role(Role.SALE_REQUEST))
        await rig.hears("reports", "a approved")
        assert rig.metric("rivals_total") == 2
        (warning,) = [each for each in caplog.records if each.levelno == logging.WARNING]
        told = warning.getMessage(), warning.__dict__["line"], warning.__dict__["records"]
        assert told == ("a former owner wrote to sent", LINE, 2)


@in_loop
async def test_a_gap_that_cannot_be_looked_into_stops_the_server_before_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with line(tmp_path) as rig:
        server = await rig.start()
        call = await rig.partner.opened()
        await rig.line_is("open")

        def reader(*_: object) -> Reader:
            raise LogError("reading failed: the broker is gone")

        monkeypatch.setattr(rig.log, "reader", reader)
        rig.write(LineTaken(line=LINE, node="n2", taken_ms=rig.clock()), rig.sent)
        rig.order("a")
        assert str(await rig.failure(server)) == "reading failed: the broker is gone"
        await call.nothing_came()


# --- card data that cannot be opened --------------------------------------------------------------------------------


@in_loop
async def test_a_card_that_cannot_be_opened_is_refused_and_the_next_order_goes_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    create_ring(tmp_path / "another.json")
    async with line(tmp_path) as rig:
        await rig.start()
        call = await rig.partner.opened()
        rig.order("moved", sealed_for="AP02:elsewhere")
        rig.order("stranger", ring=load_ring(tmp_path / "another.json"))
        rig.order("sound")
        asked = await call.receive_role(Role.SALE_REQUEST)
        assert asked.values["reference"] == "sound"
        await call.nothing_came()
        await rig.hears(
            "reports", "moved never sent: card_data_unreadable", "stranger never sent: card_data_unreadable"
        )
        assert "moved#0 withheld: card_data_unreadable" in rig.said("sent")
        told = [each.__dict__ for each in caplog.records if each.levelno == logging.ERROR]
        assert [(each["msg"], each["transaction"]) for each in told] == [
            ("card data unreadable", "AP02:moved"),
            ("card data unreadable", "AP02:stranger"),
        ]
        assert told[0]["reason"] == "the card data of AP02:moved was not sealed for it: keep the record, call support"


@in_loop
async def test_what_was_sealed_but_is_no_card_is_refused(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        await rig.start()
        call = await rig.partner.opened()
        offset = rig.order("a")
        await call.receive_role(Role.SALE_REQUEST)
        order = rig.records("dispatch")[offset]
        odd = rig.ring.seal(CARD, "AP02:b", b'{"pan": 4111}')
        rig.write(replace(order, transaction_id="AP02:b", card=odd))
        await rig.hears("reports", "b never sent: card_data_unreadable")
        await call.nothing_came()


# --- orders that cannot be read -------------------------------------------------------------------------------------


def _unknown(good: Outgoing) -> Outgoing:
    return good.__class__(good.topic, good.key, good.value, ((wire.HEADER, b"0123456789abcdef"),))


def _short(good: Outgoing) -> Outgoing:
    assert good.value is not None
    return good.__class__(good.topic, good.key, good.value[:-3], good.headers)


def _misplaced(good: Outgoing) -> Outgoing:
    value, headers = wire.encode(LineTaken(line=LINE, node="n2", taken_ms=1))
    return good.__class__(good.topic, good.key, value, headers)


UNKNOWN = (
    "was written with a schema unknown here (fingerprint 0123456789abcdef): "
    "run a version whose schemas/avro holds this schema; nothing was skipped, it resumes at this record"
)
UNREADABLE = {
    "of an unknown schema": (
        _unknown,
        UNKNOWN,
    ),
    "damaged": (_short, "is not a valid SendRequest (IndexError): the record is damaged; keep it, call support"),
    "misplaced": (_misplaced, "is a LineTaken, which does not belong there: see the topic table, schemas/topics.py"),
}


@pytest.mark.parametrize("how", UNREADABLE)
def test_an_order_that_cannot_be_read_stops_the_server_in_front_of_it(how: str, tmp_path: Path) -> None:
    spoil, problem = UNREADABLE[how]

    @in_loop
    async def play() -> None:
        async with line(tmp_path) as rig:
            rig.order("spare")
            good = rig.log.everything(rig.dispatch.topic)[0]
            server = await rig.start()
            call = await rig.partner.opened()
            call.answer(await call.receive_role(Role.SALE_REQUEST))
            await rig.position_is(1)
            rig.order("before")
            rig.log.writer("test").write([spoil(Outgoing(good.topic, good.key, good.value, good.headers))])
            rig.order("after")
            error = await rig.failure(server)
            assert isinstance(error, wire.RecordError)
            assert str(error) == f"record {rig.dispatch.topic}/0@2 {problem}"
            call.answer(await call.receive_role(Role.SALE_REQUEST))  # what stands before it is done
            await rig.hears("reports", "spare approved", "before approved")
            await call.receive_role(Role.CLOSING_REQUEST)
            await rig.die(server)
            assert rig.position == 2
            again = await rig.start("n2")
            assert str(await rig.failure(again)) == f"record {rig.dispatch.topic}/0@2 {problem}"
            assert rig.position == 2
            assert rig.said("reports") == ["spare approved", "before approved"]

    play()


def test_with_the_schema_deployed_it_resumes_at_the_record_it_could_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @in_loop
    async def play() -> None:
        async with line(tmp_path) as rig:
            server = await rig.start()
            call = await rig.partner.opened()
            rig.order("old")
            call.answer(await call.receive_role(Role.SALE_REQUEST))
            await rig.position_is(1)
            (order,) = rig.records("dispatch")
            card = rig.ring.seal(CARD, "AP02:new", pack_card(PAN, "2812"))
            value, ((_, known),) = wire.encode(replace(order, transaction_id="AP02:new", card=card))
            newer = Outgoing(rig.dispatch.topic, KEY, value, ((wire.HEADER, b"0123456789abcdef"),))
            rig.log.writer("test").write([newer])
            rig.order("after")
            await rig.failure(server)
            await rig.die(server)
            monkeypatch.setitem(wire._BY_HEADER, b"0123456789abcdef", wire._BY_HEADER[known])
            await rig.start("n2")
            call = await rig.partner.opened()
            for _ in range(2):
                call.answer(await call.receive_role(Role.SALE_REQUEST))
            await rig.hears("reports", "old approved", "new approved", "after approved")
            await rig.position_is(3)

    play()


# --- no callback dies silently --------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["due", "received", "disconnected"])
@in_loop
async def test_a_mistake_in_a_callback_ends_the_server_and_time_goes_on_for_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    async with line(tmp_path) as rig:
        server = await rig.start()
        call = await rig.partner.opened()
        await rig.line_is("open")
        mistakes = 0

        def mistaken(*_: object) -> None:
            nonlocal mistakes
            mistakes += 1
            if mistakes == 1:
                raise KeyError(where)

        core = LineCore
        right = getattr(core, where)

        def decide(self: LineCore, *arguments: object) -> object:
            mistaken()
            return right(self, *arguments)

        monkeypatch.setattr(core, where, decide)
        call.send_bytes(call._partner.framing.wrap(b"0"))
        await call.hang_up()
        assert repr(await rig.failure(server)) == f"KeyError('{where}')"
        ticks = mistakes
        if where == "due":
            await until(lambda: mistakes > ticks, lambda: "the line's time has stopped")


# --- what counts against the partner's allowance --------------------------------------------------------------------


@in_loop
async def test_what_nobody_awaits_is_told_apart_from_answers_and_from_copies_of_them(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        server = await rig.start()
        call = await rig.partner.opened()
        await rig.line_is("open")
        rig.order("a")
        asked = await call.receive_role(Role.SALE_REQUEST)
        spec, station = rig.partner.spec, {"trace_number": 77, "route_number": 0, "station_id": "DNB00001"}
        (approval,) = spec.framing.deframer().feed(call.bytes_of_answer(asked))
        stray, keep_alive = (
            spec.encode(role, {**spec.telegrams[role].sample(), **more})
            for role, more in ((Role.SALE_REPORT, {}), (Role.KEEPALIVE_REQUEST, station))
        )
        came = (stray, keep_alive, approval, approval)
        assert [tenure_of(server).received(each) for each in came] == [False, False, True, True]
        await rig.hears("reports", "a approved")


# --- what it tells --------------------------------------------------------------------------------------------------


@in_loop
async def test_the_last_word_about_a_route_names_its_owner_and_what_is_told_is_counted_by_its_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    telling: list[Record | None] = []
    told: list[Record | None] = []
    monkeypatch.setattr(crashes, "telling", telling.append)
    monkeypatch.setattr(crashes, "told", told.append)
    async with line(tmp_path) as rig:
        await rig.start()
        call = await rig.partner.opened()
        await rig.line_is("open")
        rig.order("a")
        await call.receive_role(Role.SALE_REQUEST)
        rig.clock.pass_ms(30_001)
        await rig.hears("reports", "a silence")
        rig.release("a")
        await rig.hears("holds", "r1 for a", "free")
        names = {
            topic: [EPOCH in dict(message.headers) for message in rig.log.everything(rig.topics(topic))]
            for topic in ("holds", "reports", "lines")
        }
        assert (names["holds"], names["reports"]) == ([True, True], [False])
        assert not any(names["lines"])
        (taken, _) = rig.log.everything(rig.sent)
        assert {dict(each.headers)[EPOCH] for each in rig.log.everything(rig.topics("holds"))} == {b"%d" % taken.offset}
        for record in ("RouteHeld", "released", "ReportMissing"):
            labels = {"line": LINE, "record": record}
            assert rig.registry.get_sample_value("denbun_egress_told_total", labels) == 1, record
        kinds = [type(each).__name__ for each in telling]
        assert [kind for kind in kinds if kind != "LineState"] == ["RouteHeld", "ReportMissing", "NoneType"]
        await until(lambda: len(told) == len(telling), lambda: told)
        assert {type(each) for each in told} == {type(each) for each in telling}, "acknowledged, in whatever order"
