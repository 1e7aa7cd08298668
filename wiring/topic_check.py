"""What a service's safety rests on in its topics, looked at before it reads or writes anything."""

from collections.abc import Iterable

from pipeline.log import Log, LogError, TopicFound
from pipeline.topic_faults import PARTITIONS, REPLICATION, Difference
from schemas.installation import Installation
from schemas.topic_config import unsafe
from schemas.topics import Creation, Topics


def refuse_unsafe(log: Log, service: str, installation: Installation) -> None:
    """Raise `LogError` that tells every topic of this service that is missing, or not safe to rest on."""
    kafka, lines = installation.kafka, [line.name for line in installation.line]
    wanted = Topics(kafka.topic_prefix).used_by(
        service, lines, kafka.partitions, installation.ingress.slots, kafka.replication
    )
    found = log.found(each.name for each in wanted)
    missing = [each.name for each in wanted if each.name not in found]
    if missing:
        told = ", ".join(missing)
        raise LogError(f"there is no topic {told}: create the topics first (`denbun topics create`)")
    unlike = [each for topic in wanted for each in _faults(topic, found[topic.name], kafka.replication)]
    if unlike:
        remedy = "nothing was read or written: mend the topics first (`denbun topics create --alter`)"
        raise LogError("\n".join([*map(str, unlike), remedy]))


def _faults(wanted: Creation, found: TopicFound, replication: int) -> Iterable[Difference]:
    if found.partitions != wanted.partitions:
        yield Difference(wanted.name, PARTITIONS, str(found.partitions), str(wanted.partitions))
    if found.replication < replication:
        yield Difference(wanted.name, REPLICATION, str(found.replication), f"{replication} or more")
    for entry, there, what in unsafe(wanted.config, found.config):
        yield Difference(wanted.name, entry, there, what)
    enough = found.config.get("min.insync.replicas", "")
    if enough.isdecimal() and int(enough) > found.replication:
        told = f"{found.replication} or less, for there are no more copies to write to"
        yield Difference(wanted.name, "min.insync.replicas", enough, told)
