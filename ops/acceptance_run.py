"""Runs a catalogue at a place: batch by batch, judged and saved after each, so that a crash loses one batch at most."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from acceptance.cases import Case, DrillStep
from acceptance.catalogue import Catalogue
from acceptance.judging import judge
from acceptance.record import Attempt, CaseRecord, Evidence, Session, Verdict, save
from ops.acceptance_place import Place
from ops.times import now_ms
from schemas.telegrams.masking import mask_pan

Told = Callable[[Case, CaseRecord], None]
_DRILL_S = 600


class Runner:
    """One session: plays cases, keeps `evidence` up to date in `folder`; `tell` hears of each case once judged."""

    def __init__(self, evidence: Evidence, folder: Path, session: Session, tell: Told) -> None:
        self.evidence = msgspec.structs.replace(evidence, sessions=(*evidence.sessions, session))
        self._folder = folder
        self._session = session
        self._tell = tell
        save(self.evidence, folder)

    def run(self, place: Place, cases: Sequence[Case], at_once: int) -> None:
        """Play these cases: first those that go together, at most `at_once` of them; drills last. Raises `Ended`."""
        together = [case for case in cases if not case.alone and not case.drills]
        for first in range(0, len(together), at_once):
            self._batch(place, together[first : first + at_once])
        for case in cases:
            if case.alone:
                self._batch(place, [case])
        if drills := [case for case in cases if case.drills]:
            self._batch(place, drills)

    def end(self) -> None:
        """The session is over."""
        ended = msgspec.structs.replace(self._session, ended_ms=now_ms())
        self.evidence = msgspec.structs.replace(self.evidence, sessions=(*self.evidence.sessions[:-1], ended))
        save(self.evidence, self._folder)

    def _batch(self, place: Place, batch: Sequence[Case]) -> None:
        cards = {brand: mask_pan(card.number) for brand, card in place.cards.items()}
        if len(batch) == 1:  # here, where a person can be asked
            plays = [place.play(batch[0])]
        else:
            with ThreadPoolExecutor(len(batch)) as pool:
                plays = list(pool.map(place.play, batch))
        records = dict(self.evidence.records)
        for case, observation in zip(batch, place.observe(plays), strict=True):
            judgement = judge(case, observation, place.partner, cards)
            records[case.id] = _after(
                records[case.id], observation=observation, judgement=judgement, by=place.person.name
            )
            self._tell(case, records[case.id])
        self.evidence = msgspec.structs.replace(self.evidence, records=records)
        save(self.evidence, self._folder)


def _after(before: CaseRecord, **now: object) -> CaseRecord:
    """The record of a case that has been played, maybe once more."""
    earlier = before.earlier
    if before.observation is not None:
        attempt = Attempt(started_ms=before.observation.started_ms, verdict=before.verdict, by=before.by)
        earlier = (*earlier, attempt)
    return msgspec.structs.replace(before, earlier=earlier, **now)


def begun(catalogue: Catalogue, where_ja: str, where_en: str) -> Evidence:
    """The evidence of a run that has not begun: every case of the catalogue is not run."""
    return Evidence(
        partner=catalogue.partner, environment=str(catalogue.environment), catalogue=catalogue.digest,
        where_ja=where_ja, where_en=where_en, sessions=(),
        records={case.id: CaseRecord(id=case.id) for case in catalogue.cases},
    )  # fmt: skip


def left(evidence: Evidence, cases: Sequence[Case]) -> list[Case]:
    """Those of these cases that have no verdict yet."""
    return [case for case in cases if evidence.records[case.id].verdict is Verdict.NOT_RUN]


def status(evidence: Evidence, cases: Sequence[Case]) -> int:
    """0: all of these cases passed; 1: one failed; 3: none failed, but some were not run."""
    verdicts = {evidence.records[case.id].verdict for case in cases}
    if Verdict.FAILED in verdicts:
        return 1
    return 3 if Verdict.NOT_RUN in verdicts else 0


def drilling(folder: Path) -> Callable[[DrillStep], tuple[bool, str]]:
    """Runs drills as commands, each with its logs in a folder of its own."""

    def run(step: DrillStep) -> tuple[bool, str]:
        place = folder / step.drill
        command = [
            sys.executable, "-m", "ops", "drill", step.drill, "--payments", str(step.payments), "--folder", str(place)
        ]  # fmt: skip
        try:
            ran = subprocess.run(command, capture_output=True, text=True, timeout=_DRILL_S, check=False)
        except subprocess.TimeoutExpired:
            return False, f"{step.drill}: did not end within {_DRILL_S} s"
        return ran.returncode == 0, f"$ denbun drill {step.drill} --payments {step.payments}\n{ran.stdout}{ran.stderr}"

    return run
