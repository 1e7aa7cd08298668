"""Starts a cancel service: ``denbun run faults --config FILE``."""

import argparse
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import partial

import wiring
from faults import shell
from faults.config import Settings
from faults.metrics import Metrics
from pipeline.config import ConfigError
from pipeline.owned import PULSE_S
from pipeline.service import run_threaded
from schemas.installation import Installation
from schemas.telegrams import ErrorClass, LayoutError, load_partner


def trouble_codes(installation: Installation) -> Mapping[str, frozenset[str]]:
    """The error codes that are worth another try, by partner. Raises `ConfigError` for unusable telegram files."""
    codes = {}
    for partner in installation.partner:
        try:
            spec = load_partner(partner.telegrams)
        except LayoutError as error:
            raise ConfigError(f"partner {partner.name}: {error}") from error
        codes[partner.name] = frozenset(
            code
            for edition in spec.editions  # that agree about the class of each code they have in common
            for code, each in edition.error_codes.items()
            if each.error_class is ErrorClass.DESTINATION_TROUBLE
        )
    return codes


def _work(process: wiring.Process) -> int:
    ready = threading.Event()
    process.health.ready("partitions", lambda: None if ready.is_set() else "waits for its partitions")
    return run_threaded("faults", partial(_run, process, ready))


def _run(process: wiring.Process, ready: threading.Event, stop: threading.Event) -> None:
    settings = Settings.from_installation(process.installation, trouble_codes(process.installation))
    process.enters(shell.group_of(process.topics))
    metrics, pulse = Metrics(process.registry), process.pulse("the loop", PULSE_S)
    shell.run(
        settings, process.log, process.topics, process.node, metrics, stop, process.clock.now_ms, ready, pulse
    )  # fmt: skip


def _check(installation: Installation, _: argparse.Namespace) -> None:
    trouble_codes(installation)


def main(argv: Sequence[str]) -> int:
    """Run a cancel service with these arguments; gives the exit status."""
    return wiring.run(
        "faults",
        argv,
        _work,
        metrics_port=lambda installation: installation.faults.metrics_port,
        check=_check,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
