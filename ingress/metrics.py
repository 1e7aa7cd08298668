"""The ingress's metrics: every name in one place."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from schemas.client_frames import GatewayFrame, Refused, Rejection, Reply, Settled, StatusTold
from schemas.records import Status


class Metrics:
    """Registered in `registry`, so that several services can live in one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.sessions = Gauge("denbun_ingress_sessions", "Sessions of clients that have said hello", registry=registry)
        self.ungreeted = Gauge(
            "denbun_ingress_ungreeted", "Connections whose client has not said hello", registry=registry
        )
        self.in_flight = Gauge("denbun_ingress_in_flight", "Requests and inquiries without answer", registry=registry)
        self.closed = Counter("denbun_ingress_closed", "Sessions ended, by reason", ["reason"], registry=registry)
        self._requests = Counter(
            "denbun_ingress_requests", "Requests taken, by customer", ["customer"], registry=registry
        )
        self.inquiries = Counter("denbun_ingress_inquiries", "Inquiries taken", registry=registry)
        self.duration = Histogram(
            "denbun_ingress_duration_seconds",
            "From the request's acceptance to its answer's way to the client",
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
            registry=registry,
        )
        rejected = Counter("denbun_ingress_rejected", "Frames and sessions turned away", ["code"], registry=registry)
        told = Counter("denbun_ingress_told", "Replies and statuses told, by status", ["status"], registry=registry)
        settled = Counter("denbun_ingress_settled", "Confirmations told, by outcome", ["confirmed"], registry=registry)
        lost = Counter(
            "denbun_ingress_undeliverable", "Replies not handed over, by reason", ["reason"], registry=registry
        )
        failed = Counter(
            "denbun_ingress_writes_failed", "Records not known to be stored", ["record"], registry=registry
        )
        self.gone = Counter("denbun_ingress_replies_for_gone", "Replies whose session is gone", registry=registry)
        self.lag = Histogram(
            "denbun_ingress_lag_seconds",
            "Age of the last reply of a batch when it is handled",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
            registry=registry,
        )
        # Children are looked up once: a look-up by label costs more than the count.
        self.rejected = {code.value: rejected.labels(code.value) for code in Rejection}
        self.told = {status: told.labels(status.value) for status in Status}
        self.settled = {confirmed: settled.labels(str(confirmed).lower()) for confirmed in (True, False)}
        self.undeliverable = {reason: lost.labels(reason) for reason in ("session_gone", "not_confirmed")}
        self.failed = {
            name: failed.labels(name)
            for name in ("RequestAccepted", "InquiryAsked", "ReplyDelivered", "ReplyUndeliverable")
        }
        self._by_customer: dict[str, Counter] = {}

    def requests_of(self, customer: str) -> Counter:
        """The requests of this customer."""
        if (found := self._by_customer.get(customer)) is None:
            found = self._by_customer[customer] = self._requests.labels(customer)
        return found

    def tell(self, message: GatewayFrame) -> None:
        """Count a frame that goes to a client."""
        match message:
            case Reply() | StatusTold():
                self.told[message.status].inc()
            case Settled():
                self.settled[message.confirmed].inc()
            case Refused():
                self.rejected[message.code].inc()
            case _:
                pass
