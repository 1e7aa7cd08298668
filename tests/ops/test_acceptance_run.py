"""The runner: batches, what is kept when it breaks off, what is left to do, and the exit status."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from acceptance.cards import CARDS
from acceptance.cases import Case, Environment
from acceptance.catalogue import load_catalogue
from acceptance.record import Done, Observation, Session, Side, StepDone, Verdict, load
from ops.acceptance_people import Nobody
from ops.acceptance_run import Runner, begun, left, status
from schemas.telegrams import load_partner

PARTNER = load_partner("cafis")
FOLDER_CASES = """
[chapter]
number = "1"
ja = "章"
en = "chapter"
given_ja = "前提"
given_en = "given"
"""
CASE = """
[[case]]
number = "{number}"
ja = "試験"
en = "case"
on = ["dev"]
severity = "major"
requirements = ["R26"]
alone = {alone}
steps = [{{ do = "check", look = "lines_open" }}]
"""


class Broke(Exception):  # noqa: N818
    pass


class Stand:
    """A place where nothing runs: each case ends as `ends` says; None breaks it off."""

    def __init__(self, ends: dict[str, Done | None]) -> None:
        self.partner, self.cards, self.person = PARTNER, CARDS, Nobody("試験 太郎")
        self.batches: list[list[str]] = []
        self._ends = ends

    def play(self, case: Case) -> Any:
        return SimpleNamespace(case=case)

    def observe(self, plays: Sequence[Any]) -> list[Observation]:
        self.batches.append([play.case.id for play in plays])
        return [self._observed(play.case) for play in plays]

    def _observed(self, case: Case) -> Observation:
        end = self._ends.get(case.id[-3:], Done.DONE)
        if end is None:
            raise Broke
        step = StepDone(done=end, at_ms=1, ja="手順", en="step", remark="why")
        return Observation(side=Side.GATEWAY, counts={}, started_ms=1, ended_ms=2, steps=(step,))


@pytest.fixture
def catalogue(tmp_path: Path) -> Any:
    folder = tmp_path / "catalogue"
    folder.mkdir()
    rows = [("101", "false"), ("102", "true"), ("103", "false"), ("104", "false"), ("105", "true")]
    text = FOLDER_CASES + "".join(CASE.format(number=number, alone=alone) for number, alone in rows)
    (folder / "1.toml").write_text(text, "utf-8")
    return load_catalogue(PARTNER, Environment.DEV, folder)


def session(by: str = "試験 太郎") -> Session:
    return Session(by=by, started_ms=1, ended_ms=None, version="v", facts={})


def run(catalogue: Any, folder: Path, ends: dict[str, Done | None], only: Sequence[Case] | None = None) -> Runner:
    runner = Runner(begun(catalogue, "此処", "here"), folder, session(), lambda *_: None)
    runner.run(Stand(ends), only or catalogue.cases, at_once=2)  # type: ignore[arg-type]
    return runner


def test_drills_come_last_and_at_once(tmp_path: Path) -> None:
    catalogue = load_catalogue(PARTNER, Environment.DEV)
    cases = [case for case in catalogue.cases if case.id[6:9] in ("701", "702", "801", "101")]
    stand = Stand({})
    runner = Runner(begun(catalogue, "此処", "here"), tmp_path, session(), lambda *_: None)
    runner.run(stand, cases, at_once=2)  # type: ignore[arg-type]
    assert [[each[-3:] for each in batch] for batch in stand.batches] == [["101"], ["801"], ["701", "702"]]


def test_cases_that_go_together_come_first_and_those_about_lines_alone(catalogue: Any, tmp_path: Path) -> None:
    stand = Stand({})
    runner = Runner(begun(catalogue, "此処", "here"), tmp_path, session(), lambda *_: None)
    runner.run(stand, catalogue.cases, at_once=2)  # type: ignore[arg-type]
    assert [[each[-3:] for each in batch] for batch in stand.batches] == [["101", "103"], ["104"], ["102"], ["105"]]


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ({}, 0),
        ({"103": Done.FAILED}, 1),
        ({"103": Done.NOT_DONE}, 3),
        ({"103": Done.NOT_DONE, "105": Done.FAILED}, 1),
    ],
)  # fmt: skip
def test_the_exit_status_is_good_only_if_all_passed(
    catalogue: Any, tmp_path: Path, ends: dict[str, Done | None], expected: int
) -> None:
    assert status(run(catalogue, tmp_path, ends).evidence, catalogue.cases) == expected


def test_a_case_that_was_not_chosen_is_not_run_and_does_not_count(catalogue: Any, tmp_path: Path) -> None:
    runner = run(catalogue, tmp_path, {}, catalogue.cases[:2])
    assert status(runner.evidence, catalogue.cases[:2]) == 0
    assert status(runner.evidence, catalogue.cases) == 3
    assert runner.evidence.verdicts()[Verdict.NOT_RUN] == 3


def test_what_was_judged_before_it_broke_off_is_kept_and_the_rest_is_left(catalogue: Any, tmp_path: Path) -> None:
    runner = Runner(begun(catalogue, "此処", "here"), tmp_path, session(), lambda *_: None)
    with pytest.raises(Broke):
        runner.run(Stand({"104": None}), catalogue.cases, at_once=2)  # type: ignore[arg-type]
    kept = load(tmp_path)
    assert kept == runner.evidence
    assert [case.id[-3:] for case in left(kept, catalogue.cases)] == ["102", "104", "105"]
    assert kept.sessions[-1].ended_ms is None, "it was interrupted"

    second = Runner(kept, tmp_path, session("試験 次郎"), lambda *_: None)
    second.run(Stand({}), left(kept, catalogue.cases), at_once=2)  # type: ignore[arg-type]
    second.end()
    whole = load(tmp_path)
    assert status(whole, catalogue.cases) == 0
    assert [each.by for each in whole.sessions] == ["試験 太郎", "試験 次郎"]
    assert whole.sessions[-1].ended_ms is not None
    assert whole.records["CAF-D-101"].earlier == (), "it was not played again"


def test_a_case_that_is_played_again_keeps_how_it_ended_before(catalogue: Any, tmp_path: Path) -> None:
    first = run(catalogue, tmp_path, {"101": Done.FAILED})
    again = Runner(first.evidence, tmp_path, session(), lambda *_: None)
    again.run(Stand({}), catalogue.cases[:1], at_once=2)  # type: ignore[arg-type]
    record = again.evidence.records["CAF-D-101"]
    assert record.verdict is Verdict.PASSED
    assert [attempt.verdict for attempt in record.earlier] == [Verdict.FAILED]


def test_who_hears_of_a_case_hears_its_verdict(catalogue: Any, tmp_path: Path) -> None:
    heard: list[tuple[str, Verdict]] = []
    evidence = begun(catalogue, "此処", "here")
    runner = Runner(evidence, tmp_path, session(), lambda case, record: heard.append((case.id, record.verdict)))
    runner.run(Stand({"103": Done.FAILED}), catalogue.cases, at_once=2)  # type: ignore[arg-type]
    assert dict(heard)["CAF-D-103"] is Verdict.FAILED
    assert len(heard) == 5


def test_a_run_that_has_not_begun_knows_every_case(catalogue: Any) -> None:
    evidence = begun(catalogue, "此処", "here")
    assert [*evidence.records] == [case.id for case in catalogue.cases]
    assert msgspec.json.decode(msgspec.json.encode(evidence), type=type(evidence)) == evidence
