"""The cover of a workbook: what it holds, what it was made from, how to read it."""

from openpyxl.worksheet.worksheet import Worksheet

from images.document import Document
from images.editions import edition_text
from images.pages import framing_text
from images.sheets import CODES, FLOWS, HEAD, NOTE_FILL, TELEGRAMS, fit, merged, printable, put, title, widths
from images.telegram_sheet import flow_sheet_name

TEST_CARDS = "カードは公開テスト番号のみ伏せずに示す。それ以外は伏せる（••）。"


def fill_cover(sheet: Worksheet, document: Document) -> None:
    """Fill the cover."""
    widths(sheet, (24, 24, 80))
    title(sheet, f"{document.spec.japanese} 電文イメージ", f"Telegram images, {document.spec.english}")
    row = 2
    for text in _statements(document):
        row += 1
        put(sheet, row, 1, text, fill=NOTE_FILL)
        merged(sheet, row, 1, 3)
        fit(sheet, row, [(text, 126)])
    row += 2
    put(sheet, row, 1, "作成条件 Made from", bold=True, size=HEAD, box=False)
    for name, english, text in _conditions(document):
        row += 1
        put(sheet, row, 1, name, bold=True)
        put(sheet, row, 2, english)
        put(sheet, row, 3, text)
        fit(sheet, row, [(text, 80)])
    row += 2
    put(sheet, row, 1, "内容 Contents", bold=True, size=HEAD, box=False)
    for name, text in (
        (TELEGRAMS, f"{len(document.telegrams)} 種類の電文。各シートへのリンク。Kinds of telegram"),
        (FLOWS, f"{len(document.flows)} のフロー。各シートへのリンク。Flows"),
        (CODES, "結果コード・エラーコード。Codes"),
    ):
        row += 1
        put(sheet, row, 1, name, link=(name, "A1"))
        put(sheet, row, 2, text)
        merged(sheet, row, 2, 3)
    for flow, japanese, english in document.first_looks:
        row += 1
        name = flow_sheet_name(flow.number, flow.entry.japanese)
        put(sheet, row, 1, name, link=(name, "A1"))
        put(sheet, row, 2, f"{japanese}　{english}")
        merged(sheet, row, 2, 3)
    row += 2
    put(sheet, row, 1, "読み方 How to read", bold=True, size=HEAD, box=False)
    for text in _how_to_read():
        row += 1
        put(sheet, row, 1, text)
        merged(sheet, row, 1, 3)
    printable(sheet, None, 3)


def _statements(document: Document) -> list[str]:
    counted, never = document.counted, document.never_travelled
    part = f"{counted.fields} 項目のうち {counted.assumed} 項目が仮定"
    assumed = f"全 {counted.fields} 項目が仮定" if counted.assumed == counted.fields else part
    english = f"{counted.assumed} of {counted.fields} fields are assumptions of our own"
    names = "、".join(f"{each.type_code} {each.japanese}" for each in never)
    every = f"全 {len(document.telegrams)} 種類の電文が実際に送受された。All kinds of telegram really travelled."
    return [
        f"{assumed}。提携先の接続仕様書は用いていない。「根拠」が「確認済」になるまで、当方の仮定を示す。\n{english}.",
        f"{TEST_CARDS}\nOnly published test card numbers are shown in clear; anything else is masked.",
        f"見本（今回の実行で送受していない）Never travelled: {names}" if never else every,
    ]


def _conditions(document: Document) -> list[tuple[str, str, str]]:
    record, part = document.record, document.part
    commit = "" if record.commit is None else f"（{record.commit}）"
    changed = "" if document.digest == part.digest else f"（記録時は {part.digest}：レイアウトが変わっている）"
    return [
        ("実行日時", "run at", record.made_at),
        ("版", "version", f"denbun {record.version}{commit}"),
        (
            "レイアウト",
            "layouts",
            f"{document.spec.name}　{edition_text(document.spec)}　指紋 fingerprint {document.digest}{changed}",
        ),
        ("レイアウトの注記", "note", document.spec.note.replace("\n", " ").strip()),
        ("電文長", "framing", framing_text(document)),
        ("報告待ちタイマ", "report time-out", f"{part.report_timeout_ms:,} ms（本資料の実行のために短縮した値）"),
        ("取消応答待ちタイマ", "cancel time-out", f"{part.cancel_timeout_ms:,} ms（本資料の実行のために短縮した値）"),
    ]


def _how_to_read() -> list[str]:
    return [
        "位置：電文先頭を 0 とするバイト位置。（　）付きは、その電文での位置（可変）。",
        "長さ部：電文の前に付き、位置に数えない。",
        "桁数：数字・文字の数。「..19」は最大 19 の可変長。バイト：回線上のバイト数。",
        "値：実際に送受した電文の値。（省略）は任意項目で値がなく、空白またはゼロで埋めたもの。",
        "••：伏せたバイト。·：文字でないバイト。色：項目の切れ目を示す（隣り合う項目は別の色）。",
        "━━▶ 回線上の電文（「順」の番号から電文のシートへ）　┄┄▶ 加盟店サーバとのやりとり（電文ではない）",
    ]
