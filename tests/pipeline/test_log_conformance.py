"""The contract of `pipeline.log`, kept by the log in memory and by Kafka alike."""

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Producer
from log_rig import GO, Broker, poll_until, values

from pipeline import kafka
from pipeline.kafka import KafkaLog
from pipeline.log import Log, LogError, Message, NewTopic, Outgoing, Stored, TopicPartition, WriteFailed
from pipeline.memory import MemoryLog
from pipeline.murmur import partition_of

# --- writing --------------------------------------------------------------------------------------------------------

PART = (
    "a change of partitions would part transactions from their state: set kafka.partitions (of replies: ingress.slots) "
    "back; if somebody altered the topic, call support, for under another topic prefix what is open would be forgotten"
)


def test_what_one_writer_writes_gets_one_offset_after_the_other(broker: Broker) -> None:
    topic = broker.topic("t")
    writer = broker.log.writer("w")
    batches = [writer.write([Outgoing(topic, b"k", b"%d" % each) for each in range(size)]) for size in (3, 1, 500)]
    writer.close()
    assert [offset for batch in batches for offset in batch] == list(range(504))
    assert values(broker.everything("t"))[:5] == [b"0", b"1", b"2", b"0", b"0"]


def test_a_writer_sees_by_the_gap_that_somebody_else_wrote(broker: Broker) -> None:
    topic = broker.topic("t")
    one, other = broker.log.writer("one"), broker.log.writer("other")
    message = Outgoing(topic, b"k", b"v")
    assert one.write([message, message]) == [0, 1]
    assert other.write([message]) == [2]
    assert one.write([message]) == [3]
    one.close()
    other.close()


def test_an_empty_batch_is_written_at_once(broker: Broker) -> None:
    writer = broker.log.writer("w")
    assert writer.write([]) == []
    writer.close()


def test_offsets_are_those_of_each_messages_own_partition(broker: Broker) -> None:
    topic = broker.topic("t", 2)
    writer = broker.log.writer("w")
    assert writer.write([Outgoing(topic, b"k", b"v", (), number) for number in (1, 0, 1, 1, 0)]) == [0, 0, 1, 2, 1]
    writer.close()


def test_the_key_decides_the_partition_as_murmur2_says(broker: Broker) -> None:
    topic = broker.topic("t", 7)
    keys = [b"AP02:%d" % number for number in range(300)] + [b"", b"\x00\xff", "処理".encode()]
    writer = broker.log.writer("w")
    writer.write([Outgoing(topic, key, b"v") for key in keys])
    writer.close()
    found = {each.key: number for number in range(7) for each in broker.everything("t", number)}
    assert found == {key: partition_of(key, 7) for key in keys}
    assert set(found.values()) == set(range(7))


def test_a_message_comes_back_as_it_was_written(broker: Broker) -> None:
    topic = broker.topic("t", 2)
    before = time.time_ns() // 1_000_000
    headers = (("schema", b"0123456789abcdef"), ("epoch", b"7"), ("epoch", b""))
    writer = broker.log.writer("w")
    writer.write([Outgoing(topic, b"\x00key", b"\xffvalue", headers, 1)])
    writer.write([Outgoing(topic, None, b"", (), 1)])
    writer.close()
    full, bare = broker.everything("t", 1)
    assert (full.topic, full.partition, full.offset) == (topic, 1, 0)
    assert (full.key, full.value, full.headers) == (b"\x00key", b"\xffvalue", headers)
    assert before <= full.timestamp_ms <= time.time_ns() // 1_000_000
    assert (bare.key, bare.value, bare.headers) == (None, b"", ())


def test_a_tombstone_is_no_value_and_not_an_empty_one(broker: Broker) -> None:
    topic = broker.topic("t")
    writer = broker.log.writer("w")
    writer.write([Outgoing(topic, b"k", b"v"), Outgoing(topic, b"k", None), Outgoing(topic, b"k", b"")])
    writer.close()
    assert values(broker.everything("t")) == [b"v", None, b""]


def test_a_sender_tells_every_acknowledgement_in_order(broker: Broker) -> None:
    topic = broker.topic("t", 2)
    told: dict[int, list[int | None]] = {0: [], 1: []}
    errors: list[Exception | None] = []
    sender = broker.log.sender("s")
    for number in range(400):

        def done(stored: Stored | None, error: Exception | None, partition: int = number % 2) -> None:
            told[partition].append(None if stored is None else stored.offset)
            errors.append(error)

        sender.send(Outgoing(topic, b"k", b"%d" % number, (), number % 2), done)
    sender.close()  # waits for what is under way
    assert told == {0: list(range(200)), 1: list(range(200))}
    assert set(errors) == {None}
    assert values(broker.everything("t", 1)) == [b"%d" % number for number in range(1, 400, 2)]


