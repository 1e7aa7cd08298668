"""The owner of each step of a telegram's life is killed right after it, on real processes: the promised end follows."""

import re
import signal
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from whole_gateway import wait_until

from client import OutcomeUnknown, SyncClient
from ops.courses import SALE, rule
from ops.evidence import collect, drain
from ops.installations import QUICK
from ops.money import ClientRecord, report
from ops.player import CARD, TERMINAL, Stranger, told_by, worded
from ops.stage import Stage, playing
from pipeline.crash import AT
from schemas.crash_points import PLACES, Place, Point
from schemas.records import Kind
from simulator.control import Control

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

# Long enough that whoever was killed is there again before anybody else gives up on the payment: what is shown is
# what the log says, not what a deadline says.
WAITS: Mapping[str, Any] = {
    **QUICK,
    "kafka": {"session_timeout_ms": 1_500},
    "router": {"report_grace_ms": 15_000, "confirm_ms": 15_000, "confirm_grace_ms": 1_000},
    "partner": {**QUICK["partner"], "send_window_ms": 15_000},
}
APPROVED = "→ sale_request ← sale_report"
CONFIRMED = "→ sale_request → fault_confirm ← fault_confirm_report"
LATE = {"do": "late", "after_ms": 500}


@dataclass(frozen=True, slots=True)
class Promise:
    """How a sale ends whose step's owner dies. `told`: its caller; `vanishes`: the caller is gone by then."""

    told: str | None
    ends: str
    telegrams: str
    rule: Mapping[str, Any] | None = None
    vanishes: bool = False


_GOES_ON = Promise("approved", "approved", APPROVED)
_DOUBTED = Promise("being_cancelled", "cancelled", CONFIRMED, {"do": "silent"})
_CANCELLED = Promise(
    None, "cancelled", "→ sale_request ← sale_report → fault_cancel ← fault_cancel_report", LATE, vanishes=True
)

PROMISED: Mapping[Point, Promise] = {
    Point.REQUEST_STORED: _GOES_ON,
    Point.DISPATCHED_STORED: _GOES_ON,
    Point.DISPATCH_WRITTEN: _GOES_ON,
    # in doubt, though it never was on the line: nobody can know
    Point.SENT_STORED: Promise("being_cancelled", "cancelled", "→ fault_confirm ← fault_confirm_report"),
    # the centre has it; late, so that nobody is there whom it could answer
    Point.TELEGRAM_OUT: Promise("being_cancelled", "cancelled", CONFIRMED, LATE),
    Point.REPORT_READ: Promise("being_cancelled", "cancelled", f"{APPROVED} → fault_confirm ← fault_confirm_report"),
    Point.REPORT_STORED: _GOES_ON,
    Point.REPLY_WRITTEN: _GOES_ON,
    Point.CONFIRMATION_STORED: _GOES_ON,
    Point.ANSWERED_STORED: _GOES_ON,
    Point.MISSING_STORED: _DOUBTED,
    Point.IN_DOUBT_STORED: _DOUBTED,
    Point.UNDELIVERABLE_STORED: _CANCELLED,
    Point.UNDELIVERED_STORED: _CANCELLED,
    Point.CANCEL_STORED: _DOUBTED,
    Point.COMMAND_WRITTEN: _DOUBTED,
    Point.SETTLEMENT_WRITTEN: _DOUBTED,
    Point.END_STORED: _DOUBTED,
}


