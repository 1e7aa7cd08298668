"""What a centre decides to do, and the connection it decides about. Values."""

from collections.abc import Mapping
from typing import NamedTuple

from schemas.telegrams import PartnerSpec, Role, Value
from simulator.contradicting import CONTRADICTING, contradicted
from simulator.deeds import Deed
from simulator.entries import EntryKey
from simulator.rules import Fate
from simulator.sessions import Excess, Sessions

GARBAGE = b"\xff\x00 this is no telegram \xff"
NOISE = b"\x00" * 16  # a length of nothing, in every framing


class Send(NamedTuple):
    """Send this after so many milliseconds; then call `Centre.sent`."""

    role: Role
    values: dict[str, Value]
    after_ms: int = 0
    about: EntryKey | None = None
    is_report: bool = False  # it answers the request `about`
    ends: bool = False  # nothing is open any more about what it answers
    envelope: Mapping[str, Value] | None = None  # what the telegram it answers came in; it goes back in another


class Break(NamedTuple):
    """Break the connection of this number."""

    number: int


class Rubbish(NamedTuple):
    """Send bytes that are no telegram of the centre's."""

    data: bytes


class Answered(NamedTuple):
    """The centre's own telegram with this trace number was answered by this one."""

    role: Role
    trace_number: int


Act = Send | Break | Rubbish | Answered


class Station:
    """One connection of the gateway: whose it is, and whether it is open."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.name = "?"
        self.open = False
        self.opening: Mapping[str, Value] = {}  # the telegram that opened it
        self.asked: set[tuple[Role, int]] = set()  # what the centre awaits: the answer's role, and trace number
        self.came = b""  # the telegram that came last, as it came


class Stations:
    """The sessions that are open, by station, the oldest first."""

    def __init__(self) -> None:
        self._open: dict[str, list[Station]] = {}

    @property
    def count(self) -> int:
        """How many sessions are open."""
        return sum(map(len, self._open.values()))

    def close(self, station: Station) -> None:
        """This session is open no more."""
        station.open = False
        sessions = self._open.get(station.name, [])
        if station in sessions:
            sessions.remove(station)

    def refusal(self, station: Station, limits: Sessions) -> Excess | None:
        """What becomes of this session's opening instead; None: it is opened."""
        others = [each for each in self._open.get(station.name, ()) if each is not station]
        if len(others) >= limits.per_line and limits.excess is not Excess.REPLACE:
            return limits.excess
        too_many = limits.per_centre is not None and not station.open and self.count >= limits.per_centre
        return Excess.REFUSE_OPENING if too_many and limits.excess is Excess.REFUSE_OPENING else None

    def open(self, station: Station, limits: Sessions) -> Station | None:
        """It is open now. Gives the session that gives way to it, if one has to."""
        sessions = self._open.setdefault(station.name, [])
        older = None
        if station not in sessions:
            if len(sessions) >= limits.per_line:
                older = sessions.pop(0)
                older.open = False
            sessions.append(station)
        station.open = True
        return older


def delivered(partner: PartnerSpec, station: Station, fate: Fate, answer: Send) -> list[Act]:
    """How an answer goes out, or what happens instead."""
    answer = answer._replace(after_ms=fate.after_ms)
    match fate.do:
        case Deed.SILENT:
            return []
        case Deed.TWICE:
            return [answer, answer]
        case Deed.DROP:
            return [Break(station.number)]
        case Deed.GARBAGE:
            return [Rubbish(partner.framing.wrap(GARBAGE))]
        case Deed.NOISE:
            return [Rubbish(NOISE)]
        case deed if deed in CONTRADICTING:  # so it answers nothing
            values = contradicted(partner, deed, answer.values)
            return [] if values is None else [Send(answer.role, values, answer.after_ms)]
        case _:
            return [answer]
