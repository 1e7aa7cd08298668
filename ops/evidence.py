"""Collects what the money report is made from, off a stage that runs."""

import time
import urllib.request
from collections.abc import Sequence
from typing import Any

from ops.money import ClientRecord, Evidence
from ops.player import CARD, SECURITY_CODE
from ops.reading import read_topics
from ops.stage import Stage
from pipeline.owned import MARKER_KEY
from schemas import wire
from schemas.records import TransactionState

SECRETS = (
    CARD.number.encode(),
    f'"{SECURITY_CODE}"'.encode(),  # as JSON has it
    bytes([2 * len(SECURITY_CODE)]) + SECURITY_CODE.encode(),  # as Avro has it
)
_LOOK_S = 0.3


def open_transactions(stage: Stage) -> set[str]:
    """The transactions that have no end yet. Raises `LogError`."""
    states: dict[str, TransactionState] = {}
    (messages,) = read_topics(stage.installation.kafka, [stage.topics("transactions")]).values()
    for message in messages:
        if message.key != MARKER_KEY and message.value is not None:
            state = wire.decode_as(TransactionState, message)
            states[state.transaction_id] = state
    return {transaction_id for transaction_id, state in states.items() if not state.stage.ended}


def drain(stage: Stage, limit_s: float = 40.0) -> set[str]:
    """Wait until every transaction has its end; gives those that have none within `limit_s`. Raises `LogError`."""
    until = time.monotonic() + limit_s
    while (left := open_transactions(stage)) and time.monotonic() < until:
        time.sleep(_LOOK_S)
    return left


def collect(stage: Stage, clients: Sequence[ClientRecord]) -> Evidence:
    """Everything, as it is now. Raises `LogError`, `ControlError`, `OSError`."""
    lines = [line.name for line in stage.installation.line]
    names = {each.name: each.name.removeprefix(stage.plan.prefix) for each in stage.topics.creations(lines, 1, 1)}
    topics = {names[name]: messages for name, messages in read_topics(stage.installation.kafka, names).items()}
    partners = [each.name for each in stage.installation.partner]
    ledgers: dict[str, list[dict[str, Any]]] = {partner: [] for partner in partners}
    violations: dict[str, list[dict[str, Any]]] = {partner: [] for partner in partners}
    for partner in partners:
        for keeper in stage.keepers(partner):  # what came directly, and what came in envelopes
            with stage.control(partner, keeper) as control:
                ledgers[partner] += control.ledger()
                violations[partner] += control.violations()
    return Evidence(
        clients=clients,
        ledgers=ledgers,
        violations=violations,
        stations={line.name: line.station_id for line in stage.installation.line},
        topics=topics,
        texts=_texts(stage),
        secrets=SECRETS,
    )


def _texts(stage: Stage) -> dict[str, bytes]:
    """What the processes have said, and what their metrics say."""
    texts = {path.name: path.read_bytes() for path in sorted((stage.folder / "logs").glob("*.log"))}
    for name, (host, port) in stage.plan.metrics.items():
        with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=5) as page:
            texts[f"metrics of {name}"] = page.read()
    return texts
