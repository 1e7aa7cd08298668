"""The sheet of one flow: its sequence as rows, then each telegram with all its bytes and what they say.

Bytes stand one in a cell, in the colour of their field; beside them every field of the telegram has a row with the same
colour, also where its value is left out.
"""

from openpyxl.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from images.annotated import AnnotatedTelegram
from images.document import TO_PARTNER, Document, FlowView, Image
from images.drawing import detail_of
from images.dump import WIDTH
from images.sequence import Kind, Step, steps_of
from images.sheets import HEAD, NOTE_FILL, SMALL, fit, heads, merged, printable, put, title, widths
from images.tables import colour_of, value_text
from images.telegram_sheet import add_dump, flow_sheet_name, sheet_name

COLUMNS = (11, *([3.0] * WIDTH), 18, 2, 6, 20, 26, 24)
OFFSET, BYTES, CHARACTERS = 1, 2, 2 + WIDTH  # of a telegram: the first of sixteen
PLACE, FIELD, VALUE, MEANING = range(CHARACTERS + 2, CHARACTERS + 6)

# Columns of the sequence, each of several of the sheet's: the first and the last.
NUMBER, TIME, CLIENT, LINE = (1, 1), (2, 4), (5, 11), (12, CHARACTERS)
ROUTE, TRACE, RESULT, SIZE = (CHARACTERS + 1, PLACE), (FIELD, FIELD), (VALUE, VALUE), (MEANING, MEANING)
_ALL = (NUMBER, TIME, CLIENT, LINE, ROUTE, TRACE, RESULT, SIZE)
_HEAD = 4


def add_flow_sheet(book: Workbook, document: Document, flow: FlowView) -> None:
    """Add the sheet of one flow."""
    sheet: Worksheet = book.create_sheet(flow_sheet_name(flow.number, flow.entry.japanese))
    widths(sheet, COLUMNS)
    title(sheet, f"{flow.number}. {flow.entry.japanese}", flow.entry.english)
    put(sheet, 2, 1, f"{flow.entry.why}　{flow.entry.why_english}")
    merged(sheet, 2, 1, VALUE)
    put(sheet, 2, MEANING, "← フロー一覧", box=False, link=("フロー一覧", "A1"))
    fit(sheet, 2, [(f"{flow.entry.why}　{flow.entry.why_english}", sum(COLUMNS[:VALUE]))])
    heads(sheet, _HEAD, [
        (NUMBER[0], "順▸", "no."), (TIME[0], "経過 ms", "elapsed"), (CLIENT[0], "加盟店 ⇄ denbun", "client"),
        (LINE[0], f"denbun ⇄ {document.centre}", "line"), (ROUTE[0], "経路", "route"),
        (TRACE[0], "通番（原通番）", "trace (original)"), (RESULT[0], "結果・エラー", "result, error"),
        (SIZE[0], "バイト", "bytes"),
    ])  # fmt: skip
    _join(sheet, _HEAD)
    row = _HEAD
    for step in steps_of(document, flow):
        row += 1
        _join(sheet, row)
        if step.image is not None:
            _telegram(sheet, row, document, step.image)
        else:
            _event(sheet, row, step)
    row += 2
    put(sheet, row, 1, "電文イメージ　Telegrams, byte by byte", bold=True, size=HEAD, box=False, wrap=False)
    for image in flow.images:
        row = _image(sheet, row + 1, document, image) + 1
    printable(sheet, 1, MEANING, freeze="A3")


def _join(sheet: Worksheet, row: int) -> None:
    """The columns of the sequence, in a row that is empty yet."""
    for first, last in _ALL:
        merged(sheet, row, first, last)


def _width(columns: tuple[int, int]) -> float:
    return sum(COLUMNS[columns[0] - 1 : columns[1]])


