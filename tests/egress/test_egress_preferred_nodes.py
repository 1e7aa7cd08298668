"""Which node has a line: the first of those that it names, whatever their ranks."""

from pathlib import Path

from line_rig import line
from loop_rig import in_loop
from partner_rig import Call

from schemas.telegrams import Role


async def closes(call: Call) -> None:
    """The line is closed in order on this connection."""
    call.answer(await call.receive_role(Role.CLOSING_REQUEST))
    assert await call.rest() == []


@in_loop
async def test_the_preferred_node_takes_the_line_when_it_comes_and_the_other_when_it_goes(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        await rig.start("a", rank=0, nodes=["z", "a"])
        call = await rig.partner.opened()
        await rig.line_is("open")
        preferred = await rig.start("z", rank=1, nodes=["z", "a"])
        await closes(call)
        call = await rig.partner.opened()
        await rig.line_is("open")
        stopping = rig.begin_stop(preferred)
        await closes(call)
        await stopping
        call = await rig.partner.opened()
        rig.order("first")
        await call.receive_role(Role.SALE_REQUEST)
        assert rig.said("sent") == ["taken by a", "taken by z", "taken by a", "first#0 t1 r1 by a"]


@in_loop
async def test_a_node_that_the_line_does_not_name_has_it_until_one_comes_that_it_names(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        await rig.start("a", rank=0, nodes=["y", "z"])
        call = await rig.partner.opened()
        await rig.line_is("open")
        await rig.start("z", rank=1, nodes=["y", "z"])
        await closes(call)
        await rig.partner.opened()
        await rig.line_is("open")
        assert rig.said("sent") == ["taken by a", "taken by z"]
