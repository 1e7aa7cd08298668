"""A line on real sockets: it is opened, kept alive, and broken by whatever is no telegram."""

import logging
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from line_rig import LINE, PAN, line, until
from loop_rig import in_loop

from egress.connection import Connection, Connector
from egress.looped import LOOPED
from pipeline.log import LogError
from schemas.installation import Egress, Line
from schemas.telegrams import Role, load_partner

# --- seeking the partner --------------------------------------------------------------------------------------------


@in_loop
async def test_a_line_that_dials_opens_its_station(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        await rig.start()
        call = await rig.partner.called()
        asked = await call.receive_role(Role.OPENING_REQUEST)
        assert asked.values["station_id"] == "DNB00001"
        assert asked.values["company_code"] == "100001"
        assert asked.values["route_number"] == 0
        assert rig.said("lines") == ["connecting", "opening"]
        call.answer(asked)
        await rig.hears("lines", "connecting", "opening", "open")
        await until(lambda: rig.metric("line_open") == 1, lambda: "the metric")


@in_loop
async def test_a_line_that_listens_opens_its_station_when_it_is_called(tmp_path: Path) -> None:
    async with line(tmp_path, "listen") as rig:
        port = await rig.listening_port(await rig.start(port=0))
        assert rig.said("lines") == ["connecting"]
        call = await (await rig.partner.call(port)).opened()
        await rig.line_is("open")
        rig.order("a")
        call.answer(await call.receive_role(Role.SALE_REQUEST))
        await rig.hears("reports", "a approved")


@in_loop
async def test_a_second_connection_is_refused_and_the_first_is_not_touched(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with line(tmp_path, "listen") as rig:
        port = await rig.listening_port(await rig.start(port=0))
        first = await (await rig.partner.call(port)).opened()
        await rig.line_is("open")
        second = await rig.partner.call(port)
        assert await second.rest() == []
        first.answer(await first.receive_role(Role.KEEPALIVE_REQUEST))
        assert rig.said("lines")[-1] == "open"
        (warning,) = [each for each in caplog.records if each.levelno == logging.WARNING]
        assert warning.getMessage() == "a second connection was refused"
        assert warning.__dict__["line"] == LINE
        await first.hang_up()
        await rig.line_is("failed: the partner closed the connection")
        await (await rig.partner.call(port)).opened()
        await rig.line_is("open")


class Nobody:
    """Hears nothing of a line."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


@in_loop
async def test_a_connection_that_outruns_the_end_is_refused_for_nobody_would_open_its_station() -> None:
    line = Line.model_validate({
        "name": LINE, "partner": "cafis", "mode": "listen", "host": "127.0.0.1", "port": 0, "station_id": "DNB00001",
        "company_code": "100001", "routes": [1, 200],
    })  # fmt: skip
    connector = Connector(line, load_partner("cafis").framing, Egress(metrics_port=0), Nobody())
    await connector.start()
    await connector.stop()
    assert not connector.opened(Connection(connector))


@in_loop
async def test_a_partner_that_is_not_there_is_sought_until_it_is(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        rig.partner.stop_listening()
        await rig.start()
        await until(lambda: len(rig.said("lines")) == 2, lambda: rig.said("lines"))
        assert rig.said("lines")[1].startswith(f"failed: 127.0.0.1:{rig.partner.port}: ")
        await rig.partner.listen()
        await rig.partner.opened()
        await rig.line_is("open")
        assert len(rig.said("lines")) == 4, "the same trouble is told once"


@in_loop
async def test_an_address_that_is_taken_stops_the_server(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with line(tmp_path, "listen") as rig:
            error = await rig.failure(await rig.start(port=port))
            assert isinstance(error, OSError)
            assert error.strerror.startswith(f"line {LINE}: cannot listen on 127.0.0.1:{port}: ")
            assert error.strerror.endswith("address already in use: correct its host and port")


@in_loop
async def test_topics_are_needed_first(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        del rig.log._topics[rig.dispatch.topic]
        with pytest.raises(LogError) as raised:
            await rig.start()
        rig.servers.clear()  # nothing was started
        assert str(raised.value) == (
            f"there is no topic {rig.dispatch.topic}: create the topics first (`denbun topics create`)"
        )


# --- opening --------------------------------------------------------------------------------------------------------


@in_loop
async def test_a_refused_opening_is_told_and_tried_again(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        await rig.start()
        call = await rig.partner.called()
        call.answer(await call.receive_role(Role.OPENING_REQUEST), "D01")
        assert await call.rest() == []
        await rig.line_is("opening")  # the next attempt
        assert "failed: the partner refuses to open the station: D01" in rig.said("lines")
        await rig.partner.opened()
        await rig.line_is("open")


@in_loop
async def test_an_opening_without_an_answer_is_tried_again_on_a_new_connection(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        await rig.start()
        call = await rig.partner.called()
        await call.receive_role(Role.OPENING_REQUEST)
        rig.clock.pass_ms(5_000)
        assert await call.rest() == []
        await rig.partner.opened()
        await rig.line_is("open")
        assert "failed: opening not answered" in rig.said("lines")


@in_loop
async def test_nothing_goes_out_before_the_station_is_open(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        rig.order("a")
        await rig.start()
        call = await rig.partner.called()
        asked = await call.receive_role(Role.OPENING_REQUEST)
        await call.nothing_came()
        call.answer(asked)
        await call.receive_role(Role.SALE_REQUEST)


# --- keep-alive -----------------------------------------------------------------------------------------------------


@in_loop
async def test_a_keep_alive_is_answered_while_many_requests_are_in_flight(tmp_path: Path) -> None:
    names = [f"r{number}" for number in range(150)]
    async with line(tmp_path) as rig:
        await rig.start()
        call = await rig.partner.opened()
        for name in names:
            rig.order(name)
        requests = [await call.receive_role(Role.SALE_REQUEST) for _ in names]
        assert len({message.values["trace_number"] for message in requests}) == len(names)
        assert len({message.values["route_number"] for message in requests}) == len(names)
        await call.nothing_came()
        for message in reversed(requests):
            call.answer(message)
        await rig.hears("reports", *(f"{name} approved" for name in names))
        await call.nothing_came()


@in_loop
async def test_a_quiet_line_is_probed_and_one_that_does_not_answer_is_dialled_anew(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        await rig.start()
        call = await rig.partner.opened()
        await rig.line_is("open")
        rig.clock.pass_ms(30_000)
        call.answer(await call.receive_role(Role.KEEPALIVE_REQUEST))
        await call.nothing_came()
        rig.clock.pass_ms(30_000)
        await call.receive_role(Role.KEEPALIVE_REQUEST)
        rig.clock.pass_ms(5_000)
        assert await call.rest() == []
        await rig.partner.opened()
        await rig.line_is("open")
        assert "failed: keep-alive not answered" in rig.said("lines")


# --- what is no telegram --------------------------------------------------------------------------------------------


@in_loop
async def test_a_report_is_read_however_the_network_cuts_it(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        await rig.start()
        call = await rig.partner.opened()
        rig.order("a")
        rig.order("b")
        both = b"".join([call.bytes_of_answer(await call.receive()) for _ in range(2)])
        for at in range(0, len(both), 7):
            call.send_bytes(both[at : at + 7])
            await call._writer.drain()
        await rig.hears("reports", "a approved", "b approved")


@in_loop
async def test_a_telegram_that_cannot_be_read_is_a_stray_and_the_line_stays(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        await rig.start()
        call = await rig.partner.opened()
        call.send_bytes(rig.partner.spec.framing.wrap(b"9999" + PAN.encode()))
        await until(lambda: rig.said("strays") != [], lambda: "no stray")
        (told,) = rig.said("strays")
        assert told.endswith("(20 bytes)")
        rig.order("a")
        call.answer(await call.receive_role(Role.SALE_REQUEST))
        await rig.hears("reports", "a approved")


@in_loop
async def test_bytes_that_are_no_telegrams_break_the_line_after_what_came_before_them(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        await rig.start()
        call = await rig.partner.opened()
        rig.order("answered")
        rig.order("flying")
        first, _ = [await call.receive_role(Role.SALE_REQUEST) for _ in range(2)]
        call.send_bytes(call.bytes_of_answer(first) + b"HTTP/1.1 400 Bad Request\r\n" + PAN.encode())
        assert await call.rest() == []
        await rig.hears("reports", "answered approved", "flying line_broke")
        (told,) = rig.said("strays")
        assert told.endswith(" of the stream: the length is not 4 digits")
        await rig.partner.opened()
        await rig.line_is("open")
        assert f"failed: {told}" in rig.said("lines")


@in_loop
async def test_a_report_that_answers_nothing_is_a_stray_without_card_data(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        await rig.start()
        call = await rig.partner.opened()
        rig.order("a")
        asked = await call.receive_role(Role.SALE_REQUEST)
        call.answer(asked, trace_number=999)
        call.answer(asked, amount=1_300)
        await until(lambda: len(rig.said("strays")) == 2, lambda: rig.said("strays"))
        firsts = [told.splitlines()[0] for told in rig.said("strays")]
        assert firsts == [
            "answers nothing that awaits an answer",
            "answers nothing that awaits an answer: sale_request 1 has another amount",
        ]
        call.answer(asked)
        await rig.hears("reports", "a approved")


# --- the partner's end ----------------------------------------------------------------------------------------------


@in_loop
async def test_a_station_that_the_partner_closes_takes_no_more_requests(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        await rig.start()
        call = await rig.partner.opened()
        await rig.line_is("open")
        sample = rig.partner.spec.telegrams[Role.CLOSING_REQUEST].sample()
        sample |= {"route_number": 0, "station_id": "DNB00001"}
        call.send_bytes(call.bytes_of(Role.CLOSING_REQUEST, sample))
        answer = await call.receive_role(Role.CLOSING_ANSWER)
        assert answer.values["result_code"] == "000"
        await rig.line_is("closing: the partner closes the station")
        rig.order("waits")
        await call.nothing_came()
        await call.hang_up()
        again = await rig.partner.opened()
        await again.receive_role(Role.SALE_REQUEST)


@in_loop
async def test_a_line_that_breaks_leaves_what_was_on_it_in_doubt_and_holds_its_route(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        await rig.start()
        call = await rig.partner.opened()
        rig.order("a")
        asked = await call.receive_role(Role.SALE_REQUEST)
        await call.hang_up()
        await rig.hears("reports", "a line_broke")
        await rig.hears("holds", "r1 for a")
        await rig.position_is(1)
        call = await rig.partner.opened()
        rig.order("b")
        rig.confirm("a")
        sent = [await call.receive() for _ in range(2)]
        assert sorted((each.role, each.values["route_number"]) for each in sent) == [
            (Role.FAULT_CONFIRM, 1),  # 8930 travels on the route of its request
            (Role.SALE_REQUEST, 2),
        ]
        confirm = next(each for each in sent if each.role is Role.FAULT_CONFIRM)
        assert confirm.values["original_trace_number"] == asked.values["trace_number"]
        call.answer(confirm)
        await rig.hears("cancel-reports", "a#1 done")
        assert rig.said("holds") == ["r1 for a"], "until who ended the cancel says so"
        rig.release("a")
        await rig.hears("holds", "r1 for a", "free")


@in_loop
async def test_a_partner_that_says_nothing_leaves_the_request_in_doubt_and_its_late_report_is_told_as_late(
    tmp_path: Path,
) -> None:
    async with line(tmp_path) as rig:
        await rig.start()
        call = await rig.partner.opened()
        rig.order("a")
        asked = await call.receive_role(Role.SALE_REQUEST)
        rig.clock.pass_ms(30_000)
        await rig.hears("reports", "a silence")
        call.answer(asked)
        await rig.hears("reports", "a silence", "a approved late")
        assert rig.said("holds") == ["r1 for a"]


@in_loop
async def test_a_line_whose_far_end_sends_back_every_byte_hangs_up_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with line(tmp_path) as rig:
        await rig.start()
        for _ in range(2):
            call = await rig.partner.called()
            asked = await call.receive_role(Role.OPENING_REQUEST)
            call.send_bytes(call.bytes_of(asked.role, asked.values))
            assert await call.rest() == [], "and nothing is answered"
        assert f"failed: {LOOPED}" in rig.said("lines")
        assert "open" not in rig.said("lines")
        assert [each.reason for each in caplog.records if each.message == "line hung up"] == [LOOPED, LOOPED]
