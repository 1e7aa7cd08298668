"""Telegrams on a stream: lengths in front, cut however the network likes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.telegrams import Deframer, Framing, FramingError
from schemas.telegrams.framing import LengthKind

ASCII4 = Framing(kind=LengthKind.ASCII, length_bytes=4, counts_itself=False, max_length=1024)
BINARY2 = Framing(kind=LengthKind.BINARY, length_bytes=2, counts_itself=True, max_length=2048)
BINARY4 = Framing(kind=LengthKind.BINARY, length_bytes=4, counts_itself=False, max_length=999)
framings = st.sampled_from([ASCII4, BINARY2, BINARY4])


def all_of(deframer: Deframer, chunks: list[bytes]) -> tuple[list[bytes], str | None]:
    """Everything a deframer gives for the chunks, and what it ended with."""
    telegrams: list[bytes] = []
    try:
        for chunk in chunks:
            telegrams += deframer.feed(chunk)
        deframer.close()
    except FramingError as error:
        return telegrams + error.telegrams, str(error)
    return telegrams, None


def cut(data: st.DataObject, stream: bytes) -> list[bytes]:
    places = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    return [stream[start:end] for start, end in zip([0, *places], [*places, len(stream)], strict=True)]


@pytest.mark.parametrize(
    ("framing", "wrapped"),
    [(ASCII4, b"0003abc"), (BINARY2, b"\x00\x05abc"), (BINARY4, b"\x00\x00\x00\x03abc")],
)
def test_a_telegram_travels_with_its_length_in_front(framing: Framing, wrapped: bytes) -> None:
    assert framing.wrap(b"abc") == wrapped
    assert framing.deframer().feed(wrapped) == [b"abc"]


@settings(deadline=None)
@given(framing=framings, telegrams=st.lists(st.binary(min_size=1, max_size=40)), data=st.data())
def test_however_a_stream_is_cut_the_telegrams_are_the_same(
    framing: Framing, telegrams: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(map(framing.wrap, telegrams))
    assert all_of(framing.deframer(), cut(data, stream)) == (telegrams, None)


@settings(deadline=None)
@given(
    framing=framings,
    first=st.lists(st.binary(min_size=1, max_size=9), max_size=3),
    junk=st.binary(max_size=40),
    data=st.data(),
)
def test_however_a_damaged_stream_is_cut_what_comes_of_it_is_the_same(
    framing: Framing, first: list[bytes], junk: bytes, data: st.DataObject
) -> None:
    stream = b"".join(map(framing.wrap, first)) + junk
    whole = all_of(framing.deframer(), [stream])
    assert whole[0][: len(first)] == first
    assert all_of(framing.deframer(), cut(data, stream)) == whole


@pytest.mark.parametrize(
    ("framing", "stream", "problem"),
    [
        (ASCII4, b"0000", "byte 0 of the stream: a telegram of 0 bytes is announced; 1 to 1024 are allowed"),
        (ASCII4, b"1025", "byte 0 of the stream: a telegram of 1025 bytes is announced; 1 to 1024 are allowed"),
        (ASCII4, b"+003abc", "byte 0 of the stream: the length is not 4 digits"),
        (ASCII4, b"0003abcGET /", "byte 7 of the stream: the length is not 4 digits"),
        (BINARY2, b"\x00\x02", "byte 0 of the stream: a telegram of 0 bytes is announced; 1 to 2048 are allowed"),
        (BINARY2, b"\x00\x01", "byte 0 of the stream: a telegram of -1 bytes is announced; 1 to 2048 are allowed"),
        (BINARY2, b"\xff\xff", "byte 0 of the stream: a telegram of 65533 bytes is announced; 1 to 2048 are allowed"),
    ],
)
def test_a_length_that_cannot_be_is_refused_at_once_and_for_ever(framing: Framing, stream: bytes, problem: str) -> None:
    deframer = framing.deframer()
    with pytest.raises(FramingError) as first:
        deframer.feed(stream)
    assert str(first.value) == problem
    with pytest.raises(FramingError) as second:
        deframer.feed(framing.wrap(b"sound"))
    assert (str(second.value), second.value.telegrams) == (problem, [])


def test_telegrams_before_a_fault_are_handed_out_with_it() -> None:
    with pytest.raises(FramingError) as refused:
        ASCII4.deframer().feed(b"0002ab0003cdexxxx")
    assert refused.value.telegrams == [b"ab", b"cde"]
    assert refused.value.offset == 13


def test_a_stream_that_ends_inside_a_telegram_says_so() -> None:
    deframer = ASCII4.deframer()
    assert deframer.feed(b"0002ab0005cde") == [b"ab"]
    assert deframer.pending == 7
    with pytest.raises(FramingError) as refused:
        deframer.close()
    problem = "byte 13 of the stream: the stream ended inside a telegram, after 7 of its bytes (length included)"
    assert str(refused.value) == problem


@pytest.mark.parametrize("size", [0, 1025])
def test_what_the_partner_could_not_take_is_not_framed(size: int) -> None:
    with pytest.raises(ValueError, match=f"a telegram of {size} bytes cannot be framed: 1 to 1024 bytes are allowed"):
        ASCII4.wrap(b"x" * size)
