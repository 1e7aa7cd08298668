"""A broker that does not acknowledge: no client is told what nobody knows, and the operator is told at once."""

import asyncio
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from gateway_rig import RawClient, gateway, until
from loop_rig import in_loop
from prometheus_client import CollectorRegistry
from service_rig import Clock

from pipeline.telemetry import Health, TelemetryServer
from schemas.client_frames import Rejection

TROUBLE = "the broker does not acknowledge what is written"


def outcome_unknown(reference: str) -> dict[str, Any]:
    return {
        "type": "refused",
        "code": "outcome_unknown",
        "text_en": Rejection.OUTCOME_UNKNOWN.english,
        "text_ja": Rejection.OUTCOME_UNKNOWN.japanese,
        "retryable": False,
        "inquire": True,
        "closing": False,
        "reference": reference,
    }


@in_loop
async def test_a_request_that_may_not_be_stored_is_to_be_inquired_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with gateway(tmp_path) as rig:
        client = await RawClient.greeted(rig.server.port)
        rig.log.break_writes(True)
        client.ask("r-1")
        assert await client.receive() == outcome_unknown("r-1")
        client.send(type="inquiry", reference="r-1")
        assert await client.receive() == outcome_unknown("r-1")
        rig.log.break_writes(False)
        await client.answered("r-1")  # its place is free again, the session goes on
        await client.close()
        assert rig.metric("denbun_ingress_writes_failed_total", record="RequestAccepted") == 1
        assert rig.metric("denbun_ingress_writes_failed_total", record="InquiryAsked") == 1
        said = [record for record in caplog.records if record.levelname == "ERROR"]
        assert [record.getMessage() for record in said] == ["a record is not known to be stored"]  # once per outage
        assert said[0].__dict__["record"] == "RequestAccepted"


@in_loop
async def test_a_confirmation_that_may_not_be_stored_is_not_told_as_settled(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        client = await RawClient.greeted(rig.server.port)
        reply = await client.answered("r-1")
        rig.log.break_writes(True)
        client.ack(reply)
        assert await client.receive() == {
            "type": "settled",
            "reference": "r-1",
            "delivery_no": 1,
            "confirmed": False,
        }
        rig.log.break_writes(False)
        await client.close()
        assert rig.records("deliveries") == []
        assert rig.metric("denbun_ingress_writes_failed_total", record="ReplyDelivered") == 1


@in_loop
async def test_a_word_about_a_lost_reply_that_is_not_stored_is_left_to_the_routers_deadline(tmp_path: Path) -> None:
    clock = Clock()
    async with gateway(tmp_path, now_ms=clock) as rig:
        client = await RawClient.greeted(rig.server.port)
        await client.answered("r-1")
        rig.log.break_writes(True)
        clock.pass_ms(5_001)
        assert (await client.receive())["confirmed"] is False
        name = "denbun_ingress_writes_failed_total"
        await until(lambda: rig.metric(name, record="ReplyUndeliverable") == 1, "the failure")
        rig.log.break_writes(False)
        await client.pong()
        await client.close()
        assert rig.records("deliveries") == []


@in_loop
async def test_a_client_that_has_gone_is_told_nothing_when_the_log_fails_at_last(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        client = await RawClient.greeted(rig.server.port)
        for topic in ("requests", "deliveries"):
            rig.log.hold(rig.topics(topic))
        client.ask("r-1")
        await client.pong()
        await client.close()
        await until(lambda: rig.metric("denbun_ingress_closed_total", reason="left") == 1, "the end of the session")
        rig.log.break_writes(True)
        rig.log.let_go()
        name = "denbun_ingress_writes_failed_total"
        await until(lambda: rig.metric(name, record="RequestAccepted") == 1, "the failure")
        rig.log.break_writes(False)
        assert rig.metric("denbun_ingress_rejected_total", code="outcome_unknown") == 0


def ask_readiness(port: int) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


@in_loop
async def test_readiness_says_that_the_broker_does_not_acknowledge_until_it_has_for_a_while(tmp_path: Path) -> None:
    clock = Clock()
    health = Health()
    telemetry = TelemetryServer("127.0.0.1", 0, CollectorRegistry(), health)
    try:
        async with gateway(tmp_path, now_ms=clock) as rig:
            health.ready("sessions", rig.server.trouble)
            assert await asyncio.to_thread(ask_readiness, telemetry.port) == (200, {"ok": True, "troubles": {}})
            client = await RawClient.greeted(rig.server.port)
            rig.log.break_writes(True)
            client.ask("r-1")
            await client.receive()
            rig.log.break_writes(False)
            told = await asyncio.to_thread(ask_readiness, telemetry.port)
            assert told == (503, {"ok": False, "troubles": {"sessions": TROUBLE}})
            clock.pass_ms(5_000)
            assert await asyncio.to_thread(ask_readiness, telemetry.port) == (200, {"ok": True, "troubles": {}})
            await client.close()
            await rig.server.stop()
            told = await asyncio.to_thread(ask_readiness, telemetry.port)
            assert told == (503, {"ok": False, "troubles": {"sessions": "does not listen"}})
    finally:
        telemetry.close()
