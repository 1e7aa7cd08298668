"""The workbook, opened again: its cells are what the codec says, its links lead somewhere, it prints on A4."""

import io
import re
from pathlib import Path

import pytest
from images_rig import REAL_PAN, record_of, usual
from openpyxl import load_workbook
from openpyxl.cell.cell import Cell
from openpyxl.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from images import flow_sheet
from images.document import Document, document_of
from images.dump import WIDTH, dump
from images.sheets import lines_in, name_of, put
from images.telegram_sheet import BYTES, NAME, OFFSET, SIZE, VALUE, flow_sheet_name, sheet_name
from images.workbook import workbook_of, write_workbook
from schemas.telegrams import Role

MOMENT = "2026-11-28T16:30:00+09:00"


def opened(document: Document, folder: Path) -> Workbook:
    file = folder / "book.xlsx"
    write_workbook(workbook_of(document), file, MOMENT)
    return load_workbook(file)


@pytest.fixture(scope="module", params=["cafis", "cardnet"])
def document(request: pytest.FixtureRequest) -> Document:
    return document_of(record_of(usual(request.param).part()), request.param)


@pytest.fixture(scope="module")
def book(document: Document, tmp_path_factory: pytest.TempPathFactory) -> Workbook:
    return opened(document, tmp_path_factory.mktemp("book"))


def sheet_of(book: Workbook, name: str) -> Worksheet:
    sheet = book[name]
    assert isinstance(sheet, Worksheet)
    return sheet


def head_of(sheet: Worksheet) -> int:
    return next(row for row in range(1, 20) if str(sheet.cell(row, NAME).value).startswith("項目名"))


def test_it_has_cover_lists_flows_telegrams_and_codes(book: Workbook, document: Document) -> None:
    flows = [flow_sheet_name(flow.number, flow.entry.japanese) for flow in document.flows]
    telegrams = [sheet_name(view) for view in document.telegrams.values()]
    assert book.sheetnames == ["表紙", "電文一覧", "フロー一覧", *flows, *telegrams, "コード一覧"]


def test_every_field_stands_with_its_place_size_value_and_bytes(book: Workbook, document: Document) -> None:
    for role in (Role.SALE_REQUEST, Role.FAULT_CONFIRM, Role.OPENING_ANSWER):
        view = document.telegrams[role]
        payload = view.images[0].travelled.payload
        values = document.spec.decode(payload).values
        sheet = sheet_of(book, sheet_name(view))
        first = head_of(sheet) + 1
        found = {}
        for row in range(first, first + len(view.spec.fields) + 1):
            name = str(sheet.cell(row, NAME).value).split("\n")[-1]
            found[name] = row
        for part in document.spec.dissect(payload):
            name = "bitmap" if part.field is None else part.field.name
            row = found[name]
            shown = str(sheet.cell(row, BYTES).value)
            assert bytes.fromhex(shown.replace("\n", " ")) == part.raw, name
            assert str(sheet.cell(row, OFFSET).value).strip("()") == str(part.offset), name
            if part.field is not None and not part.field.is_variable:
                assert sheet.cell(row, SIZE).value == part.field.size
            if name in values:
                said = str(sheet.cell(row, VALUE).value).split("\n")[0]
                assert said.replace(",", "") == str(values[name]), name


def test_the_dump_has_one_byte_a_cell_at_its_place(book: Workbook, document: Document) -> None:
    for view in document.telegrams.values():
        sheet = sheet_of(book, sheet_name(view))
        labels = {sheet.cell(row, VALUE).value: row for row in range(head_of(sheet), sheet.max_row + 1)}
        for each in dump(view.shown):
            row = labels[each.label]
            cells = [sheet.cell(row, column) for column in range(BYTES, BYTES + WIDTH)]
            assert [cell.value for cell in cells[: len(each.cells)]] == [cell.hex for cell in each.cells]
            for cell, (before, after) in zip(cells[1:], zip(each.cells, each.cells[1:], strict=False), strict=False):
                same = cell.fill.fgColor.rgb == sheet.cell(row, cell.column - 1).fill.fgColor.rgb
                assert same is (before.row == after.row)


def heads_in(sheet: Worksheet) -> list[int]:
    """The rows in which the dumps of a flow's sheet begin."""
    return [row for row in range(1, sheet.max_row + 1) if sheet.cell(row, flow_sheet.OFFSET).value == "位置 dec hex"]


def bytes_below(sheet: Worksheet, head: int) -> list[Cell]:
    """The cells with the bytes of a dump, the length in front first."""
    found = []
    for row in range(head + 1, sheet.max_row + 1):
        cells = [sheet.cell(row, column) for column in range(flow_sheet.BYTES, flow_sheet.BYTES + WIDTH)]
        filled = [cell for cell in cells if isinstance(cell, Cell) and cell.value is not None]
        if not filled or filled[0].value == "+0":
            break
        found += filled
    return found


