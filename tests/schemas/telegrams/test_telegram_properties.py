"""What holds for every telegram of every partner, whatever the values and whatever the bytes."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from telegram_strategies import IDS, PACKAGED, PARTNER_AND_ROLE, PARTNERS, values_for

from schemas.telegrams import (
    ENVELOPES,
    DecodeError,
    EncodeError,
    Message,
    PartnerSpec,
    Role,
    Sensitivity,
    TelegramError,
    Value,
)

every_telegram = pytest.mark.parametrize(("partner", "role"), PARTNER_AND_ROLE, ids=IDS)
every_packaged_partner = pytest.mark.parametrize("partner", PACKAGED.values(), ids=PACKAGED)
every_partner = pytest.mark.parametrize("partner", PARTNERS.values(), ids=PARTNERS)
# What looks like a digit, a letter or a blank and is none, or is one elsewhere.
ODD_TEXTS = [
    "",
    " ",
    "0",
    "00",
    "²",
    "²²²²²²",
    "１",
    "٣" * 6,
    "+1",
    "1_0",
    "-1",
    "\\",
    "¥",
    "é",
    "\0",
    "0" * 13,
    " " * 8,
]
ODD_BYTES = [text.encode("utf-8") for text in ODD_TEXTS] + [
    b"\xb2",
    b"\x0f",
    b"\xf0\x40",
    b"+0",
    b"\x5c",
    b"\xa5",
    b"\xa0",
]


class Oddity(str):
    """A text that shows itself as another."""

    __slots__ = ()

    def __format__(self, _: str) -> str:
        return "odd"

    def __str__(self) -> str:
        return "odd"


ODDITIES: list[object] = [None, True, 1.0, b"123456", b"1", Oddity("1"), Oddity("123456"), Oddity("20250401")]
ODD_VALUES: st.SearchStrategy[Value] = (
    st.sampled_from(ODD_TEXTS)  # type: ignore[assignment]
    | st.text(max_size=40)
    | st.text("0123456789", max_size=40)
    | st.integers()
    | st.integers(0, 9)
    | st.sampled_from(ODDITIES)
)
CARDS = ["4111111111111111", "378282246310005", "6011000990139424", "3530111333300000", "4222222222222", "9" * 19]


@every_telegram
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_decode_gives_back_exactly_what_was_encoded(partner: PartnerSpec, role: Role, data: st.DataObject) -> None:
    values = data.draw(values_for(partner, role))
    encoded = partner.encode(role, values)
    message = partner.decode(encoded)
    assert message == Message(role, values)
    assert {name: type(value) for name, value in message.values.items()} == {
        name: type(value) for name, value in values.items()
    }
    assert len(encoded) <= partner.telegrams[role].size
    assert b"".join(part.raw for part in partner.dissect(encoded)) == encoded


@every_telegram
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_damaged_telegram_raises_decode_error_or_is_another_valid_one(
    partner: PartnerSpec, role: Role, data: st.DataObject
) -> None:
    sound = partner.encode(role, data.draw(values_for(partner, role)))
    at = data.draw(st.integers(0, len(sound)))
    cut = data.draw(st.integers(0, 3))
    damaged = sound[:at] + data.draw(st.binary(max_size=3)) + sound[at + cut :]
    try:
        message = partner.decode(damaged)
    except DecodeError as error:
        refused: TelegramError | None = error
    else:
        refused = None
    if refused is not None:
        assert refused.partner == partner.name
        assert refused.offset is None or 0 <= refused.offset <= len(damaged)
    else:
        assert partner.decode(partner.encode(message.role, message.values)) == message


@every_partner
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_bytes_raise_decode_error_and_nothing_else(partner: PartnerSpec, data: st.DataObject) -> None:
    role = data.draw(st.sampled_from(list(partner.telegrams)))
    front = partner.encode(role, partner.telegrams[role].sample(optional=False))[: partner.type_code_at.stop]
    for junk in (data.draw(st.binary(max_size=300)), front + data.draw(st.binary(max_size=300))):
        try:
            message = partner.decode(junk)
        except DecodeError:
            continue
        assert partner.decode(partner.encode(message.role, message.values)) == message


@every_partner
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_values_raise_encode_error_and_nothing_else(partner: PartnerSpec, data: st.DataObject) -> None:
    role = data.draw(st.sampled_from(list(partner.telegrams)))
    values = partner.telegrams[role].sample(optional=False)
    name = data.draw(st.sampled_from(sorted(partner.telegrams[role].names)))
    values[name] = data.draw(st.text() | st.integers() | st.none() | st.floats() | st.booleans() | st.binary())  # type: ignore[assignment]
    try:
        message = partner.decode(partner.encode(role, values))
    except EncodeError as error:
        refused: TelegramError | None = error
    else:
        refused = None
    fields = partner.telegrams[role].fields
    if refused is not None:
        depending = {field.name for field in fields if field.when is not None and field.when.field == name}
        assert refused.field in {name, *depending}
        assert refused.role == role
    else:
        defaults = {field.name: field.default for field in fields if field.default is not None}
        assert message.values == defaults | {key: value for key, value in values.items() if value is not None}


# --- the quick functions and the strict codec ------------------------------------------------------------------------


@every_telegram
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_telegram_that_is_as_it_should_be_goes_the_quick_way(
    partner: PartnerSpec, role: Role, data: st.DataObject
) -> None:
    telegram, values = partner.telegrams[role], data.draw(values_for(partner, role))
    encoded = telegram.plan.encode(values)
    assert telegram.write(values) == (None if telegram.groups else encoded)
    assert telegram.read(encoded) == (None if telegram.groups else values)


@every_telegram
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_the_quick_way_takes_no_bytes_that_the_strict_codec_refuses(
    partner: PartnerSpec, role: Role, data: st.DataObject
) -> None:
    telegram = partner.telegrams[role]
    sound = telegram.plan.encode(data.draw(values_for(partner, role)))
    at = data.draw(st.integers(0, len(sound)))
    cut = data.draw(st.integers(0, 3))
    damaged = sound[:at] + data.draw(st.binary(max_size=3) | st.sampled_from(ODD_BYTES)) + sound[at + cut :]
    values = telegram.read(damaged)
    if values is not None:
        assert telegram.plan.decode(damaged) == values


@every_telegram
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_the_quick_way_takes_no_values_that_the_strict_codec_refuses(
    partner: PartnerSpec, role: Role, data: st.DataObject
) -> None:
    telegram, values = partner.telegrams[role], data.draw(values_for(partner, role))
    name = data.draw(st.sampled_from(sorted(telegram.names)))
    values[name] = data.draw(ODD_VALUES)
    if data.draw(st.booleans()):
        values.pop(data.draw(st.sampled_from(sorted(values))))
    encoded = telegram.write(values)
    if encoded is not None:
        assert telegram.plan.encode(values) == encoded


@every_telegram
def test_no_oddity_in_any_field_goes_the_quick_way_but_as_the_strict_codec_writes_it(
    partner: PartnerSpec, role: Role
) -> None:
    telegram, sample = partner.telegrams[role], partner.telegrams[role].sample()
    taken = 0
    for name in telegram.names:
        for odd in (*ODD_TEXTS, *ODDITIES, 0, 1, -1, 10**12):
            values: dict[str, Value] = {**sample, name: odd}  # type: ignore[dict-item]
            encoded = telegram.write(values)
            if encoded is not None:
                assert telegram.plan.encode(values) == encoded
                taken += 1
    assert taken or telegram.groups, "0 at least is a number"


@every_partner
@pytest.mark.parametrize("role", [Role.SALE_REQUEST, Role.CANCEL_REPORT, Role.FAULT_CONFIRM_REPORT])
def test_no_byte_in_any_place_goes_the_quick_way_but_as_the_strict_codec_reads_it(
    partner: PartnerSpec, role: Role
) -> None:
    telegram = partner.telegrams[role]
    sound = telegram.plan.encode(telegram.sample())
    for at in range(len(sound)):
        for byte in range(256):
            damaged = sound[:at] + bytes([byte]) + sound[at + 1 :]
            values = telegram.read(damaged)
            if values is not None:
                assert telegram.plan.decode(damaged) == values
        assert telegram.read(sound[:at]) is None
    assert telegram.read(sound + b"\0") is None


@every_telegram
def test_the_quick_way_takes_no_value_that_the_telegram_has_no_field_for(partner: PartnerSpec, role: Role) -> None:
    telegram = partner.telegrams[role]
    values = telegram.sample(optional=False)
    assert (telegram.write(values) is None) == bool(telegram.groups)
    assert telegram.write(values | {"unheard_of": "1"}) is None
    assert telegram.write({**values, "unheard_of": None}) is None  # type: ignore[dict-item]


# --- card data ------------------------------------------------------------------------------------------------------


def with_card_data(partner: PartnerSpec, role: Role, pan: str) -> dict[str, Value]:
    """A telegram whose secret values can be told from all its others."""
    values = partner.telegrams[role].sample() | {"reference": "R", "merchant_name": "M", "product_code": "5555"}
    return values | {
        "pan": pan,
        "expiry": "3107",
        "track2": f"{pan}=31072010000000000000"[:37],
        "security_code": "7913",
    }


def assert_hidden(text: str, pan: str) -> None:
    assert pan not in text
    assert re.search(r"\d{14}", text) is None  # a terminal id has 13 digits
    for secret in ("3107", "7913", "2010000"):
        assert secret not in text


@pytest.mark.parametrize("role", [Role.AUTHORISATION_REQUEST, Role.SALE_REQUEST])
@pytest.mark.parametrize("pan", CARDS)
@every_packaged_partner
def test_no_text_about_a_telegram_shows_card_data(partner: PartnerSpec, pan: str, role: Role) -> None:
    values = with_card_data(partner, role, pan)
    message = partner.decode(partner.encode(role, values))
    for text in (repr(message), str(message), f"{message}", partner.describe(message), str(partner.masked(values))):
        assert_hidden(text, pan)
        assert f"{pan[:6]}{'*' * (len(pan) - 10)}{pan[-4:]}" in text


@pytest.mark.parametrize("pan", CARDS)
@every_packaged_partner
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_error_text_shows_card_data(partner: PartnerSpec, pan: str, data: st.DataObject) -> None:
    values = with_card_data(partner, Role.SALE_REQUEST, pan)
    sound = partner.encode(Role.SALE_REQUEST, values)
    at = data.draw(st.integers(0, len(sound) - 1))
    with pytest.raises(DecodeError) as refused:
        partner.decode(sound[:at])
    assert_hidden(f"{refused.value} {refused.value!r} {refused.value.__cause__}", pan)
    name = data.draw(st.sampled_from(["pan", "expiry", "track2", "security_code"]))
    spoilt = values | {name: f"{values[name]}{data.draw(st.sampled_from(['x', ' ', 'カ', '0' * 40]))}"}
    with pytest.raises(EncodeError) as refused_too:
        partner.encode(Role.SALE_REQUEST, spoilt)
    assert_hidden(f"{refused_too.value} {refused_too.value!r} {refused_too.value.__cause__}", pan)


@every_partner
def test_a_name_nobody_knows_is_hidden_with_its_value(partner: PartnerSpec) -> None:
    assert partner.masked({"card": "4111111111111111"}) == {"card": "***"}
    assert repr(Message(Role.SALE_REQUEST, {"card": "4111111111111111"})) == "Message(sale_request, {'card': '***'})"
    assert partner.masked({"pan": "411111111111"}) == {"pan": "*" * 12}


@every_partner
def test_card_data_is_marked_in_every_layout_that_has_it(partner: PartnerSpec) -> None:
    for telegram in partner.telegrams.values():
        marks = {field.name: field.sensitivity for field in telegram.fields}
        secret = {name for name, mark in marks.items() if mark is not Sensitivity.NONE}
        assert secret == set(marks) & {"pan", "expiry", "track2", "security_code", "carried_telegram"}
        if "request" not in telegram.role and telegram.role not in ENVELOPES:
            assert not secret
