"""Writes rows into a worksheet in one hand: fonts, colours, borders, and what a print needs."""

from collections.abc import Sequence

from openpyxl.cell.cell import Cell
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from images.sheets import GOTHIC, MONO, as_page, lines_in
from schemas.plain_text import finalized

_RULE = Side(style="thin", color="B8C2CF")
BORDER = Border(left=_RULE, right=_RULE, top=_RULE, bottom=_RULE)
HEAD, DIFFERENT, UNSEEN, CHAPTER = (
    PatternFill("solid", fgColor=colour) for colour in ("E6ECF4", "FBDAD7", "FCF1D3", "F3F6FA")
)
COLOURS = {"passed": "0F6B3C", "failed": "B3261E", "not_run": "8A5A00", "same": "0F6B3C", "different": "B3261E"}
_TOP = Alignment(vertical="top", wrap_text=True)
_MIDDLE = Alignment(vertical="top", horizontal="center", wrap_text=True)


class Sheet:
    """A worksheet that is written from its top; `row` is the next free row."""

    def __init__(self, sheet: Worksheet, widths: Sequence[float], *, landscape: bool = True) -> None:
        self.sheet = sheet
        self.row = 1
        self._widths = widths
        for column, width in enumerate(widths, 1):
            sheet.column_dimensions[get_column_letter(column)].width = width
        as_page(sheet, landscape=landscape)
        sheet.print_options.horizontalCentered = True

    def title(self, text: str, *, size: int = 14) -> None:
        """A line across the sheet."""
        cell = self._cell(1, text)
        cell.font = Font(GOTHIC, size=size, bold=True)
        self.sheet.row_dimensions[self.row].height = size * 1.7
        self.row += 1

    def heading(self, text: str) -> None:
        """The heading of a part, with an empty row above."""
        self.row += 1
        self.title(text, size=11)

    def line(self, text: str, *, colour: str | None = None) -> None:
        """A line of text across the sheet."""
        self._cell(1, text).font = Font(GOTHIC, size=10, color=colour)
        self.row += 1

    def head(self, names: Sequence[str]) -> None:
        """The head of a table."""
        for column, name in enumerate(names, 1):
            cell = self._cell(column, name)
            cell.font = Font(GOTHIC, size=9, bold=True)
            cell.fill, cell.border, cell.alignment = HEAD, BORDER, _MIDDLE
        self._fit(names)
        self.row += 1

    def cells(
        self, values: Sequence[str | int], *, fill: PatternFill | None = None, mono: Sequence[int] = (),
        middle: Sequence[int] = (), colours: dict[int, str] | None = None,
    ) -> list[Cell]:  # fmt: skip
        """A row of a table; columns count from 1. `colours`: those of whose text stands out."""
        made = []
        for column, value in enumerate(values, 1):
            cell = self._cell(column, value)
            colour = (colours or {}).get(column)
            cell.font = Font(MONO if column in mono else GOTHIC, size=9, color=colour, bold=colour is not None)
            cell.border = BORDER
            cell.alignment = _MIDDLE if column in middle else _TOP
            if fill is not None:
                cell.fill = fill
            made.append(cell)
        self._fit([str(value) for value in values])
        self.row += 1
        return made

    def stamps(self, names: Sequence[str], column: int, row: int) -> None:
        """Boxes for seals 印, three rows high, without moving on."""
        for at, name in enumerate(names, column):
            head = self.sheet.cell(row, at, name)
            head.font, head.alignment, head.fill, head.border = Font(GOTHIC, size=9), _MIDDLE, HEAD, BORDER
            self.sheet.merge_cells(start_row=row + 1, end_row=row + 3, start_column=at, end_column=at)
            for each in range(row + 1, row + 4):
                self.sheet.cell(each, at).border = BORDER

    def repeat_head(self, row: int) -> None:
        """This row stays in sight, and is printed on every page."""
        self.sheet.freeze_panes = f"A{row + 1}"
        self.sheet.print_title_rows = f"{row}:{row}"

    def _cell(self, column: int, value: str | int) -> Cell:
        cell = self.sheet.cell(self.row, column)
        assert isinstance(cell, Cell)
        cell.value = finalized(value)
        if isinstance(value, str):
            cell.data_type = "s"  # a text is a text, also where it begins as a formula does
        return cell

    def _fit(self, texts: Sequence[str]) -> None:
        """As high as the fullest cell needs: programs that show the sheet do not all find out by themselves."""
        lines = max(lines_in(text, width) for text, width in zip(texts, self._widths, strict=False))
        self.sheet.row_dimensions[self.row].height = 4 + 12.5 * lines
