"""Where everything stands now: services, partitions and lines by node, as the broker tells it. Pure.

A partition belongs to a member of the router's or the cancel service's group, a line to the member of its own group
that reads its `dispatch`. All these groups use the `range` assignor, which goes by the names that the members give
themselves: ``router-<node>``, ``faults-<node>``, and of an egress ``<rank>-<node>``. So what the loss of a node leads
to is known beforehand. Ingress is in no group: which node has which slot stands nowhere in the log.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ops.times import age
from schemas.installation import Installation
from schemas.records import LineStage, LineState

ROUTER, FAULTS, EGRESS = "router", "faults", "egress"
SETTLED = "stable"
OPEN, PLANNED = str(LineStage.OPEN), "planned"


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to know, in both languages."""

    japanese: str
    english: str


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a consumer group: the name it gave itself, where it is, and the partitions it was given."""

    name: str
    host: str
    partitions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group as the broker describes it."""

    state: str  # as in `pipeline.groups.Description`
    members: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True)
class Contract:
    """A contracted line: what is agreed upon with its partner."""

    name: str
    partner: str
    mode: str  # dial, listen: as `schemas.installation.Line`
    routes: int  # how many telegrams it carries at a time, and so how many requests wait for their reports
    port: int | None  # None: to be agreed upon
    ordered: bool = False  # not there yet: to be ordered
    carries: tuple[str, ...] = ()  # other partners, to whom it leads too

    @property
    def partners(self) -> tuple[str, ...]:
        """Those to whom it leads."""
        return (self.partner, *self.carries)


