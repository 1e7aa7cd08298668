"""A reference that is used for another original, while the first one's answer may still come on the same session."""

import asyncio
from pathlib import Path

import pytest
from gateway_rig import gateway, reply_to, until
from loop_rig import in_loop
from test_client_payments import client_of, payment

from client import Client, Kind, Result, link
from client.course import Course
from schemas.client_frames import Inquiry
from schemas.records import RequestAccepted


def refund(client: Client, original: str) -> "asyncio.Task[Result]":
    return asyncio.create_task(client.pay(**payment("c1", kind=Kind.REFUND, original_reference=original, amount=100)))


@in_loop
async def test_what_was_given_up_is_not_asked_for_under_another_original_while_its_answer_may_come(
    tmp_path: Path,
) -> None:
    async with gateway(tmp_path) as rig, client_of(rig) as client:
        asked: list[RequestAccepted] = []
        rig.router.answer = lambda record: asked.append(record) or []
        first = refund(client, "o1")
        await until(lambda: len(asked) == 1, "the first")
        first.cancel()
        await asyncio.wait([first])
        with pytest.raises(ValueError, match=r"^c1 was given up under another original: take another reference$"):
            await refund(client, "o2")
        again = refund(client, "o1")
        await until(lambda: bool(client._courses), "the same again")
        rig.router.tell(0, reply_to(asked[0]))
        assert (await again).approved


@in_loop
async def test_what_was_refused_may_be_asked_for_under_another_original(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig, client_of(rig) as client:
        asked: list[RequestAccepted] = []
        rig.router.answer = lambda record: asked.append(record) or [reply_to(record)]
        for original in ("o1", "o2"):
            refused = {**payment("c1", kind=Kind.REFUND, original_reference=original), "amount": 0}
            with pytest.raises(Exception, match="amount must be 1 to"):
                await client.pay(**refused)
        assert asked == []


@in_loop
async def test_of_what_was_given_up_only_so_much_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "_GIVEN_UP", 2)
    one = link.Link(("127.0.0.1", 1), lambda *_: None)
    kept = []
    for reference in "abc":
        one.give_up(Course(Inquiry(reference=reference, original_reference=f"o-{reference}")))
        kept.append(dict(one.given_up))
    assert kept == [{"a": "o-a"}, {"a": "o-a", "b": "o-b"}, {"b": "o-b", "c": "o-c"}]
