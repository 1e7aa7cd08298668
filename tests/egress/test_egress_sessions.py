"""A process with as many sessions as it may have: a further line goes to the next node, or waits for a place."""

from pathlib import Path

from line_rig import LINE, line, tenure_of, until
from loop_rig import in_loop
from test_egress_handing_over import failed

from egress.sessions import Sessions
from schemas.records import LineOrder, LineOrdered
from schemas.telegrams import Role

GROUP = f"t-egress.{LINE}"
FULL = "failed: this process has 2 sessions, the most it may have: egress.sessions_max"
OTHERS = ("other-1", "other-2")


def test_a_line_has_its_place_until_it_gives_it_back() -> None:
    sessions = Sessions(2)
    assert [sessions.take(line) for line in ("a", "b", "c", "a")] == [True, True, False, True]
    sessions.give_back("b")
    assert [sessions.take(line) for line in ("c", "b")] == [True, False]


@in_loop
async def test_a_line_too_many_goes_to_the_next_node_at_once(tmp_path: Path) -> None:
    async with line(tmp_path, sessions_max=2, hand_over_ms=60_000) as rig:
        await rig.start("b", rank=1, others=OTHERS[:1])
        call = await rig.partner.opened()
        await rig.start("a", rank=0, others=OTHERS)
        call.answer(await call.receive_role(Role.CLOSING_REQUEST))  # to the preferred node, which is full
        call = await rig.partner.opened()
        await until(lambda: rig.log.members(GROUP) == ["1-b", "9001-a"], lambda: rig.log.members(GROUP))
        rig.order("first")
        call.answer(await call.receive_role(Role.SALE_REQUEST))
        await rig.hears("reports", "first approved")
        assert [said for said in rig.said("sent") if said.startswith("taken")] == [
            "taken by b", "taken by a", "taken by b",
        ]  # fmt: skip


@in_loop
async def test_a_line_too_many_of_a_node_alone_says_so_and_is_opened_when_there_is_a_place(tmp_path: Path) -> None:
    async with line(tmp_path, sessions_max=2) as rig:
        server = await rig.start("a", others=OTHERS)
        await rig.line_is(FULL)
        assert rig.partner._calls.empty()
        server._sessions.give_back(OTHERS[0])
        await rig.partner.opened()
        await rig.line_is("open")


@in_loop
async def test_two_nodes_that_are_both_full_do_not_pass_the_line_on_and_on(tmp_path: Path) -> None:
    async with line(tmp_path, sessions_max=2, hand_over_ms=60_000) as rig:
        await rig.start("a", rank=0, others=OTHERS)
        await rig.line_is(FULL)
        await rig.start("b", rank=1, others=OTHERS)
        taken, owner = ["taken by a"], "a"
        for turns in (["b", "a"], ["b"], ["a"]):  # b has never tried, and passes it on at once
            await until(lambda: rig.said("sent") == taken, lambda: rig.said("sent"))
            await failed(rig, owner)
            rig.clock.pass_ms(60_000)
            taken.extend(f"taken by {node}" for node in turns)
            owner = turns[-1]
        await until(lambda: rig.said("sent") == taken, lambda: rig.said("sent"))


@in_loop
async def test_a_line_too_many_says_that_it_is_no_more_than_that(tmp_path: Path) -> None:
    async with line(tmp_path, sessions_max=2) as rig:
        server = await rig.start("a", others=OTHERS)
        await rig.line_is(FULL)
        tenure, told = tenure_of(server), list[dict[str, bool]]()
        tenure._helpless = lambda **how: told.append(how)
        tenure._seek()
        assert told == [{"full": True}]


@in_loop
async def test_a_line_that_is_opened_again_before_it_is_closed_keeps_its_place(tmp_path: Path) -> None:
    async with line(tmp_path, sessions_max=2) as rig:
        server = await rig.start("a", others=OTHERS[:1])
        call = await rig.partner.opened()
        await rig.line_is("open")
        tenure = tenure_of(server)

        def order(what: LineOrder) -> None:
            tenure.ordered(
                LineOrdered(
                    order_id=what, line=LINE, order=what, operator="Sato", reason="storm", ordered_ms=rig.clock()
                )
            )

        order(LineOrder.CLOSE)
        closing = await call.receive_role(Role.CLOSING_REQUEST)
        order(LineOrder.OPEN)
        call.answer(closing)
        await rig.partner.opened()
        await rig.line_is("open")
        assert server._sessions._lines == {OTHERS[0], LINE}
        assert not server._sessions.take(OTHERS[1])
