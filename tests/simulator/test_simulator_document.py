"""docs/simulator.md, followed to the letter: its files, its commands, and what it says of them."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from socket_rig import HOST

from simulator.commands import _BY_NAME
from simulator.control import Control, ControlError
from simulator.deeds import Deed
from simulator.timeline import Occurrence
from simulator.web import _ORDERS, _QUESTIONS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "simulator.md").read_text("utf-8")
GO = 60
FILES = {"merchant.py": "python", "busy.toml": "toml"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


COMMANDS = [line for block in blocks("sh") for line in block.splitlines()]


def free_port() -> int:
    with socket.create_server((HOST, 0)) as found:
        return int(found.getsockname()[1])


class Desk:
    """A folder in which the commands of the page are typed, with ports of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {"7210": free_port(), "7380": free_port(), "7310": free_port()}
        self.told: dict[str, list[str]] = {}
        self.running: list[subprocess.Popen[bytes]] = []
        self.env = {
            **os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(ROOT),
            "DENBUN_SIMULATOR": f"{HOST}:{self.ports['7310']}",
        }  # fmt: skip
        for name, language in FILES.items():
            (block,) = blocks(language)
            (folder / name).write_text(self.fitted(block), "utf-8")

    def fitted(self, text: str) -> str:
        text = re.sub(r"^python\b", sys.executable, re.sub(r"^denbun\b", f"{sys.executable} -m ops", text))
        return re.sub(r"(?<=:)(7210|7380)\b|(?<=, )7210\b", lambda found: str(self.ports[found[0]]), text)

    def type(self, line: str) -> None:
        command = self.fitted(line)
        if command.endswith(" &"):
            started = subprocess.Popen(
                ["sh", "-c", f"exec {command.removesuffix(' &')}"], cwd=self.folder, env=self.env
            )
            self.running.append(started)
            self.wait_for("simulator run" not in line)
            return
        done = subprocess.run(
            ["sh", "-c", command], cwd=self.folder, env=self.env, capture_output=True, encoding="utf-8", check=False,
            timeout=GO,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), f"{line}\n{done.stdout}{done.stderr}"
        self.told.setdefault(line, []).append(done.stdout)

    def control(self) -> Control:
        return Control(HOST, self.ports["7310"])

    def wait_for(self, an_open_line: bool) -> None:
        """Until the centre answers, and where it is asked for until a line is open."""
        until = time.monotonic() + GO
        while True:
            with contextlib.suppress(ControlError), self.control() as control:
                control.wait_for(lambda: control.ping()["open"] or not an_open_line, GO)
                return
            assert time.monotonic() < until, "the centre does not answer"

    def stop(self) -> None:
        for process in self.running:
            process.terminate()
            process.wait(GO)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Where every command of the page has been typed, in the order of the page."""
    desk = Desk(tmp_path_factory.mktemp("simulator"))
    try:
        for line in COMMANDS:
            desk.type(line)
        yield desk
    finally:
        desk.stop()


def test_the_first_sale_is_answered_and_stands(desk: Desk) -> None:
    (told,) = desk.told["python merchant.py 12800"]
    assert [line.split()[2] for line in told.splitlines() if line.startswith("CAFIS")] == [
        "開局応答", "売上報告", "閉局応答",
    ]  # fmt: skip
    assert "411111******1111" in desk.told["denbun simulator ledger"][0]
    assert "sale_report" in desk.told["denbun simulator telegrams --last 6"][0]
    assert "closing_answer" in desk.told["denbun simulator telegrams --last 1 --full"][0]


def test_the_silence_is_cancelled(desk: Desk) -> None:
    (told,) = desk.told["python merchant.py 4400"]
    assert [line.split()[1] for line in told.splitlines() if line.startswith("CAFIS")] == ["9120", "8960", "9220"]
    assert "4,400" in desk.told["denbun simulator ledger --last 1"][0]
    with desk.control() as control:
        (row,) = control.ledger(amount=4_400)
    assert (row["cancelled"], row["stands"], row["commands"]) == (True, False, ["fault_confirm"])


def test_the_customers_cancel_takes_the_sale_back(desk: Desk) -> None:
    with desk.control() as control:
        rows = control.ledger(amount=5_000)
    assert [(row["role"], row["outcome"]) for row in rows] == [
        ("sale_request", "approved"), ("cancel_request", "approved"),
    ]  # fmt: skip
    sale, cancel = rows
    assert (sale["stands"], cancel["stands"], sale["balance"], cancel["balance"]) == (False, True, 5_000, -5_000)
    assert sale["cancelled_by"]["trace_number"] == cancel["trace_number"]
    assert f"取消済 ← {cancel['trace_number']}" in " ".join(desk.told["denbun simulator ledger --last 2"][0].split())


def test_a_merchant_centre_of_the_page_breaks_no_rule_of_the_line(desk: Desk) -> None:
    with desk.control() as control:
        assert (control.violations(), control.suspicions()) == ([], [])
    assert "規約違反" in desk.told["denbun simulator state"][0]


def test_scenarios_are_switched(desk: Desk) -> None:
    assert "result_code: D01" in desk.told["python merchant.py 10000"][0]
    assert "折返し" in desk.told["python merchant.py 20000"][0]
    assert "シナリオ busy 混雑する夕方" in desk.told["denbun simulator use busy.toml"][0]
    assert "cafis: ok for simulator" in next(told for line, (told, *_) in desk.told.items() if line.endswith("--check"))


def test_the_partner_asks_and_closes_of_its_own_accord(desk: Desk) -> None:
    assert desk.told["denbun simulator event keepalive"] == ["keepalive: 1 回線  lines\n"]
    assert desk.told["denbun simulator event close"] == ["close: 1 回線  lines\n"]
    stays = desk.running[1]
    assert stays.wait(GO) == 0


def test_the_record_has_the_same_answers(desk: Desk) -> None:
    first, second = desk.told["python merchant.py 7000"]
    code = re.compile(r"result_code: \S+")
    assert code.findall(first) == code.findall(second) != []
    assert "シナリオ evening" in desk.told["denbun simulator use evening.toml"][0]


def test_it_is_asked_and_ordered_over_http(desk: Desk) -> None:
    asked, ordered = [told[0] for line, told in desk.told.items() if line.startswith("curl")]
    assert json.loads(asked)["ok"]["scenario"] == "evening"
    assert json.loads(ordered) == {"ok": None}
    with desk.control() as control:
        assert control.state()["scenario"] == "normal-day"


# --- what it lists


@pytest.mark.parametrize("name", [*Deed, *Occurrence])
def test_every_deed_and_every_event_is_told_of(name: str) -> None:
    assert f"`{name}`" in TEXT


def test_every_http_door_is_told_of_and_every_one_it_tells_of_is_there() -> None:
    named = set(re.findall(r"/api/([a-z]+)", TEXT))
    assert named == {*_QUESTIONS, *_ORDERS}
    assert {*_QUESTIONS, *_ORDERS.values()} <= set(_BY_NAME)


def test_the_merchant_centre_is_short_and_uses_the_telegrams_only() -> None:
    (script,) = blocks("python")
    code = [line for line in script.splitlines() if line.strip()]
    assert len(code) <= 40
    assert re.findall(r"^(?:from|import) (.*?)(?: import .*)?$", script, re.MULTILINE) == [
        "datetime, socket, sys, time", "schemas.telegrams",
    ]  # fmt: skip
