"""The acceptance on real processes: on a stage of its own, and on an installation that is up, with a person."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from click.testing import Result
from typer.testing import CliRunner

import ops.times
from acceptance.cases import Case, Environment
from acceptance.catalogue import load_catalogue
from acceptance.deeds import Words
from acceptance.expected import read_expected
from acceptance.judging import judge
from acceptance.record import Mark, Session, Side, Verdict, load
from acceptance.words import WORDS, code_for
from ops.__main__ import app
from ops.acceptance_client import Customer
from ops.acceptance_people import Answer, Said
from ops.acceptance_place import Place
from ops.acceptance_run import Runner, begun, status
from ops.acceptance_sides import OperatorSide
from ops.commands.acceptance import Wanted
from ops.commands.acceptance import acceptance as work
from ops.installations import QUICK, LinePlan
from ops.player import CARD
from ops.stage import Stage, playing
from schemas.telegrams import load_partner
from simulator.control import Control

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

HANDFUL = ("103", "110-AMEX", "210", "306", "310", "402", "413", "504", "602", "801")
FRONT = {"cafis": "CAF", "cardnet": "CDN"}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["acceptance", *arguments], catch_exceptions=False)


# --- on a stage of its own


@pytest.mark.parametrize("partner", FRONT)
def test_a_handful_of_cases_passes_and_a_changed_expectation_fails_on_what_was_recorded(
    partner: str, tmp_path: Path
) -> None:
    ids = [f"--case={FRONT[partner]}-D-{number}" for number in HANDFUL]
    ended = run("--partner", partner, *ids, "--out", str(tmp_path), "--by", "試験 太郎")
    assert ended.exit_code == 0, ended.output
    evidence = load(tmp_path)
    spec = load_partner(partner)
    cases = {case.id: case for case in load_catalogue(spec, Environment.DEV).cases}
    played = [record for record in evidence.records.values() if record.observation is not None]
    assert len(played) > len(HANDFUL), "some are made for each code"
    assert {record.verdict for record in played} == {Verdict.PASSED}
    for record in played:
        assert record.judgement is not None
        assert record.judgement.unseen == 0
    assert (tmp_path / "index.html").is_file()
    assert (tmp_path / "evidence.xlsx").is_file()
    assert (tmp_path / "cases" / f"{FRONT[partner]}-D-306.html").is_file()
    assert CARD.number.encode() not in b"".join(each.read_bytes() for each in tmp_path.rglob("*.html"))

    record = evidence.records[f"{FRONT[partner]}-D-306"]
    case = cases[record.id]
    lines = [each.text for each in case.telegrams]
    for at, line in enumerate(lines):
        changed = [*lines[:at], re.sub("amount=a", "amount=1", line), *lines[at + 1 :]]
        broken = msgspec.structs.replace(case, telegrams=read_expected(tuple(changed)))
        assert record.observation is not None
        found = judge(broken, record.observation, spec)
        assert found.verdict is Verdict.FAILED
        assert [pair.line for pair in found.pairs if pair.mark is Mark.DIFFERENT] == [at]

    resumed = run(
        "--partner", partner, f"--case={FRONT[partner]}-D-102", "--resume", str(tmp_path), "--by", "試験 次郎"
    )
    assert resumed.exit_code == 0, resumed.output
    assert [each.by for each in load(tmp_path).sessions] == ["試験 太郎", "試験 次郎"]
    assert len([record for record in load(tmp_path).records.values() if record.observation]) == len(played) + 1


# --- on an installation that is up, without a way to see the partner's side


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, kafka_servers: str) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("acceptance")
    lines = [LinePlan("cafis-1", "cafis", "dial"), LinePlan("cardnet-1", "cardnet", "dial")]
    with playing(folder, servers=kafka_servers, prefix=f"acceptance-{folder.name}-", lines=lines, waits=QUICK) as stage:
        yield stage


class Operator:
    """The partner's operator and the tester in one: does at the centre what he is asked for, in the case's order."""

    name = "試験 太郎"

    def __init__(self, control: Control, case: Case, terminal: str, *, books: Answer = Answer.YES) -> None:
        self._control = control
        self._terminal = terminal
        self._deeds = [step for step in case.steps if step.__class__.__name__ in ("PartnerStep", "EventStep")]
        self._books = books
        self.asked: list[str] = []

    def ask(self, words: Words) -> Said:
        self.asked.append(words.ja)
        if "帳簿" in words.ja:
            return Said(self._books)
        if "通常に戻して" in words.ja:
            self._control.clear()
        elif "依頼" in words.ja:
            self._do(self._deeds.pop(0))
        return Said(Answer.YES)

    def _do(self, step: Any) -> None:
        if hasattr(step, "event"):
            self._control.keepalive() if step.event == "keepalive" else self._control.drop_lines()
            return
        rule: dict[str, Any] = {"role": [str(WORDS[word]) for word in step.telegrams], "do": step.deed}
        if step.code is not None:
            rule["code"] = code_for(load_partner("cafis"), step.code)
        if step.after is not None:
            rule["after_ms"] = 1_600 if step.after == "too_late" else 500
        if step.times is not None:
            rule["times"] = step.times
        self._control.behave(**rule, terminal_id=self._terminal)


def played(stage: Stage, number: str, folder: Path, terminal: str, **more: Any) -> tuple[Runner, Case, Operator]:
    """A brand-test case, as the gateway's topics and a person tell it."""
    partner = load_partner("cafis")
    catalogue = load_catalogue(partner, Environment.BRAND)
    (case,) = [each for each in catalogue.cases if each.id == f"CAF-B-{number}"]
    customer = stage.plan.customers["cafis"]
    with stage.control("cafis") as control:
        person = Operator(control, case, terminal, **more)
        place = Place(
            stage.installation, partner, OperatorSide(partner, person),
            Customer(stage.plan.doors[0], customer, stage.plan.tokens[customer]), person, terminals=lambda: terminal,
        )  # fmt: skip
        runner = Runner(
            begun(catalogue, "稼働中の環境", "up"), folder, _session(), lambda *_: None
        )  # fmt: skip
        try:
            runner.run(place, [case], 1)
        finally:
            place.close()
    return runner, case, person


