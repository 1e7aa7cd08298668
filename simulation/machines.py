"""The machines of the gateway: on each a router, a cancel service, an egress and an ingress, and what restarts them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from egress.config import Settings as EgressSettings
from egress.shell import EgressServer
from faults import shell as faults_shell
from faults.__main__ import trouble_codes
from faults.config import Settings as FaultsSettings
from ingress.config import Settings as IngressSettings
from ingress.shell import IngressServer
from ops.installations import DEVELOPMENT
from pipeline.clock import Clock, ClockWatch
from pipeline.config import load
from pipeline.log import LogError, NewTopic
from router import shell as router_shell
from router.config import Settings as RouterSettings
from schemas.installation import Installation
from schemas.sealing import PURPOSES, KeyRing
from schemas.telegrams import PartnerSpec
from schemas.topics import Topics
from simulation import standins
from simulation.broker import SESSION_US, Broker
from simulation.log import SimLog
from simulation.loop import SimLoop
from simulation.network import CALLER, Network
from simulation.standins import SILENT
from simulation.world import MS, Node, Process, Strand, World
from wiring import watch_of

NODES = ("node0", "node1")
SERVICES = ("router", "faults", "egress", "ingress")
DOOR = 7_010
PARTITIONS = 3
CLOCK_TOLERANCE_MS = 500
CENTRE = "centre"
RING = KeyRing(
    {f"{purpose}-1": purpose.encode().ljust(32, b"-") for purpose in PURPOSES},
    {f"{purpose}-1": purpose for purpose in PURPOSES},
    {purpose: f"{purpose}-1" for purpose in PURPOSES},
)

_STOP_US = 12_000 * MS  # who has not ended by then is killed
_WAITS: Mapping[str, Any] = {
    "ingress": {"gone_after_ms": 300, "drain_ms": 2_000, "wait_max_ms": 10_000, "idle_timeout_ms": 20_000},
    "router": {"report_grace_ms": 1_500, "confirm_ms": 1_500, "confirm_grace_ms": 1_000},
    "egress": {
        "look_back_ms": 60_000, "reconnect_ms": 200, "reconnect_max_ms": 400, "dials_per_minute": 1_000,
        "strays_per_minute": 60,
        "connect_timeout_ms": 1_000, "opening_timeout_ms": 1_000,
        "closing_timeout_ms": 800, "drain_ms": 1_500, "probe_idle_ms": 2_000, "probe_timeout_ms": 1_000,
        "close_limit_ms": 3_000, "hand_over_ms": 3_000,
        "breaker": {"silences": 3, "errors": 4, "rest_ms": 500, "rest_max_ms": 2_000, "probe_ms": 200, "probes": 2},
    },
    "faults": {"grace_ms": 1_500},
}  # fmt: skip
_PARTNER: Mapping[str, Any] = {
    "send_window_ms": 2_000,
    "report_timeout_ms": 800,
    "cancel": {
        "send_window_ms": 2_000,
        "report_timeout_ms": 800,
        "commands_max": 4,
        "silence_pause_ms": 100,
        "trouble_pause_ms": 300,
        "troubles_max": 2,
        "unsent_pause_ms": 300,
        "unsent_max": 60,
    },
    "breaker": {"silences": 4, "errors": 5, "rest_ms": 500, "rest_max_ms": 2_000, "probes": 2},
}
_LINES: Mapping[int, Sequence[tuple[str, str, str]]] = {
    1: (("cafis-1", "cafis", "dial"), ("cardnet-1", "cardnet", "listen")),
    2: (
        ("cafis-1", "cafis", "dial"),
        ("cafis-2", "cafis", "listen"),
        ("cardnet-1", "cardnet", "listen"),
        ("cardnet-2", "cardnet", "dial"),
    ),
}


_CARRIES = {"partner": "cardnet", "code": "JCN1", "company_code": "200009"}


@dataclass(frozen=True, slots=True)
class Plant:
    """What an installation consists of, read once: per node, for what a line listens on is the node's own."""

    installation: Installation
    topics: Topics
    router: RouterSettings
    faults: FaultsSettings
    ingress: Mapping[str, IngressSettings]
    egress: Mapping[str, EgressSettings]

    @property
    def lines(self) -> list[str]:
        return [line.name for line in self.installation.line]


