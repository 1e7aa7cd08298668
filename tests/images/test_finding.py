"""Bytes are told whose they are, framed or not, and which way they travelled; every guess has its reason."""

import pytest
from edition_rig import BEFORE, SINCE, write_editions
from hypothesis import given
from hypothesis import strategies as st

from images.finding import Heading, find, heading_of, read_framed
from images.telling import tell
from schemas.telegrams import PartnerSpec, Role, load_partner

PARTNERS = CAFIS, CARDNET = load_partner("cafis"), load_partner("cardnet")
EVERY = [pytest.param(spec, role, id=f"{spec.name}-{role}") for spec in PARTNERS for role in spec.telegrams]


def sample(spec: PartnerSpec, role: Role) -> bytes:
    return spec.encode(role, spec.telegrams[role].sample())


@pytest.mark.parametrize(("spec", "role"), EVERY)
@pytest.mark.parametrize("framed", [False, True], ids=["bare", "framed"])
def test_a_telegram_is_known_for_what_it_is(spec: PartnerSpec, role: Role, framed: bool) -> None:
    data = sample(spec, role)
    finding = find(PARTNERS, spec.framing.wrap(data) if framed else data)
    (found,) = finding.found
    assert found.message is not None
    assert (found.partner, found.message.role, found.data) == (spec, role, data)
    assert found.framing == (spec.framing.wrap(data)[: spec.framing.length_bytes] if framed else b"")
    assert finding.partner.english == "decodes by this partner's layouts alone"
    assert finding.framing.english.startswith("with framing" if framed else "without framing")


def test_several_framed_telegrams_are_all_found_with_their_places() -> None:
    rows = [CAFIS.framing.wrap(sample(CAFIS, role)) for role in (Role.SALE_REQUEST, Role.SALE_REPORT)]
    finding = find(PARTNERS, b"".join(rows))
    assert [(each.offset, each.message and each.message.role) for each in finding.found] == [
        (0, Role.SALE_REQUEST), (len(rows[0]), Role.SALE_REPORT),
    ]  # fmt: skip


def test_of_several_that_are_framed_one_that_does_not_decode_is_told_among_the_others() -> None:
    broken = bytearray(CAFIS.framing.wrap(sample(CAFIS, Role.SALE_REPORT)))
    broken[61] = 0x20
    finding = find(PARTNERS, CAFIS.framing.wrap(sample(CAFIS, Role.SALE_REQUEST)) + bytes(broken))
    assert [each.message is not None for each in finding.found] == [True, False]
    assert finding.partner.english == "1 of 2 decode"
    assert finding.found[1].problem is not None
    assert finding.found[1].problem.startswith("result_code, byte 5")


@pytest.mark.parametrize("role", Role)
def test_the_direction_is_that_of_the_role(role: Role) -> None:
    name = role.value
    if name.startswith(("closing", "keepalive")):
        assert heading_of(role) is Heading.EITHER
    elif name.endswith(("_report", "_answer")):
        assert heading_of(role) is Heading.COMING
    else:
        assert heading_of(role) is Heading.GOING


def test_of_what_does_not_decode_the_direction_is_that_of_its_type_code() -> None:
    data = sample(CARDNET, Role.SALE_REPORT)
    (found,) = find(PARTNERS, data + b"?").found
    assert (found.message, found.heading) == (None, Heading.COMING)
    assert found.problem == f"byte {len(data)}: goes on for 1 bytes after its last field"


def test_a_length_that_is_not_that_of_the_bytes_is_told() -> None:
    data = CAFIS.framing.wrap(sample(CAFIS, Role.SALE_REQUEST))
    finding = find(PARTNERS, data[:-1])
    assert finding.framing.english == "with framing, which announces 193 bytes; 192 follow"
    assert finding.found[0].trials[0].telegram.role is Role.SALE_REQUEST


@pytest.mark.parametrize("spec", PARTNERS, ids=lambda spec: spec.name)
def test_a_telegram_behind_a_length_that_is_wrong_is_read(spec: PartnerSpec) -> None:
    data = sample(spec, Role.SALE_REQUEST)
    wrong = spec.framing.wrap(data[:-7])[: spec.framing.length_bytes]
    finding = find(PARTNERS, wrong + data)
    (found,) = finding.found
    assert (found.partner, found.framing, found.data) == (spec, wrong, data)
    assert found.message is not None
    assert found.message.role is Role.SALE_REQUEST
    assert finding.framing.english == f"with framing, which announces {len(data) - 7} bytes; {len(data)} follow"


