"""Asks the broker about consumer groups: who is a member, and which partitions each has."""

import time
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from ops.topology import Group, Member
from pipeline.log import LogError
from pipeline.reach import Troubles, made, sentence
from schemas.installation import Kafka

_ADMIN_S, _ONCE_S = 15.0, 1.0
# A broker that was just started, or whose groups another one takes over, answers in a moment; and now and then the
# client never asks, where it looked for the group's broker too early.
_ASK_AGAIN = frozenset({
    KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError._TIMED_OUT, KafkaError._TRANSPORT, None,  # noqa: SLF001
})  # fmt: skip


class Cluster(NamedTuple):
    """The brokers, and the number of partitions of every topic."""

    brokers: tuple[str, ...]
    partitions: Mapping[str, int]


class Asker:
    """Asks one broker. Its methods raise `LogError`."""

    def __init__(self, kafka: Kafka) -> None:
        self._servers = kafka.bootstrap_servers
        settings: dict[str, Any] = {"bootstrap.servers": self._servers, "client.id": "denbun-topology", "log_level": 0}
        self._troubles = Troubles()
        settings |= {"error_cb": self._troubles.hear, **kafka.client}
        self._admin = made(lambda: AdminClient(settings))

    def cluster(self) -> Cluster:
        """Who answers, and what lies there."""
        try:
            found = self._admin.list_topics(timeout=_ADMIN_S)
        except KafkaException as error:
            self._admin.poll(0)  # what it has heard
            raise LogError(sentence(self._servers, self._troubles.newest() or error.args[0])) from error
        brokers = sorted(f"{each.host}:{each.port}" for each in found.brokers.values())
        return Cluster(tuple(brokers), {name: len(topic.partitions) for name, topic in found.topics.items()})

    def groups(self, named: Mapping[str, str]) -> dict[str, Group]:
        """Each of these groups; its members' partitions are those of the topic beside its name."""
        described = _described(self._admin, named)
        return {name: Group("dead") if each is None else _group(each, named[name]) for name, each in described.items()}


def _group(described: Any, topic: str) -> Group:
    members = [
        Member(
            each.client_id,
            each.host.removeprefix("/"),
            tuple(sorted(place.partition for place in each.assignment.topic_partitions if place.topic == topic)),
        )
        for each in described.members
    ]
    return Group(described.state.name.lower(), tuple(sorted(members, key=lambda member: member.name)))


def _code(error: KafkaException | TimeoutError) -> int | None:
    return int(error.args[0].code()) if isinstance(error, KafkaException) else None


def _described(admin: AdminClient, groups: Collection[str]) -> dict[str, Any]:
    """What the broker says of each of these groups; None of one that nobody ever joined. Raises `LogError`."""
    until = time.monotonic() + _ADMIN_S
    found: dict[str, Any] = {}
    while left := [name for name in groups if name not in found]:
        for name, future in admin.describe_consumer_groups(left, request_timeout=_ONCE_S).items():
            try:
                found[name] = future.result(2 * _ONCE_S)
            except (KafkaException, TimeoutError) as error:
                if _code(error) == KafkaError.GROUP_ID_NOT_FOUND:
                    found[name] = None
                elif _code(error) not in _ASK_AGAIN or time.monotonic() > until:
                    late = f"no answer within {2 * _ONCE_S:g} s"
                    reason = error.args[0].str() if isinstance(error, KafkaException) else late
                    raise LogError(f"the group {name} cannot be described: {reason}") from error
        if len(found) < len(groups):
            time.sleep(0.02)
    return found
