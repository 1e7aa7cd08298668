"""The plan for N nodes: spread, moves, losses, and what must be ordered."""

from collections import Counter
from collections.abc import Sequence
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from topology_rig import CONTRACTS, seen, sound, table

from ops.topology import Contract, Reach, Topology, present
from ops.topology_plan import (
    Call,
    Given,
    Move,
    Plan,
    Source,
    named,
    plan,
    preferences,
    ranks,
    spread,
    with_orders,
)
from schemas.line_rules import NODES_MAX


def planned(
    now: Topology, count: int, contracts: Sequence[Contract] = CONTRACTS, given: Given = MappingProxyType({})
) -> Plan:
    nodes = named([node.name for node in now.nodes], count)
    return plan(now, with_orders(contracts, count), nodes, given)


@pytest.mark.parametrize(
    ("there", "count", "names"),
    [
        ([], 2, ["node0", "node1"]),
        (["node1", "node0"], 3, ["node0", "node1", "node2"]),
        (["node0", "node1", "node2"], 2, ["node0", "node1"]),
        (["a", "b"], 4, ["a", "b", "c", "d"]),
        (["pay09"], 2, ["pay09", "pay10"]),
        (["tokyo"], 3, ["tokyo", "tokyo2", "tokyo3"]),
    ],
)
def test_new_nodes_are_named_in_the_manner_of_those_there(there: list[str], count: int, names: list[str]) -> None:
    assert named(there, count) == names


def test_each_node_gets_a_line_of_its_own_to_each_partner_in_the_manner_of_those_there() -> None:
    assert [(each.name, each.mode, each.routes, each.port, each.ordered) for each in with_orders(CONTRACTS, 3)] == [
        ("cafis-1", "dial", 200, 7210, False),
        ("cafis-2", "listen", 100, 7211, False),
        ("cafis-3", "dial", 200, None, True),
        ("cardnet-1", "listen", 50, 7212, False),
        ("cardnet-2", "listen", 50, None, True),
        ("cardnet-3", "listen", 50, None, True),
    ]
    assert with_orders(CONTRACTS, 1) == list(CONTRACTS)


def test_a_new_line_gets_a_name_that_no_line_has() -> None:
    contracts = [Contract("cafis-2", "cafis", "dial", 200, 7210), Contract("cafis-3", "cardnet", "dial", 200, 7211)]
    assert [each.name for each in with_orders(contracts, 2)] == ["cafis-2", "cafis-4", "cafis-3", "cardnet-2"]


def test_the_lines_of_a_partner_prefer_the_nodes_in_turn_and_then_those_that_follow() -> None:
    assert spread(with_orders(CONTRACTS, 3), ["node0", "node1", "node2"]) == {
        "cafis-1": ("node0", "node1", "node2"),
        "cafis-2": ("node1", "node2", "node0"),
        "cafis-3": ("node2", "node0", "node1"),
        "cardnet-1": ("node0", "node1", "node2"),
        "cardnet-2": ("node1", "node2", "node0"),
        "cardnet-3": ("node2", "node0", "node1"),
    }


@pytest.mark.parametrize(
    ("of_the_line", "nodes", "order"),
    [
        ([], ["a", "b"], ("b", "a")),
        (["a", "b"], ["a", "b"], ("a", "b")),
        (["c", "a"], ["a", "b", "c"], ("c", "a", "b")),
        (["c", "a"], ["a", "b"], ("a", "b")),
        (["c"], ["b2", "b10"], ("b10", "b2")),  # Kafka compares names as such
    ],
)
def test_a_line_prefers_the_nodes_that_it_names_then_the_others_by_name(
    of_the_line: list[str], nodes: list[str], order: tuple[str, ...]
) -> None:
    found = preferences(CONTRACTS, nodes, {"cafis-2": of_the_line})
    assert found == spread(CONTRACTS, nodes) | {"cafis-2": order}


def test_two_nodes_with_every_line_on_the_first_share_them() -> None:
    found = planned(sound("node0", "node1"), 2)
    assert table(found.then) == [
        "node0: router (0, 1, 2) faults (0, 1, 2) lines cafis-1 cardnet-1",
        "node1: router (3, 4, 5) faults (3, 4, 5) lines cafis-2 cardnet-2",
    ]
    assert found.moves == (Move("egress", "cafis-2", "node0", "node1"), Move("egress", "cardnet-2", None, "node1"))
    assert [node.slot for node in found.then.nodes] == [0, 1]
    assert {line.contract.name: ranks(line) for line in found.then.lines}["cafis-2"] == {"node1": 0, "node0": 1}


def test_a_third_node_takes_partitions_of_both() -> None:
    assert planned(sound("node0", "node1"), 3).moves == (
        Move("router", "2", "node0", "node1"),
        Move("router", "4–5", "node1", "node2"),
        Move("faults", "2", "node0", "node1"),
        Move("faults", "4–5", "node1", "node2"),
        Move("egress", "cafis-2", "node0", "node1"),
        Move("egress", "cafis-3", None, "node2"),
        Move("egress", "cardnet-2", None, "node1"),
        Move("egress", "cardnet-3", None, "node2"),
    )


def test_a_node_fewer_gives_what_it_had_to_the_others() -> None:
    found = planned(sound("node0", "node1"), 1)
    assert found.moves == (Move("router", "3–5", "node1", "node0"), Move("faults", "3–5", "node1", "node0"))
    assert [order.new for order in found.orders] == [(), ()]
    assert {reach for loss in found.losses for reach in loss.reach.values()} == {Reach.NOT_AT_ALL}


