"""WAKABA's telegrams, word for word: fields that depend on others, groups, kanji, EBCDIC with katakana."""

import pytest
from wakaba_rig import load_wakaba

from schemas.telegrams import DecodeError, EncodeError, Role, Value, load_partner
from schemas.telegrams.ebcdic_kana import BYTE_OF

WAKABA = load_wakaba()
SALE = Role.SALE_REQUEST
SAMPLE = WAKABA.telegrams[SALE].sample()
PLAIN = WAKABA.telegrams[SALE].sample(optional=False) | {"payment_method": "10", "goods_count": 0}


def without(values: dict[str, Value], *names: str) -> dict[str, Value]:
    return {name: value for name, value in values.items() if name not in names}


def encoded(role: Role, values: dict[str, Value]) -> bytes:
    data = WAKABA.encode(role, values)
    assert WAKABA.decode(data).values == values
    return data


# --- bytes ----------------------------------------------------------------------------------------------------------


def test_the_bytes_of_what_only_wakaba_has() -> None:
    data = encoded(SALE, SAMPLE | {"branch": "B12", "holder_name": "若葉　花子", "merchant_name": "ﾜｶﾊﾞ (ｶ)"})
    assert data[86:110] == "若葉　花子".encode("shift_jis") + 7 * b"\x81\x40"
    assert data[110:116] == b"\x40\x40\x40\xc2\xf1\xf2"
    assert data[116:125].hex(" ") == "bc 86 9d be 40 4d 86 5d 40"
    goods = "緑茶".encode("shift_jis")
    assert data[162:] == b"\x02" + 2 * (b"\xc1\xf0\xf0\xf1" + b"\x02" + goods + b"\x00\x01\x50")


def test_a_group_that_is_absent_takes_no_bytes() -> None:
    assert len(encoded(SALE, PLAIN)) == 163
    revolving = encoded(SALE, PLAIN | {"payment_method": "80", "revolving_course": "ﾕｯｸﾘ ¥1"})
    assert revolving[163:].hex(" ") == "52 aa 56 88 ae 40 5b f1 40"
    assert len(revolving) == 163 + 1 + 8
    assert len(encoded(SALE, PLAIN | {"payment_method": "80"})) == 163 + 1 + 8


def test_the_parts_of_a_telegram_are_those_of_the_groups_that_are_there() -> None:
    names = [part.field.name for part in WAKABA.dissect(encoded(SALE, SAMPLE)) if part.field is not None]
    assert [name for name in names if name.startswith(("goods", "revolving"))] == [
        "goods_count", "goods_code_1", "goods_name_1", "goods_price_1", "goods_code_2", "goods_name_2", "goods_price_2",
    ]  # fmt: skip


def test_ebcdic_with_katakana_is_the_code_page() -> None:
    # From IBM's chart of code page 290: the first and last of each run.
    chart = {"｡": 0x41, "ｩ": 0x49, "ｪ": 0x51, "ｯ": 0x56, "ｰ": 0x58, "ｱ": 0x81, "ｺ": 0x8A, "ｻ": 0x8C, "ｿ": 0x90}
    chart |= {
        "ﾀ": 0x91,
        "ﾉ": 0x9A,
        "ﾊ": 0x9D,
        "ﾍ": 0xA2,
        "ﾕ": 0xAA,
        "ﾖ": 0xAC,
        "ﾚ": 0xBA,
        "ﾝ": 0xBD,
        "ﾞ": 0xBE,
        "ﾟ": 0xBF,
    }
    chart |= {
        " ": 0x40,
        "¥": 0x5B,
        "A": 0xC1,
        "J": 0xD1,
        "S": 0xE2,
        "Z": 0xE9,
        "0": 0xF0,
        "9": 0xF9,
        "a": 0x62,
        "z": 0xB9,
    }
    assert {character: BYTE_OF[character] for character in chart} == chart
    assert len(set(BYTE_OF.values())) == len(BYTE_OF)
    assert {chr(code) for code in range(0x20, 0x7F)} | {chr(code) for code in range(0xFF61, 0xFFA0)} <= set(BYTE_OF)


# --- refused, both ways -----------------------------------------------------------------------------------------------

BAD: list[tuple[Role, dict[str, Value], tuple[str, ...], str, str]] = [
    # telegram, values changed, values taken away, field, what is said
    (SALE, {"payment_method": "10"}, (), "installments", "is there, and payment_method says that it is not"),
    (SALE, {"bonus_month": "07"}, (), "bonus_month", "is there, and payment_method says that it is not"),
    (
        Role.AUTHORISATION_REPORT, {}, ("approval_code",), "approval_code",
        "is missing, and result_code says that it is there",
    ),
    (
        Role.AUTHORISATION_REPORT, {"result_code": "D01"}, (), "approval_code",
        "is there, and result_code says that it is not",
    ),
    (SALE, {"goods_count": 3}, (), "goods_code_3", "is missing, and goods_count says that it is there"),
    (SALE, {"goods_count": 1}, (), "goods_code_2", "is there, and goods_count says that it is not"),
    (SALE, {}, ("goods_count",), "goods_code_1", "is there, and goods_count says that it is not"),
    (SALE, {"goods_count": 4}, (), "goods_count", "counts more than the 3 that the layout has room for"),
    (SALE, {"goods_name_2": "茶" * 11}, (), "goods_name_2", "has 11 characters where 1 to 10 belong"),
    (
        SALE, {"goods_price_1": 0}, (), "goods_price_1",
        "is what stands for an absent value in this layout; leave it out",
    ),
    (SALE, {"holder_name": "ﾜｶﾊﾞ"}, (), "holder_name", "has a character of one byte, where each takes two"),
    (SALE, {"holder_name": "髙橋"}, (), "holder_name", "character 1 is not allowed in type kanji"),
    (SALE, {"holder_name": "若葉　"}, (), "holder_name", "ends in a space, which could not be told from padding"),
    (SALE, {"holder_name": "若" * 13}, (), "holder_name", "has 13 characters where 1 to 12 belong"),
    (SALE, {"branch": " B1"}, (), "branch", "character 1 is not allowed in type alphanumeric"),
    (SALE, {"branch": "B123456"}, (), "branch", "has 7 characters where 1 to 6 belong"),
    (SALE, {"merchant_name": "ﾜｶﾊﾞ\\"}, (), "merchant_name", "character 5 is not allowed in type kana"),
]  # fmt: skip


