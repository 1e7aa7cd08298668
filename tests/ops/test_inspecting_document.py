"""docs/inspecting.md shows what the command says: its files are cut out of it, its commands typed, and compared."""

import json
import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest
from capture_rig import CENTRE, GATEWAY, Wire, pcap
from typer.testing import CliRunner

from ops.__main__ import app
from ops.inspecting import FORMS
from schemas.sealing import create_ring
from schemas.telegrams import Role, Value, load_partner

PAGE = Path(__file__).parents[2] / "docs" / "inspecting.md"
TEXT = PAGE.read_text("utf-8")
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = FENCED.findall(TEXT)
SHOWN = [
    pytest.param(command.strip(), text, id=command.strip())
    for (kind, command), (following, text) in pairwise(BLOCKS)
    if (kind, following) == ("sh", "text")
]
CAFIS = load_partner("cafis")


def telegram(role: Role, **changed: Value) -> bytes:
    return CAFIS.framing.wrap(CAFIS.encode(role, {**CAFIS.telegrams[role].sample(optional=False), **changed}))


def line() -> bytes:
    """The capture of the page."""
    wire = Wire().call()
    wire.say(GATEWAY, telegram(Role.SALE_REQUEST, trace_number=123, route_number=4), after_ms=120)
    wire.say(GATEWAY, telegram(Role.SALE_REQUEST, trace_number=124, route_number=5), after_ms=35)
    wire.say(CENTRE, telegram(Role.SALE_REPORT, trace_number=124, route_number=5), pieces=2, after_ms=90)
    wire.say(
        CENTRE, telegram(Role.SALE_REPORT, trace_number=123, route_number=4, terminal_id="4980123450000"), after_ms=8
    )
    wire.say(
        GATEWAY,
        telegram(Role.FAULT_CONFIRM, trace_number=125, route_number=4, original_trace_number=123),
        after_ms=9_000,
    )
    report = telegram(
        Role.FAULT_CONFIRM_REPORT, trace_number=125, route_number=4, original_trace_number=123, result_code="X01",
        error_code="C50",
    )  # fmt: skip
    wire.say(CENTRE, report, after_ms=60)
    return pcap([*wire.frames[:5], wire.frames[4], *wire.frames[5:]])


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the page."""
    for name, text in re.findall(r"^`(\S+\.hex)`:\n\n```hex\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL):
        (tmp_path / name).write_text(text, "utf-8")
    (tmp_path / "line.pcap").write_bytes(line())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("command", "text"), SHOWN)
@pytest.mark.usefixtures("desk")
def test_what_the_page_shows_is_what_the_command_says(command: str, text: str) -> None:
    program, *arguments = shlex.split(command)
    assert program == "denbun"
    shown = CliRunner().invoke(app, arguments).stdout
    assert [row.rstrip() for row in shown.rstrip().splitlines()] == text.splitlines()


def test_the_page_shows_every_kind_of_input() -> None:
    assert [str(each.id) for each in SHOWN] == [
        "denbun inspect report.hex", "denbun inspect lost.hex", "denbun inspect line.pcap",
    ]  # fmt: skip


def test_every_option_and_form_that_the_page_names_is_there_and_the_other_way_round() -> None:
    told = set(re.findall(r"(?<=[ `])--[a-z]+", TEXT))
    known = set(re.findall(r"--[a-z]+", CliRunner().invoke(app, ["inspect", "--help"], terminal_width=200).stdout))
    assert told >= known - {"--help"}
    assert told <= known | {"--help"}
    assert set(re.search(r"`--as` (.*?) says", TEXT)[1].replace("`", "").split(", ")) == {*FORMS} - {"auto"}  # type: ignore[index]


def test_the_lines_of_the_trail_are_as_the_page_tells(desk: Path) -> None:
    create_ring(desk / "ring.json")
    (command,) = (each for kind, each in BLOCKS if kind == "sh" and "--reveal" in each)
    result = CliRunner().invoke(app, shlex.split(command.replace("\\\n", " "))[1:])
    assert result.exit_code == 0, result.output
    assert "4111111111111111" in result.stdout
    (record,) = (desk / "audit.jsonl").read_text("utf-8").splitlines()
    (row,) = re.findall(r"^A line of the trail holds (.*?)\.\n", TEXT, re.MULTILINE | re.DOTALL)
    assert re.findall(r"`(\w+)`", row) == list(json.loads(record))
