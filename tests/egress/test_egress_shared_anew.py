"""Whoever joins or leaves has every line given out anew; an owner that keeps its line keeps it open meanwhile."""

from pathlib import Path

import pytest
from line_rig import LINE, Rig, line, until
from loop_rig import in_loop
from partner_rig import Call

from egress import shell
from schemas.telegrams import Role

GROUP = f"t-egress.{LINE}"


async def members(rig: Rig, *expected: str) -> None:
    """Wait until exactly these share the line, and each has heard of it."""
    log = rig.log
    await until(lambda: log.members(GROUP) == list(expected), lambda: log.members(GROUP))
    readers = log._groups[GROUP].members.values()
    await until(lambda: all(each._generation == log._groups[GROUP].generation for each in readers), lambda: expected)


async def is_still_served(call: Call, rig: Rig, who: str) -> None:
    rig.order(who)
    call.answer(await call.receive_role(Role.SALE_REQUEST))


@in_loop
async def test_the_owner_keeps_its_connection_and_what_is_on_it_while_others_come_and_go(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        await rig.start("a")
        call = await rig.partner.opened()
        rig.order("flying")
        asked = await call.receive_role(Role.SALE_REQUEST)
        standby = await rig.start("b")
        await members(rig, "0-a", "0-b")
        await is_still_served(call, rig, "second")
        await rig.die(standby)
        await members(rig, "0-a")
        await is_still_served(call, rig, "third")
        call.answer(asked)
        await rig.hears("reports", "flying approved", "second approved", "third approved")
        assert [told for told in rig.said("sent") if told.startswith("taken")] == ["taken by a"]
        assert "draining" not in " ".join(rig.said("lines"))
        await rig.position_is(3)


@in_loop
async def test_an_order_that_is_read_again_after_that_is_carried_out_once(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        await rig.start("a")
        call = await rig.partner.opened()
        rig.order("flying")  # keeps the position of the group in front of what follows
        asked = await call.receive_role(Role.SALE_REQUEST)
        rig.order_route(7, hold=True)
        await until(lambda: len(rig.said("holds")) == 1, lambda: rig.said("holds"))
        await rig.start("b")
        await members(rig, "0-a", "0-b")
        await is_still_served(call, rig, "second")
        await rig.hears("reports", "second approved")
        assert len(rig.said("holds")) == 1
        assert len(rig.records("line-answers")) == 1
        call.answer(asked)
        await rig.position_is(3)


@in_loop
async def test_an_owner_that_has_kept_a_line_wrongly_is_cut_off_and_what_is_in_doubt_is_the_next_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with line(tmp_path) as rig:
        await rig.start("b")
        call = await rig.partner.opened()
        rig.order("flying")
        await call.receive_role(Role.SALE_REQUEST)
        monkeypatch.setattr(rig.log, "members", lambda *_: ["0-b"])
        await rig.start("a")
        assert await call.rest() == []  # no closing: it is the next one's line
        call = await rig.partner.opened()
        await rig.hears("reports", "flying line_broke")
        await is_still_served(call, rig, "second")
        await rig.hears("reports", "flying line_broke", "second approved")


@in_loop
async def test_a_line_that_is_given_to_nobody_is_kept_no_longer_than_that_can_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with line(tmp_path) as rig:
        await rig.start("a")
        call = await rig.partner.opened()
        monkeypatch.setattr(shell, "_UNSURE_S", 0.2)
        rig.log.stall()
        rig.log._groups[GROUP].generation += 1
        assert await call.rest() == []
        assert rig.metric("line_owned") == 0
        rig.log.stall(stalled=False)
        await is_still_served(await rig.partner.opened(), rig, "second")
        await rig.hears("reports", "second approved")


@in_loop
async def test_an_owner_that_ends_while_the_line_is_given_to_nobody_closes_it_in_order(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        server = await rig.start("a")
        call = await rig.partner.opened()
        rig.log.stall()
        rig.log._groups[GROUP].generation += 1
        await until(lambda: not rig.log._groups[GROUP].members["0-a"]._positions, lambda: "still reads")
        stopping = rig.begin_stop(server)
        call.answer(await call.receive_role(Role.CLOSING_REQUEST))
        await stopping
        assert await call.rest() == []
