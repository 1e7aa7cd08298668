"""The metrics that every service has of its process, beside those of `prometheus_client`."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge


class Metrics:
    """Registered in `registry`. `clock_off_ms` gives how far the machine's clock is ahead of the broker's."""

    def __init__(self, registry: CollectorRegistry, clock_off_ms: Callable[[], int] = lambda: 0) -> None:
        self.clock_off = Gauge(
            "denbun_wiring_clock_off_seconds",
            "How far the machine's clock is ahead of the broker's; less than 0: behind it",
            registry=registry,
        )
        self.clock_off.set_function(lambda: clock_off_ms() / 1000)
