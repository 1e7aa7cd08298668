"""Egress' only I/O: for each line a member of its group, and a `Tenure` while that member owns the line."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

from egress.config import Settings
from egress.metrics import Metrics
from egress.numbers import AT_FIRST, batch_of, shares_of
from egress.reserving import reserve
from egress.sessions import Sessions
from egress.sparing import Sparing
from egress.surroundings import Surroundings
from egress.takeover import Places, take_over
from egress.telegrams import CardData, CardDataUnreadable, OpenCard
from egress.tenure import Tenure, finish_limit_ms
from pipeline.bridge import LoopReader, LoopWriter, on_loop
from pipeline.log import GroupReader, Log, LogError, Message, TopicPartition
from pipeline.owned import SHARE_S
from pipeline.spans import read_span
from schemas import wire
from schemas.cards import CardError, unpack_card, unpack_sensitive
from schemas.installation import Line
from schemas.records import LineOrdered, SendRequest
from schemas.sealing import CARD, SENSITIVE, KeyRing, SealError
from schemas.topics import Topics

_IDLE_S = 0.5  # between looks for orders: a person waits for them
_ASK_S = 1.0  # how long the broker is asked who shares a line: who has lost the broker has lost the line
_A_ROUND = 999  # turns, as many as three digits count
_AT_ONCE_S = 10.0  # for what the loop does without waiting for anybody
_UNSURE_S = 5.0  # how long a line is kept that its group gives to nobody: longer than it takes to share lines out anew
_CLOCK_S = 1.0  # between looks at the machine's clock
_CALM_LOOKS = 5  # in a row that find it right, before lines are taken again

_log = logging.getLogger(__name__)


def opener(ring: KeyRing) -> OpenCard:
    """Opens the card data of requests with this ring."""

    def open_card(record: SendRequest) -> CardData:
        try:
            pan, expiry = unpack_card(ring.open(CARD, record.transaction_id, record.card))
            track2 = security_code = None
            if record.sensitive is not None:
                plain = ring.open(SENSITIVE, record.transaction_id, record.sensitive)
                track2, security_code = unpack_sensitive(plain)
        except (SealError, CardError) as error:
            _log.error("card data unreadable", extra={"transaction": record.transaction_id, "reason": str(error)})
            raise CardDataUnreadable from None
        return CardData(pan, expiry, track2, security_code)

    return open_card


class LineOwner:
    """Waits for one line to be given to this process, owns it, gives it up.

    Whenever a process joins or leaves the group, the line is revoked and given out anew. Where it is known to come back
    it is kept open over that, and nothing but the reading is interrupted: who else took it would say so in `sent`.

    A line that cannot be opened here goes to whoever else shares it: this process joins its group anew, behind all
    others, and stays there for its lifetime, for only a try could show that the partner can be reached again.

    While this machine's clock is wrong it is out of the group altogether (`rest`, `resume`).
    """

    def __init__(
        self, around: Surroundings, line: Line, settings: Settings, rank: int, orders: Mapping[str, LineOrdered]
    ) -> None:
        """Out of the line's group until `resume`."""
        self._around = around
        self._line = line
        self._partners = settings.partners
        self._places = Places.of(around.topics, line.name)
        self._member = f"{rank}-{around.node}"  # the first by name gets the line
        self._handed_over = 0  # times
        self._moving: asyncio.Task[None] | None = None  # to another place in the order
        self._closing = False
        self._orders = orders
        self._loop = asyncio.get_running_loop()
        self._tenure: Tenure | None = None
        self._group: GroupReader | None = None
        self._kept_since: float | None = None  # it is kept, though it was revoked
        self._revoked_s: float | None = None  # since when the group has shared nothing out
        self._writer = around.log.writer(f"{around.node}-takeover")  # a new one needs half a second for its first word
        self._dispatches: LoopReader | None = None  # None: out of the group

    def _reader(self) -> LoopReader:
        name = f"{self._member}-{self._line.name}"
        return LoopReader(name, self._join, self._dispatched, self._around.fail, idle=self._idle, behind=self._behind)

    async def close(self) -> None:
        """Give the line up in order, and leave its group."""
        self._closing = True
        while self._moving is not None:
            await self._moving
        await self._leave()
        self._writer.close()

    def resume(self) -> None:
        """Join the line's group, and own the line when it is given to this process."""
        if self._dispatches is None and self._moving is None and not self._closing:
            self._dispatches = self._reader()

    def rest(self) -> None:
        """Give the line up in order, if this process owns it, and stay out of its group until `resume`."""
        if self._dispatches is not None and self._moving is None:
            self._move(self._leave)

    def _move(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._moving = asyncio.create_task(self._moved(work))
        self._around.look_after(self._moving)

    async def _moved(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        finally:
            self._moving = None

    async def _leave(self) -> None:
        if self._dispatches is None:
            return
        await self._dispatches.close()
        self._dispatches = None
        if self._tenure is not None:  # it was kept, and the group had not been shared out anew
            await self._tenure.finish()
            self._tenure = None

    # --- on the loop

    def _helpless(self, *, full: bool = False) -> None:
        """The line cannot be opened here. `full`: for it would be one too many, which another node may know at once.

        Once: where that one has as many as it may have too, they take turns no faster than otherwise.
        """
        if self._closing or (full and self._handed_over):
            return
        if self._dispatches is not None and self._moving is None:
            self._move(self._hand_over)

    async def _hand_over(self) -> None:
        """Let another process of the group try, if there is one."""
        if set(await asyncio.to_thread(self._members)) - {self._member}:
            _log.warning("line handed over: it cannot be opened here", extra={"line": self._line.name})
            await self._leave()
            self._handed_over += 1
            rounds, turn = divmod(self._handed_over, _A_ROUND)
            # Behind every rank, and behind whoever has had fewer turns: names are compared letter by letter.
            self._member = f"{'9999' * rounds}9{turn:03}-{self._around.node}"
            self._moving = None
            self.resume()

    def ordered(self, order: LineOrdered) -> None:
        """An operator orders what the line shall be."""
        if self._tenure is not None:
            self._tenure.ordered(order)

    def hurry(self) -> None:
        """Give the line up without waiting for reports."""
        if self._tenure is not None:
            self._tenure.hurry()

    def _behind(self) -> bool:
        return self._around.writer.behind

    def stalled(self) -> str | None:
        """Why the process should be ended, as far as this line's reader goes."""
        return None if self._dispatches is None else self._dispatches.stalled()

    def _dispatched(self, messages: Sequence[Message]) -> None:
        if self._tenure is not None:
            self._tenure.dispatched(messages)

    # --- on the reader's thread, where every wait has an end: the group waits for whoever is called back

    def _join(self) -> GroupReader:
        self._revoked_s = None  # of an earlier membership
        self._group = self._around.log.group_reader(
            self._member, self._places.group, [self._places.dispatch.topic], self._assigned, self._revoked
        )
        return self._group

    def _assigned(self, places: list[TopicPartition]) -> None:
        self._revoked_s = None
        kept, self._kept_since = self._tenure is not None, None
        if self._places.dispatch not in places:
            self._lose("given to another")
            return
        if kept:
            return
        around, began = self._around, time.monotonic()
        found, taken = take_over(
            around.log, self._writer, self._places, around.times, around.node, around.now_ms()
        )  # fmt: skip
        first, last = shares_of(*self._partners[self._line.partner].trace_range).reserve
        count = min(AT_FIRST, batch_of(last - first + 1))
        found = found._replace(
            reserved=reserve(around.log, self._writer, self._places, taken, count, around.now_ms())
        )  # fmt: skip
        self._tenure = Tenure(around, self._line, self._partners, self._places, taken, self._helpless)
        self._tenure.position = found.position
        on_loop(
            self._loop,
            partial(self._tenure.start, found, self._orders),
            _AT_ONCE_S,
            f"beginning to own {self._line.name}",
        )
        seconds = time.monotonic() - began
        around.metrics.takeover.labels(self._line.name).observe(seconds)
        _log.info("line taken", extra={"line": self._line.name, "known": len(found.sent), "seconds": round(seconds, 3)})

    def _revoked(self, places: list[TopicPartition]) -> None:
        self._revoked_s = time.monotonic()
        if self._places.dispatch not in places or self._tenure is None:
            return
        if self._comes_back():
            self._commit()
            self._kept_since = self._loop.time()
            return
        limit_s = finish_limit_ms(self._around.times) / 1000 + _AT_ONCE_S
        on_loop(self._loop, self._tenure.finish, limit_s, f"giving {self._line.name} up")
        self._commit()
        self._tenure, self._revoked_s = None, time.monotonic()  # giving it up may have taken long
        _log.info("line given up", extra={"line": self._line.name})

    def _comes_back(self) -> bool:
        """Whether the group, in which somebody has joined or left, will give the line to this member again."""
        if self._dispatches is None or not self._dispatches.reading:
            return False
        members = self._members()
        return members.count(self._member) == 1 and min(members) == self._member

    def _members(self) -> list[str]:
        """Who shares the line; nobody, where the broker does not say."""
        try:
            return self._around.log.members(self._places.group, _ASK_S)
        except LogError as error:
            _log.warning("who shares the line is unknown", extra={"line": self._line.name, "reason": str(error)})
            return []

    def _lose(self, why: str) -> None:
        """The line was kept, and did not come back: whoever has it now goes on, as after a death."""
        self._kept_since = None
        if self._tenure is not None:
            on_loop(self._loop, self._tenure.lose, _AT_ONCE_S, f"losing {self._line.name}")
            self._tenure = None
            _log.error("line lost", extra={"line": self._line.name, "reason": why})

    def _idle(self) -> None:
        self._commit()
        if self._revoked_s is not None and time.monotonic() - self._revoked_s > SHARE_S:
            raise LogError(f"the group {self._places.group} has shared nothing out for {SHARE_S:g} s: join it anew")
        if self._kept_since is not None and self._loop.time() - self._kept_since > _UNSURE_S:
            self._lose("given to nobody")

    def _commit(self) -> None:
        if self._tenure is not None and self._group is not None:
            self._group.done({self._places.dispatch: self._tenure.position})


class EgressServer:
    """All lines of one process. Lives on one event loop; `failed` ends with what it cannot go on from."""

    def __init__(
        self,
        settings: Settings,
        log: Log,
        topics: Topics,
        ring: KeyRing,
        metrics: Metrics,
        *,
        node: str,
        rank: int = 0,
        now_ms: Callable[[], int],
        clock_trouble: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._log = log
        self._topics = topics
        self._ring = ring
        self._metrics = metrics
        self._node = node
        self._rank = rank
        self._now_ms = now_ms
        self._clock_trouble = clock_trouble
        self._resting = False  # the machine's clock is wrong, or was a moment ago: it owns no line
        self._calm = 0
        self._sessions = Sessions(settings.times.sessions_max)
        self._owners: dict[str, LineOwner] = {}
        self._orders: dict[str, LineOrdered] = {}
        self._following: LoopReader | None = None
        self._clock_handle: asyncio.TimerHandle | None = None
        self.failed: asyncio.Future[None]

    async def start(self) -> None:
        """Join the groups of all lines. Raises `LogError` where there is no broker, or no topic for a line."""
        for line in self._settings.lines:
            await asyncio.to_thread(self._log.partition_count, self._topics("dispatch", line.name))
        self.failed = asyncio.get_running_loop().create_future()
        self._writer = LoopWriter(self._log.sender(f"egress-{self._node}"))
        around = Surroundings(
            log=self._log,
            topics=self._topics,
            writer=self._writer,
            times=self._settings.times,
            node=self._node,
            open_card=opener(self._ring),
            metrics=self._metrics,
            now_ms=self._now_ms,
            fail=self._fail,
            sparing=Sparing(self._settings.breakers),
            sessions=self._sessions,
            clock_tolerance_ms=self._settings.clock_tolerance_ms,
        )
        await self._follow_orders()
        for line in self._settings.lines:
            rank = line.rank_of(self._node, self._rank)
            self._owners[line.name] = LineOwner(around, line, self._settings, rank, self._orders)
        self._look_at_clock()

    def _look_at_clock(self) -> None:
        """Own lines while the machine's clock is right, and none while it is wrong."""
        trouble = self._clock_trouble()
        self._calm = 0 if trouble is not None else self._calm + 1
        if trouble is not None and not self._resting:
            _log.error("lines given away: this machine's clock is wrong", extra={"reason": trouble})
            self._resting = True
        elif self._resting and self._calm >= _CALM_LOOKS:
            _log.info("lines are taken again: this machine's clock is right")
            self._resting = False
        for owner in self._owners.values():
            if self._resting:
                owner.rest()
            else:
                owner.resume()
        self._clock_handle = asyncio.get_running_loop().call_later(_CLOCK_S, self._look_at_clock)

    async def _follow_orders(self) -> None:
        """Know what operators have ordered until now, then hear what they order."""
        place, name = TopicPartition(self._topics("line-orders"), 0), f"egress-{self._node}-orders"
        start, end = await asyncio.to_thread(self._log.span, place)
        self._ordered(await asyncio.to_thread(lambda: list(read_span(self._log, name, place, start, end))))
        self._following = LoopReader(
            name, lambda: self._log.reader(name, {place: end}), self._ordered, self._fail, idle_s=_IDLE_S
        )

    def _ordered(self, messages: Sequence[Message]) -> None:
        for message in messages:
            order = wire.decode_as(LineOrdered, message)
            self._orders[order.line] = order
            if (owner := self._owners.get(order.line)) is not None:
                owner.ordered(order)

    async def stop(self) -> None:
        """Give up every line in order."""
        if self._clock_handle is not None:
            self._clock_handle.cancel()
        readers = [] if self._following is None else [self._following]
        await asyncio.gather(*(owner.close() for owner in self._owners.values()), *(each.close() for each in readers))
        await self._writer.close()

    def hurry(self) -> None:
        """Wait for no report any more: what is on the line is in doubt. The stations are closed all the same."""
        for owner in self._owners.values():
            owner.hurry()

    def stalled(self) -> str | None:
        """Why whoever runs the process should end it: a thread of it is stuck."""
        told = [owner.stalled() for owner in list(self._owners.values())]
        if self._following is not None:
            told.append(self._following.stalled())
        return next((each for each in told if each is not None), None)

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)
