"""The present placement, from groups made by hand: who has what, what is not as it should be, what a loss leaves."""

from dataclasses import replace

import pytest
from topology_rig import CONTRACTS, group, line_group, seen, sound, table, told

from ops.topology import Group, Loss, ProcessClock, Reach, Seen, in_words, losses, natural, node_of, present, ranges
from schemas.records import LineStage


def test_a_range_is_given_to_each_member_in_the_order_of_the_names_and_the_first_have_one_more() -> None:
    assert ranges(["router-node1", "router-node0"], 6) == {"router-node0": (0, 1, 2), "router-node1": (3, 4, 5)}
    assert ranges(["c", "a", "b"], 4) == {"a": (0, 1), "b": (2,), "c": (3,)}
    assert ranges(["a", "b", "c"], 2) == {"a": (0,), "b": (1,), "c": ()}
    assert ranges([], 6) == {}


@pytest.mark.parametrize(
    ("numbers", "words"), [((), ""), ((3,), "3"), ((0, 1, 2, 5), "0–2, 5"), ((7, 1, 8), "1, 7–8"), ((4, 2), "2, 4")]
)
def test_partitions_are_told_as_ranges(numbers: tuple[int, ...], words: str) -> None:
    assert in_words(numbers) == words


def test_nodes_are_sorted_as_people_do() -> None:
    assert sorted(["node10", "node2", "b", "a", "node1"], key=natural) == ["a", "b", "node1", "node2", "node10"]


@pytest.mark.parametrize(
    ("service", "member", "node"),
    [
        ("router", "router-node0", "node0"),
        ("faults", "faults-pay-gw-1", "pay-gw-1"),
        ("egress", "0-node0", "node0"),
        ("egress", "12-pay-gw-1", "pay-gw-1"),
        ("egress", "somebody-else", "somebody-else"),  # none of ours
        ("egress", "7", "7"),
        ("router", "rdkafka", "rdkafka"),
    ],
)
def test_a_members_name_tells_its_node(service: str, member: str, node: str) -> None:
    assert node_of(service, member) == node


def test_every_line_is_the_lowest_ranks() -> None:
    found = sound("node0", "node1")
    assert table(found) == [
        "node0: router (0, 1, 2) faults (0, 1, 2) lines cafis-1 cafis-2 cardnet-1",
        "node1: router (3, 4, 5) faults (3, 4, 5) lines -",
    ]
    assert {line.order for line in found.lines} == {("node0", "node1")}
    assert [node.slot for node in found.nodes] == [None, None], "the log does not tell it"
    assert found.share(found.nodes[0].router) == 0.5


def test_what_is_sound_needs_no_remark_but_that_one_node_has_every_line() -> None:
    assert [remark.english for remark in sound("node0", "node1").remarks] == [
        "every line to cafis is node0's: without it nobody reaches cafis until a takeover",
        "every line to cardnet is node0's: without it nobody reaches cardnet until a takeover",
    ]
    spread = {"cafis-2": ("0-node1", "1-node0")}
    assert [remark.english for remark in sound("node0", "node1", members=spread).remarks] == [
        "every line to cardnet is node0's: without it nobody reaches cardnet until a takeover",
    ]
    assert sound("node0").remarks == (), "there is no other node to have one"


ALONE = seen(["node0"])
REMARKS: dict[str, tuple[Seen, list[str]]] = {
    "a group that is being given out": (
        replace(ALONE, router=replace(ALONE.router, state="preparing_rebalancing")),
        ["router is being given out anew: look again"],
    ),
    "one name twice": (
        replace(ALONE, egress={**ALONE.egress, "cafis-1": Group("stable", line_group("0-node0").members * 2)}),
        ["egress cafis-1 runs twice under the name node0: end one; or one was just started again: look again"],
    ),
    "a node without some service": (
        replace(ALONE, faults=Group("empty")),
        ["node0 has no faults: the others do its part"],
    ),
    "a line that nobody has": (
        replace(ALONE, egress={**ALONE.egress, "cafis-2": Group("dead")}),
        ["nobody has the line cafis-2: start an egress"],
    ),
    "a line whose former owner had the last word": (
        replace(ALONE, states={**ALONE.states, "cafis-1": told("cafis-1", "node9")}),
        ["node0 has the line cafis-1, whose state is still told by node9: look again"],
    ),
    "nothing at all": (
        seen([], members={each.name: () for each in CONTRACTS}),
        ["no node runs", *(f"nobody has the line {each.name}: start an egress" for each in CONTRACTS)],
    ),
}


