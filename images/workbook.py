"""The workbook of a partner: cover, lists, a sheet for each flow and each telegram. The same record makes the same file."""

import datetime as dt
import io
import re
import zipfile
from pathlib import Path

from openpyxl.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from images.codes import codes_of
from images.document import Document
from images.flow_sheet import add_flow_sheet
from images.pages import framing_text
from images.sheets import HEAD, NOTE_FILL, fit, heads, merged, printable, put, title, widths
from images.telegram_sheet import add_telegram_sheet, flow_sheet_name, sheet_name

COVER, TELEGRAMS, FLOWS, CODES = "表紙", "電文一覧", "フロー一覧", "コード一覧"
_MODIFIED = re.compile(rb"(<dcterms:modified[^>]*>)[^<]*(</dcterms:modified>)")


def workbook_of(document: Document) -> Workbook:
    """The workbook of a partner."""
    book = Workbook()
    cover = book.active
    assert isinstance(cover, Worksheet)
    cover.title = COVER
    _cover(cover, document)
    _telegrams(book.create_sheet(TELEGRAMS), document)
    _flows(book.create_sheet(FLOWS), document)
    for flow in document.flows:
        add_flow_sheet(book, document, flow)
    for view in document.telegrams.values():
        add_telegram_sheet(book, document, view)
    _codes(book.create_sheet(CODES), document)
    book.properties.creator = f"denbun {document.record.version}"
    book.properties.title = f"{document.spec.japanese} 電文イメージ"
    book.properties.created = _moment(document)
    return book


def write_workbook(book: Workbook, file: Path, moment: str) -> None:
    """Write it so that nothing in the file depends on when: `moment`, ISO 8601, stands for every time. Raises `OSError`."""
    written = io.BytesIO()
    book.save(written)
    stamp = dt.datetime.fromisoformat(moment).astimezone(dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    out = io.BytesIO()
    with zipfile.ZipFile(written) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            data = _MODIFIED.sub(rb"\g<1>" + stamp + rb"\g<2>", source.read(name))
            entry = zipfile.ZipInfo(name)  # the first moment that a ZIP file can tell
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, data)
    file.write_bytes(out.getvalue())


def _moment(document: Document) -> dt.datetime:
    return dt.datetime.fromisoformat(document.record.made_at).astimezone(dt.timezone.utc).replace(tzinfo=None)


# --- cover


def _cover(sheet: Worksheet, document: Document) -> None:
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
    row += 2
    put(sheet, row, 1, "読み方 How to read", bold=True, size=HEAD, box=False)
    for text in _how_to_read():
        row += 1
        put(sheet, row, 1, text)
        merged(sheet, row, 1, 3)
    printable(sheet, None, 3)


def _statements(document: Document) -> list[str]:
    counted = document.counted
    assumed = (
        f"全 {counted.fields} 項目が仮定" if counted.assumed == counted.fields
        else f"{counted.fields} 項目のうち {counted.assumed} 項目が仮定"
    )  # fmt: skip
    never = document.never_travelled
    travelled = (
        f"全 {len(document.telegrams)} 種類の電文が実際に送受された。All kinds of telegram really travelled."
        if not never
        else "見本（今回の実行で送受していない）Never travelled: " + "、".join(f"{each.type_code} {each.japanese}" for each in never)
    )
    return [
        f"{assumed}。提携先の接続仕様書は用いていない。「根拠」が「確認済」になるまで、当方の仮定を示す。\n"
        f"{counted.assumed} of {counted.fields} fields are assumptions of our own: the partner's specification was not used.",
        "カードは公開テスト番号のみ伏せずに示す。それ以外は伏せる（••）。\n"
        "Only published test card numbers are shown in clear; anything else is masked.",
        travelled,
    ]  # fmt: skip


