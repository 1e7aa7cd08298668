"""Half-open lines are found and sought anew, and a keep-alive 疎通確認 of the partner's waits for nothing."""

from pathlib import Path

from line_rig import Rig, line, until
from loop_rig import in_loop

from egress.connection import Connection
from schemas.telegrams import Role


def connection_of(rig: Rig) -> Connection:
    """The line's connection, as its owner has it."""
    tenure = next(iter(rig.servers[0]._owners.values()))._tenure
    assert tenure is not None
    found = tenure._connector.connection
    assert found is not None
    return found


# --- half-open ------------------------------------------------------------------------------------------------------


@in_loop
async def test_a_partner_that_falls_silent_is_found_hung_up_and_dialled_anew_and_the_cancel_goes_out_there(
    tmp_path: Path,
) -> None:
    async with line(tmp_path) as rig:
        await rig.start()
        silent = await rig.partner.opened()
        await rig.line_is("open")
        rig.order("a")
        asked = await silent.receive_role(Role.SALE_REQUEST)
        # From here on the partner takes everything and says nothing; its connection stays up.
        rig.clock.pass_ms(30_000)
        await silent.receive_role(Role.KEEPALIVE_REQUEST)
        await rig.hears("reports", "a silence")
        rig.clock.pass_ms(4_000)
        assert rig.said("lines")[-1] == "open", "it still has a second"
        rig.clock.pass_ms(1_000)
        assert await silent.rest() == []
        call = await rig.partner.opened()
        await rig.line_is("open")
        assert "failed: keep-alive not answered" in rig.said("lines")
        rig.confirm("a")
        cancel = await call.receive_role(Role.FAULT_CONFIRM)
        assert cancel.values["original_trace_number"] == asked.values["trace_number"]
        call.answer(cancel)
        await rig.hears("cancel-reports", "a#1 done")


@in_loop
async def test_a_dead_connection_keeps_its_partner_out_no_longer_than_a_keep_alive_takes(tmp_path: Path) -> None:
    async with line(tmp_path, "listen") as rig:
        port = await rig.listening_port(await rig.start(port=0))
        dead = await (await rig.partner.call(port)).opened()
        await rig.line_is("open")
        # The partner's machine has started anew and knows nothing of its first call.
        early = await rig.partner.call(port)
        assert await early.rest() == [], "nobody can tell yet that the first is dead"
        rig.clock.pass_ms(30_000)
        await dead.receive_role(Role.KEEPALIVE_REQUEST)
        rig.clock.pass_ms(5_000)
        await rig.line_is("failed: keep-alive not answered")
        await (await rig.partner.call(port)).opened()
        await rig.line_is("open")


# --- the partner's keep-alive ---------------------------------------------------------------------------------------


@in_loop
async def test_a_keep_alive_does_not_wait_for_requests_that_wait_for_a_route(tmp_path: Path) -> None:
    routes, names = 200, [f"r{number}" for number in range(260)]
    async with line(tmp_path) as rig:
        await rig.start()
        call = await rig.partner.opened()
        for name in names:
            rig.order(name)
        flying = [await call.receive_role(Role.SALE_REQUEST) for _ in range(routes)]
        await until(lambda: rig.metric("waiting") == len(names) - routes, lambda: rig.metric("waiting"))
        await call.nothing_came()
        call.answer(flying[0])
        await call.receive_role(Role.SALE_REQUEST)
        await call.nothing_came()


@in_loop
async def test_a_keep_alive_does_not_wait_for_the_log(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        await rig.start()
        call = await rig.partner.opened()
        await rig.line_is("open")
        rig.log.hold(rig.sent)
        for number in range(100):
            rig.order(f"r{number}")
        await until(lambda: len(rig.log.kept) == 100, lambda: len(rig.log.kept))
        await call.nothing_came()
        rig.log.release()
        for _ in range(100):
            await call.receive_role(Role.SALE_REQUEST)


@in_loop
async def test_a_keep_alive_overtakes_what_a_slow_partner_has_not_taken_yet(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        await rig.start()
        call = await rig.partner.opened()
        await rig.line_is("open")
        connection_of(rig).pause_writing()  # the network takes no more for now
        for number in range(50):
            rig.order(f"r{number}")
        await until(lambda: rig.metric("waiting") == 50, lambda: rig.metric("waiting"))
        await call.nothing_came()  # the answer only
        connection_of(rig).resume_writing()
        for _ in range(50):
            await call.receive_role(Role.SALE_REQUEST)


@in_loop
async def test_a_keep_alive_in_the_midst_of_reports_is_answered_before_what_their_reading_lets_out(
    tmp_path: Path,
) -> None:
    routes, waiting = 200, 60
    async with line(tmp_path) as rig:
        await rig.start()
        call = await rig.partner.opened()
        for number in range(routes + waiting):
            rig.order(f"r{number}")
        flying = [await call.receive_role(Role.SALE_REQUEST) for _ in range(routes)]
        asked = {
            **rig.partner.spec.telegrams[Role.KEEPALIVE_REQUEST].sample(),
            "trace_number": 77, "route_number": 0, "station_id": "DNB00001",
        }  # fmt: skip
        keep_alive = call.bytes_of(Role.KEEPALIVE_REQUEST, asked)
        # In one piece: reports, each of which frees a route for a request that waits, and the keep-alive among them.
        reports = [call.bytes_of_answer(message) for message in flying[:waiting]]
        call.send_bytes(b"".join([*reports[:20], keep_alive, *reports[20:]]))
        come = [(await call.receive()).role for _ in range(waiting + 1)]
        assert come.count(Role.KEEPALIVE_ANSWER) == 1
        assert come.index(Role.KEEPALIVE_ANSWER) <= 20, "what comes after it lets nothing out before its answer"
