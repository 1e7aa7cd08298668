"""The sheet of one flow: its sequence as rows, each telegram with all its bytes and what they say."""

from openpyxl.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from images.annotated import AnnotatedTelegram
from images.document import TO_PARTNER, Document, FlowView, Image
from images.dump import dump
from images.sequence import Kind, Step, steps_of
from images.sheets import NOTE_FILL, SMALL, fit, heads, merged, printable, put, title, widths
from images.tables import value_text
from images.telegram_sheet import flow_sheet_name, sheet_name

COLUMNS = (5, 8, 22, 30, 6, 7, 7, 16, 7, 43, 37)
NUMBER, TIME, CLIENT, LINE, ROUTE, TRACE, ORIGINAL, RESULT, SIZE, BYTES, VALUES = range(1, 12)
_HEAD = 4


def add_flow_sheet(book: Workbook, document: Document, flow: FlowView) -> None:
    """Add the sheet of one flow."""
    sheet: Worksheet = book.create_sheet(flow_sheet_name(flow.number, flow.entry.japanese))
    widths(sheet, COLUMNS)
    title(sheet, f"{flow.number}. {flow.entry.japanese}", flow.entry.english)
    put(sheet, 2, 1, f"{flow.entry.why}　{flow.entry.why_english}")
    merged(sheet, 2, 1, BYTES)
    put(sheet, 2, VALUES, "← フロー一覧", box=False, link=("フロー一覧", "A1"))
    sheet.row_dimensions[2].height = 17
    heads(sheet, _HEAD, [
        (NUMBER, "順▸", "no."), (TIME, "経過 ms", "elapsed"), (CLIENT, "加盟店 ⇄ denbun", "client"),
        (LINE, f"denbun ⇄ {document.centre}", "line"), (ROUTE, "経路", "route"), (TRACE, "通番", "trace"),
        (ORIGINAL, "原通番", "original"), (RESULT, "結果・エラー", "result, error"), (SIZE, "バイト", "bytes"),
        (BYTES, "バイト列（16進、位置は10進）", "bytes"), (VALUES, "項目と値（先頭は位置）", "fields and values"),
    ])  # fmt: skip
    row = _HEAD
    for step in steps_of(document, flow):
        row += 1
        for column in range(NUMBER, VALUES + 1):
            put(sheet, row, column, None)
        if step.image is not None:
            _telegram(sheet, row, document, step.image)
        else:
            _event(sheet, row, step)
    printable(sheet, _HEAD, VALUES, freeze=f"A{_HEAD + 1}")


def _event(sheet: Worksheet, row: int, step: Step) -> None:
    text = f"{step.japanese}\n{step.english}"
    if step.kind is Kind.NOTE:
        put(sheet, row, CLIENT, text, fill=NOTE_FILL, align="center")
        merged(sheet, row, CLIENT, LINE)
        fit(sheet, row, [(text, COLUMNS[CLIENT - 1] + COLUMNS[LINE - 1])])
    else:
        arrow = {Kind.CLIENT_ASKS: "┄┄▶ {}", Kind.CLIENT_HEARS: "◀┄┄ {}", Kind.CLIENT_LOST: "×┄┄ {}"}[step.kind]
        put(sheet, row, CLIENT, arrow.format(text))
        fit(sheet, row, [(arrow.format(text), COLUMNS[CLIENT - 1])])


def _telegram(sheet: Worksheet, row: int, document: Document, image: Image) -> None:
    view = document.telegrams[image.message.role]
    arrow = "━━▶ {}" if image.travelled.way == TO_PARTNER else "◀━━ {}"
    carried = "" if image.inside is None else f"［{_coded(image.inside.telegram)}］"
    names = f"{view.spec.type_code} {view.spec.japanese}{carried}\n{view.spec.english}"
    put(sheet, row, NUMBER, image.number, align="center", link=(sheet_name(view), "A1"))
    put(sheet, row, TIME, image.after_ms, align="right")
    put(sheet, row, LINE, arrow.format(names), bold=True)
    values = image.message.values
    for column, name in ((ROUTE, "route_number"), (TRACE, "trace_number"), (ORIGINAL, "original_trace_number")):
        put(sheet, row, column, values.get(name), align="right")
    put(sheet, row, RESULT, "\n".join(codes_in(document, image)))
    put(sheet, row, SIZE, image.telegram.size, align="right")
    hexes, said = _hexes(image.telegram), _said(image.telegram)
    if image.inside is not None:
        inner = image.inside.telegram
        hexes += f"\n搬送されている電文 {_coded(inner)}\n{_hexes(inner)}"
        said += f"\n搬送されている電文 {_coded(inner)}\n{_said(inner)}"
    put(sheet, row, BYTES, hexes, mono=True, size=SMALL)
    put(sheet, row, VALUES, said, size=SMALL)
    lines = max(hexes.count("\n"), said.count("\n")) + 1
    fit(sheet, row, [(names, COLUMNS[LINE - 1] - 8)], small=lines)


def _coded(telegram: AnnotatedTelegram) -> str:
    return f"{telegram.telegram.type_code} {telegram.telegram.japanese}"


def codes_in(document: Document, image: Image) -> list[str]:
    """Result and error code of a telegram, each with its meaning; of what is carried, where it is an envelope."""
    telegram = image.telegram if image.inside is None else image.inside.telegram
    result = (document.spec if image.inside is None else image.inside.partner).result_field
    found = []
    for row in telegram.rows:
        if row.name in (result, "error_code") and row.value is not None:
            found.append(f"{row.value} {'' if row.meaning is None else row.meaning.japanese}".rstrip())
    return found


def _hexes(telegram: AnnotatedTelegram) -> str:
    """Length in front, then lines of sixteen bytes with the place of the first."""
    lines = [f"長さ部 {' '.join(f'{byte:02X}' for byte in telegram.framing)}"] if telegram.framing else []
    lines += [f"{row.offset:04d}   {' '.join(cell.hex for cell in row.cells)}" for row in dump(telegram)]
    return "\n".join(lines)


def _said(telegram: AnnotatedTelegram) -> str:
    lines = []
    for row in telegram.rows:
        if row.value is not None:
            meaning = "" if row.meaning is None else f"（{row.meaning.japanese}）"
            lines.append(f"{row.offset} {row.japanese}：{value_text(row)}{meaning}")
    return "\n".join(lines)