def _conditions(document: Document) -> list[tuple[str, str, str]]:
    record, part = document.record, document.part
    commit = "" if record.commit is None else f"（{record.commit}）"
    changed = "" if document.digest == part.digest else f"（記録時は {part.digest}：レイアウトが変わっている）"
    return [
        ("実行日時", "run at", record.made_at),
        ("版", "version", f"denbun {record.version}{commit}"),
        ("レイアウト", "layouts", f"{document.spec.name}　指紋 fingerprint {document.digest}{changed}"),
        ("レイアウトの注記", "note", document.spec.note.replace("\n", " ").strip()),
        ("電文長", "framing", framing_text(document)),
        ("報告待ちタイマ", "report time-out", f"{part.report_timeout_ms:,} ms（本資料の実行のために短縮した値）"),
        ("取消応答待ちタイマ", "cancel time-out", f"{part.cancel_timeout_ms:,} ms（本資料の実行のために短縮した値）"),
    ]


def _how_to_read() -> list[str]:
    return [
        "位置：電文先頭を 0 とするバイト位置。長さ部は電文の前に付き、位置に数えない。（　）付きは、その電文での位置（可変）。",
        "桁数：数字・文字の数。「..19」は最大 19 の可変長。バイト：回線上のバイト数。",
        "値：実際に送受した電文の値。（省略）は任意項目で値がなく、空白またはゼロで埋めたもの。",
        "••：伏せたバイト。·：文字でないバイト。色：項目の切れ目を示す（隣り合う項目は別の色）。",
        "━━▶ 回線上の電文　┄┄▶ 加盟店サーバとのやりとり（電文ではない）",
    ]


# --- lists


def _telegrams(sheet: Worksheet, document: Document) -> None:
    columns = (8, 26, 26, 18, 10, 30, 52, 9, 24)
    widths(sheet, columns)
    title(sheet, "電文一覧", "Telegrams")
    heads(sheet, 3, [
        (1, "種別", "code"), (2, "電文", "telegram"), (3, "英名", "English"), (4, "方向", "way"), (5, "バイト", "bytes"),
        (6, "応答／対応する要求", "answered by / answers"), (7, "意味", "meaning"), (8, "実電文", "travelled"),
        (9, "出るフロー", "flows"),
    ])  # fmt: skip
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


def _flows(sheet: Worksheet, document: Document) -> None:
    columns = (6, 22, 40, 40, 44, 74)
    widths(sheet, columns)
    title(sheet, "フロー一覧", "Flows")
    heads(sheet, 3, [
        (1, "番号", "no."), (2, "分類", "chapter"), (3, "フロー", "flow"), (4, "英名", "English"),
        (5, "電文の並び", "telegrams"), (6, "説明", "why"),
    ])  # fmt: skip
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
        fit(sheet, row, [(why, columns[5]), (telegrams, columns[4]), (entry.japanese, columns[2]), (entry.english, columns[3])])
    printable(sheet, 3, len(columns), freeze="D4")


def _codes(sheet: Worksheet, document: Document) -> None:
    columns = (14, 12, 42, 46, 44, 20)
    widths(sheet, columns)
    title(sheet, "コード一覧", "Codes")
    heads(sheet, 3, [
        (1, "種類", "kind"), (2, "コード", "code"), (3, "意味", "meaning"), (4, "英語", "English"), (5, "扱い", "what follows"),
        (6, "出たフロー", "seen in"),
    ])  # fmt: skip
    row = 3
    for table in codes_of(document):
        for each in table.rows:
            row += 1
            put(sheet, row, 1, table.japanese)
            put(sheet, row, 2, each.code, mono=True)
            put(sheet, row, 3, each.japanese)
            put(sheet, row, 4, each.english)
            put(sheet, row, 5, each.follows)
            put(sheet, row, 6, ", ".join(str(flow.number) for flow in each.flows))
            fit(sheet, row, [(each.japanese, columns[2]), (each.english, columns[3]), (each.follows, columns[4])])
    printable(sheet, 3, len(columns), freeze="C4")
