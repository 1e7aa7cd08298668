"""Strays have a budget: beyond it the line is hung up, told as the last stray, and no other line is touched."""

from pathlib import Path

import pytest
from line_rig import LINE, line, until
from loop_rig import in_loop
from test_egress_core import Rig

from egress import core
from egress.acts import Tell
from egress.strays import StrayBudget
from schemas.records import StrayTelegram
from schemas.telegrams import Role

GARBAGE = b"\0"


@pytest.mark.parametrize(
    ("came_ms", "kept"),
    [
        ([0, 0, 0], [True, True, True]),
        ([0, 0, 0, 0], [True, True, True, False]),
        ([0, 0, 0, 19_999], [True, True, True, False]),
        ([0, 0, 0, 20_000], [True, True, True, True]),
        ([0, 0, 0, 60_000, 60_000, 60_000, 60_000], [True, True, True, True, True, True, False]),
        ([0, 0, 0, 9_000_000, 9_000_000, 9_000_000, 9_000_000], [True, True, True, True, True, True, False]),
        ([50_000, 50_000, 50_000, 0], [True, True, True, False]),  # a clock set back gives nothing
    ],
)
def test_a_budget_of_three_a_minute(came_ms: list[int], kept: list[bool]) -> None:
    budget = StrayBudget(3)
    assert [budget.spend(now_ms) for now_ms in came_ms] == kept


@in_loop
async def test_a_line_that_brings_too_many_is_hung_up_and_told_and_what_was_read_before_counts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with line(tmp_path, strays_per_minute=5) as rig:
        await rig.start("a")
        call = await rig.partner.opened()
        rig.order("first")
        asked = await call.receive_role(Role.SALE_REQUEST)
        garbage = call._partner.framing.wrap(GARBAGE)
        call.send_bytes(garbage * 3 + call.bytes_of_answer(asked) + garbage * 50)
        await call.rest()
        await rig.hears("reports", "first approved")
        await until(lambda: len(rig.records("strays")) == 7, lambda: rig.said("strays"))
        told = [record.description for record in rig.records("strays") if isinstance(record, StrayTelegram)]
        assert told[-1] == "hung up: more than 5 strays in a minute: what the partner sends is for nobody"
        assert rig.metric("strays_total") == 7
        warned = [
            (each.__dict__["line"], each.__dict__["reason"]) for each in caplog.records if each.msg == "line hung up"
        ]
        assert warned == [(LINE, told[-1].removeprefix("hung up: "))]
        await until(lambda: "more than 5 strays in a minute" in " ".join(rig.said("lines")), lambda: rig.said("lines"))
        again = await rig.partner.opened()
        rig.order("second")
        again.answer(await again.receive_role(Role.SALE_REQUEST))
        await rig.hears("reports", "first approved", "second approved")


@in_loop
async def test_a_partner_that_gives_its_answer_again_and_again_is_not_hung_up(tmp_path: Path) -> None:
    async with line(tmp_path, strays_per_minute=5) as rig:
        await rig.start("a")
        call = await rig.partner.opened()
        rig.order("first")
        asked = await call.receive_role(Role.SALE_REQUEST)
        call.send_bytes(call.bytes_of_answer(asked) * 50)
        await until(lambda: len(rig.records("strays")) == 49, lambda: rig.said("strays"))
        rig.order("second")
        call.answer(await call.receive_role(Role.SALE_REQUEST))
        await rig.hears("reports", "first approved", "second approved")


def test_an_answer_is_known_as_a_copy_as_long_as_not_too_many_have_come_since(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "_ANSWERS", 2)
    rig = Rig()
    rig.play("opened", 0)
    for who in "abc":
        rig.play(f"ask {who}", 1)
    rig.play("stored", 2)

    def again(who: str) -> bool:
        """Whether an answer is known as one that came before."""
        (stray,) = (act for act in rig.answer("approved", 9, who) if isinstance(act, Tell))
        return stray.copy

    for who in "ab":
        rig.play(f"approved {who}", 3)
    assert [again(who) for who in "ab"] == [True, True]
    rig.play("approved c", 4)
    assert [again(who) for who in "abc"] == [False, True, True]
