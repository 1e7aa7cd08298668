"""What is kept of a run: what was observed of each case, and what was judged of it; the form of ``evidence.json``.

Nothing here holds card data: telegrams are kept as annotated rows, masked (`images.annotated`), values as
`PartnerSpec.masked` shows them.
"""

from enum import StrEnum
from pathlib import Path

import msgspec

from schemas.telegrams import Role, Value


class EvidenceError(Exception):
    """The evidence of an earlier run cannot be used. The message names the file and the remedy."""


class Side(StrEnum):
    """From whose side telegrams were seen."""

    PARTNER = "partner"  # at the partner's centre, with their bytes
    GATEWAY = "gateway"  # in the gateway's own topics, without bytes

    @property
    def japanese(self) -> str:
        return {
            "partner": "相手センタ側（シミュレータが受送信した電文）",
            "gateway": "自ゲートウェイ側（Kafka トピックの記録）",
        }[self.value]

    @property
    def english(self) -> str:
        return {"partner": "the partner's centre (simulated)", "gateway": "the gateway's own topics"}[self.value]


class FieldSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a telegram as people may see it."""

    offset: int
    size: int
    name: str
    ja: str
    en: str
    hex: str
    value: str
    meaning_ja: str = ""
    meaning_en: str = ""
    hidden: bool = False


class Telegram(msgspec.Struct, frozen=True, kw_only=True):
    """One telegram that passed. `values`: what is known of its fields, masked. No `fields`: its bytes were not seen."""

    way: str
    role: Role
    line: str
    trace_number: int | None
    route_number: int | None
    business_date: str | None
    values: dict[str, Value]
    at_ms: int | None = None
    size: int | None = None
    fields: tuple[FieldSeen, ...] = ()
    dump: tuple[str, ...] = ()


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What one client was told. `at_once` None: it was gone before it was told; `at_last` None: it was not asked."""

    name: str
    kind: str
    reference: str
    amount: int
    at_once: str | None
    at_last: str | None
    approval_code: str | None = None
    result_code: str | None = None
    error_code: str | None = None


class Done(StrEnum):
    """How a step went."""

    DONE = "done"
    FAILED = "failed"
    NOT_DONE = "not_done"  # it could not be done here: the case is not run


class StepDone(msgspec.Struct, frozen=True, kw_only=True):
    """A step as it went. `by`: who did it, where it was a person."""

    done: Done
    at_ms: int
    ja: str
    en: str
    remark: str = ""
    by: str | None = None


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was observed of a case. What is None was not looked at, or cannot be seen from here."""

    side: Side
    counts: dict[str, int]  # of the installation, as in `expected.COUNTS`
    started_ms: int
    ended_ms: int
    steps: tuple[StepDone, ...]
    told: tuple[Told, ...] = ()
    telegrams: tuple[Telegram, ...] | None = None
    stands: tuple[tuple[str, int], ...] | None = None  # what counts in the partner's books: kind and yen
    balance: int | None = None  # what these entries add to the merchant's claim, in yen
    books_by: str | None = None  # a person who compared them, where we cannot see them
    books_agree: bool | None = None  # his word
    attention: tuple[str, ...] | None = None  # the requests on the attention list, by name
    held: tuple[str, ...] | None = None  # the requests whose route was held
    still_held: tuple[str, ...] | None = None
    violations: tuple[str, ...] | None = None  # rules of the line that the partner's side saw broken
    output: str = ""  # what a drill or a check said


class Verdict(StrEnum):
    """How a case ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not_run"

    @property
    def japanese(self) -> str:
        return {"passed": "合格", "failed": "不合格", "not_run": "未実施"}[self.value]


class Mark(StrEnum):
    """How one comparison came out."""

    SAME = "same"
    DIFFERENT = "different"
    UNSEEN = "unseen"  # it cannot be seen from this side

    @property
    def sign(self) -> str:
        return {"same": "○", "different": "×", "unseen": "―"}[self.value]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison, as a sentence: what, expected, actual."""

    mark: Mark
    ja: str
    en: str
    expected: str
    actual: str


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the sequence: the expected telegram beside the one that passed; one of them may be missing."""

    line: int | None  # of the case's telegrams, from 0
    seen: int | None  # of the observation's telegrams, from 0
    checks: tuple[Check, ...] = ()
    unseen: bool = False  # such a telegram cannot be seen from this side

    @property
    def mark(self) -> Mark:
        if self.unseen:
            return Mark.UNSEEN
        if self.line is None or self.seen is None or any(each.mark is Mark.DIFFERENT for each in self.checks):
            return Mark.DIFFERENT
        return Mark.SAME


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What an observation is worth: the sequence side by side, and everything else that was compared."""

    verdict: Verdict
    pairs: tuple[Pair, ...]
    checks: tuple[Check, ...]
    reason_ja: str = ""  # why it was not run
    reason_en: str = ""

    @property
    def every(self) -> tuple[Check, ...]:
        """All comparisons, those of the telegrams first."""
        return (*(check for pair in self.pairs for check in pair.checks), *self.checks)

    @property
    def unseen(self) -> int:
        """How many comparisons could not be made from the side the evidence is from."""
        marks = [*(check.mark for check in self.every), *(pair.mark for pair in self.pairs)]
        return marks.count(Mark.UNSEEN)


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier run of a case, which a later one has taken the place of."""

    started_ms: int
    verdict: Verdict
    by: str


class CaseRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One case: observed and judged; None of both as long as it has not been played."""

    id: str
    observation: Observation | None = None
    judgement: Judgement | None = None
    by: str = ""
    earlier: tuple[Attempt, ...] = ()

    @property
    def verdict(self) -> Verdict:
        return Verdict.NOT_RUN if self.judgement is None else self.judgement.verdict


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One call of the command."""

    by: str
    started_ms: int
    ended_ms: int | None  # None: it was interrupted
    version: str
    facts: dict[str, str]  # versions and settings, by name


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a catalogue: its sessions and its cases, in the catalogue's order."""

    partner: str
    environment: str
    catalogue: str  # its digest
    where_ja: str
    where_en: str
    sessions: tuple[Session, ...]
    records: dict[str, CaseRecord]

    def verdicts(self) -> dict[Verdict, int]:
        """How many cases ended how."""
        found = dict.fromkeys(Verdict, 0)
        for record in self.records.values():
            found[record.verdict] += 1
        return found


FILE = "evidence.json"


def save(evidence: Evidence, folder: Path) -> None:
    """Write ``evidence.json``; a crash leaves the former or the new one."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{FILE}.part"
    part.write_bytes(msgspec.json.format(msgspec.json.encode(evidence), indent=1))
    part.replace(folder / FILE)


def load(folder: Path) -> Evidence:
    """Read ``evidence.json`` of an earlier run. Raises `EvidenceError`."""
    path = folder / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Evidence)
    except OSError as error:
        raise EvidenceError(f"{path}: {error.strerror}: give the folder of an earlier run") from error
    except msgspec.MsgspecError as error:
        raise EvidenceError(f"{path}: is no evidence of this version: {error}: begin a new run with --out") from error
