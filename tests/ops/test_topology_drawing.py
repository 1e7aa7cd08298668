"""The drawing: a sound document, everything in it once, nothing outside or on top of another, in light and dark."""

import itertools
import re
from collections import Counter
from xml.etree import ElementTree as ET

import pytest
from topology_rig import CONTRACTS, seen, sound

from ops.topology import Topology, present
from ops.topology_drawing import STAGES, Panel, draw
from ops.topology_plan import named, plan, with_orders
from schemas.records import LineStage

SVG = "{http://www.w3.org/2000/svg}"


def planned(now: Topology, count: int) -> Topology:
    nodes = named([node.name for node in now.nodes], count)
    return plan(now, with_orders(CONTRACTS, count), nodes, {}).then


def drawn(now: Topology, count: int | None = None) -> ET.Element:
    panels = [Panel("現在 now", now)]
    if count is not None:
        panels.append(Panel("計画 plan", planned(now, count), now))
    return ET.fromstring(draw(panels))


def boxes(document: ET.Element, *kinds: str) -> list[tuple[float, float, float, float]]:
    """Left, top, right and lower end of every rectangle of these kinds."""
    found = []
    for rect in document.iter(f"{SVG}rect"):
        if rect.get("class", "").split()[0] in kinds:
            x, y, width, height = (float(rect.get(name, "nan")) for name in ("x", "y", "width", "height"))
            found.append((x, y, x + width, y + height))
    return found


def texts(document: ET.Element) -> Counter[str]:
    return Counter(each.text or "" for each in document.iter(f"{SVG}text"))


LINES = ("open", "opening", "closing", "closed", "failed", "planned", "moved")


@pytest.mark.parametrize("count", [1, 2, 3, 4, 10])
def test_nothing_lies_outside_and_no_box_on_another(count: int) -> None:
    document = drawn(sound("node0", "node1"), count)
    _, _, width, height = (float(part) for part in document.get("viewBox", "").split())
    for kinds in (("column", "partner"), ("box", "off"), ("chip", "standby", *LINES)):
        for left, top, right, bottom in (found := boxes(document, *kinds)):
            assert 0 <= left < right <= width
            assert 0 <= top < bottom <= height
        for (left, top, right, bottom), other in itertools.combinations(found, 2):
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top, kinds
    for left, top, right, bottom in boxes(document, "chip", "standby"):
        assert any(a <= left and b <= top and right <= c and bottom <= d for a, b, c, d in boxes(document, "box"))


def test_every_node_partition_line_and_partner_is_there() -> None:
    found = texts(drawn(sound("node0", "node1")))
    for name in ("node0", "node1", "CAFIS", "CARDNET", *(each.name for each in CONTRACTS)):
        assert found[name] == 1, name
    assert [found[str(partition)] for partition in range(6)] == [2] * 6, "the router's and the cancel service's"
    assert found["開局 open"] == 3 + 1, "the legend's too"
    assert found["待機 standby 1"] == 3


def test_the_plan_tells_what_moves_and_what_is_ordered() -> None:
    found = texts(drawn(sound("node0", "node1"), 3))
    assert found["← node0"] == 1
    assert found["新規 to order"] == 3
    assert found["継続 stays"] == 2


def test_a_line_that_nobody_has_is_told_so_and_a_service_that_does_not_run() -> None:
    shown = seen(["node0"], members={"cafis-2": ()})
    found = texts(drawn(present(shown, CONTRACTS)))
    assert found["所有なし nobody"] == 1
    nothing = seen([], members={each.name: () for each in CONTRACTS})
    assert texts(drawn(present(nothing, CONTRACTS)))["所有なし nobody"] == len(CONTRACTS)


def test_many_partitions_are_told_as_ranges() -> None:
    found = texts(drawn(sound("node0", "node1", partitions=256)))
    assert (found["0–127"], found["128–255"]) == (2, 2)


def test_a_name_cannot_break_the_document() -> None:
    document = drawn(sound('<b>&"', "node1"))
    assert texts(document)['<b>&"'] == 1


def test_every_class_has_its_colours_in_light_and_in_dark_and_every_stage_has_a_class() -> None:
    document = drawn(sound("node0", "node1"), 3)
    (style,) = (each.text or "" for each in document.iter(f"{SVG}style"))
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    used = {name for each in document.iter() for name in each.get("class", "").split()}
    for name in used - {"title", "name", "small", "dashed"}:
        rule = re.compile(rf"\.{name}\{{fill:[^;]+;stroke:[^}}]+\}}")
        assert rule.search(light), name
        assert rule.search(dark), name
    assert {str(stage) for stage in LineStage} <= STAGES.keys()
