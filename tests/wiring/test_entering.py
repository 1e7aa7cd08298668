"""A service that enters has looked at its topics, told its schemas, learned the broker's time, and is alone."""

import json
from types import SimpleNamespace

import pytest
from memory_service import INSTALLATION, NODE, PREFIX, SERVICE, MemoryBroker, run_on, with_topics

from pipeline.log import Done, Outgoing
from pipeline.memory import MemorySender
from pipeline.service import FAILED, OK
from schemas import wire
from schemas.records import ClockTold
from wiring import Process

GROUP = f"{PREFIX}router"
SESSION_S = INSTALLATION.kafka.session_timeout_ms / 1000
NEVER_S = float("inf")
TWIN = f"{SERVICE}-{NODE}"
REFUSED = (
    f"{SERVICE}: node {NODE} runs already ({TWIN} is a member of {GROUP}): end that one, or give this one another "
    "--node\n"
)


@pytest.fixture
def broker() -> MemoryBroker:
    return with_topics(MemoryBroker())


def enter(process: Process) -> None:
    process.enters(GROUP)


def join(broker: MemoryBroker, member: str, group: str = GROUP) -> None:
    broker.group_reader(member, group, [f"{PREFIX}requests"], lambda _: None, lambda _: None)


class Passing:
    """The time of who waits for a twin: it only goes on by sleeping. At `leaves_s` the twin's session runs out."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, broker: MemoryBroker, leaves_s: float) -> None:
        self._broker = broker
        self._leaves_s = leaves_s
        self._now_s = 0.0
        monkeypatch.setattr("wiring.twins.time", SimpleNamespace(monotonic=lambda: self._now_s, sleep=self._sleep))

    def _sleep(self, seconds: float) -> None:
        before_s, self._now_s = self._now_s, self._now_s + seconds
        if before_s < self._leaves_s <= self._now_s:
            self._broker.expel(GROUP, TWIN)


# --- its topics


def test_nothing_is_entered_on_a_topic_that_the_service_cannot_rest_on(
    broker: MemoryBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    broker.alter(f"{PREFIX}transactions", "cleanup.policy", "delete")
    assert run_on(broker, enter) == FAILED
    assert capsys.readouterr().err == (
        f"{SERVICE}: topic {PREFIX}transactions: cleanup.policy: found delete, wanted compact\n"
        "nothing was read or written: mend the topics first (`denbun topics create --alter`)\n"
    )
    assert broker.everything(f"{PREFIX}schemas") == broker.everything(f"{PREFIX}clocks") == []


def test_who_has_entered_has_told_the_schemas_that_it_writes_with(broker: MemoryBroker) -> None:
    assert run_on(broker, enter) == OK
    there = {message.key: json.loads(message.value or b"") for message in broker.everything(f"{PREFIX}schemas")}
    assert there == {print_: json.loads(text) for print_, text in wire.current_schemas().items()}


# --- the broker's time


def test_who_has_entered_knows_the_broker_s_time(broker: MemoryBroker) -> None:
    known = []

    def work(process: Process) -> None:
        known.append(process.clock.known)
        enter(process)
        known.append(process.clock.known)

    assert run_on(broker, work) == OK
    assert known == [False, True]


def test_a_process_tells_of_its_clock_under_its_service_and_node(broker: MemoryBroker) -> None:
    assert run_on(broker, enter) == OK
    first = broker.everything(f"{PREFIX}clocks")[0]
    assert first.key == TWIN.encode()
    told = wire.decode(first)
    assert isinstance(told, ClockTold)
    assert (told.service, told.node, told.off_ms) == (SERVICE, NODE, None)


class Silent(MemoryBroker):
    """A broker that acknowledges nothing to senders."""

    def sender(self, name: str) -> MemorySender:  # noqa: ARG002  the contract's
        return Unheard(self)


class Unheard(MemorySender):
    """What it is given is lost."""

    def send(self, message: Outgoing, done: Done) -> None:
        """Nobody hears of it."""


def test_a_broker_that_tells_no_time_keeps_the_process_out_and_it_says_whose_clock_waited(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipeline.clock._LIMIT_S", 0.0)
    assert run_on(with_topics(Silent()), enter) == FAILED
    assert capsys.readouterr().err == f"{SERVICE}: {TWIN}-clock: the broker has not answered for 0 s\n"


# --- its twin


@pytest.mark.parametrize("groups", [(GROUP,), ("another", GROUP)])
def test_a_process_of_its_node_in_any_of_its_groups_keeps_it_out(
    groups: tuple[str, ...],
    broker: MemoryBroker,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Passing(monkeypatch, broker, leaves_s=NEVER_S)
    join(broker, TWIN)
    assert run_on(broker, lambda process: process.enters(*groups)) == FAILED
    assert capsys.readouterr().err == REFUSED


def test_a_process_of_its_node_in_another_group_is_no_twin(broker: MemoryBroker) -> None:
    join(broker, TWIN, "another")
    assert run_on(broker, enter) == OK


def test_a_process_of_another_node_is_no_twin(broker: MemoryBroker) -> None:
    join(broker, f"{SERVICE}-n2")
    assert run_on(broker, enter) == OK


def test_it_waits_for_its_dead_predecessor_as_long_as_a_session_of_the_installation_lasts(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    join(broker, TWIN)
    Passing(monkeypatch, broker, leaves_s=SESSION_S)
    assert run_on(broker, enter) == OK
    assert broker.members(GROUP) == []


def test_it_waits_no_longer_for_a_twin_than_a_session_and_a_moment(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    join(broker, TWIN)
    Passing(monkeypatch, broker, leaves_s=SESSION_S + 2.0)
    assert run_on(broker, enter) == FAILED
    assert capsys.readouterr().err == REFUSED


# --- entered or not


@pytest.mark.parametrize("twin", [False, True])
def test_only_who_is_let_in_has_entered(twin: bool, broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    Passing(monkeypatch, broker, leaves_s=NEVER_S)
    if twin:
        join(broker, TWIN)
    seen: list[Process] = []

    def work(process: Process) -> None:
        seen.append(process)
        enter(process)

    assert run_on(broker, work) == (FAILED if twin else OK)
    assert seen[0].entered.is_set() == (not twin)
