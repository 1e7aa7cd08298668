"""Streams are put together from segments in any order, however often they came; what is missing is said."""

from collections.abc import Sequence

from capture_rig import ACK, CENTRE, FIN, GATEWAY, SYN, Frame, Wire, ethernet, ipv4, link_layer, pcap, tcp
from hypothesis import given
from hypothesis import strategies as st

from images.captures import read_capture
from images.streams import Connection, Direction, connections_of

WORDS = bytes(range(256))


def connections(frames: Sequence[Frame]) -> list[Connection]:
    return connections_of(read_capture(pcap(frames)).packets)[0]


def there(frames: Sequence[Frame]) -> Direction:
    (found,) = connections(frames)
    return found.there


def segment(sequence: int, payload: bytes, flags: int = ACK) -> Frame:
    return Frame(ethernet(ipv4(GATEWAY, CENTRE, tcp(GATEWAY, CENTRE, sequence, payload, flags))))


@given(
    base=st.sampled_from([0, 1_000, (1 << 32) - 100, (1 << 31) - 50]),
    stream=st.binary(min_size=1, max_size=200),
    cuts=st.lists(st.tuples(st.integers(0, 199), st.integers(1, 80)), max_size=12),
    order=st.randoms(use_true_random=False),
)
def test_any_segments_that_cover_a_stream_give_it_back_once(
    base: int, stream: bytes, cuts: list[tuple[int, int]], order: object
) -> None:
    pieces = [(at, stream[at : at + size]) for at, size in cuts if at < len(stream)]
    pieces += [(at, stream[at : at + 7]) for at in range(0, len(stream), 7)]
    order.shuffle(pieces)  # type: ignore[attr-defined]
    call = segment(base, b"", SYN)
    found = there([call, *(segment(base + 1 + at, data) for at, data in pieces)])
    (piece,) = found.pieces
    assert (piece.offset, piece.data, found.gaps, found.whole, found.remarks) == (0, stream, (), True, ())
    assert found.repeated == sum(len(data) for _, data in pieces) - len(stream)


@given(stream=st.binary(min_size=1, max_size=120), lost=st.sets(st.integers(0, 24)), order=st.randoms())
def test_what_no_segment_told_is_a_gap_of_its_size_at_its_place(stream: bytes, lost: set[int], order: object) -> None:
    whole = {at: stream[at : at + 5] for at in range(0, len(stream), 5)}
    told = {at: data for at, data in whole.items() if at // 5 not in lost}
    frames = [segment(501 + at, data) for at, data in told.items()]
    order.shuffle(frames)  # type: ignore[attr-defined]
    if not frames:
        return
    end = segment(501 + len(stream), b"x")  # told for certain, so that a gap before it is known of
    found = there([segment(500, b"", SYN), *frames, end])
    rebuilt = bytearray(len(stream) + 1)
    known = [False] * (len(stream) + 1)
    for piece in found.pieces:
        rebuilt[piece.offset : piece.offset + len(piece.data)] = piece.data
        known[piece.offset : piece.offset + len(piece.data)] = [True] * len(piece.data)
    for offset, size in found.gaps:
        assert not any(known[offset : offset + size])
        known[offset : offset + size] = [True] * size
    assert all(known)
    assert sum(size for _, size in found.gaps) == len(stream) - sum(map(len, told.values()))
    for at, data in told.items():
        assert rebuilt[at : at + len(data)] == data
    assert found.size == len(stream) + 1


def test_segments_that_tell_otherwise_are_remarked_and_the_first_counts() -> None:
    found = there([segment(1, b"abcdef"), segment(3, b"cX"), segment(7, b"gh")])
    assert [piece.data for piece in found.pieces] == [b"abcdefgh"]
    assert found.remarks == ("from byte 2 on packet 2 tells other bytes than packet 1, which counts",)


def test_a_keep_alive_of_tcp_is_no_data() -> None:
    found = there([segment(1, b"abc"), segment(3, b"\0"), segment(4, b"d")])
    assert ([piece.data for piece in found.pieces], found.remarks) == ([b"abcd"], ())
    call = there([segment(0, b"", SYN), segment(0, b"\0"), segment(1, b"a")])
    assert [piece.data for piece in call.pieces] == [b"a"]


def test_bytes_that_the_capture_cut_off_are_a_gap() -> None:
    frames = [segment(0, b"", SYN), segment(1, WORDS[:100]), segment(101, b"on")]
    (found,) = connections_of(read_capture(pcap(frames, snap=14 + 40 + 60)).packets)[0]
    assert found.there.gaps == ((60, 40),)
    assert [(piece.offset, len(piece.data)) for piece in found.there.pieces] == [(0, 60), (100, 2)]


def test_a_capture_that_begins_in_the_middle_does_so_with_the_lowest_byte() -> None:
    found = there([segment(2_000, b"second"), segment(1_995, b"first"), segment(2_006, b"", FIN | ACK)])
    assert [(piece.offset, piece.data) for piece in found.pieces] == [(0, b"firstsecond")]
    assert not found.whole


def test_two_connections_of_the_same_ends_are_told_apart_by_their_calls() -> None:
    first = Wire().call().say(GATEWAY, b"one").say(CENTRE, b"two")
    again = Wire(begin=(500_000, 600_000)).call().say(GATEWAY, b"three")
    found = connections([*first.frames, first.frames[0], *again.frames])
    assert [each.number for each in found] == [1, 2]
    assert [piece.data for each in found for way in (each.there, each.back) for piece in way.pieces] == [
        b"one", b"two", b"three",
    ]  # fmt: skip
    assert all(each.called for each in found)
    assert (str(found[0].there.source), str(found[0].there.target)) == ("10.0.0.1:40001", "10.0.0.9:7501")


def test_who_called_is_known_from_the_answer_to_the_call_too() -> None:
    wire = Wire().call().say(CENTRE, b"hello")
    (found,) = connections(wire.frames[1:])
    assert found.there.source.port == GATEWAY[1]
    assert [piece.data for piece in found.back.pieces] == [b"hello"]
    assert found.back.whole


def test_the_packet_that_completed_some_bytes_is_the_last_one_of_those_that_told_them() -> None:
    found = there([segment(1, b"ab"), segment(5, b"ef"), segment(3, b"cd"), segment(7, b"gh")])
    (piece,) = found.pieces
    assert piece.completed(0, 2).packet == 1
    assert piece.completed(0, 5).packet == 3
    assert piece.completed(4, 6).packet == 2
    assert piece.completed(4, 7).packet == 4
    assert piece.completed(2, 4).packet == 3


def test_packets_without_a_segment_are_counted_by_their_reason() -> None:
    other = Frame(link_layer(ipv4(GATEWAY, CENTRE, b"datagram", protocol=17), 1))
    found, left_out = connections_of(read_capture(pcap([other, segment(1, b"x"), other])).packets)
    assert len(found) == 1
    assert left_out == {"no TCP segment": 2}


def test_a_connection_that_carried_nothing_is_none() -> None:
    assert connections(Wire().call().frames) == []
