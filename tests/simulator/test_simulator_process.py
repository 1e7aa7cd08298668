"""A centre as a process: its arguments, its exit status, its last words, its end on a signal."""

import contextlib
import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from centre_rig import PARTNERS, partner_named
from socket_rig import HOST, WAIT_S, LineSocket

from schemas.telegrams import Outcome, Role
from simulator.control import Control

ROOT = Path(__file__).parents[2]
GO = 60
LISTEN = ("--partner", "cafis", "--listen", f"{HOST}:0")


def run(*arguments: str) -> tuple[int, str, str]:
    """Run it to its end: exit status, what it says, what it complains of."""
    command = [sys.executable, "-W", "error", "-m", "simulator", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=GO, check=False)
    return done.returncode, done.stdout, done.stderr


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A process that serves, and what it has said about it."""
    command = [sys.executable, "-W", "error", "-m", "simulator", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline()
        finally:
            process.kill()


def ports_in(told: str) -> tuple[list[int], int]:
    """The ports of the lines, and that of the commands."""
    found = re.fullmatch(r"\w+: ports ((?:\d+(?:, )?)+|none); control (\d+)\n", told)
    assert found is not None, told
    lines = [] if found[1] == "none" else [int(each) for each in found[1].split(", ")]
    return lines, int(found[2])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("partner", PARTNERS)
def test_it_serves_until_a_signal_ends_it_in_order(partner: str, number: signal.Signals) -> None:
    with running("--partner", partner, "--listen", f"{HOST}:0", "--listen", f"{HOST}:0") as (process, told):
        lines, commands = ports_in(told)
        assert told.startswith(f"{partner}: ")
        assert len(set(lines)) == 2
        with Control(HOST, commands) as control:
            control.behave(do="decline", amount=7)
            spec = partner_named(partner)
            with LineSocket(spec, socket.create_connection((HOST, lines[1]), WAIT_S)) as line:
                line.ask(Role.OPENING_REQUEST)
                report = line.ask(Role.SALE_REQUEST, trace_number=1, route_number=1, amount=7)
                assert spec.classify(report) is Outcome.DECLINED
                assert control.ping() == {"partner": partner, "listen": lines, "open": ["DNB00001"]}
                process.send_signal(number)
                assert line.has_ended()
        assert process.wait(GO) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_it_calls_lines_where_it_is_told_to() -> None:
    with socket.create_server((HOST, 0)) as awaiting:
        awaiting.settimeout(WAIT_S)
        dial = f"{HOST}:{awaiting.getsockname()[1]}"
        with running("--partner", "cardnet", "--dial", dial) as (_, told):
            assert ports_in(told)[0] == []
            with LineSocket(partner_named("cardnet"), awaiting.accept()[0]) as line:
                assert line.ask(Role.OPENING_REQUEST).role is Role.OPENING_ANSWER


def test_it_calls_a_line_at_the_first_address_that_takes_the_call_and_at_no_other() -> None:
    with socket.create_server((HOST, 0)) as first, socket.create_server((HOST, 0)) as second:
        for each in (first, second):
            each.settimeout(WAIT_S)
        places = [each.getsockname()[1] for each in (first, second)]
        with running("--partner", "cardnet", "--dial", f"{HOST}:1,{HOST}:{places[0]},{HOST}:{places[1]}"):
            line = LineSocket(partner_named("cardnet"), first.accept()[0])
            assert line.ask(Role.OPENING_REQUEST).role is Role.OPENING_ANSWER
            second.setblocking(False)
            with pytest.raises(BlockingIOError):
                second.accept()
            second.settimeout(WAIT_S)
            first.close()
            line.close()
            with LineSocket(partner_named("cardnet"), second.accept()[0]) as other:
                assert other.ask(Role.OPENING_REQUEST).role is Role.OPENING_ANSWER


def test_it_behaves_as_its_file_of_rules_says_and_keeps_no_story_where_none_is_wanted(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\nrole = "sale_request"\ndo = "turn_round"\ncode = "R02"\n')
    with running(*LISTEN, "--rules", str(rules), "--no-story") as (_, told):
        lines, commands = ports_in(told)
        connected = socket.create_connection((HOST, lines[0]), WAIT_S)
        with LineSocket(partner_named("cafis"), connected) as line, Control(HOST, commands) as control:
            line.ask(Role.OPENING_REQUEST)
            report = line.ask(Role.SALE_REQUEST, trace_number=1, route_number=1)
            assert report.values["result_code"] == "R02"
            assert control.story() == []
            assert control.counters()["sale_report"] == 1


def test_it_records_bytes_and_times_where_it_is_told_to() -> None:
    with running(*LISTEN, "--record") as (_, told):
        lines, commands = ports_in(told)
        connected = socket.create_connection((HOST, lines[0]), WAIT_S)
        with LineSocket(partner_named("cafis"), connected) as line, Control(HOST, commands) as control:
            line.ask(Role.OPENING_REQUEST)
            opening, answer = control.story()
    assert bytes.fromhex(opening["data"]).startswith(b"9110")
    assert bytes.fromhex(answer["data"]).startswith(b"9120")
    assert 0 < opening["at_ms"] <= answer["at_ms"]


def test_it_follows_a_scenario_and_shows_its_page_until_a_signal_ends_it_in_order() -> None:
    with running(*LISTEN, "--scenario", "every-code", "--http", f"{HOST}:0") as (process, told):
        found = re.fullmatch(r"cafis: ports (\d+); control (\d+); page (\d+)\n", told)
        assert found is not None, told
        with urllib.request.urlopen(f"http://{HOST}:{found[3]}/api/state", timeout=WAIT_S) as answer:
            assert json.load(answer)["ok"]["scenario"] == "every-code"
        with LineSocket(partner_named("cafis"), socket.create_connection((HOST, int(found[1])), WAIT_S)) as line:
            line.ask(Role.OPENING_REQUEST)
            report = line.ask(Role.SALE_REQUEST, trace_number=1, route_number=1, amount=20_000)
            assert report.values["result_code"] == "R01"
            process.send_signal(signal.SIGTERM)
            assert line.has_ended()
        assert process.wait(GO) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_without_the_extra_everything_but_the_page_works() -> None:
    hide = "import sys; sys.modules |= dict.fromkeys(('starlette', 'uvicorn', 'jinja2')); "
    program = hide + "from simulator.__main__ import main; sys.exit(main(sys.argv[1:]))"
    for extra, status, err in (
        ((), 0, ""),
        (("--http", f"{HOST}:0"), 2, "--http: jinja2 is not installed: pip install 'denbun[documents]'\n"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", program, *LISTEN, *extra, "--check"],
            cwd=ROOT, capture_output=True, text=True, timeout=GO, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (status, err)


def test_stopping_leaves_no_socket_to_the_collector() -> None:
    program = (
        "import asyncio, gc, socket\n"
        "from schemas.telegrams import load_partner\n"
        "from simulator.centre import Centre\n"
        "from simulator.rules import Rules\n"
        "from simulator.server import Addresses, CentreServer\n"
        "async def run(turns):\n"
        f"    here = ({HOST!r}, 0)\n"
        "    server = CentreServer(Centre(load_partner('cafis'), Rules()), Addresses([here], [], here))\n"
        "    await server.start()\n"
        "    for port in (*server.listen_ports, server.control_port) * 2:\n"
        f"        with socket.create_connection(({HOST!r}, port)): pass\n"
        "    for _ in range(turns): await asyncio.sleep(0)\n"
        "    await server.stop()\n"
        "for turns in range(8): asyncio.run(run(turns)); gc.collect()\n"
    )
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=GO, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# --- what it refuses ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("partner", PARTNERS)
def test_a_check_says_that_all_is_well_and_takes_no_port(partner: str) -> None:
    with socket.create_server((HOST, 0)) as busy:
        place = f"{HOST}:{busy.getsockname()[1]}"
        told = run("--partner", partner, "--listen", place, "--control", place, "--check")
    assert told == (0, f"{partner}: ok for simulator\n", "")


def test_the_layouts_may_lie_in_a_folder() -> None:
    folder = ROOT / "schemas" / "telegrams" / "cafis"
    told = run("--partner", str(folder), "--dial", f"{HOST}:1", "--check")
    assert told == (0, f"{folder}: ok for simulator\n", "")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--listen", f"{HOST}:0"), "the following arguments are required: --partner"),
        (("--partner", "cafis"), "no line: give --listen or --dial"),
        (("--partner", "cafis", "--listen", "7210"), "argument --listen: '7210' is no address: give HOST:PORT"),
        (("--partner", "cafis", "--dial", ":7210"), "argument --dial: ':7210' is no address: give HOST:PORT"),
        ((*LISTEN, "--control", f"{HOST}:x"), f"argument --control: '{HOST}:x' is no address: give HOST:PORT"),
        ((*LISTEN, "--control", f"{HOST}:70000"), f"argument --control: '{HOST}:70000' is no address: give HOST:PORT"),
        (
            (*LISTEN, "--rules", "x.toml", "--scenario", "plain"),
            "argument --scenario: not allowed with argument --rules",
        ),
        ((*LISTEN, "--http", "7380"), "argument --http: '7380' is no address: give HOST:PORT"),
        ((*LISTEN, "--rule", "x"), "unrecognized arguments: --rule x"),
        (
            (*LISTEN, "--record", "--no-story"),
            "--record has nothing to record in with --no-story: leave one of them out",
        ),
    ],
)
def test_a_wrong_argument_is_said_with_status_2(arguments: tuple[str, ...], problem: str) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert err.splitlines()[-1] == f"denbun run simulator: error: {problem}"


@pytest.mark.parametrize("check", [(), ("--check",)], ids=["run", "check"])
def test_an_unknown_partner_is_said_with_status_2(check: tuple[str, ...]) -> None:
    remedy = "use one of: cafis, cardnet; or give the path of a directory"
    told = f"layouts of nets: 1 fault\n  nets: no partner of this name comes with the package; {remedy}\n"
    assert run("--partner", "nets", "--listen", f"{HOST}:0", *check) == (2, "", told)


@pytest.mark.parametrize("check", [(), ("--check",)], ids=["run", "check"])
def test_a_wrong_rule_is_said_with_status_2(check: tuple[str, ...], tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\ndo = "silent"\ntimes = 0\n')
    told = f"{rules}: rule 1: times: must be at least 1, or left out for always\n"
    assert run(*LISTEN, "--rules", str(rules), *check) == (2, "", told)


@pytest.mark.parametrize("check", [(), ("--check",)], ids=["run", "check"])
def test_a_wrong_scenario_is_said_with_status_2(check: tuple[str, ...], tmp_path: Path) -> None:
    scenario = tmp_path / "mine.toml"
    scenario.write_text('[[event]]\ndo = "close"\n')
    told = f"{scenario}: event 1: when is said 0 times: give one of at_s, every_s, at\n"
    assert run(*LISTEN, "--scenario", str(scenario), *check) == (2, "", told)


@pytest.mark.parametrize("check", [(), ("--check",)], ids=["run", "check"])
def test_a_page_for_other_machines_without_a_token_is_refused_with_status_2(check: tuple[str, ...]) -> None:
    status, out, err = run(*LISTEN, "--http", "0.0.0.0:0", *check)
    assert (status, out) == (2, "")
    assert err.startswith("--http: 0.0.0.0 can be reached from other machines: give --token-file")


@pytest.mark.parametrize("option", ["--listen", "--control", "--http"])
def test_a_busy_port_is_said_with_status_1_and_the_remedy(option: str) -> None:
    with socket.create_server((HOST, 0)) as busy:
        place = f"{HOST}:{busy.getsockname()[1]}"
        told = run(*LISTEN, option, place)
    assert told == (1, "", f"simulator: {option} {place}: {os.strerror(errno.EADDRINUSE)}: choose another address\n")
