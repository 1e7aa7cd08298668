"""The plain face of the client: every call waits. A thread of its own keeps the session meanwhile."""

import asyncio
import concurrent.futures
import ssl
import threading
from collections.abc import Coroutine, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from client.aio import CLIENT, Client
from client.link import Address
from client.results import ClientClosed, Result
from schemas.client_frames import Card
from schemas.records import Kind

T = TypeVar("T")


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
        self._closed = False
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, name="denbun-client", daemon=True)
        self._thread.start()
        try:
            self._client = self._wait_for(
                Client.connect(addresses, customer=customer, token=token, tls=tls, name=name, timeout_s=timeout_s)
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
            )
        )

    def inquire(self, reference: str, *, original_reference: str | None = None, wait_ms: int = 30_000) -> Result:
        """As `Client.inquire`."""
        return self._wait_for(self._client.inquire(reference, original_reference=original_reference, wait_ms=wait_ms))

    def close(self, timeout_s: float = 30.0) -> None:
        """As `Client.close`. Closing again changes nothing."""
        try:
            self._wait_for(self._client.close(timeout_s))
        except ClientClosed:
            return
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        with self._lock:
            if self._closed:
                work.close()
                raise ClientClosed("the client is closed: connect another")
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise ClientClosed("the client was closed meanwhile: connect another") from None
        except BaseException:  # an interrupt of this thread, too: nobody waits, so nothing may be acknowledged
            future.cancel()
            raise

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._until_stopped())

    async def _until_stopped(self) -> None:
        await self._stop.wait()

    def _end(self) -> None:
        with self._lock:
            if not self._closed:
                self._closed = True
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
