"""The partners' centres, with their sockets; nothing befalls them but what their rules and the plan say."""

from collections.abc import Mapping, Sequence

import msgspec

from simulation.loop import SimLoop
from simulation.machines import CENTRE, NODES, Plant
from simulation.network import Network
from simulation.world import Node, Process, World
from simulator.centre import Centre
from simulator.ledger import Broken, Ledger
from simulator.rules import Rule, Rules
from simulator.server import Addresses, CentreServer

_GARBAGE = b"\xff\x00 no telegram"


class _Watched(Ledger):
    """Books that raise the alarm at the first violation."""

    def __init__(self, process: Process) -> None:
        super().__init__()
        self._process = process

    def violation(self, broken: Broken, station: str, text: str) -> None:
        super().violation(broken, station, text)
        self._process.world.trouble(self._process, f"{broken} by {station}: {text}")


class CentreProcess:
    """One partner's centre."""

    def __init__(self, world: World, network: Network, plant: Plant, name: str, rules: Sequence[Rule]) -> None:
        self.name = name
        self.process = Process(world, name, Node(CENTRE), fragile=False)
        self.centre = Centre(plant.egress[NODES[0]].partners[name], Rules(tuple(rules)), story=False)
        self.centre.ledger = _Watched(self.process)
        lines = [line for line in plant.installation.line if line.partner == name]
        listen = [(CENTRE, line.port) for line in lines if line.mode == "dial"]
        dial = [[(node, line.port)] for line in lines if line.mode == "listen" for node in NODES]
        self.server = CentreServer(self.centre, Addresses(listen, dial, (CENTRE, 0)))
        self._loop = SimLoop(self.process, network)
        self._loop.call_soon(lambda: self._loop.create_task(self.server.start()))

    @property
    def open(self) -> set[str]:
        """The stations that are open."""
        return {each.station.name for each in self.server.connections.values() if each.station.open}

    def command(self, **command: object) -> None:
        """Tell it something over its control port."""
        line = msgspec.json.encode(command)
        self._loop.call_soon(lambda: self._loop.create_task(self.server.desk.answer(line)))

    def flood(self, count: int, number: int) -> None:
        """Send so many telegrams that mean nothing over one of its lines."""
        garbage = self.centre.partner.framing.wrap(_GARBAGE) * count

        def pour() -> None:
            there = list(self.server.connections.values())
            if there:
                there[number % len(there)].transport.write(garbage)

        self._loop.call_soon(pour)

    def rows(self) -> list[Mapping[str, object]]:
        """Its books."""
        return [dict(row) for row in self.centre.ledger.rows()]

    def violations(self) -> list[Mapping[str, object]]:
        """The rules that were broken."""
        return [msgspec.to_builtins(each) for each in self.centre.ledger.violations]
