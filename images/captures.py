"""Capture files into packets: pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng), both byte orders.

A file that ends inside its last packet was cut while it was written: what is before it counts, and that is remarked.
Everything else that is wrong raises `CaptureError`, with the place.
"""

import struct
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

_LARGEST_PACKET = 16 * 1024 * 1024  # bytes; a greater length is a damaged file, not a packet
_NS = 1_000_000_000
_LATEST_NS = 253_402_214_400 * _NS  # the last day of 9999

_PCAP = {  # magic number: byte order, ticks a second
    b"\xd4\xc3\xb2\xa1": ("<", 1_000_000),
    b"\xa1\xb2\xc3\xd4": (">", 1_000_000),
    b"\x4d\x3c\xb2\xa1": ("<", _NS),
    b"\xa1\xb2\x3c\x4d": (">", _NS),
}
_SECTION = b"\x0a\x0d\x0d\x0a"
_FOREIGN = {
    b"\x1f\x8b": "compressed with gzip: decompress it first (`gunzip`)",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: decompress it first (`unzstd`)",
    b"\x34\xcd\xb2\xa1": "a variant of pcap: convert it with `editcap -F pcap`",
    b"\xa1\xb2\xcd\x34": "a variant of pcap: convert it with `editcap -F pcap`",
    b"snoop\0\0\0": "a snoop capture: convert it with `editcap -F pcap`",
}


class CaptureError(ValueError):
    """The file is no capture, or a damaged one. The message names the byte, and the remedy."""


class Packet(NamedTuple):
    """One packet as it was captured. `link` is its link type (tcpdump.org/linktypes); `missing` bytes were cut off."""

    number: int  # from 1, as Wireshark counts
    time_ns: int | None  # since 1970; None where the capture does not tell
    link: int
    data: bytes
    missing: int


class Capture(NamedTuple):
    """The packets of a file, in its order, and what is to be known about it."""

    packets: tuple[Packet, ...]
    remarks: tuple[str, ...]


def is_capture(data: bytes) -> bool:
    """Whether these bytes begin as a capture does, one that cannot be read included."""
    return data[:4] in _PCAP or data[:4] == _SECTION or any(data.startswith(magic) for magic in _FOREIGN)


def read_capture(data: bytes) -> Capture:
    """The packets of a capture file. Raises `CaptureError`."""
    for magic, problem in _FOREIGN.items():
        if data.startswith(magic):
            raise CaptureError(f"byte 0: {problem}")
    if data[:4] == _SECTION:
        return _read_pcapng(data)
    if data[:4] in _PCAP:
        return _read_pcap(data)
    raise CaptureError("byte 0: neither pcap nor pcapng: make the capture with `tcpdump -w` or save it from Wireshark")


def _cut(number: int, at: int) -> str:
    return f"the file ends inside packet {number}, at byte {at}: it was cut while it was written, or copied in part"


def _dated(packets: list[Packet], carried: int = 0, *remarks: str) -> Capture:
    """The capture, with what is odd about its times."""
    told = list(remarks)
    if carried:
        told.append(
            f"端数が 1 秒以上の時刻（繰り上げ）  times whose part of a second is over one, which is carried: {carried}"
        )
    unfit = {each.number for each in packets if each.time_ns is not None and not 0 <= each.time_ns < _LATEST_NS}
    if unfit:
        told.append(
            f"1970 年より前または 9999 年より後の時刻（時刻なしとします）  packet {min(unfit)} has a time before 1970 "
            f"or after 9999, and counts as without one; such packets: {len(unfit)}"
        )
    times = [each.time_ns for each in packets if each.time_ns is not None and each.number not in unfit]
    if times and not any(times):
        told.append("時刻がすべて 0 です（時刻なしとします）  no packet has a time: all are 0")
        unfit = {each.number for each in packets}
    backwards = sum(after < before for before, after in pairwise(times))
    if backwards:
        told.append(
            f"時刻順でないパケット（ファイルの順に読みます）  packets with a time before that of the packet before: "
            f"{backwards}; the order of the file counts: put it in order with `reordercap`"
        )
    kept = [each._replace(time_ns=None) if each.number in unfit else each for each in packets]
    return Capture(tuple(kept), tuple(told))


# --- pcap -----------------------------------------------------------------------------------------------------------


