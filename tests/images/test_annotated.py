"""The rows of a telegram cover its bytes once, say what the codec says, and hold nothing that people may not see."""

import msgspec
import pytest
from partners_rig import CAFIS, CARDNET, WAKABA

from images.annotated import AnnotatedTelegram, Meaning, annotate, unframed
from images.dump import cells_of, dump, dump_text
from images.tables import ENCODINGS, lines_of
from images.tables import TYPES as TYPE_NAMES
from schemas.telegrams import DecodeError, FramingError, PartnerSpec, Role, Sensitivity, load_partner, packaged
from schemas.telegrams.fields import TYPES, Encoding

PARTNERS = [load_partner(name) for name in packaged()]
EVERY = [pytest.param(spec, role, id=f"{spec.name}-{role}") for spec in PARTNERS for role in spec.telegrams]
PAN = "4111111111111111"


def sample_bytes(spec: PartnerSpec, role: Role, **changed: str | int) -> bytes:
    return spec.encode(role, {**spec.telegrams[role].sample(), **changed})


def all_text(telegram: AnnotatedTelegram) -> str:
    return f"{msgspec.json.encode(telegram.rows, enc_hook=str)!r} {telegram!r} {dump_text(telegram)}"


@pytest.mark.parametrize(("spec", "role"), EVERY)
@pytest.mark.parametrize("optional", [True, False], ids=["full", "least"])
def test_the_rows_cover_every_byte_once_and_in_order(spec: PartnerSpec, role: Role, optional: bool) -> None:
    data = spec.encode(role, spec.telegrams[role].sample(optional=optional))
    telegram = annotate(spec, data, reveal=True)
    at = 0
    for number, row in enumerate(telegram.rows, 1):
        assert (row.number, row.offset) == (number, at)
        assert bytes(cell for cell in row.cells if cell is not None) == data[at : at + row.size]
        assert len(row.characters) == row.size > 0
        at += row.size
    assert at == len(data) == telegram.size
    assert not telegram.hidden


@pytest.mark.parametrize(("spec", "role"), EVERY)
def test_a_value_is_the_codecs_and_an_absent_one_is_none(spec: PartnerSpec, role: Role) -> None:
    for optional in (True, False):
        values = spec.telegrams[role].sample(optional=optional)
        telegram = annotate(spec, spec.encode(role, values), reveal=True)
        for row in telegram.rows:
            if row.field is not None and row.field.const is None:
                assert row.value == values.get(row.name, row.field.default)


@pytest.mark.parametrize(("spec", "role"), EVERY)
def test_what_is_secret_is_in_no_row_unless_it_is_to_be_revealed(spec: PartnerSpec, role: Role) -> None:
    data = sample_bytes(spec, role)
    masked = annotate(spec, data)
    for row in masked.rows:
        if row.field is None or row.field.sensitivity is Sensitivity.NONE:
            assert not row.hidden
        elif row.field.sensitivity is Sensitivity.SECRET:
            assert set(row.cells[row.field.length_size :]) == {None}
            assert row.value == "***"
        else:
            assert row.value == "411111******1111"
    secrets = [
        str(field.sample)
        for field in spec.telegrams[role].fields
        if field.sensitivity is not Sensitivity.NONE and len(str(field.sample)) > 4
    ]
    if secrets:
        bare = msgspec.structs.replace(masked, telegram=CAFIS.telegrams[Role.OPENING_REQUEST])  # specs hold samples
        assert not any(secret in dump_text(masked) for secret in secrets)
        assert not any(secret in f"{row.value} {row.text} {row.hex}" for row in bare.rows for secret in secrets)


@pytest.mark.parametrize(
    ("spec", "pan", "shown"),
    [
        (CAFIS, PAN, "34 31 31 31 31 31 •• •• •• •• •• •• 31 31 31 31 20 20 20"),
        (CAFIS, "378282246310005", "33 37 38 32 38 32 •• •• •• •• •• 30 30 30 35 20 20 20 20"),
        (CARDNET, PAN, "16 41 11 11 •• •• •• 11 11"),
        # an odd number of digits ends in a half byte F: a byte is shown where both of its digits may be
        (CARDNET, "378282246310005", "15 37 82 82 •• •• •• 00 5F"),
        (CARDNET, "3782822463100", "13 37 82 82 •• •• 10 0F"),
    ],
)
def test_of_a_card_number_six_digits_in_front_and_four_behind_are_shown(
    spec: PartnerSpec, pan: str, shown: str
) -> None:
    assert annotate(spec, sample_bytes(spec, Role.SALE_REQUEST, pan=pan)).row("pan").hex == shown


