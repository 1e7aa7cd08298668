"""The crash points in the code, in their table, and in the document that promises what follows: the same ones."""

import ast
import re
from collections import Counter
from pathlib import Path

from source_rig import TOP, modules, tree
from test_documents import rows

from schemas.crash_points import PLACES, PROMISES, Place, Point

TITLE = "The life of one telegram"
MECHANISM = Path("pipeline/crash.py")


def placed() -> list[tuple[str, str]]:
    """Where the code calls `crash.here`: the package, and the name of the point."""
    found = []
    for path in modules(*TOP):
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "crash.here":
                (point,) = node.args
                assert isinstance(point, ast.Attribute), f"{path}:{node.lineno}: the point must be readable here"
                assert ast.unparse(point.value) == "Point", f"{path}:{node.lineno}"
                found.append((path.parts[0], point.attr))
    return found


def mentioned() -> list[str]:
    """Every other way in which the code could come to a point."""
    return [
        f"{path}:{node.lineno}"
        for path in modules(*TOP)
        if path != MECHANISM
        for node in ast.walk(tree(path))
        if (isinstance(node, ast.ImportFrom) and node.module == "pipeline.crash")
        or (isinstance(node, ast.Attribute) and ast.unparse(node) == "crash.here" and not _is_called(path, node))
    ]


def _is_called(path: Path, function: ast.Attribute) -> bool:
    return any(isinstance(node, ast.Call) and node.func is function for node in ast.walk(tree(path)))


def test_every_point_stands_in_the_code_of_its_service_once() -> None:
    assert Counter(placed()) == Counter((place.service, place.point.name) for place in PLACES)


def test_no_point_is_reached_another_way() -> None:
    assert mentioned() == []


def test_the_table_has_every_point_once_in_the_order_of_the_steps() -> None:
    assert [place.point for place in PLACES] == list(Point)
    assert [place.step for place in PLACES] == sorted(place.step for place in PLACES)
    assert all(place.point.value == place.point.name.lower() for place in PLACES)


def test_every_step_of_a_service_has_a_point_and_the_clients_step_none() -> None:
    assert [step for step in PROMISES if not any(place.step == step for place in PLACES)] == [1]


def test_the_document_shows_the_points_of_the_table_beside_their_steps() -> None:
    told = {int(number): re.findall(r"`([a-z_]+)`", points) for number, _, _, points, _ in rows(TITLE)}
    assert told == {step: [place.point.value for place in PLACES if place.step == step] for step in PROMISES}


def test_the_document_and_the_table_promise_the_same() -> None:
    assert {int(number): promise for number, _, _, _, promise in rows(TITLE)} == PROMISES


def test_the_step_happens_in_the_service_that_dies() -> None:
    where = {int(number): place for number, _, place, _, _ in rows(TITLE)}
    strangers: list[Place] = [place for place in PLACES if f"`{place.service}/" not in where[place.step]]
    assert strangers == []