@pytest.mark.parametrize(("role", "change", "absent", "field", "problem"), BAD)
def test_values_that_contradict_one_another_or_do_not_fit(
    role: Role, change: dict[str, Value], absent: tuple[str, ...], field: str, problem: str
) -> None:
    values = without(WAKABA.telegrams[role].sample() | change, *absent)
    with pytest.raises(EncodeError) as refused:
        WAKABA.encode(role, values)
    assert str(refused.value) == f"wakaba telegram {role.value}, field {field}: {problem}"


def spoilt(at: int, with_: bytes, role: Role = SALE, values: dict[str, Value] = SAMPLE) -> bytes:
    sound = WAKABA.encode(role, values)
    return sound[:at] + with_ + sound[at + len(with_) :]


REPORT = WAKABA.telegrams[Role.AUTHORISATION_REPORT].sample()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (spoilt(80, b"\xf1\xf0"), "sale_request, field installments at byte 82: is there, and payment_method says tha"),
        (spoilt(84, b"\xf0\xf7"), "sale_request, field bonus_month at byte 84: is there, and payment_method says that"),
        (spoilt(84, b"\xf0\xf8"), "sale_request, field bonus_month at byte 84: is not one of the values the layout li"),
        (
            spoilt(57, b"\xc4\xf0\xf1", Role.AUTHORISATION_REPORT, REPORT),
            "report, field approval_code at byte 60: is the",
        ),
        (
            spoilt(60, 7 * b"\x40", Role.AUTHORISATION_REPORT, REPORT),
            "report, field approval_code at byte 60: is missing",
        ),
        (spoilt(162, b"\x03"), "sale_request, field goods_code_3 at byte 187: ends after 0 of its 4 bytes"),
        (spoilt(162, b"\x01"), "sale_request at byte 175: goes on for 12 bytes after its last field"),
        (
            spoilt(162, b"\x04"),
            "sale_request, field goods_count at byte 162: counts more than the 3 that the layout has",
        ),
        (
            spoilt(167, b"\x11"),
            "sale_request, field goods_name_1 at byte 167: does not begin with a length the layout al",
        ),
        (
            spoilt(168, b"\xb1\xb1"),
            "sale_request, field goods_name_1 at byte 167: has a character of one byte, where each",
        ),
        (spoilt(172, b"\x1a"), "sale_request, field goods_price_1 at byte 172: is not made of digits only"),
        (spoilt(86, b"\xee\xe0"), "sale_request, field holder_name at byte 86: holds a byte not allowed in type kanji"),
        (spoilt(86, 12 * b"\x81\x40")[:120], "sale_request: is 120 bytes long where the layout has 163 and more"),
        (spoilt(114, b"\x40"), "sale_request, field branch at byte 114: holds a byte not allowed in type alphanumeric"),
    ],
)
def test_bytes_that_contradict_one_another_or_are_none(data: bytes, said: str) -> None:
    with pytest.raises(DecodeError) as refused:
        WAKABA.decode(data)
    assert said in str(refused.value)


# --- the packaged ones ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cafis", "cardnet"])
def test_instalments_are_told_with_payment_in_instalments_alone(name: str) -> None:
    partner = load_partner(name)
    values = partner.telegrams[SALE].sample()
    assert values["payment_method"] == "61"
    assert partner.decode(partner.encode(SALE, values)).values["installments"] == 3
    assert "installments" not in partner.decode(partner.encode(SALE, without(values, "installments"))).values
    with pytest.raises(EncodeError, match="field installments: is there, and payment_method says that it is not"):
        partner.encode(SALE, values | {"payment_method": "10"})
    data = partner.encode(SALE, values)
    at = next(part.offset for part in partner.dissect(data) if part.field and part.field.name == "payment_method")
    ten = b"10" if name == "cafis" else b"\x10"
    with pytest.raises(DecodeError) as refused:
        partner.decode(data[:at] + ten + data[at + len(ten) :])
    offset = at + len(ten)
    said = f"field installments at byte {offset}: is there, and payment_method says that it is not"
    assert said in str(refused.value)


def test_a_sample_has_what_its_other_fields_say_is_there() -> None:
    assert "installments" in SAMPLE
    assert "bonus_month" not in SAMPLE
    assert [name for name in SAMPLE if name.startswith("goods_code")] == ["goods_code_1", "goods_code_2"]
    assert "approval_code" in WAKABA.telegrams[Role.AUTHORISATION_REPORT].sample(optional=False)
