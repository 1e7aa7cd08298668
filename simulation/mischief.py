"""Who does mischief to the world: at steps of processes, and at times; until it is told to stop."""

from collections.abc import Callable, Mapping, Sequence

from pipeline.log import Outgoing
from schemas import wire
from schemas.records import LineOrder, LineOrdered
from simulation.broker import SESSION_US, Broker, Partition, Weather
from simulation.centres import CentreProcess
from simulation.clients import Merchants
from simulation.machines import Machines
from simulation.network import Network
from simulation.plan import Mischief, Plan
from simulation.world import MS, Node, Process, World

_SHORT_US = (20 * MS, 900 * MS)
_LONG_US = (SESSION_US + 50 * MS, 5_000 * MS)
_RIGHT_MS = 300  # a clock that is off by no more is taken for right
_WRONG_MS = (2_000, 5_000, 20 * 60_000, 3_600_000, 86_400_000)
_AT_STEPS = (Mischief.CRASH, Mischief.FREEZE, Mischief.FREEZE_LONG)
_SLOW_MS = (90_000, 1_200_000, 3_600_000)
_LEADS_US = (500 * MS, 6_000 * MS)
NEVER = 1 << 60


class Imp:
    """Draws what happens. What the limits leave out is drawn all the same, and not done."""

    def __init__(
        self, plan: Plan, world: World, broker: Broker, network: Network, machines: Machines,
        centres: Sequence[CentreProcess], merchants: Merchants,
    ) -> None:  # fmt: skip
        self._plan = plan
        self._world = world
        self._broker = broker
        self._network = network
        self._machines = machines
        self._centres = centres
        self._merchants = merchants
        self._operator = Process(world, "operator", Node("desk"), fragile=False)
        self._ordered: dict[str, None] = {}  # lines
        self.drawn = 0
        self._on = True
        self._at_steps = [kind for kind in plan.kinds if kind in _AT_STEPS]
        self._at_times = [kind for kind in plan.kinds if kind in self._deeds]
        world.strike = self._strike

    def begin(self) -> None:
        """Begin with it."""
        self._broker.weather = self._plan.weather
        if Mischief.LEADER in self._plan.kinds:
            self._leaders()
        if self._at_steps:
            self._world.points = self._next_point()
        if self._at_times:
            self._world.after(self._next_us(), None, self._now)

    def end(self) -> None:
        """Let everything that was done pass, and do nothing more."""
        self._on = False
        self._world.points = NEVER
        self._broker.weather = Weather()
        for node in list(self._machines.down):
            self._repaired(node)
        for line in self._machines.plant.lines:
            self._sent(line).is_led_by_another()
        for line in self._ordered:
            self._write(line, LineOrder.CALENDAR)
        for machine in self._machines.nodes.values():
            machine.offset_us = self._world.chance.randint(-_RIGHT_MS, _RIGHT_MS) * MS
        for centre in self._centres:
            centre.command(do="refuse_opening", refuse=False)
        self._world.note("world", "the faults are over")

    def _next_point(self) -> int:
        return 1 + int(self._world.chance.expovariate(1 / self._plan.points))

    def _next_us(self) -> int:
        return 1 + int(self._world.chance.expovariate(1 / self._plan.faults_every_us))

    def _allowed(self, kind: Mischief, what: str) -> bool:
        number, self.drawn = self.drawn, self.drawn + 1
        limits = self._plan.limits
        if kind in limits.without_kinds or number in limits.without_faults:
            return False
        if limits.faults is not None and number >= limits.faults:
            return False
        self._world.counters[kind.value] += 1
        self._world.note("fault", f"{number}: {kind.value}: {what}")
        return True

    # --- at a step

    def _strike(self, process: Process, what: str) -> None:
        self._world.points = self._next_point() if self._on else NEVER
        kind = self._world.chance.choice(self._at_steps)
        short_us, long_us = self._world.between(*_SHORT_US), self._world.between(*_LONG_US)
        if not self._allowed(kind, f"{process}, {what}"):
            return
        if kind is Mischief.CRASH:
            process.kill()
        else:
            self._freeze(process, short_us if kind is Mischief.FREEZE else long_us)

    def _freeze(self, process: Process, duration_us: int) -> None:
        if not process.dead:
            self._world.after(0, None, self._broker.watch, process)
            process.freeze(duration_us)

    # --- at a time

    def _now(self) -> None:
        if self._on:
            self._deeds[self._world.chance.choice(self._at_times)](self)
            self._world.after(self._next_us(), None, self._now)

    def _one(self, kind: Mischief) -> Process | None:
        """A process of the gateway, if the mischief is to be done."""
        there = list(self._machines.running.values())
        if kind is Mischief.PAUSE_LONG and self._world.happens(0.5):  # who owns a line, and does not know it any more
            there = [each for each in there if each.name.startswith("egress")] or there
        chosen = self._world.chance.choice(there) if there else None
        return chosen if chosen is not None and self._allowed(kind, str(chosen)) else None

    def _kill(self) -> None:
        if (process := self._one(Mischief.KILL)) is not None:
            process.kill()

    def _stop(self) -> None:
        if (process := self._one(Mischief.STOP)) is not None:
            self._machines.stop(process)

    def _pause(self) -> None:
        duration_us = self._world.between(*_SHORT_US)
        if (process := self._one(Mischief.PAUSE)) is not None:
            self._freeze(process, duration_us)

    def _pause_long(self) -> None:
        duration_us = self._world.between(*_LONG_US)
        if (process := self._one(Mischief.PAUSE_LONG)) is not None:
            self._freeze(process, duration_us)

    def _node(self) -> None:
        name = self._world.chance.choice(list(self._machines.nodes))
        duration_us = self._world.between(500 * MS, 4_000 * MS)
        if name in self._machines.down or not self._allowed(Mischief.NODE, name):
            return
        self._network.unplugged.add(name)
        self._machines.down[name] = None
        for (node, _), process in list(self._machines.running.items()):
            if node == name:
                process.kill()
        self._world.after(duration_us, None, self._repaired, name)

    def _repaired(self, name: str) -> None:
        if name in self._machines.down:
            self._network.unplugged.discard(name)
            del self._machines.down[name]
            self._machines.start_on(name)

    def _wire(self, kind: Mischief) -> None:
        wires = list(self._network.wires)
        chosen = self._world.chance.choice(wires) if wires else None
        both, duration_us = self._world.happens(0.5), self._world.between(100 * MS, 3_000 * MS)
        if chosen is None or not self._allowed(kind, chosen.name):
            return
        if kind is Mischief.RESET:
            chosen.reset()
        elif kind is Mischief.SILENCE:
            chosen.fall_silent(both=both)
        else:
            chosen.stand_still(self._world.now_us + duration_us)

    def _clock(self) -> None:
        name = self._world.chance.choice(list(self._machines.nodes))
        offset_ms = self._world.chance.randint(-_RIGHT_MS, _RIGHT_MS)
        if self._world.happens(0.6):
            offset_ms += self._world.chance.choice(_WRONG_MS) * self._world.chance.choice((-1, 1))
        if self._allowed(Mischief.CLOCK, f"{name} to {offset_ms} ms"):
            self._machines.nodes[name].offset_us = offset_ms * MS

    def _expel(self) -> None:
        members = [(group, name) for group in self._broker.groups.values() for name in group.members]
        if members:
            group, name = self._world.chance.choice(members)
            if self._allowed(Mischief.EXPEL, f"{name} of {group.name}"):
                self._broker.expel(group, name)

    def _client(self) -> None:
        tills = [till for till in self._merchants.tills.values() if not till.process.dead]
        if tills:
            till = self._world.chance.choice(tills)
            if self._allowed(Mischief.CLIENT, str(till.process)):
                till.process.kill()

    def _centre(self, kind: Mischief) -> None:
        centre = self._world.chance.choice(self._centres)
        duration_us = self._world.between(100 * MS, 2_000 * MS)
        if not self._allowed(kind, centre.name):
            return
        match kind:
            case Mischief.DROP:
                centre.command(do="drop_lines")
            case Mischief.CLOSE:
                centre.command(do="close_stations")
            case Mischief.KEEPALIVE:
                centre.command(do="keepalive")
            case _:
                centre.command(do="refuse_opening", refuse=True)
                centre.command(do="drop_lines")
                self._world.after(duration_us, None, lambda: centre.command(do="refuse_opening", refuse=False))

    def _flood(self) -> None:
        centre = self._world.chance.choice(self._centres)
        count, number = self._world.between(5, 200), self._world.chance.randrange(8)
        if self._allowed(Mischief.FLOOD, f"{centre.name}: {count} telegrams"):
            centre.flood(count, number)

    def _leaders(self) -> None:
        """The brokers that lead the lines' `sent` have a slow clock from the beginning, until they die."""
        for line in self._machines.plant.lines:
            behind_ms, lasts_us = self._world.chance.choice(_SLOW_MS), self._world.between(*_LEADS_US)
            if self._allowed(Mischief.LEADER, f"{line}: {behind_ms} ms"):
                self._sent(line).behind_ms = behind_ms
                self._world.after(lasts_us, None, self._leader_dies, line, self._world.happens(0.7))

    def _leader_dies(self, line: str, with_egress: bool) -> None:
        """Another leads; often an egress was on the same machine."""
        self._sent(line).is_led_by_another()
        owners = [each for name, each in self._machines.running.items() if "egress" in str(name)]
        if with_egress and owners and self._on:
            self._world.chance.choice(owners).kill()

    def _sent(self, line: str) -> Partition:
        (sent,) = self._broker.topics[self._machines.plant.topics("sent", line)]
        return sent

    def _order(self) -> None:
        line = self._world.chance.choice(self._machines.plant.lines)
        order = self._world.chance.choice(list(LineOrder))
        if self._allowed(Mischief.ORDER, f"{line}: {order}"):
            self._ordered[line] = None
            self._write(line, order)

    def _write(self, line: str, order: LineOrder) -> None:
        """Order it as `denbun lines` does; it holds until the next order."""
        now_ms = self._world.clock_ms(self._operator.node)
        record = LineOrdered(
            order_id=f"o{now_ms}", line=line, order=order, operator="operator", reason="mischief", ordered_ms=now_ms
        )
        value, headers = wire.encode(record)
        written = Outgoing(self._machines.plant.topics("line-orders"), line.encode(), value, headers, 0)
        self._broker.append(written, self._broker.place_of(written), self._operator)

    _deeds: Mapping[Mischief, Callable[["Imp"], None]] = {
        Mischief.KILL: _kill,
        Mischief.STOP: _stop,
        Mischief.PAUSE: _pause,
        Mischief.PAUSE_LONG: _pause_long,
        Mischief.NODE: _node,
        Mischief.RESET: lambda self: self._wire(Mischief.RESET),
        Mischief.SILENCE: lambda self: self._wire(Mischief.SILENCE),
        Mischief.STALL: lambda self: self._wire(Mischief.STALL),
        Mischief.CLOCK: _clock,
        Mischief.EXPEL: _expel,
        Mischief.CLIENT: _client,
        Mischief.DROP: lambda self: self._centre(Mischief.DROP),
        Mischief.REFUSE: lambda self: self._centre(Mischief.REFUSE),
        Mischief.CLOSE: lambda self: self._centre(Mischief.CLOSE),
        Mischief.KEEPALIVE: lambda self: self._centre(Mischief.KEEPALIVE),
        Mischief.FLOOD: _flood,
        Mischief.ORDER: _order,
    }
