"""The sheet of one telegram: its fields beside the bytes of a real one, then the dump, byte by byte."""

from openpyxl.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from images.annotated import AnnotatedTelegram
from images.document import Document, TelegramView
from images.drawing import detail_of
from images.dump import RULER, WIDTH, dump
from images.sheets import (
    HEAD,
    NOTE_FILL,
    SMALL,
    begins,
    fit,
    heads,
    merged,
    name_of,
    printable,
    put,
    title,
    widths,
)  # fmt: skip
from images.tables import Line, colour_of, lines_of

COLUMNS = (6, 20, 6, 6, 7, 18, 5, 32, 21, 22, *([2.9] * WIDTH), 18, 10)
NUMBER, NAME, OFFSET, LENGTH, SIZE, FORM, NEEDED, MEANING, ALLOWED, VALUE = range(1, 11)
BYTES = VALUE + 1  # the first of sixteen
CHARACTERS = BYTES + WIDTH
BASIS = CHARACTERS + 1
_BYTES_WIDTH = 2.9 * WIDTH


def sheet_name(view: TelegramView) -> str:
    """``1110 売上要求``."""
    return name_of(f"{view.spec.type_code} {view.spec.japanese}")


def flow_sheet_name(number: int, japanese: str) -> str:
    """``F01 売上・承認``."""
    return name_of(f"F{number:02} {japanese}")


def add_telegram_sheet(book: Workbook, document: Document, view: TelegramView) -> None:
    """Add the sheet of one kind of telegram."""
    sheet: Worksheet = book.create_sheet(sheet_name(view))
    widths(sheet, COLUMNS)
    title(sheet, f"{view.spec.type_code} {view.spec.japanese}", view.spec.english)
    row = _facts(sheet, document, view)
    head = row + 1
    _head(sheet, head)
    row = head + 1
    for line in lines_of(document.spec, view.shown):
        _line(sheet, row, line)
        row += 1
    row += 1
    _dump(sheet, row, view.shown)
    _travelled(sheet, row, document, view)
    printable(sheet, head, BASIS, freeze=f"C{head + 1}")


def _facts(sheet: Worksheet, document: Document, view: TelegramView) -> int:
    """What stands above the table; gives its last row."""
    centre = document.centre
    ways = "、".join(f"当方 → {centre}" if way == "→" else f"{centre} → 当方" for way in view.ways)
    if view.travelled:
        image = view.images[0]
        flow = document.flow(image.flow)
        shown = (
            f"実電文：フロー {flow.number} {flow.entry.japanese} の {image.number} 通目（回線 {image.travelled.line}）"
        )
    else:
        shown = "見本：今回の実行では送受していない。レイアウトの見本値による"
    answered = "" if view.answered_by is None else f"応答 {view.answered_by.type_code} {view.answered_by.japanese}"
    answers = "、".join(f"{each.type_code} {each.japanese}" for each in view.answers)
    facts = [
        ("意味 meaning", f"{view.spec.japanese_meaning or ''}　{view.spec.meaning}"),
        ("方向・電文長 way, size", f"{ways}　{view.sizes} バイト（長さ部を除く）"),
        ("応答 answer", answered or (f"{answers} への応答" if answers else "－")),
        ("示す電文 shown", shown),
    ]
    for number, (name, text) in enumerate(facts, 2):
        put(sheet, number, NUMBER, name, size=SMALL, bold=True)
        merged(sheet, number, NUMBER, NAME)
        put(sheet, number, OFFSET, text, fill=None if view.travelled or number != len(facts) + 1 else NOTE_FILL)
        merged(sheet, number, OFFSET, VALUE)
    put(sheet, 2, BYTES, "← 電文一覧", box=False, wrap=False, link=("電文一覧", "A1"))
    return 1 + len(facts)


def _head(sheet: Worksheet, row: int) -> None:
    heads(sheet, row, [
        (NUMBER, "項番", "no."), (NAME, "項目名", "name"), (OFFSET, "位置", "offset"), (LENGTH, "桁数", "length"),
        (SIZE, "バイト", "bytes"), (FORM, "属性・符号化", "type, encoding"), (NEEDED, "必須", "req."),
        (MEANING, "意味", "meaning"), (ALLOWED, "値の範囲", "allowed values"), (VALUE, "実電文の値", "value"),
        (BYTES, "バイト列（16進）", "bytes"), (CHARACTERS, "文字", "characters"), (BASIS, "根拠", "basis"),
    ])  # fmt: skip
    merged(sheet, row, BYTES, CHARACTERS - 1)


