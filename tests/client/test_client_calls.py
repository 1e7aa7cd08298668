"""What the client sends for each call, in which order and when, and how long the call lasts."""

import asyncio
from typing import Any

import msgspec
import pytest
from still_time import CARD, connected, ended, here, instant, leaping, now_ms, payment

from client import Client, ClientClosed, OutcomeUnknown, RequestRefused
from client.aio import _pause_s
from schemas.client_frames import Inquiry, Rejection, Reply, Request, StatusTold, frame
from schemas.records import Status

ASKED = Request(
    reference="r-1", kind="cancel", terminal_id="4980123456789", amount=12_800, payment_method="61", card=CARD,
    wait_ms=7_000, track2="4111111111111111=2812", security_code="123", original_reference="r-0",
)  # fmt: skip
LONGEST = "x" * (1_024 - len(frame(msgspec.structs.replace(ASKED, terminal_id=""))))


@pytest.fixture(autouse=True)
def the_loops_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client.aio._now_ms", now_ms)
    monkeypatch.setattr("random.uniform", max)


def fields(request: Request, **changes: Any) -> dict[str, Any]:
    return {**{name: getattr(request, name) for name in request.__struct_fields__}, **changes}


def at_once(client: Client, *references: str) -> list[asyncio.Task[tuple[float, object]]]:
    """Payments that are asked for in this order."""
    return [asyncio.create_task(ended(client.pay(**payment(each, wait_ms=5_000)))) for each in references]


def declined(reference: str) -> Reply:
    return Reply(reference=reference, status=Status.DECLINED, delivery_no=1, confirm=False)


# --- what is asked


@leaping
async def test_a_payment_is_sent_with_every_field_as_it_was_given() -> None:
    async with await connected("a") as client:
        assert isinstance((await ended(client.pay(**fields(ASKED))))[1], OutcomeUnknown)
        assert here().sessions[0].heard == [(0.0, ASKED)]


@leaping
async def test_a_payment_whose_session_was_lost_is_inquired_about_by_its_original() -> None:
    async with await connected("a") as client:
        paying = asyncio.create_task(ended(client.pay(**fields(ASKED))))
        await instant()
        here().sessions[0].abort()
        await paying
        assert [message for _, message in here().sessions[1].heard] == [
            Inquiry(reference="r-1", original_reference="r-0"),
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"amount": "12800"}, "Expected `int`, got `str` - at `$.amount`"),
        ({"security_code": 123}, "Expected `str | null`, got `int` - at `$.security_code`"),
        ({"terminal_id": LONGEST + "x"}, "a field is far too long"),
    ],
)
def test_what_would_cost_the_session_is_refused_by_name_and_never_sent(changes: dict[str, Any], place: str) -> None:
    @leaping
    async def scenario() -> None:
        async with await connected("a") as client:
            with pytest.raises(RequestRefused) as caught:
                await client.pay(**fields(ASKED, **changes))
            assert caught.value.text_en == f"the request's content is wrong: {place}"
            assert here().sessions[0].heard == []

    scenario()


@leaping
async def test_a_payment_of_the_longest_frame_that_every_gateway_takes_is_sent() -> None:
    async with await connected("a") as client:
        await ended(client.pay(**fields(ASKED, terminal_id=LONGEST)))
        ((_, sent),) = here().sessions[0].heard
        assert len(frame(sent)) == 1_024


@leaping
async def test_a_client_that_is_closed_says_what_to_do() -> None:
    client = await connected("a")
    await client.close()
    with pytest.raises(ClientClosed) as caught:
        await client.inquire("r-1")
    assert str(caught.value) == "the client is closed: connect another"


# --- how long it lasts


@pytest.mark.parametrize(("changes", "sent_ms", "ends_s"), [({}, 30_000, 33.0), ({"wait_ms": 7_000}, 7_000, 10.0)])
def test_a_payment_waits_three_seconds_beyond_what_it_lets_the_gateway_wait(
    changes: dict[str, Any], sent_ms: int, ends_s: float
) -> None:
    @leaping
    async def scenario() -> None:
        async with await connected("a") as client:
            when, error = await ended(client.pay(**payment("r-1", **changes)))
            assert (when, type(error)) == (ends_s, OutcomeUnknown)
            ((_, sent),) = here().sessions[0].heard
            assert isinstance(sent, Request)
            assert sent.wait_ms == sent_ms

    scenario()


