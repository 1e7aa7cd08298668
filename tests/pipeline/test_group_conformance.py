"""The contract of `pipeline.log` about groups, kept by the log in memory and by Kafka alike."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from log_rig import GO, Broker, poll_until, values

from pipeline.kafka import KafkaLog
from pipeline.log import GroupReader, LogError, Message, TopicPartition
from pipeline.memory import MemoryGroupReader, MemoryLog


@dataclass
class Member:
    """A member of a group, and all that happened to it, in order."""

    name: str
    happened: list[tuple[str, list[tuple[str, int]]]] = field(default_factory=list)
    held: set[TopicPartition] = field(default_factory=set)
    got: list[Message] = field(default_factory=list)
    when_revoked: Callable[[], None] = lambda: None
    reader: GroupReader = field(init=False)

    def assigned(self, places: list[TopicPartition]) -> None:
        self.happened.append(("assigned", sorted(places)))
        self.held |= set(places)

    def revoked(self, places: list[TopicPartition]) -> None:
        self.when_revoked()
        self.happened.append(("revoked", sorted(places)))
        self.held -= set(places)

    def poll(self) -> None:
        for message in self.reader.poll(100, 0.05):
            assert TopicPartition(message.topic, message.partition) in self.held
            self.got.append(message)

    def done(self) -> None:
        self.reader.done({TopicPartition(each.topic, each.partition): each.offset + 1 for each in self.got})

    def numbers(self) -> set[int]:
        return {place.partition for place in self.held}


Join = Callable[..., Member]


@contextmanager
def joining(broker: Broker) -> Iterator[Join]:
    """Gives a function that lets members join the group; what still is a member at the end leaves it."""
    members: list[Member] = []

    def join(name: str, *topics: str) -> Member:
        member = Member(name)
        full = [broker.prefix + topic for topic in topics or ("t",)]
        member.reader = broker.log.group_reader(name, broker.prefix + "g", full, member.assigned, member.revoked)
        members.append(member)
        return member

    try:
        yield join
    finally:
        for member in members:
            member.reader.close()


@pytest.fixture
def join(broker: Broker) -> Iterator[Join]:
    with joining(broker) as join:
        yield join


def until(*members: Member, ready: Callable[[], bool]) -> None:
    poll_until(lambda: [member.poll() for member in members], ready)


def test_one_member_has_all_partitions_and_reads_from_the_beginning(broker: Broker, join: Join) -> None:
    broker.topic("t", 3)
    for number in range(3):
        broker.put("t", b"%d" % number, partition=number)
    only = join("a")
    until(only, ready=lambda: len(only.got) == 3)
    assert only.numbers() == {0, 1, 2}
    assert sorted(values(only.got)) == [b"0", b"1", b"2"]


def test_partitions_go_to_the_members_in_the_order_of_their_names(broker: Broker, join: Join) -> None:
    broker.topic("t", 5)
    late, early = join("b"), join("a")
    until(late, early, ready=lambda: early.numbers() == {0, 1, 2} and late.numbers() == {3, 4})
    first = join("0")
    until(late, early, first, ready=lambda: [len(each.held) for each in (first, early, late)] == [2, 2, 1])
    assert [sorted(each.numbers()) for each in (first, early, late)] == [[0, 1], [2, 3], [4]]


def test_topics_of_one_group_are_given_out_together(broker: Broker, join: Join) -> None:
    for topic in ("t", "u"):
        broker.topic(topic, 4)
    a, b = join("a", "t", "u"), join("b", "t", "u")
    until(a, b, ready=lambda: len(a.held) == 4 and len(b.held) == 4)
    both = [broker.prefix + "t", broker.prefix + "u"]
    assert a.held == {TopicPartition(topic, number) for topic in both for number in (0, 1)}
    assert b.held == {TopicPartition(topic, number) for topic in both for number in (2, 3)}


def test_a_single_partition_goes_to_the_preferred_member_whenever_it_is_there(broker: Broker, join: Join) -> None:
    broker.topic("t", 1)
    standby = join("2-node-b")
    until(standby, ready=lambda: standby.numbers() == {0})
    preferred = join("1-node-a")
    until(standby, preferred, ready=lambda: preferred.numbers() == {0})
    assert standby.numbers() == set()
    preferred.reader.close()
    until(standby, ready=lambda: standby.numbers() == {0})


def test_a_partition_is_taken_only_after_its_former_owner_was_told(broker: Broker, join: Join) -> None:
    broker.topic("t", 1)
    order: list[str] = []
    b = join("b")
    until(b, ready=lambda: b.numbers() == {0})
    b.when_revoked = lambda: order.append("b gives up")
    a = join("a")
    taken = a.assigned

    def assigned(places: list[TopicPartition]) -> None:
        order.append("a takes")
        taken(places)

    a.assigned = assigned  # type: ignore[method-assign]
    a.reader.close()
    a.reader = broker.log.group_reader("a", broker.prefix + "g", [broker.prefix + "t"], a.assigned, a.revoked)
    until(a, b, ready=lambda: a.numbers() == {0})
    assert order[0] == "b gives up"
    assert order[-1] == "a takes"


def test_who_joins_or_stays_is_a_member_by_the_time_others_are_told_and_who_leaves_is_none(
    broker: Broker, join: Join
) -> None:
    broker.topic("t", 1)
    group = broker.prefix + "g"
    assert broker.log.members(group) == []
    a = join("a")
    until(a, ready=lambda: a.numbers() == {0})
    assert broker.log.members(group) == ["a"]
    told: list[list[str]] = []
    a.when_revoked = lambda: told.append(broker.log.members(group))
    b = join("b")
    until(a, b, ready=lambda: ("assigned", []) in b.happened)
    b.reader.close()
    until(a, ready=lambda: len(a.happened) == 5)
    assert told == [["a", "b"], ["a"]]
    assert [what for what, _ in a.happened] == ["assigned", "revoked", "assigned", "revoked", "assigned"]


def test_what_is_done_is_not_read_again_and_the_rest_is(broker: Broker, join: Join) -> None:
    place = TopicPartition(broker.topic("t"), 0)
    broker.put("t", b"0", b"1", b"2", b"3")
    first = join("a")
    until(first, ready=lambda: len(first.got) == 4)
    first.reader.done({place: 2})
    first.reader.close()
    assert broker.log.committed(broker.prefix + "g", place) == 2
    second = join("b")
    until(second, ready=lambda: len(second.got) == 2)
    assert values(second.got) == [b"2", b"3"]


def test_what_a_listener_finishes_while_it_gives_up_is_done(broker: Broker, join: Join) -> None:
    place = TopicPartition(broker.topic("t"), 0)
    broker.put("t", b"0", b"1")
    first = join("b")
    until(first, ready=lambda: len(first.got) == 2)
    first.when_revoked = first.done  # it drains
    second = join("a")
    until(first, second, ready=lambda: second.numbers() == {0})
    assert broker.log.committed(broker.prefix + "g", place) == 2
    broker.put("t", b"2")
    until(first, second, ready=lambda: len(second.got) == 1)
    assert values(second.got) == [b"2"]


def test_what_is_done_too_late_is_the_next_owners(broker: Broker, join: Join) -> None:
    place = TopicPartition(broker.topic("t"), 0)
    broker.put("t", b"0", b"1")
    first = join("b")
    until(first, ready=lambda: len(first.got) == 2)
    second = join("a")
    until(first, second, ready=lambda: second.numbers() == {0} and len(second.got) == 2)
    first.done()  # raises nothing
    assert broker.log.committed(broker.prefix + "g", place) is None
    second.reader.done({place: 1})
    second.reader.close()
    assert broker.log.committed(broker.prefix + "g", place) == 1


def test_what_is_done_is_committed_without_anyone_leaving(broker: Broker, join: Join) -> None:
    place = TopicPartition(broker.topic("t"), 0)
    broker.put("t", b"0", b"1")
    only = join("a")
    until(only, ready=lambda: len(only.got) == 2)
    assert broker.log.committed(broker.prefix + "g", place) is None
    only.done()
    until(only, ready=lambda: broker.log.committed(broker.prefix + "g", place) == 2)


def test_a_group_that_does_not_exist_has_committed_nothing(broker: Broker) -> None:
    assert broker.log.committed(broker.prefix + "never", TopicPartition(broker.topic("t"), 0)) is None


def test_a_listener_that_fails_fails_the_poll(broker: Broker, join: Join) -> None:
    broker.topic("t")
    member = join("a")

    def fail(_: list[TopicPartition]) -> None:
        raise LogError("the state cannot be read")

    failing = broker.log.group_reader("b", broker.prefix + "g2", [broker.prefix + "t"], fail, member.revoked)
    with pytest.raises(LogError, match="the state cannot be read"):
        poll_until(lambda: failing.poll(10, 0.05), lambda: False)
    failing.close()


_MORTAL = """
import sys
from pipeline.kafka import KafkaLog
from pipeline.log import TopicPartition
servers, group, topic = sys.argv[1:]
reader = KafkaLog(servers).group_reader("a", group, [topic], lambda _: None, lambda _: None)
got = 0
while True:
    got += len(reader.poll(100, 0.05))
    if got == 4:
        reader.done({TopicPartition(topic, 0): 2})
        got = -1