def test_a_flows_sheet_has_its_telegrams_with_all_bytes(book: Workbook, document: Document) -> None:
    for flow in document.flows:
        sheet = sheet_of(book, flow_sheet_name(flow.number, flow.entry.japanese))
        heads = heads_in(sheet)
        assert len(heads) == len(flow.images)
        for head, image in zip(heads, flow.images, strict=True):
            shown = "".join(str(cell.value) for cell in bytes_below(sheet, head))
            assert bytes.fromhex(shown) == document.spec.framing.wrap(image.travelled.payload)


def test_a_flows_sheet_has_each_field_in_the_colour_of_its_bytes_also_one_left_out(
    book: Workbook, document: Document
) -> None:
    left_out = 0
    for flow in document.flows:
        sheet = sheet_of(book, flow_sheet_name(flow.number, flow.entry.japanese))
        for head, image in zip(heads_in(sheet), flow.images, strict=True):
            cells = bytes_below(sheet, head)[len(image.telegram.framing) :]
            for at, row in enumerate(image.telegram.rows, head + 1):
                assert sheet.cell(at, flow_sheet.FIELD).value == row.japanese
                colour = sheet.cell(at, flow_sheet.FIELD).fill.fgColor.rgb
                own = cells[row.offset : row.offset + row.size]
                assert {cell.fill.fgColor.rgb for cell in own} == {colour}
                assert own[0].border.left.style == "medium", "told apart in grey, too"
                if row.value is None:
                    assert sheet.cell(at, flow_sheet.VALUE).value == "（省略）"
                    left_out += 1
    assert left_out or document.spec.name == "cardnet", "there is one in every sale of CAFIS"


def test_every_link_leads_to_a_sheet(book: Workbook) -> None:
    linked = set()
    for sheet in book.worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                if cell.hyperlink is not None:
                    found = re.fullmatch(r"'(.+)'!A1", str(cell.hyperlink.location))
                    assert found is not None, cell.hyperlink.location
                    assert found[1] in book.sheetnames
                    linked.add(found[1])
    assert linked == {*book.sheetnames} - {"表紙"}, "each sheet can be reached"


def test_every_sheet_prints_on_a4_across_with_its_head_on_each_page(book: Workbook) -> None:
    for sheet in book.worksheets:
        assert sheet.page_setup.orientation == "landscape"
        assert str(sheet.page_setup.paperSize) == sheet.PAPERSIZE_A4
        assert (sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight) == (1, 0)
        assert sheet.sheet_properties.pageSetUpPr is not None
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        if sheet.title != "表紙":
            assert sheet.print_title_rows is not None
            assert sheet.freeze_panes is not None


def test_the_same_record_makes_the_same_bytes(document: Document, tmp_path: Path) -> None:
    for name in ("one.xlsx", "two.xlsx"):
        write_workbook(workbook_of(document), tmp_path / name, MOMENT)
    assert (tmp_path / "one.xlsx").read_bytes() == (tmp_path / "two.xlsx").read_bytes()


def test_a_card_that_nobody_has_published_is_masked_in_every_cell(tmp_path: Path) -> None:
    book = opened(document_of(record_of(usual(pan=REAL_PAN).part()), "cafis"), tmp_path)
    digits = "".join(f"{ord(digit):02X}" for digit in REAL_PAN)
    seen = 0
    for sheet in book.worksheets:
        for row in sheet.iter_rows(values_only=True):
            texts = [str(value) for value in row if value is not None]
            assert not any(REAL_PAN in text or digits in re.sub(r"[\s]", "", text) for text in texts)
            assert digits not in "".join(text for text in texts if re.fullmatch(r"[0-9A-F]{2}", text))
            seen += any("411111******1129" in text for text in texts)
    assert seen


def test_what_begins_like_a_formula_stays_text() -> None:
    made = usual()
    made.flow("declined", ("→", Role.SALE_REQUEST, {"reference": "-1.2"}))
    document = document_of(record_of(made.part()), "cafis")
    out = io.BytesIO()
    workbook_of(document).save(out)
    formulas = [
        cell.coordinate for sheet in load_workbook(out).worksheets for row in sheet.iter_rows() for cell in row
        if cell.data_type == "f"
    ]  # fmt: skip
    assert formulas == []


def test_a_character_that_no_cell_takes_is_pictured() -> None:
    sheet = Workbook().worksheets[0]
    put(sheet, 1, 1, "Vertical\vtab\x1b[D")
    assert sheet.cell(1, 1).value == "Vertical␋tab"


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("1110 売上要求", "1110 売上要求"),
        ("a\x0bb\x1b[D", "a␋b"),
        ("a/b[c]:d*e?", "a・b・c・・d・e・"),
        ("あ" * 40, "あ" * 31),
    ],
)
def test_a_title_becomes_a_name_that_a_sheet_may_have(title: str, name: str) -> None:
    assert name_of(title) == name


def test_a_text_takes_the_lines_that_its_characters_need() -> None:
    assert lines_in("ab\ncd", 10) == 2
    assert lines_in("あ" * 12, 10) == 2
    assert lines_in("a" * 12, 10) == 1
    assert lines_in("", 10) == 1
