"""Two nodes are rolled to another version, whose records have more in them, and back, while customers pay."""

import asyncio
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from client import Client, ClientError
from ops.evidence import collect, drain
from ops.money import ClientRecord, report
from ops.player import CARD, TERMINAL, worded
from ops.rolling import Roll
from ops.stage import Stage, playing
from schemas import records, wire
from schemas.records import Kind

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
PACKAGES = ("schemas", "pipeline", "wiring", "client", "ingress", "router", "egress", "faults", "ops", "simulator")
CHANGED = (
    "RequestAccepted", "SendRequest", "TelegramSent", "ReportReceived", "ReplyReady", "ReplyDelivered",
    "TransactionState",
)  # fmt: skip
A_SECOND = 40


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter that runs another version: each record on the way of a payment has a field more."""
    folder = tmp_path_factory.mktemp("other")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "deploy", folder / "deploy")
    file = folder / "schemas" / "records.py"
    text = file.read_text("utf-8")
    for name in CHANGED:
        head, at, tail = text.partition(f"class {name}(")
        assert at, name
        body, end, rest = tail.partition("\n\n\n")
        text = f"{head}{at}{body}\n    added: str | None = None{end}{rest}"
    file.write_text(text, "utf-8")
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    subprocess.run([sys.executable, "-m", "schemas.wire", "--write"], cwd=folder, env=environment, check=True)
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{folder}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return str(python)


class Customers:
    """Pay all the time, from both doors, and write down what they are told."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.wrote: list[ClientRecord] = []
        self._stop = threading.Event()

    @contextmanager
    def paying(self) -> Iterator[None]:
        thread = threading.Thread(target=lambda: asyncio.run(self._pay_all()))
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join(90)
        assert not thread.is_alive()

    async def _pay_all(self) -> None:
        plan = self._stage.plan
        clients = [
            (customer, await Client.connect(doors, customer=customer, token=plan.tokens[customer]))
            for customer in plan.customers.values()
            for doors in (plan.doors, plan.doors[::-1])
        ]
        paying: set[asyncio.Task[None]] = set()
        number = 0
        while not self._stop.is_set():
            customer, client = clients[number % len(clients)]
            task = asyncio.create_task(self._pay(customer, client, f"R{number}"))
            paying.add(task)
            task.add_done_callback(paying.discard)
            number += 1
            await asyncio.sleep(1 / A_SECOND)
        await asyncio.gather(*paying)
        for _, client in clients:
            await client.close()

    async def _pay(self, customer: str, client: Client, reference: str) -> None:
        try:
            result = await client.pay(
                reference=reference, kind=Kind.SALE, terminal_id=TERMINAL, amount=1_000, card=CARD, wait_ms=60_000
            )
            told = worded(result)
        except ClientError as error:
            told = f"error: {error}"
        self.wrote.append(ClientRecord(f"{customer}:{reference}", Kind.SALE, 1_000, told))


def test_every_payment_is_approved_while_all_is_rolled_to_another_version_and_back(
    kafka_servers: str, tmp_path: Path, topic_prefix: str, other: str
) -> None:
    said: list[str] = []
    with playing(tmp_path, servers=kafka_servers, prefix=topic_prefix, nodes=2) as stage:
        customers, roll = Customers(stage), Roll(stage, said.append)
        with customers.paying():
            roll.forward(other)
            before = len(customers.wrote)
            roll.back()
        assert len(customers.wrote) > before > 100
        assert {each.told for each in customers.wrote} == {"approved"}
        assert sum("at work again" in line for line in said) == 16
        assert drain(stage, 60) == set()
        found = collect(stage, customers.wrote)
    assert {finding.english: finding.offenders for finding in report(found) if not finding.holds} == {}
    marks = {dict(each.headers).get(wire.HEADER) for messages in found.topics.values() for each in messages}
    unknown_here = marks - {None, *wire.current_schemas()}
    assert len(unknown_here) == len(CHANGED)  # both versions have written
    assert set(CHANGED) < set(vars(records))