def test_codes_have_their_meanings() -> None:
    telegram = annotate(CAFIS, sample_bytes(CAFIS, Role.FAULT_CONFIRM_REPORT, result_code="X01", error_code="C13"))
    assert telegram.row("type_code").meaning == Meaning("取消確認報告", "Cancel-confirm report")
    assert telegram.row("original_type_code").meaning == Meaning("売上要求", "Sale request")
    assert telegram.row("error_code").meaning == Meaning("被仕向センタ障害中", "destination centre in failure")
    assert telegram.row("amount").meaning is None
    assert telegram.row("result_code").meaning is not None


def test_a_telegram_that_shares_its_type_code_is_named_as_what_it_is() -> None:
    meaning = annotate(CARDNET, sample_bytes(CARDNET, Role.REFUND_REQUEST)).row("type_code").meaning
    assert meaning == Meaning("返品要求", "Refund request")


def test_characters_are_those_of_the_fields_encoding() -> None:
    telegram = annotate(CARDNET, sample_bytes(CARDNET, Role.SALE_REQUEST))
    assert telegram.row("terminal_id").text == "4980123456789"  # EBCDIC
    assert telegram.row("merchant_name").text == "·ﾃﾝﾌﾞﾝ ｼｮｳﾃﾝ"  # a length in BCD, then JIS X 0201
    assert telegram.row("bitmap").value == "2 3 4 11 12 13 14 32 35 41 43 53 54 60 61 62 63 102"


@pytest.mark.parametrize(("spec", "role"), EVERY)
def test_the_dump_has_every_byte_at_its_place_and_each_knows_its_field(spec: PartnerSpec, role: Role) -> None:
    data = sample_bytes(spec, role)
    telegram = annotate(spec, data, reveal=True)
    assert [cell.offset for cell in cells_of(telegram)] == list(range(len(data)))
    for row in dump(telegram):
        assert row.offset % 16 == 0
        for cell in row.cells:
            owner = telegram.rows[cell.row - 1]
            assert owner.offset <= cell.offset < owner.offset + owner.size
            assert cell.byte == data[cell.offset]


def test_a_dump_as_text_has_framing_ruler_offsets_bytes_and_characters() -> None:
    data = sample_bytes(CAFIS, Role.KEEPALIVE_REQUEST)
    lines = dump_text(annotate(CAFIS, data, framing=b"0044")).splitlines()
    assert lines[0] == "framing    30 30 34 34"
    assert lines[1] == "offset     0  1  2  3  4  5  6  7  8  9  A  B  C  D  E  F"
    assert lines[2].startswith("0000 0000  39 30 31 30 32 39")
    assert lines[2].endswith("  9010290001250401")
    assert lines[3].startswith("0016 0010  ")


def test_bytes_as_they_lie_on_the_line_come_apart() -> None:
    data = sample_bytes(CARDNET, Role.SALE_REQUEST)
    assert unframed(CARDNET, CARDNET.framing.wrap(data)) == (b"\x00\x9d", data)
    with pytest.raises(FramingError, match="2 telegrams"):
        unframed(CARDNET, CARDNET.framing.wrap(data) * 2)
    with pytest.raises(FramingError, match="inside a telegram"):
        unframed(CARDNET, CARDNET.framing.wrap(data)[:-1])


def test_bytes_that_are_no_telegram_are_refused_without_a_byte_of_them() -> None:
    data = bytearray(sample_bytes(CAFIS, Role.SALE_REQUEST))
    data[50] = 0xFF
    with pytest.raises(DecodeError) as caught:
        annotate(CAFIS, bytes(data))
    assert "pan" in str(caught.value)
    assert "1111" not in str(caught.value)


def test_kanji_groups_and_conditions_are_shown_as_they_are_there() -> None:
    spec = WAKABA
    values = spec.telegrams[Role.SALE_REQUEST].sample()
    data = spec.encode(Role.SALE_REQUEST, values)
    telegram = annotate(spec, data, reveal=True)
    assert b"".join(bytes(cell for cell in row.cells if cell is not None) for row in telegram.rows) == data
    assert telegram.row("holder_name").text.strip("　") == "若葉　花子"
    assert telegram.row("merchant_name").text.strip() == "ﾃﾝﾌﾞﾝ ｼｮｳﾃﾝ"  # EBCDIC with katakana
    assert telegram.row("goods_name_1").value == values["goods_name_1"]
    lines = {line.name: line for line in lines_of(spec, telegram)}
    assert lines["installments"].required == "△"
    assert "［支払区分が 61 のとき］" in lines["installments"].allowed
    assert lines["goods_code_1"].offset == f"({telegram.row('goods_code_1').offset})"


def test_every_type_and_encoding_has_a_japanese_name() -> None:
    assert TYPE_NAMES.keys() == TYPES.keys()
    assert ENCODINGS.keys() == set(Encoding)
