"""The ingress's only I/O: sockets and the log on one event loop. Bytes and records in, `core`, acts out."""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Callable, Sequence
from typing import assert_never

from prometheus_client import CollectorRegistry

from ingress.acts import (
    Act,
    Close,
    Delivery,
    Opened,
    Send,
    StoreDelivered,
    StoreInquiry,
    StoreRequest,
    StoreUndeliverable,
)
from ingress.config import Settings
from ingress.connection import Connection
from ingress.core import Session
from ingress.door import LINGER_S, Door
from ingress.metrics import Metrics
from ingress.places import Lines, Places
from ingress.replies import Gone
from ingress.stillness import Stillness
from ingress.storing import Storing, new_id
from ingress.tls import server_context
from ingress.turns import Turns
from pipeline.bridge import LoopReader, LoopWriter
from pipeline.clock import monotonic_ms
from pipeline.log import Log, Message, TopicPartition
from pipeline.threshold import Threshold
from schemas import wire
from schemas.client_frames import GatewayFrame, Refused, Rejection, frame
from schemas.records import ReplyReady
from schemas.sealing import KeyRing
from schemas.topics import Topics

_TICK_S = 0.1
_LINES_A_SECOND = 20  # about connections that have not said hello: anybody can make them
_UNREAD_MAX = 1_048_576  # bytes that a client has not taken, when that is more than its answers can be
_ANSWER_MAX = 1_024  # bytes of one
_CROWDED = "too many have not said hello; say it at once"
_log = logging.getLogger(__name__)


