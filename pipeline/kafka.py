"""The log on Apache Kafka, through confluent-kafka (librdkafka).

The settings differ from the client's defaults where those would cost money or time; the reason stands beside each.
"""

import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, partial
from typing import Any, TypeVar, cast

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicCollection,
)
from confluent_kafka import Message as KafkaMessage
from confluent_kafka import TopicPartition as KafkaPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._metadata import ClusterMetadata, TopicMetadata
from confluent_kafka.cimpl import NewTopic as KafkaNewTopic

from pipeline import groups
from pipeline.kafka_files import refuse_unusable
from pipeline.log import (
    Done,
    Headers,
    Listener,
    LogError,
    Message,
    NewTopic,
    Outgoing,
    Stored,
    TopicFound,
    TopicPartition,
    WriteFailed,
)
from pipeline.reach import (
    LASTING,
    TOPIC_REFUSALS,
    Troubles,
    brokers_of,
    made,
    not_reached,
    refusals,
    remedy_of,
    sentence,
    why_not,
)
from pipeline.topic_faults import Difference, differences, refuse

T = TypeVar("T")

_ADMIN_S, _ONCE_S, _REACH_S = 15.0, 1.0, 8.0  # how long is asked, again and again; for one answer; why none came
_PAUSE_S = 0.02
_POLL_S = 0.1
_GATHER_MS = 0.2  # long enough for what is sent in one go to leave in one request
_SERVE_S = 0.001  # how long an acknowledgement may lie here unheard; the broker takes about as long to give it
_FILL_MS = 20
_READ_S = 0.001  # how long a read gathers
_MANY, _READ_EACH_S, _READ_MOST_S = 16, 0.000_2, 0.006  # behind one of so many messages: for each; in all
_AGAIN_S = 10.0

_log = logging.getLogger(__name__)
CLIENT_LOG = logging.getLogger(f"{__name__}.client")
"""Where the client library's own lines go. A command tells its errors itself, and leaves these out."""


class _Calm(logging.Filter):
    """Lets the same trouble through every ten seconds: a client tries to connect some thirty times in each."""

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        what = re.sub(r"\d+", "", record.getMessage())  # without counts, times and numbers of connections
        now = time.monotonic()
        if now - self._told.get(what, -_AGAIN_S) < _AGAIN_S:
            return False
        self._told[what] = now
        return True


for _each in (_log, CLIENT_LOG):
    _each.addFilter(_Calm())


def _common(servers: str, name: str, extra: Mapping[str, str], troubles: Troubles) -> dict[str, Any]:
    refuse_unusable(extra)
    return {
        "bootstrap.servers": servers,
        "client.id": name,
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 500,  # by default up to 10 s pass before a returned broker is noticed
        "socket.nagle.disable": True,
        "allow.auto.create.topics": False,
        "log_level": 3,
        "logger": CLIENT_LOG,  # else the client writes its own lines, which no collector reads, to stderr
        "error_cb": troubles.hear,
        **extra,
    }


