"""``denbun pay`` on a real stack: the story of a payment, whatever time the machine has; and a payment without one."""

import itertools
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

import ops.commands.pay
import ops.times
from ops.__main__ import app
from ops.installations import LINES, QUICK
from ops.stage import Stage, playing
from pipeline.log import LogError

pytestmark = pytest.mark.stack
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, kafka_servers: str) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("pay")
    with playing(folder, servers=kafka_servers, prefix=f"pay-{folder.name}-", lines=LINES[:3], waits=QUICK) as stage:
        yield stage


def paid(stage: Stage) -> tuple[int, list[str]]:
    """The exit status, and what was printed."""
    reference = f"p{next(numbers)}"
    result = CliRunner().invoke(
        app, ["pay", "--config", str(stage.plan.file), "--amount", "1200", "--reference", reference],
        env={"COLUMNS": "250"},
    )  # fmt: skip
    return result.exit_code, result.output.splitlines()


@pytest.mark.parametrize("off_ms", [0, 3_600_000, -3_600_000])
def test_the_whole_story_is_told_and_nothing_else_whatever_time_the_machine_has(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, off_ms: int
) -> None:
    monkeypatch.setattr(ops.times, "time", SimpleNamespace(time_ns=lambda: time.time_ns() + off_ms * 1_000_000))
    status, said = paid(stage)
    assert status == 0, said
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in said if line.startswith("│")]
    told = [record for _, _, record, _ in rows]
    assert told[0] == "RequestAccepted"
    assert {"SendRequest", "TelegramSent", "ReportReceived", "ReplyReady"} <= set(told)
    assert told.count("RequestAccepted") == 1
    ms = [int(at) for at, *_ in rows if at]
    assert ms[0] == 0
    assert ms == sorted(ms)
    assert ms[-1] < 600_000


def test_a_payment_is_made_all_the_same_when_the_topics_cannot_be_read(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise LogError("the topics cannot be read: not authorised")

    monkeypatch.setattr(ops.commands.pay, "ends", refused)
    status, said = paid(stage)
    assert (status, said[-1]) == (0, "no story: the topics cannot be read: not authorised")
