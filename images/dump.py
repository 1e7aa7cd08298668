"""The hex dump of a telegram with its ruler, as data: text, pages and sheets draw it, each in its own way."""

from collections.abc import Iterator
from typing import NamedTuple

from images.annotated import HIDDEN_BYTE, AnnotatedTelegram, hex_of

WIDTH = 16  # bytes a row
RULER = tuple(f"{column:X}" for column in range(WIDTH))


class Cell(NamedTuple):
    """One byte. `byte` is None where it is hidden; `row` is the number of the annotated row it belongs to."""

    offset: int
    byte: int | None
    character: str
    row: int

    @property
    def hex(self) -> str:
        """Two hexadecimal digits, or ``••``."""
        return HIDDEN_BYTE if self.byte is None else f"{self.byte:02X}"


class DumpRow(NamedTuple):
    """Up to 16 bytes; `offset` is that of the first."""

    offset: int
    cells: tuple[Cell, ...]

    @property
    def label(self) -> str:
        """The offset as the layouts and as programmers write it."""
        return f"{self.offset:04d} {self.offset:04X}"


def cells_of(telegram: AnnotatedTelegram) -> Iterator[Cell]:
    """Every byte of the telegram, in order; without its framing."""
    for row in telegram.rows:
        for at, (byte, character) in enumerate(zip(row.cells, row.characters, strict=True)):
            yield Cell(row.offset + at, byte, character, row.number)


def dump(telegram: AnnotatedTelegram) -> tuple[DumpRow, ...]:
    """The telegram in rows of 16 bytes; without its framing, so that offsets are those of the layout."""
    cells = tuple(cells_of(telegram))
    return tuple(DumpRow(at, cells[at : at + WIDTH]) for at in range(0, len(cells), WIDTH))


def dump_text(telegram: AnnotatedTelegram) -> str:
    """The dump as plain text: framing apart, a ruler, then offset (decimal, hexadecimal), bytes, characters."""
    lines = [f"framing    {hex_of(telegram.framing)}"] if telegram.framing else []
    lines.append(f"offset     {'  '.join(RULER)}")
    for row in dump(telegram):
        pairs = " ".join(cell.hex for cell in row.cells)
        lines.append(f"{row.label}  {pairs:<{3 * WIDTH - 1}}  {''.join(cell.character for cell in row.cells)}")
    return "\n".join(lines)
