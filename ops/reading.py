"""Reads whole topics for the tools, with aiokafka: what they say of the log is not the word of the services' client."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from pipeline.groups import security_of
from pipeline.log import LogError, Message
from pipeline.reach import why_not
from schemas import wire
from schemas.installation import Kafka
from schemas.topics import Topics

_READ_S, _REACH_S = 30.0, 5.0


class _Unreached(LogError):  # noqa: N818  it tells what happened
    """The broker did not answer, or not all that was asked."""


def read_topics(kafka: Kafka, topics: Iterable[str], since_ms: int | None = None) -> dict[str, list[Message]]:
    """Everything that lies in these topics now, by topic, in the order of partition and offset. Raises `LogError`.

    With `since_ms` nothing older than that is read. What another version has written can be decoded afterwards.
    """
    wire.ask(lambda: _learn(kafka))
    return _run(kafka, list(topics), since_ms)


def _run(kafka: Kafka, topics: list[str], since_ms: int | None) -> dict[str, list[Message]]:
    try:
        return asyncio.run(_read(kafka, topics, since_ms))
    except _Unreached as error:
        raise LogError(why_not(kafka.bootstrap_servers, kafka.client, _REACH_S) or str(error)) from error


def _learn(kafka: Kafka) -> None:
    topic = Topics(kafka.topic_prefix)("schemas")
    for message in _run(kafka, [topic], None)[topic]:
        with contextlib.suppress(ValueError):  # not a schema: the services say so
            wire.learn(message.key or b"", message.value or b"")


async def _read(kafka: Kafka, topics: list[str], since_ms: int | None) -> dict[str, list[Message]]:
    async with _consumer(kafka) as looking:  # of none: one of a topic that is not there would wait for it
        if missing := set(topics) - await looking.topics():
            raise LogError(f"there is no topic {min(missing)}: create the topics first (`denbun topics create`)")
    async with _consumer(kafka, topics) as consumer:
        return await _everything(consumer, topics, since_ms)


@contextlib.asynccontextmanager
async def _consumer(kafka: Kafka, topics: Iterable[str] = ()) -> AsyncIterator[Any]:
    """A consumer of all partitions of these topics, in no group. Raises `LogError`."""
    settings = security_of(kafka.client)
    try:
        consumer: Any = AIOKafkaConsumer(  # type: ignore[no-untyped-call]
            *topics,
            bootstrap_servers=kafka.bootstrap_servers,
            enable_auto_commit=False,
            group_id=None,
            **settings,
        )
    except (ValueError, AssertionError) as error:  # of what it takes for none of its words
        raise LogError(f"kafka.client cannot be used ({error}): correct it; its names are librdkafka's") from error
    try:
        try:
            await consumer.start()
        except (KafkaError, OSError) as error:
            raise _Unreached(f"no Kafka broker answers at {kafka.bootstrap_servers} ({error})") from error
        async with asyncio.timeout(_READ_S):
            yield consumer
    except TimeoutError as error:
        raise _Unreached(f"the topics could not be read within {_READ_S:g} s: see the broker's log") from error
    except KafkaError as error:
        raise _Unreached(f"the topics cannot be read: {error}") from error
    finally:
        await consumer.stop()


async def _everything(consumer: Any, topics: list[str], since_ms: int | None) -> dict[str, list[Message]]:
    places: list[TopicPartition] = sorted(consumer.assignment())
    ends = await consumer.end_offsets(places)
    begins = await consumer.beginning_offsets(places)
    if since_ms is not None:
        later = await consumer.offsets_for_times(dict.fromkeys(places, since_ms))
        begins = {place: ends[place] if later[place] is None else later[place].offset for place in places}
    for place in places:
        consumer.seek(place, begins[place])
    found: dict[str, list[Message]] = {topic: [] for topic in topics}
    left = {place for place in places if begins[place] < ends[place]}
    while left:
        for place, records in (await consumer.getmany(*left, timeout_ms=200)).items():
            found[place.topic] += [_message(record) for record in records if record.offset < ends[place]]
        left = {place for place in left if await consumer.position(place) < ends[place]}
    for messages in found.values():
        messages.sort(key=lambda each: (each.partition, each.offset))
    return found


def _message(record: Any) -> Message:
    headers = tuple((name, value) for name, value in record.headers)
    return Message(
        record.topic, record.partition, record.offset, record.key, record.value, headers, record.timestamp
    )  # fmt: skip
