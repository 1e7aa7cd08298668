"""TCP segments are found behind every link layer that lines are captured on; what holds none says why."""

import pytest
from capture_rig import (
    ACK,
    CENTRE,
    CENTRE_6,
    FIN,
    GATEWAY,
    GATEWAY_6,
    SYN,
    ethernet,
    ipv4,
    ipv6,
    link_layer,
    tcp,
)
from hypothesis import given
from hypothesis import strategies as st

from images.captures import Packet
from images.segments import LINK_NAMES, End, Segment, packet_in, segment_of

PAYLOAD = b"0044900"
PACKET = ipv4(GATEWAY, CENTRE, tcp(GATEWAY, CENTRE, 77, PAYLOAD))
PACKET_6 = ipv6(GATEWAY_6, CENTRE_6, tcp(GATEWAY_6, CENTRE_6, 77, PAYLOAD))


def found(data: bytes, link: int = 1, missing: int = 0) -> Segment | str:
    return segment_of(Packet(3, 5, link, data, missing))


@pytest.mark.parametrize("link", [0, 1, 101, 108, 113, 276])
@pytest.mark.parametrize("packet", [PACKET, PACKET_6], ids=["IPv4", "IPv6"])
def test_a_segment_is_found_behind_every_link_layer(link: int, packet: bytes) -> None:
    segment = found(link_layer(packet, link), link)
    assert isinstance(segment, Segment)
    assert (segment.packet, segment.time_ns, segment.sequence, segment.size) == (3, 5, 77, len(PAYLOAD))
    assert segment.data == PAYLOAD
    assert {segment.source.port, segment.target.port} == {40_001, 7_501}
    assert str(segment.source) in ("10.0.0.1:40001", "[2001:db8::1]:40001")
    assert link in LINK_NAMES


@pytest.mark.parametrize("tags", [(0x8100,), (0x88A8, 0x8100)])
def test_tags_of_virtual_networks_are_stepped_over(tags: tuple[int, ...]) -> None:
    segment = found(ethernet(PACKET, tags=tags))
    assert isinstance(segment, Segment)
    assert segment.source == End("10.0.0.1", 40_001)


def test_what_ethernet_fills_up_short_packets_with_is_no_data() -> None:
    segment = found(ethernet(PACKET) + bytes(30))
    assert isinstance(segment, Segment)
    assert segment.data == PAYLOAD


def test_extension_headers_are_stepped_over() -> None:
    hops = b"\x3c\x00" + bytes(6) + b"\x06\x01" + bytes(14)
    segment = found(ethernet(ipv6(GATEWAY_6, CENTRE_6, tcp(GATEWAY_6, CENTRE_6, 1, PAYLOAD), hops=hops)))
    assert isinstance(segment, Segment)
    assert segment.data == PAYLOAD


def test_flags_are_told_and_options_are_no_data() -> None:
    call = found(ethernet(ipv4(GATEWAY, CENTRE, tcp(GATEWAY, CENTRE, 1, b"", SYN))))
    assert isinstance(call, Segment)
    assert (call.syn, call.ack, call.ended, call.size) == (True, False, False, 0)
    end = found(ethernet(ipv4(GATEWAY, CENTRE, tcp(GATEWAY, CENTRE, 1, b"", FIN | ACK))))
    assert isinstance(end, Segment)
    assert (end.syn, end.ack, end.ended) == (False, True, True)


def test_of_a_packet_that_was_cut_off_the_missing_bytes_are_counted() -> None:
    data = ethernet(PACKET)
    segment = found(data[:-4], missing=4)
    assert isinstance(segment, Segment)
    assert (segment.data, segment.size) == (PAYLOAD[:-4], len(PAYLOAD))


@pytest.mark.parametrize(
    ("data", "link", "said"),
    [
        (ethernet(PACKET), 147, "link type 147, which is not known here"),
        (ethernet(PACKET)[:10], 1, "cut off inside the Ethernet header"),
        (ethernet(PACKET)[:20], 1, "cut off inside the IPv4 header"),
        (ethernet(PACKET_6)[:30], 1, "cut off inside the IPv6 header"),
        (ethernet(PACKET)[:40], 1, "cut off inside the TCP header"),
        (b"\xff" * 12 + b"\x08\x06" + bytes(28), 1, "no IP packet"),
        (ethernet(ipv4(GATEWAY, CENTRE, b"a datagram", protocol=17)), 1, "no TCP segment"),
        (ethernet(ipv4(GATEWAY, CENTRE, tcp(GATEWAY, CENTRE, 1), fragment=0x2000)), 1, "a fragment of an IPv4 packet"),
        (ethernet(b"\x42" + PACKET[1:]), 1, "a damaged IPv4 header"),
        (ethernet(PACKET[:32] + b"\x10" + PACKET[33:]), 1, "a damaged TCP header"),
    ],
)
def test_what_holds_no_segment_says_why(data: bytes, link: int, said: str) -> None:
    segment = found(data, link)
    assert isinstance(segment, str)
    assert said in segment


@given(
    st.binary(max_size=120),
    st.sampled_from(sorted(LINK_NAMES)),
    st.integers(0, 90),
    st.sampled_from([PACKET, PACKET_6]),
)
def test_any_bytes_give_a_segment_or_a_reason(data: bytes, link: int, at: int, good: bytes) -> None:
    for each in (data, good[:at] + data + good[at + len(data) :]):
        segment = found(each, link)
        assert isinstance(segment, str) or len(segment.data) <= segment.size
        packet_in(each)


@pytest.mark.parametrize("link", [0, 1, 101, 113, 276])
@pytest.mark.parametrize("packet", [PACKET, PACKET_6], ids=["IPv4", "IPv6"])
def test_a_packet_copied_as_bytes_is_known_for_one(link: int, packet: bytes) -> None:
    known = packet_in(link_layer(packet, link))
    assert known is not None
    segment = segment_of(known)
    assert isinstance(segment, Segment)
    assert segment.data == PAYLOAD


def test_a_packet_whose_header_does_not_check_out_is_not_taken_for_one() -> None:
    damaged = bytearray(ethernet(PACKET))
    damaged[14 + 8] ^= 1  # its time to live
    assert packet_in(bytes(damaged)) is None
