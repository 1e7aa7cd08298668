"""The lists of a workbook: telegrams, flows, codes; each row leads to its sheet."""

from openpyxl.worksheet.worksheet import Worksheet

from images.codes import codes_of
from images.document import Document
from images.sheets import fit, heads, printable, put, title, widths
from images.telegram_sheet import flow_sheet_name, sheet_name


def fill_telegrams(sheet: Worksheet, document: Document) -> None:
    """Fill the list of telegrams, both ways."""
    columns = (8, 26, 26, 18, 10, 30, 52, 9, 24)
    widths(sheet, columns)
    title(sheet, "電文一覧", "Telegrams")
    heads(
        sheet,
        3,
        [
            (1, "種別", "code"),
            (2, "電文", "telegram"),
            (3, "英名", "English"),
            (4, "方向", "way"),
            (5, "バイト", "bytes"),
            (6, "応答／対応する要求", "answered by / answers"),
            (7, "意味", "meaning"),
            (8, "実電文", "travelled"),
            (9, "出るフロー", "flows"),
        ],
    )
    row = 3
    for way, text in (("→", f"当方 → {document.centre}"), ("←", f"{document.centre} → 当方")):
        for view in document.telegrams.values():
            if way not in view.ways:
                continue
            row += 1
            spec = view.spec
            answers = "\n".join(f"{each.type_code} {each.japanese} への応答" for each in view.answers)
            answered = "" if view.answered_by is None else f"→ {view.answered_by.type_code} {view.answered_by.japanese}"
            meaning = "\n".join(each for each in (spec.japanese_meaning, spec.meaning) if each)
            flows = ", ".join(str(flow.number) for flow in document.flows_of(view.going(way)))
            put(sheet, row, 1, spec.type_code, mono=True)
            put(sheet, row, 2, spec.japanese, bold=True, link=(sheet_name(view), "A1"))
            put(sheet, row, 3, spec.english)
            put(sheet, row, 4, text)
            put(sheet, row, 5, view.sizes, align="right")
            put(sheet, row, 6, answered or answers)
            put(sheet, row, 7, meaning)
            put(sheet, row, 8, f"{len(view.going(way))} 通" if view.travelled else "見本", align="right")
            put(sheet, row, 9, flows)
            fit(sheet, row, [(meaning, columns[6]), (answers, columns[5]), (flows, columns[8])])
    printable(sheet, 3, len(columns), freeze="C4")


def fill_flows(sheet: Worksheet, document: Document) -> None:
    """Fill the list of flows."""
    columns = (6, 22, 40, 40, 44, 74)
    widths(sheet, columns)
    title(sheet, "フロー一覧", "Flows")
    heads(
        sheet,
        3,
        [
            (1, "番号", "no."),
            (2, "分類", "chapter"),
            (3, "フロー", "flow"),
            (4, "英名", "English"),
            (5, "電文の並び", "telegrams"),
            (6, "説明", "why"),
        ],
    )
    for row, flow in enumerate(document.flows, 4):
        entry = flow.entry
        telegrams = " ".join(f"{image.travelled.way}{image.telegram.telegram.type_code}" for image in flow.images)
        why = f"{entry.why}\n{entry.why_english}"
        put(sheet, row, 1, flow.number, align="right")
        put(sheet, row, 2, entry.group.value[0])
        put(sheet, row, 3, entry.japanese, bold=True, link=(flow_sheet_name(flow.number, entry.japanese), "A1"))
        put(sheet, row, 4, entry.english)
        put(sheet, row, 5, telegrams, mono=True)
        put(sheet, row, 6, why)
        fit(
            sheet,
            row,
            [(why, columns[5]), (telegrams, columns[4]), (entry.japanese, columns[2]), (entry.english, columns[3])],
        )
    printable(sheet, 3, len(columns), freeze="D4")


def fill_codes(sheet: Worksheet, document: Document) -> None:
    """Fill the list of codes."""
    columns = (14, 12, 42, 46, 44, 20)
    widths(sheet, columns)
    title(sheet, "コード一覧", "Codes")
    heads(
        sheet,
        3,
        [
            (1, "種類", "kind"),
            (2, "コード", "code"),
            (3, "意味", "meaning"),
            (4, "英語", "English"),
            (5, "扱い", "what follows"),
            (6, "出たフロー", "seen in"),
        ],
    )
    row = 3
    for table in codes_of(document):
        for each in table.rows:
            row += 1
            put(sheet, row, 1, table.japanese)
            put(sheet, row, 2, each.code, mono=True)
            put(sheet, row, 3, each.japanese)
            put(sheet, row, 4, each.english)
            put(sheet, row, 5, each.follows)
            flows = ", ".join(str(flow.number) for flow in each.flows)
            put(sheet, row, 6, flows)
            fit(sheet, row, [(each.japanese, 42), (each.english, 46), (each.follows, 44), (flows, 20)])
    printable(sheet, 3, len(columns), freeze="C4")
