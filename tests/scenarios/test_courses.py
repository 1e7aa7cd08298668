"""Every course of a payment, for both partners, on the log in memory and on Kafka: the table is `ops.courses`."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from whole_gateway import TOKEN, WholeGateway, installation, running

from client import SyncClient
from ops.courses import COURSES, Course
from ops.player import CARD, TERMINAL, Player, shown, told_by
from ops.ports import free_port
from pipeline.log import Log
from pipeline.memory import MemoryLog
from pipeline.murmur import partition_of
from schemas.identity import transaction_key
from schemas.records import AttentionRaised, RouteHeld, StrayTelegram, TelegramSent
from schemas.telegrams import load_partner
from simulator.centre import Centre
from simulator.control import Control
from simulator.rules import Rules
from simulator.server import Addresses, CentreServer

T = TypeVar("T")
HOST = "127.0.0.1"
PARTNERS = ("cafis", "cardnet")


class Centres:
    """A centre for each partner, on a loop of its own; one line is dialled, the other awaited."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="centres", daemon=True)
        self._thread.start()
        self._called = {partner: free_port() for partner in PARTNERS}
        self._servers = {partner: self._server(partner) for partner in PARTNERS}
        for server in self._servers.values():
            self._on_loop(server.start())

    def _server(self, partner: str) -> CentreServer:
        addresses = Addresses([(HOST, 0)], [[(HOST, self._called[partner])]], (HOST, 0))
        return CentreServer(Centre(load_partner(partner), Rules()), addresses)

    def _on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def lines(self) -> list[dict[str, Any]]:
        found = []
        for number, (partner, server) in enumerate(self._servers.items()):
            for mode, port in (("dial", server.listen_ports[0]), ("listen", self._called[partner])):
                found.append({
                    "name": f"{partner}-{mode}", "partner": partner, "mode": mode, "host": HOST, "port": port,
                    "station_id": f"DNB0{number}{len(found):03}", "company_code": f"{100_001 + len(found)}",
                    "routes": [1, 6],
                })  # fmt: skip
        return found

    def control(self, partner: str) -> Control:
        return Control(HOST, self._servers[partner].control_port)

    def close(self) -> None:
        for server in self._servers.values():
            self._on_loop(server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture(scope="module", params=["memory", pytest.param("kafka", marks=pytest.mark.stack)])
def log(request: pytest.FixtureRequest) -> Log:
    if request.param == "memory":
        return MemoryLog()
    kafka: Log = request.getfixturevalue("kafka_log")
    return kafka


@pytest.fixture(scope="module")
def gateway(log: Log, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WholeGateway, Centres]]:
    """One gateway for all courses: what one leaves behind the next one has to live with."""
    centres = Centres()
    prefix = f"courses{id(log)}-"
    config = installation(
        centres.lines(), prefix, tmp_path_factory.mktemp("keys") / "keys.json", egress__reconnect_ms=20
    )
    with running(WholeGateway(log, config)) as whole:
        whole.wait_open(4)
        yield whole, centres
    centres.close()


@pytest.fixture(scope="module")
def players(gateway: tuple[WholeGateway, Centres]) -> Iterator[Mapping[str, Player]]:
    whole, centres = gateway
    door = (HOST, whole.ingress.port)
    with contextlib.ExitStack() as stack:
        found = {}
        for partner in PARTNERS:
            control = stack.enter_context(centres.control(partner))
            token = f"{TOKEN} {partner}"
            found[partner] = Player(load_partner(partner), control, door, partner.upper(), token, lines=2)
            stack.callback(found[partner].close)
        yield found


@pytest.mark.parametrize("course", COURSES, ids=lambda course: course.name)
def test_the_course_goes_as_the_table_says(players: Mapping[str, Player], course: Course) -> None:
    with ThreadPoolExecutor(len(players)) as pool:  # the partners at the same time
        for partner, played in zip(players, pool.map(lambda each: each.play(course), players.values()), strict=True):
            spec = load_partner(partner)
            assert shown(played.seen, spec) == shown(course.expected, spec), partner
            assert played.problems == [], partner


def test_no_rule_of_the_line_was_broken(players: Mapping[str, Player], gateway: tuple[WholeGateway, Centres]) -> None:
    assert players
    _, centres = gateway
    for partner in PARTNERS:
        with centres.control(partner) as control:
            assert control.violations() == []


def test_what_ended_with_a_person_stands_in_the_attention_list(gateway: tuple[WholeGateway, Centres]) -> None:
    whole, _ = gateway
    raised = [record for _, record in whole.records("attention") if isinstance(record, AttentionRaised)]
    told = {(record.partner, record.reference, record.reason.split()[0]) for record in raised}
    assert told == {
        (partner, f"{course}-a", reason)
        for partner, trouble in (("cafis", "C50"), ("cardnet", "E50"))
        for course, reason in (("silence_for_ever", "silence"), ("c50", trouble), ("command_in_error", "error_report"))
    }


def test_every_held_route_is_free_again(gateway: tuple[WholeGateway, Centres]) -> None:
    whole, _ = gateway
    held: dict[bytes | None, RouteHeld | None] = {}
    for message, record in whole.records("holds"):
        assert record is None or isinstance(record, RouteHeld)
        held[message.key] = record
    assert held
    assert [record for record in held.values() if record is not None] == []


def test_a_late_or_second_report_is_recorded_and_changes_nothing(gateway: tuple[WholeGateway, Centres]) -> None:
    whole, _ = gateway
    strays = [record for _, record in whole.records("strays") if isinstance(record, StrayTelegram)]
    assert strays


def test_a_trace_number_is_used_once_on_its_line(gateway: tuple[WholeGateway, Centres]) -> None:
    whole, _ = gateway
    for line in whole.config.line:
        sent = [record for _, record in whole.records("sent", line.name) if isinstance(record, TelegramSent)]
        numbers = [record.trace_number for record in sent]
        assert numbers
        assert len(set(numbers)) == len(numbers)


def test_a_reference_that_is_used_again_for_a_refund_touches_nothing_but_its_original(
    gateway: tuple[WholeGateway, Centres],
) -> None:
    whole, centres = gateway
    sale = next(
        f"sale-{number}"
        for number in range(100)
        if partition_of(transaction_key("CAFIS", f"sale-{number}", None).encode(), 2)
        != partition_of(transaction_key("CAFIS", "first", None).encode(), 2)
    )
    with SyncClient((HOST, whole.ingress.port), customer="CAFIS", token=f"{TOKEN} cafis") as client:
        asked = {"terminal_id": TERMINAL, "amount": 777, "card": CARD}
        assert told_by(client, {"reference": "first", "kind": "sale", **asked}) == "approved"
        assert told_by(client, {"reference": sale, "kind": "sale", **asked}) == "approved"
        assert (
            told_by(client, {"reference": sale, "kind": "refund", "original_reference": "first", **asked}) == "approved"
        )
    with centres.control("cafis") as control:
        entries = [row for row in control.ledger() if row["amount"] == 777]
        assert [(row["reference"], row["role"], row["cancelled"]) for row in entries] == [
            ("first", "sale_request", False), (sale, "sale_request", False), (sale, "refund_request", False),
        ]  # fmt: skip
        assert control.violations() == []
