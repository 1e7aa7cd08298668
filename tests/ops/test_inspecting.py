"""What `denbun inspect` is given is read as what it is: bytes, hex text, a capture; layouts from wherever they are."""

import io
import re
import shutil
import sys
from importlib import resources
from pathlib import Path

import pytest
from capture_rig import CENTRE, GATEWAY, Wire, pcap, pcapng

from images.captures import CaptureError
from images.hextext import HexError
from ops.inspecting import InputError, Source, chosen, partners_of, read_source
from schemas.telegrams import LayoutError, Role, load_partner

PARTNERS = CAFIS, CARDNET = load_partner("cafis"), load_partner("cardnet")


def sample(role: Role) -> bytes:
    return CAFIS.encode(role, CAFIS.telegrams[role].sample())


COMMAND = CAFIS.framing.wrap(sample(Role.FAULT_CONFIRM))  # digits and blanks alone, as hex text has


def read(path: Path, data: bytes, form: str = "auto") -> Source:
    path.write_bytes(data)
    return read_source(str(path), form, PARTNERS, PARTNERS)


def roles(source: Source) -> list[Role | None]:
    return [each.message and each.message.role for finding in source.findings for each in finding.found]


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (COMMAND, "bytes"),
        (COMMAND + b"\n", "bytes, without the line end behind them"),
        (COMMAND + b"\r\n", "bytes, without the line end behind them"),
        (COMMAND.hex().encode(), "hex text"),
        (COMMAND.hex(" ").upper().encode() + b"\r\n", "hex text"),
        (b"\xef\xbb\xbf" + COMMAND.hex().encode(), "hex text"),
    ],
)
def test_bytes_and_hex_text_are_told_apart_by_what_can_be_read(tmp_path: Path, data: bytes, form: str) -> None:
    source = read(tmp_path / "given", data)
    assert (source.form.english, roles(source)) == (form, [Role.FAULT_CONFIRM])


def test_what_it_is_can_be_said(tmp_path: Path) -> None:
    assert roles(read(tmp_path / "given", COMMAND.hex().encode(), "raw")) == [None]
    assert roles(read(tmp_path / "given", COMMAND.hex().encode(), "hex")) == [Role.FAULT_CONFIRM]
    with pytest.raises(CaptureError):
        read(tmp_path / "given", COMMAND, "pcap")
    with pytest.raises(HexError, match="byte 0 is no text"):
        read(tmp_path / "given", b"\x81 30", "hex")
    assert roles(read(tmp_path / "given", " ".join(map(str, COMMAND)).encode(), "decimal")) == [Role.FAULT_CONFIRM]
    with pytest.raises(HexError, match="a leading 0"):
        read(tmp_path / "given", b"05 06", "decimal")


def test_numbers_that_may_be_hexadecimal_or_decimal_are_read_in_the_way_that_gives_a_telegram(tmp_path: Path) -> None:
    for text, form in ((COMMAND.hex(" "), "hex text"), (" ".join(map(str, COMMAND)), "decimal bytes")):
        assert text.replace(" ", "").isdigit()
        source = read(tmp_path / "given", text.encode())
        assert (source.form.english, roles(source)) == (form, [Role.FAULT_CONFIRM])
        source = read(tmp_path / "given", text[:-3].encode())  # a byte is missing: the type code tells
        assert (source.form.english, source.findings[0].found[0].partner) == (form, CAFIS)
    with pytest.raises(HexError, match="--as hex or --as decimal"):
        read(tmp_path / "given", b"10 20 30")


def test_lines_of_a_log_are_telegrams_of_their_own_or_one(tmp_path: Path) -> None:
    whole = f"09:30:15.120 SEND {COMMAND[:40].hex()}\n09:30:15.120 SEND {COMMAND[40:].hex()}\n"
    assert roles(read(tmp_path / "given", whole.encode())) == [Role.FAULT_CONFIRM]
    bare = f"09:30:15.120 SEND {COMMAND[4:].hex()}\n09:30:15.320 SEND {COMMAND[4:].hex()}\n"
    assert roles(read(tmp_path / "given", bare.encode("utf-16"))) == [Role.FAULT_CONFIRM] * 2
    with pytest.raises(HexError, match="each line can be a telegram, or all lines one"):
        read(tmp_path / "given", b"09:30:15.120 SEND 3031323a3b3c\n09:30:15.120 SEND 3031323a3b3c\n")


