"""Captures of both forms and both byte orders are read to the packet; a damaged one is told of by its place."""

import contextlib
import struct

import pytest
from capture_rig import BEGIN_NS, Frame, block, interface, pcap, pcapng, section
from hypothesis import given
from hypothesis import strategies as st

from images.captures import CaptureError, is_capture, read_capture

FRAMES = [Frame(b"first packet", BEGIN_NS), Frame(b"", BEGIN_NS + 1_000), Frame(b"third", BEGIN_NS + 2_000_000_123)]
FORMS = {
    "pcap": pcap,
    "pcap big": lambda frames: pcap(frames, order=">"),
    "pcap ns": lambda frames: pcap(frames, nano=True),
    "pcapng": pcapng,
    "pcapng big": lambda frames: pcapng(frames, order=">"),
    "pcapng ns": lambda frames: pcapng(frames, resolution=9),
    "pcapng 2^-30": lambda frames: pcapng(frames, resolution=0x80 | 30),
}
PRECISION = {"pcap": 1_000, "pcap big": 1_000, "pcapng": 1_000, "pcapng big": 1_000, "pcapng 2^-30": 2}


@pytest.mark.parametrize("form", FORMS)
def test_every_packet_is_read_with_its_time(form: str) -> None:
    data = FORMS[form](FRAMES)
    assert is_capture(data)
    found = read_capture(data)
    assert [(each.number, each.link, each.data, each.missing) for each in found.packets] == [
        (1, 1, b"first packet", 0), (2, 1, b"", 0), (3, 1, b"third", 0),
    ]  # fmt: skip
    for packet, frame in zip(found.packets, FRAMES, strict=True):
        assert packet.time_ns is not None
        assert 0 <= frame.time_ns - packet.time_ns < PRECISION.get(form, 1)
    assert found.remarks == ()


@pytest.mark.parametrize("form", FORMS)
@given(cut=st.integers(1, 400))
def test_a_file_that_ends_inside_a_packet_gives_those_before_it_and_says_so(form: str, cut: int) -> None:
    data = FORMS[form](FRAMES)
    whole = read_capture(data).packets
    try:
        found = read_capture(data[:-cut])
    except CaptureError:
        assert len(data) - cut < 28  # not even the header
        return
    assert list(found.packets) == list(whole[: len(found.packets)])
    if len(found.packets) < len(whole) and not found.remarks:  # cut between two packets: nobody can know
        assert any(data[:-cut] == FORMS[form](FRAMES[:count]) for count in range(4)) or form.startswith("pcapng")
    for remark in found.remarks:
        assert f"inside packet {len(found.packets) + 1}, at byte {len(data) - cut}" in remark


def with_fraction(fraction: int, nano: bool = False) -> bytes:
    data = bytearray(pcap(FRAMES[:1], nano=nano))
    data[28:32] = fraction.to_bytes(4, "little")
    return bytes(data)


def test_a_part_of_a_second_that_is_over_one_is_carried_and_told() -> None:
    for data, after_ns in ((with_fraction(1_000_003), 3_000), (with_fraction(1_000_000_007, nano=True), 7)):
        found = read_capture(data)
        assert found.packets[0].time_ns == BEGIN_NS + 1_000_000_000 + after_ns
        assert "part of a second is over one, which is carried: 1" in found.remarks[0]


def test_nanoseconds_in_a_file_of_microseconds_are_told_of() -> None:
    with pytest.raises(CaptureError, match=r"byte 28: packet 1 has no time: .* or it holds nanoseconds"):
        read_capture(with_fraction(999_999_999))


def test_times_of_zero_are_none() -> None:
    found = read_capture(pcap([Frame(b"a", 0), Frame(b"b", 0)]))
    assert [each.time_ns for each in found.packets] == [None, None]
    assert "no packet has a time: all are 0" in found.remarks[0]
    relative = read_capture(pcap([Frame(b"a", 0), Frame(b"b", 5_000)]))
    assert [each.time_ns for each in relative.packets] == [0, 5_000]
    assert relative.remarks == ()


