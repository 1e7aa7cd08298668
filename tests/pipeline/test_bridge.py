"""The log joined to an event loop: order, back-pressure, failures, and an end that waits for what is under way."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
from log_rig import GO, Broker, values

from pipeline import bridge
from pipeline.bridge import LoopReader, LoopWriter, on_loop
from pipeline.log import Done, LogError, Message, Outgoing, Reader, Stored, TopicPartition, WriteFailed
from pipeline.memory import MemoryLog


def in_loop(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(work(), GO))


class Held:
    """A sender that acknowledges when it is told to, and knows how often it was asked."""

    def __init__(self) -> None:
        self.sent: list[tuple[Outgoing, Done]] = []
        self.results: deque[int | Exception] = deque()
        self.turns = 0
        self.closed = False

    def send(self, message: Outgoing, done: Done) -> None:
        self.sent.append((message, done))

    def serve(self) -> float | None:
        self.turns += 1
        while self.results:
            result = self.results.popleft()
            _, done = self.sent.pop(0)
            if isinstance(result, Exception):
                done(None, result)
            else:
                done(Stored(result, 0), None)
        return 0.001 if self.sent else None

    def close(self) -> None:
        self.closed = True


class Told:
    """What a writer was told of each message, in order."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.all: list[int | Exception] = []
        self._complete = asyncio.Event()

    def __call__(self, stored: Stored | None, error: Exception | None) -> None:
        told = error if stored is None else stored.offset
        assert told is not None
        self.all.append(told)
        if len(self.all) == self._count:
            self._complete.set()

    async def complete(self) -> list[int | Exception]:
        await self._complete.wait()
        return self.all


MESSAGE = Outgoing("t", b"k", b"v")


# --- LoopWriter -----------------------------------------------------------------------------------------------------


def test_a_write_gives_its_offset(broker: Broker) -> None:
    topic = broker.topic("t")

    async def work() -> None:
        writer, told = LoopWriter(broker.log.sender("s")), Told(200)
        for number in range(200):
            writer.write(Outgoing(topic, b"k", b"%d" % number), told)
        assert told.all == [], "not within the call"
        assert await told.complete() == list(range(200))
        await writer.close()

    in_loop(work)
    assert values(broker.everything("t")) == [b"%d" % number for number in range(200)]


def test_what_is_written_in_one_turn_of_the_loop_is_sent_in_one_go() -> None:
    async def work() -> None:
        sender = Held()
        writer, told = LoopWriter(sender), Told(3)
        for _ in range(3):
            writer.write(MESSAGE, told)
        assert sender.sent == []
        await asyncio.sleep(0)
        assert [message for message, _ in sender.sent] == [MESSAGE] * 3
        sender.results.extend(range(3))
        assert await told.complete() == [0, 1, 2]

    in_loop(work)


def gather(monkeypatch: pytest.MonkeyPatch, for_s: float) -> None:
    """Have messages gather for so long, however many are under way."""
    monkeypatch.setattr(bridge, "_GATHER_S", for_s)
    monkeypatch.setattr(bridge, "_GATHER_MOST_S", for_s)


@pytest.mark.parametrize(("under_way", "sent_at_once"), [(31, 32), (32, 32)], ids=["few", "many"])
def test_while_many_messages_are_under_way_the_next_gather(
    monkeypatch: pytest.MonkeyPatch, under_way: int, sent_at_once: int
) -> None:
    gather(monkeypatch, GO)

    async def work() -> None:
        sender = Held()
        writer, told = LoopWriter(sender), Told(under_way + 1)
        for _ in range(under_way):
            writer.write(MESSAGE, told)
        await asyncio.sleep(0)
        writer.write(MESSAGE, told)
        await asyncio.sleep(0)
        assert len(sender.sent) == sent_at_once
        sender.results.extend(range(under_way + 1))
        await writer.close()  # which waits for no gathering
        assert told.all == list(range(under_way + 1))

    in_loop(work)


