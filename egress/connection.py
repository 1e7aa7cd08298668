"""The connection of a line to its partner: dialled, or waited for. Bytes in and out, no decisions about telegrams.

Who may call a line that listens: `Line.peers` by address, `Line.tls` by certificate; whoever else calls is refused at
once, and nobody but the log and the metrics hears of it. When to dial: `egress.dialling`. One connection at a time: the
rule for a second call is `Line.second_call`.
"""

import asyncio
import contextlib
import logging
import random
import socket
import time
from ipaddress import IPv6Address, ip_address
from typing import Any, Protocol, cast

from egress.dialling import Calls, Pause
from egress.intake import Allowance, Intake
from egress.metrics import Counts
from egress.tls import context_of, is_named, limits
from pipeline.config import ConfigError
from pipeline.listening import Address, Call, TlsListener, bound, let_out
from pipeline.threshold import Threshold
from pipeline.tls import trouble
from schemas.installation import Egress, Line
from schemas.telegrams import Framing

_UNSENT_MAX = 1_048_576
_TOLD_A_SECOND, _TOLD_AT_ONCE = 1, 20  # refused calls in the log; all of them are in the metric
_HANDSHAKES_MAX, _HANDSHAKES_OF_ADDRESS_MAX = 64, 48  # callers that have not shown their certificate
_GONE_S = 1.0  # how long a connection that is broken may take to go

_log = logging.getLogger(__name__)


class Hears(Protocol):
    """Whoever is told what happens on a line."""

    def sought(self, trouble: str | None) -> None:
        """A connection is being sought; `trouble` tells why there is none yet."""
        ...

    def connected(self) -> None: ...

    def received(self, payload: bytes) -> bool:
        """A telegram; says whether it was awaited."""
        ...

    def unreadable(self, problem: str) -> None:
        """The bytes that came are no telegrams; the connection is about to be broken."""
        ...

    def writable(self, writable: bool) -> None: ...

    def disconnected(self, reason: str) -> None: ...

    def called_again(self) -> None:
        """Another call was refused, because the line has its connection: if that still lives."""
        ...

    def behind(self) -> bool:
        """Whether the log is so far behind that nothing should be taken from the partner."""
        ...


class Connection(asyncio.Protocol):
    """One TCP connection."""

    def __init__(self, owner: "Connector") -> None:
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._intake: Intake | None = None
        self._out: list[bytes] = []
        self.address: Address = ()
        self.certificate: dict[str, Any] | None = None
        self.reason: str | None = None
        self.closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are none by inheritance
        self.address = transport.get_extra_info("peername") or ()
        self.certificate = transport.get_extra_info("peercert")
        _watch(transport, self._owner.times)
        ears = self._owner.ears
        self._intake = Intake(
            self._owner.framing.deframer(), self._transport, ears.received, self._unreadable, ears.behind
        )
        if not self._owner.opened(self):
            self._intake.stop()
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._owner.connection is self and self._intake is not None:
            self._intake.feed(data)

    def _unreadable(self, problem: str) -> None:
        self._owner.ears.unreadable(problem)
        self.hang(problem)

    def connection_lost(self, exc: Exception | None) -> None:
        self.reason = self.reason or ("the partner closed the connection" if exc is None else trouble(exc))
        if self._intake is not None and self._owner.connection is self:
            self._intake.finish()
        self.closed.set()
        self._owner.lost(self)

    def pause_writing(self) -> None:
        if self._owner.connection is self:
            self._owner.ears.writable(False)

    def resume_writing(self) -> None:
        if self._owner.connection is self:
            self._owner.ears.writable(True)

    def transmit(self, data: bytes) -> None:
        """Hand the bytes to the network, together with all others of this turn of the loop."""
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append(data)

    def _flush(self) -> None:
        """Write what has gathered: to no connection that is going, and not without bound to one that takes nothing.

        Requests wait while the partner takes nothing (`Hears.writable`). Answers to what it asks do not, for it may
        read them only when it has written on: who has left `_UNSENT_MAX` bytes unread is hung up.
        """
        transport = self._transport
        assert transport is not None
        data, self._out = b"".join(self._out), []
        if not data or self.closed.is_set() or transport.is_closing():
            return  # `connection_lost` comes, or came: what was on the line is in doubt
        if transport.get_write_buffer_size() + len(data) > _UNSENT_MAX:
            self._break(f"the partner has left more than {_UNSENT_MAX // 1024} KiB unread")
            return
        try:
            transport.write(data)
        except (OSError, RuntimeError) as error:  # uvloop's word for one that was reset: "the handler is closed"
            self._break(trouble(error) if isinstance(error, OSError) else str(error))

    def hang(self, reason: str) -> None:
        """Break the connection; what is buffered goes out if the partner still takes it at once."""
        assert self._transport is not None
        self._flush()
        self._break(reason)

    def _break(self, reason: str) -> None:
        transport = self._transport
        assert transport is not None
        self.reason = self.reason or reason
        if self._intake is not None:
            self._intake.stop()
        if self.closed.is_set():
            return
        if transport.get_write_buffer_size():
            transport.abort()
        else:
            transport.close()


