"""Writes what sessions ask to be stored, and tells them what came of it."""

import itertools
import logging
import secrets
from collections.abc import Callable

from ingress import crashes
from ingress.acts import StoreDelivered, StoreInquiry, StoreRequest, StoreUndeliverable
from ingress.intake import inquiry_asked, request_accepted
from ingress.metrics import Metrics
from pipeline.bridge import LoopWriter
from pipeline.log import Outgoing, Stored
from schemas import wire
from schemas.identity import transaction_key
from schemas.records import InquiryAsked, Record, ReplyDelivered, ReplyUndeliverable, RequestAccepted
from schemas.sealing import KeyRing
from schemas.topics import Topics

_FAILING_MS = 5_000  # the log counts as failing this long after a write that failed

_log = logging.getLogger(__name__)

Told = Callable[[int | None], None]
"""Called with the time at which the broker has stored the record; None: it is not known to be stored."""


def new_id() -> str:
    """A name that nothing else has. It costs a call of the system."""
    return secrets.token_hex(16)


class Storing:
    """The topics that an ingress writes. What goes wrong in `Told` is handed to `fail`."""

    def __init__(
        self,
        writer: LoopWriter,
        topics: Topics,
        ring: KeyRing,
        metrics: Metrics,
        *,
        slot: int,
        now_ms: Callable[[], int],
        fail: Callable[[Exception], None],
    ) -> None:
        self._writer = writer
        self._requests, self._deliveries = topics("requests"), topics("deliveries")
        self._ring = ring
        self._slot = slot
        self._metrics = metrics
        self._now_ms = now_ms
        self._fail = fail
        self._failing_until_ms = 0
        self._asked, self._incarnation = itertools.count(1), new_id()

    @property
    def fails(self) -> bool:
        """Whether the broker did not acknowledge something a while ago."""
        return self._now_ms() < self._failing_until_ms

    def asked(self, act: StoreRequest | StoreInquiry, told: Told) -> None:
        """Store what a client asks; seal what must be."""
        record: RequestAccepted | InquiryAsked
        if isinstance(act, StoreRequest):
            original = act.request.original_reference
            record = request_accepted(act, self._ring, self._request_id(), self._slot)
            self._metrics.requests_of(act.customer).inc()
        else:
            original = act.inquiry.original_reference
            record = inquiry_asked(act, self._request_id(), self._slot)
            self._metrics.inquiries.inc()
        self._write(self._requests, transaction_key(act.customer, record.reference, original), record, told)

    def _request_id(self) -> str:
        return f"{self._incarnation}-{next(self._asked)}"

    def delivered(self, act: StoreDelivered, told: Told) -> None:
        """Store that the client confirmed."""
        delivery = act.delivery
        record = ReplyDelivered(
            transaction_id=delivery.transaction_id,
            delivery_no=delivery.delivery_no,
            confirmed_ms=act.confirmed_ms,
        )
        self._write(self._deliveries, delivery.transaction_key, record, told)

    def undeliverable(self, act: StoreUndeliverable) -> None:
        """Store that the reply could not be handed over. If that fails, the router's deadline says the same."""
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
        self._write(self._deliveries, delivery.transaction_key, record, lambda _: None)

    def _write(self, topic: str, key: str, record: Record, told: Told) -> None:
        name = type(record).__name__
        encoded = wire.encode(record)

        def done(stored: Stored | None, error: Exception | None) -> None:
            try:
                if stored is None:
                    self._failed(name, error)
                    told(None)
                else:
                    crashes.stored(name)
                    told(stored.timestamp_ms)
            except Exception as fault:  # noqa: BLE001  a delivery without its end would be waited for for ever
                self._fail(fault)

        self._writer.write(Outgoing(topic, key.encode(), encoded.value, encoded.headers), done)

    def _failed(self, name: str, error: Exception | None) -> None:
        self._metrics.failed[name].inc()
        now_ms = self._now_ms()
        if now_ms >= self._failing_until_ms:  # once per outage, not once per request
            _log.error("a record is not known to be stored", extra={"record": name, "reason": str(error)})
        self._failing_until_ms = now_ms + _FAILING_MS
