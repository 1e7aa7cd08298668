"""TCP segments into streams: what each end of a connection was sent, in order, once.

The capture is complete when this begins, so order and repeats need no buffering: a direction is its segments sorted by
place. What several segments tell is taken from the first that told it; where a later one tells otherwise, that is
remarked. What none tells is a gap, which is said and never closed up.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from images.captures import Packet
from images.segments import End, Segment, segment_of

_WRAP = 1 << 32


class Origin(NamedTuple):
    """Who told the bytes of a piece up to `end`, from where the origin before it ends."""

    end: int
    packet: int
    time_ns: int | None


class Piece(NamedTuple):
    """Bytes of a stream without a gap among them. `offset` counts from the first byte that the capture knows of."""

    offset: int
    data: bytes
    origins: tuple[Origin, ...]

    def completed(self, start: int, end: int) -> Origin:
        """Of the packets that told the bytes from `start` to `end` of the stream, the one that came last."""
        first = bisect_right(self.origins, start, key=lambda each: each.end)
        last = bisect_left(self.origins, end, key=lambda each: each.end)
        return max(self.origins[first : last + 1], key=lambda each: each.packet)


class Direction(NamedTuple):
    """What one end sent to the other. `whole`: the capture has its beginning. `repeated` bytes came more than once."""

    source: End
    target: End
    pieces: tuple[Piece, ...]
    gaps: tuple[tuple[int, int], ...]  # offset, bytes
    whole: bool
    repeated: int
    remarks: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes that were sent, those in gaps included."""
        last = self.pieces[-1].offset + len(self.pieces[-1].data) if self.pieces else 0
        return max([last, *(offset + size for offset, size in self.gaps)])


class Connection(NamedTuple):
    """A TCP connection: from whoever called, where the capture tells, and back."""

    number: int  # from 1, in order of appearance
    there: Direction
    back: Direction
    called: bool  # the capture holds the call, so `there.source` is who called


def connections_of(packets: Iterable[Packet]) -> tuple[list[Connection], Counter[str]]:
    """The connections of a capture that carried something, and why other packets were left out, with how many."""
    left_out: Counter[str] = Counter()
    groups: list[list[Segment]] = []
    current: dict[frozenset[End], list[Segment]] = {}
    for packet in packets:
        segment = segment_of(packet)
        if isinstance(segment, str):
            left_out[segment] += 1
            continue
        key = frozenset((segment.source, segment.target))
        group = current.get(key)
        if group is None or (segment.syn and not segment.ack and _is_another(group, segment)):
            group = current[key] = []
            groups.append(group)
        group.append(segment)
    carrying = [group for group in groups if any(each.size for each in group)]
    return [_connection(number, group) for number, group in enumerate(carrying, 1)], left_out


def _is_another(group: Sequence[Segment], call: Segment) -> bool:
    """Whether this call begins another connection between the same ends, and does not repeat the group's own."""
    return not any(each.syn and each.source == call.source and each.sequence == call.sequence for each in group)


def _connection(number: int, group: Sequence[Segment]) -> Connection:
    first = group[0]
    source, target = first.source, first.target
    if first.syn and first.ack:  # the call itself came before the capture
        source, target = target, source
    there = [each for each in group if each.source == source]
    back = [each for each in group if each.source == target] if source != target else []
    return Connection(
        number, _direction(source, target, there), _direction(target, source, back), first.syn
    )  # fmt: skip


def _direction(source: End, target: End, segments: Sequence[Segment]) -> Direction:
    if not segments:
        return Direction(source, target, (), (), whole=False, repeated=0, remarks=())
    placed = _placed(segments)
    whole = any(segment.syn for _, segment in placed)
    sized = [each for each in placed if each[1].size]
    beginning = min((place + (1 if segment.syn else 0) for place, segment in placed if segment.syn), default=None)
    if beginning is None:
        beginning = min((place for place, _ in sized), default=0)
    row = _Row(beginning)
    for place, segment in sized:
        row.take(place + (1 if segment.syn else 0), segment)
    pieces, gaps = row.pieces()
    return Direction(source, target, pieces, gaps, whole, row.repeated, tuple(row.remarks))


