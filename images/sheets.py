"""How sheets look: fonts that have Japanese, borders, colours, heights by what stands in a row, and print set-up."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.hyperlink import Hyperlink
from openpyxl.worksheet.properties import PageSetupProperties
from openpyxl.worksheet.worksheet import Worksheet

from images.palette import PALETTE
from images.tables import columns_of
from schemas.plain_text import finalized, shown

GOTHIC, MONO = "Meiryo UI", "ＭＳ ゴシック"  # every Excel in Japan has both; others take a substitute with Japanese
SMALL, TEXT, HEAD, TITLE = 8, 9, 11, 16  # points
_LINE, _SMALL_LINE = 13.2, 12.2  # points a line takes
COVER, TELEGRAMS, FLOWS, CODES = "表紙", "電文一覧", "フロー一覧", "コード一覧"  # names of sheets
_THIN = Side(style="thin", color="C9D1DA")
_BOX = Border(left=_THIN, right=_THIN, top=_THIN, bottom=_THIN)
_BEGIN = Border(left=Side(style="medium", color="5C6773"), right=_THIN, top=_THIN, bottom=_THIN)
_HEAD_FILL = PatternFill("solid", fgColor="EAF0F6")
NOTE_FILL = PatternFill("solid", fgColor="FFF6E8")
_COLOURS = [PatternFill("solid", fgColor=colour) for colour in PALETTE]
_FORBIDDEN = dict.fromkeys(map(ord, "[]:*?/\\'"), "・")


@lru_cache
def _font(name: str, size: int, ink: str, *, bold: bool, line: bool) -> Font:
    return Font(name=name, size=size, bold=bold, color=ink, underline="single" if line else None)


@lru_cache
def _alignment(align: str | None, *, wrap: bool) -> Alignment:
    return Alignment(vertical="top", wrap_text=wrap, horizontal=align, indent=int(align == "right"))


def fill_of(colour: int) -> PatternFill:
    """The fill of a field's colour, 1 to 8."""
    return _COLOURS[colour - 1]


def name_of(title: str) -> str:
    """A title as a sheet may be named: 31 characters, none that a reference could not hold."""
    return shown(title).translate(_FORBIDDEN)[:31]


def put(
    sheet: Worksheet, row: int, column: int, value: object, *, mono: bool = False, bold: bool = False, size: int = TEXT,
    box: bool = True, colour: int = 0, align: str | None = None, fill: PatternFill | None = None, ink: str = "1B2430",
    link: tuple[str, str] | None = None, wrap: bool = True,
) -> None:  # fmt: skip
    """Write a cell. `link`: a sheet of the workbook, and a cell in it."""
    cell = sheet.cell(row, column)
    cell.value = finalized(value)  # what openpyxl takes is a union it does not name
    if isinstance(value, str):
        cell.data_type = "s"  # text, whatever it begins with: no value of a telegram is a formula
    if link is not None:
        cell.hyperlink = Hyperlink(ref=cell.coordinate, location=f"'{link[0]}'!{link[1]}")
        ink = "0B4F8A"
    cell.font = _font(MONO if mono else GOTHIC, size, ink, bold=bold, line=link is not None)
    cell.alignment = _alignment(align, wrap=wrap)
    if box:
        cell.border = _BOX
    if colour:
        cell.fill = fill_of(colour)
    if fill is not None:
        cell.fill = fill


def heads(sheet: Worksheet, row: int, titles: Iterable[tuple[int, str, str]]) -> None:
    """The head of a table: column, Japanese, English."""
    for column, japanese, english in titles:
        put(sheet, row, column, f"{japanese}\n{english}", bold=True, size=SMALL, fill=_HEAD_FILL, align="center")
    sheet.row_dimensions[row].height = 2 * _LINE


def title(sheet: Worksheet, japanese: str, english: str) -> None:
    """The first row of a sheet."""
    put(sheet, 1, 1, f"{japanese}　{english}", bold=True, size=TITLE, box=False)
    sheet.cell(1, 1).alignment = Alignment(vertical="center", wrap_text=False)
    sheet.row_dimensions[1].height = 27


def merged(sheet: Worksheet, row: int, first: int, last: int) -> None:
    """One cell of several, with its border all around."""
    for column in range(first, last + 1):
        sheet.cell(row, column).border = _BOX
    sheet.merge_cells(start_row=row, start_column=first, end_row=row, end_column=last)


def begins(sheet: Worksheet, row: int, column: int) -> None:
    """A cell with a thick left edge: here a field begins, also for who prints in grey."""
    sheet.cell(row, column).border = _BEGIN


def widths(sheet: Worksheet, columns: Sequence[float]) -> None:
    """The columns' widths, in characters."""
    for number, width in enumerate(columns, 1):
        sheet.column_dimensions[get_column_letter(number)].width = width


def fit(sheet: Worksheet, row: int, texts: Iterable[tuple[object, float]], small: int = 1) -> None:
    """Make a row high enough for these texts in cells of these widths, and for so many lines of small text."""
    lines = max((lines_in(str(text), width) for text, width in texts if text is not None), default=1)
    sheet.row_dimensions[row].height = max(lines * _LINE, small * _SMALL_LINE) + 3


def lines_in(text: str, width: float) -> int:
    """How many lines a text takes in a cell of this width."""
    room = max(1.0, width * 1.2)  # the sheet's unit is a digit of 11 points, the text has 9
    return sum(max(1, -int(-columns_of(line) // room)) for line in text.split("\n"))


def as_page(sheet: Worksheet, *, landscape: bool = True) -> None:
    """A4, as wide as the page, with its name and its number at the foot."""
    sheet.page_setup.paperSize = 9  # A4
    sheet.page_setup.orientation = "landscape" if landscape else "portrait"
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr = PageSetupProperties(fitToPage=True)
    for side in ("left", "right", "top", "bottom"):
        setattr(sheet.page_margins, side, 0.4)
    sheet.page_margins.footer = 0.2
    footer = sheet.HeaderFooter.oddFooter
    assert footer is not None, "each new sheet has one"
    footer.left.text, footer.right.text = "&A", "&P / &N"
    footer.left.size = footer.right.size = SMALL
    sheet.sheet_view.showGridLines = False


def printable(sheet: Worksheet, head: int | None, last_column: int, freeze: str | None = None) -> None:
    """As a page; the head's row on each page, and always in sight."""
    as_page(sheet)
    sheet.print_area = f"A1:{get_column_letter(last_column)}{sheet.max_row}"
    sheet.sheet_view.zoomScale = 100
    if head is not None:
        sheet.print_title_rows = f"{head}:{head}"
    if freeze is not None:
        sheet.freeze_panes = freeze
