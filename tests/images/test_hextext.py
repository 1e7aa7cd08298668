"""Hex text of every usual form is read, a damaged dump is told of, and nothing of it is repeated in an error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from images.hextext import HexError, parse_hex

TEXT = b"0193111029000125040109301512345600 7 AP02-20250401 41 11  4111|x|"
CHARACTERS = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in range(256))


def characters(row: bytes) -> str:
    return "".join(CHARACTERS[byte] for byte in row)


def rows(data: bytes, width: int = 16) -> list[tuple[int, bytes]]:
    return [(at, data[at : at + width]) for at in range(0, len(data), width)]


def xxd(data: bytes, group: int = 2) -> str:
    length = 2 * 16 + (16 // group) - 1
    lines = []
    for at, row in rows(data):
        pairs = " ".join(row[index : index + group].hex() for index in range(0, len(row), group))
        lines.append(f"{at:08x}: {pairs:<{length}}  {characters(row)}")
    return "\n".join(lines)


def hexdump(data: bytes) -> str:
    lines = []
    for at, row in rows(data):
        pairs = f"{row[:8].hex(' '):<23}  {row[8:].hex(' '):<23}"
        lines.append(f"{at:08x}  {pairs}  |{characters(row)}|")
    return "\n".join([*lines, f"{len(data):08x}"])


def od(data: bytes) -> str:
    lines = [f"{at:06x} {row.hex(' '):<47}  >{characters(row)}<" for at, row in rows(data)]
    return "\n".join([*lines, f"{len(data):06x}"])


def wireshark(data: bytes) -> str:
    return "\n".join(f"{at:04x}   {row.hex(' '):<47}   {characters(row)}" for at, row in rows(data))


def wireshark_bytes(data: bytes) -> str:
    return "\n".join(f"{at:04x}  {row.hex(' ')}" for at, row in rows(data))


def tcpdump(data: bytes) -> str:
    lines = []
    for at, row in rows(data):
        pairs = " ".join(row[index : index + 2].hex() for index in range(0, len(row), 2))
        lines.append(f"\t0x{at:04x}:  {pairs:<39}  {characters(row)}")
    return "\n".join(lines)


DUMPS = [xxd, lambda data: xxd(data, 1), lambda data: xxd(data, 4), hexdump, od, wireshark, wireshark_bytes, tcpdump]
NAMES = ["xxd", "xxd -g1", "xxd -g4", "hexdump -C", "od", "wireshark", "wireshark bytes", "tcpdump"]


@pytest.mark.parametrize("dump", DUMPS, ids=NAMES)
@given(data=st.one_of(st.binary(min_size=1, max_size=120), st.text("0123456789 abcdef", min_size=1).map(str.encode)))
def test_a_dump_gives_the_bytes_it_was_made_of(dump: object, data: bytes) -> None:
    assert callable(dump)
    assert parse_hex(dump(data)) == [data]


@pytest.mark.parametrize("dump", DUMPS, ids=NAMES)
def test_offsets_that_begin_again_begin_another_piece(dump: object) -> None:
    assert callable(dump)
    assert parse_hex(f"{dump(TEXT)}\n\n{dump(TEXT[:20])}") == [TEXT, TEXT[:20]]


@pytest.mark.parametrize(
    "text",
    [
        "30 31 32", "303132", "0x30, 0x31, 0x32", "{0x30,0x31,0x32};", r"\x30\x31\x32", r"b'\x30\x31\x32'", "30:31:32",
        "30-31-32", "[30 31 32]", "30 31\n32\n", "# from the log\n30 31 32", "3031 32", "0x303132", "  30\t31 32  ",
    ],
)  # fmt: skip
def test_hex_without_offsets_is_read_however_it_is_written(text: str) -> None:
    assert parse_hex(text) == [b"012"]


@given(st.binary(min_size=1, max_size=80))
def test_bytes_as_python_prints_them_are_read(data: bytes) -> None:
    if repr(data).count("'") == 2 or '"' in repr(data)[:2]:
        assert parse_hex(f"\n {data!r}\n") == [data]


@pytest.mark.parametrize("text", [r"b'\x3'", r"b'\d'", "b'é'", "b''"])
def test_what_only_looks_like_bytes_of_python_is_told_of_as_hex_text(text: str) -> None:
    with pytest.raises(HexError):
        parse_hex(text)


def test_repeated_lines_of_hexdump_are_put_in_again() -> None:
    data = bytes(160) + b"end"
    text = "00000000  " + " ".join(["00"] * 8) + "  " + " ".join(["00"] * 8) + "  |" + "." * 16 + "|"
    text += "\n*\n000000a0  65 6e 64" + " " * 43 + "|end|\n000000a3\n"
    assert parse_hex(text) == [data]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("\n \n# nothing\n", "empty"),
        ("30 3", "a group of 1 hexadecimal digits"),
        ("303", "3 hexadecimal digits, an odd number"),
        ("30 31\n3G 32", "line 2, column 2: not a hexadecimal digit"),
        ("{ , }", "holds no hexadecimal digit"),
        ("00000000: 3031\n00000004: 3233", "line 1: behind the offset belong 4 bytes"),
        ("\n".join(xxd(TEXT).splitlines()[::2]), "line 1: behind the offset belong 32 bytes"),
        ("00000000: zz", "line 1: behind the offset belong bytes"),
        ("0000000 3130 3332\n0000004\n", "swap the bytes of each word"),
        ("*\n00000010: 30", "not a hexadecimal digit"),
        ("00000000: 3031\n*\n00000020: 30", "`*` before it does not stand for whole lines"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place_and_a_remedy(text: str, said: str) -> None:
    with pytest.raises(HexError, match=r".") as found:
        parse_hex(text)
    assert said in str(found.value)


@given(st.one_of(st.text(max_size=200), st.text("0123456789abcdef: |*\n>.", max_size=300)))
def test_any_text_gives_bytes_or_the_one_error(text: str) -> None:
    try:
        pieces = parse_hex(text)
    except HexError:
        pass
    else:
        assert pieces
        assert all(pieces)


def test_an_error_does_not_repeat_the_text() -> None:
    for text in ("4111111111111111 4G", "00000000: 4111 1111 1111 111", "00000000: 4111\n00000009: 1111 1111"):
        with pytest.raises(HexError) as found:
            parse_hex(text)
        assert "411" not in str(found.value)