class KafkaLog:
    """`pipeline.log.Log` on Kafka. `extra` is added to every client's settings (security, mostly)."""

    def __init__(
        self,
        servers: str,
        *,
        session_timeout_ms: int = 6_000,  # what a broker accepts on which nobody has set a minimum
        write_timeout_ms: int = 30_000,
        replication: int = 1,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        self._servers = servers
        self._session_timeout_ms = session_timeout_ms
        self._write_timeout_ms = write_timeout_ms
        self._replication = replication
        self._extra = dict(extra or {})
        self._troubles = Troubles()

    def reach(self) -> None:
        """Raise `LogError` where no broker answers, or none of those that it names to its clients is reached."""
        named = brokers_of(self._cluster())
        told = not_reached(self._servers, named)
        if told and len(told) == len(named):
            raise LogError(told[0])
        for each in told:
            _log.warning(each)

    def trouble(self) -> str | None:
        """Why the broker is of no use now, or None. Asks it, where a client has told of trouble lately."""
        told = self._troubles.newest()
        if told is None:
            return None
        try:
            self._admin.list_topics(timeout=_ONCE_S)
        except KafkaException as error:
            return sentence(self._servers, self._troubles.newest() or error.args[0])
        lasting = self._troubles.newest(_AGAIN_S)
        if lasting is not None and lasting.code() in LASTING:  # with one of its brokers; the others may be reached
            return sentence(self._servers, lasting)
        self._troubles.forget()
        return None

    def _producer(self, name: str, linger_ms: float) -> Producer:
        settings = {
            **_common(self._servers, name, self._extra, self._troubles),
            "enable.idempotence": True,  # implies acks=all and order within a partition
            "linger.ms": linger_ms,
            "partitioner": "murmur2_random",  # as the Java clients: the same key in the same partition for all
            "message.timeout.ms": self._write_timeout_ms,
            "queue.buffering.max.messages": 200_000,
        }
        return made(lambda: Producer(settings))

    def _consumer(self, name: str, settings: Mapping[str, Any]) -> Consumer:
        every = {
            **_common(self._servers, name, self._extra, self._troubles),
            "isolation.level": "read_uncommitted",  # nobody writes transactions; read_committed could only stall
            "fetch.error.backoff.ms": 50,
            "fetch.wait.max.ms": 100,
            "queued.max.messages.kbytes": 16_384,  # bounds the memory behind a slow reader
            **settings,
        }
        return made(lambda: Consumer(every))

    def writer(self, name: str) -> "KafkaWriter":
        return KafkaWriter(self._producer(name, _FILL_MS))

    def sender(self, name: str) -> "KafkaSender":
        return KafkaSender(self._producer(name, _GATHER_MS))  # 5 by default, on every hop of a payment

    def reader(self, name: str, starts: Mapping[TopicPartition, int]) -> "KafkaReader":
        consumer = self._consumer(
            name, {"group.id": "none", "enable.auto.commit": False, "auto.offset.reset": "earliest"}
        )
        consumer.assign([KafkaPartition(*place, offset) for place, offset in starts.items()])
        return KafkaReader(consumer)

    def group_reader(
        self, member: str, group: str, topics: Sequence[str], assigned: Listener, revoked: Listener
    ) -> "KafkaGroupReader":
        consumer = self._consumer(
            member,
            {
                "group.id": group,
                "partition.assignment.strategy": "range",
                "session.timeout.ms": self._session_timeout_ms,
                "heartbeat.interval.ms": max(100, self._session_timeout_ms // 6),
                "enable.auto.commit": True,  # in the background, only what `done` has stored
                "enable.auto.offset.store": False,
                "auto.commit.interval.ms": 500,
                "auto.offset.reset": "earliest",  # `latest` would skip what was written before the first commit
            },
        )
        refused = refusals(group, self._session_timeout_ms)
        return KafkaGroupReader(consumer, topics, assigned, revoked, refused)

    def create(self, topics: Iterable[NewTopic]) -> list[str]:
        wanted = {topic.name: topic for topic in topics}
        there = self._metadata()
        refuse(self._differences(wanted.values()))
        missing = [wanted[name] for name in wanted if name not in there]
        if not missing:
            return []
        futures = self._admin.create_topics(
            [
                KafkaNewTopic(topic.name, topic.partitions, self._replication, config=dict(topic.config))
                for topic in missing
            ],
            operation_timeout=_ADMIN_S,
        )
        created = []
        for name, future in futures.items():
            try:
                future.result(_ADMIN_S)
                created.append(name)
            except (KafkaException, TimeoutError) as error:
                if _code(error) != KafkaError.TOPIC_ALREADY_EXISTS:  # another process was first
                    raise self._unanswered(f"topic {name} cannot be created", error) from error
        self._wait_for(wanted)
        return created

    def found(self, topics: Iterable[str]) -> dict[str, TopicFound]:
        names = set(topics)
        there = {name: topic for name, topic in self._topics().items() if name in names}
        self._refuse_hidden(sorted(names - there.keys()))
        asked = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in sorted(there)]
        configs: dict[str, Mapping[str, str]] = {}
        for resource, future in (self._admin.describe_configs(asked) if asked else {}).items():
            try:
                configs[resource.name] = {name: str(entry.value) for name, entry in future.result(_ADMIN_S).items()}
            except (KafkaException, TimeoutError) as error:
                raise self._unanswered(f"the configuration of topic {resource.name} cannot be read", error) from error
        return {
            name: TopicFound(
                len(topic.partitions), min(len(each.replicas) for each in topic.partitions.values()), configs[name]
            )
            for name, topic in there.items()
        }

    def _refuse_hidden(self, names: Sequence[str]) -> None:
        """Of topics that the broker does not list, raise `LogError` for one that it only does not let us see."""
        if not names:
            return
        # Not by `list_topics`: of a topic that is not there, that may make one on a broker that makes topics by itself.
        for name, future in self._admin.describe_topics(TopicCollection(list(names))).items():
            try:
                future.result(_ADMIN_S)
            except (KafkaException, TimeoutError) as error:
                if _code(error) == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                    raise self._unanswered(f"topic {name} is not ours to see", error) from error

    def mend(self, topics: Iterable[NewTopic]) -> list[Difference]:
        """Set every entry of topics that exist to what is wanted; give what was set. Raises `LogError`.

        What no setting changes is left, and is told by `create`.
        """
        wanted = list(topics)
        unlike = [each for each in self._differences(wanted) if each.mendable]
        entries: dict[str, list[ConfigEntry]] = {}
        for each in unlike:
            entry = ConfigEntry(each.entry, each.wanted, incremental_operation=AlterConfigOpType.SET)
            entries.setdefault(each.topic, []).append(entry)
        asked = [
            ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=some)
            for name, some in sorted(entries.items())
        ]
        for resource, future in (self._admin.incremental_alter_configs(asked) if asked else {}).items():
            try:
                future.result(_ADMIN_S)
            except (KafkaException, TimeoutError) as error:
                raise self._unanswered(f"topic {resource.name} cannot be altered", error) from error
        until = time.monotonic() + _ADMIN_S
        while left := [each for each in self._differences(wanted) if each.mendable]:
            if time.monotonic() > until:
                raise LogError(
                    f"{left[0]}: it was altered and is not so: somebody else, or a policy of the broker, sets it"
                )
            time.sleep(0.02)
        return unlike

    def _differences(self, wanted: Iterable[NewTopic]) -> list[Difference]:
        topics = list(wanted)
        return differences(topics, self.found(topic.name for topic in topics), self._replication)

    @cached_property
    def _admin(self) -> AdminClient:
        return made(lambda: AdminClient(_common(self._servers, "admin", self._extra, self._troubles)))

    def _metadata(self) -> dict[str, int]:
        return {name: len(topic.partitions) for name, topic in self._topics().items()}

    def _topics(self) -> dict[str, TopicMetadata]:
        return {name: topic for name, topic in self._cluster().topics.items() if topic.error is None}

    def _cluster(self) -> ClusterMetadata:
        try:
            return self._admin.list_topics(timeout=_ADMIN_S)
        except KafkaException as error:
            raise self._no_broker(error) from error

    def _no_broker(self, error: KafkaException) -> LogError:
        """Why no broker is reached."""
        self._admin.poll(0)  # what it has heard
        return LogError(sentence(self._servers, self._troubles.newest() or error.args[0]))

    def _unanswered(self, what: str, error: KafkaException | TimeoutError) -> LogError:
        """Why the broker did not do what it was asked to, of which `what` tells."""
        if _code(error) in _SILENT:
            self._admin.poll(0)
            told = why_not(self._servers, self._extra, _REACH_S)
            if told is not None:
                return LogError(f"{what}: {told}")
        return LogError(f"{what}: {_reason(error)}{remedy_of(_code(error))}")

    def _wait_for(self, wanted: Mapping[str, NewTopic]) -> None:
        until = time.monotonic() + _ADMIN_S
        while missing := wanted.keys() - self._metadata().keys():
            if time.monotonic() > until:
                raise LogError(f"topic {min(missing)} was created but does not appear: see the broker's log")
            time.sleep(0.02)

    def partition_count(self, topic: str) -> int:
        count = self._metadata().get(topic)
        if count is None:
            raise LogError(f"there is no topic {topic}: create the topics first (`denbun topics create`)")
        return count

    def span(self, place: TopicPartition) -> tuple[int, int]:
        def ask(consumer: Consumer) -> tuple[int, int]:
            low, high = consumer.get_watermark_offsets(KafkaPartition(*place), timeout=_ONCE_S)
            return int(low), int(high)

        return self._ask(ask, place)

    def offset_at(self, place: TopicPartition, timestamp_ms: int) -> int:
        def ask(consumer: Consumer) -> int:
            (found,) = consumer.offsets_for_times([KafkaPartition(*place, timestamp_ms)], timeout=_ONCE_S)
            return int(found.offset)

        offset = self._ask(ask, place)
        return offset if offset >= 0 else self.span(place)[1]

    def members(self, group: str, limit_s: float = 15.0) -> list[str]:
        return groups.members(self._servers, self._extra, group, limit_s)

    def committed(self, group: str, place: TopicPartition) -> int | None:
        def ask(consumer: Consumer) -> int:
            (found,) = consumer.committed([KafkaPartition(*place)], timeout=_ONCE_S)
            if found.error is not None:
                raise KafkaException(found.error)
            return int(found.offset)

        offset = self._ask(ask, place, group)
        return offset if offset >= 0 else None

    def _ask(self, ask: Callable[[Consumer], T], place: TopicPartition, group: str = "none") -> T:
        """Ask a consumer of its own, which joins nothing; again, while the broker is away for a moment."""
        consumer = self._consumer("asker", {"group.id": group, "enable.auto.commit": False})
        until = time.monotonic() + _ADMIN_S
        try:
            while True:
                try:
                    return ask(consumer)
                except KafkaException as error:
                    # A topic that was just created, or whose leader moves, answers in a moment; so does a broker that
                    # is being started.
                    if _code(error) not in _PASSING | _SILENT or time.monotonic() > until:
                        raise self._unanswered(f"{place.topic}/{place.partition} cannot be asked", error) from error
                    time.sleep(_PAUSE_S)
        finally:
            consumer.close()


