"""Starts a centre: ``denbun simulator run --partner cafis --listen 127.0.0.1:7210 --scenario normal-day``."""

import argparse
import asyncio
import logging
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.telegrams import LayoutError, PartnerSpec, Role, load_partner
from simulator.access import AccessError
from simulator.centre import Centre
from simulator.rule_files import RuleError, load_rules
from simulator.rules import Rules
from simulator.scenario import PLAIN, Scenario, load_scenario
from simulator.server import Address, Addresses, CentreServer

if TYPE_CHECKING:
    from simulator.web import Page

_OK, _FAILED, _WRONG = 0, 1, 2
_WHAT = "センタシミュレータ: a partner's centre to develop and test against; needs neither Kafka nor a configuration"
_EXAMPLES = """\
例  examples:
  {0} --partner cafis --listen 127.0.0.1:7210
  {0} --partner cardnet --dial 127.0.0.1:7220 --scenario month-end --http 127.0.0.1:7380
While it runs: denbun simulator state, rule, event, ledger, telegrams. Ctrl-C ends it.
"""


def _address(text: str) -> Address:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdecimal() or int(port) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no address: give HOST:PORT")
    return host, int(port)


def _carried(text: str) -> tuple[str, str]:
    code, equals, partner = text.partition("=")
    if not equals or not code or not partner:
        raise argparse.ArgumentTypeError(f"{text!r} does not say who is carried: give CODE=PARTNER")
    return code, partner


def _addresses(text: str) -> list[tuple[str, int]]:
    return [_address(each) for each in text.split(",")]


def parser_of(prog: str = "denbun run simulator") -> argparse.ArgumentParser:
    """The arguments of a centre."""
    parser = argparse.ArgumentParser(
        prog=prog, allow_abbrev=False, description=_WHAT, epilog=_EXAMPLES.format(prog),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--partner", required=True, help="whose telegrams: a packaged set by name, or a folder")
    parser.add_argument("--listen", type=_address, action="append", default=[], help="await a line here")
    parser.add_argument(
        "--dial", type=_addresses, action="append", default=[],
        help="call a line here; with commas between several: at the first that takes the call",
    )  # fmt: skip
    parser.add_argument("--control", type=_address, default=("127.0.0.1", 0), help="take commands here")
    parser.add_argument(
        "--carries", type=_carried, action="append", default=[], metavar="CODE=PARTNER",
        help="pass on what comes in envelopes of this code, to a centre of this partner in here",
    )  # fmt: skip
    behaviour = parser.add_mutually_exclusive_group()
    behaviour.add_argument("--scenario", help="what the centre does: a packaged scenario by name, or a .toml file")
    behaviour.add_argument(
        "--rules", type=Path, help="a file of rules only; `denbun simulator rule --help` tells the form of a rule"
    )
    parser.add_argument(
        "--http", type=_address, metavar="HOST:PORT", help="show the page, and take HTTP requests, here"
    )
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help="what every HTTP request must show; needed beyond this machine"
    )
    parser.add_argument("--no-story", action="store_true", help="do not keep the telegrams that passed")
    parser.add_argument(
        "--record", action="store_true",
        help="keep the bytes and the time of each in the story, card data in clear: for test cards only",
    )  # fmt: skip
    parser.add_argument("--check", action="store_true", help="check the arguments and files and do nothing else")
    return parser


def _arguments(argv: Sequence[str], prog: str) -> argparse.Namespace:
    parser = parser_of(prog)
    arguments = parser.parse_args(list(argv))
    if arguments.record and arguments.no_story:
        parser.error("--record has nothing to record in with --no-story: leave one of them out")
    if not arguments.listen and not arguments.dial:
        parser.error("no line: give --listen or --dial")
    return arguments


async def _serve(server: CentreServer, scenario: Scenario, page: "Page | None") -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await server.start(scenario)
    try:
        if page is not None:
            await page.start(server.desk)
        where = ", ".join(str(port) for port in server.listen_ports) or "none"
        shown = "" if page is None else f"; page {page.port}"
        print(f"{server.centre.partner.name}: ports {where}; control {server.control_port}{shown}", flush=True)  # noqa: T201
        await stop.wait()
    finally:
        if page is not None:
            await page.stop()
        await server.stop()


def _scenario(arguments: argparse.Namespace, partner: PartnerSpec) -> Scenario:
    if arguments.rules is not None:
        return Scenario(arguments.rules.stem, rules=tuple(load_rules(arguments.rules, partner)))
    return PLAIN if arguments.scenario is None else load_scenario(arguments.scenario, partner)


def _page(arguments: argparse.Namespace) -> "Page | None":
    if arguments.http is None:
        return None
    from simulator.web import Page  # noqa: PLC0415  needs the extra `documents`

    return Page(arguments.http, arguments.token_file)


def main(argv: Sequence[str], prog: str = "denbun run simulator") -> int:
    """Run a centre with these arguments; gives the exit status."""
    arguments = _arguments(argv, prog)
    try:
        partner = load_partner(arguments.partner)
        scenario = _scenario(arguments, partner)
        carried = {code: load_partner(name) for code, name in arguments.carries}
        page = _page(arguments)
    except (LayoutError, RuleError, AccessError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return _WRONG
    except ImportError as error:
        print(f"--http: {error.name} is not installed: pip install 'denbun[documents]'", file=sys.stderr)  # noqa: T201
        return _WRONG
    if carried and Role.ENVELOPE_REQUEST not in partner.telegrams:
        print(f"--carries: {partner.name} has no envelopes: remove it, or add them to its layouts", file=sys.stderr)  # noqa: T201
        return _WRONG
    if arguments.check:
        print(f"{arguments.partner}: ok for simulator")  # noqa: T201
        return _OK
    logging.basicConfig(level=logging.INFO)
    story = not arguments.no_story
    carries = {
        code: Centre(each, Rules(), story=story, clock_s=time.time, recorded=arguments.record)
        for code, each in carried.items()
    }
    centre = Centre(partner, Rules(), story=story, carries=carries, clock_s=time.time, recorded=arguments.record)
    server = CentreServer(centre, Addresses(arguments.listen, arguments.dial, arguments.control))
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(server, scenario, page))
    except OSError as error:
        print(f"simulator: {error.strerror or error}", file=sys.stderr)  # noqa: T201
        return _FAILED
    return _OK


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415  optional: not on every platform
    except ImportError:
        return None
    return uvloop.Loop


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
