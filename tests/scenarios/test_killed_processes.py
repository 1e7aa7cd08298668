"""Every service as a process on the real Kafka, ended by kill -9 in the middle of a payment: what becomes of it."""

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from deaths_under_load import pay_while_dying
from whole_gateway import wait_until

from client import SyncClient
from ops.courses import CONFIRMS, SALE, rule
from ops.evidence import collect, drain
from ops.installations import QUICK
from ops.mixture import Mixture, teach
from ops.money import ClientRecord, report
from ops.player import CARD, TERMINAL, told_by, worded
from ops.ports import HOST
from ops.processes import Process, service
from ops.stage import Stage, playing
from schemas.records import Kind
from simulator.control import Control

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

ANSWER_AFTER_MS = 700  # the payment is in flight for that long: time to kill somebody


class Shop:
    """A client of CAFIS's customer that writes down what it was told."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.control: Control = stage.control("cafis")
        self.client: SyncClient = stage.client("cafis")
        self.customer = stage.plan.customers["cafis"]
        self.wrote: list[ClientRecord] = []
        self._pool = ThreadPoolExecutor(8)

    def pays(self, reference: str, amount: int) -> "Future[str]":
        """A sale under way; its result is what its caller is told."""
        request: dict[str, Any] = {
            "reference": reference, "kind": "sale", "terminal_id": TERMINAL, "amount": amount, "card": CARD,
        }  # fmt: skip

        def work() -> str:
            told = told_by(self.client, request)
            self.wrote.append(ClientRecord(f"{self.customer}:{reference}", Kind.SALE, amount, told))
            return told

        return self._pool.submit(work)

    def arrived(self, amount: int, role: str = "sale_request") -> bool:
        """Whether the centre has got this telegram."""
        if role == "sale_request":
            return any(row["amount"] == amount for row in self.control.ledger())
        return any(role in row["commands"] for row in self.control.ledger() if row["amount"] == amount)

    def end(self, reference: str) -> str:
        """What an inquiry tells at last."""
        found: list[str] = []

        def ended() -> bool:
            found.append(worded(self.client.inquire(reference, wait_ms=10_000)))
            return found[-1] not in ("being_cancelled", "in_process")

        wait_until(ended, 60)
        return found[-1]

    def sequence(self, amount: int) -> list[str]:
        """The telegrams about the one sale of this amount, in order."""
        (entry,) = (row for row in self.control.ledger() if row["amount"] == amount)
        number = entry["trace_number"]
        return [
            f"{row['way']} {row['role']}"
            for row in self.control.story()
            if row["station"] == entry["station"]
            and row["route_number"] != 0  # 0: about the line itself
            and number in (row["trace_number"], row["original_trace_number"])
        ]

    def close(self) -> None:
        self.client.close(5)
        self.control.close()
        self._pool.shutdown()


@pytest.fixture(scope="module")
def shop(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("killed")
    with playing(folder, servers=kafka_servers, prefix=f"{folder.name}-", waits=QUICK) as stage:
        shop = Shop(stage)
        yield shop
        shop.close()


def kill_and_start(process: Process) -> None:
    process.kill()
    process.start()


def in_flight(shop: Shop, reference: str, amount: int, behaviour: Callable[[], None]) -> "Future[str]":
    """A sale that has reached the centre and is not answered yet."""
    behaviour()
    told = shop.pays(reference, amount)
    wait_until(lambda: shop.arrived(amount))
    return told


def slow(shop: Shop, amount: int) -> Callable[[], None]:
    return lambda: shop.control.behave(**rule(SALE, "late", after_ms=ANSWER_AFTER_MS), amount=amount)


def test_the_router_is_killed_in_the_middle_of_a_payment(shop: Shop) -> None:
    told = in_flight(shop, "router", 9_001, slow(shop, 9_001))
    kill_and_start(shop.stage.services["router-0"])
    assert told.result(60) == "approved"  # its next owner has the state, and reads the report
    assert shop.sequence(9_001) == ["→ sale_request", "← sale_report"]


def test_the_ingress_is_killed_in_the_middle_of_a_payment(shop: Shop) -> None:
    told = in_flight(shop, "ingress", 9_002, slow(shop, 9_002))
    kill_and_start(shop.stage.services["ingress-0"])
    assert told.result(60) == "approved"  # the client comes back, inquires, and takes what it is owed
    assert shop.sequence(9_002) == ["→ sale_request", "← sale_report"]


def test_the_ingress_is_killed_and_its_client_never_comes_back(shop: Shop) -> None:
    shop.client.close(5)
    shop.client = shop.stage.client("cafis")
    in_flight(shop, "ingress-gone", 9_003, slow(shop, 9_003))
    shop.stage.services["ingress-0"].kill()
    threading.Thread(target=shop.client.close, args=(0.1,)).start()
    wait_until(lambda: shop.arrived(9_003, "fault_cancel"), 60)  # by the router's deadline: nobody else knows
    shop.stage.services["ingress-0"].start()
    shop.stage.services["ingress-0"].wait_ready()
    shop.client = shop.stage.client("cafis")
    assert shop.end("ingress-gone") == "cancelled"
    assert shop.sequence(9_003)[:3] == ["→ sale_request", "← sale_report", "→ fault_cancel"]


def test_the_egress_is_killed_in_the_middle_of_a_payment(shop: Shop) -> None:
    told = in_flight(shop, "egress", 9_004, slow(shop, 9_004))
    kill_and_start(shop.stage.services["egress-0"])
    assert told.result(60) == "being_cancelled"  # it is on the line, and nobody knows what came of it
    assert shop.end("egress") == "cancelled"
    assert shop.sequence(9_004) == ["→ sale_request", "→ fault_confirm", "← fault_confirm_report"]
    shop.stage.wait_open(4)


def test_the_cancel_service_is_killed_in_the_middle_of_a_cancel(shop: Shop) -> None:
    def silent() -> None:
        shop.control.behave(**rule(SALE, "silent"), amount=9_005)
        shop.control.behave(**rule(CONFIRMS, "silent", times=1), amount=9_005)

    told = in_flight(shop, "faults", 9_005, silent)
    wait_until(lambda: shop.arrived(9_005, "fault_confirm"), 60)
    kill_and_start(shop.stage.services["faults-0"])
    assert told.result(60) == "being_cancelled"
    assert shop.end("faults") == "cancelled"
    assert shop.sequence(9_005) == [
        "→ sale_request", "→ fault_confirm", "→ fault_confirm_again", "← fault_confirm_report",
    ]  # fmt: skip


def test_every_service_is_killed_under_load_and_the_money_is_right(shop: Shop) -> None:
    stage = shop.stage
    stage.wait_open(4)
    mixtures = []
    for partner, customer in stage.plan.customers.items():
        with stage.control(partner) as control:
            teach(control)
        door = stage.plan.doors[0]
        mixtures.append(Mixture(door, customer, stage.plan.tokens[customer], count=150, at_once=8, seed=7))
    services = [stage.services[name] for name in ("router-0", "egress-0", "faults-0", "ingress-0")]
    made = pay_while_dying(mixtures, 30, [partial(kill_and_start, service) for service in services])
    assert made == 300
    assert drain(stage, 90) == set()
    wrote = [*shop.wrote, *(each for mixture in mixtures for each in mixture.records)]
    for process in stage.services.values():
        process.wait_ready()
    broken = {finding.english: finding.offenders for finding in report(collect(stage, wrote)) if not finding.holds}
    assert broken == {}


@pytest.mark.parametrize("name", ["router", "egress", "faults"])
def test_a_second_one_of_the_same_node_is_refused_and_the_first_goes_on(shop: Shop, name: str) -> None:
    stage = shop.stage
    arguments = ["--config", str(stage.plan.file), "--node", "node0"]
    second = service(f"second-{name}", name, arguments, stage.folder / "logs" / f"second-{name}.log", (HOST, 0))
    second.start()
    assert second.wait(60) == 1
    told = rf"^{name}: node node0 runs already \(.*-node0 is a member of .*\): end that one"
    assert re.search(told, second.log.read_text("utf-8"), re.MULTILINE)
    stage.services[f"{name}-0"].wait_ready()
    stage.wait_open(4)
    assert shop.pays(f"after-second-{name}", 1_000).result(60) == "approved"


def test_every_service_ends_in_order_when_it_is_asked_to(shop: Shop) -> None:
    """Last of all: the lines are closed by the closing procedure 閉局, and every process ends with status 0."""
    stage = shop.stage
    since = {}
    for partner in stage.centres:
        with stage.control(partner) as control:
            since[partner] = max(row["number"] for row in control.story())
    for name in ("ingress-0", "egress-0", "faults-0", "router-0"):
        assert stage.services[name].stop() == 0, name
    for partner in stage.centres:
        with stage.control(partner) as control:
            roles = [f"{row['way']} {row['role']}" for row in control.story(since[partner] + 1)]
            assert roles.count("→ closing_request") == roles.count("← closing_answer") == 2, partner