# A topic that was just created, or whose leader moves, answers in a moment; so does a broker that was just started, or
# whose groups another one takes over.
_PASSING = frozenset({
    KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.OFFSET_NOT_AVAILABLE, KafkaError.FENCED_LEADER_EPOCH, KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE,
})  # fmt: skip
_SILENT = frozenset({
    KafkaError._ALL_BROKERS_DOWN, KafkaError._TRANSPORT, KafkaError._RESOLVE, KafkaError._TIMED_OUT,  # noqa: SLF001
    KafkaError._WAIT_COORD, None,  # noqa: SLF001
})  # fmt: skip


def _code(error: KafkaException | TimeoutError) -> int | None:
    return int(error.args[0].code()) if isinstance(error, KafkaException) else None


def _reason(error: KafkaException | TimeoutError) -> str:
    return str(error.args[0].str()) if isinstance(error, KafkaException) else f"no answer within {_ADMIN_S:g} s"


class KafkaWriter:
    """`pipeline.log.Writer`: produces a batch, then serves the acknowledgements itself until all are there.

    Without lingering the client would send the first messages by themselves while the batch is still being handed over:
    some nine requests more for a batch over six partitions, which the broker answers one after the other. So it lingers
    longer than that takes, and `flush` ends the lingering.
    """

    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    def write(self, batch: Sequence[Outgoing]) -> list[int]:
        offsets = [-1] * len(batch)
        errors: list[str] = []
        left = len(batch)

        def acknowledged(index: int, error: KafkaError | None, message: KafkaMessage) -> None:
            nonlocal left
            left -= 1
            if error is None:
                offsets[index] = message.offset() or 0
            else:
                errors.append(f"{error.str()}{remedy_of(error.code(), writing=True)}")

        for index, item in enumerate(batch):
            _produce(self._producer, item, partial(acknowledged, index))
        while left:
            self._producer.flush(_POLL_S)
        if errors:
            topics = ", ".join(sorted({item.topic for item in batch}))
            raise WriteFailed(f"{topics}: {len(errors)} of {len(batch)} messages were not acknowledged: {errors[0]}")
        return offsets

    def close(self) -> None:
        self._producer.flush(0)


