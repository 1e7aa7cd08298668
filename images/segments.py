"""Packets into TCP segments: link layers that lines are captured on, VLAN tags, IPv4 and IPv6 (RFC 791, 8200, 9293).

What comes encapsulated, also several times over, is taken out first (`images/tunnels.py`).

Nothing here raises for a packet: one that holds no TCP segment gives the reason, to be counted and told.
"""

import ipaddress
import struct
from typing import NamedTuple

from images.captures import Packet
from images.tunnels import ETHERNET, IPV4, IPV6, carried

_VLAN = {0x8100, 0x88A8, 0x9100}
_TCP = 6
_DEEPEST = 8  # packets within packets
_EXTENSIONS = {0, 43, 60, 135}  # IPv6 headers that say how long they are, in units of 8 bytes
_FRAGMENT = 44
_LINKS = {  # link type: name, where the protocol's number stands (None: by the version of IP), where the packet begins
    1: ("Ethernet", 12, 14),
    12: ("raw IP", None, 0),
    14: ("raw IP", None, 0),
    101: ("raw IP", None, 0),
    228: ("raw IPv4", None, 0),
    229: ("raw IPv6", None, 0),
    0: ("loopback", None, 4),
    108: ("loopback", None, 4),
    113: ("Linux cooked", 14, 16),
    276: ("Linux cooked v2", 0, 20),
}

LINK_NAMES = {link: name for link, (name, _, _) in _LINKS.items()}


class End(NamedTuple):
    """One end of a connection."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


class Segment(NamedTuple):
    """A TCP segment. `size` bytes of the stream are in it, of which the capture holds `data`, from the first on."""

    packet: int
    time_ns: int | None
    source: End
    target: End
    sequence: int
    syn: bool
    ack: bool
    ended: bool  # FIN or RST
    size: int
    data: bytes


def segment_of(packet: Packet) -> Segment | str:
    """The TCP segment of a packet, or why there is none."""
    if packet.link not in _LINKS:
        return f"link type {packet.link}, which is not known here"
    name, at_protocol, start = _LINKS[packet.link]
    data = packet.data
    if len(data) < start + 1:
        return f"cut off inside the {name} header"
    if at_protocol is None:
        protocol = {4: IPV4, 6: IPV6}.get(data[start] >> 4, 0)
    else:
        protocol = int.from_bytes(data[at_protocol : at_protocol + 2], "big")
        protocol, start = _behind_tags(protocol, data, start)
    return _in_network(packet, protocol, data[start:], 0)


def _behind_tags(protocol: int, data: bytes, start: int) -> tuple[int, int]:
    """The protocol and the place behind the tags of virtual networks."""
    while protocol in _VLAN and len(data) >= start + 4:
        protocol = int.from_bytes(data[start + 2 : start + 4], "big")
        start += 4
    return protocol, start


def _in_network(packet: Packet, protocol: int, data: bytes, depth: int) -> Segment | str:
    if depth > _DEEPEST:
        return f"more than {_DEEPEST} packets within one another"
    if protocol == ETHERNET:
        if len(data) < 15:
            return "cut off inside the Ethernet header"
        protocol, start = _behind_tags(int.from_bytes(data[12:14], "big"), data, 14)
        return _in_network(packet, protocol, data[start:], depth + 1)
    if protocol == IPV4:
        return _in_ipv4(packet, data, depth)
    return _in_ipv6(packet, data, depth) if protocol == IPV6 else "no IP packet"


def packet_in(data: bytes) -> Packet | None:
    """Bytes that are one whole packet, as Wireshark copies it, if they are: the header of IP checks out."""
    for link, (_, _, start) in _LINKS.items():
        segment = segment_of(Packet(1, None, link, data, 0))
        if isinstance(segment, Segment) and segment.data and _checks_out(data, start):
            return Packet(1, None, link, data, 0)
    return None


def _checks_out(data: bytes, start: int) -> bool:
    """Whether a packet of IP begins there, or behind a VLAN tag: by checksum (RFC 791, 3.1) or length (RFC 8200, 3)."""
    for at in (start, start + 4):
        head = (data[at] & 0x0F) * 4 if len(data) > at else 0
        header = data[at : at + head]
        if data[at : at + 1] and data[at] >> 4 == 4 and len(header) >= 20:
            words = sum(int.from_bytes(header[each : each + 2], "big") for each in range(0, head, 2))
            if (words & 0xFFFF) + (words >> 16) in (0xFFFF, 0x1_FFFE):
                return int.from_bytes(header[2:4], "big") <= len(data) - at
        if data[at : at + 1] and data[at] >> 4 == 6 and len(data) >= at + 40:
            return int.from_bytes(data[at + 4 : at + 6], "big") == len(data) - at - 40
    return False


def _in_ipv4(packet: Packet, data: bytes, depth: int) -> Segment | str:
    if len(data) < 20:
        return "cut off inside the IPv4 header"
    head = (data[0] & 0x0F) * 4
    total, _, fragment = struct.unpack_from(">HHH", data, 2)
    if data[0] >> 4 != 4 or head < 20:
        return "a damaged IPv4 header"
    if fragment & 0x3FFF:  # more to come, or not the first
        return "a fragment of an IPv4 packet, which is not put together here"
    total = total or len(data) + packet.missing  # 0: cut up by the network card, after it was captured
    if total < head:
        return "a damaged IPv4 header"
    if data[9] != _TCP:
        return _within(packet, data[9], data[head:total], depth)
    ends = str(ipaddress.IPv4Address(data[12:16])), str(ipaddress.IPv4Address(data[16:20]))
    return _in_tcp(packet, data[head:total], total - head, ends)


def _within(packet: Packet, protocol: int, data: bytes, depth: int) -> Segment | str:
    found = carried(protocol, data)
    return found if isinstance(found, str) else _in_network(packet, *found, depth + 1)


def _in_ipv6(packet: Packet, data: bytes, depth: int) -> Segment | str:
    if len(data) < 40:
        return "cut off inside the IPv6 header"
    following, at = data[6], 40
    size = struct.unpack_from(">H", data, 4)[0] or len(data) + packet.missing - 40
    total = 40 + size
    while following in _EXTENSIONS and len(data) >= at + 8:
        following, at = data[at], at + 8 * (data[at + 1] + 1)
    if following == _FRAGMENT:
        return "a fragment of an IPv6 packet, which is not put together here"
    if total < at:
        return "a damaged IPv6 header"
    if following != _TCP:
        return _within(packet, following, data[at:total], depth)
    ends = str(ipaddress.IPv6Address(data[8:24])), str(ipaddress.IPv6Address(data[24:40]))
    return _in_tcp(packet, data[at:total], total - at, ends)


def _in_tcp(packet: Packet, data: bytes, total: int, addresses: tuple[str, str]) -> Segment | str:
    if len(data) < 20:
        return "cut off inside the TCP header"
    source, target, sequence = struct.unpack_from(">HHI", data)
    head, flags = (data[12] >> 4) * 4, data[13]
    if head < 20 or head > total:
        return "a damaged TCP header"
    return Segment(
        packet=packet.number,
        time_ns=packet.time_ns,
        source=End(addresses[0], source),
        target=End(addresses[1], target),
        sequence=sequence,
        syn=bool(flags & 0x02),
        ack=bool(flags & 0x10),
        ended=bool(flags & 0x05),
        size=total - head,
        data=data[head:],
    )
