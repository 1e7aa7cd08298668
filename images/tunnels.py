"""What packets of IP carry instead of TCP: other packets, as mirrored traffic and overlays have them.

GRE (RFC 2784, 2890), with ERSPAN in it (draft-foschiano-erspan), VXLAN (RFC 7348), GENEVE (RFC 8926), IP in IP (RFC
2003, 2473). Nothing here raises: what cannot be looked into gives the reason.
"""

ETHERNET, IPV4, IPV6 = 0x6558, 0x0800, 0x86DD  # numbers of protocols, as in the header of Ethernet and of GRE
_ERSPAN_2, _ERSPAN_3 = 0x88BE, 0x22EB
_VXLAN_PORTS, _GENEVE_PORT = (4789, 8472), 6081  # IANA, and what Linux had before
_IN_IP, _UDP, _IPV6_IN_IP, _GRE = 4, 17, 41, 47
_SEALED = {50: "IPsec (ESP), which cannot be looked into", 132: "SCTP, which is not looked into here"}


def carried(protocol: int, data: bytes) -> tuple[int, bytes] | str:
    """What a packet of IP with this protocol carries: the kind of packet, and its bytes; or why there is none."""
    if protocol == _IN_IP:
        return IPV4, data
    if protocol == _IPV6_IN_IP:
        return IPV6, data
    if protocol == _GRE:
        return _in_gre(data)
    if protocol == _UDP:
        return _in_udp(data)
    return _SEALED.get(protocol, "no TCP segment")


def _in_gre(data: bytes) -> tuple[int, bytes] | str:
    if len(data) < 4:
        return "cut off inside the GRE header"
    flags, kind = data[0], int.from_bytes(data[2:4], "big")
    if data[1] & 0x07:
        return "GRE of another version (PPTP), which is not looked into here"
    if flags & 0x40:
        return "GRE with routing, which is not looked into here"
    start = 4 + sum(4 for bit in (0x80, 0x20, 0x10) if flags & bit)  # checksum, key, sequence number
    if kind == _ERSPAN_2 and flags & 0x10:  # without one it is type I, which has no header
        start += 8
    if kind == _ERSPAN_3:
        start += 12 + (8 if len(data) > start + 11 and data[start + 11] & 0x01 else 0)
    if kind in (_ERSPAN_2, _ERSPAN_3):
        kind = ETHERNET
    if kind not in (ETHERNET, IPV4, IPV6):
        return f"GRE of protocol {kind:#06x}, which is not looked into here"
    return (kind, data[start:]) if len(data) > start else "cut off inside the GRE header"


def _in_udp(data: bytes) -> tuple[int, bytes] | str:
    port = int.from_bytes(data[2:4], "big")
    if len(data) < 16 or port not in (*_VXLAN_PORTS, _GENEVE_PORT):
        return "no TCP segment"
    if port == _GENEVE_PORT:
        kind, start = int.from_bytes(data[10:12], "big"), 16 + (data[8] & 0x3F) * 4
        if data[8] >> 6 or kind not in (ETHERNET, IPV4, IPV6):
            return f"GENEVE of protocol {kind:#06x}, which is not looked into here"
        return (kind, data[start:]) if len(data) > start else "cut off inside the GENEVE header"
    if not data[8] & 0x08:
        return "UDP to the port of VXLAN, without its header"
    return (ETHERNET, data[16:]) if len(data) > 16 else "cut off inside the VXLAN header"