class KafkaSender:
    """`pipeline.log.Sender`.

    No thread waits for the acknowledgements: it would ask for the interpreter's lock once for each, and the thread that
    decides and sends would have to yield it.
    """

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._refused: list[tuple[Done, WriteFailed]] = []

    def send(self, message: Outgoing, done: Done) -> None:
        def acknowledged(error: KafkaError | None, stored: KafkaMessage) -> None:
            if error is None:
                done(Stored(stored.offset() or 0, stored.timestamp()[1]), None)
            else:
                told = f"{error.str()}{remedy_of(error.code(), writing=True)}"
                done(None, WriteFailed(f"{message.topic}: not acknowledged: {told}"))

        try:
            _produce(self._producer, message, acknowledged)
        except WriteFailed as error:
            self._refused.append((done, error))

    def serve(self) -> float | None:
        while self._refused:
            done, error = self._refused.pop(0)
            done(None, error)
        self._producer.poll(0)
        return _SERVE_S if len(self._producer) or self._refused else None

    def close(self) -> None:
        while self.serve() is not None:
            self._producer.flush(_POLL_S)


def _produce(producer: Producer, item: Outgoing, done: Callable[[KafkaError | None, KafkaMessage], None]) -> None:
    try:
        if item.partition is None:
            producer.produce(item.topic, item.value, item.key, headers=list(item.headers), on_delivery=done)
        else:
            producer.produce(
                item.topic, item.value, item.key, item.partition, headers=list(item.headers), on_delivery=done
            )
    except (KafkaException, BufferError) as error:
        raise WriteFailed(f"{item.topic}: not accepted for sending: {error}") from error


