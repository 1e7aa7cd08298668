"""The library against a real ingress on the log in memory: what an application is told, whatever happens on the way."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from gateway_rig import PAN, TOKEN, Gateway, approve, gateway, reply_to, until
from loop_rig import in_loop

from client import (
    Card,
    Client,
    ClientClosed,
    ConnectError,
    Kind,
    NotAuthenticated,
    NotSent,
    OutcomeUnknown,
    RequestRefused,
    Status,
    SyncClient,
)
from schemas.records import InquiryAsked, ReplyDelivered, ReplyReady, ReplyUndeliverable, RequestAccepted
from schemas.refusals import Refusal

CARD = Card(number=PAN, expiry="2812")


def payment(reference: str, **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "reference": reference,
        "kind": Kind.SALE,
        "terminal_id": "4980123456789",
        "amount": 12_800,
        "card": CARD,
        "wait_ms": 10_000,
    }
    return {**given, **changes}


@contextlib.asynccontextmanager
async def client_of(rig: Gateway) -> AsyncIterator[Client]:
    async with await Client.connect(("127.0.0.1", rig.server.port), customer="AP02", token=TOKEN) as client:
        yield client


def cut(rig: Gateway) -> None:
    """Every connection breaks."""
    for connection in list(rig.server._connections):
        connection.abort()


@in_loop
async def test_approved_is_told_after_the_confirmation_is_stored(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig, client_of(rig) as client:
        result = await client.pay(**payment("r-1"))
        (delivered,) = rig.records("deliveries")
        assert isinstance(delivered, ReplyDelivered)
        assert result.approved
        assert (result.approval_code, result.result_code, result.trace_number) == ("A12345", "000", 12)


@in_loop
async def test_many_at_once_each_get_their_own_end_though_few_may_be_in_flight(tmp_path: Path) -> None:
    async with gateway(tmp_path, max_in_flight=4) as rig, client_of(rig) as client:
        results = await asyncio.gather(*(client.pay(**payment(f"r-{n}")) for n in range(50)))
        assert [result.reference for result in results] == [f"r-{n}" for n in range(50)]
        assert all(result.approved for result in results)
        assert rig.metric("denbun_ingress_rejected_total", code="too_many_in_flight") == 0


@in_loop
async def test_a_declined_payment_is_confirmed_and_told(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig, client_of(rig) as client:
        rig.router.answer = lambda record: [reply_to(record, Status.DECLINED)]
        result = await client.pay(**payment("r-1"))
        assert (result.status, result.approved, result.result_code) == (Status.DECLINED, False, "100")
        assert len(rig.records("deliveries")) == 1


@in_loop
async def test_a_refusal_of_the_router_is_a_result_told_at_once(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig, client_of(rig) as client:
        rig.router.answer = lambda record: [
            reply_to(record, Status.REFUSED, delivery_no=0, confirm_in_ms=None, refusal=Refusal.NO_OPEN_LINE)
        ]
        result = await client.pay(**payment("r-1"))
        assert result.status is Status.REFUSED
        assert result.refusal is not None
        assert (result.refusal.code, result.refusal.retryable) == ("no_open_line", True)
        assert result.refusal.text_ja == Refusal.NO_OPEN_LINE.japanese
        assert rig.records("deliveries") == []


@pytest.mark.parametrize("status", [Status.BEING_CANCELLED, Status.TURNED_ROUND, Status.IN_ERROR])
def test_ends_that_need_no_confirmation_are_told_at_once(tmp_path: Path, status: Status) -> None:
    @in_loop
    async def scenario() -> None:
        async with gateway(tmp_path) as rig, client_of(rig) as client:
            rig.router.answer = lambda record: [reply_to(record, status, delivery_no=0, confirm_in_ms=None)]
            result = await client.pay(**payment("r-1"))
            assert (result.status, result.approved) == (status, False)
            assert rig.records("deliveries") == []

    scenario()


@in_loop
async def test_a_session_that_breaks_before_the_answer_is_repaired_and_inquired_about(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig, client_of(rig) as client:

        def answer(record: RequestAccepted | InquiryAsked) -> list[ReplyReady]:
            return [reply_to(record)] if isinstance(record, InquiryAsked) else []

        rig.router.answer = answer
        paying = asyncio.create_task(client.pay(**payment("r-1")))
        await until(lambda: len(rig.records("requests")) == 1, "the request")
        cut(rig)
        assert (await paying).approved
        first, second = rig.records("requests")
        assert isinstance(first, RequestAccepted)
        assert isinstance(second, InquiryAsked)
        assert first.session != second.session
        assert first.transaction_id == second.transaction_id


@in_loop
async def test_what_the_gateway_never_stored_is_sent_again_under_the_same_reference(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig, client_of(rig) as client:
        seen: list[str] = []

        def answer(record: RequestAccepted | InquiryAsked) -> list[ReplyReady]:
            seen.append(type(record).__name__)
            if isinstance(record, InquiryAsked):
                return [reply_to(record, Status.UNKNOWN, delivery_no=0, confirm_in_ms=None)]
            return approve(record) if seen.count("RequestAccepted") == 2 else []

        rig.router.answer = answer
        paying = asyncio.create_task(client.pay(**payment("r-1")))
        await until(lambda: len(seen) == 1, "the request")
        cut(rig)
        assert (await paying).approved
        assert seen == ["RequestAccepted", "InquiryAsked", "RequestAccepted"]
        first, _, again = rig.records("requests")
        assert isinstance(first, RequestAccepted)
        assert isinstance(again, RequestAccepted)
        assert first.content_digest == again.content_digest
        assert first.request_id != again.request_id
        assert again.expires_ms <= first.expires_ms + 1_000  # the same caller waits, no longer than before


@in_loop
async def test_an_acknowledgement_that_is_not_confirmed_makes_the_client_inquire(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig, client_of(rig) as client:

        def answer(record: RequestAccepted | InquiryAsked) -> list[ReplyReady]:
            if isinstance(record, InquiryAsked):
                return [reply_to(record, Status.BEING_CANCELLED, delivery_no=1, confirm_in_ms=None)]
            rig.log.break_writes(True)  # the confirmation cannot be stored
            reply = reply_to(record)
            rig.log.break_writes(False)
            return [reply]

        rig.router.answer = answer
        store = rig.server._storing._write

        def refuse_delivered(topic: str, key: str, record: Any, told: Callable[[int | None], None]) -> None:
            if isinstance(record, ReplyDelivered):
                asyncio.get_running_loop().call_soon(told, None)
            else:
                store(topic, key, record, told)

        rig.server._storing._write = refuse_delivered  # type: ignore[method-assign]
        result = await client.pay(**payment("r-1"))
        assert result.status is Status.BEING_CANCELLED
        assert rig.records("deliveries") == []


@in_loop
async def test_in_process_is_no_end_the_answer_comes_to_the_new_session(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig, client_of(rig) as client:
        rig.router.answer = lambda record: (
            [reply_to(record, Status.IN_PROCESS, delivery_no=0, confirm_in_ms=None)]
            if isinstance(record, InquiryAsked)
            else []
        )
        inquiring = asyncio.create_task(client.inquire("r-1"))
        await until(lambda: rig.metric("denbun_ingress_told_total", status="in_process") == 1, "in_process")
        (asked,) = rig.records("requests")
        assert isinstance(asked, InquiryAsked)
        assert not inquiring.done()
        owed = reply_to(asked)
        rig.router.tell(0, ReplyReady(**{**_fields(owed), "inquiry": False}))
        assert (await inquiring).approved


def _fields(record: ReplyReady) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__struct_fields__}


@in_loop
async def test_an_inquiry_about_nothing_gives_unknown(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig, client_of(rig) as client:
        rig.router.answer = lambda record: [reply_to(record, Status.UNKNOWN, delivery_no=0, confirm_in_ms=None)]
        assert (await client.inquire("r-1")).status is Status.UNKNOWN


@in_loop
async def test_the_inquiry_about_a_follow_up_goes_where_its_original_is_known(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig, client_of(rig) as client:
        await client.pay(**payment("r-2", kind=Kind.CANCEL, original_reference="r-1"))
        await client.inquire("r-2", original_reference="r-1")
        assert rig.keys("requests") == [b"AP02:r-1", b"AP02:r-1"]


@in_loop
async def test_time_up_after_sending_is_unknown_and_a_late_reply_is_not_acknowledged(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig, client_of(rig) as client:
        rig.router.answer = lambda _: []
        inquiring = client.inquire("r-1", wait_ms=50)
        with pytest.raises(OutcomeUnknown, match=r"r-1: not known yet .* inquire about this one"):
            await inquiring
        (asked,) = rig.records("requests")
        assert isinstance(asked, InquiryAsked)
        rig.router.tell(0, reply_to(asked, confirm_in_ms=300))
        await until(lambda: len(rig.records("deliveries")) == 1, "a word about the reply")
        (lost,) = rig.records("deliveries")
        assert isinstance(lost, ReplyUndeliverable)
        assert lost.reason == "not_confirmed"


@in_loop
async def test_without_a_gateway_nothing_was_sent_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("client.aio.MARGIN_MS", 0)
    async with gateway(tmp_path) as rig, client_of(rig) as client:
        await rig.server.stop()
        with pytest.raises(NotSent, match="nothing was sent, it may be tried again"):
            await client.pay(**payment("r-1", wait_ms=100))
        assert rig.records("requests") == []


@in_loop
async def test_a_wrong_field_is_refused_by_name_and_the_session_stays(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig, client_of(rig) as client:
        with pytest.raises(RequestRefused) as caught:
            await client.pay(**payment("r-1", card=Card(number="4111111111111112", expiry="2812")))
        assert (caught.value.code, caught.value.retryable) == ("invalid_request", False)
        assert "card.number has a wrong check digit" in caught.value.text_en
        assert "4111" not in str(caught.value) + caught.value.text_ja + repr(caught.value)
        with pytest.raises(RequestRefused, match="could be a card number"):
            await client.pay(**payment(PAN))
        assert (await client.pay(**payment("r-1"))).approved


@in_loop
async def test_two_calls_with_one_reference_do_not_mix(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig, client_of(rig) as client:
        rig.router.answer = lambda _: []
        paying = asyncio.create_task(client.pay(**payment("r-1")))
        await until(lambda: len(rig.records("requests")) == 1, "the request")
        with pytest.raises(ValueError, match="r-1 is under way"):
            await client.inquire("r-1")
        paying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await paying


@in_loop
async def test_wrong_credentials_and_no_gateway_are_told_apart(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        port = rig.server.port
        with pytest.raises(NotAuthenticated, match="not_authenticated: customer or token is wrong"):
            await Client.connect(("127.0.0.1", port), customer="AP02", token="wrong")
        with pytest.raises(NotAuthenticated, match="not_authenticated: customer or token is wrong"):
            await Client.connect(("127.0.0.1", port), customer="NOBODY", token=TOKEN)
        await rig.server.stop()
        with pytest.raises(ConnectError, match=f"127.0.0.1:{port}"):
            await Client.connect(("127.0.0.1", port), customer="AP02", token=TOKEN)


@in_loop
async def test_a_stopping_gateway_finishes_what_it_has_and_the_rest_goes_to_the_other(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    async with gateway(tmp_path) as one, gateway(tmp_path / "b", slot=1) as two:
        addresses = [("127.0.0.1", one.server.port), ("127.0.0.1", two.server.port)]
        async with await Client.connect(addresses, customer="AP02", token=TOKEN) as client:
            one.router.answer = lambda _: []
            before = asyncio.create_task(client.pay(**payment("r-1")))
            await until(lambda: len(one.records("requests")) == 1, "the first request")
            stopping = asyncio.create_task(one.server.stop())
            assert (await client.pay(**payment("r-2"))).approved
            assert [record.transaction_id for record in _asked(two)] == ["AP02:r-2"]
            (asked,) = _asked(one)
            one.router.tell(0, reply_to(asked))
            assert (await before).approved
            await stopping


def _asked(rig: Gateway) -> list[RequestAccepted]:
    return [record for record in rig.records("requests") if isinstance(record, RequestAccepted)]


@in_loop
async def test_close_waits_for_what_is_under_way_and_takes_nothing_new(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        client = await Client.connect(("127.0.0.1", rig.server.port), customer="AP02", token=TOKEN)
        rig.router.answer = lambda _: []
        paying = asyncio.create_task(client.pay(**payment("r-1")))
        await until(lambda: len(rig.records("requests")) == 1, "the request")
        closing = asyncio.create_task(client.close())
        await asyncio.sleep(0)
        with pytest.raises(ClientClosed):
            await client.pay(**payment("r-2"))
        (asked,) = _asked(rig)
        rig.router.tell(0, reply_to(asked))
        assert (await paying).approved
        await closing
        await until(lambda: rig.metric("denbun_ingress_closed_total", reason="left") == 1, "the goodbye")


@in_loop
async def test_the_plain_face_does_the_same(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:

        def work() -> None:
            with SyncClient(("127.0.0.1", rig.server.port), customer="AP02", token=TOKEN) as client:
                assert client.pay(**payment("r-1")).approved
                assert client.inquire("r-1").approved
                with pytest.raises(RequestRefused, match="amount must be 1 to 99999999 yen"):
                    client.pay(**payment("r-2", amount=0))
            with pytest.raises(ClientClosed):
                client.pay(**payment("r-3"))

        await asyncio.to_thread(work)
        with pytest.raises(NotAuthenticated):
            await asyncio.to_thread(SyncClient, ("127.0.0.1", rig.server.port), customer="AP02", token="wrong")