"""


@contextmanager
def mortal_member(broker: Broker, group: str, topic: str) -> Iterator[Callable[[], None]]:
    """A member that reads four messages and is done with two; gives the function that lets it die."""
    if isinstance(broker.log, MemoryLog):
        log = broker.log
        reader = log.group_reader("a", group, [topic], lambda _: None, lambda _: None)
        assert len(reader.poll(100, 0)) == 4
        reader.done({TopicPartition(topic, 0): 2})
        yield lambda: log.expel(group, "a")
        return
    assert isinstance(broker.log, KafkaLog)
    process = subprocess.Popen([sys.executable, "-c", _MORTAL, broker.log._servers, group, topic])
    try:
        yield lambda: os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.wait(GO)


def test_the_next_owner_of_a_dead_members_partition_reads_again_what_was_not_committed(
    broker: Broker, join: Join
) -> None:
    topic = broker.topic("t")
    broker.put("t", b"0", b"1", b"2", b"3")
    pause = threading.Event()
    with mortal_member(broker, broker.prefix + "g", topic) as die:
        poll_until(
            lambda: pause.wait(0.05),
            lambda: broker.log.committed(broker.prefix + "g", TopicPartition(topic, 0)) == 2,
        )
        die()
        heir = join("b")
        until(heir, ready=lambda: len(heir.got) == 2)
    assert values(heir.got) == [b"2", b"3"]


def test_a_member_whose_session_ran_out_is_told_and_joins_again(memory: Broker) -> None:
    memory.topic("t", 1)
    memory.put("t", b"0")
    assert isinstance(memory.log, MemoryLog)
    with joining(memory) as join:
        member = join("a")
        until(member, ready=lambda: len(member.got) == 1)
        memory.log.expel("g", "a")
        member.done()
        assert memory.log.committed("g", TopicPartition("t", 0)) is None
        until(member, ready=lambda: len(member.got) == 2)
        assert [what for what, _ in member.happened] == ["assigned", "revoked", "assigned"]


def test_a_member_of_the_same_name_takes_the_place_of_a_dead_one(memory: Broker) -> None:
    memory.topic("t", 1)
    memory.put("t", b"0")
    with joining(memory) as join:
        dead = join("a")
        until(dead, ready=lambda: len(dead.got) == 1)
        again = join("a")
        until(again, ready=lambda: len(again.got) == 1)
        dead.done()
        assert memory.log.committed("g", TopicPartition("t", 0)) is None
        dead.reader.close()
        assert again.numbers() == {0}
        memory.put("t", b"1")
        until(again, ready=lambda: len(again.got) == 2)


def test_members_that_wait_for_each_other_never_hold_the_same_partition(memory: Broker) -> None:
    """Threads that join, read and leave as they like: at no time do two hold one partition."""
    memory.topic("t", 4)
    holders: dict[TopicPartition, str] = {}
    broken: list[str] = []
    lock = threading.Lock()

    def live(name: str) -> None:
        def assigned(places: list[TopicPartition]) -> None:
            with lock:
                broken.extend(f"{name} takes {place} of {holders[place]}" for place in places if place in holders)
                holders.update(dict.fromkeys(places, name))

        def revoked(places: list[TopicPartition]) -> None:
            with lock:
                for place in places:
                    if holders.pop(place, None) != name:
                        broken.append(f"{name} gives up {place}, not its own")

        for _ in range(15):
            reader = memory.log.group_reader(name, "g", ["t"], assigned, revoked)
            for _ in range(10):
                reader.poll(10, 0.001)
            reader.close()

    threads = [threading.Thread(target=live, args=(name,), daemon=True) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GO)
    assert broken == []
    assert holders == {}


def test_a_member_notices_that_one_left_and_another_came_between_two_of_its_polls(memory: Broker) -> None:
    memory.topic("t", 2)
    with joining(memory) as join:
        stays, leaves = join("b"), join("c")
        until(stays, leaves, ready=lambda: stays.numbers() == {0} and leaves.numbers() == {1})
        leaves.reader.close()
        comes = join("a")
        until(stays, comes, ready=lambda: comes.numbers() == {0} and stays.numbers() == {1})


class Waiting:
    """A lock while whose wait something happens, and that knows whether the wait was over before it and after."""

    def __init__(self, lock: threading.Condition, happens: Callable[[], None]) -> None:
        self._lock = lock
        self._happens = happens
        self.over: list[bool] = []

    def __enter__(self) -> bool:
        return self._lock.__enter__()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def notify_all(self) -> None:
        self._lock.notify_all()

    def wait_for(self, ready: Callable[[], bool], _: float) -> bool:
        self.over.append(ready())
        self._happens()
        self.over.append(ready())
        return self.over[-1]


@pytest.mark.parametrize("again", [False, True])
def test_who_waits_for_a_partition_goes_on_when_it_is_given_up_or_the_group_is_shared_out_anew(
    memory: Broker, again: bool
) -> None:
    memory.topic("t", 1)
    assert isinstance(memory.log, MemoryLog)
    log = memory.log
    with joining(memory) as join:
        holder = join("b")
        until(holder, ready=lambda: holder.numbers() == {0})
        waits = join("a")
        reader = holder.reader
        assert isinstance(reader, MemoryGroupReader)
        waiting = Waiting(log.changed, (lambda: log.leave(log._groups["g"], "b")) if again else reader._let_go)
        log.changed = waiting  # type: ignore[assignment]
        waits.poll()
        assert waiting.over[:2] == [False, True]  # whatever else it then waits for
        log.changed = waiting._lock
        until(waits, ready=lambda: waits.numbers() == {0})
