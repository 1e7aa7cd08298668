"""Reads whole topics for the tools, with aiokafka: what they say of the log is not the word of the services' client."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from pipeline.groups import security_of
from pipeline.log import LogError, Message
from pipeline.reach import why_not
from schemas import wire
from schemas.installation import Kafka
from schemas.topics import Topics

_READ_S, _REACH_S = 30.0, 8.0
_Found = TypeVar("_Found")

Ends = Mapping[tuple[str, int], int]
"""Where topics ended at some moment: by topic and partition, the offset of the first message that came later."""


class _Unreached(LogError):  # noqa: N818  it tells what happened
    """The broker did not answer, or not all that was asked."""


def read_topics(
    kafka: Kafka, topics: Iterable[str], since_ms: int | None = None, *, after: Ends | None = None
) -> dict[str, list[Message]]:  # fmt: skip
    """Everything that lies in these topics now, by topic, in the order of partition and offset. Raises `LogError`.

    With `since_ms` nothing older than that is read, by the broker's stamps: give no time of this machine's clock.
    With `after` only what came later than these ends. What another version has written can be decoded afterwards.
    """
    wire.ask(lambda: _learn(kafka))
    return _read(kafka, list(topics), since_ms, after)


def ends(kafka: Kafka, topics: Iterable[str]) -> Ends:
    """Where these topics end now: taken before something is done, it leads to all that follows. Raises `LogError`."""
    names = list(topics)

    async def find(consumer: Any) -> Ends:
        found = await consumer.end_offsets(sorted(consumer.assignment()))
        return {(place.topic, place.partition): offset for place, offset in found.items()}

    return _run(kafka, lambda: _with(kafka, names, find))


def earliest(several: Iterable[Ends]) -> Ends:
    """From where everything is read that is read from any of these; of a partition that one lacks, from its start."""
    found, *others = several
    return {
        place: min([offset, *(each[place] for each in others)])
        for place, offset in found.items()
        if all(place in each for each in others)
    }


def _read(kafka: Kafka, topics: list[str], since_ms: int | None, after: Ends | None) -> dict[str, list[Message]]:
    async def find(consumer: Any) -> dict[str, list[Message]]:
        return await _everything(consumer, topics, since_ms, after)

    return _run(kafka, lambda: _with(kafka, topics, find))


def _run(kafka: Kafka, work: Callable[[], Coroutine[Any, Any, _Found]]) -> _Found:
    try:
        return asyncio.run(work())
    except _Unreached as error:
        raise LogError(why_not(kafka.bootstrap_servers, kafka.client, _REACH_S) or str(error)) from error


def _learn(kafka: Kafka) -> None:
    topic = Topics(kafka.topic_prefix)("schemas")
    for message in _read(kafka, [topic], None, None)[topic]:
        with contextlib.suppress(ValueError):  # not a schema: the services say so
            wire.learn(message.key or b"", message.value or b"")


async def _with(
    kafka: Kafka, topics: list[str], find: Callable[[Any], Coroutine[Any, Any, _Found]]
) -> _Found:  # fmt: skip
    async with _consumer(kafka) as looking:  # of none: one of a topic that is not there would wait for it
        if missing := set(topics) - await looking.topics():
            raise LogError(f"there is no topic {min(missing)}: create the topics first (`denbun topics create`)")
    async with _consumer(kafka, topics) as consumer:
        return await find(consumer)


@contextlib.asynccontextmanager
async def _consumer(kafka: Kafka, topics: Iterable[str] = ()) -> AsyncIterator[Any]:
    """A consumer of all partitions of these topics, in no group. Raises `LogError`."""
    try:
        settings = security_of(kafka.client)
        consumer: Any = AIOKafkaConsumer(  # type: ignore[no-untyped-call]
            *topics,
            bootstrap_servers=kafka.bootstrap_servers,
            enable_auto_commit=False,
            group_id=None,
            **settings,
        )
    except (OSError, ValueError, AssertionError) as error:  # of certificates; of what it takes for none of its words
        raise LogError(f"kafka.client cannot be used ({error}): correct it; its names are librdkafka's") from error
    try:
        try:
            await consumer.start()
        except (KafkaError, OSError) as error:
            raise _Unreached(f"no Kafka broker answers at {kafka.bootstrap_servers} ({error})") from error
        async with asyncio.timeout(_READ_S + _REACH_S):
            yield consumer
    except TimeoutError as error:
        raise _Unreached(
            f"Kafka at {kafka.bootstrap_servers} did not answer within {_READ_S + _REACH_S:g} s"
        ) from error
    except KafkaError as error:
        raise _Unreached(f"the topics cannot be read: {error}") from error
    finally:
        await _stop(consumer)


async def _stop(consumer: Any) -> None:
    """Stop it. Where its broker is gone, aiokafka hands on the end of its own tasks as if we were cancelled."""
    try:
        await consumer.stop()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise


async def _everything(
    consumer: Any, topics: list[str], since_ms: int | None, after: Ends | None
) -> dict[str, list[Message]]:  # fmt: skip
    places: list[TopicPartition] = sorted(consumer.assignment())
    ends = await consumer.end_offsets(places)
    begins = await consumer.beginning_offsets(places)
    if since_ms is not None:
        later = await consumer.offsets_for_times(dict.fromkeys(places, since_ms))
        begins = {place: ends[place] if later[place] is None else later[place].offset for place in places}
    if after is not None:
        begins = {
            place: _begin(begins[place], ends[place], after.get((place.topic, place.partition))) for place in places
        }
    for place in places:
        consumer.seek(place, begins[place])
    found: dict[str, list[Message]] = {topic: [] for topic in topics}
    left = {place for place in places if begins[place] < ends[place]}
    until = time.monotonic() + _READ_S
    while left:
        if time.monotonic() > until:
            first = min(left)
            raise _Unreached(
                f"{first.topic}, partition {first.partition}: read up to offset {await consumer.position(first)} of "
                f"{ends[first]} within {_READ_S:g} s: look whether the partition has a leader"
            )
        for place, records in (await consumer.getmany(*left, timeout_ms=200)).items():
            found[place.topic] += [_message(record) for record in records if record.offset < ends[place]]
        left = {place for place in left if await consumer.position(place) < ends[place]}
    for messages in found.values():
        messages.sort(key=lambda each: (each.partition, each.offset))
    return found


def _begin(first: int, end: int, after: int | None) -> int:
    """From which offset what came after is read; a log that is shorter than it was is another one: from its start."""
    return first if after is None or after > end else max(first, after)


def _message(record: Any) -> Message:
    headers = tuple((name, value) for name, value in record.headers)
    return Message(
        record.topic, record.partition, record.offset, record.key, record.value, headers, record.timestamp
    )  # fmt: skip
