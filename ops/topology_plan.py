"""The plan for N nodes: who carries what, what moves, and what it takes, from the partners and on our own side. Pure.

Two rules. Each node has a line of its own to each partner, so that the loss of one node leaves every partner a line
that is open, before any takeover. And the lines of a partner are spread in turn: its line i prefers node i mod N, then
the nodes that follow; but for lines whose `nodes` say otherwise.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ops.topology import (
    EGRESS,
    FAULTS,
    PLANNED,
    ROUTER,
    Contract,
    Loss,
    Node,
    PlacedLine,
    Remark,
    Topology,
    in_words,
    losses,
    natural,
    ranges,
)
from schemas.line_rules import NODES_MAX

Given = Mapping[str, Sequence[str]]  # by line: its `nodes`


class Contracted(Protocol):
    """A line, as far as spreading needs to know it."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def partner(self) -> str:
        """Whom it leads to."""
        ...


@dataclass(frozen=True, slots=True)
class Move:
    """What changes hands. `origin` is None for what is new, or was nobody's."""

    service: str
    what: str  # partitions, or a line
    origin: str | None
    target: str


@dataclass(frozen=True, slots=True)
class Call:
    """An address that the centre must call: where one node waits for one line."""

    line: str
    node: str
    port: int | None
    fresh: bool  # not called today


@dataclass(frozen=True, slots=True)
class Source:
    """A node whose address must be registered as a caller of every line that dials: after a takeover it dials it."""

    node: str
    fresh: bool


@dataclass(frozen=True, slots=True)
class Order:
    """What one partner must be asked for. Every line is one session."""

    partner: str
    new: tuple[Contract, ...]  # each with a station id and a company code of its own
    lines: tuple[int, int]  # now, then
    routes: tuple[int, int]  # now, then
    routes_left: int  # after the worst loss of one node, before any takeover
    dialled: tuple[str, ...]  # the lines that dial
    sources: tuple[Source, ...]
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole plan."""

    then: Topology
    moves: tuple[Move, ...]
    losses: tuple[Loss, ...]
    orders: tuple[Order, ...]
    needs: tuple[Remark, ...]  # on our own side


def named(now: Iterable[str], count: int) -> list[str]:
    """The names of that many nodes: those there are in order, then names in their manner."""
    names = sorted(now, key=natural)[:count] or ["node0"]
    while len(names) < count:
        names.append(_following(names[-1]))
    return names


def _following(name: str) -> str:
    stem = name.rstrip("0123456789")
    if digits := name[len(stem) :]:
        return f"{stem}{int(digits) + 1:0{len(digits)}}"
    return name[:-1] + chr(ord(name[-1]) + 1) if name[-1:] in "abcdefghij" else f"{name}2"


def with_orders(contracts: Sequence[Contract], nodes: int) -> list[Contract]:
    """The lines, and as many more as make one for each node and partner; in the manner of the partner's others."""
    wanted = list(contracts)
    taken = {contract.name for contract in contracts}
    for partner in dict.fromkeys(contract.partner for contract in contracts):
        there = [contract for contract in contracts if contract.partner == partner]
        number = len(there)
        for missing in range(nodes - len(there)):
            while f"{partner}-{number + 1}" in taken:
                number += 1
            name = f"{partner}-{number + 1}"
            taken.add(name)
            wanted.append(replace(there[missing % len(there)], name=name, port=None, ordered=True))
    return sorted(wanted, key=lambda contract: [each.partner for each in contracts].index(contract.partner))


