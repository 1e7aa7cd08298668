"""``denbun faults`` on the session's Kafka: a real cancel service, and an operator who looks, orders and closes."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from typer.testing import CliRunner, Result

import faults.__main__ as faults_main
import ops.commands.desk
import ops.times
from faults import shell
from faults.config import Settings
from faults.metrics import Metrics
from ops.__main__ import app
from ops.attention import Attention, announcement, watch
from ops.installations import QUICK, write
from ops.reading import read_topics
from ops.times import now_ms
from pipeline.clock import MACHINE
from pipeline.config import load
from pipeline.kafka import KafkaLog
from pipeline.log import LogError, Outgoing
from pipeline.owned import MARKER_KEY
from schemas import wire
from schemas.installation import Installation
from schemas.records import (
    CancelReported,
    Command,
    Doubt,
    Kind,
    Original,
    Record,
    RequestInDoubt,
    SendCancel,
)
from schemas.topics import Topics
from wiring import create_topics

LINE = "cafis-1"
PAN = "4111 1111 1111 1111"

pytestmark = pytest.mark.stack


class Desk:
    """An installation whose cancel service runs, and whose line and router are the test."""

    def __init__(self, folder: Path, servers: str, prefix: str, log: KafkaLog) -> None:
        plan = write(folder, servers, prefix=prefix, waits=QUICK | {"kafka": {"partitions": 2}})
        self.file = plan.file
        self.installation = load(Installation, plan.file)
        self.topics = Topics(prefix)
        self._log = log
        create_topics(self.installation, log)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        settings = Settings.from_installation(self.installation, faults_main.trouble_codes(self.installation))
        metrics = Metrics(CollectorRegistry())
        arguments = (settings, self._log, self.topics, "n1", metrics, self._stop, MACHINE.now_ms)
        self._thread = threading.Thread(target=shell.run, args=arguments, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(30)

    # --- what its neighbours say

    def says(self, topic: str, record: Record, key: str) -> None:
        self._log.writer("test").write([Outgoing(self.topics(topic), f"AP02:{key}".encode(), *wire.encode(record))])

    def doubt(self, reference: str) -> None:
        original = Original(
            kind=Kind.SALE, line=LINE, trace_number=7, route_number=3, business_date="20260401", approval_code=None,
            terminal_id="4980123456789", amount=1_200, accepted_ms=now_ms(),
        )  # fmt: skip
        doubt = RequestInDoubt(
            transaction_id=f"AP02:{reference}", customer="AP02", reference=reference, partner="cafis",
            doubt=Doubt.SILENCE, original=original, since_ms=now_ms(),
        )  # fmt: skip
        self.says("timeouts", doubt, reference)

    def answers(self, reference: str, attempt: int, error: str | None = None) -> None:
        told = CancelReported(
            transaction_id=f"AP02:{reference}", line=LINE, attempt=attempt, command=Command.CONFIRM,
            in_error=error is not None, error_code=error, received_ms=now_ms(),
        )  # fmt: skip
        self.says("cancel-reports", told, reference)

    # --- what is seen

    def records(self, topic: str, line: str | None = None) -> list[Any]:
        (messages,) = read_topics(self.installation.kafka, [self.topics(topic, line)]).values()
        return [wire.decode(each) for each in messages if each.key != MARKER_KEY and each.value is not None]

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, ["faults", *arguments, "--config", str(self.file)], env={"COLUMNS": "118"})

    def listed(self, *more: str) -> dict[str, dict[str, Any]]:
        """The list, by transaction."""
        result = self.run("list", "--json", *more)
        assert result.exit_code == 0, result.output
        return {row["transaction_id"]: row for row in json.loads(result.output)}

    def comes_to(self, seen: Callable[[], bool]) -> None:
        """Wait for what the cancel service makes of what it reads."""
        for _ in range(60):
            if seen():
                return
            threading.Event().wait(0.1)
        raise AssertionError(self.run("list", "--all").output)

    def case(self, reference: str) -> None:
        """A cancel that the partner cannot read, and a person has."""
        self.doubt(reference)
        self.comes_to(lambda: f"AP02:{reference}" in self.listed("--all"))
        self.answers(reference, 1, "C01")
        self.comes_to(lambda: f"AP02:{reference}" in self.listed())


@pytest.fixture
def desk(tmp_path: Path, kafka_servers: str, topic_prefix: str, kafka_log: KafkaLog) -> Iterator[Desk]:
    found = Desk(tmp_path, kafka_servers, topic_prefix, kafka_log)
    yield found
    found.stop()


HOUR_MS = 3_600_000


@pytest.mark.parametrize("off_ms", [HOUR_MS, -HOUR_MS])
def test_an_operator_whose_machine_has_the_wrong_time_hears_the_answer(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, off_ms: int
) -> None:
    desk.start()
    desk.case("r1")
    monkeypatch.setattr(ops.times, "time", SimpleNamespace(time_ns=lambda: time.time_ns() + off_ms * 1_000_000))
    ordered = desk.run("repeat", "AP02:r1", "--reason", "by telephone", "--by", "Sato")
    assert (ordered.exit_code, "受付  accepted" in ordered.output) == (0, True), ordered.output
    (order,) = desk.records("operator-commands")
    assert abs(order.ordered_ms - off_ms - time.time_ns() // 1_000_000) < HOUR_MS / 2
    shown = json.loads(desk.run("show", "AP02:r1", "--json").output)
    assert [each["english"] for each in shown["history"]][:1] == ["request in doubt: silence"]
    assert [each["english"] for each in shown["history"]][-1] == "accepted: ordered"


def test_a_case_is_listed_repeated_answered_and_off_the_list(desk: Desk) -> None:
    desk.start()
    desk.case("r1")
    desk.doubt("r2")
    desk.comes_to(lambda: "AP02:r2" in desk.listed("--all"))
    row = desk.listed()["AP02:r1"]
    assert row | {"since_ms": 0, "age_s": 0, "changed_ms": 0, "with_a_person_since_ms": 0} == {
        "transaction_id": "AP02:r1", "customer": "AP02", "reference": "r1", "partner": "cafis", "line": LINE,
        "kind": "sale", "terminal_id": "4980123456789", "amount": 1_200, "trace_number": 7,
        "business_date": "20260401", "stage": "attention", "reason": "error_report C01", "error_code": "C01",
        "attempts": 1, "not_sent": 0, "since_ms": 0, "age_s": 0, "changed_ms": 0, "due_ms": None,
        "with_a_person_since_ms": 0,
    }  # fmt: skip
    shown = desk.run("list").output
    assert "要対応一覧  attention list: 1" in shown
    assert "異常報告 C01" in shown
    assert "¥1,200" in shown
    assert "AP02:r2" not in shown

    ordered = desk.run("repeat", "AP02:r1", "--reason", "電話にて確認", "--by", "Sato")
    assert (ordered.exit_code, ordered.output) == (
        0,
        "受付  accepted: 要対応(再指令 応答待ち)  ordered; 8940 取消確認再指令 #2\n",
    )
    assert [each.command for each in desk.records("dispatch", LINE) if isinstance(each, SendCancel)][-1] == (
        Command.CONFIRM_AGAIN
    )
    again = desk.run("repeat", "AP02:r1", "--reason", "once more", "--by", "Sato")
    assert (again.exit_code, again.output) == (
        1,
        "拒否: 指令の応答待ち。応答後に再度指示のこと  refused: a command is under way: its answer comes first\n",
    )
    desk.answers("r1", 2)
    desk.comes_to(lambda: "AP02:r1" not in desk.listed())
    late = desk.run("settle", "AP02:r1", "--reason", "by telephone", "--by", "Sato")
    assert (late.exit_code, late.output) == (1, "拒否: 既に終了  refused: it has ended already\n")

    history = json.loads(desk.run("show", "AP02:r1", "--json").output)
    assert history["state"]["stage"] == "cleared"
    assert [each["japanese"] for each in history["history"]] == [
        "要求の結果不明: 応答なし",
        "指示 8930 取消確認指令 第1回",
        "← 異常報告 C01",
        "要対応へ: 異常報告 C01",
        "運用者 Sato: 再指令を指示「電話にて確認」",
        "指示 8940 取消確認再指令 第2回",
        "指示を受付",
        "運用者 Sato: 再指令を指示「once more」",
        "指示を拒否: 指令の応答待ち。応答後に再度指示のこと",
        "← 8960 取消確認報告 取消成立",
        "対応完了(Sato): 取消成立",
        "運用者 Sato: 対応完了を指示(結果不明)「by telephone」",
        "指示を拒否: 既に終了",
    ]
    told = desk.run("show", "AP02:r1").output
    assert "対応完了  cleared" in told
    assert "closed: cancelled, cancel_reported" in told


def test_a_case_is_settled_by_hand_with_its_outcome(desk: Desk) -> None:
    desk.start()
    desk.case("r1")
    result = desk.run("settle", "AP02:r1", "--reason", "電話", "--by", "Sato", "--outcome", "stands")
    assert (result.exit_code, result.output) == (0, "受付  accepted: 対応完了  cleared\n")
    assert desk.listed("--all") == {}
    closed = desk.records("operator-answers")[-1]
    assert (closed.outcome, closed.operator, closed.reason) == ("stands", "Sato", "電話")


def test_an_order_waits_in_the_log_for_a_cancel_service(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.start()
    desk.case("r1")
    desk.stop()
    monkeypatch.setattr(ops.commands.desk, "ANSWER_S", 0.0)
    result = desk.run("settle", "AP02:r1", "--reason", "by telephone", "--by", "Sato")
    assert result.exit_code == 1
    assert result.output.startswith("未応答  no answer within 15 s: the order stands in the log, and is decided")
    assert [each.operator for each in desk.records("operator-commands")] == ["Sato"]
    desk._stop = threading.Event()
    desk.start()
    desk.comes_to(lambda: desk.listed() == {})


WRONG: dict[str, tuple[list[str], str]] = {
    "a transaction that has no cancel": (
        ["repeat", "AP02:nobody", "--reason", "why", "--by", "Sato"],
        "AP02:nobody: 該当する障害取消なし  no cancel of this transaction: see `denbun faults list --all`\n",
    ),
    "no reason": (
        ["settle", "AP02:r1", "--reason", "  ", "--by", "Sato"],
        "--reason: give one line of 1 to 200 characters\n",
    ),
    "a reason of two lines": (
        ["settle", "AP02:r1", "--reason", "one\ntwo", "--by", "Sato"],
        "--reason: 使えない文字 U+000A 4 文字目  U+000A (control character) at character 4: leave it out\n",
    ),
    "a card number in the reason": (
        ["repeat", "AP02:r1", "--reason", f"card {PAN}", "--by", "Sato"],
        "--reason: holds what looks like a card number, and would be kept in clear: leave it out\n",
    ),
    "nobody": (
        ["repeat", "AP02:r1", "--reason", "why", "--by", ""],
        "--by: give one line of 1 to 64 characters\n",
    ),
    "a history of nothing": (
        ["show", "AP02:nobody"],
        "AP02:nobody: 該当する障害取消なし  no cancel of this transaction: see `denbun faults list --all`\n",
    ),
}


def test_what_makes_no_sense_is_told_and_nothing_is_written(desk: Desk) -> None:
    desk.start()
    desk.case("r1")
    for name, (arguments, said) in WRONG.items():
        result = desk.run(*arguments)
        assert (result.exit_code, result.output) == (2, said), name
    for missing in ("--reason", "--by"):
        given = {"--reason": "why", "--by": "Sato"}
        del given[missing]
        result = desk.run("settle", "AP02:r1", *(part for pair in given.items() for part in pair))
        assert result.exit_code == 2
        assert f"Missing option '{missing}'" in result.stderr
    result = desk.run("settle", "AP02:r1", "--reason", "why", "--by", "Sato", "--outcome", "perhaps")
    assert result.exit_code == 2
    assert "'perhaps' is not one of 'cancelled', 'stands'" in result.stderr
    assert desk.records("operator-commands") == []


def test_a_configuration_that_is_not_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["faults", "list", "--config", str(tmp_path / "denbun.toml")])
    assert result.exit_code == 2
    assert "name the configuration with --config" in " ".join(result.output.split())


def test_a_case_is_found_by_its_reference_as_long_as_only_one_has_it(desk: Desk) -> None:
    desk.start()
    desk.case("r1")
    for text in ("r1", "AP02:r1"):
        shown = json.loads(desk.run("show", text, "--json").output)
        assert shown["state"]["transaction_id"] == "AP02:r1"
    settled = desk.run("settle", "r1", "--reason", "by telephone", "--by", "Sato")
    assert settled.exit_code == 0, settled.output


def test_cases_are_announced_as_they_come_and_again_only_when_they_come_again(desk: Desk) -> None:
    desk.start()
    desk.case("r1")
    attention = Attention(desk.installation)
    (first,) = attention.look()
    assert first.transaction_id == "AP02:r1"
    assert attention.look() == []
    desk.case("r2")
    (second,) = attention.look()
    told = announcement(second, desk.installation)
    assert "要対応  a case for a person: AP02:r2  (" in told
    assert "異常報告 C01" in told
    assert "denbun faults settle AP02:r2 --outcome" in told
    assert desk.run("settle", "AP02:r1", "--reason", "by telephone", "--by", "Sato").exit_code == 0
    desk.comes_to(lambda: "AP02:r1" not in desk.listed())
    assert attention.look() == []


def test_who_watches_is_told_what_is_open_and_ends_when_asked(desk: Desk) -> None:
    desk.start()
    desk.case("r1")
    stop, said = threading.Event(), list[str]()

    def say(text: str) -> None:
        said.append(text)
        stop.set()

    watch(desk.installation, say, stop)
    assert len(said) == 1
    assert "AP02:r1" in said[0]


def test_a_broker_that_is_away_is_told_once_and_asked_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    stop, said, asked = threading.Event(), list[str](), list[int]()

    def look(_: Attention) -> list[Any]:
        asked.append(1)
        if len(asked) == 3:
            stop.set()
        raise LogError("no Kafka broker answers")

    monkeypatch.setattr(Attention, "look", look)
    monkeypatch.setattr("ops.attention._LOOK_S", 0.0)
    watch(desk.installation, said.append, stop)
    assert said == ["要対応一覧を読めません  the attention list cannot be read: no Kafka broker answers"]
