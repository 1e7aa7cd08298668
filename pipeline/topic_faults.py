"""Topics that exist, held against what is wanted of them: every difference, with its place and what can be done."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pipeline.log import LogError, NewTopic, TopicFound

PARTITIONS, REPLICATION = "partitions", "replication"
# What no setting changes, and why it is not changed here.
_FIXED = {
    PARTITIONS: (
        "a change of partitions would part transactions from their state: set kafka.partitions (of replies: "
        "ingress.slots) back; if somebody altered the topic, call support, for under another topic prefix what is open "
        "would be forgotten"
    ),
    REPLICATION: "correct kafka.replication, or give the topic so many copies (kafka-reassign-partitions)",
}


class Difference(NamedTuple):
    """One entry of one topic that is not as wanted."""

    topic: str
    entry: str
    found: str
    wanted: str

    @property
    def mendable(self) -> bool:
        """Whether a setting changes it."""
        return self.entry not in _FIXED

    def __str__(self) -> str:
        told = f"topic {self.topic}: {self.entry}: found {self.found}, wanted {self.wanted}"
        return told if self.mendable else f"{told}: {_FIXED[self.entry]}"


def differences(wanted: Iterable[NewTopic], found: Mapping[str, TopicFound], replication: int) -> list[Difference]:
    """What differs, of the topics that are there; an entry that is not wanted may be anything."""
    unlike: list[Difference] = []
    for topic in wanted:
        there = found.get(topic.name)
        if there is None:
            continue
        pairs = [
            (PARTITIONS, str(there.partitions), str(topic.partitions)),
            (REPLICATION, str(there.replication), str(replication)),
            *((name, there.config.get(name, "nothing"), value) for name, value in topic.config.items()),
        ]
        unlike += [Difference(topic.name, entry, has, value) for entry, has, value in pairs if has != value]
    return unlike


def refuse(unlike: Iterable[Difference]) -> None:
    """Raise `LogError` that tells all of them, if there are any."""
    all_of_them = list(unlike)
    if not all_of_them:
        return
    told = [*map(str, all_of_them), "no topic was created"]
    if any(each.mendable for each in all_of_them):
        told[-1] += ": `denbun topics create --alter` sets what a setting can change"
    raise LogError("\n".join(told))
