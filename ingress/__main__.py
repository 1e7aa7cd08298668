"""Starts an ingress: ``denbun run ingress --config FILE --slot N``."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

import wiring
from ingress.config import Settings
from ingress.door import ensure_files
from ingress.shell import IngressServer
from ingress.tls import server_context
from pipeline.config import ConfigError
from pipeline.service import Stop, run_async, stop_of
from schemas.installation import Installation
from schemas.telegrams import LayoutError


def _work(process: wiring.Process) -> int:
    settings = _settings(process.installation)
    ensure_files(settings)
    server = IngressServer(
        settings,
        process.log,
        process.topics,
        wiring.key_ring(process.installation),
        slot=process.arguments.slot,
        node=process.node,
        registry=process.registry,
        now_ms=process.clock.now_ms,
    )
    process.health.ready("sessions", server.trouble)
    process.enters()

    async def serve(stop: Stop) -> None:
        await server.start()
        process.health.live("reader", server.stalled)
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((stopping, server.failed), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        await stop_of(stop, server)
        if server.failed.done():
            server.failed.result()

    return run_async("ingress", serve, process.pulse("the loop", wiring.LOOP_S))


def _settings(installation: Installation) -> Settings:
    try:
        return Settings.from_installation(installation)
    except LayoutError as error:
        raise ConfigError(str(error)) from error


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that only this service has."""
    parser.add_argument("--slot", type=int, default=0, help="this process's partition of replies; no two share one")


def _check(installation: Installation, arguments: argparse.Namespace) -> None:
    slots = installation.ingress.slots
    if not 0 <= arguments.slot < slots:
        raise ConfigError(f"--slot {arguments.slot}: must be 0 to {slots - 1}, or raise ingress.slots")
    ensure_files(_settings(installation))
    if installation.ingress.tls is not None:
        server_context(installation.ingress.tls)


def main(argv: Sequence[str]) -> int:
    """Run an ingress with these arguments; gives the exit status."""
    return wiring.run(
        "ingress",
        argv,
        _work,
        metrics_port=lambda installation: installation.ingress.metrics_port,
        add_arguments=add_arguments,
        check=_check,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
