"""Egress' metrics: every name in one place."""

import contextlib

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


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

    def forget(self, line: str) -> None:
        """Show no more what only the owner of this line can know."""
        for gauge in (
            self.as_wished, self.free_routes, self.held_routes, self.trace_numbers_left, self.trace_reserve_left,
        ):  # fmt: skip
            with contextlib.suppress(KeyError):  # it was never shown
                gauge.remove(line)


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
