"""What encode and decode say about values and bytes that do not fit, word for word."""

import pytest

from schemas.telegrams import DecodeError, EncodeError, Role, Value, load_partner

CAFIS = load_partner("cafis")
CARDNET = load_partner("cardnet")


# --- encode ---------------------------------------------------------------------------------------------------------

BAD_VALUES: list[tuple[str, str, object, str]] = [
    # partner, field, value, what is said
    ("cafis", "terminal_id", "498012345678", "has 12 characters where 13 belong"),
    ("cafis", "terminal_id", "498012345678X", "character 13 is not allowed in type digits"),
    ("cafis", "terminal_id", 4980123456789, "must be text, not int"),
    ("cafis", "terminal_id", None, "is missing"),
    ("cafis", "pan", "411111111111", "has 12 characters where 13 to 19 belong"),
    ("cafis", "pan", "４１１１１１１１１１１１１１１１", "character 1 is not allowed in type digits"),
    ("cafis", "amount", 100_000_000, "does not fit in 8 digits"),
    ("cafis", "amount", -1, "is negative"),
    ("cafis", "amount", "12800", "must be a whole number, not str"),
    ("cafis", "amount", True, "must be a whole number, not bool"),
    ("cafis", "business_date", "250401", "is not a date YYYYMMDD"),
    ("cafis", "business_date", "20250229", "is not a date YYYYMMDD"),
    ("cafis", "business_date", "19990401", "is not a date of this century, the only one this layout can carry"),
    ("cafis", "sent_time", "240000", "is not a time HHMMSS"),
    ("cafis", "reference", "", "has 0 characters where 1 to 32 belong"),
    ("cafis", "reference", "A B", "character 2 is not allowed in type identifier"),
    ("cafis", "merchant_name", "ﾃﾝﾌﾞﾝ ", "ends in a space, which could not be told from padding"),
    ("cafis", "merchant_name", "テンブン", "character 1 is not allowed in type kana"),
    ("cardnet", "pan", "41111111111111111111", "has 20 characters where 13 to 19 belong"),
    ("cardnet", "pan", "4111-1111-1111", "is not made of digits only"),
    ("cardnet", "amount", 10**12, "does not fit in 12 digits"),
    ("cardnet", "route_number", 1000, "does not fit in 3 digits"),
    ("cardnet", "track2", "4" * 38, "has 38 characters where 1 to 37 belong"),
    ("cardnet", "expiry", None, "is missing"),
]


@pytest.mark.parametrize(("name", "field", "value", "problem"), BAD_VALUES)
def test_a_value_that_does_not_fit_is_named_but_not_told(name: str, field: str, value: Value, problem: str) -> None:
    partner = load_partner(name)
    values = partner.telegrams[Role.SALE_REQUEST].sample() | {field: value}
    with pytest.raises(EncodeError) as refused:
        partner.encode(Role.SALE_REQUEST, values)
    assert str(refused.value) == f"{name} telegram sale_request, field {field}: {problem}"
    assert (refused.value.role, refused.value.field, refused.value.offset) == (Role.SALE_REQUEST, field, None)


@pytest.mark.parametrize(
    ("field", "shown"), [("approval_code", "approval_code"), ("4111111111111111", "(a name unknown here)")]
)
def test_a_value_the_telegram_has_no_field_for_is_refused(field: str, shown: str) -> None:
    values = CAFIS.telegrams[Role.SALE_REQUEST].sample() | {field: "x"}
    with pytest.raises(EncodeError) as refused:
        CAFIS.encode(Role.SALE_REQUEST, values)
    said = f"cafis telegram sale_request, field {shown}: the telegram takes no value of this name; leave it out"
    assert str(refused.value) == said


# --- decode, fixed layout -------------------------------------------------------------------------------------------

REPORT = CAFIS.encode(Role.SALE_REPORT, CAFIS.telegrams[Role.SALE_REPORT].sample())


def spoilt(sound: bytes, at: int, with_: bytes) -> bytes:
    return sound[:at] + with_ + sound[at + len(with_) :]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "cafis telegram at byte 0: ends after 0 bytes, before the type code is complete"),
        (b"112", "cafis telegram at byte 3: ends after 3 bytes, before the type code is complete"),
        (b"9999", "cafis telegram, field type_code at byte 0: is not one of the partner's type codes"),
        (REPORT[:-1], "cafis telegram sale_report: is 101 bytes long where the layout has 102"),
        (REPORT[:5], "cafis telegram sale_report: is 5 bytes long where the layout has 102"),
        (REPORT + b" ", "cafis telegram sale_report: is 103 bytes long where the layout has 102"),
        (
            spoilt(REPORT, 10, b"251332"),
            "cafis telegram sale_report, field business_date at byte 10: is not a date",
        ),
        (spoilt(REPORT, 16, b"250000"), "cafis telegram sale_report, field sent_time at byte 16: is not a time"),
        (
            spoilt(REPORT, 22, b"12 456"),
            "cafis telegram sale_report, field trace_number at byte 22: is not made of digits only",
        ),
        (
            spoilt(REPORT, 31, b"x"),
            "cafis telegram sale_report, field header_reserve at byte 31: is not the constant the layout demands",
        ),
        (
            spoilt(REPORT, 40, b"A"),
            "cafis telegram sale_report, field terminal_id at byte 40: holds a byte not allowed in type digits",
        ),
        (
            spoilt(REPORT, 57, b"   "),
            "cafis telegram sale_report, field result_code at byte 57: holds a byte not allowed in type alphanumeric",
        ),
        (
            spoilt(REPORT, 60, b"   0012"),
            "cafis telegram sale_report, field approval_code at byte 60: holds a byte not allowed in type alphanumeric",
        ),
    ],
)
def test_bytes_that_are_no_cafis_telegram(data: bytes, said: str) -> None:
    with pytest.raises(DecodeError) as refused:
        CAFIS.decode(data)
    assert str(refused.value) == said