@pytest.mark.parametrize("name", REMARKS)
def test_what_is_not_as_it_should_be_is_told(name: str) -> None:
    shown, english = REMARKS[name]
    assert [remark.english for remark in present(shown, CONTRACTS).remarks] == english


def test_a_router_without_a_partition_runs_and_one_that_is_no_member_does_not() -> None:
    shown = replace(seen(["node0", "node1"]), router=group({"router-node0": range(6), "router-node2": ()}))
    assert [(node.name, node.router) for node in present(shown, CONTRACTS).nodes] == [
        ("node0", (0, 1, 2, 3, 4, 5)), ("node1", None), ("node2", ()),
    ]  # fmt: skip


# --- a loss


def test_a_loss_gives_its_lines_to_the_next_rank_and_moves_partitions_between_the_living_too() -> None:
    spread = {"cafis-2": ("0-node1", "1-node2", "2-node0"), "cardnet-1": ("0-node2", "1-node0", "2-node1")}
    first, second, third = losses(sound("node0", "node1", "node2", members=spread))
    assert first == Loss(
        node="node0",
        lines={"cafis-1": "node1"},
        router={"node1": (0, 1, 2), "node2": (3, 4, 5)},
        faults={"node1": (0, 1, 2), "node2": (3, 4, 5)},
        wandering=(3,),
        reach={"cafis": Reach.AT_ONCE, "cardnet": Reach.AT_ONCE},
        routes={"cafis": 100, "cardnet": 50},
    )
    assert (second.lines, second.wandering, second.routes) == ({"cafis-2": "node2"}, (), {"cafis": 200, "cardnet": 50})
    assert third.lines == {"cardnet-1": "node0"}
    assert third.reach == {"cafis": Reach.AT_ONCE, "cardnet": Reach.AFTER_TAKEOVER}


def test_a_partner_is_reached_over_a_line_that_carries_its_telegrams_too() -> None:
    contracts = [replace(each, carries=("cardnet",)) if each.name == "cafis-2" else each for each in CONTRACTS]
    spread = {"cafis-2": ("0-node1", "1-node0")}
    first, second = losses(present(seen(["node0", "node1"], members=spread), contracts))
    assert first.reach == {"cafis": Reach.AT_ONCE, "cardnet": Reach.AT_ONCE}
    assert first.routes == {"cafis": 100, "cardnet": 100}
    assert second.routes == {"cafis": 200, "cardnet": 50}
    alone = [replace(each, carries=("jcn",)) if each.name == "cafis-1" else each for each in CONTRACTS]
    remarks = present(seen(["node0", "node1"], members=spread), alone).remarks
    assert [each.english for each in remarks if "jcn" in each.english] == [
        "every line to jcn is node0's: without it nobody reaches jcn until a takeover"
    ]


def test_the_only_node_leaves_nobody() -> None:
    (only,) = losses(sound("node0"))
    assert only.lines == {"cafis-1": None, "cafis-2": None, "cardnet-1": None}
    assert (only.router, only.faults) == ({}, {})
    assert only.reach == {"cafis": Reach.NOT_AT_ALL, "cardnet": Reach.NOT_AT_ALL}


def test_a_line_that_is_not_open_reaches_nobody_at_once() -> None:
    shown = seen(["node0", "node1"], members={"cafis-2": ("0-node1", "1-node0")})
    shown = replace(shown, states={**shown.states, "cafis-2": told("cafis-2", "node1", LineStage.CLOSED)})
    first, second = losses(present(shown, CONTRACTS))
    assert (first.reach["cafis"], first.routes["cafis"]) == (Reach.AFTER_TAKEOVER, 0)
    assert (second.reach["cafis"], second.routes["cafis"]) == (Reach.AT_ONCE, 200)


@pytest.mark.parametrize(
    ("off_ms", "remark"),
    [
        (1_000, None),
        (-1_000, None),
        (3_600_000, "the machine of node1 is 60 min ahead of the broker's time: set its clock (NTP), or the broker's"),
        (-1_001, "the machine of node1 is 1 s behind the broker's time: set its clock (NTP), or the broker's"),
    ],
)
def test_a_machine_whose_clock_is_off_by_more_than_the_tolerance_is_named_once(off_ms: int, remark: str | None) -> None:
    clocks = tuple(
        ProcessClock(service, node, off)
        for node, off in (("node0", 3), ("node1", off_ms))
        for service in ("egress", "router")
    )
    found = present(replace(seen(["node0", "node1"]), clocks=clocks), CONTRACTS)
    assert found.clocks == clocks
    assert [each.english for each in found.remarks if "clock" in each.english] == ([] if remark is None else [remark])
