"""Replies on their way to the client: over real sockets, what is told, what is stored, and in which order."""

import asyncio
import json
import struct
from pathlib import Path

import msgspec
import pytest
from gateway_rig import PAN, Gateway, RawClient, beside, gateway, reply_to, request_fields, until, wall_ms
from loop_rig import in_loop
from service_rig import Clock

from schemas.records import (
    InquiryAsked,
    ReplyDelivered,
    ReplyReady,
    ReplyUndeliverable,
    RequestAccepted,
    Status,
)

HOUR_MS = 3_600_000
Asked = RequestAccepted | InquiryAsked


def settled(reply: dict[str, object], *, confirmed: bool) -> dict[str, object]:
    numbers = {name: reply[name] for name in ("reference", "delivery_no")}
    return {"type": "settled", **numbers, "confirmed": confirmed}


def words_about_deliveries(rig: Gateway) -> list[tuple[str, int, str]]:
    """Who, which delivery, and whether it was delivered or why not."""
    found = []
    for record in rig.records("deliveries"):
        assert isinstance(record, (ReplyDelivered, ReplyUndeliverable))
        said = "delivered" if isinstance(record, ReplyDelivered) else record.reason
        found.append((record.transaction_id, record.delivery_no, said))
    return found


async def pass_time(rig: Gateway, clock: Clock, ms: int) -> None:
    """Let time pass and everything happen that it brings."""
    clock.pass_ms(ms)
    rig.server._pass_time(clock())
    await asyncio.sleep(0)  # what is written leaves with the turn of the loop


# --- to the client --------------------------------------------------------------------------------------------------


