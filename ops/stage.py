"""The whole gateway on this machine: broker, simulated centres, and every service of every node, a process each."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from client import SyncClient
from ops.broker import KAFKA_PORT, Broker, Cluster, Way, least_session_ms
from ops.folder_lock import FolderLock
from ops.installations import LINES, LinePlan, Plan, node_named, write
from ops.interrupts import held
from ops.ports import HOST, format_address, free_port, is_free, settled_port
from ops.processes import Process, aborted, service, version_of
from ops.proxy_control import ProxyControl
from ops.reading import Ends, ends, read_topics
from ops.supervising import Kept, kept_broker, kept_process
from pipeline.clock import SHIFT_FILE
from pipeline.config import load
from pipeline.kafka import KafkaLog
from schemas import wire
from schemas.installation import Installation
from schemas.records import LineStage, LineState, LineWish
from schemas.topics import Topics
from simulator.control import Control, ControlError
from wiring import create_topics, kafka_log, mend_topics

Say = Callable[[str], None]

_REST_LOOK_S = 1.0  # between two looks at what lines are wished to be: it means to read their topic

SERVICES = ("router", "faults", "egress", "ingress")  # in the order of starting; they are ended the other way round


class Stage:
    """What runs. Made by `playing`; everything lies in `folder`."""

    def __init__(
        self, folder: Path, plan: Plan, nodes: int, *, story: bool = True, record: bool = False,
        brokers: Sequence[Broker] = (),
    ) -> None:  # fmt: skip
        self.folder = folder
        self.plan = plan
        found = load(Installation, plan.file)
        directly = {"kafka": found.kafka.model_copy(update={"bootstrap_servers": plan.servers})}
        self.installation = found.model_copy(update=directly)
        self.topics = Topics(self.installation.kafka.topic_prefix)
        self.log: KafkaLog = kafka_log(self.installation.kafka)
        owners = dict.fromkeys(line.partner for line in self.installation.line)
        self.centres = {partner: self._centre(partner, story=story, record=record) for partner in owners}
        self.brokers = list(brokers)  # those that are this stage's own
        self.proxies = [self._proxy()] if plan.detours else []
        ways = [way for broker in self.brokers for way in broker.ways]
        self.ways = [self._way(node, way) for node, way in enumerate(ways)]  # by node, where it has one of its own
        self.services: dict[str, Process] = {}
        self.nodes = nodes
        for number in range(nodes):
            for name in SERVICES:
                self.services[f"{name}-{number}"] = self._service(name, number)

    # --- processes

    def _centre(self, partner: str, *, story: bool, record: bool) -> Process:
        plan = self.plan
        listen = [part for port in plan.centre_ports[partner] for part in ("--listen", f"{HOST}:{port}")]
        dial = [part for line in plan.called[partner] for part in ("--dial", ",".join(map(format_address, line)))]
        control = ["--control", f"{HOST}:{plan.control_ports[partner]}"]
        lines = [line for line in self.installation.line if line.partner == partner]
        carried = dict.fromkeys(f"{each.code}={each.partner}" for line in lines for each in line.carries)
        carries = [part for each in carried for part in ("--carries", each)]
        command = [sys.executable, "-m", "simulator", "--partner", partner, *listen, *dial, *control, *carries]
        if partner in plan.page_ports:
            command += ["--http", f"{HOST}:{plan.page_ports[partner]}"]
        if not story:
            command.append("--no-story")
        if record:
            command.append("--record")

        def ready() -> bool:
            try:
                with self.control(partner) as asked:
                    return bool(asked.ping())
            except ControlError:
                return False

        return Process(f"centre {partner}", command, self.folder / "logs" / f"centre-{partner}.log", ready)

    def _service(self, name: str, node: int, python: str = sys.executable) -> Process:
        """One service of one node, of the version that this interpreter runs."""
        full = f"{name}-{node}"
        log = self.folder / "logs" / f"{full}.log"
        made = service(full, name, self._arguments(name, node), log, self.plan.metrics[full], python)
        made.environment[SHIFT_FILE] = str(self.clock_of(full))
        return made

    def clock_of(self, full: str) -> Path:
        """The file that says by how many milliseconds this service's clock is wrong."""
        return self.folder / "clocks" / full

    def _arguments(self, name: str, node: int) -> list[str]:
        arguments = ["--config", str(self.plan.file_of(node)), "--node", node_named(node)]
        return [*arguments, "--slot", str(node)] if name == "ingress" else arguments

    def _proxy(self) -> Process:
        """The one process that all lines go through."""
        port = free_port()
        command = [sys.executable, "-m", "ops.line_proxy", "--control", f"{HOST}:{port}"]
        for detour in self.plan.detours:
            way = "gateway" if detour.gateway_calls else "centre"
            calls = ",".join(map(format_address, detour.calls))
            command += ["--line", f"{detour.line}:{detour.partner}:{way}:{detour.awaits}:{calls}"]
        self._proxy_port = port

        def ready() -> bool:
            with self.proxy() as asked:
                return asked.count() >= 0

        return Process("line proxy", command, self.folder / "logs" / "line-proxy.log", ready)

    def _way(self, node: int, way: Way) -> Process:
        """What a node reaches the broker through."""
        command = [sys.executable, "-m", "ops.forwarder", "--listen", f"{HOST}:{way.awaits}"]
        command += ["--to", f"{HOST}:{way.leads_to}"]
        log = self.folder / "logs" / f"way-{node}.log"
        return Process(f"way {node}", command, log, lambda: not is_free(way.awaits))

    def start(self, say: Say) -> None:
        """Start everything and wait until it does its work. Raises `ProcessError`, `LogError`, `OSError`."""
        say("creating the topics")
        if self.brokers:  # its own, on which an earlier version may have made them otherwise
            mend_topics(self.installation, self.log)
        create_topics(self.installation, self.log)
        before = ends(self.installation.kafka, [self.topics("lines")])
        say("starting the centres and the services")
        everything = (*self.ways, *self.proxies, *self.centres.values(), *self.services.values())
        for process in everything:
            process.start()
        for process in everything:
            process.wait_ready()
        say("opening the lines 開局")
        self.wait_open(len(self.installation.line), closed=lambda: self.closed_as_wished(before))
        for state in self.closed_as_wished(before):
            say(
                f"回線 {state.line} は閉局のまま（{state.wished_by}）  line {state.line} stays closed, as wished by "
                f"{state.wished_by}: denbun lines open {state.line}"
            )

    def end(self, full: str) -> None:
        """End one service in order."""
        self.services[full].stop()

    def begin(self, full: str, python: str) -> None:
        """Start one service that was ended, of the version that this interpreter runs. Raises `ProcessError`."""
        name, _, node = full.rpartition("-")
        self.services[full] = self._service(name, int(node), python)
        self.services[full].start()
        self.services[full].wait_ready()

    def check_command(self, full: str, python: str) -> list[str]:
        """What says whether a service of that version would take its configuration."""
        name, _, node = full.rpartition("-")
        return [*version_of(python), name, *self._arguments(name, int(node)), "--check"]

    def stop(self) -> None:
        """End everything in order: the doors first, the centres last."""
        with held():
            for name in reversed(SERVICES):
                some = [process for full, process in self.services.items() if full.startswith(f"{name}-")]
                _end(some)
            _end([*self.centres.values(), *self.proxies, *self.ways])

    def kept(self) -> list[Kept]:
        """Everything that is to run, for `ops.supervising`."""
        processes = (*self.ways, *self.proxies, *self.centres.values(), *self.services.values())
        return [*map(kept_broker, self.brokers), *map(kept_process, processes)]

    def aborted(self) -> list[str]:
        """The services that a signal has ended which nobody sent, in words; of each the last of its lives."""
        return [told for process in self.services.values() if (told := aborted(process)) is not None]

    # --- what its users need

    def keepers(self, partner: str) -> list[str]:
        """Those whose centres have books of this partner: itself, and whose lines carry its telegrams."""
        lines = self.installation.line
        return [
            name for name in self.centres if any(name == line.partner and partner in line.partners for line in lines)
        ]

    def control(self, partner: str, keeper: str | None = None) -> Control:
        """A connection to the commands about a partner, of the centre of this keeper of its books or of the first.

        Raises `ControlError`.
        """
        where = keeper or (partner if partner in self.centres else self.keepers(partner)[0])
        return Control(HOST, self.plan.control_ports[where], partner=partner)

    def proxy(self) -> ProxyControl:
        """A connection to the commands of the proxy between lines and centres. Raises `OSError`."""
        return ProxyControl(HOST, self._proxy_port)

    def closed_as_wished(self, since: Ends) -> list[LineState]:
        """The lines that are closed and are to be: an operator's order holds beyond a restart; told since then."""
        topic = self.topics("lines")
        told = read_topics(self.installation.kafka, [topic], after=since)[topic]
        last = {each.line: each for each in map(wire.decode, told) if isinstance(each, LineState)}
        return [each for each in last.values() if (each.stage, each.wish) == (LineStage.CLOSED, LineWish.CLOSED)]

    def wait_open(
        self, count: int, limit_s: float = 20.0, *, closed: Callable[[], Iterable[LineState]] = tuple
    ) -> None:
        """Until the centres see so many open lines, but for those that are closed as wished. Raises `TimeoutError`."""
        until = time.monotonic() + limit_s
        look_at = time.monotonic() + _REST_LOOK_S
        while (found := self.open_lines()) < count:
            for process in (*self.centres.values(), *self.services.values()):
                if process.running:
                    continue
                process.check()
            if time.monotonic() > look_at:
                if found + len(list(closed())) >= count:
                    return
                look_at = time.monotonic() + _REST_LOOK_S
            if time.monotonic() > until:
                raise TimeoutError(f"{found} of {count} lines are open after {limit_s:g} s: see {self.folder / 'logs'}")
            time.sleep(0.02)

    def open_lines(self) -> int:
        """How many lines the centres see open."""
        opened = 0
        for partner in self.centres:
            with contextlib.suppress(ControlError), self.control(partner) as control:
                opened += len(control.ping()["open"])
        return opened

    def client(self, partner: str, slot: int | None = None) -> SyncClient:
        """A session of the customer whose requests go to this partner. Raises `client.ConnectError`."""
        customer = self.plan.customers[partner]
        doors = self.plan.doors if slot is None else [self.plan.doors[slot]]
        return SyncClient(doors, customer=customer, token=self.plan.tokens[customer])


