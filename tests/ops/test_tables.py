"""Tables in consoles of every width: nothing is cut, and no word is parted that would be another one then."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from ops.commands.consoles import open_console
from ops.commands.tables import show

ID, AMOUNT, NAME = "AP02:pay-60532123456", "¥1,234,567", "取消確認再指令"
WIDTHS = [20, 24, 31, 40, 52, 60, 79, 80, 118, 250]


def board(*, header: bool = True, rows: int = 2) -> Table:
    table = Table(title="要対応一覧  attention list", show_header=header)
    for heading in ("取引\ntransaction", "金額\namount", "状態\nstage"):
        table.add_column(heading)
    for _ in range(rows):
        table.add_row(f"{ID}\ncafis cafis-1", AMOUNT, f"{NAME} 応答待ち\nreconfirming")
    return table


def printed(table: Table, width: int) -> list[str]:
    out = io.StringIO()
    show(Console(file=out, width=width, highlight=False), table, wide=True)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_reference_and_every_amount_stands_whole_in_a_line_and_no_line_is_too_wide(
    width: int, header: bool
) -> None:
    lines = printed(board(header=header), width)
    for word in (ID, AMOUNT):
        assert sum(word in line for line in lines) == 2, "\n".join(lines)
    assert all(cell_len(line) <= width for line in lines), "\n".join(lines)
    assert not any("…" in line for line in lines)


@pytest.mark.parametrize("width", WIDTHS)
def test_japanese_is_there_to_the_last_character(width: int) -> None:
    told = "".join("".join(printed(board(rows=1), width)).split())
    assert all(character in told for character in NAME)


def test_where_there_is_room_the_columns_stand_side_by_side_and_are_no_wider_than_their_texts() -> None:
    lines = printed(board(), 80)
    assert any(ID in line and AMOUNT in line for line in lines)
    assert max(map(cell_len, lines)) < 80


def test_where_there_is_none_each_row_is_told_line_by_line_under_its_headings() -> None:
    lines = printed(board(rows=1), 40)
    assert f"取引 transaction: {ID}" in " ".join(lines)
    assert f"金額 amount: {AMOUNT}" in lines


def test_a_word_wider_than_the_console_is_left_whole_for_the_terminal_to_part() -> None:
    assert any(ID in line for line in printed(board(rows=1), 10))


def test_a_table_of_no_rows_shows_its_headings() -> None:
    assert "transaction" in "\n".join(printed(board(rows=0), 80))


def test_where_nobody_knows_how_wide_it_is_a_table_has_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    table = board()
    table.add_row(ID, AMOUNT, "a long reason of many words " * 5)
    for columns in ("", "118"):
        monkeypatch.setenv("COLUMNS", columns)
        out = io.StringIO()
        show(Console(file=out, width=118), table)
        assert (max(map(cell_len, out.getvalue().splitlines())) <= 80) is (columns == "")


def test_a_reference_between_colons_is_no_picture(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("x")
    table.add_row("AP02:a: AP02:heart:")
    show(open_console(), table)
    open_console().print("AP02:a: AP02:heart:")
    assert capsys.readouterr().out.count("AP02:a: AP02:heart:") == 2