def _line(sheet: Worksheet, row: int, line: Line) -> None:
    name = f"{line.japanese}\n{line.english}\n{line.name}"
    meaning = "\n".join(each for each in (line.japanese_meaning, line.meaning) if each)
    value = f"{line.value}\n{line.value_meaning}" if line.value_meaning else line.value
    basis = f"{line.basis}\n{line.source}" if line.source else line.basis
    allowed = "\n".join(line.allowed)
    hexes = by_sixteen(line.hex)
    characters = by_sixteen(line.characters, each=1)
    put(sheet, row, NUMBER, line.number)
    put(sheet, row, NAME, name)
    for column, text in ((OFFSET, line.offset), (LENGTH, line.length), (SIZE, line.size)):
        put(sheet, row, column, int(text) if text.isdigit() else text, align="right")
    put(sheet, row, FORM, line.form)
    put(sheet, row, NEEDED, line.required, align="center")
    put(sheet, row, MEANING, meaning)
    put(sheet, row, ALLOWED, allowed)
    put(
        sheet,
        row,
        VALUE,
        value,
        mono=True,
        bold=line.row is not None,
        ink="1B2430" if line.row is not None else "6B7580",
    )
    put(sheet, row, BYTES, hexes, mono=True, colour=line.colour)
    merged(sheet, row, BYTES, CHARACTERS - 1)
    put(sheet, row, CHARACTERS, characters, mono=True)
    put(sheet, row, BASIS, basis, size=SMALL)
    widest = ((name, COLUMNS[NAME - 1]), (line.form, COLUMNS[FORM - 1]), (meaning, COLUMNS[MEANING - 1]),
              (allowed, COLUMNS[ALLOWED - 1]), (value, COLUMNS[VALUE - 1]), (basis, COLUMNS[BASIS - 1]))  # fmt: skip
    fit(sheet, row, widest, small=hexes.count("\n") + 1)


def by_sixteen(text: str, each: int = 3) -> str:
    """Bytes, of `each` characters, in lines of sixteen."""
    step = WIDTH * each
    return "\n".join(
        text[at : at + step].rstrip() if each > 1 else text[at : at + step] for at in range(0, len(text), step)
    )


def _dump(sheet: Worksheet, row: int, telegram: AnnotatedTelegram) -> None:
    """The dump, one byte a cell, below the column of bytes."""
    put(
        sheet,
        row,
        NUMBER,
        "ダンプと、送受した実電文　Hex dump, and all that travelled",
        bold=True,
        size=HEAD,
        box=False,
        wrap=False,
    )
    add_dump(sheet, row, telegram, VALUE)


def add_dump(sheet: Worksheet, row: int, telegram: AnnotatedTelegram, column: int) -> int:
    """Add the dump, one byte a cell in its field's colour, a thick edge where a field begins; gives its last row.

    `row`: its head. `column`: that of the places, with those of sixteen bytes and of the characters behind it.
    """
    first = column + 1
    characters = first + WIDTH
    put(sheet, row, column, "位置 dec hex", size=SMALL, align="right", bold=True)
    for place, mark in enumerate(RULER, first):
        put(sheet, row, place, f"+{mark}", mono=True, size=SMALL, align="center", bold=True)
    put(sheet, row, characters, "文字 characters", size=SMALL, bold=True)
    if telegram.framing:
        row += 1
        put(sheet, row, column, "長さ部 length", size=SMALL, align="right")
        for place, byte in enumerate(telegram.framing, first):
            put(sheet, row, place, f"{byte:02X}", mono=True, align="center")
        put(sheet, row, characters, "電文の前に付く", size=SMALL)
    for each in dump(telegram):
        row += 1
        put(sheet, row, column, each.label, mono=True, align="right")
        for place, cell in enumerate(each.cells, first):
            put(sheet, row, place, cell.hex, mono=True, align="center", colour=colour_of(cell.row))
            if telegram.rows[cell.row - 1].offset == cell.offset:
                begins(sheet, row, place)
        put(sheet, row, characters, "".join(cell.character for cell in each.cells), mono=True)
    return row


def _travelled(sheet: Worksheet, row: int, document: Document, view: TelegramView) -> None:
    """Where telegrams of this kind travelled, with links to their flows; beside the dump."""
    for image in view.images:
        row += 1
        flow = document.flow(image.flow)
        link = (flow_sheet_name(flow.number, flow.entry.japanese), "A1")
        named = f"フロー {flow.number} {flow.entry.japanese}　{image.number} 通目"
        put(sheet, row, NUMBER, named, box=False, link=link, wrap=False)
        put(sheet, row, MEANING, f"{image.travelled.way} {detail_of(document, image)}", box=False, wrap=False)
