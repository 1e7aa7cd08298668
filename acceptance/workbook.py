"""The evidence as workbooks, made to be printed.

The full one has a cover, the list of results, the coverage, and a sheet for each case; the short one a cover, and a
sheet for each chapter with a row for each case.
"""

from pathlib import Path

from openpyxl import Workbook
from openpyxl.cell.cell import Cell
from openpyxl.styles import Font, PatternFill

from acceptance.record import Evidence, FieldSeen, Mark, Telegram, Verdict
from acceptance.sheets import CHAPTER, COLOURS, DIFFERENT, UNSEEN, Sheet
from acceptance.short import HEADS, NOTE, NOTE_EN, short_row
from acceptance.summary import Summary, moment_of
from acceptance.telling import answer
from acceptance.views import CaseView, moment
from images.sheets import GOTHIC, name_of
from schemas.telegrams import PartnerSpec

FILE, SHORT_FILE = "evidence.xlsx", "print.xlsx"
_FILLS = {Mark.DIFFERENT: DIFFERENT, Mark.UNSEEN: UNSEEN, Mark.SAME: None, None: None}
_COVER, _RESULTS, _COVERAGE = "表紙", "結果一覧", "網羅表"


def write_workbook(summary: Summary, evidence: Evidence, partner: PartnerSpec, folder: Path) -> None:
    """Write ``evidence.xlsx`` into `folder`."""
    book = Workbook()
    first = book.active
    assert first is not None
    first.title = _COVER
    _cover(Sheet(book[_COVER], (30, 18, 18, 18, 18, 18), landscape=False), summary, evidence, partner)
    _results(Sheet(book.create_sheet(_RESULTS), (21, 62, 9, 14, 20, 9, 10, 12)), summary)
    _coverage(Sheet(book.create_sheet(_COVERAGE), (52, 90, 12)), summary)
    for each in summary.views:
        _case(Sheet(book.create_sheet(each.case.id), (8, 30, 36, 9, 30, 34, 14)), each)
    book.save(folder / FILE)


def write_short_workbook(summary: Summary, evidence: Evidence, partner: PartnerSpec, folder: Path) -> None:
    """Write ``print.xlsx`` into `folder`."""
    book = Workbook()
    first = book.active
    assert first is not None
    first.title = _COVER
    _cover(Sheet(book[_COVER], (30, 18, 18, 18, 18, 18), landscape=False), summary, evidence, partner, short=True)
    for number, ((ja, en), views) in enumerate(summary.chapters, 1):
        sheet = Sheet(book.create_sheet(name_of(f"{number} {ja}")), (15, 70, 38, 27, 9, 11, 13, 10, 10))
        sheet.title(f"{number}. {ja}　{en}", size=12)
        sheet.line(f"{partner.japanese}　{summary.environment.japanese}　{summary.environment.english}")
        sheet.head([f"{each}\n{english}".rstrip() for each, english in HEADS])
        sheet.repeat_head(sheet.row - 1)
        for view in views:
            sheet.cells(
                short_row(view).texts, middle=(5, 6, 8), colours={8: COLOURS[view.verdict]}, fill=_fill(view.verdict)
            )
    book.save(folder / SHORT_FILE)


def _link(cell: Cell, sheet: str) -> None:
    cell.hyperlink = f"#'{sheet}'!A1"
    cell.font = Font(GOTHIC, size=9, color="1F4F99", underline="single")


def _cover(
    sheet: Sheet, summary: Summary, evidence: Evidence, partner: PartnerSpec, *, short: bool = False
) -> None:  # fmt: skip
    sheet.stamps(["作成", "確認", "承認"], 4, 1)
    sheet.title(f"受入試験 証跡{'（印刷用短縮版）' if short else ''}", size=18)
    sheet.title(partner.japanese, size=14)
    sheet.line(f"{summary.environment.japanese}　{summary.environment.english}")
    sheet.line(f"Acceptance evidence: {partner.english}")
    sheet.row += 1
    sheet.title(f"総合判定　{summary.overall.japanese}", size=14)
    sheet.sheet.cell(sheet.row - 1, 1).font = Font(GOTHIC, size=14, bold=True, color=COLOURS[summary.overall])
    sheet.head(["全件", *(each.japanese for each, _ in summary.counts), "確認不可の項目"])
    sheet.cells([len(summary.views), *(many for _, many in summary.counts), summary.unseen], middle=range(1, 7))
    sheet.heading("試験環境　where, by whom, with what")
    facts = [
        ("試験者 tester", "、".join(summary.testers) or "―"),
        ("環境 place", f"{evidence.where_ja}\n{evidence.where_en}"),
        *(("電文の証跡 telegrams seen by", f"{ja}\n{en}") for ja, en in summary.sides),
        ("試験ケース catalogue", f"SHA-256 {evidence.catalogue}"),
        *summary.facts,
    ]
    for name, value in facts:
        _wide(sheet, name, value)
    sheet.heading("実施　sessions")
    sheet.head(["試験者 by", "開始 began", "終了 ended", "版 version"])
    for each in evidence.sessions:
        sheet.cells([each.by, moment(each.started_ms), moment_of(each.ended_ms), each.version])
    sheet.heading("注記　notes")
    if short:
        _wide(sheet, "短縮版\nshort edition", f"{NOTE}\n{NOTE_EN}")
    _wide(sheet, "電文レイアウト\nlayouts", f"{summary.note}\n{summary.note_en}")
    _wide(
        sheet, "表記\nlegend",
        "→ 自ゲートウェイから相手センタ　← 相手センタから自ゲートウェイ　○ 一致　× 相違　― この側からは確認できない\n"
        "会員番号は先頭 6 桁と末尾 4 桁のみ、有効期限・セキュリティコード等は表示しない（••）\n"
        "→ to the partner, ← from it; ○ same, × different, ― cannot be seen from this side; card data masked",
    )  # fmt: skip
    if summary.problems:
        sheet.heading("合格でないケース　cases that have not passed")
        for view, why in summary.problems:
            _wide(sheet, f"{view.case.id} {view.verdict.japanese}", "\n".join((view.case.ja, *why)))