def spread(contracts: Iterable[Contracted], nodes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Whom each line prefers: line i of a partner the node i mod N, then the nodes that follow."""
    counts: dict[str, int] = {}
    orders = {}
    for contract in contracts:
        first = counts.get(contract.partner, 0) % len(nodes)
        counts[contract.partner] = counts.get(contract.partner, 0) + 1
        orders[contract.name] = (*nodes[first:], *nodes[:first])
    return orders


def preferences(contracts: Iterable[Contracted], nodes: Sequence[str], given: Given) -> dict[str, tuple[str, ...]]:
    """Whom each line prefers: as its `nodes` say, then by name those that are not among them; without, in turn."""
    orders = spread(contracts, nodes)
    for line in orders.keys() & {line for line, order in given.items() if order}:
        first = [node for node in given[line] if node in nodes]
        orders[line] = (*first, *sorted(set(nodes).difference(first)))
    return orders


def ranks(line: PlacedLine) -> dict[str, int]:
    """The rank that each node needs for this line, by node: its place in the order."""
    return {node: rank for rank, node in enumerate(line.order)}


def plan(
    now: Topology, contracts: Sequence[Contract], nodes: Sequence[str], given: Given, sessions_max: int | None = None
) -> Plan:  # fmt: skip
    """What these nodes carry when all of them live, and the way there.

    `contracts`: with those to be ordered. `sessions_max`: lines that one egress may have a session on.
    """
    assert 1 <= len(nodes) <= NODES_MAX
    orders = preferences(contracts, nodes, given)
    held = {
        service: {name.removeprefix(f"{service}-"): given for name, given in _given(service, nodes, now).items()}
        for service in (ROUTER, FAULTS)
    }
    hosts = {node.name: node.host for node in now.nodes}
    then = Topology(
        nodes=tuple(
            Node(name, hosts.get(name), slot, held[ROUTER][name], held[FAULTS][name], egress=True)
            for slot, name in enumerate(nodes)
        ),
        lines=tuple(
            PlacedLine(contract, orders[contract.name][0], orders[contract.name], PLANNED) for contract in contracts
        ),
        partitions=now.partitions,
        slots=max(now.slots, len(nodes)),
        brokers=now.brokers,
    )
    lost = losses(then)
    return Plan(
        then=then,
        moves=tuple(_moves(now, then)),
        losses=tuple(lost),
        orders=tuple(_order(partner, now, then, lost) for partner in then.partners),
        needs=(*_needs(now, then, given), *_too_many_sessions(then, sessions_max)),
    )


def _given(service: str, nodes: Iterable[str], now: Topology) -> Mapping[str, tuple[int, ...]]:
    return ranges((f"{service}-{name}" for name in nodes), now.partitions)


def _moves(now: Topology, then: Topology) -> Iterable[Move]:
    for service in (ROUTER, FAULTS):
        owner = {partition: node.name for node in now.nodes for partition in getattr(node, service) or ()}
        ways: dict[tuple[str | None, str], list[int]] = {}
        for node in then.nodes:
            for partition in getattr(node, service):
                if (origin := owner.get(partition)) != node.name:
                    ways.setdefault((origin, node.name), []).append(partition)
        for (origin, target), partitions in ways.items():
            yield Move(service, in_words(partitions), origin, target)
    owners = {line.contract.name: line.owner for line in now.lines}
    for line in then.lines:
        assert line.owner is not None
        if (origin := owners.get(line.contract.name)) != line.owner:
            yield Move(EGRESS, line.contract.name, origin, line.owner)


def _order(partner: str, now: Topology, then: Topology, lost: Iterable[Loss]) -> Order:
    before = [line.contract for line in now.lines_to(partner)]
    after = [line.contract for line in then.lines_to(partner)]
    running = {node.name for node in now.nodes}
    dialled = tuple(contract.name for contract in after if contract.mode == "dial")
    return Order(
        partner=partner,
        new=tuple(contract for contract in after if contract.ordered),
        lines=(len(before), len(after)),
        routes=(sum(each.routes for each in before), sum(each.routes for each in after)),
        routes_left=min(loss.routes[partner] for loss in lost),
        dialled=dialled,
        sources=tuple(Source(node.name, fresh=node.name not in running) for node in then.nodes if dialled),
        calls=tuple(
            Call(contract.name, node.name, contract.port, fresh=contract.ordered or node.name not in running)
            for contract in after
            if contract.mode == "listen"
            for node in then.nodes
        ),
    )


def _needs(now: Topology, then: Topology, given: Given) -> Iterable[Remark]:
    """What must be done on our own side."""
    count = len(then.nodes)
    if then.slots > now.slots:
        yield Remark(
            f"ingress.slots を {now.slots} から {then.slots} へ。先に replies のパーティションを {then.slots} へ増設",
            f"raise ingress.slots from {now.slots} to {then.slots}, after `replies` has {then.slots} partitions: "
            "`denbun topics create` refuses a topic that has another number of them",
        )
    sizes = {len(node.router or ()) for node in then.nodes}
    if 0 in sizes:
        yield Remark(
            f"パーティション {then.partitions} < ノード {count}: 処理のないノードが残る",
            f"{then.partitions} partitions are too few for {count} nodes: some router has nothing to do; "
            "more take a new topic prefix",
        )
    elif len(sizes) > 1:
        yield Remark(
            f"負荷に偏り: ルータ 1 台あたり {min(sizes)}〜{max(sizes)} パーティション",
            f"uneven: {min(sizes)} to {max(sizes)} partitions a router; a multiple of {count} would be even, and takes "
            "a new topic prefix",
        )
    if fresh := [node.name for node in then.nodes if node.name not in {each.name for each in now.nodes}]:
        yield Remark(
            f"顧客サーバの接続先に {', '.join(fresh)} の受付アドレスを追加",
            f"every client is given the address of the new door: {', '.join(fresh)}",
        )
    unset = [line.contract.name for line in then.lines if not given.get(line.contract.name)]
    if unset and len({line.order for line in then.lines}) > 1:
        yield Remark(
            f"{', '.join(unset)} の nodes に計画の回線表の引継ぎ順を設定",
            f"lines need their nodes, in the order of takeover in the table of planned lines: {', '.join(unset)}",
        )
    if len(now.brokers) < 3:  # the least that loses one and still has two copies of everything
        yield Remark(
            f"Kafka ブローカー {len(now.brokers)} 台: 喪失時は全ノード停止。3 台以上・複製 3 を推奨",
            f"brokers: {len(now.brokers)}; whose loss stops every node: three, with replication 3, go on",
        )


def _too_many_sessions(then: Topology, most: int | None) -> Iterable[Remark]:
    """Whether those who are left after the loss of one node may open all lines."""
    left = max(1, len(then.nodes) - 1)
    if most is not None and most * left < len(then.lines):
        wanted = -(-len(then.lines) // left)
        yield Remark(
            f"egress.sessions_max {most}: ノード喪失時に {len(then.lines)} 回線を開局できない。{wanted} 以上に設定",
            f"egress.sessions_max is {most}: after the loss of a node not all {len(then.lines)} lines could be opened; "
            f"raise it to {wanted}",
        )