# --- writing fails --------------------------------------------------------------------------------------------------


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody can listen on: it is bound, and not listened on, by this test."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def failing_logs(closed_port: int) -> dict[str, Log]:
    broken = MemoryLog()
    broken.create([NewTopic("t", 1, {})])
    broken.break_writes(True)
    return {"memory": broken, "kafka": KafkaLog(f"127.0.0.1:{closed_port}", write_timeout_ms=300)}


@pytest.mark.parametrize("kind", ["memory", "kafka"])
def test_a_write_without_a_broker_fails(kind: str, closed_port: int) -> None:
    writer = failing_logs(closed_port)[kind].writer("w")
    with pytest.raises(WriteFailed, match=r"not acknowledged: "):
        writer.write([Outgoing("t", b"k", b"secret"), Outgoing("t", b"k", b"secret")])
    writer.close()


@pytest.mark.parametrize("kind", ["memory", "kafka"])
def test_a_sender_without_a_broker_tells_the_failure_and_raises_nothing(kind: str, closed_port: int) -> None:
    told: list[tuple[int | None, Exception | None]] = []
    sender = failing_logs(closed_port)[kind].sender("s")
    sender.send(Outgoing("t", b"k", b"v", (), 0), lambda offset, error: told.append((offset, error)))
    sender.close()
    ((offset, error),) = told
    assert offset is None
    assert isinstance(error, WriteFailed)
    assert str(error).startswith("t: not acknowledged: ")


def test_an_unknown_topic_or_partition_is_a_failed_write(broker: Broker) -> None:
    topic = broker.topic("t")
    # By default Kafka's client waits half a minute for a topic that may have been created a moment ago.
    log = KafkaLog(broker.log._servers, write_timeout_ms=1_000) if isinstance(broker.log, KafkaLog) else broker.log
    for message in (Outgoing(broker.prefix + "nowhere", b"k", b"v"), Outgoing(topic, b"k", b"v", (), 1)):
        writer = log.writer("w")
        with pytest.raises(WriteFailed, match=r"not acknowledged|not accepted"):
            writer.write([message])
        writer.close()
    told: list[Exception | None] = []
    sender = log.sender("s")
    sender.send(Outgoing(topic, b"k", b"v", (), 5), lambda _, error: told.append(error))
    sender.close()
    assert [type(each) for each in told] == [WriteFailed]
    assert broker.everything("t") == []


def test_a_message_without_a_key_needs_a_partition() -> None:
    log = MemoryLog()
    log.create([NewTopic("t", 1, {})])
    with pytest.raises(AssertionError, match=r"^without a key the partition must be given$"):
        log.writer("w").write([Outgoing("t", None, b"v")])


def test_after_a_failed_batch_the_first_messages_may_be_stored() -> None:
    log = MemoryLog()
    log.create([NewTopic("t", 1, {})])
    log.break_writes(True, after=2)
    with pytest.raises(WriteFailed):
        log.writer("w").write([Outgoing("t", b"k", b"%d" % each) for each in range(5)])
    assert values(log.everything("t")) == [b"0", b"1"]
    log.break_writes(False)
    assert log.writer("w").write([Outgoing("t", b"k", b"again")]) == [2]


def test_a_broker_that_is_not_there_is_named_with_the_remedy(closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "_ADMIN_S", 0.3)
    log = KafkaLog(f"127.0.0.1:{closed_port}")
    place = TopicPartition("t", 0)
    asks = (
        lambda: log.create([NewTopic("t", 1, {})]),
        lambda: log.partition_count("t"),
        lambda: log.span(place),
        lambda: log.offset_at(place, 0),
    )
    for ask in asks:
        with pytest.raises(LogError, match=rf"no Kafka broker answers at 127\.0\.0\.1:{closed_port} \(.+\): start it"):
            ask()
    with pytest.raises(LogError, match="no Kafka broker answers at"):
        log.committed("g", place)


