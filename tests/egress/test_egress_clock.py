"""An egress whose machine's clock is wrong owns no line: it gives its lines away, and takes them when it is right."""

from pathlib import Path

import pytest
from line_rig import LINE, line, until
from loop_rig import in_loop
from test_egress_preferred_nodes import closes

from egress import shell
from pipeline.owned import SHARE_S

GROUP = f"t-egress.{LINE}"
WRONG = "this machine's clock is 20 min behind the broker's"


class Machine:
    """What is wrong with a machine's clock now."""

    trouble: str | None = None

    def __call__(self) -> str | None:
        return self.trouble


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "_CLOCK_S", 0.01)


@in_loop
async def test_it_gives_its_line_to_the_other_node_in_order_and_takes_it_back_when_its_clock_is_right(
    tmp_path: Path,
) -> None:
    machine = Machine()
    async with line(tmp_path) as rig:
        await rig.start("a", rank=0, clock_trouble=machine)
        call = await rig.partner.opened()
        await rig.start("b", rank=1)
        await until(lambda: rig.log.members(GROUP) == ["0-a", "1-b"], lambda: rig.log.members(GROUP))
        machine.trouble = WRONG
        await closes(call)
        call = await rig.partner.opened()
        await until(lambda: rig.log.members(GROUP) == ["1-b"], lambda: rig.log.members(GROUP))
        machine.trouble = None
        await closes(call)
        await rig.partner.opened()
        assert [said for said in rig.said("sent") if said.startswith("taken")] == [
            "taken by a", "taken by b", "taken by a",
        ]  # fmt: skip


@in_loop
async def test_after_a_long_rest_it_joins_the_group_as_a_new_member(tmp_path: Path) -> None:
    machine = Machine()
    async with line(tmp_path) as rig:
        server = await rig.start("a", rank=0, clock_trouble=machine)
        call = await rig.partner.opened()
        await rig.start("b", rank=1)
        await until(lambda: rig.log.members(GROUP) == ["0-a", "1-b"], lambda: rig.log.members(GROUP))
        machine.trouble = WRONG
        await closes(call)
        call = await rig.partner.opened()
        await until(lambda: rig.log.members(GROUP) == ["1-b"], lambda: rig.log.members(GROUP))
        (owner,) = server._owners.values()
        assert owner._revoked_s is not None
        owner._revoked_s -= 2 * SHARE_S
        machine.trouble = None
        await closes(call)
        await rig.partner.opened()
        assert not server.failed.done()


@in_loop
async def test_one_that_stops_does_not_join_its_group_again(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        server = await rig.start("a")
        call = await rig.partner.opened()
        await rig.start("b", rank=1)
        await until(lambda: rig.log.members(GROUP) == ["0-a", "1-b"], lambda: rig.log.members(GROUP))
        (owner,) = server._owners.values()
        stopping = rig.begin_stop(server)
        await until(lambda: owner._closing, lambda: owner._closing)
        owner._helpless()
        owner.resume()
        assert owner._moving is None
        await closes(call)
        await stopping
        await until(lambda: rig.log.members(GROUP) == ["1-b"], lambda: rig.log.members(GROUP))


@in_loop
async def test_alone_it_closes_its_line_in_order_and_opens_it_again(tmp_path: Path) -> None:
    machine = Machine()
    async with line(tmp_path) as rig:
        await rig.start("a", clock_trouble=machine)
        call = await rig.partner.opened()
        machine.trouble = WRONG
        await closes(call)
        await until(lambda: rig.log.members(GROUP) == [], lambda: rig.log.members(GROUP))
        machine.trouble = None
        await rig.partner.opened()
        assert rig.log.members(GROUP) == ["0-a"]


@in_loop
async def test_started_with_a_wrong_clock_it_asks_for_no_line_and_stops_when_it_is_told_to(tmp_path: Path) -> None:
    machine = Machine()
    machine.trouble = WRONG
    async with line(tmp_path) as rig:
        server = await rig.start("a", clock_trouble=machine)
        assert rig.log.members(GROUP) == []
        await server.stop()
        rig.servers.remove(server)
        assert rig.partner._calls.empty()
        assert rig.said("sent") == []