@dataclass(frozen=True, slots=True)
class ProcessClock:
    """How far a process' machine is ahead of the broker's time, as it told last; less than 0: behind it."""

    service: str
    node: str
    off_ms: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What was asked of the broker. `states`: the last word about each line, from `lines`.

    `clock_tolerance_ms`: the installation's.
    """

    router: Group
    faults: Group
    egress: Mapping[str, Group]  # by line
    states: Mapping[str, LineState]
    partitions: int  # of each topic that is spread by transaction
    slots: int  # partitions of `replies`
    brokers: tuple[str, ...]
    clocks: tuple[ProcessClock, ...]
    clock_tolerance_ms: int


@dataclass(frozen=True, slots=True)
class Node:
    """What one node carries. None where a service does not run; of ingress, where nothing tells."""

    name: str
    host: str | None
    slot: int | None
    router: tuple[int, ...] | None
    faults: tuple[int, ...] | None
    egress: bool


@dataclass(frozen=True, slots=True)
class PlacedLine:
    """A line, who has it, and who would: the nodes in the order of their ranks."""

    contract: Contract
    owner: str | None
    order: tuple[str, ...]
    stage: str | None  # of `LineStage`; planned; None where nobody ever told

    def serves_without(self, lost: str) -> bool:
        """Whether requests go over it when that node is gone, before anybody takes a line over."""
        return self.owner not in (None, lost) and self.stage in (OPEN, PLANNED)


@dataclass(frozen=True, slots=True)
class Topology:
    """A placement: one that is, or one that is planned."""

    nodes: tuple[Node, ...]
    lines: tuple[PlacedLine, ...]
    partitions: int
    slots: int
    brokers: tuple[str, ...]
    remarks: tuple[Remark, ...] = ()
    clocks: tuple[ProcessClock, ...] = ()  # of one that is

    @property
    def partners(self) -> tuple[str, ...]:
        """Those whose lines they are."""
        return tuple(dict.fromkeys(line.contract.partner for line in self.lines))

    @property
    def reached(self) -> tuple[str, ...]:
        """Those that lines lead to: whose they are, and whose telegrams they carry."""
        return tuple(dict.fromkeys(partner for line in self.lines for partner in line.contract.partners))

    def lines_of(self, node: str) -> tuple[PlacedLine, ...]:
        """The lines that this node has."""
        return tuple(line for line in self.lines if line.owner == node)

    def lines_to(self, partner: str) -> tuple[PlacedLine, ...]:
        """The lines of this partner."""
        return tuple(line for line in self.lines if line.contract.partner == partner)

    def ways_to(self, partner: str) -> tuple[PlacedLine, ...]:
        """The lines that lead to this partner: its own, and those that carry its telegrams."""
        return tuple(line for line in self.lines if partner in line.contract.partners)

    def share(self, partitions: Sequence[int] | None) -> float:
        """The part of all payments that go through these partitions, as a fraction: keys are spread evenly."""
        return len(partitions or ()) / self.partitions


class Reach(StrEnum):
    """How a partner is reached after a loss."""

    AT_ONCE = "at_once"  # over an open line of a node that lives
    AFTER_TAKEOVER = "after_takeover"
    NOT_AT_ALL = "not_at_all"


@dataclass(frozen=True, slots=True)
class Loss:
    """What the loss of one node leaves."""

    node: str
    lines: Mapping[str, str | None]  # each of its lines, and who takes it
    router: Mapping[str, tuple[int, ...]]  # who then has which partitions
    faults: Mapping[str, tuple[int, ...]]
    wandering: tuple[int, ...]  # the router's partitions that go from one living node to another
    reach: Mapping[str, Reach]  # by partner
    routes: Mapping[str, int]  # by partner: of the open lines of living nodes, before any takeover


def contracts_of(installation: Installation) -> list[Contract]:
    """The lines of an installation."""
    return [
        Contract(
            line.name,
            line.partner,
            line.mode,
            routes=1 + line.routes[1] - line.routes[0],
            port=line.port,
            carries=line.partners[1:],
        )
        for line in installation.line
    ]


def ranges(members: Iterable[str], partitions: int) -> dict[str, tuple[int, ...]]:
    """What the `range` assignor gives to these members: contiguous ranges in the order of the names."""
    names = sorted(members)
    given: dict[str, tuple[int, ...]] = {}
    start = 0
    for number, name in enumerate(names):
        size, extra = divmod(partitions, len(names))
        end = start + size + (number < extra)
        given[name] = tuple(range(start, end))
        start = end
    return given


def in_words(numbers: Sequence[int]) -> str:
    """Partitions as ranges: ``0–2, 5``."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    return ", ".join("–".join(map(str, run)) for run in runs)


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """A key to sort names by as people do: node2 before node10."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", name))


def node_of(service: str, member: str) -> str:
    """The node of a member, from the name it gave itself; the whole name where that is none of ours."""
    if service == EGRESS:
        rank, dash, node = member.partition("-")
        return node if dash and node and rank.isdecimal() else member
    return member.removeprefix(f"{service}-")


def present(seen: Seen, contracts: Iterable[Contract]) -> Topology:
    """The placement that the broker tells of."""
    hosts: dict[str, str] = {}
    held: dict[str, dict[str, tuple[int, ...]]] = {}
    for service, group in ((ROUTER, seen.router), (FAULTS, seen.faults)):
        held[service] = {}
        for member in group.members:
            node = node_of(service, member.name)
            hosts.setdefault(node, member.host)
            held[service][node] = (*held[service].get(node, ()), *member.partitions)
    for group in seen.egress.values():
        for member in group.members:
            hosts.setdefault(node_of(EGRESS, member.name), member.host)
    lines = [_placed(seen, contract) for contract in contracts]
    nodes = [
        Node(
            name,
            host=hosts[name],
            slot=None,
            router=_sorted(held[ROUTER].get(name)),
            faults=_sorted(held[FAULTS].get(name)),
            egress=any(name in line.order for line in lines),
        )
        for name in sorted(hosts, key=natural)
    ]
    remarks = tuple(_remarks(seen, nodes, lines))
    return Topology(
        tuple(nodes), tuple(lines), seen.partitions, seen.slots, seen.brokers, remarks, tuple(seen.clocks)
    )  # fmt: skip


def _sorted(partitions: tuple[int, ...] | None) -> tuple[int, ...] | None:
    return None if partitions is None else tuple(sorted(partitions))


def _placed(seen: Seen, contract: Contract) -> PlacedLine:
    group = seen.egress.get(contract.name, Group("dead"))
    state = seen.states.get(contract.name)
    members = sorted(group.members, key=lambda member: member.name)
    order = tuple(dict.fromkeys(node_of(EGRESS, member.name) for member in members))
    owner = next((node_of(EGRESS, member.name) for member in members if member.partitions), None)
    return PlacedLine(contract, owner, order, None if state is None else str(state.stage))


def _remarks(seen: Seen, nodes: Sequence[Node], lines: Sequence[PlacedLine]) -> Iterable[Remark]:
    if not nodes:
        yield Remark("稼働中のノードなし", "no node runs")
    yield from _of_group(ROUTER, ROUTER, seen.router)
    yield from _of_group(FAULTS, FAULTS, seen.faults)
    for name, group in seen.egress.items():
        yield from _of_group(f"{EGRESS} {name}", EGRESS, group)
    for node in nodes:
        runs = {ROUTER: node.router is not None, FAULTS: node.faults is not None, EGRESS: node.egress}
        if missing := ", ".join(service for service, there in runs.items() if not there):
            yield Remark(f"{node.name}: {missing} 停止中", f"{node.name} has no {missing}: the others do its part")
    for line in lines:
        yield from _of_line(line, seen.states.get(line.contract.name))
    yield from _of_clocks(seen)
    if len(nodes) > 1:
        yield from _of_partners(lines)


def _of_group(name: str, service: str, group: Group) -> Iterable[Remark]:
    if group.members and group.state != SETTLED:
        yield Remark(f"{name}: 再配置中({group.state})", f"{name} is being given out anew: look again")
    for member, count in Counter(each.name for each in group.members).items():
        if count > 1:
            node = node_of(service, member)
            yield Remark(
                f"{name}: 同名ノード {node} が二重起動",
                f"{name} runs twice under the name {node}: end one; or one was just started again: look again",
            )


def _of_line(line: PlacedLine, state: LineState | None) -> Iterable[Remark]:
    name = line.contract.name
    if line.owner is None:
        yield Remark(f"回線 {name}: 所有ノードなし", f"nobody has the line {name}: start an egress")
    elif state is not None and state.node != line.owner:
        yield Remark(
            f"回線 {name}: 引継ぎ中({state.node} → {line.owner})",
            f"{line.owner} has the line {name}, whose state is still told by {state.node}: look again",
        )


def _of_clocks(seen: Seen) -> Iterable[Remark]:
    """The nodes whose machine has the wrong time, each by the process that is farthest off."""
    for node in sorted({each.node for each in seen.clocks}, key=natural):
        worst = max((each for each in seen.clocks if each.node == node), key=lambda each: abs(each.off_ms))
        if abs(worst.off_ms) > seen.clock_tolerance_ms:
            off, ahead = age(abs(worst.off_ms)), worst.off_ms > 0
            yield Remark(
                f"{node}: 時刻ずれ {off} {'進み' if ahead else '遅れ'}。時刻同期(NTP)を直すか、ブローカの時刻を直す",
                f"the machine of {node} is {off} {'ahead of' if ahead else 'behind'} the broker's time: set its clock "
                "(NTP), or the broker's",
            )


def _of_partners(lines: Sequence[PlacedLine]) -> Iterable[Remark]:
    for partner in dict.fromkeys(partner for line in lines for partner in line.contract.partners):
        owners = {line.owner for line in lines if partner in line.contract.partners} - {None}
        if len(owners) == 1:
            (owner,) = owners
            yield Remark(
                f"{partner}: 全回線が {owner} に集中。喪失時は引継ぎまで不通",
                f"every line to {partner} is {owner}'s: without it nobody reaches {partner} until a takeover",
            )


def losses(of: Topology) -> list[Loss]:
    """What the loss of each node would leave, one at a time."""
    return [_loss(of, node.name) for node in of.nodes]


def _loss(of: Topology, lost: str) -> Loss:
    routers = {node.name: node.router for node in of.nodes if node.router is not None}
    cancelling = [node.name for node in of.nodes if node.faults is not None]
    then = ranges((name for name in routers if name != lost), of.partitions)
    before = {partition: name for name, held in routers.items() for partition in held}
    wandering = [
        partition
        for name, held in then.items()
        for partition in held
        if before.get(partition, name) not in (name, lost)
    ]
    at_once = {partner: [line for line in of.ways_to(partner) if line.serves_without(lost)] for partner in of.reached}
    return Loss(
        node=lost,
        lines={line.contract.name: _next(line, lost) for line in of.lines_of(lost)},
        router=then,
        faults=ranges((name for name in cancelling if name != lost), of.partitions),
        wandering=tuple(sorted(wandering)),
        reach={partner: _reach(of.ways_to(partner), lost) for partner in of.reached},
        routes={partner: sum(line.contract.routes for line in lines) for partner, lines in at_once.items()},
    )


def _next(line: PlacedLine, lost: str) -> str | None:
    return next((node for node in line.order if node != lost), None)


def _reach(lines: Sequence[PlacedLine], lost: str) -> Reach:
    if any(line.serves_without(lost) for line in lines):
        return Reach.AT_ONCE
    return Reach.AFTER_TAKEOVER if any(_next(line, lost) for line in lines) else Reach.NOT_AT_ALL
