"""Captures as tcpdump and Wireshark write them, made here byte by byte."""

import socket
import struct
from collections.abc import Sequence
from typing import NamedTuple

FIN, SYN, RST, PUSH, ACK = 1, 2, 4, 8, 16
GATEWAY, CENTRE = ("10.0.0.1", 40_001), ("10.0.0.9", 7_501)
GATEWAY_6, CENTRE_6 = ("2001:db8::1", 40_001), ("2001:db8::9", 7_501)
BEGIN_NS = 1_743_467_415_000_000_000  # 2025-04-01 09:30:15 in Japan
MS = 1_000_000

Address = tuple[str, int]


class Frame(NamedTuple):
    """A packet as it passed, and when."""

    data: bytes
    time_ns: int = BEGIN_NS


def tcp(source: Address, target: Address, sequence: int, payload: bytes = b"", flags: int = ACK) -> bytes:
    options = b"\x01\x01\x01\x01" if flags & SYN else b""
    head = struct.pack(
        ">HHIIBBHHH", source[1], target[1], sequence % (1 << 32), 0, (5 + len(options) // 4) << 4, flags, 65_535, 0, 0
    )
    return head + options + payload


def ipv4(source: Address, target: Address, inside: bytes, *, fragment: int = 0, protocol: int = 6) -> bytes:
    head = bytearray(
        struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(inside), 7, fragment, 64, protocol, 0,
                    socket.inet_aton(source[0]), socket.inet_aton(target[0]))
    )  # fmt: skip
    words = sum(int.from_bytes(head[at : at + 2], "big") for at in range(0, 20, 2))
    words = (words & 0xFFFF) + (words >> 16)
    head[10:12] = (~words & 0xFFFF).to_bytes(2, "big")
    return bytes(head) + inside


def ipv6(source: Address, target: Address, inside: bytes, *, hops: bytes = b"") -> bytes:
    first = 0 if hops else 6
    ends = socket.inet_pton(socket.AF_INET6, source[0]) + socket.inet_pton(socket.AF_INET6, target[0])
    return struct.pack(">IHBB", 0x6000_0000, len(hops) + len(inside), first, 64) + ends + hops + inside


def ethernet(packet: bytes, *, tags: Sequence[int] = ()) -> bytes:
    kind = 0x86DD if packet[0] >> 4 == 6 else 0x0800
    told = b"".join(struct.pack(">HH", tag, 100) for tag in tags)
    return b"\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02" + told + kind.to_bytes(2, "big") + packet


def link_layer(packet: bytes, link: int) -> bytes:
    """A packet of IP behind the header of this link type."""
    kind = (0x86DD if packet[0] >> 4 == 6 else 0x0800).to_bytes(2, "big")
    family = 30 if packet[0] >> 4 == 6 else 2
    heads = {
        1: b"\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02" + kind,
        101: b"",
        0: struct.pack("<I", family),
        108: struct.pack(">I", family),
        113: b"\x00\x00\x00\x01\x00\x06" + bytes(8) + kind,
        276: kind + bytes(18),
    }
    return heads[link] + packet


def pcap(frames: Sequence[Frame], *, link: int = 1, order: str = "<", nano: bool = False, snap: int = 65_535) -> bytes:
    magic = 0xA1B2_3C4D if nano else 0xA1B2_C3D4
    out = [struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, snap, link)]
    for frame in frames:
        seconds, rest = divmod(frame.time_ns, 1_000_000_000)
        held = frame.data[:snap]
        out.append(struct.pack(f"{order}IIII", seconds, rest if nano else rest // 1_000, len(held), len(frame.data)))
        out.append(held)
    return b"".join(out)


def block(kind: int, body: bytes, order: str) -> bytes:
    padded = body + bytes(-len(body) % 4)
    length = struct.pack(f"{order}I", len(padded) + 12)
    return struct.pack(f"{order}I", kind) + length + padded + length


def section(order: str) -> bytes:
    return block(0x0A0D_0D0A, struct.pack(f"{order}IHHq", 0x1A2B_3C4D, 1, 0, -1), order)


def interface(link: int, order: str, *, resolution: int | None = None, snap: int = 0) -> bytes:
    option = b"" if resolution is None else struct.pack(f"{order}HHB3xHH", 9, 1, resolution, 0, 0)
    return block(1, struct.pack(f"{order}HHI", link, 0, snap) + option, order)


def pcapng(frames: Sequence[Frame], *, link: int = 1, order: str = "<", resolution: int | None = None) -> bytes:
    ticks = 1_000_000
    if resolution is not None:
        ticks = 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution
    out = [section(order), interface(link, order, resolution=resolution), block(5, bytes(12), order)]
    for frame in frames:
        at = frame.time_ns * ticks // 1_000_000_000
        head = struct.pack(f"{order}IIIII", 0, at >> 32, at & 0xFFFF_FFFF, len(frame.data), len(frame.data))
        out.append(block(6, head + frame.data, order))
    return b"".join(out)


class Wire:
    """A TCP connection that is captured on its way: who says what, in which segments."""

    def __init__(
        self, *, ends: tuple[Address, Address] = (GATEWAY, CENTRE), begin: tuple[int, int] = (1_000, 9_000)
    ) -> None:
        self.ends = ends
        self.next = dict(zip(ends, begin, strict=True))
        self.frames: list[Frame] = []
        self.now_ns = BEGIN_NS

    def other(self, end: Address) -> Address:
        return self.ends[1] if end == self.ends[0] else self.ends[0]

    def call(self) -> "Wire":
        """The three-way handshake."""
        first, second = self.ends
        self.put(first, self.next[first], flags=SYN)
        self.put(second, self.next[second], flags=SYN | ACK)
        for end in self.ends:
            self.next[end] += 1
        self.put(first, self.next[first])
        return self

    def put(self, source: Address, sequence: int, payload: bytes = b"", flags: int = ACK) -> None:
        target = self.other(source)
        wrap = ipv6 if ":" in source[0] else ipv4
        self.frames.append(
            Frame(ethernet(wrap(source, target, tcp(source, target, sequence, payload, flags))), self.now_ns)
        )

    def say(self, source: Address, payload: bytes, *, pieces: int = 1, after_ms: int = 10) -> "Wire":
        """Say this, in so many segments."""
        size = -(-len(payload) // pieces)
        for at in range(0, len(payload), size):
            self.now_ns += after_ms * MS
            part = payload[at : at + size]
            self.put(source, self.next[source], part, PUSH | ACK)
            self.next[source] += len(part)
        return self
