"""The plain face of the client: every call waits. A thread of its own keeps the session meanwhile."""

import asyncio
import concurrent.futures
import logging
import ssl
import threading
from collections.abc import Coroutine, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from client.aio import CLIENT, MARGIN_MS, Client
from client.link import Address
from client.place import Place
from client.results import ClientClosed, ClientError, ConnectError, OutcomeUnknown, Result, UsedElsewhere
from schemas.client_frames import Card
from schemas.records import Kind

T = TypeVar("T")

_THREAD_S = 5.0  # beyond its own end, for the thread that may be busy
_LEAVES_S = 5.0  # for the goodbye, and for a name that is still looked up
_WAIT_MAX_MS = 86_400_000  # of the protocol

_log = logging.getLogger("denbun.client")


class SyncClient:
    """`Client` without asyncio. May be used from several threads at once; each call waits for its own end."""

    def __init__(
        self,
        addresses: Address | Sequence[Address],
        *,
        customer: str,
        token: str,
        tls: ssl.SSLContext | None = None,
        name: str = CLIENT,
        timeout_s: float = 5.0,
    ) -> None:
        self._lock = threading.Lock()
        self._closed: str | None = None  # why nothing can be asked any more
        self._loop = asyncio.new_event_loop()
        self._place = Place(self._loop)
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, name="denbun-client", daemon=True)
        self._thread.start()
        count = 1 if isinstance(addresses, tuple) and isinstance(addresses[0], str) else len(addresses)
        try:
            self._client = self._wait_for(
                Client.connect(addresses, customer=customer, token=token, tls=tls, name=name, timeout_s=timeout_s),
                count * timeout_s,
                ConnectError(f"no gateway answered within {timeout_s:g} s"),
            )
        except BaseException:
            self._end()
            raise

    def pay(
        self,
        *,
        reference: str,
        kind: Kind | str,
        terminal_id: str,
        amount: int,
        card: Card,
        payment_method: str = "10",
        track2: str | None = None,
        security_code: str | None = None,
        original_reference: str | None = None,
        wait_ms: int = 30_000,
    ) -> Result:
        """As `Client.pay`."""
        return self._wait_for(
            self._client.pay(
                reference=reference,
                kind=kind,
                terminal_id=terminal_id,
                amount=amount,
                card=card,
                payment_method=payment_method,
                track2=track2,
                security_code=security_code,
                original_reference=original_reference,
                wait_ms=wait_ms,
            ),
            _seconds(wait_ms, MARGIN_MS),
            OutcomeUnknown(reference),
        )

    def inquire(self, reference: str, *, original_reference: str | None = None, wait_ms: int = 30_000) -> Result:
        """As `Client.inquire`."""
        return self._wait_for(
            self._client.inquire(reference, original_reference=original_reference, wait_ms=wait_ms),
            _seconds(wait_ms, 0),
            OutcomeUnknown(reference),
        )

    def close(self, timeout_s: float = 30.0) -> None:
        """As `Client.close`. Closing again changes nothing."""
        if self._place.is_of_another_process:
            return
        late = ClientClosed("the client's thread does not answer: it is left to itself")
        try:
            self._wait_for(self._client.close(timeout_s), timeout_s + _LEAVES_S, late)
        except ClientClosed as error:
            if error is late:
                raise
        finally:
            self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _wait_for(self, work: Coroutine[Any, Any, T], limit_s: float, late: ClientError) -> T:
        """What comes of `work`, which has an end by itself within `limit_s`; raises `late` if it has none even so."""
        try:
            future = self._hand_over(work)
        except BaseException:
            work.close()
            raise
        try:
            return future.result(limit_s + _THREAD_S)
        except concurrent.futures.CancelledError:
            raise ClientClosed(self._closed or "the client was closed meanwhile: connect another") from None
        except TimeoutError:
            future.cancel()
            raise late from None
        except BaseException:  # an interrupt of this thread, too: nobody waits, so nothing may be acknowledged
            future.cancel()
            raise

    def _hand_over(self, work: Coroutine[Any, Any, T]) -> "concurrent.futures.Future[T]":
        self._place.check_process()  # before the lock: a thread that is not here may hold it
        if threading.current_thread() is self._thread:
            raise UsedElsewhere("a SyncClient cannot be called from its own thread: call it from another")
        with self._lock:
            if self._closed is not None:
                raise ClientClosed(self._closed)
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _serve(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                try:
                    runner.run(self._until_stopped())
                except BaseException as error:
                    why = f"the client's thread has ended ({type(error).__name__}): connect another"
                    with self._lock:  # before the loop is closed, which ends whatever is asked by then
                        self._closed = self._closed or why
                    raise
        except BaseException:  # noqa: BLE001  the last place where it can be said
            _log.exception("the client's thread has ended")

    async def _until_stopped(self) -> None:
        await self._stop.wait()

    def _end(self) -> None:
        with self._lock:
            if self._closed is None:
                self._closed = "the client is closed: connect another"
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_LEAVES_S)


def _seconds(wait_ms: int, margin_ms: int) -> float:
    """How long a call takes at most; one whose `wait_ms` is none is refused at once."""
    known = wait_ms if isinstance(wait_ms, int) else 0
    return (min(max(known, 0), _WAIT_MAX_MS) + margin_ms) / 1000
