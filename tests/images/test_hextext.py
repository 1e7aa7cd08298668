"""Hex text of every usual form is read, a damaged dump is told of, and nothing of it is repeated in an error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from images.hextext import HexError, TextForm, parse_hex, readings, text_of

TEXT = b"0193111029000125040109301512345600 7 AP02-20250401 41 11  4111|x|"
CHARACTERS = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in range(256))


def characters(row: bytes) -> str:
    return "".join(CHARACTERS[byte] for byte in row)


def rows(data: bytes, width: int = 16) -> list[tuple[int, bytes]]:
    return [(at, data[at : at + width]) for at in range(0, len(data), width)]


def xxd(data: bytes, group: int = 2, width: int = 16) -> str:
    length = 2 * width + -(-width // group) - 1
    lines = []
    for at, row in rows(data, width):
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


def od_squeezed(data: bytes, width: int, offset: str = "06x") -> str:
    """`od -t x1` with -w, and the base of -A."""
    lines, last, squeezed = [], None, False
    for at, row in rows(data, width):
        if row == last:
            lines += [] if squeezed else ["*"]
        else:
            lines.append(f"{at:{offset}} {row.hex(' ')}")
        squeezed, last = row == last, row
    return "\n".join([*lines, f"{len(data):{offset}}"])


def format_hex(data: bytes) -> str:
    """PowerShell 5."""
    head = ["   Path: C:\\t.bin", "", f"           {bytes(range(16)).hex(' ').upper()}", ""]
    return "\r\n".join(
        [*head, *(f"{at:08X}   {row.hex(' ').upper():<47}  {characters(row)}" for at, row in rows(data))]
    )


def format_hex_7(data: bytes) -> str:
    """PowerShell 7: a single blank before the characters."""
    head = [
        "   Label: String (System.String) <5A8E3C1A>", "", f"          Offset Bytes{' ' * 43}Ascii",
        f"                 {bytes(range(16)).hex(' ').upper()}", f"          ------ {'-' * 47} -----",
    ]  # fmt: skip
    return "\n".join([*head, *(f"{at:016X} {row.hex(' ').upper():<47} {characters(row)}" for at, row in rows(data))])


def jpos(data: bytes) -> str:
    lines = [
        f"    {at:04X}  {row[:8].hex(' ').upper():<23}  {row[8:].hex(' ').upper():<23}  {characters(row)}"
        for at, row in rows(data)
    ]
    return "\n".join(['<log realm="channel" at="2025-04-01T09:30:15.120">', "  <send>", *lines, "  </send>", "</log>"])


def netty(data: bytes) -> str:
    rule = f"+--------+{'-' * 49}+{'-' * 16}+"
    head = [f"         +{'-' * 49}+", "         |  0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f |", rule]
    return "\n".join(
        [*head, *(f"|{at:08x}| {row.hex(' '):<48}|{characters(row):<16}|" for at, row in rows(data)), rule]
    )


def hexyl(data: bytes) -> str:
    lines = [
        f"│{at:08x}│ {row[:8].hex(' '):<23} ┊ {row[8:].hex(' '):<23} │{characters(row[:8]):<8}┊{characters(row[8:])}│"
        for at, row in rows(data)
    ]
    return "\n".join(["┌────────┬─────────────────────────┐", *lines, "└────────┴─────────────────────────┘"])


def in_a_log(data: bytes) -> str:
    before = "2025-04-01T09:30:15.120Z DEBUG [line-1] 1234"
    lines = [f"{before} {at:04x}  {row.hex(' ')}" for at, row in rows(data)]
    return "\n".join([f"{before} sent {len(data)} bytes:", *lines, f"{before} done"])


def tcpdump_whole(data: bytes) -> str:
    return f"09:30:15.120123 IP 10.0.0.1.40001 > 10.0.0.9.7501: Flags [P.], length {len(data)}\n{tcpdump(data)}"


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


DUMPS = [
    xxd, lambda data: xxd(data, 1), lambda data: xxd(data, 4), hexdump, od, wireshark, wireshark_bytes, tcpdump,
    tcpdump_whole, format_hex, format_hex_7, jpos, netty, hexyl, in_a_log,
]  # fmt: skip
NAMES = [
    "xxd", "xxd -g1", "xxd -g4", "hexdump -C", "od", "wireshark", "wireshark bytes", "tcpdump",
    "tcpdump whole", "Format-Hex", "Format-Hex 7", "jPOS", "netty", "hexyl", "log",
]  # fmt: skip


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
        "30 31 3a", "30313a", "0x30, 0x31, 0x3A", "{0x30,0x31,0x3a};", r"\x30\x31\x3a", r"b'\x30\x31\x3a'", "30:31:3a",
        "30-31-3a", "[30 31 3a]", "30 31\n3a\n", "# from the log\n30 31 3a", "3031 3a", "0x30313a", "  30\t31 3a  ",
        "x'30313A'", "\x1b[1;32m30\x1b[0m 31 3a", "unsigned char t[] = {\n  0x30, 0x31, 0x3a\n};\nint t_len = 3;",
        "[]byte{0x30, 0x31, 0x3a}", "<Buffer 30 31 3a>", "2025-04-01 09:30:15 got b'01:' now", "bytearray(b'01:')",
    ],
)  # fmt: skip
def test_hex_without_offsets_is_read_however_it_is_written(text: str) -> None:
    assert parse_hex(text) == [b"01:"]


@pytest.mark.parametrize(
    "text",
    [
        "[48, -12, 127]", "[48 244 127]", "48 244 127", "48\r\n244\r\n127\r\n", "48,244,127", "048 244 127",
        "Uint8Array(3) [\n  48, 244,\n  127\n]", '{"type":"Buffer","data":[48,244,127]}', "new byte[] { 48, 244, 127 }",
        "2025-04-01T09:30:15.120Z DEBUG [main] c.e.Line - recv [48, -12, 127]", "[ 48 -12 127 ]",
    ],
)  # fmt: skip
def test_lists_of_decimals_are_read_as_programs_write_them(text: str) -> None:
    assert parse_hex(text) == [b"0\xf4\x7f"]
    (way,) = readings(text).ways
    assert way.form.english.startswith("decimal bytes")


def test_each_list_in_brackets_is_a_piece() -> None:
    assert parse_hex("send [48, -12]\nrecv [48, 49, 127]\n") == [b"0\xf4", b"01\x7f"]
    assert parse_hex("[[48, -12], [49]]") == [b"0\xf4", b"1"]


def test_what_may_be_hexadecimal_or_decimal_has_both_readings_and_is_refused_unless_chosen() -> None:
    with pytest.raises(HexError, match=r"hexadecimal and as decimal.* --as hex or --as decimal"):
        parse_hex("10 20 30")
    assert [way.pieces for way in readings("10 20 30").ways] == [[b"\x10\x20\x30"], [b"\x0a\x14\x1e"]]
    for form, piece in ((TextForm.HEX, b"\x10\x20\x30"), (TextForm.DECIMAL, b"\x0a\x14\x1e")):
        found = readings("10 20 30", form)
        assert (found.doubt, [way.pieces for way in found.ways]) == (None, [[piece]])
    with pytest.raises(HexError, match="column 4: a negative number is no pair of hexadecimal digits"):
        readings("10 -20", TextForm.HEX)
    with pytest.raises(HexError, match="column 4: no decimal number of a byte"):
        readings("10 0d", TextForm.DECIMAL)


def test_lines_of_a_log_are_one_telegram_or_one_each() -> None:
    text = "09:30:15.120 SEND 3031323334\n2025-04-01 09:30:15.320 [12] RECV 35363738 3a3b"
    found = readings(text)
    assert [way.pieces for way in found.ways] == [[b"012345678:;"], [b"01234", b"5678:;"]]
    assert found.doubt is not None
    assert "without what stands around it" in found.ways[0].form.english
    assert parse_hex("2025-04-01 09:30:15 30 31 32 3a 3b") == [b"012:;"]


def test_base64_is_one_way_to_read_a_text_that_is_nothing_else() -> None:
    found = readings("MDEwMjExMjAyOTAwMDEyNQ==\n")
    assert [way.pieces for way in found.ways] == [[b"0102112029000125"]]
    assert found.doubt is not None


SQUEEZABLE = b"the head of a telegram" + b" " * 300 + b"\0" * 200 + b"tail"


@pytest.mark.parametrize("offset", ["06x", "07d", "07o"])
@pytest.mark.parametrize("width", [4, 8, 10, 16, 24, 32])
def test_repeated_lines_of_any_width_are_put_in_again(width: int, offset: str) -> None:
    assert parse_hex(od_squeezed(SQUEEZABLE, width, offset)) == [SQUEEZABLE]


def test_offsets_of_which_nobody_knows_the_base_are_read_in_each() -> None:
    found = readings(od_squeezed(b" " * 64, 16, "07o"))
    assert [[len(piece) for piece in way.pieces] for way in found.ways] == [[256], [64]]
    assert "od -A x" in (found.doubt or "")


@pytest.mark.parametrize("width", [8, 20, 32])
def test_the_dumps_of_xxd_are_read_in_any_width(width: int) -> None:
    assert parse_hex(xxd(TEXT * 3, 2, width)) == [TEXT * 3]


def test_what_is_left_out_of_a_log_is_told() -> None:
    (way,) = readings(in_a_log(TEXT)).ways
    assert way.form.english == "hex text, without what stands before the offsets, without lines that are no dump: 2"


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_a_text_is_read_in_any_encoding(encoding: str, mark: str) -> None:
    assert text_of(f"{mark}30 31 3a\r\n電".encode(encoding)) == "30 31 3a\r\n電"
    assert text_of("30 31 電文".encode("cp932")) == "30 31 電文"
    with pytest.raises(HexError, match=r"byte 4 is no text of utf-16-le.*UTF-8"):
        text_of(b"\xff\xfe3\0\0")


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
        ("30 3", "hexadecimal with a digit lost, or decimal"),
        ("30 0d 3", "line 1, column 7: a group of 1 hexadecimal digits"),
        ("[48, 300]", "nor is it a list of decimals: line 1, column 6: no decimal number of a byte"),
        ("060 061", "octal or decimal"),
        ("Uint8Array(9) [\n  48, 49,\n  ... 7 more items\n]", "line 3: the program left bytes out here"),
        ("<Buffer 30 31 ... 56 more bytes>", "line 1: the program left bytes out here"),
        (" 30 31\n*\n 32", "line 2: `*` stands for repeated lines"),
        ("00000000: 3031 3233\n*\n", "line 2: nothing behind the `*` says for how many lines"),
        ("00000000: 00110000 00110001                    01", "line 1: bits, as `xxd -b` writes them"),
        ("00000000: 33323130 37363534  01234567", "line 1: the bytes of each group are swapped"),
        ("0000000  48  49  48  50\n0000004", "numbers in wide columns, as `od -t u1`"),
        ("0000000 030460 031060\n0000004", "write words whose bytes may be swapped"),
        ("\n".join(in_a_log(TEXT).splitlines()[1:4:2]), "line 2: offset 0x20, where 0x10 bytes stand before"),
        (format_hex(TEXT).replace("30", "3O", 1), "below its heading the dump has no line of offset 0"),
        ("303", "3 hexadecimal digits, an odd number"),
        ("30 31\n3G 32", "line 2, column 2: not a hexadecimal digit"),
        ("{ , }", "holds no hexadecimal digit"),
        ("00000000: 3031\n00000004: 3233", "line 1: behind the offset belong 4 bytes"),
        ("\n".join(xxd(TEXT).splitlines()[::2]), "line 1: behind the offset belong 32 bytes"),
        ("00000000: zz", "line 1: behind the offset belong bytes"),
        ("0000000 3130 3332\n0000004\n", "whose bytes may be swapped"),
        ("*\n00000010: 30", "line 1: `*` stands for repeated lines"),
        ("00000000: 3031\n*\n00000021: 30", "`*` before it does not stand for whole lines"),
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