def _event(sheet: Worksheet, row: int, step: Step) -> None:
    text = f"{step.japanese}\n{step.english}"
    if step.kind is Kind.NOTE:
        for first, last in (CLIENT, LINE):
            sheet.unmerge_cells(start_row=row, end_row=row, start_column=first, end_column=last)
        put(sheet, row, CLIENT[0], text, fill=NOTE_FILL, align="center")
        merged(sheet, row, CLIENT[0], LINE[1])
        fit(sheet, row, [(text, _width(CLIENT) + _width(LINE))])
    else:
        arrow = {Kind.CLIENT_ASKS: "┄┄▶ {}", Kind.CLIENT_HEARS: "◀┄┄ {}", Kind.CLIENT_LOST: "×┄┄ {}"}[step.kind]
        put(sheet, row, CLIENT[0], arrow.format(text))
        fit(sheet, row, [(arrow.format(text), _width(CLIENT))])


def _telegram(sheet: Worksheet, row: int, document: Document, image: Image) -> None:
    view = document.telegrams[image.message.role]
    arrow = "━━▶ {}" if image.travelled.way == TO_PARTNER else "◀━━ {}"
    carried = "" if image.inside is None else f"［{_coded(image.inside.telegram)}］"
    names = f"{view.spec.type_code} {view.spec.japanese}{carried}\n{view.spec.english}"
    put(sheet, row, NUMBER[0], image.number, align="center", link=(sheet_name(view), "A1"))
    put(sheet, row, TIME[0], image.after_ms, align="right")
    put(sheet, row, LINE[0], arrow.format(names), bold=True)
    values = image.message.values
    put(sheet, row, ROUTE[0], values.get("route_number"), align="right")
    original = values.get("original_trace_number")
    traces = f"{values.get('trace_number', '')}" + ("" if original is None else f"（{original}）")
    put(sheet, row, TRACE[0], traces, align="right")
    codes = "\n".join(codes_in(document, image))
    put(sheet, row, RESULT[0], codes)
    put(sheet, row, SIZE[0], image.telegram.size, align="right")
    fit(sheet, row, [(arrow.format(names), _width(LINE)), (codes, _width(RESULT))])


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


def _image(sheet: Worksheet, row: int, document: Document, image: Image) -> int:
    """A telegram of the flow, and what is carried in it; gives the last row."""
    way = f"当方 → {document.centre}" if image.travelled.way == TO_PARTNER else f"{document.centre} → 当方"
    head = f"{image.number}. {way}　{_coded(image.telegram)}　{image.telegram.telegram.english}"
    where = f"{image.after_ms:,} ms　回線 {image.travelled.line}　{detail_of(document, image)}"
    put(sheet, row, 1, f"{head}　　{where}", bold=True, box=False, wrap=False)
    row = _bytes(sheet, row + 1, image.telegram)
    if image.inside is not None:
        carried = f"搬送されている電文：{image.inside.partner.japanese} {_coded(image.inside.telegram)}　carried inside"
        put(sheet, row + 1, 1, carried, bold=True, box=False, wrap=False)
        row = _bytes(sheet, row + 2, image.inside.telegram)
    return row


def _bytes(sheet: Worksheet, head: int, telegram: AnnotatedTelegram) -> int:
    """The dump of a telegram, and each of its fields beside it; gives the last row."""
    last = add_dump(sheet, head, telegram, OFFSET)
    for column, text in ((PLACE, "位置"), (FIELD, "項目 field"), (VALUE, "値 value"), (MEANING, "意味 meaning")):
        put(sheet, head, column, text, size=SMALL, bold=True)
    for at, row in enumerate(telegram.rows, head + 1):
        value, ink = value_text(row), "1B2430" if row.value is not None else "6B7580"
        meaning = "" if row.meaning is None else row.meaning.japanese
        put(sheet, at, PLACE, row.offset, align="right")
        put(sheet, at, FIELD, row.japanese, colour=colour_of(row.number))
        put(sheet, at, VALUE, value, mono=True, ink=ink)
        put(sheet, at, MEANING, meaning)
        fit(sheet, at, [(row.japanese, COLUMNS[FIELD - 1]), (value, COLUMNS[VALUE - 1]),
                        (meaning, COLUMNS[MEANING - 1])])  # fmt: skip
    return max(last, head + len(telegram.rows))