def _watch(transport: asyncio.BaseTransport, times: Egress) -> None:
    """Let the system find out about a partner that is gone, too, where it can.

    A second net under the station's own probes 疎通確認: while a station is not open, nobody else looks.
    """
    found = transport.get_extra_info("socket")
    if found is None:
        return
    idle_s, every_s = max(1, times.probe_idle_ms // 1_000), max(1, times.probe_timeout_ms // 3_000)
    for level, name, value in (
        (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
        (socket.IPPROTO_TCP, "TCP_KEEPIDLE", min(idle_s, 32_767)),  # Linux takes no more
        (socket.IPPROTO_TCP, "TCP_KEEPINTVL", min(every_s, 32_767)),
        (socket.IPPROTO_TCP, "TCP_KEEPCNT", 3),
        (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", times.probe_idle_ms + times.probe_timeout_ms),
    ):
        if hasattr(socket, name):
            with contextlib.suppress(OSError):  # a connection that has just been broken
                found.setsockopt(level, getattr(socket, name), value)


class Connector:
    """Seeks one connection at a time, by dialling or by listening, until it is stopped."""

    def __init__(
        self, line: Line, framing: Framing, times: Egress, ears: Hears, counts: Counts | None = None,
        calls: Calls | None = None,
    ) -> None:  # fmt: skip
        self._line = line
        self.framing = framing
        self.times = times
        self.ears = ears
        self.connection: Connection | None = None
        self._counts = counts
        self._server: asyncio.Server | TlsListener | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._stopped = False
        self._calls = calls or Calls(times)
        self._connected_ms: int | None = None  # when the call that is under way was taken
        self._handshakes: Threshold[Call] = Threshold(_HANDSHAKES_MAX, _HANDSHAKES_OF_ADDRESS_MAX)
        self._told = Allowance(_TOLD_A_SECOND, _TOLD_AT_ONCE, time.monotonic())
        self._untold = 0

    async def start(self) -> None:
        """Begin to seek. Raises `OSError` where it cannot listen, `ConfigError` for certificates that are none."""
        if self._line.mode == "dial":
            self._secured()
            self._dialling = asyncio.create_task(self._dial())
            self._dialling.add_done_callback(let_out)
            return
        host, port = self._line.host, self._line.port
        try:
            self._server = await self._listen(host, port)
        except OSError as error:
            text = (
                f"line {self._line.name}: cannot listen on {host}:{port}: {error.strerror}: correct its host and port"
            )
            raise OSError(error.errno, text) from error

    async def stop(self) -> None:
        """Seek no longer, and break what there is."""
        self._stopped = True
        if self._dialling is not None:
            self._dialling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._dialling
        if self._server is not None:
            self._server.close()
        if self.connection is not None:
            connection = self.connection
            connection.hang("closed")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(connection.closed.wait(), _GONE_S)

    # --- connections

    def opened(self, connection: Connection) -> bool:
        """Whether a new connection is taken: one at a time, and of those who may call.

        None after `stop`, which one that was accepted just before may outrun: nobody would ever open its station.
        """
        if self._stopped or not self._is_known(connection.address) or not self._is_partner(connection):
            return False
        if self._line.mode == "listen" and not self._is_time(connection.address):
            return False
        first = self.connection
        if first is not None:
            if self._line.second_call == "refuse":
                self._refuse("second", "a second connection was refused", connection.address)
                self.ears.called_again()
                return False
            self._replace(first, connection.address)
        self._calls.taking.took(_now_ms())
        self.connection = connection
        self.ears.connected()
        return True

    def _is_time(self, address: Address) -> bool:
        """Whether a call may be taken by now."""
        refusal = self._calls.taking.refusal(_now_ms())
        if refusal is not None:
            self._refuse(*refusal, address)
        return refusal is None

    def shun(self) -> None:
        """The partner has been hung up for what it brings."""
        self._calls.taking.shun(_now_ms())

    def lost(self, connection: Connection) -> None:
        """A connection has ended."""
        if self.connection is connection:
            self.connection = None
            self.ears.disconnected(connection.reason or "closed")

    def _replace(self, first: Connection, address: Address) -> None:
        """The partner calls again, so it has given the first connection up, and that counts."""
        _log.warning("a second connection takes the first one's place", extra=self._about(address))
        self.connection = None
        first.hang("the partner called a second time")
        self.ears.disconnected("the partner called a second time")

    # --- listening

    async def _listen(self, host: str, port: int) -> asyncio.Server | TlsListener:
        context = context_of(self._line)
        if context is None:
            return await asyncio.get_running_loop().create_server(lambda: Connection(self), host, port)
        sockets = await bound(host, port)
        return TlsListener(sockets, context, limits(self.times), arrives=self._called, greeted=self._greeted)

    def _called(self, call: Call) -> Connection | None:
        if not self._is_known(call.address):
            return None
        crowded_out = self._handshakes.enter(call, str(call.address[:1]))
        if crowded_out is not None:
            crowded_out.hang_up()
            self._refuse("certificate", "a call was refused: too many have shown no certificate", crowded_out.address)
        return Connection(self)

    def _greeted(self, call: Call, error: BaseException | None) -> None:
        self._handshakes.leave(call)
        if isinstance(error, Exception):
            self._refuse("certificate", f"a call was refused: {trouble(error)}", call.address)

    def _is_known(self, address: Address) -> bool:
        """Whether calls from this address are taken; one that is not is told."""
        if not self._line.peers:
            return True
        if address:  # of a caller that has hung up already nobody knows it
            caller = ip_address(address[0])
            if isinstance(caller, IPv6Address) and caller.ipv4_mapped is not None:
                caller = caller.ipv4_mapped
            if any(caller in peer for peer in self._line.peers):
                return True
        self._refuse("stranger", "a call from a stranger was refused", address)
        return False

    def _is_partner(self, connection: Connection) -> bool:
        """Whether a certificate has the partner's name; when dialling, the handshake has seen to that."""
        tls = self._line.tls
        if tls is None or self._line.mode == "dial" or is_named(tls, connection.certificate):
            return True
        self._refuse("certificate", f"a call was refused: its certificate is not {tls.name}'s", connection.address)
        return False

    def _refuse(self, reason: str, told: str, address: Address) -> None:
        """Count it, and tell it; of many calls only some are told, and how many were not."""
        if self._counts is not None:
            self._counts.refused(reason).inc()
        if not self._told.spare(time.monotonic()):
            self._untold += 1
            return
        untold, self._untold = self._untold, 0
        _log.warning(told, extra={**self._about(address), **({"not_told": untold} if untold else {})})

    def _about(self, address: Address) -> dict[str, str]:
        return {"line": self._line.name, "peer": ":".join(map(str, address[:2])) or "unknown"}

    # --- dialling

    async def _dial(self) -> None:
        dialling = self._calls.dialling
        self._tell_pause(dialling.pause(_now_ms()), "given up a moment ago")
        while True:
            await asyncio.sleep(dialling.pause(_now_ms()).ms / 1000)
            dialling.began(_now_ms())
            self._connected_ms = None
            try:
                reason = await self._attempt(asyncio.get_running_loop())
            finally:  # also where it is sought no longer: it may be sought again at once
                now_ms = _now_ms()
                lived_ms = 0 if self._connected_ms is None else now_ms - self._connected_ms
                pause = dialling.ended(lived_ms, random.uniform(0, 1), now_ms)  # noqa: S311  no secret
            if not self._tell_pause(pause, reason) and self._connected_ms is None:
                self.ears.sought(reason)

    def _tell_pause(self, pause: Pause, reason: str) -> bool:
        """Where the next attempt waits for those of the last minute, tell it."""
        if pause.attempts is None or pause.ms == 0:
            return False
        told = f"the next attempt in {-(-pause.ms // 1_000)} s: {pause.attempts} attempts in the last minute"
        self.ears.sought(f"{reason}; {told}")
        return True

    async def _attempt(self, loop: asyncio.AbstractEventLoop) -> str:
        """Call the partner; gives why there is no connection, or none any more."""
        host, port = self._line.host, self._line.port
        try:
            async with asyncio.timeout(self.times.connect_timeout_ms / 1000):
                _, connection = await loop.create_connection(lambda: Connection(self), host, port, **self._secured())
        except (OSError, UnicodeError, ConfigError) as error:  # TimeoutError is one; a host's name may be none
            self._attempted("failed")
            return f"{host}:{port}: {trouble(error)}"
        self._attempted("connected")
        self._connected_ms = _now_ms()
        await connection.closed.wait()
        return connection.reason or "closed"

    def _secured(self) -> dict[str, Any]:
        """What TLS adds to a call of ours, with the certificates as they lie there now. Raises `ConfigError`."""
        context, tls = context_of(self._line), self._line.tls
        if context is None or tls is None:
            return {}
        return {"ssl": context, "server_hostname": tls.name or self._line.host, **limits(self.times)}

    def _attempted(self, outcome: str) -> None:
        if self._counts is not None:
            self._counts.attempted(outcome).inc()


def _now_ms() -> int:
    return int(time.monotonic() * 1000)
