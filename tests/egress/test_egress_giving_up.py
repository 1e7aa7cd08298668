"""Giving a line up in order leaves nothing behind: no listener, no place taken, no outcome that is not in the log."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from line_rig import LINE, line, tenure_of, until
from loop_rig import in_loop
from service_rig import GO

from egress.connection import Connector
from pipeline.log import Outgoing
from schemas.records import LineOrder, LineOrdered
from schemas.telegrams import Role


@in_loop
async def test_a_line_that_is_given_up_listens_no_more_and_has_given_its_place_back(tmp_path: Path) -> None:
    async with line(tmp_path, "listen") as rig:
        server = await rig.start(port=0)
        port = await rig.listening_port(server)
        tenure = tenure_of(server)
        assert tenure._around.sessions._lines == {LINE}
        await tenure.finish()
        # At once, and not some turns of the loop later: its next owner may be this very process.
        assert tenure._around.sessions._lines == set()
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", port))
            free.listen()


@in_loop
async def test_a_line_is_given_up_when_the_log_has_the_outcome_of_all_that_was_in_flight(tmp_path: Path) -> None:
    async with line(tmp_path, drain_ms=3_600_000) as rig:
        server = await rig.start()
        call = await rig.partner.opened()
        rig.order("flying")
        await call.receive_role(Role.SALE_REQUEST)
        rig.log.hold(rig.topics("reports"))  # what becomes of it is not acknowledged before it is released
        tenure, limits_ms = tenure_of(server), list[int]()
        until_reached = tenure._until

        async def counting(reached: Callable[[], bool], limit_ms: int) -> None:
            limits_ms.append(limit_ms)
            await until_reached(reached, limit_ms)

        tenure._until = counting
        stopping = rig.begin_stop(server)
        await rig.line_is("draining: closed by the end of its owner")
        server.hurry()
        call.answer(await call.receive_role(Role.CLOSING_REQUEST))
        assert await call.rest() == []
        # It awaits no report any more, and the connection is closed: it awaits the log now, or it has ended.
        parts_ms = [3_600_000, 2 * 60_000, 5_000]
        ended = lambda: limits_ms == parts_ms or tenure._ended  # noqa: E731
        await until(lambda: bool(rig.log.kept) and ended(), lambda: (limits_ms, rig.log.kept))
        rig.log.release()
        await stopping
        assert rig.said("reports") == ["flying line_broke"]
        assert rig.position == 1  # so the next owner does not read its order again


@in_loop
async def test_a_line_is_given_up_once(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        server = await rig.start()
        call = await rig.partner.opened()
        await rig.line_is("open")
        tenure = tenure_of(server)
        await tenure.lose()
        assert await call.rest() == []
        assert tenure._around.sessions._lines == set()
        said = rig.said("lines")
        await tenure.finish()  # it owns the line no more, and has nothing to say about it
        tenure._around.writer.write(Outgoing(rig.topics("lines"), b"end", None), lambda *_: None)
        await until(lambda: rig.said("lines")[-1] == "free", lambda: rig.said("lines"))
        assert rig.said("lines") == [*said, "free"]
        assert rig.metric("line_owned") == 0


@in_loop
async def test_what_is_awaited_is_awaited_to_the_last_millisecond_of_the_nodes_clock(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        tenure = tenure_of(await rig.start())
        now_ms = 1_000
        tenure._now = lambda: now_ms
        waiting = asyncio.create_task(tenure._until(lambda: False, 20_000))
        await asyncio.sleep(0.02)
        now_ms = 20_999
        await asyncio.sleep(0.02)
        assert not waiting.done()
        now_ms = 21_000
        await asyncio.wait_for(waiting, GO)


@in_loop
async def test_nothing_is_awaited_for_ever_where_the_nodes_clock_stands_still(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        tenure = tenure_of(await rig.start())
        tenure._now = lambda: 1_000
        await asyncio.wait_for(tenure._until(lambda: False, 50), GO)


@pytest.mark.parametrize("ends", [False, True], ids=["ordered", "given up"])
@in_loop
async def test_a_line_rests_only_when_it_has_ended_seeking(
    ends: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    may_start = asyncio.Event()
    start, stop = Connector.start, Connector.stop

    async def starts(self: Connector) -> None:
        steps.append("seeks")
        await may_start.wait()
        await start(self)
        steps.append("has sought")

    async def stops(self: Connector) -> None:
        steps.append("rests")
        await stop(self)

    async with line(tmp_path) as rig:
        monkeypatch.setattr(Connector, "start", starts)
        monkeypatch.setattr(Connector, "stop", stops)
        server = await rig.start()
        await until(lambda: steps == ["seeks"], lambda: steps)
        tenure = tenure_of(server)
        if ends:
            resting = asyncio.create_task(tenure.finish())
        else:
            tenure._rest()
        await asyncio.sleep(0.02)
        assert steps == ["seeks"]
        may_start.set()
        await until(lambda: len(steps) >= 3, lambda: steps)
        if ends:
            await resting
        assert (steps[:2], set(steps[2:])) == (["seeks", "has sought"], {"rests"})


@in_loop
async def test_an_operator_orders_nothing_of_a_line_that_was_given_up(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        server = await rig.start()
        await rig.partner.opened()
        await rig.line_is("open")
        tenure = tenure_of(server)
        await tenure.lose()
        said = rig.said("lines")
        order = LineOrdered(
            order_id="o1", line=LINE, order=LineOrder.CLOSE, operator="Sato", reason="storm", ordered_ms=rig.clock()
        )
        tenure.ordered(order)
        tenure._around.writer.write(Outgoing(rig.topics("lines"), b"end", None), lambda *_: None)
        await until(lambda: rig.said("lines")[-1] == "free", lambda: rig.said("lines"))
        assert rig.said("lines") == [*said, "free"]
        assert rig.records("line-answers") == []


@in_loop
async def test_a_line_that_is_lost_while_it_is_sought_again_seeks_no_more(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        server = await rig.start()
        call = await rig.partner.opened()
        await rig.line_is("open")
        tenure = tenure_of(server)
        tenure._rest()  # closed and opened by order within the moment that the connection needs to go
        tenure._seek()
        await tenure.lose()
        await asyncio.wait([tenure._seeking])
        assert tenure._around.sessions._lines == set()
        assert tenure._connector.connection is None
        assert tenure._connector._stopped
        assert await call.rest() == []


@in_loop
async def test_a_line_that_is_sought_again_remembers_its_calls(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        tenure = tenure_of(await rig.start())
        await rig.partner.opened()
        assert tenure._new_connector()._calls is tenure._connector._calls