@contextlib.contextmanager
def playing(
    folder: Path, *, servers: str | None = None, prefix: str = "", nodes: int = 1, kafka_port: int | None = None,
    lines: Sequence[LinePlan] | Callable[[], Sequence[LinePlan]] = LINES,
    waits: Mapping[str, Any] | None = None, settle: bool = False, pages: bool = False, story: bool = True,
    record: bool = False, brokers: int = 1, detoured: bool = False, ways: bool = False, say: Say = lambda _: None,
) -> Iterator[Stage]:  # fmt: skip
    """The whole gateway from start to stop, on `servers` or on embedded brokers; `story`: the centres keep one.

    `record`: with the bytes and the time of each telegram, card data in clear.

    `detoured`: between lines and centres stands `ops.line_proxy`. `ways`: each node reaches the one embedded broker by
    a way of its own, `ops.forwarder`. A function in place of `lines` is called when they are written down, so that what
    is in them may count from then.

    `settle`, `pages`: as in `ops.installations.write`. The folder is locked meanwhile. Raises `FolderTakenError`.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(FolderLock(folder, say))
        own: list[Broker] = []
        least = 0 if servers is None else least_session_ms(servers)
        if servers is None:
            if settle:
                kafka_port = kafka_port or settled_port(KAFKA_PORT, "Kafka", say=say)
            alone = Broker(folder / "kafka", kafka_port, ways=nodes if ways else 0) if brokers == 1 else None
            kafka = alone or Cluster(folder / "kafka", brokers)
            stack.callback(kafka.stop)
            kafka.start(say)
            servers = kafka.servers
            own = [kafka] if isinstance(kafka, Broker) else kafka.brokers
        plan = write(
            folder, servers, prefix=prefix, nodes=nodes, lines=lines() if callable(lines) else lines, waits=waits,
            settle=settle, pages=pages, say=say, replication=max(1, len(own)), detoured=detoured,
            servers_of=[f"{HOST}:{way.awaits}" for broker in own for way in broker.ways],
            least_session_ms=least,
        )  # fmt: skip
        stage = Stage(folder, plan, nodes, story=story, record=record, brokers=own)
        stack.callback(stage.stop)
        stage.start(say)
        yield stage


def _end(processes: Sequence[Process]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.stop()