@in_loop
async def test_answers_come_in_the_order_of_the_router_each_to_its_request(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        asked: list[Asked] = []

        def last_first(record: Asked) -> list[ReplyReady]:
            asked.append(record)
            return [reply_to(each) for each in reversed(asked)] if len(asked) == 3 else []

        rig.router.answer = last_first
        client = await RawClient.greeted(rig.server.port)
        for number in (1, 2, 3):
            client.ask(f"r-{number}", amount=number)
        replies = await client.receive_many(3)
        stored = [record.reference for record in rig.records("requests")]  # type: ignore[union-attr]
        assert sorted(stored) == ["r-1", "r-2", "r-3"]
        assert [reply["reference"] for reply in replies] == [each.reference for each in reversed(asked)]
        for reply in replies:
            client.ack(reply)
        ends = await client.receive_many(3)
        assert ends == [settled(reply, confirmed=True) for reply in replies]
        await client.close()


@in_loop
async def test_two_sessions_of_one_customer_each_get_their_own(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        one, other = await RawClient.greeted(rig.server.port), await RawClient.greeted(rig.server.port)
        one.ask("r-1")
        other.ask("r-2")
        assert (await one.receive())["reference"] == "r-1"
        assert (await other.receive())["reference"] == "r-2"
        await one.pong()
        await other.pong()
        await one.close()
        await other.close()


@in_loop
async def test_what_was_told_before_the_start_is_not_told_again(tmp_path: Path) -> None:
    async with gateway(tmp_path, slot=1) as rig:
        client = await RawClient.greeted(rig.server.port)
        await client.answered("r-1")
        async with beside(rig, slot=1) as later:
            other = await RawClient.greeted(later.port)
            await other.answered("r-2")  # its partition is read: whatever stood there before would have come first
            assert later._metrics.gone._value.get() == 0
            await other.close()
        await client.close()


# --- acknowledgements -----------------------------------------------------------------------------------------------


@in_loop
async def test_settled_is_told_when_the_log_has_the_confirmation_not_before(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        client = await RawClient.greeted(rig.server.port)
        reply = await client.answered("r-1")
        rig.log.hold(rig.topics("deliveries"))
        client.ack(reply)
        await client.pong()  # the acknowledgement was read, and nothing was told
        assert words_about_deliveries(rig) == []
        rig.log.let_go()
        assert await client.receive() == settled(reply, confirmed=True)
        assert words_about_deliveries(rig) == [("AP02:r-1", 1, "delivered")]
        await client.close()


@in_loop
async def test_a_confirmation_that_is_stored_too_late_is_void_for_the_client(tmp_path: Path) -> None:
    clock = Clock()
    async with gateway(tmp_path, now_ms=clock, idle_timeout_ms=HOUR_MS) as rig:
        client = await RawClient.greeted(rig.server.port)
        reply = await client.answered("r-1")
        rig.log.hold(rig.topics("deliveries"))
        client.ack(reply)
        await client.pong()
        await pass_time(rig, clock, 5_001)
        await client.pong()
        rig.log.let_go()
        assert await client.receive() == settled(reply, confirmed=False)
        assert words_about_deliveries(rig) == [("AP02:r-1", 1, "delivered")]  # the router decides by its deadline
        await client.close()


@pytest.mark.parametrize("off_ms", [-HOUR_MS, -5_000, 0])
@pytest.mark.parametrize(("waits_ms", "confirmed"), [(4_999, True), (5_001, False)])
@in_loop
async def test_a_confirmation_counts_by_the_brokers_clock_not_by_the_doors(
    tmp_path: Path, off_ms: int, waits_ms: int, confirmed: bool
) -> None:
    broker, now_ms = Still(), wall_ms()

    def door_ms() -> int:
        return now_ms + off_ms

    broker.now_ms = now_ms
    async with gateway(tmp_path, now_ms=door_ms, broker_ms=broker, idle_timeout_ms=HOUR_MS) as rig:
        rig.router.answer = lambda record: [msgspec.structs.replace(reply_to(record), confirm_by_ms=now_ms + 5_000)]
        client = await RawClient.greeted(rig.server.port)
        reply = await client.answered("r-1")
        broker.now_ms += waits_ms
        client.ack(reply)
        assert await client.receive() == settled(reply, confirmed=confirmed)
        assert words_about_deliveries(rig) == [("AP02:r-1", 1, "delivered")]
        await client.close()


class Still:
    """A broker's clock, which a test moves."""

    now_ms = 0

    def __call__(self) -> int:
        return self.now_ms


@in_loop
async def test_an_acknowledgement_that_comes_too_late_is_void_and_the_router_hears_of_it(tmp_path: Path) -> None:
    clock = Clock()
    async with gateway(tmp_path, now_ms=clock) as rig:
        client = await RawClient.greeted(rig.server.port)
        reply = await client.answered("r-1")
        await pass_time(rig, clock, 5_001)
        client.ack(reply)
        assert await client.receive_many(2) == [settled(reply, confirmed=False)] * 2  # unasked, and asked
        assert words_about_deliveries(rig) == [("AP02:r-1", 1, "not_confirmed")]
        assert rig.metric("denbun_ingress_undeliverable_total", reason="not_confirmed") == 1
        await client.close()


@in_loop
async def test_an_acknowledgement_on_another_session_confirms_nothing(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        one, other = await RawClient.greeted(rig.server.port), await RawClient.greeted(rig.server.port)
        reply = await one.answered("r-1")
        other.ack(reply)
        assert await other.receive() == settled(reply, confirmed=False)
        assert words_about_deliveries(rig) == []
        one.ack(reply)
        assert await one.receive() == settled(reply, confirmed=True)
        await one.close()
        await other.close()


# --- a session that is gone -----------------------------------------------------------------------------------------


@in_loop
async def test_a_reply_nobody_comes_back_for_is_undeliverable(tmp_path: Path) -> None:
    clock = Clock()
    async with gateway(tmp_path, now_ms=clock, gone_after_ms=HOUR_MS) as rig:
        client = await RawClient.greeted(rig.server.port)
        await client.answered("r-1")
        await client.close()
        await until(lambda: rig.metric("denbun_ingress_closed_total", reason="left") == 1, "the end of the session")
        await pass_time(rig, clock, HOUR_MS - 60_000)
        assert words_about_deliveries(rig) == []
        await pass_time(rig, clock, 60_000)
        assert words_about_deliveries(rig) == [("AP02:r-1", 1, "session_gone")]
        assert rig.keys("deliveries") == [b"AP02:r-1"]


@in_loop
async def test_a_reply_that_comes_after_its_session_has_gone_waits_as_long(tmp_path: Path) -> None:
    clock = Clock()
    async with gateway(tmp_path, now_ms=clock, gone_after_ms=HOUR_MS) as rig:
        rig.router.answer = lambda _: []
        client = await RawClient.greeted(rig.server.port)
        client.ask("r-1")
        await client.pong()
        await client.close()
        await until(lambda: rig.metric("denbun_ingress_closed_total", reason="left") == 1, "the end of the session")
        (asked,) = rig.records("requests")
        assert isinstance(asked, RequestAccepted)
        rig.router.tell(0, reply_to(asked))
        await until(lambda: rig.metric("denbun_ingress_replies_for_gone_total") == 1, "the reply")
        await pass_time(rig, clock, HOUR_MS)
        assert words_about_deliveries(rig) == [("AP02:r-1", 1, "session_gone")]


@in_loop
async def test_the_session_of_another_process_is_left_to_the_routers_deadline(tmp_path: Path) -> None:
    clock = Clock()
    async with gateway(tmp_path, now_ms=clock) as rig:
        client = await RawClient.greeted(rig.server.port)
        await client.answered("r-1")
        (asked,) = rig.records("requests")
        assert isinstance(asked, RequestAccepted)
        stranger = RequestAccepted(**{**_fields(asked), "session": "0123456789abcdef-1", "transaction_id": "AP02:r-2"})
        rig.router.tell(0, reply_to(stranger))
        await until(lambda: rig.metric("denbun_ingress_replies_for_gone_total") == 1, "the reply")
        await pass_time(rig, clock, HOUR_MS)
        assert "AP02:r-2" not in [transaction_id for transaction_id, _, _ in words_about_deliveries(rig)]
        await client.close()


def _fields(record: RequestAccepted) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__struct_fields__}


def _second_to_inquiry(record: Asked) -> list[ReplyReady]:
    return [reply_to(record, delivery_no=2 if isinstance(record, InquiryAsked) else 1)]


@in_loop
async def test_a_client_that_comes_back_takes_the_reply_it_is_owed(tmp_path: Path) -> None:
    clock = Clock()
    async with gateway(tmp_path, now_ms=clock, gone_after_ms=HOUR_MS, idle_timeout_ms=3 * HOUR_MS) as rig:
        rig.router.answer = _second_to_inquiry
        client = await RawClient.greeted(rig.server.port)
        first = await client.answered("r-1")
        await client.close()
        again = await RawClient.greeted(rig.server.port)
        again.send(type="inquiry", reference="r-1")
        owed = await again.receive()
        assert {**owed, "delivery_no": 1} == first
        again.ack(owed)
        assert await again.receive() == settled(owed, confirmed=True)
        await pass_time(rig, clock, 2 * HOUR_MS)
        assert words_about_deliveries(rig) == [("AP02:r-1", 2, "delivered")]
        await again.close()


@in_loop
async def test_a_client_may_come_back_to_another_gateway(tmp_path: Path) -> None:
    clock = Clock()
    async with gateway(tmp_path, now_ms=clock, gone_after_ms=HOUR_MS) as rig, beside(rig, slot=1) as other:
        rig.router.answer = _second_to_inquiry
        client = await RawClient.greeted(rig.server.port)
        await client.answered("r-1")
        await client.close()
        again = await RawClient.greeted(other.port)
        again.send(type="inquiry", reference="r-1")
        owed = await again.receive()
        again.ack(owed)
        assert await again.receive() == settled(owed, confirmed=True)
        assert [record.slot for record in rig.records("requests")] == [0, 1]  # type: ignore[union-attr]
        await until(lambda: rig.metric("denbun_ingress_closed_total", reason="left") == 1, "the end of the session")
        await pass_time(rig, clock, HOUR_MS)  # the first one does not know; its word about delivery 1 is not the last
        assert words_about_deliveries(rig) == [("AP02:r-1", 2, "delivered"), ("AP02:r-1", 1, "session_gone")]
        await again.close()


# --- inquiries ------------------------------------------------------------------------------------------------------


@in_loop
async def test_an_inquiry_is_asked_in_the_name_of_the_sessions_customer_alone(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        mine = {"AP02:r-1"}
        rig.router.answer = lambda record: [
            reply_to(
                record,
                Status.APPROVED if record.transaction_id in mine else Status.UNKNOWN,
                delivery_no=0,
                confirm_in_ms=None,
            )
        ]
        owner = await RawClient.greeted(rig.server.port)
        stranger = await RawClient.open(rig.server.port)
        stranger.send(type="hello", version=1, customer="AP22", token="another-token", client="raw/1")
        assert (await stranger.receive())["type"] == "welcome"
        for client, status in ((owner, "approved"), (stranger, "unknown")):
            client.send(type="inquiry", reference="r-1")
            told = await client.receive()
            assert (told["type"], told["reference"], told["status"]) == ("status", "r-1", status)
        assert sorted(rig.keys("requests")) == [b"AP02:r-1", b"AP22:r-1"]  # type: ignore[type-var]
        assert sorted(record.customer for record in rig.records("requests")) == ["AP02", "AP22"]  # type: ignore[union-attr]
        await owner.close()
        await stranger.close()


@in_loop
async def test_follow_ups_and_their_inquiries_go_where_their_original_is_known(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        client = await RawClient.greeted(rig.server.port)
        await client.answered("r-2", kind="refund", original_reference="r-1")
        client.send(type="inquiry", reference="r-2", original_reference="r-1")
        assert (await client.receive())["reference"] == "r-2"
        assert rig.keys("requests") == [b"AP02:r-1", b"AP02:r-1"]
        assert [record.transaction_id for record in rig.records("requests")] == ["AP02:r-1/r-2"] * 2  # type: ignore[union-attr]
        await client.close()


# --- a client that does not read ------------------------------------------------------------------------------------


@in_loop
async def test_a_client_that_does_not_read_is_not_read_from_and_disturbs_nobody(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        slow = await RawClient.greeted(rig.server.port)
        slow.pause()
        (connection,) = rig.server._connections
        payload = json.dumps({"type": "ping", "n": 1}).encode()
        pings = (struct.pack(">I", len(payload)) + payload) * 1_000
        sent = 0
        most_held = 0
        while slow.unsent < 1_000_000:  # until nothing more is taken
            slow.send_bytes(pings)
            sent += 1_000
            await asyncio.sleep(0)
            most_held = max(most_held, connection._transport.get_write_buffer_size())
        assert most_held < 1_000_000
        other = await RawClient.greeted(rig.server.port)
        reply = await other.answered("r-1")
        other.ack(reply)
        assert await other.receive() == settled(reply, confirmed=True)
        await other.close()
        slow.resume()
        for _ in range(sent):
            assert await slow.receive() == {"type": "pong", "n": 1}
        await slow.close()


# --- numbers --------------------------------------------------------------------------------------------------------


@in_loop
async def test_what_was_told_is_counted(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        client = await RawClient.greeted(rig.server.port)
        client.ack(await client.answered("r-1"))
        await client.receive()
        client.send(**{**request_fields("r-2"), "card": {"number": PAN, "expiry": "0000"}})
        await client.receive()
        assert rig.metric("denbun_ingress_sessions") == 1
        assert rig.metric("denbun_ingress_requests_total", customer="AP02") == 1
        assert rig.metric("denbun_ingress_told_total", status="approved") == 1
        assert rig.metric("denbun_ingress_settled_total", confirmed="true") == 1
        assert rig.metric("denbun_ingress_rejected_total", code="invalid_request") == 1
        assert rig.metric("denbun_ingress_duration_seconds_count") == 1
        await client.close()
        await until(lambda: rig.metric("denbun_ingress_sessions") == 0, "the end of the session")
