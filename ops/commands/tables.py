"""Prints tables so that nothing in them is cut: in columns where every word has room, else row by row, line by line.

A word of Latin letters and figures is never parted: half an amount or half a reference is another one. Text in Japanese
may be parted anywhere, as is usual; its characters are two columns wide.
"""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from ops.commands.consoles import TABLES, is_measured

_PARTED = 8  # columns that Japanese text has at least
_PADDING = 2  # beside each cell


def show(console: Console, table: Table, *, wide: bool = False) -> None:
    """Print a table as wide as its texts are, at most as wide as the console.

    Where nobody knows how wide that is, it has 80 columns for all but a `wide` table.
    """
    most = console.width if wide or is_measured(console) else min(TABLES, console.width)
    least = [max(map(_least, _texts(column))) for column in table.columns]
    full = [max(map(_full, _texts(column))) for column in table.columns]
    frame = _PADDING * len(least) + (0 if table.box is None else len(least) + 1)
    whole = [text if column.no_wrap else word for column, word, text in zip(table.columns, least, full, strict=True)]
    if sum(whole) <= most - frame:
        least = whole
    spare = most - frame - sum(least)
    if spare < 0:
        _row_by_row(console, table, most)
        return
    for column, width in zip(table.columns, _widened(least, full, spare), strict=True):
        column.width, column.no_wrap, column.overflow = width, False, "fold"
    table.expand = False
    console.print(table)


def _widened(least: Sequence[int], full: Sequence[int], spare: int) -> list[int]:
    """Share out what is left: one after the other to the narrowest column that can use it."""
    widths = list(least)
    for _ in range(spare):
        wanting = [index for index, (has, most) in enumerate(zip(widths, full, strict=True)) if has < most]
        if not wanting:
            break
        widths[min(wanting, key=widths.__getitem__)] += 1
    return widths


def _row_by_row(console: Console, table: Table, most: int) -> None:
    if table.title:
        _line(console, _text(table.title), most)
    names = [" ".join(_text(column.header).plain.split()) if table.show_header else "" for column in table.columns]
    for row in zip(*(column.cells for column in table.columns), strict=True):
        if table.show_header:
            console.print("─" * most)
        texts = [Text("  ").join(_text(cell).split()) for cell in row]
        if not table.show_header:
            _line(console, Text(": ").join([*texts[:1], Text("  ").join(texts[1:])]), most)
            continue
        for name, text in zip(names, texts, strict=True):
            _line(console, Text.assemble((f"{name}: " if name else "", "bold"), text), most)


def _line(console: Console, text: Text, most: int) -> None:
    """A line that is parted between words; where a word is too long for it, the terminal parts it."""
    soft = any(cell_len(word) > most for word in text.plain.split())
    console.print(text, soft_wrap=soft, width=None if soft else most)


def _texts(column: Column) -> list[Text]:
    return [_text(column.header), *map(_text, column.cells)]


def _text(cell: object) -> Text:
    return cell if isinstance(cell, Text) else Text.from_markup(str(cell), emoji=False)


def _full(text: Text) -> int:
    return max(map(cell_len, text.plain.splitlines()), default=0)


def _least(text: Text) -> int:
    return max(map(_least_of_word, text.plain.split()), default=0)


def _least_of_word(word: str) -> int:
    width = cell_len(word)
    parts = width > len(word) and not any(each.isdecimal() for each in word)
    return min(width, _PARTED) if parts else width
