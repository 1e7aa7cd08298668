"""What a partner's layout takes of a client's request, told before anything is written, in the client's words."""

import pytest
from asking_rig import asked_fault, request
from hypothesis import given, settings
from hypothesis import strategies as st
from telegram_strategies import PARTNERS
from test_telegram_properties import ODD_VALUES

from schemas.telegrams import ASKED_AS, ORDINARY_REQUESTS, Asking, EncodeError, PartnerSpec, Role, Value, load_partner

ASKED: dict[str, Value | None] = {
    "terminal_id": "4980123456789",
    "amount": 12_800,
    "payment_method": "10",
    "reference": "A-1",
    "pan": "4111111111111111",
    "expiry": "2812",
    "track2": None,
    "security_code": None,
}


@pytest.fixture(scope="module")
def cafis() -> PartnerSpec:
    return load_partner("cafis")


@pytest.mark.parametrize("role", ORDINARY_REQUESTS)
@pytest.mark.parametrize("partner", ["cafis", "cardnet"])
def test_what_the_partner_takes_has_no_fault(partner: str, role: Role) -> None:
    assert asked_fault(load_partner(partner), role, ASKED) is None


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("terminal_id", "11", "terminal_id has 2 characters where 13 belong"),
        ("terminal_id", "49801234567AB", "terminal_id character 12 is not allowed in type digits"),
        ("amount", 100_000_000, "amount does not fit in 8 digits"),
        ("payment_method", "100", "payment_method has 3 characters where 2 belong"),
        ("pan", "411111111111", "card.number has 12 characters where 13 to 19 belong"),
        ("expiry", "202812", "card.expiry has 6 characters where 4 belong"),
        ("track2", "4111111111111111D2812", "track2 character 17 is not allowed in type track2"),
        ("security_code", "12345", "security_code has 5 characters where 3 to 4 belong"),
        ("reference", "A" * 33, "reference has 33 characters where 1 to 32 belong"),
    ],
)
def test_the_first_field_that_does_not_fit_is_told_without_its_value(
    cafis: PartnerSpec, name: str, value: Value, told: str
) -> None:
    fault = asked_fault(cafis, Role.SALE_REQUEST, {**ASKED, name: value})
    assert fault == f"{told}, in the telegrams of cafis"
    assert str(value) not in fault


def test_what_the_telegram_has_no_field_for_is_left_out_as_on_the_line(cafis: PartnerSpec) -> None:
    assert "security_code" not in cafis.telegrams[Role.REFUND_REQUEST].names
    assert asked_fault(cafis, Role.REFUND_REQUEST, {**ASKED, "security_code": "1"}) is None


# --- one verdict, however it is come by


GIVEN = {name: value for name, value in ASKED.items() if value is not None} | {
    "track2": "4111111111111111=28121010000012345678",
    "security_code": "123",
}
REQUESTS = [(partner, role) for partner in PARTNERS.values() for role in ORDINARY_REQUESTS if role in partner.telegrams]


@pytest.mark.parametrize(("partner", "role"), REQUESTS, ids=[f"{each.name}-{role}" for each, role in REQUESTS])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_request_has_a_fault_exactly_where_its_telegram_cannot_be_written(
    partner: PartnerSpec, role: Role, data: st.DataObject
) -> None:
    telegram = partner.telegrams[role]
    names = [name for name in ASKED_AS if name in telegram.names]
    kept = data.draw(st.lists(st.sampled_from(names), unique=True)) if names else []
    values = {name: data.draw(st.just(GIVEN[name]) | ODD_VALUES) for name in kept}
    values = {name: value for name, value in values.items() if value is not None}
    fault = asked_fault(partner, role, values)
    try:
        partner.encode(role, {**telegram.sample(optional=False), **values})
        expected = None
    except EncodeError as error:
        expected = ASKED_AS.get(error.field or "", "a ")
    assert fault == expected or (fault is not None and expected is not None and fault.startswith(expected))


@pytest.mark.parametrize("role", ORDINARY_REQUESTS)
@pytest.mark.parametrize("partner", ["cafis", "cardnet"])
def test_what_is_usual_is_known_without_the_whole_telegram(partner: str, role: Role) -> None:
    assert Asking(load_partner(partner), role)._fit(request(ASKED)) is not None
