"""What a centre does with each telegram: its scenario as far as it has come. Pure; time is an argument."""

import datetime as dt
from typing import NamedTuple

from schemas.telegrams import ORDINARY_REQUESTS, Message, PartnerSpec
from simulator.capacity import Load, Overload
from simulator.deeds import MONEY, Deed
from simulator.recording import Recorder, Replay, key_of
from simulator.rules import Around, Destination, Fate, Rules
from simulator.scenario import PLAIN, Scenario
from simulator.timeline import Event, Occurrence


class Moment(NamedTuple):
    """Now: in seconds that only count, and as Japan's clocks have it."""

    at_s: float
    clock: dt.datetime


class Conduct:
    """A scenario in force: its rules, load, record and replay, and what events have changed."""

    def __init__(
        self, partner: PartnerSpec, scenario: Scenario = PLAIN, *, rules: Rules | None = None, recorded: bool = True
    ) -> None:
        self.scenario = scenario
        self.rules = rules or Rules(scenario.rules, seed=scenario.seed, latency=scenario.defaults.latency)
        self.load = Load(scenario.capacity, scenario.seed)
        self.replay = Replay(scenario.recorded)
        self.recorder = Recorder() if recorded else None
        self.destination = Destination.UP
        self.closed: set[str] = set()  # stations whose openings are refused
        self.refuse_opening = False  # all openings are
        self._partner = partner
        self._began: Moment | None = None

    def begin(self, now: Moment) -> None:
        """It begins: its seconds are counted from now. Else they are from the first telegram."""
        self._began = now

    def since_s(self, now: Moment) -> float:
        """Seconds since it began."""
        if self._began is None:
            self._began = now
        return now.at_s - self._began.at_s

    def record(self, event: Event, now: Moment) -> None:
        """The centre does this of its own accord."""
        if self.recorder is not None:
            self.recorder.event(self.since_s(now), event)

    def happened(self, event: Event) -> None:
        """This is so from now on, as far as it says how the centre is."""
        match event.do:
            case Occurrence.CLOSE if event.station is not None:
                self.closed.add(event.station)
            case Occurrence.CLOSE | Occurrence.REFUSE_OPENINGS:
                self.refuse_opening = True
            case Occurrence.REOPEN if event.station is not None:
                self.closed.discard(event.station)
            case Occurrence.ACCEPT_OPENINGS | Occurrence.REOPEN:
                self.refuse_opening = False
                self.closed.clear()
            case Occurrence.DESTINATION_DOWN | Occurrence.DESTINATION_UP:
                self.destination = Destination(event.do.value)

    def refuses(self, station: str) -> bool:
        """Whether an opening of this station is refused."""
        return self.refuse_opening or station in self.closed

    def fate(self, message: Message, about: object, station: str, now: Moment) -> Fate:
        """What becomes of this telegram, which is `about` a transaction, or a station."""
        since_s = self.since_s(now)
        if self.recorder is None and not self.replay.left:
            return self._decided(message, about, station, now, since_s)
        key = key_of(message, station, self._partner)
        fate = self.replay.fate(key) or self._decided(message, about, station, now, since_s)
        if self.recorder is not None:
            self.recorder.telegram(since_s, key, fate)
        return fate

    def _decided(self, message: Message, about: object, station: str, now: Moment, since_s: float) -> Fate:
        if self.load.capacity is None or message.role not in MONEY:
            return self._ruled(message, about, station, now, since_s)
        admission = self.load.admit(station, now.at_s)
        if admission.verdict is Overload.DROP:
            return Fate(Deed.LOSE)
        if admission.verdict is Overload.REFUSE:
            if message.role in ORDINARY_REQUESTS:
                return Fate(Deed.TURN_ROUND, code=self.load.capacity.code)
            return Fate(Deed.TROUBLE)
        fate = self._ruled(message, about, station, now, since_s)
        self.load.taken(station, now.at_s, admission, fate.after_ms)
        return fate._replace(after_ms=fate.after_ms + admission.wait_ms)

    def _ruled(self, message: Message, about: object, station: str, now: Moment, since_s: float) -> Fate:
        if not self.rules.in_force:  # as in most load tests: spare what only rules look at
            return self.rules.of_none(message.role)
        return self.rules.of(message, about, Around(since_s, now.clock.time(), station, self.destination))
