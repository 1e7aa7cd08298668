"""``denbun simulator``: what it shows of a running centre, what it orders, and what it says when that cannot be."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from centre_rig import PAN, partner_named
from socket_rig import HOST, LineSocket, Served, serving
from typer.testing import CliRunner, Result

from ops.__main__ import app
from schemas.telegrams import Outcome, Role
from simulator.centre import Centre
from simulator.rules import Rules
from simulator.scenario import PLAIN, packaged


@pytest.fixture
def centre() -> Iterator[Served]:
    with serving("cafis") as centre:
        yield centre


@pytest.fixture
def line(centre: Served) -> Iterator[LineSocket]:
    with centre.line() as line:
        yield line


def run(centre: Served | None, *arguments: str) -> Result:
    where = [] if centre is None else ["--control", f"{HOST}:{centre.server.control_port}"]
    return CliRunner().invoke(app, ["simulator", *arguments, *where])


def good(result: Result) -> str:
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return result.stdout


def paid(line: LineSocket, number: int, **given: int) -> Outcome:
    return line.partner.classify(line.ask(Role.SALE_REQUEST, trace_number=number, route_number=number, **given))


# --- switching


def test_it_lists_the_scenarios_in_both_languages() -> None:
    told = good(run(None, "scenarios"))
    assert [name for name in [PLAIN.name, *packaged()] if name not in told] == []
    rows = json.loads(good(run(None, "scenarios", "--json")))
    assert [row["name"] for row in rows] == [PLAIN.name, *packaged()]


def test_it_switches_to_a_packaged_scenario(centre: Served) -> None:
    told = good(run(centre, "use", "month-end"))
    assert told.startswith("cafis: シナリオ month-end 月末過負荷")
    assert centre.control.state()["scenario"] == "month-end"


def test_it_switches_to_a_scenario_of_a_file(centre: Served, line: LineSocket, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[[rule]]\ndo = "decline"\namount = 7\n')
    assert "シナリオ mine" in good(run(centre, "use", str(file)))
    assert paid(line, 1, amount=7) is Outcome.DECLINED


def test_it_adds_a_rule_and_has_an_event_happen(centre: Served, line: LineSocket) -> None:
    assert good(run(centre, "rule", 'do = "turn_round", amount = 7')) == "追加しました  added\n"
    assert paid(line, 1, amount=7) is Outcome.TURNED_ROUND
    assert good(run(centre, "event", "keepalive")) == "keepalive: 1 回線  lines\n"
    assert line.hear().role is Role.KEEPALIVE_REQUEST
    assert good(run(centre, "event", "keepalive", "--station", "DNB00009")) == "keepalive: 0 回線  lines\n"
    assert good(run(centre, "event", "destination_down")) == "destination_down: 実行しました  done\n"
    assert good(run(centre, "event", "reopen")) == "reopen: 実行しました  done\n"
    assert centre.control.state()["destination"] == "destination_down"


# --- showing


def test_it_shows_the_state(centre: Served, line: LineSocket) -> None:
    centre.control.behave(do="decline", pan=PAN)
    paid(line, 1)
    told = good(run(centre, "state"))
    for text in ("CAFIS（NTTデータ）", "plain すべて承認", "DNB00001", "開局 open", "411111******1111", "0 円 yen"):
        assert text in told
    assert PAN not in told
    state = json.loads(good(run(centre, "state", "--json")))
    assert (state["entries"], state["rules"][0]["hits"]) == (1, 1)


def test_it_shows_the_newest_entries_of_the_ledger(centre: Served, line: LineSocket) -> None:
    for number in (1, 2, 3):
        paid(line, number, amount=1_000 * number)
    told = good(run(centre, "ledger", "--last", "2"))
    assert "残高 balance 6,000 円 yen" in told
    assert [text in told for text in ("1,000 ", "2,000 ", "3,000 ")] == [False, True, True]
    assert "411111******1111" in told
    assert "承認 approved" in told
    assert [row["trace_number"] for row in json.loads(good(run(centre, "ledger", "--last", "2", "--json")))] == [2, 3]


def test_it_shows_the_newest_telegrams(centre: Served, line: LineSocket) -> None:
    paid(line, 1)
    told = good(run(centre, "telegrams", "--last", "2"))
    assert "sale_report" in told
    assert "opening" not in told
    full = good(run(centre, "telegrams", "--last", "1", "--full"))
    assert "結果コード result_code: 000" in full
    assert PAN not in told + full


def test_it_shows_the_books_of_a_carried_partner() -> None:
    carried = {"CN": Centre(partner_named("cardnet"), Rules())}
    with serving("cafis", carries=carried) as centre:
        assert json.loads(good(run(centre, "state", "--partner", "cardnet", "--json")))["partner"] == "cardnet"
        wrong = run(centre, "state", "--partner", "nets")
        assert wrong.exit_code == 1
        assert "partner: nothing of nets comes here: one of cafis, cardnet" in wrong.stderr


# --- recording


def test_it_writes_a_record_that_can_be_used(centre: Served, line: LineSocket, tmp_path: Path) -> None:
    centre.control.behave(do="decline", role="sale_request", codes=["D04"], amount=7)
    assert [paid(line, 1, amount=7), paid(line, 2)] == [Outcome.DECLINED, Outcome.APPROVED]
    file = tmp_path / "evening.toml"
    assert good(run(centre, "record", str(file))) == f"{file}: 3 電文を記録  telegrams recorded\n"
    raw = tomllib.loads(file.read_text("utf-8"))
    assert raw["name"] == "evening"
    assert [each.get("code") for each in raw["recorded"]] == [None, "D04", None]
    good(run(centre, "use", str(file)))
    assert paid(line, 3, amount=7) is Outcome.DECLINED


def test_it_writes_over_nothing(centre: Served, tmp_path: Path) -> None:
    file = tmp_path / "evening.toml"
    file.write_text("mine")
    result = run(centre, "record", str(file))
    assert (result.exit_code, file.read_text()) == (2, "mine")
    assert "既に存在します  is there already: name another file" in result.stderr


def test_a_place_that_cannot_be_written_is_said(centre: Served, tmp_path: Path) -> None:
    file = tmp_path / "none" / "evening.toml"
    result = run(centre, "record", str(file))
    told = f"simulator: FILE {file}: フォルダなし  there is no folder {file.parent}: make it, or name another file\n"
    assert (result.exit_code, result.stderr) == (2, told)


# --- what it refuses


@pytest.mark.parametrize(
    ("arguments", "status", "problem"),
    [
        (("use", "nowhere"), 2, "nowhere: シナリオなし  no such scenario: one of plain, closing-time, "),
        (("use", "nowhere.toml"), 2, "nowhere.toml: No such file or directory: name a file of a scenario"),
        (("rule", 'do = "vanish"'), 1, "behave: rule: do: unknown value 'vanish'"),
        (("rule", "do silent"), 2, "rule: is not TOML: "),
        (("event", "sing"), 1, "event: event: do: unknown value 'sing'"),
        (
            ("event", "listen_again", "--station", "A"),
            1,
            "event: event: station: listen_again is about the whole centre",
        ),
    ],
)
def test_what_cannot_be_is_said_and_changes_nothing(
    centre: Served, arguments: tuple[str, ...], status: int, problem: str
) -> None:
    result = run(centre, *arguments)
    assert (result.exit_code, result.stdout) == (status, "")
    assert result.stderr.startswith(f"simulator: {problem}")
    state = centre.control.state()
    assert (state["scenario"], state["rules"]) == ("plain", [])


@pytest.mark.parametrize("address", ["7310", "127.0.0.1:", "127.0.0.1:99999", ":7310"])
def test_what_is_no_address_is_said(address: str) -> None:
    result = CliRunner().invoke(app, ["simulator", "state", "--control", address])
    assert (result.exit_code, result.stderr) == (
        2, f"simulator: --control: {address!r} is no address: give HOST:PORT\n",
    )  # fmt: skip


def test_a_centre_that_does_not_run_is_said_with_the_remedy() -> None:
    with serving("cafis") as centre:
        port = centre.server.control_port
    result = CliRunner().invoke(app, ["simulator", "state"], env={"DENBUN_SIMULATOR": f"{HOST}:{port}"})
    problem = f"no centre takes commands at {HOST}:{port}: Connection refused"
    remedy = "起動していますか  start one with denbun simulator run"
    assert (result.exit_code, result.stderr) == (1, f"simulator: {problem}: {remedy}\n")
