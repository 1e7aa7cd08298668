"""What the evidence says as a whole: verdicts, what has not passed and why, and what is covered."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from acceptance.cases import Environment
from acceptance.catalogue import Catalogue
from acceptance.coverage import Demand, coverage
from acceptance.record import Evidence, Mark, Verdict
from acceptance.views import CaseView, moment, view
from schemas.telegrams import PartnerSpec

_REASONS = 4


class Summary(NamedTuple):
    """The summary, and the view of every case in the catalogue's order."""

    environment: Environment
    overall: Verdict
    counts: tuple[tuple[Verdict, int], ...]
    unseen: int
    views: tuple[CaseView, ...]
    problems: tuple[tuple[CaseView, tuple[str, ...]], ...]  # those that have not passed, and why
    chapters: tuple[tuple[tuple[str, str], tuple[CaseView, ...]], ...]
    coverage: tuple[tuple[Demand, tuple[str, ...], Verdict | None], ...]
    sides: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]
    testers: tuple[str, ...]  # in the order in which they first came
    note: str
    note_en: str


def summarised(evidence: Evidence, catalogue: Catalogue, partner: PartnerSpec) -> Summary:
    """The summary of a run."""
    views = tuple(view(case, evidence.records[case.id], partner) for case in catalogue.cases)
    verdicts = {each.case.id: each.verdict for each in views}
    covered = coverage(catalogue.cases, partner)
    judged = [each.record.judgement for each in views if each.record.judgement is not None]
    sides = dict.fromkeys((each.side_ja, each.side_en) for each in views if each.side_ja)
    note, note_en = _note(partner)
    return Summary(
        environment=catalogue.environment,
        overall=worst(list(verdicts.values())),
        counts=tuple(evidence.verdicts().items()),
        unseen=sum(each.unseen for each in judged),
        views=views,
        problems=tuple((each, tuple(why(each))) for each in views if each.verdict is not Verdict.PASSED),
        chapters=tuple(
            (key, tuple(rows))
            for key, rows in groupby(views, lambda each: (each.case.chapter_ja, each.case.chapter_en))
        ),
        coverage=tuple(
            (demand, tuple(ids), worst([verdicts[each] for each in ids]) if ids else None)
            for demand, ids in covered.items()
        ),
        sides=tuple(sides),
        facts=tuple(evidence.sessions[-1].facts.items()) if evidence.sessions else (),
        testers=tuple(dict.fromkeys(each.by for each in evidence.sessions)),
        note=note,
        note_en=note_en,
    )


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """What several are worth together: failed, if one is; passed, only if all are."""
    if Verdict.FAILED in verdicts:
        return Verdict.FAILED
    return Verdict.PASSED if verdicts and set(verdicts) == {Verdict.PASSED} else Verdict.NOT_RUN


def why(each: CaseView) -> Iterator[str]:
    """Why a case has not passed: the first differences, in words."""
    if each.verdict is Verdict.NOT_RUN:
        yield each.reason
        return
    reasons = []
    for row in each.sequence:
        if row.mark is Mark.DIFFERENT and not row.checks:
            reasons.append(f"電文 {row.number}：期待 {row.expected} ／ 実績 {row.seen}".replace("電文 ：", "電文："))
        reasons += [
            f"{row.seen} {check.ja}：期待 {check.expected} ／ 実績 {check.actual}"
            for check in row.checks
            if check.mark is Mark.DIFFERENT
        ]
    reasons += [
        f"{check.ja}：期待 {check.expected} ／ 実績 {check.actual}"
        for check in each.checks
        if check.mark is Mark.DIFFERENT
    ]
    yield from reasons[:_REASONS]
    if len(reasons) > _REASONS:
        yield f"ほか {len(reasons) - _REASONS} 件"


def moment_of(at_ms: int | None) -> str:
    """A time, or that it has not come."""
    return "（中断）" if at_ms is None else moment(at_ms)


def _note(partner: PartnerSpec) -> tuple[str, str]:
    fields = [field for telegram in partner.telegrams.values() for field in telegram.fields]
    assumed = sum(field.assumption for field in fields)
    if not assumed:
        ja, en = "は契約者の仕様で確認済み。", "are confirmed by the licensee."
        return f"{partner.name} の全 {len(fields)} 項目{ja}", f"all {len(fields)} fields {en}"
    ja = (
        f"{partner.name} の {len(fields)} 項目のうち {assumed} 項目は仮定（非公開の接続仕様書を使用していない）。"
        "契約者の仕様で置き換えるまで、この証跡は動作の確認であり、電文形式の確認ではない。"
    )
    en = (
        f"{assumed} of {len(fields)} fields are assumptions of our own; until the licensee replaces them, this is "
        "evidence of behaviour, not of the format."
    )
    return ja, en
