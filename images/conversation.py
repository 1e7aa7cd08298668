"""What was said on the lines of a capture: telegrams in order of time, each answer beside its request."""

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from images.cutting import Cut, Skipped, cut_stream
from images.finding import Found, Heading, Reason
from images.matching import ANSWERS, Asked, NearMiss, is_answer, near_miss
from images.segments import End
from images.streams import Connection, Direction
from schemas.telegrams import REPORT_OF, MatchKey, Message, PartnerSpec

_SAMPLE = 65_536  # bytes of a stream from which it is told whose it is
_SECURED = {b"\x16\x03\x00", b"\x16\x03\x01", b"\x16\x03\x02", b"\x16\x03\x03"}  # a handshake (RFC 8446, 5.1)


class Entry(NamedTuple):
    """One telegram of a capture, or bytes that are none (`skipped`)."""

    number: int  # of telegrams, from 1 over the whole capture; 0 of skipped bytes
    connection: int
    source: End
    heading: Heading
    offset: int  # in its stream
    packet: int
    time_ns: int | None
    found: Found | None
    skipped: Skipped | None
    answers: int | None = None  # the number of its request
    after_ns: int | None = None  # between the two
    answered_by: int | None = None
    strays: bool = False  # an answer to nothing in the capture
    miss: NearMiss | None = None
    would_answer: int | None = None  # the number of the request, of an answer that does not decode for one field


class Talk(NamedTuple):
    """One connection that carries telegrams. `gateway` is its end that sends requests, where that is known."""

    connection: Connection
    partner: PartnerSpec
    why: Reason
    gateway: End | None
    entries: tuple[Entry, ...]


class Silent(NamedTuple):
    """A connection in which no telegram was found, and why."""

    connection: Connection
    why: Reason


def talks_of(
    connections: Iterable[Connection], partners: Sequence[PartnerSpec], carriers: Sequence[PartnerSpec]
) -> tuple[list[Talk], list[Silent]]:
    """The conversations of a capture, and the connections that are none. Telegrams are counted through all."""
    talks: list[Talk] = []
    silent: list[Silent] = []
    count = 0
    for connection in connections:
        partner, why = _whose(connection, partners, carriers)
        if partner is None:
            silent.append(Silent(connection, why))
            continue
        talk = _talk(connection, partner, why, carriers, count)
        count += sum(1 for each in talk.entries if each.found is not None)
        talks.append(talk)
    return talks, silent


def _whose(
    connection: Connection, partners: Sequence[PartnerSpec], carriers: Sequence[PartnerSpec]
) -> tuple[PartnerSpec | None, Reason]:
    """The partner by whose framing and layouts most telegrams of a connection can be read."""
    directions = [_sample(each) for each in (connection.there, connection.back) if each.pieces]
    if any(each.pieces[0].data[:3] in _SECURED for each in directions):
        return None, Reason(
            "TLS で暗号化されています。TLS の終端より内側で採取してください", "TLS: capture inside its end"
        )
    counts: list[tuple[int, int, PartnerSpec]] = []
    for index, partner in enumerate(partners):
        cuts = [each for direction in directions for each in cut_stream(partner, direction, carriers)]
        decoded = sum(isinstance(each, Cut) and each.found.message is not None for each in cuts)
        counts.append((decoded, -index, partner))
    counts.sort(key=lambda each: each[:2], reverse=True)
    if not counts or not counts[0][0]:
        names = ", ".join(partner.name for partner in partners)
        return None, Reason(f"電文として読めるものがありません（{names}）", f"no telegram of {names} in it")
    decoded, _, partner = counts[0]
    return partner, Reason(f"読めた電文 {decoded} 件による", f"by telegrams that decode: {decoded}")


def _sample(direction: Direction) -> Direction:
    pieces = tuple(each._replace(data=each.data[:_SAMPLE]) for each in direction.pieces[:4])
    return direction._replace(pieces=pieces)


def _talk(
    connection: Connection, partner: PartnerSpec, why: Reason, carriers: Sequence[PartnerSpec], count: int
) -> Talk:
    said = [
        (direction.source, each)
        for direction in (connection.there, connection.back)
        for each in cut_stream(partner, direction, carriers)
    ]
    gateway = _gateway(said, connection)
    entries: list[Entry] = []
    for source, each in said:
        if gateway is None:
            heading = each.found.heading if isinstance(each, Cut) else Heading.EITHER
        else:
            heading = Heading.GOING if source == gateway else Heading.COMING
        if isinstance(each, Cut):
            origin = each.origin
            entries.append(
                Entry(
                    1, connection.number, source, heading, each.offset, origin.packet, origin.time_ns, each.found, None
                )
            )
        else:
            entries.append(Entry(0, connection.number, source, heading, each.offset, 0, None, None, each))
    entries = _in_order(entries)
    numbered: list[Entry] = []
    for entry in entries:
        if entry.found is not None:
            count += 1
            numbered.append(entry._replace(number=count))
        else:
            numbered.append(entry)
    return Talk(connection, partner, why, gateway, tuple(_paired(connection, numbered)))


