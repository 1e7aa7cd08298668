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


def run(stage: Stage, *arguments: str) -> tuple[int, list[str]]:
    """The exit status, and what was printed."""
    result = CliRunner().invoke(app, ["pay", "--config", str(stage.plan.file), *arguments], env={"COLUMNS": "250"})
    return result.exit_code, result.output.splitlines()


def paid(stage: Stage) -> tuple[int, list[str]]:
    return run(stage, "--amount", "1200", "--reference", f"p{next(numbers)}")


@pytest.mark.parametrize("off_ms", [0, 3_600_000, -3_600_000])
def test_the_whole_story_is_told_and_nothing_else_whatever_time_the_machine_has(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, off_ms: int
) -> None:
    monkeypatch.setattr(ops.times, "time", SimpleNamespace(time_ns=lambda: time.time_ns() + off_ms * 1_000_000))
    status, said = paid(stage)
    assert status == 0, said
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in said if line.startswith("│")]
    told = [record for at, record, _ in rows if at]
    assert told[0] == "RequestAccepted"
    assert {"SendRequest", "TelegramSent", "ReportReceived", "ReplyReady"} <= set(told)
    assert told.count("RequestAccepted") == 1
    ms = [int(at) for at, *_ in rows if at]
    assert ms[0] == 0
    assert ms == sorted(ms)
    assert ms[-1] < 600_000
    assert f"p{next(numbers) - 1}" in said[0]
    whole = " ".join(said)
    assert "← 報告: 承認, 結果コード 000 承認・正常終了" in whole
    assert "相手・回線  partner, line:  cafis, cafis-" in whole
    assert said[-1].endswith("確定(利用側が受領を確認)  settled; the client has confirmed its answer")


def test_a_payment_is_made_all_the_same_when_the_topics_cannot_be_read(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise LogError("the topics cannot be read: not authorised")

    monkeypatch.setattr(ops.commands.pay, "ends", refused)
    status, said = paid(stage)
    assert (status, said[-1]) == (0, "no story: the topics cannot be read: not authorised")


def test_a_reference_is_taken_as_every_command_shows_it(stage: Stage) -> None:
    number = next(numbers)
    status, said = run(stage, "--amount", "1200", "--reference", f"AP02:p{number}")
    assert (status, said[0]) == (0, f"approved  承認  AP02:p{number} ¥1,200")
    status, said = run(
        stage, "--kind", "refund", "--amount", "200", "--original", f"AP02:p{number}", "--reference", "r"
    )
    assert (status, said[0]) == (0, f"approved  承認  AP02:p{number}/r ¥200")


def test_a_payment_that_the_partner_does_not_answer_is_told_to_its_end(stage: Stage) -> None:
    with stage.control("cafis") as control:
        control.behave(role="sale_request", amount=4_321, do="silent")
    status, said = run(stage, "--amount", "4321", "--reference", f"p{next(numbers)}")
    whole = " ".join(said)
    assert status == 1
    assert "8930 取消確認指令" in whole
    assert "← 8960 取消確認報告 取消成立" in whole
    assert said[-1] == ("結末  end:  取消成立: 報告なし(応答なし)  cancelled: the partner gave no answer (silence)")


WRONG = {
    ("--partner", "visa"): "--partner visa: 登録のない相手先  no such partner: 登録済み known: cafis, cardnet",
    ("--partner", "cafsi"): (
        "--partner cafsi: 登録のない相手先  no such partner: cafis のことですか did you mean cafis? "
        "登録済み known: cafis, cardnet"
    ),
    ("--customer", "NOBODY"): "--customer NOBODY: 登録のない顧客  no such customer: 登録済み known: AP02, AP22",
    ("--customer", "ap02"): (
        "--customer ap02: 登録のない顧客  no such customer: AP02, AP22 のことですか did you mean AP02 or AP22? "
        "登録済み known: AP02, AP22"
    ),
    ("--kind", "payment"): ("--kind payment: 取引種別なし  no such kind: one of authorisation, sale, cancel, refund"),
    ("--kind", "refund", "--original", "AP02:a/b"): (
        "--original AP02:a/b: 取消・返品の参照番号  is that of a cancel or refund: name a"
    ),
    ("--kind", "refund", "--original", "AP02:a", "--customer", "AP22"): (
        "--original AP02:a: AP22 の取引ではありません  is not AP22's, but AP02's"
    ),
}


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_a_payment_that_makes_no_sense_is_told_and_not_asked(stage: Stage, arguments: tuple[str, ...]) -> None:
    assert run(stage, *arguments) == (2, [WRONG[arguments]])


def test_a_wrong_token_is_called_wrong_and_not_shown(stage: Stage) -> None:
    status, (said,) = run(stage, "--token", "open sesame")
    assert (status, "sesame" in said) == (2, False)
    assert said.startswith("--token (DENBUN_TOKEN): AP02 のトークンではありません  is not the token of customer AP02")


def test_a_request_refused_at_the_door_is_told_without_an_empty_story(stage: Stage) -> None:
    status, said = run(stage, "--reference", "not a reference")
    assert (status, said[0].startswith("受付拒否  ")) == (1, True), said
    assert "reference must be 1 to 32 characters" in said[0]
    assert said[1:] == [
        "AP02:not a reference: 受付記録なし  the gateway has accepted no such request: there is no story"
    ]