@pytest.mark.parametrize(("under_way", "for_ms"), [(32, 2), (64, 4), (80, 5), (1_000, 5)])
def test_the_more_is_under_way_the_longer_the_next_gather(
    monkeypatch: pytest.MonkeyPatch, under_way: int, for_ms: float
) -> None:
    async def work() -> None:
        sender = Held()
        writer, told = LoopWriter(sender), Told(under_way + 1)
        for _ in range(under_way):
            writer.write(MESSAGE, told)
        await asyncio.sleep(0)
        later: list[float] = []
        monkeypatch.setattr(writer._loop, "call_later", lambda delay, *_: later.append(delay))
        writer.write(MESSAGE, told)
        assert later == [pytest.approx(for_ms / 1000)]
        monkeypatch.undo()
        sender.results.extend(range(under_way + 1))
        await writer.close()

    in_loop(work)


def test_what_has_gathered_is_sent_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    gather(monkeypatch, 0.02)

    async def work() -> None:
        sender = Held()
        writer, told = LoopWriter(sender), Told(34)
        for _ in range(32):
            writer.write(MESSAGE, told)
        await asyncio.sleep(0)
        writer.write(MESSAGE, told)
        await asyncio.sleep(0)
        writer.write(MESSAGE, told)
        seen = {len(sender.sent)}
        while len(sender.sent) < 34:
            await asyncio.sleep(0.001)
            seen.add(len(sender.sent))
        assert seen == {32, 34}
        sender.results.extend(range(34))
        await told.complete()

    in_loop(work)


def test_nobody_is_asked_when_nothing_is_awaited() -> None:
    async def work() -> None:
        sender = Held()
        writer, told = LoopWriter(sender), Told(1)
        sender.results.append(7)
        writer.write(MESSAGE, told)
        assert await told.complete() == [7]
        turns = sender.turns
        await asyncio.sleep(0.02)  # twenty times as long as it would take to be asked again
        assert sender.turns == turns

    in_loop(work)


def test_a_write_that_fails_is_told_to_its_own_waiter_only() -> None:
    async def work() -> None:
        sender = Held()
        writer, told = LoopWriter(sender), Told(3)
        for _ in range(3):
            writer.write(MESSAGE, told)
        gone = WriteFailed("t: not acknowledged: gone")
        sender.results.extend([0, gone, 1])
        await writer.close()
        assert told.all == [0, gone, 1]
        assert sender.closed

    in_loop(work)


def test_what_is_written_just_before_the_end_is_sent_and_awaited() -> None:
    async def work() -> None:
        sender = Held()
        writer, told = LoopWriter(sender), Told(1)
        writer.write(MESSAGE, told)
        asyncio.get_running_loop().call_later(0.01, sender.results.append, 3)
        await writer.close()
        assert told.all == [3]

    in_loop(work)


def test_a_waiter_that_raises_harms_no_other() -> None:
    async def work() -> None:
        sender, troubles = Held(), []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(context["exception"]))
        writer, told = LoopWriter(sender), Told(1)

        def raising(stored: Stored | None, error: Exception | None) -> None:
            raise ArithmeticError(stored, error)

        writer.write(MESSAGE, raising)
        writer.write(MESSAGE, told)
        sender.results.extend([0, 1])
        assert await told.complete() == [1]
        assert [type(each) for each in troubles] == [ArithmeticError]

    in_loop(work)


# --- LoopReader -----------------------------------------------------------------------------------------------------


class Reading:
    """A `LoopReader` on a topic, with all it was given."""

    def __init__(self, open_reader: Callable[[], Reader], **more: Any) -> None:
        self.batches: list[list[Message]] = []
        self.failure: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self.came = asyncio.Event()
        self.reader = LoopReader("reading", open_reader, more.pop("handle", self.take), self.failure.set_result, **more)

    def take(self, batch: Sequence[Message]) -> None:
        self.batches.append(list(batch))
        self.came.set()

    async def until(self, count: int) -> list[bytes | None]:
        while sum(map(len, self.batches)) < count:
            self.came.clear()
            await self.came.wait()
        return values([message for batch in self.batches for message in batch])