def test_the_clients_own_trouble_goes_to_the_log_and_not_thirty_times_a_second(
    closed_port: int, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    reader = KafkaLog(f"127.0.0.1:{closed_port}").reader("r", {TopicPartition("t", 0): 0})
    poll_until(lambda: reader.poll(10, 0.05), lambda: bool(caplog.records))
    for _ in range(5):
        reader.poll(10, 0.05)
    reader.close()
    assert capfd.readouterr().err == ""
    texts = [record.getMessage() for record in caplog.records]
    assert any(f"127.0.0.1:{closed_port}" in text for text in texts)
    assert len(texts) <= 4


# --- topics and their spans -----------------------------------------------------------------------------------------


def test_topics_are_created_once(broker: Broker) -> None:
    one, two = broker.prefix + "one", broker.prefix + "two"
    assert broker.log.create([NewTopic(one, 2, {"cleanup.policy": "compact"})]) == [one]
    assert broker.log.create([NewTopic(one, 2, {}), NewTopic(two, 3, {})]) == [two]
    assert broker.log.create([NewTopic(one, 2, {}), NewTopic(two, 3, {})]) == []
    assert (broker.log.partition_count(one), broker.log.partition_count(two)) == (2, 3)


def test_a_topic_that_exists_with_other_partitions_is_refused_and_nothing_is_created(broker: Broker) -> None:
    one, two = broker.prefix + "one", broker.prefix + "two"
    broker.log.create([NewTopic(one, 2, {})])
    with pytest.raises(LogError) as raised:
        broker.log.create([NewTopic(two, 1, {}), NewTopic(one, 3, {})])
    assert str(raised.value) == f"topic {one}: partitions: found 2, wanted 3: {PART}\nno topic was created"
    with pytest.raises(LogError):
        broker.log.partition_count(two)


def test_every_entry_of_a_topic_that_is_not_as_wanted_is_told_at_once(broker: Broker) -> None:
    one, two, three = (broker.prefix + name for name in ("one", "two", "three"))
    here = {"cleanup.policy": "delete", "retention.ms": "3600000"}
    broker.log.create([NewTopic(one, 2, here), NewTopic(two, 1, {"cleanup.policy": "compact"})])
    wanted = {"cleanup.policy": "compact", "retention.ms": "-1"}
    with pytest.raises(LogError) as raised:
        broker.log.create(
            [NewTopic(one, 3, wanted), NewTopic(two, 1, {"cleanup.policy": "delete"}), NewTopic(three, 1, {})]
        )
    assert str(raised.value).splitlines() == [
        f"topic {one}: partitions: found 2, wanted 3: {PART}",
        f"topic {one}: cleanup.policy: found delete, wanted compact",
        f"topic {one}: retention.ms: found 3600000, wanted -1",
        f"topic {two}: cleanup.policy: found compact, wanted delete",
        "no topic was created: `denbun topics create --alter` sets what a setting can change",
    ]
    assert broker.log.found([three]) == {}


def test_how_topics_are_that_are_there(broker: Broker) -> None:
    one = broker.prefix + "one"
    broker.log.create([NewTopic(one, 2, {"cleanup.policy": "compact", "min.compaction.lag.ms": "7"})])
    found = broker.log.found([one, broker.prefix + "nowhere"])
    assert found.keys() == {one}
    assert found[one][:2] == (2, 1)
    assert (found[one].config["cleanup.policy"], found[one].config["min.compaction.lag.ms"]) == ("compact", "7")


def test_the_logs_own_clock_stamps_whatever_the_writers_clock_says(broker: Broker) -> None:
    topic = broker.prefix + "t"
    broker.log.create([NewTopic(topic, 1, {"message.timestamp.type": "LogAppendTime"})])
    before_ms = time.time_ns() // 1_000_000
    broker.put("t", b"1")
    if broker.kafka:  # a writer whose clock is a day behind
        late = {"bootstrap.servers": broker.log._servers}  # type: ignore[attr-defined]
        producer = Producer(late)
        producer.produce(topic, b"2", b"k", timestamp=before_ms - 86_400_000)
        assert producer.flush(GO) == 0
    assert all(before_ms - 1 <= each.timestamp_ms < before_ms + GO * 1_000 for each in broker.everything("t"))


@pytest.mark.stack
def test_what_a_setting_can_change_is_mended_and_the_rest_is_left(kafka_log: KafkaLog, topic_prefix: str) -> None:
    one, two = topic_prefix + "one", topic_prefix + "two"
    kafka_log.create([NewTopic(one, 2, {"cleanup.policy": "delete", "retention.ms": "3600000"}), NewTopic(two, 1, {})])
    config = {"cleanup.policy": "compact", "retention.ms": "-1", "message.timestamp.type": "LogAppendTime"}
    wanted = [NewTopic(one, 3, config), NewTopic(two, 1, {}), NewTopic(topic_prefix + "three", 1, config)]
    assert [(each.topic, each.entry, each.found, each.wanted) for each in kafka_log.mend(wanted)] == [
        (one, "cleanup.policy", "delete", "compact"),
        (one, "retention.ms", "3600000", "-1"),
        (one, "message.timestamp.type", "CreateTime", "LogAppendTime"),
    ]
    found = kafka_log.found([one, topic_prefix + "three"])
    assert found.keys() == {one}
    assert {name: found[one].config[name] for name in config} == config
    assert kafka_log.mend(wanted) == []
    with pytest.raises(LogError, match=f"^topic {one}: partitions: found 2, wanted 3: .*\nno topic was created$"):
        kafka_log.create(wanted)
    assert kafka_log.create(wanted[1:]) == [topic_prefix + "three"]


def test_a_topic_that_is_not_there_is_said(broker: Broker) -> None:
    name = broker.prefix + "nowhere"
    with pytest.raises(LogError) as raised:
        broker.log.partition_count(name)
    assert str(raised.value) == f"there is no topic {name}: create the topics first (`denbun topics create`)"
    with pytest.raises(LogError, match=f"{name}/0"):
        broker.log.span(TopicPartition(name, 0))
    with pytest.raises(LogError, match=f"{name}/0"):
        broker.log.offset_at(TopicPartition(name, 0), 0)


def test_the_span_is_what_is_there_and_what_comes_next(broker: Broker) -> None:
    place = TopicPartition(broker.topic("t"), 0)
    assert broker.log.span(place) == (0, 0)
    broker.put("t", b"1", b"2", b"3")
    assert broker.log.span(place) == (0, 3)


def test_a_time_gives_the_first_message_that_is_not_older(broker: Broker) -> None:
    place = TopicPartition(broker.topic("t"), 0)
    assert broker.log.offset_at(place, 0) == 0
    pause = threading.Event()
    for number in range(4):
        broker.put("t", b"%d" % number)
        pause.wait(0.005)  # so that their times differ
    messages = broker.everything("t")
    for time_ms in {each.timestamp_ms + step for each in messages for step in (-1, 0, 1)}:
        expected = next((each.offset for each in messages if each.timestamp_ms >= time_ms), 4)
        assert broker.log.offset_at(place, time_ms) == expected


# --- reading --------------------------------------------------------------------------------------------------------


def test_a_reader_starts_where_it_is_told_and_sees_what_comes(broker: Broker) -> None:
    topic = broker.topic("t", 2)
    broker.put("t", b"0", b"1", b"2", partition=0)
    broker.put("t", b"10", partition=1)
    reader = broker.log.reader("r", {TopicPartition(topic, 0): 1, TopicPartition(topic, 1): 1})
    found: list[Message] = []
    poll_until(lambda: found.extend(reader.poll(100, 0.1)), lambda: len(found) >= 2)
    assert values(found) == [b"1", b"2"]
    broker.put("t", b"11", partition=1)
    poll_until(lambda: found.extend(reader.poll(100, 0.1)), lambda: len(found) >= 3)
    assert (found[2].partition, found[2].offset, found[2].value) == (1, 1, b"11")
    assert reader.poll(100, 0) == []
    reader.close()


def test_a_reader_gives_no_more_than_asked_for(broker: Broker) -> None:
    topic = broker.topic("t", 2)
    for partition in (0, 1):
        broker.put("t", *(b"%d" % number for number in range(20)), partition=partition)
    reader = broker.log.reader("r", {TopicPartition(topic, number): 0 for number in (0, 1)})
    sizes: list[int] = []
    poll_until(lambda: sizes.append(len(reader.poll(7, 0.1))), lambda: sum(sizes) >= 40)
    assert max(sizes) <= 7
    assert sum(sizes) == 40
    assert reader.poll(1, 0) == []
    reader.close()


def test_a_reader_without_partitions_reads_nothing(broker: Broker) -> None:
    reader = broker.log.reader("r", {})
    assert reader.poll(10, 0.01) == []
    reader.close()


def test_a_waiting_reader_is_given_a_message_as_it_comes(broker: Broker) -> None:
    topic = broker.topic("t")
    reader = broker.log.reader("r", {TopicPartition(topic, 0): 0})
    assert reader.poll(10, 0.01) == []
    found: list[Message] = []
    waiting = threading.Thread(
        target=lambda: poll_until(lambda: found.extend(reader.poll(10, GO)), lambda: bool(found)), daemon=True
    )
    waiting.start()
    broker.put("t", b"v")
    waiting.join(GO)
    assert values(found) == [b"v"]
    reader.close()


@pytest.mark.parametrize("timeout_s", [0.001, 0.9, 1.0])
def test_a_reader_of_the_log_in_memory_waits_however_short_it_is_to_wait(
    timeout_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = MemoryLog()
    log.create([NewTopic("t", 1, {})])
    place = TopicPartition("t", 0)
    asked: list[tuple[bool, bool, float]] = []

    def comes(ready: Callable[[], bool], waits_s: float) -> None:
        before = ready()
        log.append(Outgoing("t", b"k", b"v"))
        asked.append((before, ready(), waits_s))

    monkeypatch.setattr(log, "wait", comes)
    reader = log.reader("r", {place: 0})
    assert values(reader.poll(10, timeout_s)) == [b"v"]
    assert asked == [(False, True, timeout_s)]
    assert log.has_more({place: 0})
    assert not log.has_more({place: 1})
