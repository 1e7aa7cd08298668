"""Asks the broker about consumer groups: who is a member, and which partitions each has."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from ops.topology import Group, Member
from pipeline import groups
from pipeline.kafka_files import refuse_unusable
from pipeline.log import LogError
from pipeline.reach import Troubles, made, sentence
from schemas.installation import Kafka

_ADMIN_S = 15.0


class Cluster(NamedTuple):
    """The brokers, and the number of partitions of every topic."""

    brokers: tuple[str, ...]
    partitions: Mapping[str, int]


class Asker:
    """Asks one broker. It, and its methods, raise `LogError`."""

    def __init__(self, kafka: Kafka) -> None:
        self._servers, self._client = kafka.bootstrap_servers, kafka.client
        settings: dict[str, Any] = {"bootstrap.servers": self._servers, "client.id": "denbun-topology", "log_level": 0}
        self._troubles = Troubles()
        settings |= {"error_cb": self._troubles.hear, **kafka.client}
        refuse_unusable(kafka.client)
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
        described = groups.describe(self._servers, self._client, named, _ADMIN_S)
        return {name: _group(each, named[name]) for name, each in described.items()}


def _group(described: groups.Description, topic: str) -> Group:
    members = [
        Member(each.name, each.host.removeprefix("/"), tuple(sorted(each.places.get(topic, ()))))
        for each in described.members
    ]
    return Group(described.state, tuple(sorted(members, key=lambda member: member.name)))
