"""What an owner's gauges show while a line lives, and that they show nothing of a line that is given up."""

from pathlib import Path

from line_rig import LINE, Rig, line, until
from loop_rig import in_loop

from egress.numbers import shares_of
from egress.tenure import finish_limit_ms
from schemas.installation import Egress
from schemas.telegrams import Role

GAUGES = ("line_owned", "line_open", "line_as_wished", "in_flight", "waiting", "free_routes", "held_routes")


def shown(rig: Rig) -> dict[str, float | None]:
    return {name: rig.metric(name) for name in GAUGES}


async def shows(rig: Rig, **wanted: float) -> None:
    """Wait until the gauges show this."""
    await until(lambda: wanted.items() <= shown(rig).items(), lambda: (wanted, shown(rig)))


@in_loop
async def test_the_gauges_follow_a_line_from_its_opening_to_its_last_report(tmp_path: Path) -> None:
    async with line(tmp_path, drain_ms=3_600_000) as rig:
        server = await rig.start()
        call = await rig.partner.called()
        opening = await call.receive_role(Role.OPENING_REQUEST)
        await shows(rig, line_owned=1, line_open=0, line_as_wished=0, in_flight=0, waiting=0, free_routes=200,
                    held_routes=0)  # fmt: skip
        rig.order("early")
        await shows(rig, line_open=0, waiting=1, in_flight=0, free_routes=200)
        call.answer(opening)
        early = await call.receive_role(Role.SALE_REQUEST)
        await shows(rig, line_owned=1, line_open=1, line_as_wished=1, waiting=0, in_flight=1, free_routes=199)
        calls = {"line": LINE, "outcome": "connected"}
        assert rig.registry.get_sample_value("denbun_egress_attempts_total", calls) == 1
        first, last = rig.partner.spec.trace_range
        requests, reserve = (shares_of(first, last).dispatched, shares_of(first, last).reserve)
        assert rig.metric("trace_numbers_left") == requests[1] - requests[0] + 1 - 1
        assert rig.metric("trace_reserve_left") == reserve[1] - reserve[0] + 1 - 1
        rig.order("b")
        later = await call.receive_role(Role.SALE_REQUEST)
        await shows(rig, in_flight=2, free_routes=198, held_routes=0)
        call.answer(early)
        await shows(rig, in_flight=1, free_routes=199)
        rig.clock.pass_ms(30_001)  # nobody answers: its route is held for the cancel
        await rig.hears("reports", "early approved", "b silence")
        await shows(rig, in_flight=0, free_routes=199, held_routes=1)
        rig.release("b")
        await shows(rig, free_routes=200, held_routes=0)
        call.answer(later)  # late: nothing is to change
        call.answer(await call.receive_role(Role.KEEPALIVE_REQUEST))
        rig.order("c")
        last = await call.receive_role(Role.SALE_REQUEST)
        await shows(rig, in_flight=1)
        stopping = rig.begin_stop(server)
        await rig.line_is("draining: closed by the end of its owner")
        assert rig.metric("line_owned") == 1
        await shows(rig, line_open=0, line_as_wished=0, in_flight=1)
        call.answer(last)
        call.answer(await call.receive_role(Role.CLOSING_REQUEST))
        await stopping
        assert {name: rig.metric(name) for name in ("line_owned", "line_open", "in_flight", "waiting")} == {
            "line_owned": 0, "line_open": 0, "in_flight": 0, "waiting": 0,
        }  # fmt: skip


@in_loop
async def test_the_gauges_of_a_line_given_up_with_telegrams_in_flight_and_orders_waiting_show_none(
    tmp_path: Path,
) -> None:
    async with line(tmp_path) as rig:
        server = await rig.start()
        call = await rig.partner.opened()
        rig.order("a")
        await call.receive_role(Role.SALE_REQUEST)
        await call.hang_up()
        rig.partner.stop_listening()
        await rig.hears("reports", "a line_broke")
        rig.order("b")
        await shows(rig, line_open=0, waiting=1, held_routes=1)
        await rig.die(server)
        assert {name: rig.metric(name) for name in ("line_owned", "line_open", "in_flight", "waiting")} == {
            "line_owned": 0, "line_open": 0, "in_flight": 0, "waiting": 0,
        }  # fmt: skip


@in_loop
async def test_what_goes_out_and_what_comes_in_is_counted(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        await rig.start()
        call = await rig.partner.opened()
        rig.order("a")
        call.answer(await call.receive_role(Role.SALE_REQUEST))
        await rig.hears("reports", "a approved")
        assert (rig.metric("transmitted_total"), rig.metric("received_total")) == (2, 2)  # the opening is one of each
        assert rig.metric("takeover_seconds_count") == 1
        assert 0 <= (rig.metric("takeover_seconds_sum") or 0) < 60  # seconds: of milliseconds it would be more
        told = rig.registry.get_sample_value("denbun_egress_told_total", {"line": LINE, "record": "ReportReceived"})
        assert told == 1


@in_loop
async def test_each_partner_of_the_line_shows_whether_it_is_spared(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        server = await rig.start()
        await rig.partner.opened()

        def spared() -> float | None:
            return rig.registry.get_sample_value("denbun_egress_partner_spared", {"partner": "cafis"})

        await until(lambda: spared() == 0, spared)
        tenure = next(iter(server._owners.values()))._tenure
        assert tenure is not None
        sparing = tenure._around.sparing
        sparing.spared = frozenset({"cafis"})
        await until(lambda: spared() == 1, spared)
        sparing.spared = frozenset({"cardnet"})
        await until(lambda: spared() == 0, spared)


def test_giving_a_line_up_takes_no_longer_than_its_parts() -> None:
    assert finish_limit_ms(Egress(metrics_port=0, drain_ms=20_000, closing_timeout_ms=3_000)) == 20_000 + 6_000 + 6_000


@in_loop
async def test_a_line_that_went_to_another_node_leaves_no_gauge_behind(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        server = await rig.start()
        call = await rig.partner.opened()
        await shows(rig, line_open=1, free_routes=200)
        (owner,) = server._owners.values()
        owner.rest()  # the process lives on
        call.answer(await call.receive_role(Role.CLOSING_REQUEST))
        await until(lambda: owner._tenure is None, lambda: "has it still")
        gone = ("line_as_wished", "free_routes", "held_routes", "trace_numbers_left", "trace_reserve_left")
        assert {name: rig.metric(name) for name in gone} == dict.fromkeys(gone)
        assert rig.metric("line_owned") == 0