def _wide(sheet: Sheet, name: str, value: str) -> None:
    """A row whose second cell goes to the right margin."""
    lines = sum(max(1, -(-sum(1 + (not c.isascii()) for c in part) // 96)) for part in value.split("\n"))
    row = sheet.row
    sheet.cells([name, value, "", "", "", ""])
    sheet.sheet.merge_cells(start_row=row, end_row=row, start_column=2, end_column=6)
    sheet.sheet.row_dimensions[row].height = 4 + 12.5 * max(lines, name.count("\n") + 1, -(-len(name) // 26))


def _results(sheet: Sheet, summary: Summary) -> None:
    sheet.title("結果一覧　all cases")
    sheet.head(["ID", "試験項目 case", "重要度", "要件", "実施日時", "時間", "判定", "確認者印"])
    sheet.repeat_head(sheet.row - 1)
    for (ja, en), views in summary.chapters:
        sheet.cells([f"{ja}　{en}", *[""] * 7], fill=CHAPTER)
        sheet.sheet.merge_cells(start_row=sheet.row - 1, end_row=sheet.row - 1, start_column=1, end_column=8)
        sheet.sheet.row_dimensions[sheet.row - 1].height = 16
        for view in views:
            case = view.case
            made = sheet.cells(
                [
                    case.id, f"{case.ja}\n{case.en}", case.severity.japanese, " ".join(case.requirements), view.when,
                    view.took, view.verdict.japanese, "",
                ],
                middle=(3, 7), colours={7: COLOURS[view.verdict]}, fill=_fill(view.verdict),
            )  # fmt: skip
            _link(made[0], case.id)


def _fill(verdict: Verdict) -> PatternFill | None:
    return {Verdict.FAILED: DIFFERENT, Verdict.NOT_RUN: UNSEEN, Verdict.PASSED: None}[verdict]


def _coverage(sheet: Sheet, summary: Summary) -> None:
    sheet.title("網羅表　what has to be shown, and which cases show it")
    sheet.head(["確認すべき事項 demand", "ケース cases", "判定"])
    sheet.repeat_head(sheet.row - 1)
    for demand, cases, found in summary.coverage:
        told = "  ".join(cases) or "この工程のケースなし  no case at this step"
        colours = {} if found is None else {3: COLOURS[found]}
        sheet.cells(
            [f"{demand.ja}\n{demand.en}", told, "" if found is None else found.japanese], middle=(3,), colours=colours,
            fill=None if cases else UNSEEN,
        )  # fmt: skip


# --- a case ---------------------------------------------------------------------------------------------------------


def _case(sheet: Sheet, view: CaseView) -> None:
    case = view.case
    sheet.stamps(["試験者印", "確認者印"], 6, 1)
    sheet.title(f"{case.id}　{case.ja}", size=13)
    sheet.line(case.en)
    sheet.line(f"判定　{view.verdict.japanese}　{view.reason}", colour=COLOURS[view.verdict])
    sheet.line(
        f"実施　{view.when or '―'} {view.took}　試験者 {view.record.by or '―'}　電文の証跡：{view.side_ja or '―'}"
    )
    sheet.line(f"前提　{case.given_ja}")
    sheet.line(f"証跡　{'　'.join(view.evidence)}")
    sheet.line(f"重要度　{case.severity.japanese}　要件　{' '.join(case.requirements)}")
    for each in view.record.earlier:
        sheet.line(f"以前の実施　{moment(each.started_ms)} {each.verdict.japanese}（{each.by}）")
    _link_back(sheet)
    sheet.heading("手順　steps")
    sheet.head(["No.", "手順 step", "", "実施", "備考・実施者 remark", "", "時刻"])
    for step in view.steps:
        row = sheet.row
        fill = DIFFERENT if step.sign.startswith("×") else None
        sheet.cells(
            [step.number, f"{step.ja}\n{step.en}", "", step.sign, step.remark, "", step.when], middle=(1, 4), fill=fill
        )
        for first, last in ((2, 3), (5, 6)):
            sheet.sheet.merge_cells(start_row=row, end_row=row, start_column=first, end_column=last)
        sheet.sheet.row_dimensions[row].height = 4 + 12.5 * max(2, -(-len(step.ja) // 44) + -(-len(step.en) // 90))
    _sequence(sheet, view)
    if view.checks:
        sheet.heading("利用側への回答・資金・保留・要対応　answers, money, holds, attention")
        sheet.head(["", "照合項目 compared", "期待 expected", "判定", "実績 actual"])
        for check in view.checks:
            sheet.cells(
                ["", f"{check.ja}\n{check.en}", check.expected, check.mark.sign, check.actual],
                fill=_FILLS[check.mark], middle=(4,),
            )  # fmt: skip
        if view.books:
            sheet.line(f"相手センタの帳簿：{view.books}")
    _told(sheet, view)
    for title, telegram in view.shown:
        _telegram(sheet, title, telegram)
    if view.left_out:
        sheet.line(f"ほか {view.left_out} 通の内容は evidence.json にある　{view.left_out} more are in evidence.json")
    _output(sheet, view)


def _link_back(sheet: Sheet) -> None:
    cell = sheet.sheet.cell(sheet.row, 1, "→ 結果一覧へ")
    assert isinstance(cell, Cell)
    _link(cell, _RESULTS)
    sheet.row += 1


def _sequence(sheet: Sheet, view: CaseView) -> None:
    sheet.heading("電文シーケンス　telegrams, expected beside actual")
    if not view.sequence:
        sheet.line(
            "期待する電文なし　nothing is to be sent" if view.case.asks else "電文を伴わないケース　no telegrams"
        )
        return
    sheet.head(
        [
            "No.",
            "期待する電文 expected",
            "期待する内容 expected of it",
            "判定",
            "実際の電文 actual",
            "回線・経路・通番",
            "時刻",
        ]
    )
    for each in view.sequence:
        sheet.cells(
            [
                each.number, each.expected, "\n".join(each.conditions), "" if each.mark is None else each.mark.sign,
                each.seen, each.numbers, each.when,
            ],
            fill=_FILLS[each.mark], middle=(1, 4),
        )  # fmt: skip
    compared = [(row, check) for row in view.sequence for check in row.checks]
    if not compared:
        return
    sheet.heading("電文の内容の照合　fields of the telegrams")
    sheet.head(["No.", "照合項目 compared", "期待 expected", "判定", "実績 actual", "電文 telegram"])
    for row, check in compared:
        sheet.cells(
            [row.number, check.ja, check.expected, check.mark.sign, check.actual, row.seen],
            fill=_FILLS[check.mark], middle=(1, 4),
        )  # fmt: skip


def _told(sheet: Sheet, view: CaseView) -> None:
    told = () if view.record.observation is None else view.record.observation.told
    if not told:
        return
    sheet.heading("利用側の記録　what the test client wrote down")
    sheet.head(
        [
            "要求",
            "参照番号 reference",
            "回答 ⇒ 最終状態　told ⇒ at last",
            "種別",
            "金額 amount",
            "承認番号・結果・エラー",
        ]
    )
    for each in told:
        end = f" ⇒ {answer(each.at_last)}" if each.at_last else ""
        codes = "　".join(filter(None, (each.approval_code, each.result_code, each.error_code)))
        sheet.cells([each.name, each.reference, f"{answer(each.at_once)}{end}", each.kind, f"¥{each.amount:,}", codes])


def _telegram(sheet: Sheet, title: str, telegram: Telegram) -> None:
    size = f"　{telegram.size} バイト" if telegram.size else ""
    sheet.heading(f"電文 {title}　{telegram.line} 経路 {telegram.route_number} 通番 {telegram.trace_number}{size}")
    if not telegram.fields:
        sheet.head(["", "項目 field", "値 value"])
        for name, value in telegram.values.items():
            sheet.cells(["", name, f"{value}"], mono=(3,))
        sheet.line("バイト列は自ゲートウェイのトピックには記録されない　the gateway's topics hold no bytes")
        return
    sheet.head(["位置", "項目 field", "バイト列 bytes", "長さ", "値 value", "意味 meaning"])
    for each in telegram.fields:
        sheet.cells(
            [each.offset, f"{each.ja}\n{each.name}", each.hex, each.size, each.value, _meaning(each)], mono=(3, 5),
            middle=(1, 4),
        )  # fmt: skip
    for text in telegram.dump:
        sheet.line(text)
        sheet.sheet.cell(sheet.row - 1, 1).font = Font("MS Gothic", size=9)


def _meaning(field: FieldSeen) -> str:
    return "\n".join(filter(None, (field.meaning_ja, field.meaning_en)))


def _output(sheet: Sheet, view: CaseView) -> None:
    output = "" if view.record.observation is None else view.record.observation.output
    if output:
        sheet.heading("記録　output")
        for text in output.splitlines():
            sheet.line(text)
            sheet.sheet.cell(sheet.row - 1, 1).font = Font("MS Gothic", size=9)
