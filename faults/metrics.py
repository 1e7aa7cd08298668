"""The cancel service's metrics: every name in one place."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """Registered in `registry`, so that several services can live in one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.records = Counter("denbun_faults_records", "Records handled", registry=registry)
        self.events = Counter("denbun_faults_events", "Events of cancels", ["event"], registry=registry)
        self.commands = Counter("denbun_faults_commands", "Cancel telegrams ordered", ["command"], registry=registry)
        self.ended = Counter("denbun_faults_ended", "Cancels ended", ["end", "partner"], registry=registry)
        self.lag = Histogram(
            "denbun_faults_lag_seconds",
            "Age of the last record of a batch when it is handled",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
            registry=registry,
        )
        self.partitions = Gauge("denbun_faults_partitions", "Partitions owned", registry=registry)
        self.open = Gauge("denbun_faults_open_cancels", "Cancels that have not ended", registry=registry)
        self.attention = Gauge(
            "denbun_faults_attention", "Cases that a person has and nobody closed", ["partner", "reason"],
            registry=registry,
        )  # fmt: skip
        self.orders = Counter(
            "denbun_faults_orders", "Operators' orders, by what was answered", ["order", "answer"], registry=registry
        )
        self.restored = Counter("denbun_faults_restored", "States read back on taking a partition", registry=registry)
