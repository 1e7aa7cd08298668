"""TCP segments are found behind every link layer that lines are captured on; what holds none says why."""

import struct

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


OUTER = (("172.16.0.1", 0), ("172.16.0.2", 0))
OUTER_6 = (("2001:db8:1::1", 0), ("2001:db8:1::2", 0))


def udp(inside: bytes, port: int) -> bytes:
    return struct.pack(">HHHH", 40_000, port, 8 + len(inside), 0) + inside


def around(inside: bytes, protocol: int) -> bytes:
    return ipv4(*OUTER, inside, protocol=protocol)


def around_6(inside: bytes, protocol: int) -> bytes:
    packet = bytearray(ipv6(*OUTER_6, inside))
    packet[6] = protocol
    return bytes(packet)


def vxlan(packet: bytes) -> bytes:
    return around(udp(b"\x08\0\0\0\0\0\x2a\0" + ethernet(packet, tags=(0x8100,)), 4789), 17)


def kind(packet: bytes) -> bytes:
    return b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\0"


ENCAPSULATED = {
    "VXLAN": vxlan,
    "VXLAN to the old port": lambda packet: around(udp(b"\x08\0\0\0\0\0\x2a\0" + ethernet(packet), 8472), 17),
    "VXLAN in IPv6": lambda packet: around_6(udp(b"\x08\0\0\0\0\0\x2a\0" + ethernet(packet), 4789), 17),
    "GRE": lambda packet: around(b"\0\0" + kind(packet) + packet, 47),
    "GRE with checksum, key and number": lambda packet: around(b"\xb0\0" + kind(packet) + bytes(12) + packet, 47),
    "GRE of Ethernet": lambda packet: around(b"\0\0\x65\x58" + ethernet(packet), 47),
    "GRE in IPv6": lambda packet: around_6(b"\0\0" + kind(packet) + packet, 47),
    "ERSPAN I": lambda packet: around(b"\0\0\x88\xbe" + ethernet(packet), 47),
    "ERSPAN II": lambda packet: around(b"\x10\0\x88\xbe" + bytes(4 + 8) + ethernet(packet), 47),
    "ERSPAN III": lambda packet: around(b"\x10\0\x22\xeb" + bytes(4 + 12) + ethernet(packet), 47),
    "ERSPAN III and more": lambda packet: around(
        b"\x10\0\x22\xeb" + bytes(15) + b"\1" + bytes(8) + ethernet(packet), 47
    ),
    "GENEVE": lambda packet: around(udp(b"\x02\0\x65\x58" + bytes(4 + 8) + ethernet(packet), 6081), 17),
    "GENEVE of IP": lambda packet: around(udp(b"\0\0" + kind(packet) + bytes(4) + packet, 6081), 17),
    "IP in IP": lambda packet: around(packet, 41 if packet[0] >> 4 == 6 else 4),
    "IP in IPv6": lambda packet: around_6(packet, 41 if packet[0] >> 4 == 6 else 4),
    "VXLAN in GRE in VXLAN": lambda packet: vxlan(around(b"\0\0\x08\0" + vxlan(packet), 47)),
}


@pytest.mark.parametrize("packet", [PACKET, PACKET_6], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("way", ENCAPSULATED)
def test_a_segment_is_found_in_what_it_is_encapsulated_in(way: str, packet: bytes) -> None:
    segment = found(ethernet(ENCAPSULATED[way](packet)))
    assert isinstance(segment, Segment)
    assert (segment.sequence, segment.size, segment.data) == (77, len(PAYLOAD), PAYLOAD)
    assert segment.source.port == 40_001
    cut = found(ethernet(ENCAPSULATED[way](packet))[:-4], missing=4)
    assert isinstance(cut, Segment)
    assert (cut.size, cut.data) == (len(PAYLOAD), PAYLOAD[:-4])


def nested(times: int) -> bytes:
    packet = PACKET
    for _ in range(times):
        packet = around(packet, 4)
    return packet


@pytest.mark.parametrize(
    ("packet", "said"),
    [
        (around(b"\0\x01\x88\x0b" + PACKET, 47), "GRE of another version (PPTP)"),
        (around(b"\x40\0\x08\0" + PACKET, 47), "GRE with routing"),
        (around(b"\0\0\x88\x47" + PACKET, 47), "GRE of protocol 0x8847, which is not looked into here"),
        (around(b"\0\0", 47), "cut off inside the GRE header"),
        (around(b"\x30\0\x08\0\0", 47), "cut off inside the GRE header"),
        (around(udp(bytes(8) + ethernet(PACKET), 4789), 17), "UDP to the port of VXLAN, without its header"),
        (around(udp(b"\x08" + bytes(7), 4789), 17), "cut off inside the VXLAN header"),
        (around(udp(b"\x08" + bytes(12), 4789), 17), "cut off inside the Ethernet header"),
        (around(udp(b"\0\0\x88\x47" + bytes(4) + PACKET, 6081), 17), "GENEVE of protocol 0x8847"),
        (around(udp(b"\x3f\0\x08\0" + bytes(4) + PACKET, 6081), 17), "cut off inside the GENEVE header"),
        (around(udp(ethernet(PACKET), 53), 17), "no TCP segment"),
        (around(PACKET, 50), "IPsec (ESP), which cannot be looked into"),
        (nested(9), "more than 8 packets within one another"),
    ],
)
def test_an_encapsulation_that_is_not_looked_into_is_named(packet: bytes, said: str) -> None:
    segment = found(ethernet(packet))
    assert isinstance(segment, str)
    assert said in segment


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
    st.sampled_from([PACKET, PACKET_6, *(around(PACKET) for around in ENCAPSULATED.values())]),
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
