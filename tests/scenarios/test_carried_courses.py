"""Every course of a payment of CARDNET's, whose telegrams all travel on CAFIS' lines (MC 回線), on the log in memory.

CARDNET has no line of its own here: what its books hold came in envelopes. One line is dialled, the other awaited.
"""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator, Mapping
from typing import Any, TypeVar

import pytest
from whole_gateway import TOKEN, WholeGateway, installation, running

from egress.shell import EgressServer
from ops.courses import COURSES, Course
from ops.money import ClientRecord, Evidence, report
from ops.player import CARD, TERMINAL, Player, shown
from ops.ports import free_port
from pipeline.memory import MemoryLog
from schemas.identity import transaction_id
from schemas.records import (
    AttentionRaised,
    Doubt,
    Kind,
    ReportMissing,
    RouteHeld,
    SendCancel,
    SendRequest,
    StrayTelegram,
    TelegramSent,
)
from schemas.telegrams import load_partner
from simulator.centre import Centre
from simulator.control import Control
from simulator.rules import Rules
from simulator.server import Addresses, CentreServer

T = TypeVar("T")
HOST = "127.0.0.1"
CODE = "JCN1"
CAFIS, CARDNET = load_partner("cafis"), load_partner("cardnet")
IN_FLIGHT = 777_000


