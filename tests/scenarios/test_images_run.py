"""Telegrams of a real run: what is recorded is what the gateway sent and the centre answered, and makes documents."""

from pathlib import Path

import pytest

from images.building import build
from images.document import document_of
from ops.commands.images import record_run
from ops.player import CARD
from ops.recording import AMOUNT
from schemas.telegrams import Role

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

NAMES = ("approved", "silence", "opening", "keepalive_from_centre", "closing_by_gateway")


def test_a_run_with_one_partner_is_recorded_as_it_was(kafka_servers: str, tmp_path: Path) -> None:
    said: list[str] = []
    record = record_run(tmp_path, partners=["cafis"], servers=kafka_servers, names=NAMES, say=said.append)
    document = document_of(record, "cafis")
    seen = {
        flow.entry.name: [f"{image.travelled.way}{image.telegram.telegram.type_code}" for image in flow.images]
        for flow in document.flows
    }
    assert seen == {
        "approved": ["→1110", "←1120"],
        "silence": ["→1110", "→8930", "←8960"],
        "opening": ["→9110", "←9120"],
        "keepalive_from_centre": ["←9010", "→9020"],
        "closing_by_gateway": ["→9210", "←9220"],
    }
    sale, report = (image.message.values for image in document.flow("approved").images)
    assert (sale["amount"], sale["pan"]) == (AMOUNT, CARD.number)
    assert (report["trace_number"], document.spec.result(str(report["result_code"])).code) == (
        sale["trace_number"],
        "000",
    )
    request, command, _ = (image.message.values for image in document.flow("silence").images)
    assert command["original_trace_number"] == request["trace_number"]
    assert command["route_number"] == request["route_number"]
    (asked,) = document.flow("silence").flow.asks
    assert (asked.told, asked.ended) == ("being_cancelled", "cancelled")
    assert [image.travelled.line for flow in document.flows for image in flow.images] == ["cafis-1"] * 11
    assert not document.telegrams[Role.REFUND_REQUEST].travelled
    for file in build(record, tmp_path / "out"):
        assert file.stat().st_size > 1_000
