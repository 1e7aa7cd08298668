"""Reading whole topics for the tools: all of them, in order, from a time on; and what is said when it cannot be."""

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError

from ops import reading
from ops.ports import HOST, free_port
from ops.reading import earliest, ends, read_topics
from pipeline.kafka import KafkaLog
from pipeline.log import LogError, NewTopic, Outgoing
from schemas.installation import Kafka


def kafka(servers: str, **client: str) -> Kafka:
    return Kafka(bootstrap_servers=servers, partitions=1, replication=1, client=client)


@pytest.fixture
def topic(kafka_log: KafkaLog, topic_prefix: str) -> str:
    """A topic of three partitions: five messages, one without a key and value."""
    name = f"{topic_prefix}read"
    kafka_log.create([NewTopic(name, 3, {}), NewTopic(f"{topic_prefix}empty", 2, {})])
    writer = kafka_log.writer("test")
    writer.write([
        Outgoing(name, b"k", b"2:0", (), 2),
        Outgoing(name, b"k", b"0:0", (("schema", b"f00"), ("epoch", b"1")), 0),
        Outgoing(name, b"k", b"2:1", (), 2),
        Outgoing(name, b"k", b"0:1", (), 0),
        Outgoing(name, None, None, (), 2),
    ])  # fmt: skip
    writer.close()
    return name


@pytest.mark.stack
def test_all_partitions_are_read_in_order_and_every_part_of_a_message(
    kafka_servers: str, topic: str, topic_prefix: str
) -> None:
    found = read_topics(kafka(kafka_servers), [topic, f"{topic_prefix}empty"])
    assert list(found) == [topic, f"{topic_prefix}empty"]
    assert [(each.partition, each.offset, each.key, each.value) for each in found[topic]] == [
        (0, 0, b"k", b"0:0"), (0, 1, b"k", b"0:1"), (2, 0, b"k", b"2:0"), (2, 1, b"k", b"2:1"), (2, 2, None, None),
    ]  # fmt: skip
    assert found[topic][0].headers == (("schema", b"f00"), ("epoch", b"1"))
    assert {each.topic for each in found[topic]} == {topic}
    assert found[f"{topic_prefix}empty"] == []


@pytest.mark.stack
def test_more_messages_than_fit_into_one_answer_are_all_read(
    kafka_servers: str, kafka_log: KafkaLog, topic_prefix: str
) -> None:
    name = f"{topic_prefix}many"
    kafka_log.create([NewTopic(name, 1, {})])
    writer = kafka_log.writer("test")
    writer.write([Outgoing(name, b"k", number.to_bytes(2, "big") + bytes(2_000)) for number in range(1_500)])
    writer.close()
    found = read_topics(kafka(kafka_servers), [name])[name]
    assert [each.offset for each in found] == list(range(1_500))
    assert all(int.from_bytes(each.value[:2], "big") == each.offset for each in found if each.value)


@pytest.mark.stack
def test_what_is_older_than_asked_for_is_left_out(kafka_servers: str, kafka_log: KafkaLog, topic: str) -> None:
    everything = read_topics(kafka(kafka_servers), [topic])[topic]
    after_ms = 1 + max(each.timestamp_ms for each in everything)
    assert read_topics(kafka(kafka_servers), [topic], since_ms=after_ms)[topic] == []
    since_ms = min(each.timestamp_ms for each in everything)
    assert read_topics(kafka(kafka_servers), [topic], since_ms=since_ms)[topic] == everything
    writer = kafka_log.writer("test")
    while True:  # until the writer's clock has gone on
        (offset,) = writer.write([Outgoing(topic, b"k", b"1:later", (), 1)])
        newest = next(
            each
            for each in read_topics(kafka(kafka_servers), [topic])[topic]
            if (each.partition, each.offset) == (1, offset)
        )
        if newest.timestamp_ms >= after_ms:
            break
    writer.close()
    later = read_topics(kafka(kafka_servers), [topic], since_ms=newest.timestamp_ms)[topic]
    assert newest in later
    assert all(each.timestamp_ms >= newest.timestamp_ms for each in later)


@pytest.mark.stack
def test_what_came_after_the_ends_is_read_and_nothing_else(
    kafka_servers: str, kafka_log: KafkaLog, topic: str, topic_prefix: str
) -> None:
    empty = f"{topic_prefix}empty"
    before = ends(kafka(kafka_servers), [topic, empty])
    assert before == {(topic, 0): 2, (topic, 1): 0, (topic, 2): 3, (empty, 0): 0, (empty, 1): 0}
    assert read_topics(kafka(kafka_servers), [topic, empty], after=before) == {topic: [], empty: []}
    writer = kafka_log.writer("test")
    writer.write([Outgoing(topic, b"k", b"later", (), 2), Outgoing(empty, b"k", b"first", (), 1)])
    writer.close()
    found = read_topics(kafka(kafka_servers), [topic, empty], after=before)
    assert [(each.topic, each.partition, each.offset) for messages in found.values() for each in messages] == [
        (topic, 2, 3), (empty, 1, 0),
    ]  # fmt: skip


@pytest.mark.stack
def test_a_partition_that_had_no_end_and_one_that_was_made_anew_are_read_from_their_starts(
    kafka_servers: str, topic: str
) -> None:
    found = read_topics(kafka(kafka_servers), [topic], after={(topic, 0): 3})[topic]
    assert [(each.partition, each.offset) for each in found] == [(0, 0), (0, 1), (2, 0), (2, 1), (2, 2)]


def test_the_earliest_of_several_ends_leaves_out_what_one_of_them_does_not_know() -> None:
    one, other = {("a", 0): 5, ("a", 1): 2, ("b", 0): 1}, {("a", 0): 4, ("a", 1): 9}
    assert earliest([one, other]) == {("a", 0): 4, ("a", 1): 2}
    assert earliest([one]) == one


@pytest.mark.stack
def test_a_topic_that_is_not_there_is_named_with_the_command_that_makes_it(
    kafka_servers: str, topic: str, topic_prefix: str
) -> None:
    missing = f"{topic_prefix}missing"
    with pytest.raises(LogError) as told:
        read_topics(kafka(kafka_servers), [topic, missing])
    assert str(told.value) == (f"there is no topic {missing}: create the topics first (`denbun topics create`)")


def test_a_broker_that_is_not_there_is_named() -> None:
    servers = f"{HOST}:{free_port()}"
    with pytest.raises(LogError) as told:
        read_topics(kafka(servers), ["requests"])
    assert str(told.value).startswith(f"no Kafka broker answers at {servers} (")


class Gone:
    """aiokafka's consumer where the broker goes away: stopping it, it ends as if its task were cancelled."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    async def start(self) -> None:
        raise KafkaConnectionError("closed")

    async def stop(self) -> None:
        raise asyncio.CancelledError


def test_a_broker_that_dies_while_it_is_read_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "AIOKafkaConsumer", Gone)
    servers = f"{HOST}:{free_port()}"
    with pytest.raises(LogError, match=servers):
        ends(kafka(servers), ["t"])


def test_who_reads_can_be_ended_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    async def waits(_: Gone) -> None:
        await asyncio.sleep(60)

    async def play() -> None:
        task = asyncio.create_task(reading._with(kafka("127.0.0.1:1"), ["t"], lambda _: asyncio.sleep(0)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    monkeypatch.setattr(reading, "AIOKafkaConsumer", Gone)
    monkeypatch.setattr(Gone, "start", waits)
    asyncio.run(play())
