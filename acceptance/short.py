"""The short edition 印刷用短縮版: a row a case, so that a chapter is one or two printed pages. Texts alone.

What telegrams held stands in the full edition; here stands which ones passed, what was told, and how often it agreed.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from acceptance.record import Mark, Told, Verdict
from acceptance.summary import why
from acceptance.telling import answer
from acceptance.views import SIGNS, CaseView

HEADS = (
    ("ID", ""),
    ("試験項目", "case"),
    ("電文（実績）", "telegrams that passed"),
    ("回答 ⇒ 最終状態", "told ⇒ at last"),
    ("照合", "compared"),
    ("実施", "played"),
    ("試験者", "tester"),
    ("判定", "verdict"),
    ("確認者印", "seal"),
)
"""The columns of a chapter's table, in both languages."""

NOTE = (
    "電文は → 自ゲートウェイから相手センタ、← 相手センタから自ゲートウェイ。× は期待と相違、― はこの側からは確認不可。"
    "照合は一致○・相違×・確認不可― の件数。電文の項目・バイト列、手順、網羅表は全体版（evidence.xlsx、index.html）"
)
NOTE_EN = "fields and bytes of the telegrams, steps and coverage stand in the full edition"
_TELEGRAMS, _REQUESTS = 12, 2  # shown of a case; of a load all are alike


class ShortRow(NamedTuple):
    """A case in a row; `why` holds what was different, where it was played and has not passed."""

    view: CaseView
    telegrams: str
    told: str
    compared: str
    when: str
    by: str
    verdict: str
    why: tuple[str, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """The cells of the row, in the order of `HEADS`."""
        case = self.view.case
        title = "\n".join((case.ja, case.en, *self.why))
        return (case.id, title, self.telegrams, self.told, self.compared, self.when, self.by, self.verdict, "")


def short_row(view: CaseView) -> ShortRow:
    """A case of the short edition."""
    seen = view.record.observation
    told = () if seen is None else seen.told
    date, _, clock = view.when.partition(" ")
    return ShortRow(
        view=view,
        telegrams=_shown(list(_telegrams(view))),
        told="\n".join(_told(told)) or "―",
        compared=_compared(view),
        when=f"{date}\n{clock}" if date else "―",
        by=view.record.by or "―",
        verdict=f"{SIGNS[view.verdict]} {view.verdict.japanese}",
        why=() if seen is None or view.verdict is Verdict.PASSED else tuple(why(view)),
    )


def _told(told: Sequence[Told]) -> Iterator[str]:
    """What was told about each request, at once and at last."""
    for each in told[:_REQUESTS]:
        at_last = f" ⇒ {_answer(each.at_last)}" if each.at_last else ""
        yield f"{each.name} {_answer(each.at_once)}{at_last}"
    if len(told) > _REQUESTS:
        yield f"ほか {len(told) - _REQUESTS} 件"


def _answer(told: str | None) -> str:
    """In Japanese alone, but for the reason of a refusal."""
    return answer(told).removesuffix(f" {told}")


def _telegrams(view: CaseView) -> Iterator[str]:
    """Each telegram as its arrow and type code: ``→1110``; with × where it is not as expected."""
    for row in view.sequence:
        if row.mark is None:
            continue
        sign = {Mark.SAME: "", Mark.DIFFERENT: "×", Mark.UNSEEN: "―"}[row.mark]
        named = row.seen if row.anchor is not None else row.expected
        missing = "" if row.anchor is not None else "なし"
        arrow, code, *_ = named.split()
        yield f"{sign}{arrow}{code}{missing}"


def _shown(telegrams: list[str]) -> str:
    """In one text; the same several times in a row once, with its number."""
    runs = [(text, len(list(run))) for text, run in groupby(telegrams)]
    shown = "  ".join(text if many == 1 else f"{text}（{many}通）" for text, many in runs[:_TELEGRAMS])
    return f"{shown}  … 全 {len(telegrams)} 通" if len(runs) > _TELEGRAMS else shown or "―"


def _compared(view: CaseView) -> str:
    judged = view.record.judgement
    if judged is None:
        return "―"
    marks = [*(check.mark for check in judged.every), *(pair.mark for pair in judged.pairs)]
    return "  ".join(f"{mark.sign}{marks.count(mark)}" for mark in Mark if marks.count(mark)) or "―"
