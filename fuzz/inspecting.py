"""`denbun inspect`: the first byte says what follows: bytes (0), hex text (1), a capture (2), packets in a capture (3).

What must hold: only `HexError` and `CaptureError` come out, and their texts show no number; every byte that was given
is told of once, in order; the streams of a connection are covered by telegrams, skipped bytes and gaps.
"""

from fuzz.streams import CAFIS, CARD_LIKE, CARDNET
from images.captures import CaptureError, Packet, read_capture
from images.conversation import talks_of
from images.cutting import Skipped, cut_stream
from images.finding import find
from images.hextext import HexError, readings, text_of
from images.streams import Direction, connections_of
from images.telling import tell

_PARTNERS = (CAFIS, CARDNET)
_LINKS = (1, 101, 0, 113, 276)


def inspect(data: bytes) -> None:
    """Whatever somebody may give."""
    kind, given = data[:1], data[1:]
    try:
        if kind == b"\1":
            for way in readings(text_of(given)).ways:
                for piece in way.pieces:
                    _bytes(piece)
        elif kind == b"\2":
            _capture(read_capture(given).packets)
        elif kind == b"\3":
            _capture(_packets(given))
        else:
            _bytes(given)
    except (HexError, CaptureError) as error:
        assert CARD_LIKE.search(f"{error} {error!r}") is None, "an error text holds what could be a card number"


def _bytes(data: bytes) -> None:
    finding = find(_PARTNERS, data)
    assert b"".join(each.framing + each.data for each in finding.found) == data, "bytes were lost or doubled"
    for found in finding.found:
        at = 0
        for row in tell(found):
            assert row.offset == at, "a byte is told of twice, or not at all"
            assert len(row.cells) == len(row.characters)
            at += row.size
        assert at == len(found.data), "bytes at the end are not told of"


def _packets(data: bytes) -> tuple[Packet, ...]:
    """Packets without a file around them: two bytes of length before each, whose first three bits say the link type."""
    packets: list[Packet] = []
    at = 0
    while len(data) - at > 2:
        head = int.from_bytes(data[at : at + 2], "big")
        link, size = _LINKS[(head >> 13) % len(_LINKS)], head & 0x1FFF
        packets.append(Packet(len(packets) + 1, None, link, data[at + 2 : at + 2 + size], 0))
        at += 2 + size
    return tuple(packets)


def _capture(packets: tuple[Packet, ...]) -> None:
    connections, _ = connections_of(packets)
    talks, silent = talks_of(connections, _PARTNERS, _PARTNERS)
    assert len(talks) + len(silent) == len(connections)
    for connection in connections:
        for direction in (connection.there, connection.back):
            _stream(direction)


def _stream(direction: Direction) -> None:
    for partner in _PARTNERS:
        at = 0
        for each in cut_stream(partner, direction, _PARTNERS):
            assert each.offset == at, "a byte of the stream is in two places, or in none"
            at += each.size if isinstance(each, Skipped) else len(each.found.framing) + len(each.found.data)
        assert at == direction.size
