"""How every topic is configured, entry by entry, and what a service insists on before it starts.

A broker gives a topic its own default for whatever is not said at its creation, and somebody may have made the topic
beforehand. So all that decides whether a record is kept, where it may be lost, and by which clock it is stamped is said
here, compared with what is there (``denbun topics create``), and what the services rest on is compared by each of them
at its start. Pure.
"""

from collections.abc import Iterable, Mapping
from enum import Enum

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

_MESSAGE_BYTES_MAX = 1_048_588  # a batch of one record of 1 MiB (`schemas.wire.VALUE_BYTES_MAX`)
_GIB, _COMPACTED_SEGMENT_BYTES = 1_073_741_824, 104_857_600
FOR_EVER = -1  # of a retention

Config = Mapping[str, str]


class Insists(Enum):
    """How a service compares an entry with the wanted one; what is not here only `denbun topics create` compares."""

    EXACTLY = "exactly"
    AT_LEAST = "at least"


_ALWAYS = {
    "cleanup.policy": Insists.EXACTLY,
    "message.timestamp.type": Insists.EXACTLY,
    "unclean.leader.election.enable": Insists.EXACTLY,
    "min.insync.replicas": Insists.AT_LEAST,
    "max.message.bytes": Insists.AT_LEAST,
}
_COMPACTED = {"delete.retention.ms": Insists.AT_LEAST, "min.compaction.lag.ms": Insists.AT_LEAST}
_DELETED = {"retention.ms": Insists.AT_LEAST, "retention.bytes": Insists.AT_LEAST}


def config_of(keep_ms: int | None, replication: int) -> dict[str, str]:
    """The configuration of a topic that keeps records for `keep_ms`, or, None, the newest of every key for ever."""
    every = {
        # The broker's clock stamps the records, so that nothing rests on the clock of who wrote them.
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(_MESSAGE_BYTES_MAX),
        # What is acknowledged lies on most of the brokers that hold the topic, and none that lacks it ever leads.
        "min.insync.replicas": str(replication // 2 + 1),
        "unclean.leader.election.enable": "false",
        "compression.type": "producer",
        "retention.bytes": str(FOR_EVER),  # else a busy day would shorten what is looked back on
    }
    if keep_ms is None:
        return {
            **every,
            "cleanup.policy": "compact",
            "retention.ms": str(FOR_EVER),
            # Tombstones stay a day, so that a reader that was away sees that the state is gone.
            "delete.retention.ms": str(DAY_MS),
            # A stranger's state must not push the owner's out before the owner has looked (`pipeline.owned`).
            "min.compaction.lag.ms": str(HOUR_MS),
            "max.compaction.lag.ms": str(DAY_MS),  # what is to go, goes, however few records follow
            "min.cleanable.dirty.ratio": "0.5",
            "segment.ms": str(HOUR_MS),
            "segment.bytes": str(_COMPACTED_SEGMENT_BYTES),
        }
    return {
        **every,
        "cleanup.policy": "delete",
        "retention.ms": str(keep_ms),
        # A segment goes as a whole, when its newest record is old enough: so records stay up to so much longer.
        "segment.ms": str(DAY_MS if keep_ms <= 30 * DAY_MS else 7 * DAY_MS),
        "segment.bytes": str(_GIB),
    }


def unsafe(wanted: Config, found: Config) -> Iterable[tuple[str, str, str]]:
    """The entries on which no service may rest as they are: name, found, wanted."""
    compacted = wanted["cleanup.policy"] == "compact"
    for name, insists in (_ALWAYS | (_COMPACTED if compacted else _DELETED)).items():
        there = found.get(name, "nothing")
        if insists is Insists.EXACTLY and there != wanted[name]:
            yield name, there, wanted[name]
        elif insists is Insists.AT_LEAST and _amount(there) < _amount(wanted[name]):
            yield name, there, f"{wanted[name]} or more" if wanted[name] != str(FOR_EVER) else wanted[name]


def _amount(text: str) -> float:
    try:
        number = int(text)
    except ValueError:
        return -1.0
    return float("inf") if number == FOR_EVER else float(number)
