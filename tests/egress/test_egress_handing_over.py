"""A line that cannot be opened by its owner goes to the next node; where there is none, it stays."""

from pathlib import Path

import pytest
from line_rig import LINE, Rig, line, until
from loop_rig import in_loop
from test_egress_preferred_nodes import closes

from ops.ports import free_port
from schemas.records import LineStage, LineState
from schemas.telegrams import Role

GROUP = f"t-egress.{LINE}"


async def failed(rig: Rig, node: str) -> None:
    """Wait until this node could not open the line."""

    def told() -> bool:
        last = rig.records("lines")[-1:]
        return [(each.node, each.stage) for each in last if isinstance(each, LineState)] == [(node, LineStage.FAILED)]

    await until(told, lambda: rig.said("lines"))


@in_loop
async def test_a_node_that_cannot_reach_the_partner_lets_the_next_one_try_and_stays_behind_it(tmp_path: Path) -> None:
    async with line(tmp_path, hand_over_ms=60_000) as rig:
        cut_off = await rig.start("a", port=free_port(), rank=0)
        await failed(rig, "a")
        await rig.start("b", rank=1)
        await until(lambda: rig.log.members(GROUP) == ["0-a", "1-b"], lambda: rig.log.members(GROUP))
        rig.order("waiting")
        assert rig.partner._calls.empty()
        rig.clock.pass_ms(60_000)
        call = await rig.partner.opened()
        await until(lambda: rig.log.members(GROUP) == ["1-b", "9001-a"], lambda: rig.log.members(GROUP))
        assert [said for said in rig.said("sent") if said.startswith("taken")] == ["taken by a", "taken by b"]
        rig.order("second")
        call.answer(await call.receive_role(Role.SALE_REQUEST))
        await until(lambda: "second approved" in rig.said("reports"), lambda: rig.said("reports"))
        await rig.die(cut_off)


@in_loop
async def test_who_stands_behind_has_the_line_when_the_other_goes_and_two_who_cannot_open_it_take_turns(
    tmp_path: Path,
) -> None:
    async with line(tmp_path, hand_over_ms=60_000) as rig:
        await rig.start("a", port=free_port(), rank=0)
        await rig.start("b", port=free_port(), rank=1)
        taken, owner = ["taken by a"], "a"
        for after in ("b", "a", "b"):
            await until(lambda: rig.said("sent") == taken, lambda: rig.said("sent"))
            await failed(rig, owner)
            rig.clock.pass_ms(60_000)
            taken.append(f"taken by {after}")
            owner = after
        await until(lambda: rig.said("sent") == taken, lambda: rig.said("sent"))


@in_loop
async def test_a_node_alone_keeps_trying(tmp_path: Path) -> None:
    async with line(tmp_path, hand_over_ms=60_000) as rig:
        rig.partner.stop_listening()
        await rig.start("a")
        await failed(rig, "a")
        for _ in range(3):
            rig.clock.pass_ms(60_000)
            await until(lambda: rig.metric("line_owned") == 1, lambda: rig.metric("line_owned"))
        await rig.partner.listen()
        call = await rig.partner.opened()
        assert rig.said("sent") == ["taken by a"]
        assert rig.log.members(GROUP) == ["0-a"]
        stopping = rig.begin_stop(rig.servers[0])
        await closes(call)
        await stopping


@in_loop
async def test_nodes_take_turns_however_often_they_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("egress.shell._A_ROUND", 2)
    async with line(tmp_path, hand_over_ms=60_000) as rig:
        await rig.start("a", port=free_port(), rank=0)
        await rig.start("b", port=free_port(), rank=1)
        turns = ["a"]
        for turn in range(8):
            await failed(rig, turns[-1])
            rig.clock.pass_ms(60_000)
            await until(lambda count=turn + 2: len(rig.said("sent")) == count, lambda: rig.said("sent"))
            turns.append(rig.said("sent")[-1].removeprefix("taken by "))
        assert turns == ["a", "b"] * 4 + ["a"]