class KafkaReader:
    """`pipeline.log.Reader`. `refused`: the remedy for each code by which the broker goes on to refuse the reading."""

    def __init__(self, consumer: Consumer, refused: Mapping[int, str] = TOPIC_REFUSALS) -> None:
        self._consumer = consumer
        self._refused = refused
        self._gather_s = _READ_S

    def poll(self, count: int, timeout_s: float) -> list[Message]:
        # Measured (design.md): a short consume, and only when it is empty a poll, is faster than a long consume,
        # which waits for its count. Where there is much, it is worth a longer one: fewer and larger batches follow.
        try:
            found = self._consumer.consume(count, self._gather_s)
            self._gather_s = min(len(found) * _READ_EACH_S, _READ_MOST_S) if len(found) >= _MANY else _READ_S
            if not found and timeout_s > 0:
                one = self._consumer.poll(timeout_s)
                found = [] if one is None else [one, *self._consumer.consume(count - 1, 0)]
        except KafkaException as error:
            raise LogError(f"reading failed: {error.args[0].str()}") from error
        return [message for each in found if (message := _message(each, self._refused)) is not None]

    def close(self) -> None:
        self._consumer.close()


class KafkaGroupReader(KafkaReader):
    """`pipeline.log.GroupReader`."""

    def __init__(
        self, consumer: Consumer, topics: Sequence[str], assigned: Listener, revoked: Listener,
        refused: Mapping[int, str],
    ) -> None:  # fmt: skip
        super().__init__(consumer, refused)

        def on_assign(_: Consumer, partitions: list[KafkaPartition]) -> None:
            assigned([TopicPartition(each.topic, each.partition) for each in partitions])

        def on_revoke(_: Consumer, partitions: list[KafkaPartition]) -> None:
            revoked([TopicPartition(each.topic, each.partition) for each in partitions])
            self._commit()  # with what was done while it was being given up

        def on_lost(_: Consumer, partitions: list[KafkaPartition]) -> None:
            revoked([TopicPartition(each.topic, each.partition) for each in partitions])

        consumer.subscribe(list(topics), on_assign=on_assign, on_revoke=on_revoke, on_lost=on_lost)

    def done(self, positions: Mapping[TopicPartition, int]) -> None:
        try:
            self._consumer.store_offsets(
                offsets=[KafkaPartition(*place, offset) for place, offset in positions.items()]
            )
        except KafkaException as error:
            if error.args[0].code() != KafkaError._STATE:  # noqa: SLF001  the partition is no longer ours
                raise LogError(f"offsets cannot be stored: {error.args[0].str()}") from error

    def _commit(self) -> None:
        # There may be nothing new to commit. Whatever else goes wrong, the next owner reads some messages again.
        with suppress(KafkaException):
            self._consumer.commit(asynchronous=False)


def _message(raw: KafkaMessage, refused: Mapping[int, str]) -> Message | None:
    error = raw.error()
    if error is not None:
        if (remedy := refused.get(error.code())) is not None:
            raise LogError(f"the broker refuses{f' {raw.topic()}' if raw.topic() else ''} ({error.str()}): {remedy}")
        _log.warning(error.str())
        return None  # librdkafka tells of trouble it goes on to retry by itself
    topic, partition, offset = raw.topic(), raw.partition(), raw.offset()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    headers = cast("Headers", tuple(raw.headers() or ()))  # always pairs, and bytes: what was written here
    return Message(topic, partition, offset, raw.key(), raw.value(), headers, raw.timestamp()[1])
