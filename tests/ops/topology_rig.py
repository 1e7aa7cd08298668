"""Placements made by hand: three nodes at most, two partners, six partitions."""

from collections.abc import Iterable, Mapping, Sequence

from ops.topology import Contract, Group, Member, Seen, Topology, present, ranges
from schemas.records import LineStage, LineState

HOST = "127.0.0.1"
CONTRACTS = (
    Contract("cafis-1", "cafis", "dial", 200, 7210),
    Contract("cafis-2", "cafis", "listen", 100, 7211),
    Contract("cardnet-1", "cardnet", "listen", 50, 7212),
)


def group(given: Mapping[str, Sequence[int]], state: str = "stable") -> Group:
    return Group(state, tuple(Member(name, HOST, tuple(held)) for name, held in given.items()))


def line_group(*members: str) -> Group:
    """The first by name has the line."""
    return group({name: (0,) if name == min(members) else () for name in members})


def told(line: str, node: str, stage: LineStage = LineStage.OPEN) -> LineState:
    return LineState(
        line=line, partner=line.partition("-")[0], node=node, stage=stage, reason=None, since_ms=0, wish=None,
        wished_by=None, wished_since_ms=None, connected_ms=None, asked_ms=None, answered_ms=None, in_flight=None,
        cancels_waiting=None, routes_held=None, told_ms=None, spared=None,
    )  # fmt: skip


def seen(
    nodes: Iterable[str] = ("node0", "node1"), *, contracts: Sequence[Contract] = CONTRACTS, partitions: int = 6,
    members: Mapping[str, Sequence[str]] | None = None, slots: int = 2,
) -> Seen:  # fmt: skip
    """What a sound installation shows: all its services on all these nodes, ranked as `denbun up` ranks them.

    `members`: of the groups of some lines, where they are others.
    """
    names = list(nodes)
    ranked = [f"{rank}-{name}" for rank, name in enumerate(names)]
    of_lines = {each.name: ranked for each in contracts} | dict(members or {})
    return Seen(
        router=group(ranges((f"router-{name}" for name in names), partitions)),
        faults=group(ranges((f"faults-{name}" for name in names), partitions)),
        egress={line: line_group(*found) if found else Group("dead") for line, found in of_lines.items()},
        states={line: told(line, min(found).partition("-")[2]) for line, found in of_lines.items() if found},
        partitions=partitions,
        slots=slots,
        brokers=(f"{HOST}:9092",),
        clocks=(),
        clock_tolerance_ms=1_000,
    )


def sound(*nodes: str, members: Mapping[str, Sequence[str]] | None = None, partitions: int = 6) -> Topology:
    """The placement of it."""
    return present(seen(nodes, members=members, partitions=partitions), CONTRACTS)


def table(of: Topology) -> list[str]:
    """A placement as text: each node with what it has."""
    return [
        f"{node.name}: router {node.router} faults {node.faults} lines "
        f"{' '.join(line.contract.name for line in of.lines_of(node.name)) or '-'}"
        for node in of.nodes
    ]
