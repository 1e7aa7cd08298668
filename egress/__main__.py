"""Starts an egress: ``denbun run egress --config FILE``."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

import wiring
from egress.config import Settings
from egress.metrics import Metrics
from egress.shell import EgressServer
from egress.takeover import Places
from pipeline.service import Stop, run_async, stop_of
from schemas.installation import Installation
from schemas.line_rules import RANK_MAX


def _settings(installation: Installation, arguments: argparse.Namespace) -> Settings:
    return Settings.from_installation(installation, frozenset(arguments.line))


def _work(process: wiring.Process) -> int:
    settings = _settings(process.installation, process.arguments)
    server = EgressServer(
        settings,
        process.log,
        process.topics,
        wiring.key_ring(process.installation),
        Metrics(process.registry),
        node=process.node,
        rank=process.arguments.rank,
        now_ms=process.clock.now_ms,
        clock_trouble=process.clock.trouble,
    )
    started = asyncio.Event()
    process.health.ready("lines", lambda: None if started.is_set() else "starting")
    process.enters(*(Places.of(process.topics, line.name).group for line in settings.lines))

    async def serve(stop: Stop) -> None:
        await server.start()
        started.set()
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((stopping, server.failed), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        await stop_of(stop, server)
        if server.failed.done():
            server.failed.result()

    process.health.live("readers", server.stalled)
    return run_async("egress", serve, process.pulse("the loop", wiring.LOOP_S))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that only this service has."""
    parser.add_argument("--line", action="append", default=[], help="only this line; may be given several times")
    ranks = range(RANK_MAX + 1)
    told = f"of 0 to {RANK_MAX} the lower one owns a line that names no nodes"
    parser.add_argument("--rank", type=int, default=0, choices=ranks, metavar="N", help=told)


def main(argv: Sequence[str]) -> int:
    """Run an egress with these arguments; gives the exit status."""
    return wiring.run(
        "egress",
        argv,
        _work,
        metrics_port=lambda installation: installation.egress.metrics_port,
        add_arguments=add_arguments,
        check=_settings,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
