"""A TOML file that cannot be read says the true reason, with the place and the remedy."""

import pytest

from schemas.toml_files import TomlError, toml_in, toml_of

TEXT = "# 開発環境の構成\n[a]\nb = 1  # 端末\n"
WIDE = "U+3000 IDEOGRAPHIC SPACE stands there"
SAVE = "save the file as UTF-8 without a byte order mark"


def test_the_tables_of_a_file_are_given_with_either_line_end() -> None:
    assert toml_of(TEXT.encode()) == toml_of(TEXT.replace("\n", "\r\n").encode()) == toml_in(TEXT) == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (TEXT.encode("utf-8-sig"), f"begins with a byte order mark (BOM): {SAVE}"),
        (TEXT.encode("utf-16"), f"is UTF-16: {SAVE}"),
        ("\ufeff".encode("utf-16-be") + TEXT.encode("utf-16-be"), f"is UTF-16: {SAVE}"),
        (TEXT.encode("utf-16-le"), f"is UTF-16, without a byte order mark: {SAVE}"),
        (TEXT.encode("utf-16-be"), f"is UTF-16, without a byte order mark: {SAVE}"),
        (TEXT.encode("utf-32"), f"is UTF-32: {SAVE}"),
        (TEXT.encode("cp932"), f"line 1: byte 2 is not UTF-8, but Shift_JIS as it seems: {SAVE}"),
        (TEXT.encode("euc_jp"), f"line 1: byte 2 is not UTF-8, but EUC-JP as it seems: {SAVE}"),
        (TEXT.encode("iso2022_jp"), f"is ISO-2022-JP (JIS), not UTF-8: {SAVE}"),
        (b"[a]\nb = '\xe9'", f"line 2: byte 9 is not UTF-8: {SAVE}"),
        (b"a = 1\nb\0 = 2", f"line 2: byte 7 is NUL, which no text has: {SAVE}"),
        (b"a", "is not TOML: Expected '=' after a key in a key/value pair (at end of document): correct the syntax"),
        ("\u3000b = 2".encode(), f"is not TOML: Invalid statement (at line 1, column 1): {WIDE}: correct the syntax"),
        (b"a = " + b"[" * 9_000, "is not TOML: holds a number or a nesting beyond all reason: correct it"),
        (b"a = " + b"1" * 9_000, "is not TOML: holds a number or a nesting beyond all reason: correct it"),
    ],
)
def test_what_is_no_toml_says_why(data: bytes, said: str) -> None:
    with pytest.raises(TomlError) as found:
        toml_of(data)
    assert str(found.value) == said == f"{found.value.problem}: {found.value.remedy}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            'a = [{ b = "x\\u000by" }]',
            "a[1].b: 使えない文字 U+000B 2 文字目  U+000B (control character) at character 2",
        ),
        (
            '"a\\u001b[D" = 1',
            "(whole file): a name: 制御文字（矢印キーなど）2 文字目  a control sequence, as of an arrow",
        ),
    ],
)
def test_a_text_that_no_document_can_take_is_named_with_its_place(text: str, said: str) -> None:
    with pytest.raises(TomlError) as found:
        toml_in(text)
    assert said in str(found.value)
    assert str(found.value).endswith(": take the character out")


def test_of_a_secret_file_only_the_place_is_told() -> None:
    with pytest.raises(TomlError) as found:
        toml_of(b"[4111111111111111]\n[4111111111111111]", secret=True)
    assert str(found.value) == "is not TOML: a fault at line 2, column 18: correct the syntax"
