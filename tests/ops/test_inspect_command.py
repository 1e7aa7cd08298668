"""``denbun inspect`` from the shell: what it shows, its statuses, and that card data is in none of it."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from capture_rig import CENTRE, GATEWAY, Wire, pcap
from typer.testing import CliRunner, Result

from ops.__main__ import app
from schemas.sealing import create_ring
from schemas.telegrams import PartnerSpec, Role, Value, load_partner

PARTNERS = CAFIS, CARDNET = load_partner("cafis"), load_partner("cardnet")
OWN = pytest.mark.parametrize("spec", PARTNERS, ids=repr)
PAN, TRACK, CODE = "4539578763621486", "4539578763621486=29061019876543210000", "7391"
CARD = {"pan": PAN, "expiry": "2906", "track2": TRACK, "security_code": CODE}


def run(*arguments: object, given: bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["inspect", *map(str, arguments)], input=given)


def told(result: Result) -> str:
    return " ".join(result.output.split())


def telegram(spec: PartnerSpec, role: Role, **changed: Value) -> bytes:
    return spec.encode(role, {**spec.telegrams[role].sample(), **changed})


def facts(*arguments: object) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


@pytest.fixture
def request_file(tmp_path: Path) -> Path:
    (tmp_path / "request.bin").write_bytes(CAFIS.framing.wrap(telegram(CAFIS, Role.SALE_REQUEST, **CARD)))
    return tmp_path / "request.bin"


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    wrap = CAFIS.framing.wrap
    wire = Wire().call().say(GATEWAY, wrap(telegram(CAFIS, Role.SALE_REQUEST, trace_number=123, **CARD)))
    wire.say(CENTRE, wrap(telegram(CAFIS, Role.SALE_REPORT, trace_number=123, terminal_id="4980000000000")))
    wire.say(CENTRE, wrap(telegram(CAFIS, Role.KEEPALIVE_REQUEST) + b"?"))
    inner = telegram(CARDNET, Role.SALE_REQUEST, **CARD)
    wire.say(GATEWAY, wrap(telegram(CAFIS, Role.ENVELOPE_REQUEST, carried_telegram=inner.hex())))
    (tmp_path / "line.pcap").write_bytes(pcap(wire.frames))
    return tmp_path / "line.pcap"


# --- what is shown


@OWN
def test_a_telegram_is_shown_field_by_field_with_partner_direction_and_framing(spec: PartnerSpec) -> None:
    result = run("--hex", spec.framing.wrap(telegram(spec, Role.SALE_REQUEST, **CARD)).hex())
    assert result.exit_code == 0, result.output
    said = told(result)
    assert f"提携先 partner {spec.name} {spec.japanese}（この提携先の形式でだけ読めるため" in said
    assert "方向 direction → 提携先へ to the partner" in said
    assert "電文長つき" in said
    for field in spec.telegrams[Role.SALE_REQUEST].fields:
        assert f"{field.japanese} {field.name}" in said
    assert "453957******1486" in said
    assert "4980123456789" in said
    assert PAN not in result.output.replace(" ", "")


@OWN
def test_one_field_that_is_wrong_is_named_with_its_place(spec: PartnerSpec) -> None:
    data = telegram(spec, Role.SALE_REPORT)
    place = next(each for each in spec.dissect(data) if each.field is not None and each.field.name == "result_code")
    broken = data[: place.offset] + b"\xfd" + data[place.offset + 1 :]
    result = run("--hex", broken.hex())
    assert result.exit_code == 1
    said = told(result)
    assert f"結果コード（位置 {place.offset}）を除けば正しい電文です would be valid but for the result code" in said
    assert "✗ 不正 wrong" in said
    assert f"位置 {place.offset}:" in said


def test_a_lost_byte_is_named_with_its_place() -> None:
    data = telegram(CAFIS, Role.SALE_REQUEST, **CARD)
    result = run("--hex", (data[:60] + data[61:]).hex())
    assert result.exit_code == 1
    said = told(result)
    assert "1110 売上要求 Sale request: 位置 48 から先は、その前に 1 バイト不足とすればすべて合います" in said
    assert "all fits from byte 48 on, with 1 byte missing before it" in said
    assert "金額 amount＊ 12800" in said


def test_the_telegram_in_an_envelope_is_shown_inside() -> None:
    inner = telegram(CARDNET, Role.SALE_REQUEST, **CARD)
    said = told(run("--hex", telegram(CAFIS, Role.ENVELOPE_REQUEST, carried_telegram=inner.hex()).hex()))
    assert "#1 7110 搬送要求 Envelope, going" in said
    assert "#1 搬送電文 inside 0200 売上要求 Sale request" in said
    assert "453957******1486" in said
    assert inner[:40].hex(" ").upper() not in said


def test_several_telegrams_are_shown_one_after_the_other_or_those_asked_for(tmp_path: Path) -> None:
    rows = [CAFIS.framing.wrap(telegram(CAFIS, role)) for role in (Role.SALE_REQUEST, Role.SALE_REPORT)]
    (tmp_path / "two").write_bytes(b"".join(rows))
    both, second = told(run(tmp_path / "two")), told(run(tmp_path / "two", "--number", 2))
    assert "#1 1110 売上要求" in both
    assert "#2 1120 売上報告" in both
    assert "#1 1110" not in second
    assert "#2 1120 売上報告" in second


def test_a_capture_is_shown_as_a_conversation(capture: Path) -> None:
    result = run(capture)
    assert result.exit_code == 1  # one telegram does not decode
    said = told(result)
    assert "接続 connection 1 10.0.0.1:40001 → 10.0.0.9:7501 2025-04-01" in said
    assert "本システム側 gateway 10.0.0.1:40001" in said
    assert "09:30:15.010 → 1110 売上要求 Sale request 123 7" in said
    assert "└ 0200 売上要求 Sale request" in said
    assert (
        "#2 どの要求への応答でもありません: 1110 売上要求（処理通番 123、#1）に対応するはずですが、端末識別番号" in said
    )
    assert "would match trace 123 (sale request, #1) but for the terminal id" in said
    assert "#1 応答がキャプチャにありません no answer in the capture" in said
    assert "最後の項目の後に 1 バイト余分です would be valid but for 1 byte after the last field" in said


def test_of_a_capture_the_telegrams_about_one_trace_number_are_shown_alone(tmp_path: Path) -> None:
    wire = Wire().call()
    for role, numbers in (
        (Role.SALE_REQUEST, {"trace_number": 7}),
        (Role.SALE_REQUEST, {"trace_number": 8}),
        (Role.FAULT_CONFIRM, {"trace_number": 9, "original_trace_number": 7}),
    ):
        wire.say(GATEWAY, CAFIS.framing.wrap(telegram(CAFIS, role, **numbers)))
    (tmp_path / "line.pcap").write_bytes(pcap(wire.frames))
    said = told(run(tmp_path / "line.pcap", "--trace", 7))
    assert "1110 売上要求 Sale request 7 7" in said
    assert "8930 取消確認指令" in said
    assert "Sale request 8 7" not in said
    assert "#2" not in said
    (talk,) = facts(tmp_path / "line.pcap", "--trace", 7)["connections"]
    assert [each["number"] for each in talk["telegrams"]] == [1, 3]


def test_bytes_of_a_line_that_belong_to_no_telegram_are_shown_without_digits(tmp_path: Path) -> None:
    request = CAFIS.framing.wrap(telegram(CAFIS, Role.SALE_REQUEST, **CARD))
    wire = Wire().call().say(GATEWAY, request).say(GATEWAY, b"?" + request[20:]).say(GATEWAY, request)
    (tmp_path / "line.pcap").write_bytes(pcap(wire.frames))
    result = run(tmp_path / "line.pcap")
    assert result.exit_code == 1
    said = told(result)
    assert "178 バイト bytes: 電文長として読めません" in said
    assert "位置 197: 電文長として読めません no length of a telegram stands here … 178 bytes 3F ••" in said
    (talk,) = facts(tmp_path / "line.pcap")["connections"]
    assert [each.get("skipped_bytes") for each in talk["telegrams"]] == [None, 178, None]
    for text in (result.output, json.dumps(talk)):
        assert PAN not in text
        assert PAN[:7].encode().hex(" ") not in text.lower()


def test_of_very_many_telegrams_those_with_which_something_is_wrong_are_shown(tmp_path: Path) -> None:
    wire = Wire().call()
    for number in range(1, 521):
        terminal = "4980000000000" if number == 300 else "4980123456789"
        wire.say(GATEWAY, CAFIS.framing.wrap(telegram(CAFIS, Role.SALE_REQUEST, trace_number=number)))
        report = telegram(CAFIS, Role.SALE_REPORT, trace_number=number, terminal_id=terminal)
        wire.say(CENTRE, CAFIS.framing.wrap(report))
    (tmp_path / "line.pcap").write_bytes(pcap(wire.frames))
    said = told(run(tmp_path / "line.pcap"))
    assert "正常な電文 1038 件は省略 1038 telegrams in order are left out" in said
    assert "would match trace 300 (sale request, #599) but for the terminal id" in said
    assert "Sale request 300 7" in said
    assert "Sale request 299 7" not in said
    assert "Sale request 299 7" in told(run(tmp_path / "line.pcap", "--trace", 299))


def test_standard_input_is_read() -> None:
    result = run("-", given=telegram(CAFIS, Role.SALE_REPORT))
    assert (result.exit_code, "入力 input stdin" in told(result)) == (0, True)


def test_machines_are_told_the_same(request_file: Path, capture: Path) -> None:
    found = facts(request_file)
    (piece,) = found["pieces"]
    (one,) = piece["telegrams"]
    assert (one["decodes"], one["partner"], one["role"], one["type_code"], one["direction"], one["framing"]) == (
        True, "cafis", "sale_request", "1110", "going", "30313933",
    )  # fmt: skip
    fields = {each["name"]: each for each in one["fields"]}
    assert (fields["pan"]["value"], fields["pan"]["hidden"], fields["amount"]["value"]) == (
        "453957******1486",
        True,
        12_800,
    )
    assert fields["trace_number"]["hex"] == "31 32 33 34 35 36"
    (talk,) = facts(capture)["connections"]
    assert [each["number"] for each in talk["telegrams"]] == [1, 2, 3, 4]
    assert talk["telegrams"][1]["near_miss"] == {
        "request": 1, "role": "sale_request", "trace_number": 123, "answered_by": None, "not_known": [],
        "differs_in": [{"name": "terminal_id", "request": "4980123456789", "answer": "4980000000000"}],
    }  # fmt: skip
    assert "fields" not in talk["telegrams"][0]["telegram"]
    broken = talk["telegrams"][2]["telegram"]
    assert (broken["decodes"], broken["nearest"][0]["role"], broken["nearest"][0]["bytes_left"]) == (
        False, "keepalive_request", 1,
    )  # fmt: skip


# --- card data


@pytest.mark.parametrize("options", [(), ("--all",), ("--json",), ("--all", "--json"), ("--number", "4")])
def test_no_card_data_is_in_anything_that_is_shown(request_file: Path, capture: Path, options: tuple[str, ...]) -> None:
    for file in (request_file, capture):
        result = run(file, *(options if file == capture or options == ("--json",) else ()))
        bare = "".join(result.output.split())
        for secret in (PAN, TRACK, "98765432", PAN.encode().hex(), bytes.fromhex(PAN).hex(), PAN.encode("cp037").hex()):
            assert secret.upper() not in bare.upper()
        assert CODE.encode().hex() not in bare
        assert f'"{CODE}"' not in bare


def reveal(tmp_path: Path, *arguments: object) -> Result:
    create_ring(tmp_path / "ring.json")
    return run(
        "--reveal", "--reason", "case 17", "--by", "Sato", "--key", tmp_path / "ring.json",
        "--audit", tmp_path / "audit.jsonl", *arguments,
    )  # fmt: skip


def test_card_number_and_expiry_are_revealed_with_a_reason_and_written_down_first(
    tmp_path: Path, request_file: Path
) -> None:
    result = reveal(tmp_path, request_file)
    assert result.exit_code == 0, result.output
    said = told(result)
    assert f"会員番号 pan＊ {PAN}" in said
    assert "有効期限 expiry＊ 2906" in said
    assert "セキュリティコード security_code＊ ***" in said
    assert "第2トラック track2＊ ***" in said
    assert "9876543" not in result.output.replace(" ", "")
    (line,) = (tmp_path / "audit.jsonl").read_text("utf-8").splitlines()
    record = json.loads(line)
    assert (record["operator"], record["reason"], record["fields"], record["telegrams"]) == (
        "Sato", "case 17", ["expiry", "pan"], [1],
    )  # fmt: skip
    assert PAN not in line
    assert line in result.stderr


def test_of_a_capture_only_the_telegrams_asked_for_are_revealed(tmp_path: Path, capture: Path) -> None:
    result = reveal(tmp_path, capture, "--number", 4)
    assert PAN in result.stdout
    assert json.loads((tmp_path / "audit.jsonl").read_text("utf-8"))["telegrams"] == [4]
    found = json.loads(reveal(tmp_path, capture, "--number", 4, "--json").stdout)
    (talk,) = found["connections"]
    assert ["fields" in each["telegram"] for each in talk["telegrams"]] == [False, False, False, True]


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        ("--reason", "--reveal: needs --reason too"),
        ("--by", "--reveal: needs --by too"),
        ("--key", "--reveal: needs --key too"),
        ("--audit", "--reveal: needs --audit too"),
    ],
)
def test_without_reason_name_key_or_trail_nothing_is_revealed(
    tmp_path: Path, request_file: Path, left_out: str, said: str
) -> None:
    create_ring(tmp_path / "ring.json")
    given = {"--reason": "r", "--by": "Sato", "--key": tmp_path / "ring.json", "--audit": tmp_path / "audit.jsonl"}
    options = [part for name, value in given.items() if name != left_out for part in (name, value)]
    result = run(request_file, "--reveal", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert not (tmp_path / "audit.jsonl").exists()


def test_with_a_ring_that_others_can_read_nothing_is_revealed(tmp_path: Path, request_file: Path) -> None:
    create_ring(tmp_path / "ring.json")
    (tmp_path / "ring.json").chmod(stat.S_IRUSR | stat.S_IROTH)
    result = reveal(tmp_path, request_file)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "readable by others than its owner: chmod 600 it" in result.stderr


def test_where_the_trail_cannot_be_written_nothing_is_revealed(tmp_path: Path, request_file: Path) -> None:
    (tmp_path / "audit.jsonl").mkdir()
    result = reveal(tmp_path, request_file)
    assert (result.exit_code, result.stdout) == (2, "")


# --- wrong usage


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give one of the two: a file (- for standard input), or --hex TEXT"),
        (("x", "--hex", "00"), "give one of the two"),
        (("--hex", "0"), "an odd number"),
        (("--hex", ""), "--hex: 空です is empty"),
        (("--hex", "00", "--as", "base64"), "--as base64: one of auto, raw, hex, decimal, pcap"),
        (("--hex", "00", "--partner", "visa"), "--partner visa: not known: one of cafis, cardnet"),
        (("--hex", "00", "--number", "2"), "--number 2: there is no such telegram: 1 to 1"),
        (("--hex", "00", "--telegrams", "/nowhere"), "--telegrams /nowhere: holds no partner.toml"),
        (("--hex", "00", "--config", "/nowhere.toml"), "/nowhere.toml"),
        (("/nowhere/file",), "/nowhere/file: No such file or directory"),
        (("/nowhere/\x1b[2Jfile",), "/nowhere/file: No such file or directory"),
        (("--hex", "10 20 30"), "choose with --as hex or --as decimal"),
        (
            ("--hex", "00", "--reveal", "--reason", "why\x1b[D", "--by", "Sato", "--key", "k", "--audit", "a"),
            "--reason: 制御文字（矢印キーなど）4 文字目 a control sequence, as of an arrow key, at character 4",
        ),
        (("--hex", "00", "--trace", "1"), "--trace goes with a capture"),
        (("--strays", "--hex", "00"), "give no bytes and no --reveal with it"),
        (("--hex", "00", "--line", "cafis-1"), "--line goes with --strays"),
    ],
)
def test_wrong_usage_is_told_with_status_two(arguments: tuple[str, ...], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.replace("│", " ").split())
    assert result.stdout == ""


def test_damaged_files_are_told_of_by_their_place(tmp_path: Path, capture: Path) -> None:
    data = bytearray(capture.read_bytes())
    data[24 + 8 : 24 + 12] = b"\xff\xff\xff\x7f"
    (tmp_path / "damaged.pcap").write_bytes(data)
    result = run(tmp_path / "damaged.pcap")
    assert result.exit_code == 2
    assert "byte 32: packet 1 of 2147483647 bytes: the file is damaged there" in result.stderr