def _read_pcap(data: bytes) -> Capture:
    order, ticks = _PCAP[data[:4]]
    if len(data) < 24:
        raise CaptureError(f"byte {len(data)}: the file ends inside its header of 24 bytes: copy it again")
    link = struct.unpack_from(f"{order}I", data, 20)[0] & 0x0FFF_FFFF  # above: length of the frame check sequence
    packets: list[Packet] = []
    at, carried = 24, 0
    while at < len(data):
        number = len(packets) + 1
        if len(data) < at + 16:
            return _dated(packets, carried, _cut(number, len(data)))
        seconds, fraction, held, original = struct.unpack_from(f"{order}IIII", data, at)
        _check_length(held, number, at + 8)
        _check_fraction(fraction, ticks, number, at + 4)
        carried += fraction >= ticks
        at += 16
        if len(data) < at + held:
            return _dated(packets, carried, _cut(number, len(data)))
        time_ns = seconds * _NS + fraction * (_NS // ticks)
        packets.append(Packet(number, time_ns, link, data[at : at + held], max(0, original - held)))
        at += held
    return _dated(packets, carried)


def _check_fraction(fraction: int, ticks: int, number: int, at: int) -> None:
    """Raise `CaptureError` where the part of a second is two or more: some programs carry one second in it."""
    if fraction < 2 * ticks:
        return
    nanoseconds = (
        ", or it holds nanoseconds and says microseconds: begin it with the bytes 4d 3c b2 a1" if fraction < _NS else ""
    )
    raise CaptureError(f"byte {at}: packet {number} has no time: the file is damaged there{nanoseconds}")


def _check_length(length: int, number: int, at: int) -> None:
    if length > _LARGEST_PACKET:
        raise CaptureError(f"byte {at}: packet {number} of {length} bytes: the file is damaged there")


# --- pcapng ---------------------------------------------------------------------------------------------------------

_INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _PACKET = 1, 2, 3, 6
_BLOCK_LEAST = {_INTERFACE: 8, _OLD_PACKET: 20, _SIMPLE_PACKET: 4, _PACKET: 20}
_RESOLUTION, _TIME_OFFSET = 9, 14  # options of an interface


class _Interface(NamedTuple):
    link: int
    snap: int
    ticks: int  # a second
    offset_s: int


class _Block(NamedTuple):
    at: int
    kind: int
    order: str
    body: bytes


def _read_pcapng(data: bytes) -> Capture:
    packets: list[Packet] = []
    interfaces: list[_Interface] = []
    for block in _blocks(data):
        if block is None:
            return _dated(packets, 0, _cut(len(packets) + 1, len(data)))
        if len(block.body) < _BLOCK_LEAST.get(block.kind, 0):
            raise CaptureError(f"byte {block.at}: a block of {len(block.body)} bytes is too short for its kind")
        if block.kind == int.from_bytes(_SECTION, "big"):
            interfaces = []
        elif block.kind == _INTERFACE:
            interfaces.append(_interface(block))
        elif block.kind in _BLOCK_LEAST:
            packets.append(_packet(block, interfaces, len(packets) + 1))
    return _dated(packets)


def _blocks(data: bytes) -> Iterator[_Block | None]:
    """The blocks of all sections; None at the end where the file ends inside one."""
    at, order = 0, "<"
    while at < len(data):
        if len(data) < at + 12:
            yield None
            return
        if data[at : at + 4] == _SECTION:
            magic = data[at + 8 : at + 12]
            if magic not in (b"\x4d\x3c\x2b\x1a", b"\x1a\x2b\x3c\x4d"):
                raise CaptureError(f"byte {at + 8}: a section without its byte-order mark: the file is damaged there")
            order = "<" if magic[0] == 0x4D else ">"
        kind, length = struct.unpack_from(f"{order}II", data, at)
        if length < 12 or length % 4 or length > _LARGEST_PACKET:
            raise CaptureError(f"byte {at + 4}: a block of {length} bytes: the file is damaged there")
        if len(data) < at + length:
            yield None
            return
        if struct.unpack_from(f"{order}I", data, at + length - 4)[0] != length:
            raise CaptureError(f"byte {at + length - 4}: a block ends with another length than it begins with")
        yield _Block(at, kind, order, data[at + 8 : at + length - 4])
        at += length


def _interface(block: _Block) -> _Interface:
    link, _, snap = struct.unpack_from(f"{block.order}HHI", block.body)
    ticks, offset_s = 1_000_000, 0
    at = 8
    while at + 4 <= len(block.body):
        code, length = struct.unpack_from(f"{block.order}HH", block.body, at)
        value = block.body[at + 4 : at + 4 + length]
        if code == 0 or len(value) < length:
            break
        if code == _RESOLUTION and length == 1:
            ticks = 2 ** (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0]
        if code == _TIME_OFFSET and length == 8:
            offset_s = struct.unpack(f"{block.order}q", value)[0]
        at += 4 + (length + 3) // 4 * 4
    return _Interface(link, snap, ticks, offset_s)


def _packet(block: _Block, interfaces: list[_Interface], number: int) -> Packet:
    order, body, at = block.order, block.body, block.at
    if block.kind == _SIMPLE_PACKET:
        index, ticks_now, head = 0, None, 4
        (original,) = struct.unpack_from(f"{order}I", body)
        held = min(original, len(body) - 4)
    else:
        index, high, low, held, original = struct.unpack_from(f"{order}IIIII", body)
        index = index & 0xFFFF if block.kind == _OLD_PACKET and order == "<" else index
        index = index >> 16 if block.kind == _OLD_PACKET and order == ">" else index
        ticks_now, head = high << 32 | low, 20
    if index >= len(interfaces):
        raise CaptureError(f"byte {at}: packet {number} is of interface {index}, which is not described before it")
    interface = interfaces[index]
    if block.kind == _SIMPLE_PACKET and interface.snap:
        held = min(held, interface.snap)
    if held > len(body) - head:
        raise CaptureError(f"byte {at}: packet {number} of {held} bytes does not fit in its block: the file is damaged")
    time_ns = None if ticks_now is None else ticks_now * _NS // interface.ticks + interface.offset_s * _NS
    return Packet(number, time_ns, interface.link, body[head : head + held], max(0, original - held))
