"""The time in which this process owns one line: `core` between the log and the line."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import assert_never

from egress import crashes
from egress.acts import Act, Hang, Rest, Seek, Store, Tell, Transmit
from egress.connection import Connector
from egress.core import LineCore
from egress.dialling import Calls
from egress.jobs import Takeover
from egress.metrics import Counts, Gauges
from egress.numbers import Reserved, batch_of, shares_of
from egress.reserving import NotTheOwner, reserve
from egress.strays import StrayBudget
from egress.surroundings import Helpless, Surroundings
from egress.takeover import Places
from egress.unopened import Unopened
from pipeline import crash
from pipeline.log import LogError, Message, Outgoing, Stored
from pipeline.owned import EPOCH
from pipeline.spans import read_span
from schemas import wire
from schemas.crash_points import Point
from schemas.installation import Egress, Line
from schemas.records import LineOrdered, LineTaken, ReleaseRoute, RouteOrdered, SendCancel, SendRequest, StrayTelegram
from schemas.telegrams import PartnerSpec

_TICK_S, _STEP_S = 0.02, 0.005
_RESERVE_AGAIN_S = 1.0
_HANG_MS = 1_000  # how long a connection that is broken may take to go
_STORE_MS = 5_000  # on giving a line up: how long the log is awaited

_log = logging.getLogger(__name__)


def finish_limit_ms(times: Egress) -> int:
    """How long `Tenure.finish` takes at most, where the loop turns."""
    return times.drain_ms + 2 * times.closing_timeout_ms + _HANG_MS + _STORE_MS


def _is_unasked(act: Act) -> bool:
    """Whether it follows from a telegram that nobody awaits."""
    return isinstance(act, Transmit) or (isinstance(act, Tell) and act.topic == "strays" and not act.copy)


class LineLost(LogError):  # noqa: N818  it tells what happened
    """Another process has taken the line: nothing more was sent."""


class Tenure:
    """Owns the line from `start` until `finish`. Lives on the event loop; is `connection.Hears`."""

    def __init__(
        self, around: Surroundings, line: Line, partners: Mapping[str, PartnerSpec], places: Places, taken: int,
        helpless: Helpless,
    ) -> None:  # fmt: skip
        partner = partners[line.partner]
        self._around = around
        self._line = line
        self._places = places
        self._helpless = helpless
        self._seeks = self._placeless = False  # it is to be sought; and has no place among the process' sessions yet
        self._counts = Counts(around.metrics, line.name)
        self._gauges: Gauges | None = None  # from the start to the end
        self._core = LineCore(
            line, partner, around.times, around.node, around.open_card, partners, around.sparing,
            around.clock_tolerance_ms,
        )  # fmt: skip
        self._strays = StrayBudget(around.times.strays_per_minute)
        self._partner = partner
        self._calls = Calls(around.times)  # of the line, however often it is sought anew
        self._connector = self._new_connector()
        self._seeking: asyncio.Task[None] | None = None
        self._unopened = Unopened(line)
        self._epoch = ((EPOCH, str(taken).encode()),)  # tells a reader of `sent` and `holds` by which owner
        self._taken = self._last_stored = taken
        self._reserving: asyncio.Task[None] | None = None
        self._stored: deque[tuple[int, int]] = deque()  # (dispatch, offset in `sent`): acknowledged, in order
        self._checking: asyncio.Task[None] | None = None
        self._begun = self._ended = self._hurried = False
        self._tick_handle: asyncio.TimerHandle | None = None
        self._next = 0  # the dispatch to be read next
        self.position = 0  # every dispatch before it is done with; read by the reader's thread

    # --- life

    async def start(self, found: Takeover, orders: Mapping[str, LineOrdered]) -> None:
        """Own the line, as an operator has ordered last by now. Raises `OSError` where it cannot listen."""
        self._perform(self._core.take(found, self._now(), orders.get(self._line.name)))
        self._begun = True
        self._gauges = Gauges(self._around.metrics, self._line)
        if self._seeking is not None:
            await self._seeking
        self._tick()

    def _new_connector(self) -> Connector:
        return Connector(self._line, self._partner.framing, self._around.times, self, self._counts, self._calls)

    def _seek(self) -> None:
        sessions = self._around.sessions
        self._placeless = not sessions.take(self._line.name)
        self._seeks = not self._placeless
        if self._placeless:
            most = f"this process has {sessions.most} sessions, the most it may have: egress.sessions_max"
            self._perform(self._core.sought(most, self._now()))
            self._helpless(full=True)
            return
        self._seeking = asyncio.create_task(self._sought(self._seeking))
        self._around.look_after(self._seeking)

    def _rest(self) -> None:
        self._placeless = self._seeks = False
        self._seeking = asyncio.create_task(self._rested(self._seeking))
        self._around.look_after(self._seeking)

    async def _sought(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await before
            self._connector = self._new_connector()
        await self._connector.start()

    async def _rested(self, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await before
        await self._connector.stop()
        if not self._seeks:  # by now it may be sought again, in the same place
            self._around.sessions.give_back(self._line.name)

    async def finish(self) -> None:
        """Give the line up in order: let reports come in, close the station, have everything stored."""
        if not self._ended:
            times = self._around.times
            self._perform(self._core.drain(self._now()))
            await self._until(lambda: self._core.idle or self._hurried, times.drain_ms)
            self._perform(self._core.close(self._now()))
            await self._until(lambda: self._connector.connection is None, 2 * times.closing_timeout_ms)
            self._seeks = False
            await self._rested(self._seeking)
            await self._until(lambda: self._core.idle, _STORE_MS)
        self._end()

    async def lose(self) -> None:
        """Own the line no more, without a word to anybody."""
        self._end()
        self._seeks = self._placeless = False
        await self._rested(self._seeking)  # after what is under way, which may be about to seek

    def hurry(self) -> None:
        """Await no report any more; the closing and the log are awaited all the same."""
        self._hurried = True

    def _end(self) -> None:
        if self._tick_handle is not None:
            self._tick_handle.cancel()
        self._ended = True
        if self._gauges is not None:
            self._gauges.end()
            self._gauges = None

    async def _until(self, reached: Callable[[], bool], limit_ms: int) -> None:
        """Wait, no longer than this by the node's clock, and by the loop's, which nobody sets back."""
        loop = asyncio.get_running_loop()
        at_last, until = loop.time() + limit_ms / 1000, self._now() + limit_ms
        while not (reached() or self._ended or self._now() >= until or loop.time() >= at_last):  # noqa: ASYNC110  seldom
            await asyncio.sleep(_STEP_S)

    def _now(self) -> int:
        return self._around.now_ms()

    def _do(self, decide: Callable[[int], Sequence[Act]]) -> Sequence[Act]:
        """Decide and perform, from a callback: what goes wrong is our mistake, and ends the process, in order."""
        if self._ended:
            return ()
        try:
            acts = decide(self._now())
            self._perform(acts)
        except Exception as error:  # noqa: BLE001  handed to whoever runs the process
            self._around.fail(error)
            return ()
        return acts

    def _tick(self) -> None:
        """Time passes: again and again, whatever became of the last time."""
        self._tick_handle = asyncio.get_running_loop().call_later(_TICK_S, self._tick)
        self._do(self._core.due)
        try:
            self._look()
        except Exception as error:  # noqa: BLE001  as above
            self._around.fail(error)

    def _look(self) -> None:
        if self._placeless and self._around.sessions.take(self._line.name):
            self._seek()
        if self._core.station.is_helpless(self._now()):
            self._helpless()
        if self._core.reserve.wants_more and self._reserving is None:
            self._reserving = asyncio.create_task(self._reserve())
            self._around.look_after(self._reserving)
        if self._gauges is not None:
            self._gauges.show(self._core, self._around.sparing.spared, self._now())

    async def _reserve(self) -> None:
        """Take more trace numbers out of the line's reserve; again, as long as the log does not answer."""
        try:
            found = await asyncio.to_thread(self._more_numbers)
        except NotTheOwner as error:
            if not self._ended:
                self._around.fail(error)
            return
        except LogError as error:
            _log.warning("no trace numbers reserved", extra={"line": self._line.name, "reason": str(error)})
            await asyncio.sleep(_RESERVE_AGAIN_S)
        else:
            if not self._ended:
                self._perform(self._core.reserved(found, self._now()))
        self._reserving = None

    def _more_numbers(self) -> Reserved:
        around, (first, last) = self._around, shares_of(*self._partner.trace_range).reserve
        with contextlib.closing(around.log.writer(f"{around.node}-numbers")) as writer:
            return reserve(around.log, writer, self._places, self._taken, batch_of(last - first + 1), self._now())

    # --- the log

    def dispatched(self, messages: Sequence[Message]) -> None:
        """Orders for this line. Raises `RecordError`: the process then stops in front of them."""
        if self._ended:
            return
        for message in messages:
            if message.offset < self._next:
                continue  # read again after the group was shared out anew
            self._next = message.offset + 1
            record = wire.decode(message)
            if not isinstance(record, (SendRequest, SendCancel, ReleaseRoute, RouteOrdered)):
                raise wire.misplaced(message, record)
            assert message.key is not None
            self._perform(self._core.dispatched(message.offset, message.key, record, self._now()))
        self.position = self._core.position

    def ordered(self, order: LineOrdered) -> None:
        """An operator orders what the line shall be; before `start`, that finds it out by itself."""
        if self._begun and not self._ended:
            self._perform(self._core.ordered(order, self._now()))

    def _perform(self, acts: Sequence[Act]) -> None:
        for act in acts:
            match act:
                case Transmit():
                    if self._connector.connection is not None:
                        self._connector.connection.transmit(act.data)
                        self._counts.transmitted.inc()
                case Store():
                    value, headers = wire.encode(act.record)
                    place = self._places.sent
                    sent = Outgoing(place.topic, act.key, value, (*headers, *self._epoch), place.partition)
                    self._around.writer.write(sent, partial(self._acknowledged, act.offset))
                case Tell():
                    crashes.telling(act.record)
                    self._unopened.notice(act.record, self._now())
                    self._around.writer.write(self._outgoing(act), partial(self._told, act))
                    if isinstance(act.record, StrayTelegram):
                        self._strayed(copy=act.copy)
                case Hang():
                    self._hang(act)
                case Seek():
                    self._seek()
                case Rest():
                    self._rest()
                case _:
                    assert_never(act)

    def _hang(self, act: Hang) -> None:
        if act.warn:
            _log.warning("line hung up", extra={"line": self._line.name, "reason": act.reason})
        if self._connector.connection is not None:
            self._connector.connection.hang(act.reason)

    def _strayed(self, *, copy: bool) -> None:
        """A stray has come: one too many, and the line is hung up, which is the last one's word."""
        self._counts.strays.inc()
        if copy:
            return
        connection = self._connector.connection
        if self._strays.spend(self._now()) or connection is None or connection.reason is not None:
            return
        self._connector.shun()
        self._hang(Hang(self._strays.told, warn=True))
        self._perform(self._core.stray(f"hung up: {self._strays.told}", self._now()))

    def _outgoing(self, act: Tell) -> Outgoing:
        topic = self._around.topics(act.topic)
        name = "released" if act.record is None else type(act.record).__name__
        self._counts.told(name).inc()
        named = self._epoch if act.topic == "holds" else ()
        if act.record is None:
            return Outgoing(topic, act.key, None, named)
        value, headers = wire.encode(act.record)
        return Outgoing(topic, act.key, value, (*headers, *named))

    def _told(self, act: Tell, _: Stored | None, error: Exception | None) -> None:
        if error is not None:
            self._around.fail(error)
            return
        crashes.told(act.record)
        if act.offset is not None and not self._ended:
            self._core.told(act.offset)
            self.position = self._core.position

    def _acknowledged(self, dispatch: int, stored: Stored | None, error: Exception | None) -> None:
        if stored is None:
            assert error is not None
            self._around.fail(error)
            return
        self._stored.append((dispatch, stored.offset))
        if self._checking is None:
            self._advance()

    def _advance(self) -> None:
        """Act on what `sent` holds, as long as it holds it without a gap."""
        while self._stored and not self._ended:
            offset, at = self._stored[0]
            if at != self._last_stored + 1:
                self._checking = asyncio.create_task(self._check(at))
                self._around.look_after(self._checking)
                return
            self._stored.popleft()
            self._last_stored = at
            crash.here(Point.SENT_STORED)
            self._perform(self._core.stored(offset, self._now()))
            if crash.armed:  # a turn of the loop later: what is handed to the network now leaves at the end of this one
                asyncio.get_running_loop().call_soon(lambda: crash.here(Point.TELEGRAM_OUT))

    async def _check(self, at: int) -> None:
        """Somebody else wrote to `sent`: the line's new owner, or a former one that does not know it yet."""
        start = self._last_stored + 1
        try:
            strangers = await asyncio.to_thread(self._read_sent, start, at)
        except Exception as error:  # noqa: BLE001  handed to whoever runs the process
            self._around.fail(error)
            return
        taken = next((record for record in strangers if isinstance(record, LineTaken)), None)
        if taken is not None:
            _log.error("the line has a new owner", extra={"line": self._line.name, "node": taken.node})
            await self.lose()
            # Its group may say otherwise: the marker of one that was frozen, or is no more, may have come late. So that
            # the line is not without an owner, whoever runs the process joins the group anew.
            self._around.fail(LineLost(f"line {self._line.name} was taken by {taken.node}: join its group anew"))
            return
        _log.warning("a former owner wrote to sent", extra={"line": self._line.name, "records": len(strangers)})
        self._around.metrics.rivals.labels(self._line.name).inc(len(strangers))
        self._last_stored = at - 1
        self._checking = None
        self._advance()

    def _read_sent(self, start: int, end: int) -> list[object]:
        return [wire.decode(each) for each in read_span(self._around.log, "sent", self._places.sent, start, end)]

    # --- the line: connection.Hears

    def sought(self, trouble: str | None) -> None:
        self._do(lambda now_ms: self._core.sought(trouble, now_ms))

    def connected(self) -> None:
        self._do(self._core.connected)

    def received(self, payload: bytes) -> bool:
        self._counts.received.inc()
        acts = self._do(lambda now_ms: self._core.received(payload, now_ms))
        return not any(map(_is_unasked, acts))

    def behind(self) -> bool:
        return self._around.writer.behind

    def unreadable(self, problem: str) -> None:
        self._do(lambda now_ms: self._core.stray(problem, now_ms))

    def writable(self, writable: bool) -> None:
        self._do(lambda now_ms: self._core.writable(writable, now_ms))

    def disconnected(self, reason: str) -> None:
        self._do(lambda now_ms: self._core.disconnected(now_ms, reason))

    def called_again(self) -> None:
        self._do(self._core.called_again)
