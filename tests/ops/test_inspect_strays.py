"""``denbun inspect --strays`` on a real broker: what a line has kept is shown beside what it nearly answers."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ops.__main__ import app
from ops.installations import write
from ops.times import now_ms
from ops.writing import write_record
from pipeline.config import load
from schemas.installation import Installation
from schemas.records import Kind, Record, Sealed, SendRequest, StrayTelegram, TelegramSent
from schemas.telegrams import Role, load_partner
from schemas.topics import Topics
from wiring import create_topics, kafka_log

pytestmark = pytest.mark.stack
CAFIS = load_partner("cafis")
LINE = "cafis-1"


def run(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["inspect", "--strays", *arguments, "--config", str(config)])


def told(result: Result) -> str:
    return " ".join(result.output.split())


@pytest.fixture
def installation(tmp_path: Path, kafka_servers: str, topic_prefix: str) -> tuple[Path, Installation]:
    plan = write(tmp_path, kafka_servers, prefix=topic_prefix)
    installation = load(Installation, plan.file)
    create_topics(installation, kafka_log(installation.kafka))
    return plan.file, installation


def put(installation: Installation, topic: str, record: Record) -> None:
    name = Topics(installation.kafka.topic_prefix)(topic, *([LINE] if topic in ("sent", "dispatch") else []))
    write_record(kafka_log(installation.kafka), "test", name, LINE, record)


def test_a_stray_is_shown_with_the_request_it_would_match(installation: tuple[Path, Installation]) -> None:
    file, known = installation
    at_ms = now_ms()
    put(known, "dispatch", SendRequest(
        transaction_id="tx-1", customer="AP02", reference="r", kind=Kind.SALE, terminal_id="4980123456789",
        amount=12_800, payment_method="10", card=Sealed(key_id="card-1", nonce=b"", ciphertext=b""), sensitive=None,
        original=None, send_by_ms=at_ms, report_timeout_ms=9_000, partner=None,
    ))  # fmt: skip
    put(known, "sent", TelegramSent(
        transaction_id="tx-1", transaction_key="key", attempt=0, role=Role.SALE_REQUEST.value, dispatch_offset=0,
        trace_number=123, route_number=7, business_date="20250401", sent_ms=at_ms, report_by_ms=at_ms + 9_000,
        node="node0", partner=None, original=None,
    ))  # fmt: skip
    company = known.line_named(LINE).company_code
    values = {**CAFIS.telegrams[Role.SALE_REPORT].sample(), "company_code": company, "trace_number": 123}
    report = CAFIS.decode(CAFIS.encode(Role.SALE_REPORT, {**values, "terminal_id": "4980000000000"}))
    for description, role in ((f"answers nothing\n{CAFIS.describe(report)}", "sale_report"), ("cannot be read", None)):
        put(known, "strays", StrayTelegram(line=LINE, role=role, description=description, received_ms=at_ms + 9))
    result = run(file)
    assert result.exit_code == 0, result.output
    said = told(result)
    assert "該当なし電文 answers that matched nothing: 2" in said
    assert "1120 売上報告 Sale report 処理通番 trace 123" in said
    assert "would match trace 123 (sale request, 取引 transaction tx-1) but for the terminal id" in said
    assert "回線の記録 the line said: cannot be read" in said
    found = json.loads(run(file, "--json", "--line", LINE).output)
    assert [each["transaction"] for each in found] == ["tx-1", None]
    assert found[0]["near_miss"]["differs_in"] == [
        {"name": "terminal_id", "request": "4980123456789", "answer": "4980000000000"}
    ]
    assert json.loads(run(file, "--json", "--line", "cardnet-1").output) == []
    wrong = run(file, "--line", "cafis-9")
    assert (wrong.exit_code, "--line cafis-9: 該当する回線なし no such line" in told(wrong)) == (2, True)