def test_it_gives_every_message_in_order_in_batches_no_larger_than_asked(broker: Broker) -> None:
    place = TopicPartition(broker.topic("t"), 0)
    broker.put("t", *(b"%d" % number for number in range(50)))

    async def work() -> None:
        reading = Reading(lambda: broker.log.reader("r", {place: 0}), count=7)
        assert await reading.until(50) == [b"%d" % number for number in range(50)]
        await asyncio.to_thread(broker.put, "t", b"more")
        assert (await reading.until(51))[-1] == b"more"
        await reading.reader.close()
        assert max(map(len, reading.batches)) <= 7
        assert not reading.failure.done()

    in_loop(work)


def test_the_next_batch_comes_when_the_last_was_handled(memory: Broker) -> None:
    place = TopicPartition(memory.topic("t"), 0)
    memory.put("t", b"0", b"1", b"2")

    async def work() -> None:
        polls = 0
        inner = memory.log.reader("r", {place: 0})
        ahead: list[int] = []

        class Counting:
            def poll(self, count: int, timeout_s: float) -> list[Message]:
                nonlocal polls
                found = inner.poll(count, timeout_s)
                polls += bool(found)
                return found

            def close(self) -> None:
                inner.close()

        def handle(batch: Sequence[Message]) -> None:
            reading.take(batch)
            ahead.append(polls - len(reading.batches))

        reading: Reading = Reading(Counting, count=1, handle=handle)
        await reading.until(3)
        await reading.reader.close()
        assert ahead == [0, 0, 0]

    in_loop(work)


def test_a_reader_that_fails_is_told_on_the_loop() -> None:
    async def work() -> None:
        def cannot_open() -> Reader:
            raise LogError("there is no topic t")

        reading = Reading(cannot_open)
        assert str(await reading.failure) == "there is no topic t"
        await reading.reader.close()

    in_loop(work)


def test_a_poll_that_fails_is_told_and_the_reader_is_closed(memory: Broker) -> None:
    memory.topic("t")
    closed = threading.Event()

    class Failing:
        def poll(self, count: int, timeout_s: float) -> list[Message]:  # noqa: ARG002  the contract's
            raise LogError("reading failed")

        def close(self) -> None:
            closed.set()

    async def work() -> None:
        reading = Reading(Failing)
        assert str(await reading.failure) == "reading failed"
        await reading.reader.close()
        assert closed.is_set()

    in_loop(work)


def test_a_handler_that_fails_is_told_once_and_given_no_more(memory: Broker) -> None:
    place = TopicPartition(memory.topic("t"), 0)
    memory.put("t", b"0", b"1")

    async def work() -> None:
        given: list[Message] = []

        def handle(batch: Sequence[Message]) -> None:
            given.extend(batch)
            raise ValueError("not mine")

        reading = Reading(lambda: memory.log.reader("r", {place: 0}), count=1, handle=handle)
        assert str(await reading.failure) == "not mine"
        await reading.reader.close()
        assert values(given) == [b"0"]

    in_loop(work)


def test_idle_is_called_on_the_readers_thread_after_every_poll(memory: Broker) -> None:
    place = TopicPartition(memory.topic("t"), 0)

    async def work() -> None:
        called = threading.Event()
        names: set[str] = set()

        def idle() -> None:
            names.add(threading.current_thread().name)
            called.set()

        reading = Reading(lambda: memory.log.reader("r", {place: 0}), idle=idle, idle_s=0.001)
        assert await asyncio.to_thread(called.wait, GO)
        await reading.reader.close()
        assert names == {"reading"}

    in_loop(work)


def test_closing_leaves_the_group(memory: Broker) -> None:
    memory.topic("t")
    log = memory.log
    assert isinstance(log, MemoryLog)
    events: list[str] = []

    async def work() -> None:
        def open_reader() -> Reader:
            return log.group_reader(
                "a", "g", ["t"], lambda _: events.append("assigned"), lambda _: events.append("revoked")
            )

        reading = Reading(open_reader)
        memory.put("t", b"0")
        await reading.until(1)
        await reading.reader.close()
        assert events == ["assigned", "revoked"]
        assert log._groups["g"].members == {}

    in_loop(work)