@pytest.mark.parametrize("offset_s", [-(10**12), 10**12])
def test_a_time_that_no_calendar_has_is_none(offset_s: int) -> None:
    option = struct.pack("<HHqHH", 14, 8, offset_s, 0, 0)
    described = block(1, struct.pack("<HHI", 1, 0, 0) + option, "<")
    packet = block(6, struct.pack("<IIIII", 0, 0, 1, 1, 1) + b"a", "<")
    found = read_capture(section("<") + described + packet)
    assert [each.time_ns for each in found.packets] == [None]
    assert "packet 1 has a time before 1970 or after 9999" in found.remarks[0]


def test_the_last_second_that_a_capture_can_tell_is_read() -> None:
    last = 0xFFFF_FFFF * 1_000_000_000
    assert [each.time_ns for each in read_capture(pcap([Frame(b"a", last)])).packets] == [last]


def test_packets_that_are_not_in_the_order_of_their_times_are_told_of() -> None:
    found = read_capture(pcap(FRAMES[::-1]))
    assert [each.data for each in found.packets] == [b"third", b"", b"first packet"]
    assert "before that of the packet before: 2; the order of the file counts" in found.remarks[0]


def test_bytes_that_were_cut_off_are_counted() -> None:
    (packet,) = read_capture(pcap([Frame(b"0123456789")], snap=4)).packets
    assert (packet.data, packet.missing) == (b"0123", 6)


def test_a_link_type_is_read_without_the_length_of_the_check_sequence_above_it() -> None:
    assert read_capture(pcap([Frame(b"x")], link=0x4000_0001)).packets[0].link == 1


def test_simple_packets_and_several_sections_of_either_order_are_read() -> None:
    simple = block(3, b"\x05\0\0\0hello", "<")
    old = block(2, b"\0\0" + bytes(2 + 4) + b"\0\0\0\0\0\0\0\x02\0\0\0\x02hi", ">")
    data = section("<") + interface(101, "<") + simple + section(">") + interface(113, ">") + old
    found = read_capture(data).packets
    assert [(each.link, each.data) for each in found] == [(101, b"hello"), (113, b"hi")]
    assert found[0].time_ns is None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x1f\x8b\x08rest", "gunzip"),
        (b"\x34\xcd\xb2\xa1rest", "editcap -F pcap"),
        (b"nothing like it", "neither pcap nor pcapng"),
        (b"", "neither pcap nor pcapng"),
        (pcap([])[:20], "byte 20: the file ends inside its header"),
        (pcap([]) + b"\0" * 8 + b"\xff\xff\xff\x7f" + b"\0" * 4, "byte 32: packet 1 of 2147483647 bytes"),
        (pcap([]) + b"\0" * 4 + b"\xff\xff\xff\xff" + b"\0" * 8, "byte 28: packet 1 has no time"),
        (section("<")[:8] + b"\0" * 4 + section("<")[12:], "byte 8: a section without its byte-order mark"),
        (section("<") + block(6, bytes(20), "<"), "is of interface 0, which is not described before it"),
        (section("<") + interface(1, "<") + block(6, bytes(12) + b"\x09\0\0\0\x09\0\0\0", "<"), "does not fit"),
        (section("<") + block(6, b"", "<"), "is too short for its kind"),
        (section("<") + interface(1, "<")[:-4] + b"\0\0\0\0", "ends with another length than it begins with"),
        (section("<") + b"\x05\0\0\0\x0d\0\0\0" + bytes(8), "a block of 13 bytes"),
    ],
)
def test_a_damaged_file_is_told_of_with_its_place(data: bytes, said: str) -> None:
    with pytest.raises(CaptureError) as found:
        read_capture(data)
    assert said in str(found.value)
    assert "byte" in str(found.value)


@given(data=st.binary(max_size=200), form=st.sampled_from(sorted(FORMS)), at=st.integers(0, 250))
def test_any_bytes_give_packets_or_the_one_error(data: bytes, form: str, at: int) -> None:
    good = FORMS[form](FRAMES)
    for each in (data, good[:at] + data + good[at + len(data) :], good[:at] + data):
        with contextlib.suppress(CaptureError):
            read_capture(each)
