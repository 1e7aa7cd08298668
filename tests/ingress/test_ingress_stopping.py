"""How an ingress ends: in order, with what is in flight brought to its end; and by trouble, without pretending."""

import asyncio
from pathlib import Path

import pytest
from gateway_rig import Gateway, RawClient, gateway, reply_to, until
from loop_rig import in_loop
from service_rig import Clock

from ingress.shell import IngressServer
from pipeline.log import Outgoing
from schemas.records import InquiryAsked, ReplyDelivered, RequestAccepted
from schemas.wire import RecordError

BYE = {"type": "bye"}


def asked(rig: Gateway) -> list[RequestAccepted]:
    return [record for record in rig.records("requests") if isinstance(record, RequestAccepted)]


async def stopping(server: IngressServer) -> "asyncio.Task[None]":
    """The stop, begun."""
    task = asyncio.create_task(server.stop())
    await until(lambda: server.trouble() is not None, "the stop")
    return task


@in_loop
async def test_a_stop_says_bye_takes_nothing_new_and_ends_what_is_in_flight(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        rig.router.answer = lambda _: []
        client = await RawClient.greeted(rig.server.port)
        idle = await RawClient.greeted(rig.server.port)
        silent = await RawClient.open(rig.server.port)
        client.ask("r-1")
        await client.pong()
        await until(lambda: len(rig.server._connections) == 3, "the third connection")
        stop = await stopping(rig.server)

        assert await client.receive() == BYE
        assert await idle.receive() == BYE
        assert await silent.receive() == BYE  # in the place of a welcome
        assert await silent.ended()
        with pytest.raises(ConnectionRefusedError):
            await RawClient.open(rig.server.port)

        client.ask("r-2")
        refused = await client.receive()
        assert (refused["code"], refused["reference"], refused["retryable"]) == ("stopping", "r-2", True)
        client.send(type="inquiry", reference="r-0")  # a question is no new payment
        await client.pong()

        (request,) = asked(rig)
        rig.router.tell(0, reply_to(request))
        (inquiry,) = [record for record in rig.records("requests") if isinstance(record, InquiryAsked)]
        reply = await client.receive()
        assert not stop.done()  # its confirmation is awaited
        client.ack(reply)
        assert (await client.receive())["confirmed"] is True
        assert not stop.done()  # the inquiry has no answer
        rig.router.tell(0, reply_to(inquiry, confirm_in_ms=None))
        assert (await client.receive())["type"] == "status"
        assert await client.ended()
        assert await idle.ended()  # kept until here: it might have had an acknowledgement to bring
        for each in (client, idle, silent):
            await each.close()
        await stop
        assert [type(record) for record in rig.records("deliveries")] == [ReplyDelivered]
        assert rig.metric("denbun_ingress_closed_total", reason="stopping") == 3


@in_loop
async def test_a_stop_waits_no_longer_than_it_may(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with gateway(tmp_path, drain_ms=1) as rig:
        rig.router.answer = lambda _: []
        client = await RawClient.greeted(rig.server.port)
        client.ask("r-1")
        await client.pong()
        stop = await stopping(rig.server)
        assert await client.receive() == BYE
        assert await client.ended()
        await client.close()
        await stop
        (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
        assert warning.getMessage() == "not drained in time; the clients inquire elsewhere"
        assert warning.__dict__["in_flight"] == 1


@in_loop
async def test_a_stop_in_a_hurry_waits_for_no_reply(tmp_path: Path) -> None:
    async with gateway(tmp_path, drain_ms=3_600_000) as rig:
        rig.router.answer = lambda _: []
        client = await RawClient.greeted(rig.server.port)
        client.ask("r-1")
        await client.pong()
        stop = await stopping(rig.server)
        assert await client.receive() == BYE
        assert not stop.done()
        rig.server.hurry()
        assert await client.ended()
        await client.close()
        await stop


@in_loop
async def test_a_client_that_does_not_close_its_side_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        client = await RawClient.greeted(rig.server.port)
        await rig.server.stop()
        assert not rig.server._connections
        assert await client.receive() == BYE
        await client.close()


@in_loop
async def test_a_client_that_says_bye_gets_what_is_in_flight_and_then_the_end(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        rig.router.answer = lambda _: []
        client = await RawClient.greeted(rig.server.port)
        client.ask("r-1")
        client.send(type="bye")
        client.ask("r-2")
        refused = await client.receive()
        assert (refused["code"], refused["reference"]) == ("stopping", "r-2")
        assert refused["text_en"].endswith(": bye was said")
        (request,) = asked(rig)
        rig.router.tell(0, reply_to(request))
        client.ack(await client.receive())
        assert (await client.receive())["confirmed"] is True
        assert await client.ended()
        await client.close()
        assert [record.reference for record in asked(rig)] == ["r-1"]
        assert rig.metric("denbun_ingress_closed_total", reason="left") == 1


@in_loop
async def test_what_is_in_flight_no_longer_than_its_time_lets_the_client_leave(tmp_path: Path) -> None:
    clock = Clock()
    async with gateway(tmp_path, now_ms=clock) as rig:
        rig.router.answer = lambda _: []
        client = await RawClient.greeted(rig.server.port)
        client.ask("r-1", wait_ms=10_000)
        client.send(type="bye")
        await client.pong()
        clock.pass_ms(10_000)
        assert await client.ended()
        await client.close()


# --- trouble --------------------------------------------------------------------------------------------------------


@in_loop
async def test_a_reply_that_cannot_be_read_ends_the_ingress_and_nothing_is_skipped(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        client = await RawClient.greeted(rig.server.port)
        writer = rig.log.writer("somebody")
        writer.write([Outgoing(rig.topics("replies"), None, b"?", (), 0)])
        with pytest.raises(RecordError):
            await rig.server.failed
        client.ask("r-1")  # its answer cannot come any more
        await client.pong()
        stop = await stopping(rig.server)  # so nothing is waited for
        assert await client.receive() == BYE
        assert await client.ended()
        await client.close()
        await stop


@in_loop
async def test_an_address_in_use_is_named_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    async with gateway(tmp_path) as rig:
        port = rig.server.port
        with pytest.raises(
            OSError,
            match=rf"client address 127\.0\.0\.1:{port}: .*: choose another under ingress\.host and ingress\.port$",
        ):
            async with gateway(tmp_path / "b", port=port):
                pass
