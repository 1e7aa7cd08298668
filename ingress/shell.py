"""The ingress's only I/O: sockets and the log on one event loop. Bytes and records in, `core`, acts out."""

import asyncio
import contextlib
import itertools
import logging
import secrets
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from typing import assert_never

from prometheus_client import CollectorRegistry

from ingress import crashes
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
from ingress.core import Session, too_many_sessions
from ingress.intake import inquiry_asked, request_accepted
from ingress.metrics import Metrics
from ingress.replies import Gone
from ingress.tls import server_context
from pipeline.bridge import LoopReader, LoopWriter
from pipeline.log import Done, Log, Message, Outgoing, Stored, TopicPartition
from schemas import wire
from schemas.client_frames import GatewayFrame, Refused, Reply, Settled, StatusTold, frame
from schemas.identity import transaction_key
from schemas.records import Record, ReplyDelivered, ReplyReady, ReplyUndeliverable
from schemas.sealing import KeyRing
from schemas.topics import Topics

_TICK_S = 0.1
_LINGER_MS = 1_000  # a closed session's last frames may take this long to be read by the client
_FAILING_MS = 5_000  # the log counts as failing this long after a write that failed

_log = logging.getLogger(__name__)


def _new_id() -> str:
    return secrets.token_hex(16)


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
        self._ring = ring
        self._slot = slot
        self._name = f"ingress-{node}-{slot}"
        self._incarnation = _new_id()
        self._sessions = itertools.count(1)
        self._now_ms = now_ms
        self._metrics = Metrics(registry)
        self._requests, self._deliveries = topics("requests"), topics("deliveries")
        self._replies = TopicPartition(topics("replies"), slot)
        self._connections: dict[Connection, None] = {}  # in the order in which they came
        self._by_session: dict[str, Connection] = {}
        self._dirty: list[Connection] = []
        self._gone = Gone(settings.gone_after_ms)
        self._failing_until_ms = 0
        self._listening = False
        self._drained = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self.port = 0
        self.failed: asyncio.Future[None]

    # --- life

    async def start(self) -> None:
        """Read this slot's replies from now on, then listen. Raises `LogError`, `OSError`, `ConfigError`."""
        context = None if self._settings.tls is None else server_context(self._settings.tls)
        _, end = await asyncio.to_thread(self._log.span, self._replies)
        self._loop = asyncio.get_running_loop()
        self.failed = self._loop.create_future()
        self._writer = LoopWriter(self._log.sender(self._name))
        self._reader = LoopReader(
            self._name, lambda: self._log.reader(self._name, {self._replies: end}), self._handle, self._fail
        )
        self._tick_handle = self._loop.call_later(_TICK_S, self._tick)
        try:
            await self._listen(context)
        except BaseException:
            await self._close_log()
            raise
        _log.info("listening", extra={"host": self._settings.host, "port": self.port, "slot": self._slot})

    async def _listen(self, context: ssl.SSLContext | None) -> None:
        host, port = self._settings.host, self._settings.port
        try:
            self._server = await self._loop.create_server(
                lambda: Connection(self),
                host,
                port,
                ssl=context,
                # the handshake is part of the time for hello: before it, nobody counts the connection
                ssl_handshake_timeout=self._settings.hello_timeout_ms / 1000 if context else None,
                ssl_shutdown_timeout=_LINGER_MS / 1000 if context else None,
            )
        except OSError as error:
            text = f"client address {host}:{port}: {error.strerror}: choose another under ingress.host and ingress.port"
            raise OSError(error.errno, text) from error
        self.port = int(self._server.sockets[0].getsockname()[1])
        self._listening = True

    async def stop(self) -> None:
        """Accept nothing new, let what is in flight end (at most `drain_ms`), close every session, then the log."""
        self._listening = False
        self._server.close()
        for connection in list(self._connections):
            self.perform(connection, connection.session.stop())
        await self._until_drained()
        for connection in list(self._connections):
            self.perform(connection, [Close("stopping")])
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), _LINGER_MS / 1000)
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
            left = sum(connection.session.in_flight for connection in self._connections)
            _log.warning("not drained in time; the clients inquire elsewhere", extra={"in_flight": left})

    def _check_drained(self) -> None:
        now_ms = self._now_ms()
        if not self._listening and all(each.session.drained(now_ms) for each in self._connections):
            self._drained.set()

    async def _close_log(self) -> None:
        self._tick_handle.cancel()
        await self._reader.close()
        await self._writer.close()

    def trouble(self) -> str | None:
        """Why no request should be sent here now, or None."""
        if not self._listening:
            return "does not listen"
        if self._now_ms() < self._failing_until_ms:
            return "the broker does not acknowledge what is written"
        return None

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)

    # --- connections

    def connected(self, connection: Connection) -> Session:
        """A client has connected: its session."""
        session = Session(self._settings, f"{self._incarnation}-{next(self._sessions)}", self._now_ms())
        self._connections[connection] = None
        self._empty.clear()
        self._by_session[session.id] = connection
        self._metrics.sessions.set(len(self._connections))
        return session

    def admit(self, connection: Connection) -> None:
        """Turn the connection away if it is one too many."""
        if len(self._connections) > self._settings.max_sessions:
            self.perform(connection, too_many_sessions())
        elif not self._listening:
            self.perform(connection, connection.session.stop())

    def received(self, connection: Connection, data: bytes) -> None:
        """A client has sent these bytes."""
        self.perform(connection, connection.session.receive(data, self._now_ms()))

    def lost(self, connection: Connection, error: Exception | None) -> None:
        """The connection is no more."""
        self._leave(connection, "truncated" if connection.session.truncated else "lost" if error else "left")
        self._connections.pop(connection, None)
        if not self._connections:
            self._empty.set()
        self._metrics.sessions.set(len(self._connections))
        self._check_drained()

    def _leave(self, connection: Connection, reason: str) -> None:
        """The session is over: what it was owed waits for the client to come back."""
        session = connection.session
        if self._by_session.pop(session.id, None) is None:
            return
        now_ms = self._now_ms()
        for delivery in session.gone():
            self._gone.add(delivery, now_ms)
        self._metrics.closed.labels(reason).inc()
        _log.info(
            "session closed",
            extra={"session": session.id, "customer": session.customer, "peer": connection.peer, "reason": reason},
        )

    # --- time and the log

    def _tick(self) -> None:
        try:
            self._pass_time(self._now_ms())
        except Exception as error:  # noqa: BLE001  without its clock this process must not go on
            self._fail(error)
        else:
            self._tick_handle = self._loop.call_later(_TICK_S, self._tick)

    def _pass_time(self, now_ms: int) -> None:
        in_flight = 0
        for connection in list(self._connections):
            if connection.closing_ms is None:
                self.perform(connection, connection.session.tick(now_ms))
                in_flight += connection.session.in_flight
            elif now_ms - connection.closing_ms >= _LINGER_MS:
                connection.abort()
        for act in self._gone.due(now_ms):
            self._store_undeliverable(act)
        self._metrics.in_flight.set(in_flight)
        self._check_drained()

    def _handle(self, batch: Sequence[Message]) -> None:
        now_ms = self._now_ms()
        for message in batch:
            record = wire.decode_as(ReplyReady, message)
            connection = self._by_session.get(record.session)
            if connection is None:
                self._nobody_for(record, now_ms)
                continue
            self._gone.came_back(record)
            acts, asked_ms = connection.session.tell(record, now_ms)
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
        for act in acts:
            match act:
                case Send():
                    self._send(connection, act.frame)
                case StoreRequest():
                    self._store_request(connection, act)
                case StoreDelivered():
                    self._store_delivered(connection, act)
                case StoreInquiry():
                    self._store_inquiry(connection, act)
                case StoreUndeliverable():
                    self._store_undeliverable(act)
                case Opened():
                    _log.info(
                        "session opened",
                        extra={
                            "session": connection.session.id,
                            "customer": act.customer,
                            "client": act.client,
                            "peer": connection.peer,
                        },
                    )
                case Close():
                    self._leave(connection, act.reason)
                    connection.close(self._now_ms())
                case _:
                    assert_never(act)

    def _send(self, connection: Connection, message: GatewayFrame) -> None:
        match message:
            case Reply() | StatusTold():
                self._metrics.told[message.status].inc()
            case Settled():
                self._metrics.settled[message.confirmed].inc()
            case Refused():
                self._metrics.rejected[message.code].inc()
                if message.closing:
                    extra = {"code": message.code, "peer": connection.peer, "text": message.text_en}
                    _log.warning("turned away", extra={**extra, "customer": connection.session.customer})
            case _:
                pass
        if not connection.out:
            if not self._dirty:
                self._loop.call_soon(self._flush)
            self._dirty.append(connection)
        connection.out.append(frame(message))

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for connection in dirty:
            connection.flush()

    def _store_request(self, connection: Connection, act: StoreRequest) -> None:
        record = request_accepted(act, self._ring, _new_id(), self._slot)
        key = transaction_key(act.customer, act.request.reference, act.request.original_reference)
        self._metrics.requests_of(act.customer).inc()
        self._write(self._requests, key, record, partial(self._asked, connection, act.request.reference, False))

    def _store_inquiry(self, connection: Connection, act: StoreInquiry) -> None:
        record = inquiry_asked(act, _new_id(), self._slot)
        key = transaction_key(act.customer, act.inquiry.reference, act.inquiry.original_reference)
        self._metrics.inquiries.inc()
        self._write(self._requests, key, record, partial(self._asked, connection, act.inquiry.reference, True))

    def _asked(
        self, connection: Connection, reference: str, inquiry: bool, _: Stored | None, error: Exception | None
    ) -> None:
        if self._is_stored("InquiryAsked" if inquiry else "RequestAccepted", error):
            return
        self.perform(connection, connection.session.not_stored(reference, inquiry=inquiry))

    def _store_delivered(self, connection: Connection, act: StoreDelivered) -> None:
        delivery = act.delivery
        record = ReplyDelivered(
            transaction_id=delivery.transaction_id,
            delivery_no=delivery.delivery_no,
            confirmed_ms=act.confirmed_ms,
        )
        self._write(self._deliveries, delivery.transaction_key, record, partial(self._delivered, connection, act))

    def _delivered(
        self, connection: Connection, act: StoreDelivered, stored: Stored | None, error: Exception | None
    ) -> None:  # fmt: skip
        stamp_ms = None
        if self._is_stored("ReplyDelivered", error):
            assert stored is not None
            stamp_ms = stored.timestamp_ms
        self.perform(connection, connection.session.stored(act.delivery, stamp_ms, self._now_ms()))

    def _store_undeliverable(self, act: StoreUndeliverable) -> None:
        delivery = act.delivery
        self._metrics.undeliverable[act.reason].inc()
        extra = {"transaction_id": delivery.transaction_id, "delivery_no": delivery.delivery_no, "reason": act.reason}
        _log.warning("reply undeliverable", extra=extra)
        record = ReplyUndeliverable(
            transaction_id=delivery.transaction_id,
            delivery_no=delivery.delivery_no,
            reason=act.reason,
            noticed_ms=act.noticed_ms,
        )
        self._write(self._deliveries, delivery.transaction_key, record, self._told_undeliverable)

    def _told_undeliverable(self, _: Stored | None, error: Exception | None) -> None:
        self._is_stored("ReplyUndeliverable", error)

    def _write(self, topic: str, key: str, record: Record, done: Done) -> None:
        encoded = wire.encode(record)
        self._writer.write(Outgoing(topic, key.encode(), encoded.value, encoded.headers), done)

    def _is_stored(self, name: str, error: Exception | None) -> bool:
        if error is None:
            crashes.stored(name)
            return True
        self._metrics.failed[name].inc()
        now_ms = self._now_ms()
        if now_ms >= self._failing_until_ms:  # once per outage, not once per request
            _log.error("a record is not known to be stored", extra={"record": name, "reason": str(error)})
        self._failing_until_ms = now_ms + _FAILING_MS
        return False
