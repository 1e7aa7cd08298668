"""Text that no document and no terminal can take is told of in words, or shown as one can."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup
from openpyxl import Workbook, load_workbook

from schemas.plain_text import fault_in, finalized, shown

FIT = ["", "画面に表示なし", "試験　太郎", "ｶﾅ 外字 \ue000 é 𠮷", "a\u00a0b"]
UNFIT = {
    "画面\x1b[D": "a control sequence, as of an arrow key, at character 3",
    "a\0b": "U+0000 (control character) at character 2",
    "\x0b": "U+000B (control character) at character 1",
    "a\x7f": "U+007F",
    "a\x85": "U+0085",
    "\u202eabc": "U+202E (RIGHT-TO-LEFT OVERRIDE)",
    "a\udcff": "U+DCFF",
    "\uffff": "U+FFFF",
    "\ufeff名": "U+FEFF (ZERO WIDTH NO-BREAK SPACE)",
}


@pytest.mark.parametrize("text", FIT)
def test_text_of_people_is_kept_as_it_is(text: str) -> None:
    assert fault_in(text) is None
    assert shown(text) == text


@pytest.mark.parametrize("text", UNFIT)
def test_what_cannot_be_kept_is_named_with_its_place(text: str) -> None:
    assert UNFIT[text] in (fault_in(text) or "")
    assert fault_in(text, lines=True) == fault_in(text)


def test_lines_and_tabs_are_text_where_lines_are() -> None:
    assert fault_in("a\n\tb", lines=True) is None
    assert "U+000A" in (fault_in("a\n\tb") or "")
    assert shown("a\n\tb") == "a\n\tb"


def test_keys_are_left_out_and_other_characters_pictured() -> None:
    assert shown("なし\x1b[D\x1b[1;5C\x1bOA\0\x0b\x7f\x1b\udcff") == "なし␀␋␡␛�"


@given(st.text(st.characters(), max_size=40))
def test_what_is_shown_can_be_kept_and_put_into_a_workbook(text: str) -> None:
    assert fault_in(shown(text), lines=True) is None
    assert (fault_in(text, lines=True) is None) == (shown(text) == text)
    book, out = Workbook(), io.BytesIO()
    book.worksheets[0].cell(1, 1).value = shown(text)
    book.worksheets[0].cell(1, 1).data_type = "s"
    book.save(out)
    assert load_workbook(out).worksheets[0].max_row == 1


def test_text_that_is_marked_up_stays_so() -> None:
    found = finalized(Markup("<b>a\0</b>"))
    assert (found, type(found)) == ("<b>a␀</b>", Markup)
    assert finalized(7) == 7
