"""Metric names: each declared once, where it is looked for, and saying what it measures in which unit."""

import ast
import importlib
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest
from prometheus_client import CollectorRegistry
from source_rig import TOP, modules, tree

KINDS = {"Counter", "Gauge", "Histogram", "Summary", "Info", "Enum"}
UNITS = ("_seconds", "_bytes")
# The client of Prometheus, and who reads the dashboards, expect base units.
FOREIGN_UNITS = re.compile(
    r"_(ns|us|ms|s|sec|secs|millis|milliseconds|minutes|min|hours|days|kb|mb|gb|kib|mib|kilobytes)\b"
)
OF_TIME = re.compile(r"_(age|delay|duration|elapsed|lag|latency|period|takeover|time|uptime)(_|$)")
OF_SIZE = re.compile(r"_(memory|size|length)(_|$)")


class Declared(NamedTuple):
    """A metric as the source declares it."""

    path: Path
    kind: str
    name: str


def _declared() -> list[Declared]:
    found = []
    for path in modules(*TOP):
        for node in ast.walk(tree(path)):
            if (
                not isinstance(node, ast.Call)
                or ast.unparse(node.func).rpartition(".")[2] not in KINDS
                or not node.args
            ):
                continue
            if any(keyword.arg == "registry" for keyword in node.keywords):
                assert isinstance(node.args[0], ast.Constant), f"{path}:{node.lineno}: the name must be readable here"
                found.append(Declared(path, ast.unparse(node.func), str(node.args[0].value)))
    return found


DECLARED = _declared()
PACKAGES = sorted({each.path.parts[0] for each in DECLARED})
each_metric = pytest.mark.parametrize("metric", DECLARED, ids=lambda metric: metric.name)


def test_the_metrics_are_found() -> None:
    assert {"ingress", "router", "egress", "faults"} <= set(PACKAGES)


def test_a_name_is_declared_once() -> None:
    assert [name for name, count in Counter(each.name for each in DECLARED).items() if count > 1] == []


@each_metric
def test_it_is_declared_in_the_metrics_of_its_package_and_named_after_it(metric: Declared) -> None:
    package = metric.path.parts[0]
    assert metric.path == Path(package, "metrics.py")
    assert re.fullmatch(rf"denbun_{package}(_[a-z][a-z0-9]*)+", metric.name)


@each_metric
def test_it_says_its_unit_where_it_has_one(metric: Declared) -> None:
    assert FOREIGN_UNITS.search(metric.name) is None
    if metric.kind in {"Histogram", "Summary"} or OF_TIME.search(metric.name):
        assert metric.name.endswith(UNITS)
    if OF_SIZE.search(metric.name):
        assert metric.name.endswith("_bytes")
    assert not metric.name.endswith(("_total", "_count", "_sum", "_bucket", "_info")), "the client adds these itself"


def test_the_names_are_all_that_the_services_expose_and_they_fit_into_one_registry() -> None:
    registry = CollectorRegistry()
    for package in PACKAGES:
        importlib.import_module(f"{package}.metrics").Metrics(registry)
    assert sorted(family.name for family in registry.collect()) == sorted(each.name for each in DECLARED)
