"""Starts a router: ``denbun run router --config FILE``."""

import sys
import threading
from collections.abc import Sequence
from functools import partial

import wiring
from pipeline.owned import PULSE_S
from pipeline.service import run_threaded
from router import shell
from router.config import Settings
from router.metrics import Metrics


def _work(process: wiring.Process) -> int:
    ready = threading.Event()
    process.health.ready("partitions", lambda: None if ready.is_set() else "waits for its partitions")
    return run_threaded(
        "router",
        partial(_run, process, ready),
    )


def _run(process: wiring.Process, ready: threading.Event, stop: threading.Event) -> None:
    settings = Settings.from_installation(process.installation)
    process.enters(shell.group_of(process.topics))
    metrics, pulse = Metrics(process.registry), process.pulse("the loop", PULSE_S)
    shell.run(
        settings, process.log, process.topics, process.node, metrics, stop, process.clock.now_ms, ready, pulse
    )  # fmt: skip


def main(argv: Sequence[str]) -> int:
    """Run a router with these arguments; gives the exit status."""
    return wiring.run("router", argv, _work, metrics_port=lambda installation: installation.router.metrics_port)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