@pytest.mark.parametrize(("changes", "ends_s"), [({}, 30.0), ({"wait_ms": 7_000}, 7.0)])
def test_an_inquiry_waits_no_longer_than_is_asked(changes: dict[str, Any], ends_s: float) -> None:
    @leaping
    async def scenario() -> None:
        async with await connected("a") as client:
            when, error = await ended(client.inquire("r-1", **changes))
            assert (when, type(error)) == (ends_s, OutcomeUnknown)

    scenario()


# --- in which order


@leaping
async def test_payments_that_find_no_room_are_sent_one_after_the_other_in_their_order() -> None:
    here().room = 1
    async with await connected("a") as client:
        paying = at_once(client, "r-1", "r-2", "r-3")
        for reference in ("r-1", "r-2", "r-3"):
            await instant()
            assert here().sessions[0].references[-1] == reference
            here().sessions[0].say(declined(reference))
        await asyncio.gather(*paying)
        assert here().sessions[0].references == ["r-1", "r-2", "r-3"]


@leaping
async def test_what_is_doubtful_is_inquired_about_before_anything_new_is_sent() -> None:
    here().room = 1
    async with await connected("a") as client:
        paying = at_once(client, "r-1", "r-2")
        await instant()
        here().sessions[0].abort()
        await asyncio.sleep(1)
        assert [message for _, message in here().sessions[1].heard] == [Inquiry(reference="r-1")]
        here().sessions[1].say(declined("r-1"))
        await asyncio.gather(*paying)
        assert here().sessions[1].references == ["r-1", "r-2"]


# --- what the gateway says


@pytest.mark.parametrize("reference", ["r-1", "XXXX"])
def test_an_answer_that_names_no_payment_is_nobodys(reference: str) -> None:
    @leaping
    async def scenario() -> None:
        async with await connected("a") as client:
            (paying,) = at_once(client, reference)
            await instant()
            here().sessions[0].say(declined(""))
            assert isinstance((await paying)[1], OutcomeUnknown)

    scenario()


@leaping
async def test_a_gateway_that_stops_is_left_at_once_and_another_is_asked() -> None:
    async with await connected("a", "b") as client:
        paying = at_once(client, "r-1")
        await instant()
        here().sessions[0].refuse("r-1", Rejection.STOPPING)
        assert not client.connected
        await asyncio.gather(*paying)
        assert [session.references for session in here().sessions] == [["r-1"], ["r-1"]]


@leaping
async def test_a_gateway_that_has_enough_is_asked_again_on_the_same_session_after_pauses_that_grow() -> None:
    async with await connected("a") as client:
        paying = at_once(client, "r-1")
        for pause_s in (0, 0.05, 0.1, 0.2):
            await asyncio.sleep(pause_s)
            await asyncio.sleep(0)
            here().sessions[0].refuse("r-1", Rejection.TOO_MANY_IN_FLIGHT)
        await asyncio.gather(*paying)
        assert [round(when, 6) for when, _ in here().sessions[0].heard][:4] == [0.0, 0.05, 0.15, 0.35]
        assert len(here().sessions) == 1


def test_the_pause_doubles_sixteen_times_at_most_however_high_its_limit_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client.aio._PAUSE_S", (1.0, 1e9))
    assert [_pause_s(setbacks) for setbacks in (16, 17, 18, 10_000)] == [32_768.0, 65_536.0, 65_536.0, 65_536.0]


@leaping
async def test_what_the_gateway_never_stored_is_sent_again_in_the_same_instant() -> None:
    here().lives_s = [0.5]
    async with await connected("a") as client:
        paying = at_once(client, "r-1")
        await asyncio.sleep(0.7)
        here().sessions[1].say(StatusTold(reference="r-1", status=Status.UNKNOWN))
        await asyncio.gather(*paying)
        (_, inquiry), (when, again) = here().sessions[1].heard
        assert (type(inquiry), type(again), round(when, 6)) == (Inquiry, Request, 0.7)


@leaping
async def test_a_payment_that_was_given_up_in_its_pause_is_not_sent_again() -> None:
    async with await connected("a") as client:
        (paying,) = at_once(client, "r-1")
        await instant()
        here().sessions[0].refuse("r-1", Rejection.TOO_MANY_IN_FLIGHT)
        paying.cancel()
        await asyncio.sleep(10)
        assert here().sessions[0].references == ["r-1"]
