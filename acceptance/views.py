"""A case as people read it, in texts alone: what the pages and the workbook both show. Japanese first."""

from collections.abc import Iterator
from typing import NamedTuple

from acceptance.cases import Case
from acceptance.expected import COUNTS, Expected
from acceptance.record import CaseRecord, Check, Done, Mark, Telegram, Verdict
from acceptance.telling import told_step
from schemas.japan_time import moment as exact
from schemas.telegrams import Outcome, PartnerSpec

_OUTCOMES = {
    Outcome.APPROVED: "承認",
    Outcome.DECLINED: "否認",
    Outcome.TURNED_ROUND: "折返し",
    Outcome.IN_ERROR: "異常",
}
_COUNTS = {"lines": "回線数", "recommands": "再指令の上限", "troubles": "障害コードの再指令回数"}
assert _COUNTS.keys() == COUNTS.keys()
_NO_TELEGRAM = {Mark.DIFFERENT: "（電文なし）", Mark.UNSEEN: "（この側からは確認できない）", Mark.SAME: ""}
_ENTRIES = 4
_SHOWN = 16
_DONE = {Done.DONE: ("○", "実施"), Done.FAILED: ("×", "不可"), Done.NOT_DONE: ("―", "未実施")}
SIGNS = {Verdict.PASSED: "○", Verdict.FAILED: "×", Verdict.NOT_RUN: "―"}


class StepRow(NamedTuple):
    """A step; how it went, where it was played."""

    number: int
    ja: str
    en: str
    sign: str
    when: str
    remark: str


class SequenceRow(NamedTuple):
    """An expected telegram beside the one that passed. `mark`: same, different; `expected` or `seen` may be empty."""

    number: str  # of the line of the case
    expected: str
    conditions: tuple[str, ...]
    mark: Mark | None  # None: it was not played
    seen: str
    numbers: str
    when: str
    anchor: int | None  # the telegram, counted from 1
    checks: tuple[Check, ...]


class CaseView(NamedTuple):
    """Everything that is shown of a case."""

    case: Case
    record: CaseRecord
    verdict: Verdict
    sign: str
    steps: tuple[StepRow, ...]
    sequence: tuple[SequenceRow, ...]
    checks: tuple[Check, ...]
    telegrams: tuple[tuple[str, Telegram], ...]  # with a title
    evidence: tuple[str, ...]  # what is wanted, with a sign where it was got
    side_ja: str
    side_en: str
    when: str
    took: str
    reason: str
    books: str  # what the partner's books hold, in yen

    @property
    def shown(self) -> tuple[tuple[str, Telegram], ...]:
        """The telegrams whose content is shown; of a load all are alike."""
        return self.telegrams[:_SHOWN]

    @property
    def left_out(self) -> int:
        return len(self.telegrams) - len(self.shown)


def view(case: Case, record: CaseRecord, partner: PartnerSpec) -> CaseView:
    """The view of one case."""
    seen, judged = record.observation, record.judgement
    telegrams = () if seen is None or seen.telegrams is None else seen.telegrams
    began = None if seen is None else seen.started_ms
    reason = "" if judged is None else judged.reason_ja
    return CaseView(
        case=case, record=record, verdict=record.verdict, sign=SIGNS[record.verdict],
        steps=tuple(_steps(case, record, partner)), sequence=tuple(_sequence(case, record, partner)),
        checks=() if judged is None else judged.checks,
        telegrams=tuple((f"{at}  {titled(each, partner)}", each) for at, each in enumerate(telegrams, 1)),
        evidence=tuple(_evidence(case, record)),
        side_ja="" if seen is None else seen.side.japanese, side_en="" if seen is None else seen.side.english,
        when="" if began is None else moment(began),
        took="" if seen is None else f"{(seen.ended_ms - seen.started_ms) / 1_000:.1f} s",
        reason=reason or ("" if record.observation is not None else "まだ実施していない"),
        books=_books(record),
    )  # fmt: skip


def _evidence(case: Case, record: CaseRecord) -> Iterator[str]:
    """What is to be kept of a case, and whether it was got."""
    seen = record.observation
    wanted: list[tuple[str, bool]] = []
    if case.telegrams:
        telegrams = () if seen is None else seen.telegrams or ()
        wanted.append(("電文シーケンス", bool(telegrams)))
        wanted.append(("電文のバイト列", bool(telegrams) and all(each.fields for each in telegrams)))
    if case.asks:
        wanted.append(("利用側への回答", seen is not None and bool(seen.told)))
        wanted.append(
            ("相手センタの帳簿", seen is not None and (seen.stands is not None or seen.books_agree is not None))
        )
        wanted.append(("要対応一覧・経路保留", seen is not None and seen.attention is not None))
    if not wanted:
        wanted.append(("手順ごとの結果", seen is not None and bool(seen.steps)))
    for word, got in wanted:
        yield word if seen is None else f"{'○' if got else '―'} {word}"


