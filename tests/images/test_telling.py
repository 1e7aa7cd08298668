"""What people see of telegrams, broken ones above all: nowhere more of a card number than may be seen, no secret."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from partners_rig import CAFIS, CARDNET, PARTNERS

from images.finding import Found, find, read_one
from images.telling import Told, _without_card_number, revealed_fields, tell, visible
from schemas.telegrams import ORDINARY_REQUESTS, Message, PartnerSpec, Role

PAN = "4539578763621486"
TRACK = f"{PAN}=29061019876543210000"
EXPIRY, CODE = "2906", "7391"
SEEN_MOST = 6  # digits in a row, where the layout does not say that they are the last four


def request(spec: PartnerSpec, role: Role = Role.SALE_REQUEST) -> bytes:
    card = {"pan": PAN, "expiry": EXPIRY, "track2": TRACK, "security_code": CODE}
    values = {**spec.telegrams[role].sample(), **card}
    return spec.encode(role, {name: value for name, value in values.items() if name in spec.telegrams[role].names})


def seen(rows: Sequence[Told]) -> list[str]:
    """All digits that stand in a row, read in each of the ways in which digits travel, and in values."""
    texts = [str(row.value) for row in rows if row.value is not None]
    texts += ["".join(row.characters) for row in rows]
    cells = [cell for row in rows for cell in row.cells]
    readings = (
        lambda byte: chr(byte) if 0x30 <= byte <= 0x39 else " ",
        lambda byte: chr(byte - 0xC0) if 0xF0 <= byte <= 0xF9 else " ",
        lambda byte: f"{byte:02x}".replace("f", " "),
    )
    texts += ["".join(" " if cell is None else read(cell) for cell in cells) for read in readings]
    return texts


def leaks(rows: Sequence[Told]) -> list[str]:
    """Parts of the card number, longer than may be seen, that are seen."""
    parts = [PAN[at : at + SEEN_MOST + 1] for at in range(len(PAN) - SEEN_MOST)]
    return [part for part in parts for text in seen(rows) if part in text]


def told(data: bytes) -> list[Told]:
    return [row for found in find(PARTNERS, data).found for row in tell(found)]


REQUESTS = [request(spec, role) for spec in PARTNERS for role in ORDINARY_REQUESTS]


@pytest.mark.parametrize("data", REQUESTS)
@given(
    at=st.integers(0, 200), taken=st.integers(0, 40), put=st.binary(max_size=6), end=st.integers(0, 220),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
@example(at=36, taken=13, put=b"", end=220)  # the terminal id is not there: the card number stands in its place
@example(at=36, taken=13, put=b"", end=49)
@example(at=23, taken=1, put=b"", end=220)
@example(at=27, taken=27, put=b"", end=175)
@example(at=24, taken=0, put=b"\0\0", end=34)
@example(at=7, taken=1, put=b"\xb0", end=220)  # the bit of the card number is not set
def test_however_a_telegram_is_damaged_its_card_number_is_not_seen(
    data: bytes, at: int, taken: int, put: bytes, end: int
) -> None:
    damaged = (data[:at] + put + data[at + taken :])[:end]
    assert leaks(told(damaged)) == []


@given(before=st.binary(max_size=30), after=st.binary(max_size=30), way=st.sampled_from(["ascii", "cp037", "bcd"]))
def test_a_card_number_among_bytes_of_nobody_is_not_seen(before: bytes, after: bytes, way: str) -> None:
    number = bytes.fromhex(PAN) if way == "bcd" else PAN.encode(way)
    assert leaks(told(before + number + after)) == []


@pytest.mark.parametrize("spec", PARTNERS, ids=repr)
def test_secrets_of_a_damaged_telegram_are_not_seen(spec: PartnerSpec) -> None:
    data = request(spec)
    for at in range(len(data)):
        for damaged in (data[:at] + data[at + 1 :], data[:at], data[:at] + b"\xfd" + data[at + 1 :]):
            shown = seen(told(damaged))
            assert not any(TRACK[16:24] in text or "987654321" in text for text in shown)
            if len(damaged) != len(data):
                assert not any(CODE in text for text in shown[-3:])


@pytest.mark.parametrize("spec", PARTNERS, ids=repr)
def test_whoever_may_see_card_data_sees_number_and_expiry_and_no_authentication_data(spec: PartnerSpec) -> None:
    found = read_one(spec, request(spec), PARTNERS)
    rows = {row.name: row for row in tell(found, reveal=True)}
    assert (rows["pan"].value, rows["expiry"].value) == (PAN, EXPIRY)
    assert not rows["pan"].hidden
    for name in {"track2", "security_code"} & rows.keys():
        assert rows[name].value == "***"
        assert set(rows[name].cells[1:]) == {None}
    text = repr(list(rows.values()))
    assert TRACK not in text
    assert "9876543" not in text
    assert revealed_fields([found]) == ["expiry", "pan"]


def test_what_does_not_decode_is_not_revealed_either() -> None:
    (found,) = find(PARTNERS, request(CAFIS)[:-1]).found
    assert found.message is None
    assert leaks(tell(found, reveal=True)) == []
    assert revealed_fields([found]) == []


@pytest.mark.parametrize("spec", PARTNERS, ids=repr)
def test_a_card_number_that_somebody_wrote_into_a_text_is_hidden(spec: PartnerSpec) -> None:
    values = {**spec.telegrams[Role.SALE_REPORT].sample(), "reference": f"R-{PAN}"}
    found = read_one(spec, spec.encode(Role.SALE_REPORT, values), PARTNERS)
    row = next(row for row in tell(found) if row.name == "reference")
    assert (row.value, "".join(row.characters).strip("· ")) == ("R-****************", "R-****************")
    assert leaks(tell(found)) == []
    assert visible(spec, Message(Role.SALE_REPORT, values))["reference"] == "R-****************"
    assert next(row for row in tell(found, reveal=True) if row.name == "reference").value == f"R-{PAN}"
    assert revealed_fields([found]) == ["reference"]


def test_a_card_number_in_digits_of_kanji_is_hidden_too() -> None:
    wide = PAN.translate({0x30 + digit: 0xFF10 + digit for digit in range(10)})
    raw = f"若{wide}".encode("shift_jis")
    characters = [part for character in f"若{wide}" for part in (character, "")]
    told_plainly = Told(
        offset=0, name="holder_name", japanese="会員氏名", english="Holder", cells=tuple(raw),
        characters=tuple(characters), value=f"若{wide}",
    )  # fmt: skip
    row = _without_card_number(told_plainly)
    assert row.value == "若" + "*" * len(PAN)
    assert "".join(row.characters) == row.value
    assert row.cells == (*raw[:2], *[None] * (2 * len(PAN)))
    twelve = msgspec.structs.replace(told_plainly, characters=tuple(characters[:26]), cells=tuple(raw[:26]))
    assert _without_card_number(twelve) is twelve


def test_a_terminal_id_that_happens_to_pass_the_check_is_seen() -> None:
    values = {**CAFIS.telegrams[Role.SALE_REPORT].sample(), "terminal_id": "4980000000002"}
    found = read_one(CAFIS, CAFIS.encode(Role.SALE_REPORT, values), PARTNERS)
    assert next(row for row in tell(found) if row.name == "terminal_id").value == "4980000000002"


def test_the_telegram_in_an_envelope_is_hidden_as_bytes_and_told_by_itself() -> None:
    inner = request(CARDNET)
    values = {**CAFIS.telegrams[Role.ENVELOPE_REQUEST].sample(), "carried_telegram": inner.hex()}
    found: Found = read_one(CAFIS, CAFIS.encode(Role.ENVELOPE_REQUEST, values), PARTNERS)
    (carried,) = found.carried
    assert carried.message is not None
    assert (carried.partner, carried.message.role) == (CARDNET, Role.SALE_REQUEST)
    for reveal in (False, True):
        outer = next(row for row in tell(found, reveal=reveal) if row.name == "carried_telegram")
        assert set(outer.cells[3:]) == {None}
        assert outer.value == "***"
    assert leaks([*tell(found), *tell(carried)]) == []
