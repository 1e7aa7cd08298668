"""A centre over HTTP: what it tells, what it obeys, whom it refuses, and its page."""

import asyncio
import contextlib
import errno
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from centre_rig import PAN, PARTNERS
from socket_rig import HOST, WAIT_S, Served, serving
from words_rig import no_object, unfit

from schemas.telegrams import Outcome, Role
from simulator.access import AccessError, is_loopback, read_token, refusal
from simulator.commands import _BY_NAME
from simulator.control import ControlError
from simulator.deeds import REQUESTS, SILENT, Deed
from simulator.timeline import Event
from simulator.web import Page

TOKEN = "a-token-of-some-length"
ORDER = {"X-Denbun": "1"}


@contextlib.contextmanager
def shown(centre: Served, token_file: Path | None = None, address: tuple[str, int] = (HOST, 0)) -> Iterator[Page]:
    """The page of a centre that runs."""
    page = Page(address, token_file)

    def do(work: "asyncio.Future[None] | object") -> None:
        asyncio.run_coroutine_threadsafe(work, centre.loop).result(WAIT_S)  # type: ignore[arg-type]

    do(page.start(centre.server.desk))
    try:
        yield page
    finally:
        do(page.stop())


@contextlib.contextmanager
def asked(partner: str = "cafis") -> Iterator[tuple[Served, httpx.Client]]:
    """A centre that runs, and a client of its page."""
    with (
        serving(partner) as centre,
        shown(centre) as page,
        httpx.Client(base_url=f"http://{HOST}:{page.port}", timeout=WAIT_S) as client,
    ):
        yield centre, client


# --- what it tells


@pytest.mark.parametrize("partner", PARTNERS)
def test_it_tells_what_goes_on(partner: str) -> None:
    with asked(partner) as (centre, client), centre.line() as line:
        for number in range(1, 5):
            line.ask(Role.SALE_REQUEST, trace_number=number, route_number=number)
        state = client.get("/api/state").json()["ok"]
        assert (state["partner"], state["entries"], state["balance"]) == (partner, 4, 4_800)
        assert [(each["station"], each["open"]) for each in state["lines"]] == [("DNB00001", True)]
        rows = client.get("/api/ledger", params={"last": 3}).json()["ok"]
        assert [row["trace_number"] for row in rows] == [2, 3, 4]
        told = client.get("/api/telegrams", params={"last": 2}).json()["ok"]
        assert [each["role"] for each in told] == ["sale_report", "sale_request"]
        assert client.get("/api/violations").json() == {"ok": []}
        assert {each["name"] for each in client.get("/api/scenarios").json()["ok"]} > {"plain", "month-end"}
        record = client.get("/api/record")
        assert record.headers["content-type"].startswith("text/plain")
        assert record.text.startswith('name = "recorded"\n')


def test_no_card_data_is_told_anywhere() -> None:
    with asked() as (centre, client), centre.line() as line:
        centre.control.behave(do="decline", pan=PAN)
        secret = {"track2": f"{PAN}=28122010000000000000", "security_code": "739"}
        line.ask(Role.SALE_REQUEST, trace_number=1, route_number=1, **secret)
        names = ("state", "ledger", "telegrams", "record", "violations", "suspicions", "counters", "scenarios")
        told = "\n".join(client.get(f"/api/{name}").raise_for_status().text for name in names)
        assert "411111******1111" in told
        assert [each for each in (PAN, "28122010000000000000", '"739"', ": 739") if each in told] == []


# --- what it obeys


def test_scenario_rule_and_event_are_ordered() -> None:
    with asked() as (centre, client), centre.line() as line:
        assert client.post("/api/scenario", json={"scenario": "month-end"}, headers=ORDER).json() == {"ok": None}
        assert client.get("/api/state").json()["ok"]["scenario"] == "month-end"
        assert client.post("/api/clear", headers=ORDER).json() == {"ok": None}
        rule = {"do": "decline", "amount": 7}
        assert client.post("/api/rule", json={"rule": rule}, headers=ORDER).json() == {"ok": None}
        report = line.ask(Role.SALE_REQUEST, trace_number=1, route_number=1, amount=7)
        assert line.partner.classify(report) is Outcome.DECLINED
        assert client.post("/api/event", json={"event": {"do": "keepalive"}}, headers=ORDER).json() == {"ok": 1}
        assert line.hear().role is Role.KEEPALIVE_REQUEST