def test_a_log_without_bytes_is_not_shown_as_bytes(tmp_path: Path) -> None:
    with pytest.raises(HexError, match="line 1, column 3: not a hexadecimal digit"):
        read(tmp_path / "given", b"a line of a log\nand another\n")


@pytest.mark.parametrize("make", [pcap, pcapng])
def test_a_capture_is_known_by_its_beginning(tmp_path: Path, make: object) -> None:
    assert callable(make)
    wire = Wire().call().say(GATEWAY, COMMAND)
    source = read(tmp_path / "given", make(wire.frames))
    assert source.capture is not None
    assert len(source.capture.packets) == 4


def test_packets_in_hex_are_a_capture(tmp_path: Path) -> None:
    wire = Wire().call().say(GATEWAY, COMMAND).say(CENTRE, CAFIS.framing.wrap(sample(Role.FAULT_CONFIRM_REPORT)))
    dump = "\n".join(
        f"{at:04x}  {frame.data[at : at + 16].hex(' ')}"
        for frame in wire.frames[3:]
        for at in range(0, len(frame.data), 16)
    )
    source = read(tmp_path / "given", dump.encode())
    assert source.capture is not None
    assert [packet.number for packet in source.capture.packets] == [1, 2]


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(COMMAND)))
    assert roles(read_source("-", "auto", PARTNERS, PARTNERS)) == [Role.FAULT_CONFIRM]


def test_a_damaged_telegram_is_not_taken_for_damaged_hex_text(tmp_path: Path) -> None:
    source = read(tmp_path / "given", COMMAND[:-1])
    assert (source.form.english, source.findings[0].found[0].partner) == ("bytes", CAFIS)


def test_hex_text_with_a_wrong_digit_is_told_of_and_not_taken_for_bytes(tmp_path: Path) -> None:
    text = CARDNET.encode(Role.SALE_REQUEST, CARDNET.telegrams[Role.SALE_REQUEST].sample()).hex()
    with pytest.raises(HexError, match="line 1, column 60"):
        read(tmp_path / "given", text[:59].encode() + b"g")


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "is empty"), (b"\xfd" * 1_100_000, "1100000 bytes, neither telegrams of cafis, cardnet nor")],
)
def test_what_cannot_be_a_telegram_is_told_of(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(str(tmp_path / "given"))) as found:
        read(tmp_path / "given", data)
    assert said in str(found.value)


def test_a_file_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file or directory: give a file that you may read"):
        read_source(str(tmp_path / "none"), "auto", PARTNERS, PARTNERS)


# --- layouts


def packaged_copy(name: str, into: Path) -> Path:
    with resources.as_file(resources.files("schemas.telegrams") / name) as folder:
        return Path(shutil.copytree(folder, into / name))


def test_the_packages_layouts_are_tried_and_a_folders_in_place_of_those_of_its_name(tmp_path: Path) -> None:
    assert [each.name for each in partners_of([], None)] == ["cafis", "cardnet"]
    folder = packaged_copy("cafis", tmp_path)
    file = folder / "partner.toml"
    file.write_text(file.read_text("utf-8").replace("CAFIS (NTT DATA)", "as in the contract"), "utf-8")
    for given in (folder, tmp_path):
        found = partners_of([given], None)
        assert [(each.name, each.english) for each in found] == [
            ("cafis", "as in the contract"), ("cardnet", "CARDNET (Japan Card Network)"),
        ]  # fmt: skip


def test_the_installations_partners_are_tried_where_one_is_given() -> None:
    file = Path(__file__).parents[2] / "deploy/environments/development/denbun.toml"
    assert [each.name for each in partners_of([], file)] == ["cafis", "cardnet"]


def test_a_folder_without_layouts_and_one_with_faulty_ones_are_told_of(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no partner"):
        partners_of([tmp_path], None)
    (packaged_copy("cafis", tmp_path) / "sale_request.toml").unlink()
    with pytest.raises(LayoutError, match=r"sale_request\.toml: the file is missing"):
        partners_of([tmp_path], None)


def test_one_partner_can_be_chosen_and_an_unknown_one_is_told_of() -> None:
    assert chosen(PARTNERS, None) == list(PARTNERS)
    assert chosen(PARTNERS, "cardnet") == [CARDNET]
    with pytest.raises(InputError, match="--partner visa: not known: one of cafis, cardnet"):
        chosen(PARTNERS, "visa")
