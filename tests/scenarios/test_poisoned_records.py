"""Poisoned records on a gateway that runs: no schema of them is learned, and no process dies of one but in words."""

import io
import itertools
import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer

from ops.installations import LINES, QUICK
from ops.player import CARD
from ops.reading import read_topics
from ops.stage import Stage, playing
from pipeline.log import Outgoing
from pipeline.service import FAILED
from schemas import wire
from schemas.records import Kind, ReleaseRoute, ReplyDelivered

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]
numbers = itertools.count(1)
SERVICES = ("router-0", "faults-0", "egress-0", "ingress-0")
ITSELF = {
    "type": "record",
    "name": "N",
    "namespace": "denbun",
    "fields": [{"name": "n", "type": ["null", "denbun.N"], "default": None}],
}
DEEP = 60_000


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, kafka_servers: str) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("poison")
    with playing(folder, servers=kafka_servers, prefix=f"poison-{folder.name}-", lines=LINES[:3], waits=QUICK) as stage:
        yield stage


def approved(stage: Stage) -> bool:
    with stage.client("cafis") as client:
        return client.pay(
            kind=Kind.SALE, reference=f"p{next(numbers)}", amount=1_000, card=CARD, terminal_id="4980000000001",
            wait_ms=5_000,
        ).approved  # fmt: skip


def put(stage: Stage, topic: str, key: bytes, value: bytes | None, mark: bytes = b"") -> None:
    writer = stage.log.writer("stranger")
    writer.write([Outgoing(topic, key, value, ((wire.HEADER, mark),) if mark else (), 0)])
    writer.close()


def bottomless(record: type[Any], **fields: Any) -> tuple[bytes, bytes, bytes]:
    """A schema of this record that contains itself: its fingerprint, its text, and a value as deep as it likes."""
    schema = wire.schema_of(record)
    schema["fields"] = [*schema["fields"], {"name": "x", "type": ["null", ITSELF], "default": None}]
    out = io.BytesIO()
    schemaless_writer(out, parse_schema(json.loads(json.dumps(schema)), {}), {**fields, "x": None})
    value = out.getvalue()[:-1] + b"\x02" * DEEP + b"\x00"
    return wire.fingerprint_of(schema).encode(), json.dumps(schema).encode(), value


def test_poison_on_the_topic_of_schemas_ends_nobody_and_hides_nothing(stage: Stage) -> None:
    topic = stage.topics("schemas")
    print_, text, _ = bottomless(ReleaseRoute, transaction_id="AP02:A1", reason="no reason")
    put(stage, topic, print_, text)
    for own in wire.current_schemas():
        put(stage, topic, own, b"[" * 100_000)
    put(stage, topic, next(iter(wire.current_schemas())), None)
    assert approved(stage)
    for name in SERVICES:
        stage.end(name)
        stage.begin(name, sys.executable)
    stage.wait_open(len(stage.installation.line))
    assert approved(stage)
    newest = {each.key: each.value for each in read_topics(stage.installation.kafka, [topic])[topic]}
    for own, schema in wire.current_schemas().items():
        assert newest[own] == schema


def test_a_record_as_deep_as_its_schema_likes_stops_its_service_in_words(stage: Stage) -> None:
    fields = {"transaction_id": "AP02:A1", "delivery_no": 1, "confirmed_ms": 1}
    print_, text, value = bottomless(ReplyDelivered, **fields)
    put(stage, stage.topics("schemas"), print_, text)
    put(stage, stage.topics("deliveries"), b"AP02:A1", value, print_)
    router = stage.services["router-0"]
    assert router.wait(60) == FAILED, "a status, and no signal"
    said = (stage.folder / "logs" / "router-0.log").read_text("utf-8")
    assert f"record {stage.topics('deliveries')}/0@" in said
    assert "was written with a schema unknown here" in said