@pytest.mark.parametrize(
    ("path", "body", "problem"),
    [
        ("scenario", '{"scenario": "nowhere"}', "nowhere: no scenario of this name: one of plain, "),
        ("scenario", "{}", unfit(_BY_NAME["use"], {})),
        ("rule", '{"rule": {"do": "silent", "times": 0}}', "rule: times: must be at least 1, or left out for always"),
        ("event", '{"event": {"do": "close", "at_s": 1}}', "event: at_s: it happens at once: leave it out"),
        ("event", "[1]", f"not a JSON object: {no_object(b'[1]')}"),
        ("event", "\xff", "not a JSON object: "),
        ("event", '{"do": "clear", "event": {}}', f"event: {unfit(Event, {})}"),
    ],
)
def test_a_wrong_order_is_answered_by_what_is_wrong_and_changes_nothing(path: str, body: str, problem: str) -> None:
    with asked() as (centre, client):
        centre.control.behave(do="late")
        answer = client.post(f"/api/{path}", content=body.encode("latin-1"), headers=ORDER)
        assert answer.status_code == 400
        assert answer.json()["error"].startswith(problem)
        assert centre.control.rules() == [{"do": "late"}]
        assert centre.control.state()["scenario"] == "plain"


def test_what_is_not_there_is_said() -> None:
    with asked() as (_, client):
        assert client.get("/api/nothing").status_code == 404
        assert client.post("/api/ledger", headers=ORDER).status_code == 404
        assert client.get("/nothing").status_code == 404
        for last in ("0", "1001", "-1", "x", "²"):
            answer = client.get("/api/ledger", params={"last": last})
            assert (answer.status_code, answer.json()) == (
                400, {"error": f"last: {last!r}: give a number from 1 to 1000"},
            )  # fmt: skip


def test_a_body_without_an_end_is_not_read_for_ever() -> None:
    with asked() as (_, client):
        answer = client.post("/api/rule", content=b" " * (1 << 20) + b"{}", headers=ORDER)
        assert answer.status_code == 413


def test_a_body_that_does_not_come_is_answered_and_keeps_nobody_from_stopping(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("simulator.web._BODY_S", 0.1)
    head = f"POST /api/clear HTTP/1.1\r\nHost: {HOST}\r\nX-Denbun: 1\r\nContent-Length: 9\r\n\r\n".encode()
    with asked() as (_, client):
        place = (HOST, client.base_url.port or 0)
        with socket.create_connection(place, WAIT_S) as waits, socket.create_connection(place, WAIT_S) as leaves:
            waits.sendall(head)
            leaves.sendall(head)
            leaves.close()
            assert waits.recv(100).startswith(b"HTTP/1.1 408 ")
        assert client.get("/api/state").status_code == 200
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


# --- whom it refuses


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ({}, "a request that changes something carries the header X-Denbun: 1"),
        ({**ORDER, "Origin": "https://elsewhere.example"}, "this comes from a page of another origin"),
        ({**ORDER, "Origin": "null"}, "this comes from a page of another origin"),
    ],
)
def test_a_page_of_another_site_cannot_command(headers: dict[str, str], problem: str) -> None:
    with asked() as (centre, client):
        centre.control.behave(do="late")
        answer = client.post("/api/clear", headers=headers)
        assert (answer.status_code, answer.json()) == (403, {"error": problem})
        assert centre.control.rules() == [{"do": "late"}]