def test_what_must_be_ordered_of_each_partner() -> None:
    cafis, cardnet = planned(sound("node0", "node1"), 3).orders
    assert ([each.name for each in cafis.new], cafis.lines, cafis.routes) == (["cafis-3"], (2, 3), (300, 500))
    assert cafis.routes_left == 300  # without node0 or node2, and their 200
    assert cafis.dialled == ("cafis-1", "cafis-3")
    assert cafis.sources == (Source("node0", fresh=False), Source("node1", fresh=False), Source("node2", fresh=True))
    assert cafis.calls == (
        Call("cafis-2", "node0", 7211, fresh=False),
        Call("cafis-2", "node1", 7211, fresh=False),
        Call("cafis-2", "node2", 7211, fresh=True),
    )
    assert (cardnet.dialled, cardnet.sources) == ((), ()), "nobody dials, so no caller is to be registered"
    assert [(each.line, each.node, each.port) for each in cardnet.calls if each.fresh] == [
        ("cardnet-1", "node2", 7212),
        *((line, node, None) for line in ("cardnet-2", "cardnet-3") for node in ("node0", "node1", "node2")),
    ]


def test_what_is_to_do_on_our_side() -> None:
    def needs(count: int, partitions: int = 6, given: Given = MappingProxyType({})) -> list[str]:
        found = planned(sound("node0", "node1", partitions=partitions), count, given=given)
        return [remark.english.split(",")[0].split(":")[0] for remark in found.needs]

    ranked, brokers = "lines need their nodes", "brokers"
    assert needs(1) == [brokers]
    assert needs(2) == [ranked, brokers]
    door = "every client is given the address of the new door"
    assert needs(3) == ["raise ingress.slots from 2 to 3", door, ranked, brokers]
    assert needs(4)[:2] == ["raise ingress.slots from 2 to 4", "uneven"]
    assert needs(4, partitions=12)[:2] == ["raise ingress.slots from 2 to 4", door]
    assert needs(3, partitions=2)[1] == "2 partitions are too few for 3 nodes"
    given = spread(with_orders(CONTRACTS, 2), ["node0", "node1"])
    assert needs(2, given=given) == [brokers]
    found = planned(sound("node0", "node1"), 3, given=given)
    assert [each.english for each in found.needs if each.english.startswith(ranked)] == [
        "lines need their nodes, in the order of takeover in the table of planned lines: cafis-3, cardnet-3"
    ]


@pytest.mark.parametrize(("nodes", "most", "told"), [(2, 4, None), (2, 3, 4), (3, 2, None), (3, 1, 2), (1, 4, None)])
def test_the_sessions_of_those_who_are_left_after_a_loss_must_be_enough_for_all_lines(
    nodes: int, most: int, told: int | None
) -> None:
    names = [f"node{number}" for number in range(nodes)]
    lines = with_orders(CONTRACTS, 2)[:4]
    found = plan(sound("node0", "node1"), lines, names, {}, most)
    about = [each.english for each in found.needs if each.english.startswith("egress.sessions_max")]
    assert about == [
        f"egress.sessions_max is {most}: after the loss of a node not all 4 lines could be opened; raise it to {told}"
        for _ in ([] if told is None else [told])
    ]


def test_what_the_lines_prefer_already_stays_when_a_node_is_added() -> None:
    now = sound("node0", "node1", members={"cafis-2": ("0-node1", "1-node0")})
    given = {"cafis-1": ("node0", "node1"), "cafis-2": ("node1", "node0"), "cardnet-1": ("node1", "node0")}
    assert [move for move in planned(now, 3, given=given).moves if move.service == "egress"] == [
        Move("egress", "cafis-3", None, "node2"),
        Move("egress", "cardnet-1", "node0", "node1"),
        Move("egress", "cardnet-2", None, "node1"),
        Move("egress", "cardnet-3", None, "node2"),
    ]


@given(
    now=st.integers(0, 4),
    count=st.integers(1, NODES_MAX),
    partitions=st.integers(1, 40),
    lines=st.lists(st.sampled_from(["cafis", "cardnet", "third"]), min_size=1, max_size=12),
)
def test_every_plan_is_even_leaves_every_partner_a_line_and_its_moves_lead_there(
    now: int, count: int, partitions: int, lines: list[str]
) -> None:
    contracts = [Contract(f"{name}-{number}", name, "dial", 10, 7000) for number, name in enumerate(lines)]
    names = [f"node{number}" for number in range(now)]
    members = None if names else {each.name: () for each in contracts}
    shown = present(seen(names, contracts=contracts, partitions=partitions, members=members), contracts)
    found = planned(shown, count, contracts)
    for partner in found.then.partners:
        each = Counter(line.owner for line in found.then.lines_to(partner))
        assert len(each) == count
        assert max(each.values()) - min(each.values()) <= 1
    for loss in found.losses:
        assert set(loss.reach.values()) == {Reach.AT_ONCE if count > 1 else Reach.NOT_AT_ALL}
        assert sum(map(len, loss.router.values())) == (partitions if count > 1 else 0)
    held = [partition for node in found.then.nodes for partition in node.router or ()]
    assert sorted(held) == list(range(partitions))
    owners = {line.contract.name: line.owner for line in shown.lines}
    owners |= {move.what: move.target for move in found.moves if move.service == "egress"}
    assert owners == {line.contract.name: line.owner for line in found.then.lines}