def test_with_one_partner_given_nobody_else_is_tried() -> None:
    finding = find([CARDNET], sample(CAFIS, Role.SALE_REQUEST))
    assert finding.found[0].partner is not CAFIS
    assert finding.found[0].message is None
    assert find([CAFIS], sample(CAFIS, Role.SALE_REQUEST)).partner.english == "as given"


def test_bytes_of_nobody_are_told_to_be_so() -> None:
    finding = find(PARTNERS, b"\x16\x03\x01 nothing of it")
    (found,) = finding.found
    assert (found.partner, found.trials, found.problem) == (None, (), "no layout is near")
    assert finding.partner.english == "near no layout of any partner"


def test_in_an_envelope_the_other_partners_layouts_are_tried() -> None:
    inner = sample(CARDNET, Role.SALE_REPORT)
    values = {**CAFIS.telegrams[Role.ENVELOPE_REPORT].sample(), "carried_telegram": (inner + b"!").hex()}
    (found,) = find(PARTNERS, CAFIS.encode(Role.ENVELOPE_REPORT, values)).found
    (carried,) = found.carried
    assert (carried.message, carried.partner) == (None, CARDNET)
    assert carried.trials[0].telegram.role is Role.SALE_REPORT


# --- editions


@pytest.fixture(scope="module")
def changing(tmp_path_factory: pytest.TempPathFactory) -> PartnerSpec:
    """CAFIS, whose layouts change."""
    return load_partner(write_editions(tmp_path_factory.mktemp("editions")))


@pytest.mark.parametrize(("date", "since"), [(BEFORE, None), (SINCE, SINCE)])
@pytest.mark.parametrize("role", [Role.SALE_REQUEST, Role.SALE_REPORT, Role.FAULT_CONFIRM, Role.CLOSING_REQUEST])
def test_a_telegram_is_read_by_the_edition_of_its_own_day(
    changing: PartnerSpec, role: Role, date: str, since: str | None
) -> None:
    spec = changing.on(date)
    values = {**spec.telegrams[role].sample(), "business_date": date}
    for data in (spec.encode(role, values), spec.framing.wrap(spec.encode(role, values))):
        (found,) = find([changing, CARDNET], data).found
        assert found.message is not None
        assert (found.message.role, found.message.values) == (role, values)
        assert found.partner is not None
        assert found.partner.since == since
        assert {row.name for row in tell(found)} == {field.name for field in spec.telegrams[role].fields}


@pytest.mark.parametrize(("date", "since"), [(BEFORE, None), (SINCE, SINCE)])
def test_the_nearest_layout_is_that_of_its_own_day(changing: PartnerSpec, date: str, since: str | None) -> None:
    spec = changing.on(date)
    data = spec.encode(Role.REFUND_REPORT, {**spec.telegrams[Role.REFUND_REPORT].sample(), "business_date": date})
    (found,) = find([changing], data[:-1] + b"\xfd").found
    (trial,) = found.trials
    assert (trial.telegram.role, trial.partner.since) == (Role.REFUND_REPORT, since)
    assert found.partner is trial.partner


def test_a_telegram_in_an_edition_that_is_not_of_its_day_is_told_to_be_so(changing: PartnerSpec) -> None:
    old = changing.on(BEFORE)
    data = old.encode(Role.SALE_REQUEST, {**old.telegrams[Role.SALE_REQUEST].sample(), "business_date": SINCE})
    (found,) = find([changing], data).found
    assert found.message is None
    assert found.problem == "business_date: is of a day on which another edition of the layouts holds"
    assert found.trials[0].telegram.role is Role.SALE_REQUEST


@given(st.binary(max_size=300))
def test_whatever_comes_every_byte_is_in_what_was_found(data: bytes) -> None:
    finding = find(PARTNERS, data)
    assert b"".join(each.framing + each.data for each in finding.found) == data
    for spec in PARTNERS:
        assert b"".join(each.framing + each.data for each in read_framed(spec, data)) in (b"", data)