def titled(telegram: Telegram, partner: PartnerSpec) -> str:
    """A telegram in a line: arrow, type code, name."""
    layout = partner.telegrams[telegram.role]
    return f"{telegram.way} {layout.type_code} {layout.japanese}"


def moment(at_ms: int) -> str:
    """A time, in Japan, to the second."""
    day, time, zone = exact(at_ms).split()
    return f"{day} {time.partition('.')[0]} {zone}"


def _clock(at_ms: int | None) -> str:
    return "" if at_ms is None else exact(at_ms)


def _steps(case: Case, record: CaseRecord, partner: PartnerSpec) -> Iterator[StepRow]:
    done = () if record.observation is None else record.observation.steps
    for number, each in enumerate(done, 1):
        sign, word = _DONE[each.done]
        remark = " / ".join(filter(None, (each.remark, each.by or "")))
        yield StepRow(number, each.ja, each.en, f"{sign} {word}", _clock(each.at_ms), remark)
    for number, step in enumerate(case.steps[len(done) :], len(done) + 1):
        words = told_step(step, partner)
        yield StepRow(number, words.ja, words.en, "―", "", "")


def _sequence(case: Case, record: CaseRecord, partner: PartnerSpec) -> Iterator[SequenceRow]:
    if record.judgement is None or record.observation is None or record.verdict is Verdict.NOT_RUN:
        for number, each in enumerate(case.telegrams, 1):
            yield SequenceRow(
                str(number), _named(each, partner), conditions(each, case, partner), None, "", "", "", None, ()
            )
        return
    telegrams = record.observation.telegrams or ()
    for pair in record.judgement.pairs:
        at = pair.line
        line = None if at is None else case.telegrams[at]
        seen = None if pair.seen is None else telegrams[pair.seen]
        yield SequenceRow(
            number="" if at is None else str(at + 1),
            expected="（想定外の電文）" if line is None else _named(line, partner),
            conditions=() if line is None else conditions(line, case, partner),
            mark=pair.mark,
            seen=_NO_TELEGRAM[pair.mark] if seen is None else titled(seen, partner),
            numbers="" if seen is None else _numbers(seen),
            when="" if seen is None else _clock(seen.at_ms),
            anchor=None if pair.seen is None else pair.seen + 1,
            checks=pair.checks,
        )  # fmt: skip


def _named(expected: Expected, partner: PartnerSpec) -> str:
    layout = partner.telegrams[expected.role]
    return f"{expected.way} {layout.type_code} {layout.japanese}"


def _numbers(telegram: Telegram) -> str:
    return f"{telegram.line}　経路 {telegram.route_number}　通番 {telegram.trace_number}"


def conditions(expected: Expected, case: Case, partner: PartnerSpec) -> tuple[str, ...]:
    """What is expected of a telegram's fields, in Japanese."""
    return tuple(_conditions(expected, case, partner))


def _conditions(expected: Expected, case: Case, partner: PartnerSpec) -> Iterator[str]:  # noqa: C901  a table
    if expected.times.many != 1 or expected.times.at_least:
        many = expected.times.many
        count = f"{many} 通" if isinstance(many, int) else f"{_COUNTS[many]}と同数"
        yield count + ("以上" if expected.times.at_least else "")
    if expected.amount is not None:
        yen = int(expected.amount) if expected.amount.isdigit() else case.amount_of(expected.amount)
        yield f"金額＝¥{yen:,}" + ("" if expected.amount.isdigit() else f"（{expected.amount}）")
    if expected.answers is not None:
        yield f"{expected.answers} への応答（回線・経路・通番が一致）"
    if expected.original is not None:
        yield f"原取引＝{expected.original}"
    if expected.route is not None:
        yield f"経路＝{expected.route} と同じ（経路保留）"
    if expected.result is not None:
        outcomes = {str(outcome): ja for outcome, ja in _OUTCOMES.items()}
        yield f"結果＝{outcomes.get(expected.result, expected.result)}"
    if expected.error is not None:
        yield f"エラーコード＝{expected.error}"
    if expected.card is not None:
        yield f"会員番号＝試験カード {expected.card}"
    for fields, word in ((expected.present, "あり"), (expected.absent, "なし")):
        if fields:
            layout = partner.telegrams[expected.role]
            yield f"{'・'.join(layout.field(name).japanese for name in fields)} {word}"


def _books(record: CaseRecord) -> str:
    if record.observation is None or record.observation.stands is None:
        return ""
    stands = record.observation.stands
    entries = [f"{kind} ¥{yen:,}" for kind, yen in stands[:_ENTRIES]]
    more = f" ほか {len(stands) - _ENTRIES} 件" if len(stands) > _ENTRIES else ""
    balance = record.observation.balance
    return f"{'、'.join(entries) or '有効な取引なし'}{more}" + (
        "" if balance is None else f"（請求額への影響 ¥{balance:,}）"
    )
