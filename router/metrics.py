"""The router's metrics: every name in one place."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from schemas.records import Stage


class Metrics:
    """Registered in `registry`, so that several services can live in one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.records = Counter("denbun_router_records", "Records handled", registry=registry)
        acts = Counter("denbun_router_acts", "Acts performed, by kind", ["act"], registry=registry)
        ended = Counter("denbun_router_ended", "Transactions by stage reached", ["stage"], registry=registry)
        self.refused = Counter("denbun_router_refused", "Refusals told", ["refusal"], registry=registry)
        self.ignored = Counter("denbun_router_ignored", "Records that changed nothing", ["why"], registry=registry)
        self.lag = Histogram(
            "denbun_router_lag_seconds",
            "Age of the last record of a batch when it is handled",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
            registry=registry,
        )
        self.partitions = Gauge("denbun_router_partitions", "Partitions owned", registry=registry)
        self.transactions = Gauge("denbun_router_transactions", "Transactions known", registry=registry)
        self.open_lines = Gauge("denbun_router_open_lines", "Open lines, by partner", ["partner"], registry=registry)
        self.restored = Counter("denbun_router_restored", "States read back on taking a partition", registry=registry)
        # Children are looked up once: a look-up by label costs more than the count.
        self.acts = {name: acts.labels(name) for name in ("dispatch", "reply", "timeouts", "undelivered", "wait")}
        self.ended = {stage: ended.labels(stage.value) for stage in Stage}