class Shop:
    """The customer of CAFIS, and its view of the centre."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.control: Control = stage.control("cafis")
        self.customer = stage.plan.customers["cafis"]
        self.client: SyncClient = stage.client("cafis")
        self.wrote: list[ClientRecord] = []

    def asks(self, reference: str, amount: int, promise: Promise) -> Callable[[], str | None]:
        """A sale under way; gives how to await what its caller is told."""
        request: dict[str, Any] = {
            "reference": reference, "kind": "sale", "terminal_id": TERMINAL, "amount": amount, "card": CARD,
            "payment_method": "10",
        }  # fmt: skip
        if promise.rule is not None:
            self.control.behave(**rule(SALE, **promise.rule), amount=amount)
        if promise.vanishes:
            customer, door = self.customer, self.stage.plan.doors[0]
            stranger = Stranger(door, customer, self.stage.plan.tokens[customer])
            stranger.ask(request)
            stranger.close()
            return lambda: None
        pool = ThreadPoolExecutor(1)
        told = pool.submit(told_by, self.client, request)
        pool.shutdown(wait=False)
        return lambda: told.result(60)

    def writes(self, reference: str, amount: int, told: str | None) -> None:
        self.wrote.append(ClientRecord(f"{self.customer}:{reference}", Kind.SALE, amount, told))

    def end(self, reference: str) -> str:
        """What an inquiry tells at last."""
        found: list[str] = []

        def ended() -> bool:
            with suppress(OutcomeUnknown):
                found.append(worded(self.client.inquire(reference, wait_ms=5_000)))
            return bool(found) and found[-1] not in ("being_cancelled", "in_process")

        wait_until(ended, 60)
        return found[-1]

    def telegrams(self, since: int) -> str:
        """The telegrams about money since then, in order."""
        return " ".join(f"{row['way']} {row['role']}" for row in self.control.story(since + 1) if row["route_number"])

    def told(self) -> int:
        """The number of the last telegram that has passed."""
        return max(row["number"] for row in self.control.story())

    def close(self) -> None:
        self.client.close(5)
        self.control.close()


@pytest.fixture(scope="module")
def shop(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("crashes")
    with playing(folder, servers=kafka_servers, prefix=f"{folder.name}-", waits=WAITS) as stage:
        found = Shop(stage)
        yield found
        found.close()


def wait_for_lines(stage: Stage) -> None:
    """Until the router knows that all lines are open."""
    stage.wait_open(len(stage.installation.line))
    stage.services["router-0"].wait_ready()
    host, port = stage.plan.metrics["router-0"]

    def known() -> bool:
        with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=5) as page:
            return re.findall(rb"^denbun_router_open_lines\{.*\} (.*)$", page.read(), re.MULTILINE) == [b"2.0", b"2.0"]

    wait_until(known, 30)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: f"{place.step}-{place.service}-{place.point}")
def test_whoever_dies_right_after_a_step_leaves_the_payment_to_the_end_that_is_promised(
    shop: Shop, place: Place
) -> None:
    stage, promise = shop.stage, PROMISED[place.point]
    owner = stage.services[f"{place.service}-0"]
    assert owner.stop() == 0
    owner.start({AT: place.point})
    number = 1 + PLACES.index(place)
    reference, amount, since = f"crash-{number}", 5_000 + number, shop.told()
    try:
        owner.wait_ready()
        wait_for_lines(stage)
        told = shop.asks(reference, amount, promise)
        assert owner.wait(60) == -signal.SIGKILL
    finally:
        owner.stop()  # whatever happened: the next one must not find it armed
        owner.start()
    at_once = told()
    assert at_once == promise.told
    assert shop.end(reference) == promise.ends
    assert shop.telegrams(since) == promise.telegrams
    shop.writes(reference, amount, at_once)
    shop.writes(reference, amount, promise.ends)
    owner.wait_ready()


def test_the_money_is_right_after_all_of_them(shop: Shop) -> None:
    assert len(shop.wrote) == 2 * len(PLACES)
    assert drain(shop.stage, 60) == set()
    wait_for_lines(shop.stage)
    findings = report(collect(shop.stage, shop.wrote))
    assert {finding.english: finding.offenders for finding in findings if not finding.holds} == {}


def test_every_point_has_its_promise_in_the_order_of_the_table() -> None:
    points: Sequence[Point] = [place.point for place in PLACES]
    assert list(PROMISED) == points == list(Point)