def test_blanks_stand_for_absent_values_only_where_a_field_is_optional() -> None:
    assert "approval_code" not in CAFIS.decode(spoilt(REPORT, 60, b" " * 7)).values
    request = CAFIS.encode(Role.SALE_REQUEST, CAFIS.telegrams[Role.SALE_REQUEST].sample())
    assert "tax_other" not in CAFIS.decode(spoilt(request, 121, b" " * 7)).values
    assert CAFIS.decode(spoilt(request, 121, b"0" * 7)).values["tax_other"] == 0
    with pytest.raises(DecodeError, match="field pan at byte 49: is blank"):
        CAFIS.decode(spoilt(request, 49, b" " * 19))


# --- decode, bitmap layout ------------------------------------------------------------------------------------------

SALE = CARDNET.encode(Role.SALE_REQUEST, CARDNET.telegrams[Role.SALE_REQUEST].sample(optional=False))
CONFIRM = CARDNET.encode(Role.FAULT_CONFIRM, CARDNET.telegrams[Role.FAULT_CONFIRM].sample())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "cardnet telegram at byte 0: ends after 0 bytes, before the type code is complete"),
        (SALE[:6], "cardnet telegram at byte 6: ends after 6 bytes, before the type code is complete"),
        (
            spoilt(SALE, 5, b"\x99"),
            "cardnet telegram, field type_code at byte 5: is not one of the partner's type codes",
        ),
        (SALE[:12], "cardnet telegram at byte 7: ends inside the bitmap, after 5 of 8 bytes"),
        (SALE[:15], "cardnet telegram, field pan at byte 15: ends after 0 of the 1 bytes of its length"),
        (SALE[:20], "cardnet telegram, field pan at byte 15: ends after 5 of its 9 bytes"),
        (SALE[:-1], "cardnet telegram sale_request, field route_number at byte 62: ends after 1 of its 2 bytes"),
        (SALE + b"\0", "cardnet telegram sale_request at byte 64: goes on for 1 bytes after its last field"),
        (
            spoilt(SALE, 15, b"\x20"),
            "cardnet telegram, field pan at byte 15: does not begin with a length the layout allows",
        ),
        (
            spoilt(SALE, 15, b"\x15"),
            "cardnet telegram sale_request, field pan at byte 16: does not have the length it announces",
        ),
        (
            spoilt(SALE, 24, b"\x99"),
            "cardnet telegram, field processing_code at byte 24: no telegram of this type code has this constant",
        ),
        (
            spoilt(SALE, 7, b"\x50"),  # bit 3 away
            "cardnet telegram, field processing_code at byte 7: is not there, but it says which telegram this is",
        ),
        (
            spoilt(
                SALE, 7, b"\x60"
            ),  # bit 4 away, so what follows is read in the wrong place; the bitmap is said first
            "cardnet telegram sale_request, field amount at byte 7: bit 4 is not set, but the field is required",
        ),
        (
            spoilt(SALE, 8, b"\xbc"),  # bit 9
            "cardnet telegram sale_request at byte 8: bit 9 is set, but this telegram has no such field",
        ),
        (
            spoilt(CONFIRM, 5, b"\x04\x22"),
            "cardnet telegram, field type_code at byte 5: is not one of the partner's type codes",
        ),
        (
            spoilt(CONFIRM, 29, b"\xaa"),
            "cardnet telegram fault_confirm, field trace_number at byte 29: is not made of digits only",
        ),
        (
            spoilt(CONFIRM, 0, b"\x61"),
            "cardnet telegram fault_confirm, field tpdu at byte 0: is not the constant the layout demands",
        ),
    ],
)
def test_bytes_that_are_no_cardnet_telegram(data: bytes, said: str) -> None:
    with pytest.raises(DecodeError) as refused:
        CARDNET.decode(data)
    assert str(refused.value) == said


def test_a_second_bitmap_without_bits_is_taken() -> None:
    bitmap = bytes([SALE[7] | 0x80]) + SALE[8:15] + bytes(8)
    assert CARDNET.decode(SALE[:7] + bitmap + SALE[15:]) == CARDNET.decode(SALE)


def test_an_odd_number_of_digits_keeps_its_length() -> None:
    values = CARDNET.telegrams[Role.SALE_REQUEST].sample() | {"pan": "378282246310005"}
    data = CARDNET.encode(Role.SALE_REQUEST, values)
    assert bytes.fromhex("15378282246310005f") in data
    assert CARDNET.decode(data).values == values