class CarryingCentre:
    """CAFIS' centre, which passes on to CARDNET's, on a loop of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="centre", daemon=True)
        self._thread.start()
        self._called = free_port()
        centre = Centre(CAFIS, Rules(), carries={CODE: Centre(CARDNET, Rules())})
        self._server = CentreServer(centre, Addresses([(HOST, 0)], [[(HOST, self._called)]], (HOST, 0)))
        self._on_loop(self._server.start())

    def lines(self) -> list[dict[str, Any]]:
        ports = {"dial": self._server.listen_ports[0], "listen": self._called}
        return [
            {
                "name": f"mc-{mode}", "partner": "cafis", "mode": mode, "host": HOST, "port": port,
                "station_id": f"DNB0000{number}", "company_code": f"10000{number}", "routes": [1, 6],
                "carries": [{"partner": "cardnet", "code": CODE, "company_code": f"0629000{number}"}],
            }
            for number, (mode, port) in enumerate(ports.items(), 1)
        ]  # fmt: skip

    def control(self, partner: str) -> Control:
        return Control(HOST, self._server.control_port, partner=partner)

    def close(self) -> None:
        self._on_loop(self._server.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)


Carrying = tuple[WholeGateway, CarryingCentre]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Carrying]:
    """One gateway for all courses: what one leaves behind the next one has to live with."""
    centre = CarryingCentre()
    ring = tmp_path_factory.mktemp("keys") / "keys.json"
    config = installation(centre.lines(), "carried-", ring, egress__reconnect_ms=20)
    with running(WholeGateway(MemoryLog(), config)) as whole:
        whole.wait_open(4)  # each line for each partner
        yield whole, centre
    centre.close()


@pytest.fixture(scope="module")
def players(gateway: Carrying) -> Iterator[Mapping[str, Player]]:
    whole, centre = gateway
    door = (HOST, whole.ingress.port)
    with contextlib.ExitStack() as stack:
        found = {}
        for partner in ("cafis", "cardnet"):
            control = stack.enter_context(centre.control(partner))
            token = f"{TOKEN} {partner}"
            found[partner] = Player(load_partner(partner), control, door, partner.upper(), token, lines=2)
            stack.callback(found[partner].close)
        yield found


def in_topic(whole: WholeGateway, topic: str, kind: type[T]) -> list[T]:
    """The records of a kind; of a topic of each line, those of all lines."""
    lines = [line.name for line in whole.config.line] if topic in ("sent", "dispatch") else [None]
    return [record for line in lines for _, record in whole.records(topic, line) if isinstance(record, kind)]


# --- payments


@pytest.mark.parametrize("course", COURSES, ids=lambda course: course.name)
def test_the_course_of_what_is_carried_goes_as_the_table_says(players: Mapping[str, Player], course: Course) -> None:
    played = players["cardnet"].play(course)
    assert shown(played.seen, CARDNET) == shown(course.expected, CARDNET)
    assert played.problems == []


def test_the_lines_own_telegrams_go_beside_them(players: Mapping[str, Player]) -> None:
    for name in ("approved", "silence", "client_gone"):
        (course,) = (each for each in COURSES if each.name == name)
        played = players["cafis"].play(course)
        assert shown(played.seen, CAFIS) == shown(course.expected, CAFIS)
        assert played.problems == []


def test_the_next_owner_of_the_lines_confirm_cancels_what_was_in_an_envelope_then(
    gateway: Carrying, players: Mapping[str, Player]
) -> None:
    assert players
    whole, centre = gateway
    with centre.control("cardnet") as control, whole.client("cardnet") as client:
        control.behave(do="silent", amount=IN_FLIGHT, role="sale_request")
        paying = threading.Thread(
            target=client.pay,
            kwargs={"reference": "taken-over", "kind": "sale", "terminal_id": TERMINAL, "amount": IN_FLIGHT,
                    "card": CARD, "payment_method": "10"},
        )  # fmt: skip
        paying.start()
        control.wait_for(lambda: control.ledger(amount=IN_FLIGHT))
        whole.on_loop(another_owner(whole))
        control.wait_for(lambda: control.ledger(amount=IN_FLIGHT, cancelled=True))
        paying.join()
        assert str(client.inquire("taken-over", wait_ms=5_000).status) == "cancelled"
        control.clear()
    doubts = {each.transaction_id: each.doubt for each in in_topic(whole, "reports", ReportMissing)}
    assert doubts["CARDNET:taken-over"] is Doubt.LINE_BROKE


async def another_owner(whole: WholeGateway) -> None:
    """End egress as kill -9 does, and start one on another node."""
    dead = whole.egress
    for owner in dead._owners.values():
        assert owner._tenure is not None
        owner._tenure._end()
        await owner._tenure._connector.stop()
    await dead.stop()
    whole.egress = EgressServer(
        dead._settings, whole.log, whole.topics, dead._ring, dead._metrics, node="next", now_ms=dead._now_ms
    )  # fmt: skip
    await whole.egress.start()


# --- what they have left behind


def test_each_record_says_whose_telegram_it_is(gateway: Carrying, players: Mapping[str, Player]) -> None:
    assert players
    whole, _ = gateway
    for topic, kind in (("dispatch", SendRequest), ("dispatch", SendCancel), ("sent", TelegramSent)):
        records = in_topic(whole, topic, kind)
        assert {record.partner for record in records} == {"cafis", "cardnet"}
        assert all(record.partner == record.transaction_id.partition(":")[0].lower() for record in records)
    for line in whole.config.line:
        sent = [record for _, record in whole.records("sent", line.name) if isinstance(record, TelegramSent)]
        assert {record.partner for record in sent} == {"cafis", "cardnet"}
        assert len({record.trace_number for record in sent}) == len(sent), "they count with the line's numbers"


def test_what_ended_with_a_person_is_told_with_the_partner_that_is_carried(
    gateway: Carrying, players: Mapping[str, Player]
) -> None:
    assert players
    raised = in_topic(gateway[0], "attention", AttentionRaised)
    assert {(each.partner, each.reference) for each in raised} == {
        ("cardnet", f"{course}-a") for course in ("silence_for_ever", "c50", "command_in_error")
    }
    assert {each.line for each in raised} <= {"mc-dial", "mc-listen"}


def test_every_route_that_was_held_is_free_again(gateway: Carrying, players: Mapping[str, Player]) -> None:
    assert players
    held: dict[bytes | None, RouteHeld | None] = {}
    for message, record in gateway[0].records("holds"):
        assert record is None or isinstance(record, RouteHeld)
        held[message.key] = record
    assert held
    assert [record for record in held.values() if record is not None] == []


def test_what_meant_nothing_in_an_envelope_is_kept_for_people(gateway: Carrying, players: Mapping[str, Player]) -> None:
    assert players
    strays = in_topic(gateway[0], "strays", StrayTelegram)
    assert [each for each in strays if each.description.startswith("in an envelope: cardnet telegram")]


def test_the_money_is_right_in_the_books_of_both(gateway: Carrying, players: Mapping[str, Player]) -> None:
    whole, centre = gateway
    clients = [
        ClientRecord(transaction_id(name.upper(), each.reference, each.original), each.kind, each.amount, each.told)
        for name, player in players.items()
        for each in player.wrote
    ]
    clients.append(ClientRecord("CARDNET:taken-over", Kind.SALE, IN_FLIGHT, "cancelled"))
    lines = [line.name for line in whole.config.line]
    names = {each.name.removeprefix("carried-"): each.name for each in whole.topics.creations(lines, 1, 1)}
    assert isinstance(whole.log, MemoryLog)
    with centre.control("cafis") as cafis, centre.control("cardnet") as cardnet:
        books = {"cafis": cafis, "cardnet": cardnet}
        evidence = Evidence(
            clients=clients,
            ledgers={name: control.ledger() for name, control in books.items()},
            violations={name: control.violations() for name, control in books.items()},
            stations={line.name: line.station_id for line in whole.config.line},
            topics={name: whole.log.everything(full) for name, full in names.items()},
            texts={"metrics": b"none"},
            secrets=[CARD.number.encode(), CARD.number.encode().hex().encode()],
        )
    assert all(evidence.ledgers.values())
    assert [offender for finding in report(evidence) for offender in finding.offenders] == []
