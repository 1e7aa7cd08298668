"""The drawing: a sound document, everything in it once, nothing outside or on top of another, in light and dark."""

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from topology_rig import CONTRACTS, seen, sound

from ops.topology import Contract, Topology, contracts_of, present
from ops.topology_drawing import STAGES, Panel, draw
from ops.topology_plan import named, plan, with_orders
from pipeline.config import load
from schemas.installation import Installation
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


# --- no connector crosses a label ---------------------------------------------------------------------------------

Box = tuple[float, float, float, float]  # left, top, right and lower end


def connectors(document: ET.Element) -> list[Box]:
    """Each piece of a wire, and each arrow's head, by the box around it."""
    found = []
    for each in document.iter(f"{SVG}polyline"):
        found += [_around(pair) for pair in itertools.pairwise(_points(each))]
    return [*found, *(_around(_points(each)) for each in document.iter(f"{SVG}polygon"))]


def _points(shape: ET.Element) -> list[tuple[float, float]]:
    pairs = (point.split(",") for point in shape.get("points", "").split())
    return [(float(x), float(y)) for x, y in pairs]


def _around(points: Sequence[tuple[float, float]]) -> Box:
    across, down = [x for x, _ in points], [y for _, y in points]
    return min(across), min(down), max(across), max(down)


def words(document: ET.Element) -> list[tuple[str, Box]]:
    """Each text and the box it takes: its widest, a Japanese character being as wide as it is high."""
    found = []
    for each in document.iter(f"{SVG}text"):
        kinds = each.get("class", "").split()
        size = 11 if "small" in kinds else 13 if "name" in kinds else 17 if "title" in kinds else 12
        said = each.text or ""
        width = sum(size if ord(character) > 0x2FFF else 0.6 * size for character in said)
        x, y = float(each.get("x", "nan")), float(each.get("y", "nan"))
        left = x - {"start": 0.0, "middle": width / 2, "end": width}[each.get("text-anchor", "start")]
        found.append((said, (left, y - 0.85 * size, left + width, y + 0.2 * size)))
    return found


def meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def deployed(contracts: Sequence[Contract], nodes: int) -> Topology:
    """These lines on so many nodes, spread in turn."""
    names = [f"node{number}" for number in range(nodes)]
    members = {
        contract.name: [f"{(place + number) % nodes}-{name}" for place, name in enumerate(names)]
        for number, contract in enumerate(contracts)
    }
    return present(seen(names, contracts=contracts, members=members), contracts)


def lines(count: int) -> list[Contract]:
    """So many lines to each of two partners; the first also carries the other partner's telegrams."""
    return [
        Contract(f"{partner}-{number}", partner, ("dial", "listen")[number % 2], 1_000, 7_200 + number, carries=carried)
        for partner, other in (("cafis", "cardnet"), ("cardnet", "cafis"))
        for number in range(1, count + 1)
        for carried in [(other,) if number == 1 else ()]
    ]


ENVIRONMENTS = sorted((Path(__file__).parents[2] / "deploy" / "environments").glob("*/denbun.toml"))
SHAPES = [(f"{count} lines", lines(count)) for count in (1, 2, 3, 8, 36)] + [
    (file.parent.name, contracts_of(load(Installation, file, {}))) for file in ENVIRONMENTS
]


@pytest.mark.parametrize("nodes", [1, 2, 3, 4])
@pytest.mark.parametrize("contracts", [shape for _, shape in SHAPES], ids=[name for name, _ in SHAPES])
def test_no_connector_crosses_a_label_and_no_label_another(contracts: list[Contract], nodes: int) -> None:
    now = deployed(contracts, nodes)
    names = named([node.name for node in now.nodes], nodes + 1)
    then = plan(now, with_orders(contracts, nodes + 1), names, {}).then
    document = ET.fromstring(draw([Panel("現在 now", now), Panel("計画 plan", then, now)]))
    labels = [*((str(box), box) for box in boxes(document, "standby", "chip", *LINES)), *words(document)]
    ways = connectors(document)
    assert len(ways) >= 2 * len(contracts)
    for way, (label, box) in itertools.product(ways, labels):
        assert not meet(way, box), f"the connector {way} crosses {label}"
    said = sorted(words(document), key=lambda each: each[1][1])
    for (one, box), (other, beside) in itertools.combinations(said, 2):
        assert not meet(box, beside), f"{one} lies on {other}"


def test_environments_are_found() -> None:
    assert {"development", "containers"} <= {file.parent.name for file in ENVIRONMENTS}


def test_a_line_tells_whose_telegrams_it_carries_besides() -> None:
    found = texts(ET.fromstring(draw([Panel("now", deployed(lines(2), 2))])))
    assert found["着呼 listen・1000 経路 ＋CARDNET"] == 1
