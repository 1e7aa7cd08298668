"""Which node has which lines, by the nodes' own word."""

import time
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from ops.installations import node_named
from ops.stage import Stage

LIMIT_S = 60.0
_LOOK_S = 0.05


def preferring(stage: Stage, node: int) -> set[str]:
    """The lines that prefer this node; with one node alone, none says so."""
    return {line.name for line in stage.installation.line if line.nodes[:1] == (node_named(node),)}


def settle(stage: Stage) -> None:
    """Wait until every line is open at the node that it prefers. Raises `TimeoutError`, or another `OSError`."""
    until = time.monotonic() + LIMIT_S
    while not all(_open(stage, node) >= preferring(stage, node) for node in range(stage.nodes)):
        if time.monotonic() > until:
            raise TimeoutError(f"not every line is with its node after {LIMIT_S:g} s: see {stage.folder / 'logs'}")
        time.sleep(_LOOK_S)


def _open(stage: Stage, node: int) -> set[str]:
    host, port = stage.plan.metrics[f"egress-{node}"]
    with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=5) as page:
        families = list(text_string_to_metric_families(page.read().decode()))
    samples = [sample for family in families for sample in family.samples]
    return {each.labels["line"] for each in samples if each.name == "denbun_egress_line_open" and each.value == 1}