def _in_order(entries: Sequence[Entry]) -> list[Entry]:
    """By the packets that completed them; skipped bytes stand after what came before them in their stream."""
    last: dict[End, int] = defaultdict(int)
    placed: list[tuple[int, int, int, Entry]] = []
    for index, entry in enumerate(entries):
        if entry.found is not None:
            last[entry.source] = max(last[entry.source], entry.packet)
        placed.append((last[entry.source], 0 if entry.found is not None else 1, index, entry))
    return [entry for *_, entry in sorted(placed, key=lambda each: each[:3])]


def _gateway(said: Sequence[tuple[End, Cut | Skipped]], connection: Connection) -> End | None:
    """The end that sends what only a gateway sends, or is sent what only a partner sends."""
    votes: dict[End, int] = defaultdict(int)
    other = {connection.there.source: connection.there.target, connection.there.target: connection.there.source}
    for source, each in said:
        if isinstance(each, Cut) and each.found.message is not None:
            if each.found.heading is Heading.GOING:
                votes[source] += 1
            elif each.found.heading is Heading.COMING:
                votes[other[source]] += 1
    return max(votes, key=lambda end: votes[end]) if votes else None


# --- who answers whom -----------------------------------------------------------------------------------------------


def spoken(found: Found) -> tuple[PartnerSpec, Message] | None:
    """The telegram that is matched: that inside an envelope, else itself; None of what does not decode."""
    inner = found.carried[0] if found.carried and found.carried[0].message is not None else found
    return None if inner.partner is None or inner.message is None else (inner.partner, inner.message)


class _Line:
    """The requests that one end has sent to the other, and the answers it was given."""

    def __init__(self) -> None:
        self.entries: dict[int, Entry] = {}
        self._asked: dict[tuple[End, str], list[Asked]] = defaultdict(list)  # by who asks, and the partner
        self._open: dict[tuple[End, str, MatchKey], list[int]] = defaultdict(list)  # indexes of `_asked`

    def hear(self, entry: Entry, other: End) -> None:
        """The next telegram of the connection, from `entry.source` to the other end."""
        self.entries[entry.number] = entry
        said = None if entry.found is None else spoken(entry.found)
        if said is None:
            self._guess(entry, other)
            return
        spec, message = said
        if message.role in REPORT_OF:
            row = self._asked[entry.source, spec.name]
            for key in _keys(spec, message):
                self._open[entry.source, spec.name, key].append(len(row))
            row.append(Asked(entry.number, message.role, message.values))
        elif message.role in ANSWERS:
            self._answer(spec, entry, other, message)

    def _answer(self, spec: PartnerSpec, entry: Entry, other: End, message: Message) -> None:
        row = self._asked[other, spec.name]
        for key in _keys(spec, message):
            for index in reversed(self._open[other, spec.name, key]):
                if row[index].answered_by is None and is_answer(spec, row[index], message):
                    row[index] = row[index]._replace(answered_by=entry.number)
                    self._pair(self.entries[row[index].number], entry)
                    return
        self.entries[entry.number] = entry._replace(strays=True, miss=near_miss(spec, row, message))

    def _guess(self, entry: Entry, other: End) -> None:
        """What would be an answer but for one field: whose."""
        trials = () if entry.found is None else entry.found.trials
        if not trials or trials[0].only_trouble is None or trials[0].telegram.role not in ANSWERS:
            return
        best = trials[0]
        message = Message(best.telegram.role, best.values)
        for asked in reversed(self._asked[other, best.partner.name]):
            if asked.answered_by is None and is_answer(best.partner, asked, message):
                self.entries[entry.number] = entry._replace(would_answer=asked.number)
                return

    def _pair(self, request: Entry, answer: Entry) -> None:
        after = None
        if answer.time_ns is not None and request.time_ns is not None:
            after = answer.time_ns - request.time_ns
        self.entries[request.number] = request._replace(answered_by=answer.number)
        self.entries[answer.number] = answer._replace(answers=request.number, after_ns=after)


def _keys(spec: PartnerSpec, message: Message) -> list[MatchKey]:
    """By what a request may be found: its own key, and that of an error report 異常報告 about it."""
    keys: list[MatchKey] = []
    with contextlib.suppress(KeyError):
        keys.append(spec.match_key(message.role, message.values))
    if message.role in REPORT_OF:
        with contextlib.suppress(KeyError):
            keys.append(spec.error_key(message.values))
    return keys


def _paired(connection: Connection, entries: Sequence[Entry]) -> list[Entry]:
    line = _Line()
    there, back = connection.there.source, connection.there.target
    for entry in entries:
        if entry.found is not None:
            line.hear(entry, back if entry.source == there else there)
    return [line.entries[entry.number] if entry.found is not None else entry for entry in entries]


def unanswered(entries: Iterable[Entry]) -> list[Entry]:
    """The requests of a capture to which it holds no answer."""
    found: list[Entry] = []
    for entry in entries:
        said = None if entry.found is None else spoken(entry.found)
        if said is not None and said[1].role in REPORT_OF and entry.answered_by is None:
            found.append(entry)
    return found
