"""Follows what the owners of a stage's lines tell, while it runs: the topics `lines` and `holds`.

A drill's brokers run on this machine, whose clock is therefore theirs: `ops.chaos` times its faults by it too.
"""

from collections.abc import Callable, Sequence

from ops.times import now_ms
from pipeline.log import Log, Message, TopicPartition
from schemas import wire
from schemas.installation import Line
from schemas.records import LineStage, LineState, RouteHeld
from schemas.topics import Topics

_FRESH_MS = (100, 400)  # as old as this, its cancel was not answered at once; so it stands for some time yet


class Watch:
    """What is told until now. For one thread. Raises `LogError`, `RecordError`."""

    def __init__(self, log: Log, topics: Topics, lines: Sequence[Line], clock: Callable[[], int] = now_ms) -> None:
        places = [TopicPartition(topics(name), 0) for name in ("lines", "holds")]
        self._lines = lines
        self._clock = clock
        self._holds = topics("holds")
        self._reader = log.reader("watch", {place: log.span(place)[0] for place in places})
        self._states: dict[str, LineState] = {}
        self._held: dict[bytes, RouteHeld] = {}

    def close(self) -> None:
        """Read no more."""
        self._reader.close()

    def look(self) -> None:
        """Take in what has come."""
        for message in self._reader.poll(1_000, 0.0):
            if message.topic == self._holds:
                self._hold(message)
            elif message.value is not None:
                state = wire.decode_as(LineState, message)
                self._states[state.line] = state

    def _hold(self, message: Message) -> None:
        assert message.key is not None
        if message.value is None:
            self._held.pop(message.key, None)
        else:
            self._held[message.key] = wire.decode_as(RouteHeld, message)

    def owner(self, line: str) -> str | None:
        """The node that has told last how it stands with this line."""
        state = self._states.get(line)
        return None if state is None else state.node

    def stage(self, line: str) -> LineStage | None:
        """Where its station stands."""
        state = self._states.get(line)
        return None if state is None else state.stage

    def held(self, line: str) -> bool:
        """Whether a route of the line has just been held 経路保留, and is."""
        youngest, oldest = _FRESH_MS
        ages = [self._clock() - hold.since_ms for hold in self._held.values() if hold.line == line]
        return any(youngest <= age <= oldest for age in ages)

    @property
    def calm(self) -> bool:
        """Whether every line is open, and where it belongs."""
        return all(
            self.stage(line.name) is LineStage.OPEN and line.nodes[:1] in ((), (self.owner(line.name),))
            for line in self._lines
        )