class IngressServer:
    """A door for clients. `start` and `stop` it on one event loop; `failed` ends with what it cannot go on from."""

    def __init__(
        self,
        settings: Settings,
        log: Log,
        topics: Topics,
        ring: KeyRing,
        *,
        slot: int,
        node: str,
        registry: CollectorRegistry,
        now_ms: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._log = log
        self._topics = topics
        self._ring = ring
        self._slot = slot
        self._name = f"ingress-{node}-{slot}"
        self._incarnation = new_id()
        self._sessions = itertools.count(1)
        self._now_ms = now_ms
        self._metrics = Metrics(registry)
        self._replies = TopicPartition(topics("replies"), slot)
        self._connections: dict[Connection, None] = {}  # in the order in which they came
        self._threshold: Threshold[Connection] = Threshold(settings.max_ungreeted, settings.max_ungreeted_per_address)
        self._places = Places(settings.max_sessions, settings.max_sessions_per_customer)
        self._closing: Threshold[Connection] = Threshold(settings.max_ungreeted, settings.max_ungreeted)
        self._by_session: dict[str, Connection] = {}
        self._dirty: list[Connection] = []
        self._gone = Gone(settings.gone_after_ms)
        self._stillness = Stillness(monotonic_ms())
        self._door = Door(settings, lambda: Connection(self))
        self._listening = False
        self._lines = Lines(_LINES_A_SECOND)
        self._drained = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self.failed: asyncio.Future[None]

    # --- life

    async def start(self) -> None:
        """Read this slot's replies from now on, then listen. Raises `LogError`, `OSError`, `ConfigError`."""
        context = None if self._settings.tls is None else server_context(self._settings.tls)
        _, end = await asyncio.to_thread(self._log.span, self._replies)
        self._loop = asyncio.get_running_loop()
        self.failed = self._loop.create_future()
        self._writer = LoopWriter(self._log.sender(self._name))
        self._turns = Turns(self._loop, self._writer, self.received, self.failed_at)
        given = self._writer, self._topics, self._ring, self._metrics
        self._storing = Storing(*given, slot=self._slot, now_ms=self._now_ms, fail=self._fail)
        self._reader = LoopReader(
            self._name, lambda: self._log.reader(self._name, {self._replies: end}), self._handle, self._fail
        )
        self._tick_handle = self._loop.call_later(_TICK_S, self._tick)
        try:
            await self._door.open(context, self._arrived)
        except BaseException:
            await self._close_log()
            raise
        self._listening = True
        _log.info("listening", extra={"host": self._settings.host, "port": self.port, "slot": self._slot})

    async def stop(self) -> None:
        """Accept nothing new, let what is in flight end (at most `drain_ms`), close every session, then the log."""
        self._listening = False
        self._door.close()
        for connection in list(self._connections):
            if connection.session is None:
                connection.abort()
            else:
                self.perform(connection, connection.session.stop())
        await self._until_drained()
        for connection in list(self._connections):
            self.perform(connection, [Close("stopping")])
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), LINGER_S)
        for connection in list(self._connections):
            connection.abort()
        await self._close_log()
        _log.info("sessions closed", extra={"slot": self._slot})

    def hurry(self) -> None:
        """Await no reply and no acknowledgement any more; the clients inquire elsewhere."""
        self._drained.set()

    async def _until_drained(self) -> None:
        if self.failed.done():  # no reply can come any more
            return
        self._check_drained()
        try:
            await asyncio.wait_for(self._drained.wait(), self._settings.drain_ms / 1000)
        except TimeoutError:
            left = sum(session.in_flight for session in self._open_sessions())
            _log.warning("not drained in time; the clients inquire elsewhere", extra={"in_flight": left})

    def _check_drained(self) -> None:
        now_ms = self._now_ms()
        if not self._listening and all(each.drained(now_ms) for each in self._open_sessions()):
            self._drained.set()

    def _open_sessions(self) -> list[Session]:
        return [each.session for each in self._connections if each.session is not None]

    async def _close_log(self) -> None:
        self._tick_handle.cancel()
        await self._reader.close()
        await self._writer.close()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._door.port

    def trouble(self) -> str | None:
        """Why no request should be sent here now, or None."""
        if not self._listening:
            return "does not listen"
        if self._storing.fails:
            return "the broker does not acknowledge what is written"
        return None

    def stalled(self) -> str | None:
        """Why whoever runs the process should end it: its reader's thread is stuck."""
        return self._reader.stalled()

    def _fail(self, error: BaseException) -> None:
        """Without this the process must not go on."""
        if not self.failed.done():
            self.failed.set_exception(error)

    # --- connections

    def _arrived(self, connection: Connection) -> None:
        """A caller stands before the door: it must say who it is before others crowd it out."""
        self._connections[connection] = None
        self._empty.clear()
        crowded_out = self._threshold.enter(connection, connection.address)
        self._count()
        if crowded_out is not None and crowded_out.session is None:
            crowded_out.abort()
        elif crowded_out is not None and crowded_out.session is not None:
            self.perform(crowded_out, crowded_out.session.turn_away(Rejection.TOO_MANY_SESSIONS, _CROWDED))

    def connected(self, connection: Connection) -> None:
        """A client can be talked to."""
        name = f"{self._incarnation}-{next(self._sessions)}"
        connection.session = session = Session(self._settings, name, self._now_ms(), self._places.fault)
        self._by_session[session.id] = connection
        if connection not in self._connections:  # of TLS it is known already
            self._arrived(connection)
        if not self._listening:
            self.perform(connection, session.stop())
        elif self._places.full:
            self.perform(connection, session.turn_away(Rejection.TOO_MANY_SESSIONS))

    def received(self, connection: Connection, data: bytes) -> None:
        """A client has sent these bytes."""
        session = connection.session
        if session is None:
            return
        self.perform(connection, session.receive(data, self._now_ms(), self._stillness.lasted(monotonic_ms())))
        self._turns.see_to(connection, session)

    def writable(self, connection: Connection) -> None:
        """The client has read what was written."""
        if connection.session is not None:
            self._turns.see_to(connection, connection.session)

    def lost(self, connection: Connection, error: Exception | None) -> None:
        """The connection is no more."""
        session = connection.session
        if session is not None:
            self._leave(connection, session, "truncated" if session.truncated else "lost" if error else "left")
        self._threshold.leave(connection)
        self._connections.pop(connection, None)
        self._closing.leave(connection)
        if not self._connections:
            self._empty.set()
        self._count()
        self._check_drained()

    def failed_at(self, connection: Connection, error: Exception) -> None:
        """Something went wrong with this connection that never should: it ends, the others go on."""
        _log.error("a connection failed", extra={"peer": connection.peer}, exc_info=error)
        if connection.session is not None:
            self._leave(connection, connection.session, "failed")
        connection.abort()

    def _leave(self, connection: Connection, session: Session, reason: str) -> None:
        """The session is over: what it was owed waits for the client to come back."""
        if self._by_session.pop(session.id, None) is None:
            return
        now_ms = self._now_ms()
        for delivery in session.gone():
            self._gone.add(delivery, now_ms)
        self._metrics.closed.labels(reason).inc()
        if session.customer:
            self._places.give_back(session.customer)
        if session.customer or self._lines.one_more():
            extra = {"session": session.id, "customer": session.customer, "peer": connection.peer}
            _log.info("session closed", extra={**extra, "reason": reason})

    def _count(self) -> None:
        self._metrics.sessions.set(len(self._places))
        self._metrics.ungreeted.set(len(self._threshold))

    # --- time and the log

    def _tick(self) -> None:
        try:
            self._pass_time(self._now_ms())
        except Exception as error:  # noqa: BLE001  without its clock this process must not go on
            self._fail(error)
        else:
            self._tick_handle = self._loop.call_later(_TICK_S, self._tick)

    def _pass_time(self, now_ms: int) -> None:
        self._stillness.turned(monotonic_ms())
        in_flight = 0
        for connection in list(self._connections):
            session = connection.session
            if session is None:
                continue  # TLS has a time of its own
            if connection.closing_ms is None:
                self.perform(connection, session.tick(now_ms))
                in_flight += session.in_flight
                self._turns.look_again(connection, session)
            elif now_ms - connection.closing_ms >= LINGER_S * 1_000:
                connection.abort()
        for act in self._gone.due(now_ms):
            self._storing.undeliverable(act)
        self._metrics.in_flight.set(in_flight)
        if left_out := self._lines.left_out(now_ms):
            _log.warning("more connections without hello than are logged", extra={"lines": left_out})
        self._check_drained()

    def _handle(self, batch: Sequence[Message]) -> None:
        now_ms = self._now_ms()
        for message in batch:
            record = wire.decode_as(ReplyReady, message)
            connection = self._by_session.get(record.session)
            session = None if connection is None else connection.session
            if connection is None or session is None:
                self._nobody_for(record, now_ms)
                continue
            self._gone.came_back(record)
            acts, asked_ms = session.tell(record, now_ms)
            if asked_ms is not None:
                self._metrics.duration.observe((now_ms - asked_ms) / 1000)
            self.perform(connection, acts)
        self._metrics.lag.observe(max(0, now_ms - batch[-1].timestamp_ms) / 1000)

    def _nobody_for(self, record: ReplyReady, now_ms: int) -> None:
        """The session of this reply is not here.

        Only of its own sessions this process knows that nobody will confirm there any more. Another's (of the process
        that had this slot before, and may be frozen, not dead) could still be settled: the router's deadline decides.
        """
        self._metrics.gone.inc()
        if record.confirm_by_ms is not None and record.session.startswith(self._incarnation):
            self._gone.add(Delivery.of(record), now_ms)

    # --- acts

    def perform(self, connection: Connection, acts: Sequence[Act]) -> None:
        """Do what the session asks, in order."""
        session = connection.session
        assert session is not None
        for act in acts:
            match act:
                case Send():
                    self._send(connection, session, act.frame)
                case StoreRequest() | StoreInquiry():
                    self._store_asked(connection, session, act)
                case StoreDelivered():
                    self._store_delivered(connection, session, act)
                case StoreUndeliverable():
                    self._storing.undeliverable(act)
                case Opened():
                    self._threshold.leave(connection)
                    self._places.take(act.customer)
                    self._count()
                    named = {"session": session.id, "customer": act.customer, "client": act.client}
                    _log.info("session opened", extra={**named, "peer": connection.peer})
                case Close():
                    self._close(connection, session, act.reason)
                case _:
                    assert_never(act)

    def _close(self, connection: Connection, session: Session, reason: str) -> None:
        self._leave(connection, session, reason)
        self._threshold.leave(connection)
        connection.close(self._now_ms())
        if (oldest := self._closing.enter(connection, "")) is not None:  # who does not close its side is not waited for
            oldest.abort()

    def _send(self, connection: Connection, session: Session, message: GatewayFrame) -> None:
        self._metrics.tell(message)
        if isinstance(message, Refused) and message.closing and (session.customer or self._lines.one_more()):
            extra = {"code": message.code, "text": message.text_en, "customer": session.customer}
            _log.warning("turned away", extra={**extra, "peer": connection.peer})
        if not connection.out:
            if not self._dirty:
                self._loop.call_soon(self._flush)
            self._dirty.append(connection)
        connection.out.append(frame(message))

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        most = max(_UNREAD_MAX, self._settings.max_in_flight * _ANSWER_MAX)
        for connection in dirty:
            try:
                connection.flush()
                if connection.unread > most and connection.session is not None:
                    self._leave(connection, connection.session, "does_not_read")
                    connection.abort()
            except Exception as error:  # noqa: BLE001  what the others are owed is written all the same
                self.failed_at(connection, error)

    def _store_asked(self, connection: Connection, session: Session, act: StoreRequest | StoreInquiry) -> None:
        asked = act.inquiry if isinstance(act, StoreInquiry) else act.request

        def told(stamp_ms: int | None) -> None:
            if stamp_ms is None:
                inquiry = isinstance(act, StoreInquiry)
                self.perform(connection, session.not_stored(asked.reference, inquiry=inquiry))

        self._storing.asked(act, told)

    def _store_delivered(self, connection: Connection, session: Session, act: StoreDelivered) -> None:
        self._storing.delivered(
            act,
            lambda stamp_ms: self.perform(connection, session.stored(act.delivery, stamp_ms, self._now_ms())),
        )