def _session() -> Session:
    return Session(by="試験 太郎", started_ms=0, ended_ms=None, version="v", facts={})


HOUR_MS = 3_600_000
BY_HAND = ("103", "306", "310-C50", "320", "401", "502")


@pytest.mark.parametrize(("at", "number"), list(enumerate(BY_HAND)), ids=BY_HAND)
def test_what_the_topics_and_a_person_tell_suffices_for_a_verdict(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, number: str
) -> None:
    off_ms = HOUR_MS if at % 2 else -HOUR_MS  # the tester's machine has the wrong time
    monkeypatch.setattr(ops.times, "time", SimpleNamespace(time_ns=lambda: time.time_ns() + off_ms * 1_000_000))
    runner, case, person = played(stage, number, tmp_path, f"49800001{at:05}")
    record = runner.evidence.records[case.id]
    assert record.observation is not None
    assert record.judgement is not None
    wrong = [check for check in record.judgement.every if check.mark is Mark.DIFFERENT]
    lost = [pair for pair in record.judgement.pairs if pair.mark is Mark.DIFFERENT]
    assert (wrong, lost) == ([], [])
    assert record.verdict is Verdict.PASSED
    assert record.observation.side is Side.GATEWAY
    assert record.judgement.unseen > 0 or not case.telegrams
    if case.of_partner:
        assert any("相手先へ依頼" in text for text in person.asked)
    assert all(not each.fields for each in record.observation.telegrams or ()), "no bytes are made up"


def test_a_person_who_finds_something_else_in_the_partners_books_fails_the_case(stage: Stage, tmp_path: Path) -> None:
    runner, case, _ = played(stage, "102", tmp_path, "4980000200001", books=Answer.NO)
    assert status(runner.evidence, [case]) == 1


def test_unattended_what_needs_the_partners_operator_is_not_run(stage: Stage, tmp_path: Path) -> None:
    ended = run(
        "--partner", "cafis", "--env", "brand", "--config", str(stage.plan.file), "--unattended", "--by", "試験",
        "--terminal", "4980000300001", "--case", "CAF-B-102", "--case", "CAF-B-301", "--out", str(tmp_path),
    )  # fmt: skip
    assert ended.exit_code == 3, ended.output
    evidence = load(tmp_path)
    assert evidence.records["CAF-B-102"].verdict is Verdict.PASSED
    assert evidence.records["CAF-B-301"].verdict is Verdict.NOT_RUN
    index = (tmp_path / "index.html").read_text("utf-8")
    assert "立会者なし" in index
    assert "自ゲートウェイ側" in index


def test_a_simulated_centre_of_that_installation_needs_no_person_for_its_side(stage: Stage, tmp_path: Path) -> None:
    ended = run(
        "--partner", "cafis", "--env", "brand", "--config", str(stage.plan.file), "--unattended", "--by", "試験",
        "--control", f"127.0.0.1:{stage.plan.control_ports['cafis']}", "--terminal", "4980000500001",
        "--case", "CAF-B-301", "--case", "CAF-B-504", "--out", str(tmp_path),
    )  # fmt: skip
    assert ended.exit_code == 0, ended.output
    seen = load(tmp_path).records["CAF-B-301"].observation
    assert seen is not None
    assert (seen.side, seen.stands) == (Side.GATEWAY, ()), "its books are seen, its telegrams not: it does not record"


def test_production_looks_and_finds_what_is_not_ready(stage: Stage, tmp_path: Path) -> None:
    """A development installation is none for production: it is not encrypted, and its layouts are assumptions."""
    ended = work(
        Wanted(
            partner="cafis",
            environment=Environment.PRODUCTION,
            cases=(),
            config=stage.plan.file,
            control=None,
            out=tmp_path,
            resume=False,
            by="試験",
            customer=None,
            token=None,
            terminals=("4980000400001",),
            cards=None,
            authority=None,
            catalogue=None,
            unattended=True,
        )
    )
    assert ended == 1
    verdicts = {name: record.verdict for name, record in load(tmp_path).records.items()}
    assert verdicts["CAF-P-901"] is Verdict.PASSED
    assert verdicts["CAF-P-902"] is Verdict.FAILED
    assert verdicts["CAF-P-903"] is Verdict.FAILED
    assert verdicts["CAF-P-910"] is Verdict.NOT_RUN, "nobody has agreed to a sale"
    kept = json.loads((tmp_path / "evidence.json").read_text("utf-8"))
    assert "仮定の項目" in kept["records"]["CAF-P-902"]["observation"]["output"]