def _placed(segments: Sequence[Segment]) -> list[tuple[int, Segment]]:
    """Each segment with its place, where sequence numbers that turned round (RFC 9293, 3.4) go on counting."""
    placed: list[tuple[int, Segment]] = []
    last = segments[0].sequence
    for segment in segments:
        ahead = (segment.sequence - last) % _WRAP
        place = last + (ahead if ahead < _WRAP // 2 else ahead - _WRAP)
        placed.append((place, segment))
        last = place
    return placed


class _Told(NamedTuple):
    start: int
    data: bytes
    packet: int
    time_ns: int | None

    @property
    def end(self) -> int:
        return self.start + len(self.data)


class _Row:
    """The bytes of one direction by place, each from the first segment that told it."""

    def __init__(self, beginning: int) -> None:
        self._beginning = beginning
        self._told: list[_Told] = []  # in order, without overlaps
        self._end = beginning
        self.repeated = 0
        self.remarks: list[str] = []

    def take(self, place: int, segment: Segment) -> None:
        start, data = place, segment.data
        self._end = max(self._end, place + segment.size)
        if start < self._beginning:  # a keep-alive of TCP, or before a call that was told wrongly
            data, start = data[self._beginning - start :], self._beginning
        self._insert(_Told(start, data, segment.packet, segment.time_ns))

    def _insert(self, new: _Told) -> None:
        low = self._first_after(new.start)
        added: list[_Told] = []
        at, index = new.start, low
        while at < new.end:
            known = self._told[index] if index < len(self._told) else None
            if known is None or known.start >= new.end:
                added.append(new._replace(start=at, data=new.data[at - new.start :]))
                break
            if known.start > at:
                added.append(new._replace(start=at, data=new.data[at - new.start : known.start - new.start]))
                at = known.start
            stop = min(known.end, new.end)
            self._compare(new, known, at, stop)
            at, index = stop, index + 1
        self._told[low:index] = sorted([*self._told[low:index], *added])

    def _first_after(self, place: int) -> int:
        """Index of the first told bytes that end after `place`."""
        low, high = 0, len(self._told)
        while low < high:
            middle = (low + high) // 2
            if self._told[middle].end <= place:
                low = middle + 1
            else:
                high = middle
        return low

    def _compare(self, new: _Told, known: _Told, start: int, stop: int) -> None:
        ours = new.data[start - new.start : stop - new.start]
        if ours == known.data[start - known.start : stop - known.start]:
            self.repeated += stop - start
        elif stop - start > 1 or len(new.data) > 1:  # else a keep-alive of TCP, whose byte is none (RFC 9293, 3.8.4)
            where = start - self._beginning
            self.remarks.append(
                f"from byte {where} on packet {new.packet} tells other bytes than packet {known.packet}, which counts"
            )

    def pieces(self) -> tuple[tuple[Piece, ...], tuple[tuple[int, int], ...]]:
        pieces: list[Piece] = []
        gaps: list[tuple[int, int]] = []
        at = self._beginning
        run: list[_Told] = []
        for told in self._told:
            if told.start > at:
                if run:
                    pieces.append(self._piece(run))
                gaps.append((at - self._beginning, told.start - at))
                run = []
            run.append(told)
            at = told.end
        if run:
            pieces.append(self._piece(run))
        if self._end > at:
            gaps.append((at - self._beginning, self._end - at))
        return tuple(pieces), tuple(gaps)

    def _piece(self, run: Sequence[_Told]) -> Piece:
        origins = tuple(Origin(each.end - self._beginning, each.packet, each.time_ns) for each in run)
        return Piece(run[0].start - self._beginning, b"".join(each.data for each in run), origins)
