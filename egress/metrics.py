"""Egress' metrics: every name in one place."""

from collections.abc import Set as AbstractSet

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from egress.core import LineCore
from schemas.installation import Line


class Metrics:
    """Registered in `registry`, so that several services can live in one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.transmitted = Counter(
            "denbun_egress_transmitted", "Telegrams put onto the line", ["line"], registry=registry
        )
        self.received = Counter("denbun_egress_received", "Telegrams from the partner", ["line"], registry=registry)
        self.strays = Counter(
            "denbun_egress_strays", "Telegrams from the partner that are for nobody", ["line"], registry=registry
        )
        self.told = Counter("denbun_egress_told", "Records written, by kind", ["line", "record"], registry=registry)
        self.open = Gauge("denbun_egress_line_open", "1: requests can be put on the line", ["line"], registry=registry)
        self.as_wished = Gauge(
            "denbun_egress_line_as_wished",
            "1: the line is what its hours or an operator say that it should be",
            ["line"],
            registry=registry,
        )
        self.owned = Gauge("denbun_egress_line_owned", "1: this process owns the line", ["line"], registry=registry)
        self.in_flight = Gauge("denbun_egress_in_flight", "Requests awaiting a report", ["line"], registry=registry)
        self.waiting = Gauge("denbun_egress_waiting", "Orders awaiting line or route", ["line"], registry=registry)
        self.free_routes = Gauge("denbun_egress_free_routes", "Routes that may be used", ["line"], registry=registry)
        self.held_routes = Gauge("denbun_egress_held_routes", "Routes held for cancels", ["line"], registry=registry)
        self.trace_numbers_left = Gauge(
            "denbun_egress_trace_numbers_left", "Trace numbers 処理通番 left for requests today", ["line"],
            registry=registry,
        )  # fmt: skip
        self.trace_reserve_left = Gauge(
            "denbun_egress_trace_reserve_left", "Trace numbers left today for station telegrams and cancels",
            ["line"], registry=registry,
        )  # fmt: skip
        self.spared = Gauge(
            "denbun_egress_partner_spared", "1: no requests go to this partner from here 縮退", ["partner"],
            registry=registry,
        )  # fmt: skip
        self.rivals = Counter(
            "denbun_egress_rivals", "Records a former owner wrote to sent", ["line"], registry=registry
        )
        self.attempts = Counter(
            "denbun_egress_attempts", "Calls of the partner, by outcome", ["line", "outcome"], registry=registry
        )
        self.refused = Counter(
            "denbun_egress_calls_refused",
            "Calls from outside not taken, by reason",
            ["line", "reason"],
            registry=registry,
        )
        self.takeover = Histogram(
            "denbun_egress_takeover_seconds",
            "From being given a line to dialling it",
            ["line"],
            buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
            registry=registry,
        )


class Gauges:
    """The gauges of one line, while it is owned, and of its partners. Children are looked up once, as in `Counts`."""

    def __init__(self, metrics: Metrics, line: Line) -> None:
        self._metrics = metrics
        self._line = line.name
        metrics.owned.labels(self._line).set(1)
        self._open = metrics.open.labels(self._line)
        self._as_wished = metrics.as_wished.labels(self._line)
        self._in_flight = metrics.in_flight.labels(self._line)
        self._waiting = metrics.waiting.labels(self._line)
        self._free_routes = metrics.free_routes.labels(self._line)
        self._held_routes = metrics.held_routes.labels(self._line)
        self._trace_numbers_left = metrics.trace_numbers_left.labels(self._line)
        self._trace_reserve_left = metrics.trace_reserve_left.labels(self._line)
        self._spared = {partner: metrics.spared.labels(partner) for partner in line.partners}

    def show(self, core: LineCore, spared: AbstractSet[str], now_ms: int) -> None:
        """How the line is now; `spared` are the partners that get no requests."""
        self._open.set(core.station.open)
        self._as_wished.set(core.station.as_wished)
        self._in_flight.set(core.in_flight)
        self._waiting.set(core.waiting)
        self._free_routes.set(core.routes.free)
        self._held_routes.set(core.routes.held)
        requests, reserve = core.numbers_left(now_ms)
        self._trace_numbers_left.set(requests)
        self._trace_reserve_left.set(reserve)
        for partner, gauge in self._spared.items():
            gauge.set(partner in spared)

    def end(self) -> None:
        """The line is owned no more; not shown is what only its owner can know."""
        metrics, name = self._metrics, self._line
        for gauge in (metrics.owned, metrics.open, metrics.in_flight, metrics.waiting):
            gauge.labels(name).set(0)
        for gauge in (
            metrics.as_wished, metrics.free_routes, metrics.held_routes, metrics.trace_numbers_left,
            metrics.trace_reserve_left,
        ):  # fmt: skip
            gauge.remove(name)


class Counts:
    """The counters of one line. Children are looked up once: a look-up by label costs more than the count."""

    def __init__(self, metrics: Metrics, line: str) -> None:
        self.transmitted = metrics.transmitted.labels(line)
        self.received = metrics.received.labels(line)
        self.strays = metrics.strays.labels(line)
        self._told = metrics.told
        self._metrics = metrics
        self._line = line
        self._by_record: dict[str, Counter] = {}

    def told(self, record: str) -> Counter:
        """Of records of this kind."""
        if (found := self._by_record.get(record)) is None:
            found = self._by_record[record] = self._told.labels(self._line, record)
        return found

    def attempted(self, outcome: str) -> Counter:
        """Of calls of the partner that ended so: connected, failed."""
        return self._metrics.attempts.labels(self._line, outcome)

    def refused(self, reason: str) -> Counter:
        """Of calls from outside that were refused for this reason, as `connection` names them."""
        return self._metrics.refused.labels(self._line, reason)