@pytest.mark.parametrize("moment", ["before the first batch", "while a batch waits"])
def test_closing_does_not_wait_for_messages(memory: Broker, moment: str) -> None:
    place = TopicPartition(memory.topic("t"), 0)

    async def work() -> None:
        reading = Reading(lambda: memory.log.reader("r", {place: 0}))
        if moment == "while a batch waits":
            memory.put("t", b"0")
            await reading.until(1)
        await reading.reader.close()
        assert not reading.reader._thread.is_alive()

    in_loop(work)


# --- a broker that stalls


def test_a_writer_is_behind_beyond_its_bound_until_half_of_it_is_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "_BEHIND", 4)

    async def work() -> None:
        sender, told = Held(), Told(5)
        writer = LoopWriter(sender)
        seen = []
        for _ in range(5):
            seen.append(writer.behind)
            writer.write(Outgoing("t", b"k", b""), told)
        seen.append(writer.behind)
        await asyncio.sleep(0)
        for left in (4, 3, 2, 1):
            sender.results.append(left)
            sender.serve()
            assert writer.unacknowledged == left
            seen.append(writer.behind)
        sender.results.append(WriteFailed("lost"))  # no longer awaited, whatever became of it
        sender.serve()
        assert writer.unacknowledged == 0
        assert seen == [False, False, False, False, False, True, True, True, False, False]

    in_loop(work)


def test_a_reader_gives_nothing_more_while_the_log_is_behind(memory: Broker) -> None:
    place = TopicPartition(memory.topic("t"), 0)
    memory.put("t", b"1", b"2")

    async def work() -> None:
        given: list[bytes | None] = []
        late, often, second = True, asyncio.Event(), asyncio.Event()
        asked = 0

        def behind() -> bool:
            nonlocal asked
            asked += 1
            if asked == 5:
                often.set()
            return late

        def handle(messages: Sequence[Message]) -> None:
            given.extend(message.value for message in messages)
            if len(given) == 2:
                second.set()

        reader = LoopReader("r", lambda: memory.log.reader("r", {place: 0}), handle, raise_, count=1, behind=behind)
        await often.wait()
        assert given == [b"1"]
        late = False
        await second.wait()
        assert given == [b"1", b"2"]
        await reader.close()

    in_loop(work)


def test_a_reader_that_turns_is_not_stalled_and_one_that_is_stuck_is(
    memory: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, let_go = threading.Event(), threading.Event()

    def idle() -> None:
        stuck.set()
        let_go.wait(GO)

    async def work() -> None:
        place = TopicPartition(memory.topic("t"), 0)
        reader = LoopReader("cafis-1", lambda: memory.log.reader("r", {place: 0}), lambda _: None, raise_, idle=idle)
        await asyncio.to_thread(stuck.wait, GO)
        assert reader.stalled() is None
        monkeypatch.setattr(bridge, "_STALLED_S", 0.0)
        assert (reader.stalled() or "").startswith("the reader cafis-1 has not turned for 0 s")
        let_go.set()
        await reader.close()
        assert reader.stalled() is None, "it has ended, and needs not turn"

    in_loop(work)


def raise_(error: BaseException) -> None:
    raise error


# --- the loop, asked from another thread


def test_a_thread_waits_for_what_the_loop_does_and_hears_what_that_raises() -> None:
    done: list[str] = []

    async def well() -> None:
        done.append("well")

    async def badly() -> None:
        raise LogError("badly")

    async def work() -> None:
        loop = asyncio.get_running_loop()
        await asyncio.to_thread(on_loop, loop, well, GO, "doing well")
        with pytest.raises(LogError, match=r"^badly$"):
            await asyncio.to_thread(on_loop, loop, badly, GO, "doing badly")
        assert done == ["well"]

    in_loop(work)


def test_what_the_loop_does_not_do_in_time_is_told_and_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "_LOOK_S", 0.01)
    ended = asyncio.Event()

    async def never() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def work() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(LogError, match=r"^giving cafis-1 up: the loop did not do it within 0\.02 s$"):
            await asyncio.to_thread(on_loop, loop, never, 0.02, "giving cafis-1 up")
        await ended.wait()

    in_loop(work)
