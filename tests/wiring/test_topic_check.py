"""A service looks at its topics before it reads or writes: what its safety rests on must be so."""

from typing import Any

import pytest

from ops.installations import DEVELOPMENT
from pipeline.config import load
from pipeline.log import LogError, NewTopic
from pipeline.memory import MemoryLog
from schemas.installation import Installation
from wiring import wanted_topics
from wiring.topic_check import refuse_unsafe

SERVICES = ("ingress", "router", "egress", "faults")
INSTALLATION = load(Installation, DEVELOPMENT, {})
BEHIND = "nothing was read or written: mend the topics first (`denbun topics create --alter`)"
FIXED = (
    "a change of partitions would part transactions from their state: set kafka.partitions (of replies: ingress.slots) "
    "back; if somebody altered the topic, call support, for under another topic prefix what is open would be forgotten"
)


def log_with(changed: dict[str, dict[str, Any]], without: tuple[str, ...] = ()) -> MemoryLog:
    """All topics as wanted, but for these."""
    log = MemoryLog()
    for each in wanted_topics(INSTALLATION):
        if each.name not in without:
            more = dict(changed.get(each.name, {}))
            partitions = int(more.pop("partitions", each.partitions))
            log.create([NewTopic(each.name, partitions, {**each.config, **more})])
    return log


def refused(log: MemoryLog, service: str, replication: int = 1) -> list[str]:
    kafka = INSTALLATION.kafka.model_copy(update={"replication": replication})
    try:
        refuse_unsafe(log, service, INSTALLATION.model_copy(update={"kafka": kafka}))
    except LogError as error:
        return str(error).splitlines()
    return []


@pytest.mark.parametrize("service", SERVICES)
def test_topics_as_wanted_are_safe(service: str) -> None:
    assert refused(log_with({}), service) == []


HARM: list[tuple[str, str, dict[str, Any], str]] = [
    ("router", "transactions", {"cleanup.policy": "delete"}, "cleanup.policy: found delete, wanted compact"),
    ("faults", "cancels", {"cleanup.policy": "compact,delete"}, "cleanup.policy: found compact,delete, wanted compact"),
    ("faults", "attention", {"cleanup.policy": "delete"}, "cleanup.policy: found delete, wanted compact"),
    ("egress", "holds", {"cleanup.policy": "delete"}, "cleanup.policy: found delete, wanted compact"),
    ("egress", "line-orders", {"cleanup.policy": "delete"}, "cleanup.policy: found delete, wanted compact"),
    ("router", "lines", {"cleanup.policy": "delete"}, "cleanup.policy: found delete, wanted compact"),
    ("ingress", "schemas", {"cleanup.policy": "delete"}, "cleanup.policy: found delete, wanted compact"),
    ("router", "requests", {"cleanup.policy": "compact"}, "cleanup.policy: found compact, wanted delete"),
    ("egress", "sent.cafis-1", {"retention.ms": "3600000"}, "retention.ms: found 3600000, wanted 604800000 or more"),
    ("egress", "dispatch.cafis-1", {"retention.bytes": "1000"}, "retention.bytes: found 1000, wanted -1"),
    (
        "egress", "sent.cafis-1", {"message.timestamp.type": "CreateTime"},
        "message.timestamp.type: found CreateTime, wanted LogAppendTime",
    ),
    ("router", "reports", {"min.insync.replicas": "0"}, "min.insync.replicas: found 0, wanted 1 or more"),
    (
        "router", "reports", {"min.insync.replicas": "2"},
        "min.insync.replicas: found 2, wanted 1 or less, for there are no more copies to write to",
    ),
    (
        "ingress", "replies", {"unclean.leader.election.enable": "true"},
        "unclean.leader.election.enable: found true, wanted false",
    ),
    (
        "faults", "timeouts", {"partitions": 3},
        f"partitions: found 3, wanted 6: {FIXED}",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("service", "topic", "changed", "told"), HARM)
def test_a_topic_that_nothing_may_rest_on_is_refused(
    service: str, topic: str, changed: dict[str, Any], told: str
) -> None:
    assert refused(log_with({topic: changed}), service) == [f"topic {topic}: {told}", BEHIND]


def test_a_topic_of_others_is_their_business() -> None:
    assert refused(log_with({"cancels": {"cleanup.policy": "delete"}}), "ingress") == []


def test_everything_is_told_at_once() -> None:
    changed = {"transactions": {"cleanup.policy": "delete"}, "requests": {"retention.ms": "1", "retention.bytes": "1"}}
    assert refused(log_with(changed), "router") == [
        "topic requests: retention.ms: found 1, wanted 604800000 or more",
        "topic requests: retention.bytes: found 1, wanted -1",
        "topic transactions: cleanup.policy: found delete, wanted compact",
        BEHIND,
    ]


def test_fewer_copies_than_configured_are_refused() -> None:
    told = refused(log_with({}), "ingress", replication=3)
    (copies,) = {line.partition(": ")[2] for line in told if "replication" in line}
    assert copies.startswith("replication: found 1, wanted 3 or more: correct kafka.replication")
    assert "topic requests: min.insync.replicas: found 1, wanted 2 or more" in told


def test_topics_that_are_missing_are_all_named() -> None:
    assert refused(log_with({}, ("reports", "dispatch.cafis-1")), "router") == [
        "there is no topic dispatch.cafis-1, reports: create the topics first (`denbun topics create`)"
    ]
