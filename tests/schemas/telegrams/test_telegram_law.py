"""What `load_partner` lets through can be sent, answered and taken back; what a partner takes less of, the door tells.

What is refused, and in which words: law_faults.toml.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from asking_rig import asked_fault
from test_telegram_asking import ASKED
from test_telegram_layout_faults import apply, copy_of

from ingress import checking
from schemas.client_frames import reference_fault
from schemas.telegrams import (
    FAULT_COMMANDS,
    ORDINARY_REQUESTS,
    REPORT_OF,
    PartnerSpec,
    Role,
    Value,
    contract_fault,
    load_partner,
)
from schemas.telegrams.filling import ASKED as RANGES
from schemas.telegrams.rehearsal import rehearse

CLOSED = "values_closed = true, values = ["
CLOSED += '{ value = "10", japanese = "一括払い", english = "one payment" }, '
CLOSED += '{ value = "61", japanese = "分割払い", english = "instalments" }]'


def changed(partner: str, where: Path, *edits: tuple[str, str, str]) -> PartnerSpec:
    place = copy_of(partner, where)
    for file, take, put in edits:
        apply({"file": file, "take": take, "put": put}, place)
    return load_partner(place)


# --- narrower, and right ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "take", "put", "asked", "told"),
    [
        (
            "fields.toml", 'bit = 4\ntype = "amount"\nlength = 12', 'bit = 4\ntype = "amount"\nlength = 5',
            {"amount": 100_000}, "amount does not fit in 5 digits",
        ),
        (
            "sale_request.toml", '"payment_method",  required = true',
            f'"payment_method", required = true, sample = "10", {CLOSED}',
            {"payment_method": "21"}, "payment_method is not one of the values the layout lists",
        ),
        (
            "sale_request.toml", '"security_code",   required = false',
            '"security_code", required = false, when = { field = "payment_method", values = ["10"] }',
            {"payment_method": "61", "security_code": "123"},
            "security_code is there, and payment_method says that it is not",
        ),
        (
            "sale_request.toml", '"reference",       required = false', '"reference", required = true, length = 20',
            {"reference": "A" * 21}, "reference has 21 characters where 1 to 20 belong",
        ),
    ],
)  # fmt: skip
def test_a_partner_may_take_less_than_the_gateway_and_the_door_tells(
    file: str, take: str, put: str, asked: Mapping[str, Value], told: str, tmp_path: Path
) -> None:
    partner = changed("cardnet", tmp_path, (file, take, put))
    assert asked_fault(partner, Role.SALE_REQUEST, ASKED) is None
    assert asked_fault(partner, Role.SALE_REQUEST, {**ASKED, **asked}) == f"{told}, in the telegrams of cardnet"


def test_a_constant_is_as_good_as_the_only_value_there_is(tmp_path: Path) -> None:
    nought = ('"route_number",  required = true', '"route_number", required = true, const = 0')
    match = 'error = ["company_code", "trace_number"'
    edits = (("opening_request.toml", *nought), ("partner.toml", f'{match}, "route_number"', match))
    partner = changed("cardnet", tmp_path, *edits)
    assert "route_number" not in partner.telegrams[Role.OPENING_REQUEST].names


def test_the_fields_of_a_group_without_numbers_are_counted_on(tmp_path: Path) -> None:
    group = '\n[[groups]]\nname = "more"\njapanese = "補足"\nenglish = "More"\nmeaning = "M"\nassumption = true\n'
    group += 'when = { field = "result_code", values = ["D01"] }\n'
    group += 'fields = [{ name = "product_code", required = true }]\n'
    last = "required = false },\n]\n"
    partner = changed("cafis", tmp_path, ("sale_report.toml", last, last + group))
    assert partner.telegrams[Role.SALE_REPORT].field("product_code").number == "7"


# --- the ranges are the gateway's -------------------------------------------------------------------------------------

PATTERNS = {
    "terminal_id": checking._TERMINAL,
    "payment_method": checking._METHOD,
    "pan": checking._PAN,
    "expiry": checking._EXPIRY,
    "track2": checking._TRACK2,
    "security_code": checking._CODE,
}


@pytest.mark.parametrize("name", PATTERNS)
def test_the_values_a_layout_is_asked_for_are_what_the_door_lets_through(name: str) -> None:
    texts = [str(value) for value in RANGES[name].values]
    assert all(PATTERNS[name].fullmatch(text) for text in texts)
    assert not PATTERNS[name].fullmatch(f"{max(texts, key=len)}0"), "the longest is among them"
    assert not PATTERNS[name].fullmatch(min(texts, key=len)[:-1]), "and the shortest"


def test_the_references_and_amounts_a_layout_is_asked_for_are_what_the_door_lets_through() -> None:
    references = [str(value) for value in RANGES["reference"].values]
    assert {reference_fault(each) for each in references} == {None}
    assert {len(each) for each in references} == set(range(1, 33))
    amounts = RANGES["amount"].values
    assert (min(amounts), max(amounts)) == (1, checking.AMOUNT_MAX)


def test_each_name_a_client_fills_has_a_range() -> None:
    assert set(RANGES) == set(ASKED)


# --- played through ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cafis() -> PartnerSpec:
    return load_partner("cafis")


def spoilt(partner: PartnerSpec, role: Role, **changes: object) -> PartnerSpec:
    """As if the loader had not seen what is wrong with a telegram."""
    telegram = msgspec.structs.replace(partner.telegrams[role], **changes)
    spec: PartnerSpec = msgspec.structs.replace(partner, telegrams={**partner.telegrams, role: telegram})
    return spec


def failures(partner: PartnerSpec) -> list[tuple[str, str | None, str]]:
    return [(role.value, field, problem) for _, role, field, problem in rehearse([partner])]


def test_the_packaged_partners_live_through_it(cafis: PartnerSpec) -> None:
    assert failures(cafis) == failures(load_partner("cardnet")) == []


@pytest.mark.parametrize("role", [*ORDINARY_REQUESTS, *FAULT_COMMANDS, Role.OPENING_REQUEST, Role.ENVELOPE_REQUEST])
def test_a_telegram_that_cannot_be_written_is_found(role: Role, cafis: PartnerSpec) -> None:
    names = cafis.telegrams[role].names | {"unheard_of"}
    fields = cafis.telegrams[role].fields
    strange = msgspec.structs.replace(fields[1], name="company_code", sample="12345")
    spec = spoilt(cafis, role, names=names, fields=(fields[0], strange, *fields[2:]))
    assert failures(spec) == [(role.value, "company_code", "cannot be written: has 5 characters where 6 belong")]


@pytest.mark.parametrize("role", dict.fromkeys(REPORT_OF.values()))
def test_a_report_that_does_not_find_its_request_is_found(role: Role, cafis: PartnerSpec) -> None:
    keys = {**cafis.keys, role: lambda _: ("nothing",)}
    spec: PartnerSpec = msgspec.structs.replace(cafis, keys=keys)
    requests = [request for request, report in REPORT_OF.items() if report is role]
    assert failures(spec) == [(role.value, None, f"does not find the {requests[0].value} that it answers, by [match]")]


def test_a_key_that_a_telegram_has_no_value_for_is_found(cafis: PartnerSpec) -> None:
    keys = {**cafis.keys, Role.SALE_REQUEST: lambda values: (values["route"],)}
    spec: PartnerSpec = msgspec.structs.replace(cafis, keys=keys)
    assert failures(spec) == [("sale_request", "route", "is absent, and is matched by")]


def test_an_error_report_that_does_not_find_what_it_is_about_is_found(cafis: PartnerSpec) -> None:
    keys = {**cafis.keys, Role.ERROR_REPORT: lambda values: (values.get("error_code"),)}
    spec: PartnerSpec = msgspec.structs.replace(cafis, keys=keys)
    problem = "does not find the authorisation_request it is about, by [match]"
    assert failures(spec) == [("error_report", None, problem)]


def test_what_is_read_as_another_than_it_was_written_is_found(cafis: PartnerSpec) -> None:
    telegram = cafis.telegrams[Role.SALE_REQUEST]

    def misread(data: bytes) -> dict[str, Value] | None:
        values = telegram.read(data)
        return None if values is None else {**values, "amount": 0}

    spec = spoilt(cafis, Role.SALE_REQUEST, read=misread)
    likely = {code: (spec.telegrams[each.role],) for code, (each, *_) in cafis.likely.items()}
    spec = msgspec.structs.replace(spec, likely=likely)
    assert failures(spec) == [("sale_request", "amount", "is another when it is read again")]


# --- what the contract says -------------------------------------------------------------------------------------------


def test_what_the_contract_says_is_held_against_every_telegram_that_has_it(cafis: PartnerSpec, tmp_path: Path) -> None:
    six = ('"company_code",           required = true', '"company_code", required = true, length = 6')
    cardnet = changed("cardnet", tmp_path, ("fault_confirm.toml", *six))
    assert contract_fault(cafis, {"company_code": "290001", "station_id": "MCTR0001", "terminal": "no matter"}) is None
    assert contract_fault(cardnet, {"company_code": "290001"}) is None
    assert contract_fault(cardnet, {"company_code": "2900011"}) == (
        "cardnet telegram fault_confirm, field company_code: has 7 characters where 1 to 6 belong"
    )
    assert contract_fault(cafis, {"station_id": "MCTR00011"}) == (
        "cafis telegram opening_request, field station_id: has 9 characters where 1 to 8 belong"
    )


# --- found by it ------------------------------------------------------------------------------------------------------


def test_zeros_in_an_optional_field_of_a_bitmap_telegram_are_a_value(tmp_path: Path) -> None:
    field = '\n[[fields]]\nname = "mac"\njapanese = "MAC"\nenglish = "MAC"\ntype = "hex"\nlength = 8\nbit = 128\n'
    field += 'encoding = "binary"\nsensitivity = "none"\nsample = "0000000000000000"\n'
    field += 'meaning = "M"\nassumption = true\n'
    place = copy_of("cardnet", tmp_path)
    (place / "fields.toml").write_text((place / "fields.toml").read_text("utf-8") + field, "utf-8")
    last = '{ name = "reference",       required = false },\n]'
    more = last[:-1] + '  { name = "mac", required = false },\n]'
    apply({"file": "sale_report.toml", "take": last, "put": more}, place)
    cardnet = load_partner(place)
    values = cardnet.telegrams[Role.SALE_REPORT].sample()
    data = cardnet.encode(Role.SALE_REPORT, values)
    assert cardnet.telegrams[Role.SALE_REPORT].read(data) == cardnet.decode(data).values == values
    assert values["mac"] == "0" * 16
