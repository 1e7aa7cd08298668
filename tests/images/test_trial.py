"""How far bytes are a telegram: every fault is found at its place, the nearest layout is the one they were made by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from partners_rig import CAFIS, CARDNET, EVERY_ID, EVERY_TELEGRAM, PARTNERS, WAKABA

from images.showing import Stretch, shown
from images.trial import nearest, try_layout
from schemas.telegrams import DecodeError, PartnerSpec, Role

EVERY = [pytest.param(*each, id=name) for each, name in zip(EVERY_TELEGRAM, EVERY_ID, strict=True)]


def sample(spec: PartnerSpec, role: Role) -> bytes:
    return spec.encode(role, spec.telegrams[role].sample())


def fault_of(spec: PartnerSpec, data: bytes) -> DecodeError | None:
    try:
        spec.decode(data)
    except DecodeError as error:
        return error
    return None


def altered(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


@pytest.mark.parametrize(("spec", "role"), EVERY)
def test_a_valid_telegram_fits_its_layout_in_every_field(spec: PartnerSpec, role: Role) -> None:
    data = sample(spec, role)
    trial = try_layout(spec, spec.telegrams[role], data)
    assert (trial.troubles, trial.rest, trial.unmet, trial.whole, trial.typed) == ([], len(data), (), True, True)
    values = {each.field.name: each.value for each in trial.tried if each.field and each.value is not None}
    assert values.items() >= spec.decode(data).values.items()
    assert nearest(PARTNERS, data)[0].telegram.role is role


@pytest.mark.parametrize(("spec", "role"), EVERY)
def test_the_first_fault_is_the_one_that_the_codec_tells_of(spec: PartnerSpec, role: Role) -> None:
    data = sample(spec, role)
    told = 0
    for at in range(len(data)):
        broken = altered(data, at, b"\xfd")
        error = fault_of(spec, broken)
        if error is not None and error.role is role and error.offset is not None and error.field is not None:
            trouble = try_layout(spec, spec.telegrams[role], broken).troubles[0]
            assert (trouble.trouble, trouble.trouble_at) == (error.problem, error.offset)
            assert trouble.field is None or trouble.field.name == error.field
            told += 1
    assert told


@pytest.mark.parametrize(("spec", "role"), EVERY)
def test_with_one_field_wrong_the_telegram_would_be_valid_but_for_it(spec: PartnerSpec, role: Role) -> None:
    data = sample(spec, role)
    place = next(each for each in spec.dissect(data) if each.field is not None and each.field.name == "trace_number")
    trial = nearest(PARTNERS, altered(data, place.offset, b"\xff"))[0]
    assert (trial.partner.name, trial.telegram.role) == (spec.name, role)
    assert trial.only_trouble is not None
    assert trial.only_trouble.field is not None
    assert trial.only_trouble.field.name == "trace_number"


def place_of(spec: PartnerSpec, data: bytes, name: str) -> int:
    return next(each.offset for each in spec.dissect(data) if each.field is not None and each.field.name == name)


def test_groups_are_there_as_often_as_is_counted() -> None:
    telegram = WAKABA.telegrams[Role.SALE_REQUEST]
    data = sample(WAKABA, Role.SALE_REQUEST)  # with two of the goods
    second = place_of(WAKABA, data, "goods_code_2")
    one = try_layout(WAKABA, telegram, altered(data, place_of(WAKABA, data, "goods_count"), b"\x01"))
    assert (one.troubles, one.rest, one.size) == ([], second, len(data))
    none = try_layout(WAKABA, telegram, altered(data, place_of(WAKABA, data, "goods_count"), b"\x00")[:163])
    assert (none.troubles, none.whole) == ([], True)
    cut = try_layout(WAKABA, telegram, data[: second + 1])
    assert [(each.field and each.field.name, each.cut) for each in cut.troubles] == [("goods_code_2", True)]


def test_a_field_that_another_one_forbids_is_told_of_as_the_codec_does() -> None:
    data = sample(WAKABA, Role.SALE_REQUEST)
    once = altered(data, place_of(WAKABA, data, "payment_method"), "10".encode("cp037"))  # and yet with instalments
    error = fault_of(WAKABA, once)
    assert error is not None
    only = nearest(PARTNERS, once)[0].only_trouble
    assert only is not None
    assert only.field is not None
    assert (only.field.name, only.trouble, only.offset) == (error.field, error.problem, error.offset)
    assert only.field.name == "installments"


@pytest.mark.parametrize(("spec", "role"), EVERY)
def test_with_its_last_byte_wrong_a_telegram_is_still_nearest_to_itself(spec: PartnerSpec, role: Role) -> None:
    data = sample(spec, role)
    found = nearest(PARTNERS, altered(data, len(data) - 1, b"\xfd"))
    assert (spec.name, role) in [(each.partner.name, each.telegram.role) for each in found]
    alike = {each.telegram.role for each in found}  # those that this very byte tells apart
    assert {spec.type_code(each) for each in alike} == {spec.type_code(role)}
    assert len(alike) == 1 or spec.telegrams[role].told_apart_by == "network_code"


def test_layouts_that_look_alike_are_both_near() -> None:
    found = nearest(PARTNERS, altered(sample(CAFIS, Role.SALE_REQUEST), 0, b"7777"))
    assert [each.telegram.role for each in found] == [Role.AUTHORISATION_REQUEST, Role.SALE_REQUEST]
    only = found[0].only_trouble
    assert only is not None
    assert only.field is not None
    assert (only.field.name, only.trouble) == ("type_code", "is not the constant the layout demands")


@pytest.mark.parametrize(
    ("changed", "shift"),
    [
        (lambda data: data[:40] + b"9" + data[40:], (69, -1)),
        (lambda data: data[:60] + data[61:], (48, 1)),
        (lambda data: data[:57] + b"  " + data[57:], (70, -2)),
    ],
)
def test_bytes_that_are_missing_or_too_many_are_told_of(changed: object, shift: tuple[int, int]) -> None:
    assert callable(changed)
    (trial,) = nearest(PARTNERS, changed(sample(CAFIS, Role.SALE_REQUEST)))
    assert trial.telegram.role is Role.SALE_REQUEST
    assert trial.shift is not None
    assert (trial.shift.offset, trial.shift.missing) == shift
    assert trial.shift.fitting[-1].value == "AP02-20250401-000123"


def test_a_telegram_that_ends_early_says_which_field_it_does_not_reach() -> None:
    (trial,) = nearest(PARTNERS, sample(CAFIS, Role.SALE_REQUEST)[:44])
    assert trial.telegram.role is Role.SALE_REQUEST
    assert trial.troubles[0].trouble == "ends after 8 of its 13 bytes"
    assert trial.unmet[0].name == "terminal_id"
    assert not trial.whole


def test_a_telegram_of_bits_that_ends_early_is_not_wrong_in_one_field_alone() -> None:
    (trial,) = nearest(PARTNERS, sample(CARDNET, Role.SALE_REQUEST)[:60])
    assert (trial.telegram.role, trial.only_trouble) == (Role.SALE_REQUEST, None)
    assert trial.troubles[0].trouble == "ends after 4 of its 38 bytes"
    assert [field.name for field in trial.unmet][:2] == ["terminal_id", "merchant_name"]


def test_bytes_behind_the_last_field_are_the_rest() -> None:
    data = sample(CARDNET, Role.SALE_REPORT)
    (trial,) = nearest(PARTNERS, data + b"\x7f!")
    assert (trial.telegram.role, trial.troubles, trial.rest) == (Role.SALE_REPORT, [], len(data))
    last = shown(trial, data + b"\x7f!")[-1].row
    assert isinstance(last, Stretch)
    assert (last.offset, last.cells) == (len(data), (0x7F, 0x21))


def test_bits_that_should_not_or_should_be_set_are_told_of() -> None:
    data = sample(CARDNET, Role.SALE_REQUEST)
    trial = try_layout(CARDNET, CARDNET.telegrams[Role.SALE_REQUEST], altered(data, 7, b"\xb8"))
    assert trial.troubles[0].trouble == (
        "bit 5 is set, but this telegram has no such field; bit 2 is not set, but the field pan is required"
    )


def test_bytes_that_are_like_no_telegram_are_near_none() -> None:
    assert nearest(PARTNERS, b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n") == []
    assert nearest(PARTNERS, b"") == []


@given(data=st.binary(max_size=250), spec=st.sampled_from(PARTNERS), role=st.sampled_from(Role), at=st.integers(0, 200))
def test_the_rows_cover_every_byte_once_whatever_comes(data: bytes, spec: PartnerSpec, role: Role, at: int) -> None:
    if role not in spec.telegrams:
        return
    good = sample(spec, role)
    for each in (data, altered(good, at, data), good[:at] + data + good[at:], good[:at]):
        trial = try_layout(spec, spec.telegrams[role], each)
        end = 0
        for row in (each.row for each in shown(trial, each)):
            assert row.offset == end
            end += len(row.cells)
            assert len(row.cells) == len(row.characters)
        assert end == len(each)
