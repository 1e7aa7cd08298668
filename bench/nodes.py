"""Two nodes: which has which lines, by their own word; and the money at the end."""

import time
import urllib.request
from collections.abc import Iterable, Iterator

from prometheus_client.parser import text_string_to_metric_families

from bench.load import AMOUNT, Load, Told
from ops.evidence import collect, drain
from ops.installations import node_named
from ops.money import ClientRecord
from ops.money import report as judged
from ops.stage import Stage
from schemas.identity import transaction_id
from schemas.records import Kind

NODES = 2
LIMIT_S = 60.0
_DRAIN_S = 120.0
_NO_END = ("in_process", "being_cancelled")
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


def money(stage: Stage, load: Load) -> tuple[dict[str, str], list[str]]:
    """What the money report looked at, and everything that is wrong."""
    offences = [f"{each} has no end" for each in sorted(drain(stage, _DRAIN_S))]
    inquired = load.inquired()
    offences += [
        f"{each.customer}:{each.reference}: {each.told}"
        for each in inquired
        if each.told in _NO_END or each.told.startswith("error: ")
    ]
    findings = judged(collect(stage, list(_records([*load.told(), *inquired]))))
    offences += [f"invariant {each.number}: {offender}" for each in findings for offender in each.offenders]
    return {each.english: each.looked_at for each in findings}, offences


def _records(told: Iterable[Told]) -> Iterator[ClientRecord]:
    for each in told:
        yield ClientRecord(transaction_id(each.customer, each.reference, None), Kind.SALE, AMOUNT, each.told)
