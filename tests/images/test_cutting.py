"""Streams are cut into telegrams, also from the middle and across gaps; no byte is dropped."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from images.cutting import Cut, Skipped, cut_stream
from images.segments import End
from images.streams import Direction, Origin, Piece
from schemas.telegrams import PartnerSpec, Role, load_partner, packaged

PARTNERS = [load_partner(name) for name in packaged()]
ROLES = (Role.SALE_REQUEST, Role.KEEPALIVE_REQUEST, Role.FAULT_CONFIRM, Role.SALE_REPORT)


def telegrams(spec: PartnerSpec) -> list[bytes]:
    return [
        spec.framing.wrap(spec.encode(role, {**spec.telegrams[role].sample(), "trace_number": number}))
        for number, role in enumerate(ROLES, 1)
    ]


def direction(*pieces: tuple[int, bytes], gaps: Sequence[tuple[int, int]] = (), whole: bool = True) -> Direction:
    made = tuple(Piece(offset, data, (Origin(offset + len(data), 1, None),)) for offset, data in pieces)
    return Direction(End("a", 1), End("b", 2), made, tuple(gaps), whole, 0, ())


def told(cuts: Sequence[Cut | Skipped]) -> list[str | int]:
    """Trace numbers of the telegrams, ``?`` for one that does not decode, reasons of what was skipped."""
    row: list[str | int] = []
    for each in cuts:
        if isinstance(each, Skipped):
            row.append(each.why)
        else:
            row.append("?" if each.found.message is None else int(each.found.message.values["trace_number"]))
    return row


def covered(cuts: Sequence[Cut | Skipped], size: int) -> None:
    """Every byte is in one of them."""
    at = 0
    for each in cuts:
        assert each.offset == at
        at += each.size if isinstance(each, Skipped) else len(each.found.framing) + len(each.found.data)
    assert at == size


@pytest.mark.parametrize("spec", PARTNERS, ids=repr)
def test_telegrams_in_a_row_are_cut_one_by_one(spec: PartnerSpec) -> None:
    stream = b"".join(telegrams(spec))
    cuts = cut_stream(spec, direction((0, stream)), PARTNERS)
    assert told(cuts) == [1, 2, 3, 4]
    covered(cuts, len(stream))


@pytest.mark.parametrize("spec", PARTNERS, ids=repr)
def test_from_the_middle_the_first_whole_telegram_is_found(spec: PartnerSpec) -> None:
    stream = b"".join(telegrams(spec))
    first = len(telegrams(spec)[0])
    for start in range(1, first):
        cuts = cut_stream(spec, direction((0, stream[start:]), whole=False), PARTNERS)
        assert told(cuts) == ["before the first telegram that can be read as a whole", 2, 3, 4]
        covered(cuts, len(stream) - start)


@pytest.mark.parametrize("spec", PARTNERS, ids=repr)
def test_behind_a_gap_the_next_telegram_is_found(spec: PartnerSpec) -> None:
    rows = telegrams(spec)
    stream = b"".join(rows)
    begin, end = len(rows[0]) + 10, len(rows[0]) + len(rows[1]) + 10
    pieces = ((0, stream[:begin]), (end, stream[end:]))
    cuts = cut_stream(spec, direction(*pieces, gaps=[(begin, end - begin)]), PARTNERS)
    assert told(cuts) == [
        1,
        "the beginning of a telegram whose end is not in the capture",
        "not in the capture",
        "before the first telegram that can be read as a whole",
        4,
    ]
    covered(cuts, len(stream))


@pytest.mark.parametrize("spec", PARTNERS, ids=repr)
def test_a_telegram_that_does_not_decode_keeps_its_place_in_the_row(spec: PartnerSpec) -> None:
    rows = telegrams(spec)
    broken = bytearray(rows[1])
    broken[-1] ^= 0x80
    cuts = cut_stream(spec, direction((0, rows[0] + bytes(broken) + rows[2])), PARTNERS)
    assert told(cuts) == [1, "?", 3]


@pytest.mark.parametrize("spec", PARTNERS, ids=repr)
def test_bytes_that_are_no_length_are_stepped_over(spec: PartnerSpec) -> None:
    rows = telegrams(spec)
    cuts = cut_stream(spec, direction((0, rows[0] + b"\xff\xff\xff\xff noise" + rows[1])), PARTNERS)
    assert told(cuts) == [1, "no length of a telegram stands here", 2]


@given(data=st.binary(max_size=300), whole=st.booleans(), spec=st.sampled_from(PARTNERS), at=st.integers(0, 400))
def test_no_byte_is_dropped_whatever_comes(data: bytes, whole: bool, spec: PartnerSpec, at: int) -> None:
    good = b"".join(telegrams(spec))
    for stream in (data, good[:at] + data + good[at:]):
        covered(cut_stream(spec, direction((0, stream), whole=whole), PARTNERS), len(stream))