def test_its_own_page_can_command() -> None:
    with asked() as (_, client):
        own = str(client.base_url).rstrip("/")
        assert client.post("/api/clear", headers={**ORDER, "Origin": own}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/api/state"])
def test_a_foreign_name_that_points_here_is_refused(path: str) -> None:
    with asked() as (_, client):
        assert client.get(path, headers={"Host": "rebound.example"}).status_code == 403
        assert client.get(path, headers={"Host": "localhost:1"}).status_code == 200


def test_with_a_token_only_who_shows_it_is_answered(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    with (
        serving("cafis") as centre,
        shown(centre, file) as page,
        httpx.Client(base_url=f"http://{HOST}:{page.port}") as client,
    ):
        for headers in ({}, {"Authorization": "Bearer other"}, {"Authorization": TOKEN}):
            assert client.get("/api/state", headers=headers).status_code == 401
            assert client.post("/api/clear", headers={**ORDER, **headers}).status_code == 401
        shows = {"Authorization": f"Bearer {TOKEN}"}
        assert client.get("/api/state", headers=shows).status_code == 200
        assert client.post("/api/clear", headers={**ORDER, **shows}).status_code == 200
        page_text = client.get("/").text
        assert "const WITH_TOKEN = true" in page_text
        assert TOKEN not in page_text


def test_it_is_shown_to_other_machines_only_with_a_token(tmp_path: Path) -> None:
    with pytest.raises(AccessError) as caught:
        read_token("0.0.0.0", None)
    assert str(caught.value) == (
        "--http: 0.0.0.0 can be reached from other machines: give --token-file, or an address of this machine alone"
    )
    file = tmp_path / "token"
    with pytest.raises(AccessError, match=r"No such file or directory$"):
        read_token(HOST, file)
    file.write_text("short")
    with pytest.raises(AccessError, match=r"a token has at least 16 ASCII characters$"):
        read_token(HOST, file)
    assert [is_loopback(each) for each in (HOST, "127.9.9.9", "::1", "localhost", "0.0.0.0", "example.com")] == [
        True, True, True, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize("host", ["[::1]:80", "127.0.0.1", "localhost:7380"])
def test_every_name_of_this_machine_is_its_own(host: str) -> None:
    assert refusal({"host": host}, changes=False, token=None, port=80) is None


def test_a_busy_port_is_said_with_the_remedy() -> None:
    with serving("cafis") as centre, socket.create_server((HOST, 0)) as busy:
        address = busy.getsockname()
        with pytest.raises(OSError, match="choose another address") as caught, shown(centre, None, address):
            pass
    assert caught.value.errno == errno.EADDRINUSE
    told = f"--http {HOST}:{address[1]}: {os.strerror(errno.EADDRINUSE)}: choose another address"
    assert caught.value.strerror == told


# --- the page


@pytest.mark.parametrize("partner", PARTNERS)
def test_the_page_is_whole_asks_nobody_else_and_may_be_framed_by_nobody(partner: str) -> None:
    with asked(partner) as (centre, client):
        answer = client.get("/")
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        page = answer.text
        assert re.findall(r"(?:src|href|action)=\"(?!data:)[^\"]*\"", page) == []
        assert re.findall(r"https?://", page) == []
        sale = centre.partner.telegrams[Role.SALE_REQUEST].japanese
        assert '"sale_request": "' + sale.encode("ascii", "backslashreplace").decode() in page
        for name in ("facts", "lines", "rules", "ledger", "telegrams", "scenarios", "events"):
            assert page.count(f'id="{name}"') == 1


def told_in(page: str, name: str) -> Any:
    """What the page's script begins with under this name."""
    return json.loads(re.search(rf"const {name} = (?:new Set\()?(.+?)\)?;\n", page)[1])  # type: ignore[index]


@pytest.mark.parametrize("partner", PARTNERS)
def test_the_form_offers_what_the_centre_takes_and_nothing_else(partner: str) -> None:
    with asked(partner) as (centre, client):
        page = client.get("/").text
        types, fields, fitting, codes, words = (
            told_in(page, name) for name in ("TYPES", "FIELDS", "FITTING", "CODES", "DEEDS")
        )
        assert types.keys() == fields.keys() == {role for role in REQUESTS if role in centre.partner.telegrams}
        assert words.keys() == fitting.keys() == {*Deed}
        for deed, roles in fitting.items():
            limit = {"floor_limit": 30_000} if deed == Deed.STAND_IN else {}
            for role in roles:
                given = {"amount": [1, 2], "pan": "411111*", "terminal_id": "4980123456789"}
                rule = {"do": deed, "role": role, **limit, **{name: given[name] for name in fields[role]}}
                for code in [None, *(code for code, _ in codes.get(deed, []))]:
                    centre.control.behave(**rule, **({} if code is None else {"code": code}))
        for deed in set(fitting) - codes.keys():
            with pytest.raises(ControlError):
                centre.control.behave(do=deed, code="D01", **({"floor_limit": 1} if deed == Deed.STAND_IN else {}))
        silent = set(told_in(page, "SILENT"))
        assert silent == {deed for deed in Deed if deed in SILENT}
        for name in ("role", "do", "code", "amount", "pan", "terminal_id", "times", "share", "after_ms", "floor_limit"):
            assert page.count(f'data-field="{name}"') == page.count(f'id="rule-{name}"') == 1
            assert f"{name}: " in re.search(r"const NAMES = \{.+?\};", page, re.DOTALL)[0]  # type: ignore[index]
        assert page.count('id="rule-text"') == 1, "JSON stays for experts"


def test_when_each_telegram_passed_and_each_entry_came_is_told() -> None:
    with asked() as (centre, client), centre.line() as line:
        before_ms = time.time_ns() // 1_000_000 - 1
        line.ask(Role.SALE_REQUEST, trace_number=1, route_number=1)
        after_ms = time.time_ns() // 1_000_000 + 1
        passed = [each["at_ms"] for each in client.get("/api/telegrams?last=2").json()["ok"]]
        assert before_ms <= passed[1] <= passed[0] <= after_ms
        assert [each["data"] for each in client.get("/api/telegrams?last=2").json()["ok"]] == [None, None]
        (row,) = client.get("/api/ledger").json()["ok"]
        assert before_ms <= row["at_ms"] <= after_ms


def test_what_the_page_shows_is_bounded_however_much_has_passed() -> None:
    with asked() as (centre, client), centre.line() as line:
        data = [line.framed(Role.SALE_REQUEST, trace_number=each, route_number=1) for each in range(1, 1_501)]
        line.put(b"".join(data))
        for _ in data:
            line.hear()
        assert len(client.get("/api/ledger?last=30").json()["ok"]) == 30
        told = client.get("/api/telegrams?last=30")
        assert [each["number"] for each in told.json()["ok"]][:2] == [3_002, 3_001]
        assert len(told.content) < 50_000
        assert len(client.get("/api/state").content) < 5_000