@cache
def _partners() -> Mapping[str, PartnerSpec]:
    return EgressSettings.from_installation(load(Installation, DEVELOPMENT)).partners


@cache
def _trouble_codes() -> Mapping[str, frozenset[str]]:
    return trouble_codes(load(Installation, DEVELOPMENT))


@cache
def plant(lines: int, routes: int, *, carries: bool = False) -> Plant:
    """The installation with so many lines a partner and so many routes a line.

    `carries`: those of CAFIS carry CARDNET's telegrams too, or alone where it would have but one line.
    """
    wanted = [each for each in _LINES[lines] if not (carries and lines == 1 and each[1] == _CARRIES["partner"])]
    base = load(Installation, DEVELOPMENT).model_dump(mode="json")
    for section, values in _WAITS.items():
        base[section] |= values
    for partner in base["partner"]:
        partner.update(_PARTNER)
    base["clock_tolerance_ms"] = CLOCK_TOLERANCE_MS
    base["kafka"] |= {"partitions": PARTITIONS, "session_timeout_ms": SESSION_US // MS}
    by_node = {}
    for node in NODES:
        base["ingress"] |= {"host": node, "port": DOOR, "slots": len(NODES)}
        base["line"] = [
            {
                "name": name, "partner": partner, "mode": mode, "host": node if mode == "listen" else CENTRE,
                "port": 7_210 + number, "station_id": f"DNB{number + 1:05}", "company_code": f"{100_001 + number}",
                "routes": [1, routes], "peers": [CALLER] if mode == "listen" else [],
                "carries": [_CARRIES] if carries and partner != _CARRIES["partner"] else [],
            }
            for number, (name, partner, mode) in enumerate(wanted)
        ]  # fmt: skip
        by_node[node] = Installation.model_validate(base)
    first = by_node[NODES[0]]
    return Plant(
        installation=first,
        topics=Topics(),
        router=RouterSettings.from_installation(first),
        faults=FaultsSettings.from_installation(first, _trouble_codes()),
        ingress={node: IngressSettings.from_installation(each, _partners()) for node, each in by_node.items()},
        egress={
            node: EgressSettings(each.line, _partners(), each.egress, clock_tolerance_ms=each.clock_tolerance_ms)
            for node, each in by_node.items()
        },
    )


class Machines:
    """All processes of the gateway, by node and service."""

    def __init__(self, world: World, broker: Broker, network: Network, plant: Plant) -> None:
        self.world = world
        self.broker = broker
        self.network = network
        self.plant = plant
        self.nodes = {name: Node(name) for name in NODES}
        self.nodes[NODES[1]].rank = 1
        self.running: dict[tuple[str, str], Process] = {}
        self.down: dict[str, None] = {}  # nodes without power
        self.restart_us = (100 * MS, 2_000 * MS)
        self.egress: dict[Process, EgressServer] = {}
        self._stops: dict[Process, Callable[[], None]] = {}
        installation = plant.installation
        wanted = plant.topics.creations(plant.lines, installation.kafka.partitions, installation.ingress.slots)
        broker.create(NewTopic(each.name, each.partitions, each.config) for each in wanted)

    def start_all(self) -> None:
        """Start every service on every node, one soon after the other."""
        for node in NODES:
            for service in SERVICES:
                self.world.after(self.world.between(0, 300 * MS), None, self.start, node, service)

    def start_on(self, node: str) -> None:
        """Start what does not run on a node."""
        for service in SERVICES:
            self.world.after(self.world.between(*self.restart_us), None, self.start, node, service)

    def start(self, node: str, service: str) -> None:
        """Start a service that does not run."""
        if (node, service) in self.running or node in self.down:
            return
        process = Process(self.world, f"{service}@{node}", self.nodes[node])
        self.running[node, service] = process
        process.at_end.append(lambda: self._ended(process, node, service))
        log = SimLog(self.broker, process)
        match service:
            case "router" | "faults":
                self._threaded(process, log, service)
            case "egress":
                self._looped(process, log, lambda clock: EgressServer(
                    self.plant.egress[node], log, self.plant.topics, RING, SILENT,
                    node=node, rank=process.node.rank, now_ms=clock.now_ms, clock_trouble=clock.trouble,
                ))  # fmt: skip
            case _:
                self._looped(process, log, lambda clock: IngressServer(
                    self.plant.ingress[node], log, self.plant.topics, RING,
                    slot=process.node.rank, node=node, registry=SILENT, now_ms=clock.now_ms,
                ))  # fmt: skip

    def _watch(self, process: Process, log: SimLog) -> tuple[Clock, ClockWatch]:
        """The process' idea of the broker's time, and what keeps it."""
        clock = Clock(self.plant.installation.clock_tolerance_ms)
        service, _, node = process.name.partition("@")
        return clock, watch_of(clock, log, self.plant.topics, service, node)

    def _threaded(self, process: Process, log: SimLog, service: str) -> None:
        stop: Any = standins.Event()
        self._stops[process] = stop.set

        def work() -> None:
            plant, node = self.plant, process.node.name
            clock, watch = self._watch(process, log)
            try:
                watch.start()
                if service == "router":
                    router_shell.run(plant.router, log, plant.topics, node, SILENT, stop, clock.now_ms)
                else:
                    faults_shell.run(plant.faults, log, plant.topics, node, SILENT, stop, clock.now_ms)
            except LogError as error:
                self._failed(process, error)
            self._leave(process)

        Strand(process, work, "main")

    def _looped(self, process: Process, log: SimLog, make: Callable[[Clock], EgressServer | IngressServer]) -> None:
        loop = SimLoop(process, self.network)

        async def serve() -> None:
            stop = asyncio.Event()
            self._stops[process] = lambda: loop.call_soon(stop.set) and None
            clock, watch = self._watch(process, log)
            server = make(clock)
            if isinstance(server, EgressServer):
                self.egress[process] = server
            try:
                await asyncio.to_thread(watch.start)
                await server.start()
            except (LogError, OSError) as error:
                self._failed(process, error)
                return self._leave(process)
            stopping = loop.create_task(stop.wait())
            await asyncio.wait((stopping, server.failed), return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            try:
                await server.stop()
                if server.failed.done():
                    server.failed.result()
            except (LogError, OSError) as error:
                self._failed(process, error)
            return self._leave(process)

        async def whole() -> None:
            try:
                await serve()
            except Exception as error:  # noqa: BLE001  told, and the run fails
                self.world.trouble(process, error)

        loop.call_soon(lambda: loop.create_task(whole()))

    def held_routes(self) -> dict[tuple[str, int], str]:
        """The routes that the lines' owners hold now, and for which transactions."""
        held = {}
        for server in self.egress.values():
            for owner in server._owners.values():  # noqa: SLF001  what a line knows, no topic tells
                if owner._tenure is not None:  # noqa: SLF001
                    for route, transaction_id in owner._tenure._core.routes._held.items():  # noqa: SLF001
                        held[owner._line.name, route] = transaction_id  # noqa: SLF001
        return held

    # --- ends

    def _failed(self, process: Process, error: Exception) -> None:
        self.world.counters["services that gave up"] += 1
        self.world.note(process, f"gives up: {type(error).__name__}: {error}")

    def _leave(self, process: Process) -> None:
        """The process has done its work, and ends."""
        self.world.note(process, "ends")
        process.kill()

    def _ended(self, process: Process, node: str, service: str) -> None:
        del self.running[node, service]
        self._stops.pop(process, None)
        self.egress.pop(process, None)
        self.broker.watch(process)
        self.world.after(self.world.between(*self.restart_us), None, self.start, node, service)

    def stop(self, process: Process) -> None:
        """End it as SIGTERM does; after a while, as SIGKILL."""
        stop = self._stops.get(process)
        if stop is None:
            process.kill()
            return
        self.world.after(0, process, stop)
        self.world.after(_STOP_US, None, self._stop_at_last, process)

    def _stop_at_last(self, process: Process) -> None:
        if not process.dead:
            self.world.note(process, "has not stopped, and is killed")
            process.kill()
