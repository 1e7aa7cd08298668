"""A service of the development installation in this process, on a broker in memory."""

import gc
import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

import wiring
from ops.installations import DEVELOPMENT
from ops.ports import HOST
from pipeline.clock import MACHINE
from pipeline.config import load
from pipeline.log import NewTopic
from pipeline.memory import MemoryLog
from pipeline.topic_faults import Difference, differences
from schemas.installation import Installation
from wiring import Process

PREFIX = "x-"
SERVICE, NODE = "router", "n1"
ENVIRONMENT = {"DENBUN_KAFKA__TOPIC_PREFIX": PREFIX}
INSTALLATION = load(Installation, DEVELOPMENT, ENVIRONMENT)


class MemoryBroker(MemoryLog):
    """A `MemoryLog` that does what commands and probes ask of a broker, too. `told` is its trouble."""

    told: str | None = None

    def reach(self) -> None:
        """It is there."""

    def trouble(self) -> str | None:
        return self.told

    def mend(self, topics: Iterable[NewTopic]) -> list[Difference]:
        wanted = {topic.name: topic for topic in topics}
        unlike = [each for each in differences(wanted.values(), self.found(wanted), 1) if each.mendable]
        for each in unlike:
            self.alter(each.topic, each.entry, each.wanted)
        return unlike

    def alter(self, topic: str, entry: str, value: str) -> None:
        """Let somebody set an entry of a topic."""
        self._configs[topic][entry] = value


def with_topics(broker: MemoryBroker) -> MemoryBroker:
    """It, with every topic of the installation as wanted."""
    broker.create(wiring.wanted_topics(INSTALLATION))
    return broker


@contextmanager
def _as_it_was() -> Iterator[None]:
    """What a service sets for its whole process is set back."""
    root, asyncio_log, often = logging.getLogger(), logging.getLogger("asyncio"), gc.get_threshold()
    handlers, levels = list(root.handlers), (root.level, asyncio_log.level)
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(levels[0])
        asyncio_log.setLevel(levels[1])
        gc.set_threshold(*often)
        gc.unfreeze()


def run_on(
    broker: MemoryBroker,
    work: Callable[[Process], object],
    *argv: str,
    file: Path = DEVELOPMENT,
    node: str | None = NODE,
    metrics_port: int = 0,
) -> int:
    """Run `work` as the router of a node of the installation; gives the exit status. `metrics_port`: in the file."""

    def whole(process: Process) -> int:
        work(process)
        return 0

    named = () if node is None else ("--node", node)
    with pytest.MonkeyPatch.context() as patch, _as_it_was():
        for name in [name for name in os.environ if name.startswith("DENBUN_")]:
            patch.delenv(name)
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.setattr(MACHINE, "shift_file", None)
        patch.setattr(wiring, "KafkaLog", lambda *_, **__: broker)
        return wiring.run(SERVICE, ["--config", str(file), *named, *argv], whole, metrics_port=lambda _: metrics_port)


def get(port: int, path: str) -> tuple[int, str]:
    """The status and the body that a service answers."""
    connection = HTTPConnection(HOST, port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def troubles(port: int, path: str) -> dict[str, str]:
    """What a probe is told is wrong."""
    status, body = get(port, path)
    told = json.loads(body)
    assert told["ok"] == (status == 200) == (not told["troubles"])
    return dict(told["troubles"])
