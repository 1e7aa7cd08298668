"""docs/adding-a-partner.md, followed to the letter: its files, commands and mistakes, and what it says of them."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_desk import COMMANDS, CUSTOMER, CUTTING, PASSED, ROOT, TEXT, TOKEN, Desk
from whole_gateway import wait_until

from ops.courses import COURSES, Course
from ops.evidence import SECRETS
from ops.money import ClientRecord, Evidence, report
from ops.player import Player, worded
from ops.ports import HOST
from ops.reading import read_topics
from ops.story import story
from pipeline.config import load
from schemas.identity import transaction_id
from schemas.installation import Installation
from schemas.records import Kind
from schemas.telegrams import FieldSpec, PartnerSpec, Role, load_partner, packaged

pytestmark = pytest.mark.timeout(300)

MONEY = {"A-1": (Kind.SALE, 12_800, "approved"), "A-3": (Kind.SALE, 4_444, "cancelled")}
PLAYED = [course for course in COURSES if course.name in ("in_error", "turned_round", "silence_twice", "client_gone")]


@pytest.fixture(scope="module")
def desk(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Where every command of the page has been typed, in the order of the page."""
    desk = Desk(tmp_path_factory.mktemp("toynet"), kafka_servers)
    try:
        for line in COMMANDS:
            if line.startswith("denbun pay "):
                desk.wait_open()
            if line.startswith("python -c "):
                desk.wait_passed()
            desk.type(line)
        yield desk
    finally:
        desk.stop()


@pytest.fixture(scope="module")
def player(desk: Desk) -> Iterator[Player]:
    """The page's customer, who plays courses that are none of the page's."""
    with desk.control() as control:
        player = Player(desk.partner, control, (HOST, desk.installation.ingress.port), CUSTOMER, TOKEN, lines=2)
        yield player
        player.close()


@pytest.fixture
def cut_out(tmp_path: Path) -> Path:
    """The files of the page, without a stack."""
    desk = Desk(tmp_path)
    for line in CUTTING:
        desk.type(line)
    return tmp_path


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "schemas.telegrams", "check", "toynet"]
    return subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", check=False, timeout=60)


# --- the files


def test_the_files_of_the_page_are_a_partner_of_a_third_kind(cut_out: Path) -> None:
    toynet = load_partner(cut_out / "toynet")
    others = [load_partner(name) for name in packaged()]
    assert toynet.framing not in [other.framing for other in others]
    forms = [{(each.offset, each.bit, each.size, each.encoding) for each in _fields(partner)} for partner in others]
    assert all({(each.offset, each.bit, each.size, each.encoding) for each in _fields(toynet)} - form for form in forms)
    codes = {each.type_code for each in toynet.telegrams.values()}
    assert all(codes.isdisjoint({each.type_code for each in other.telegrams.values()}) for other in others)
    assert all(field.assumption for field in _fields(toynet))
    assert "Fiction" in toynet.note


def _fields(partner: PartnerSpec) -> list[FieldSpec]:
    return [field for telegram in partner.telegrams.values() for field in telegram.fields]


def test_what_the_page_adds_is_an_installation(cut_out: Path) -> None:
    found = load(Installation, cut_out / "denbun.toml", {})
    assert [line.mode for line in found.line] == ["dial", "listen"]
    (customer,) = found.customer
    assert customer.accepts(TOKEN)
    assert dict(customer.partners) == dict.fromkeys(Kind, "toynet")


MISTAKES = [
    [cell.strip().strip("`") for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if re.match(r"\| `\w+\.toml` \|", line)
]


@pytest.mark.parametrize(("file", "right", "wrong", "told"), MISTAKES, ids=[row[2] for row in MISTAKES])
def test_a_mistake_is_told_as_the_page_says(file: str, right: str, wrong: str, told: str, cut_out: Path) -> None:
    assert check(cut_out).returncode == 0
    path = cut_out / "toynet" / file
    text = path.read_text("utf-8")
    assert right in text
    path.write_text(text.replace(right, wrong, 1), "utf-8")
    done = check(cut_out)
    assert done.returncode == 1
    assert told in [line.strip() for line in done.stderr.splitlines()]


def test_the_page_tells_of_mistakes() -> None:
    assert len(MISTAKES) >= 8


# --- the commands


@pytest.mark.stack
def test_the_layouts_are_checked_and_shown(desk: Desk) -> None:
    checked = desk.answers["python -m schemas.telegrams check toynet"].stdout.splitlines()
    assert len(checked) == len(desk.partner.telegrams)
    assert all(line.endswith(": ok") for line in checked)
    shown_bytes = desk.answers["python -m schemas.telegrams show toynet sale_request"].stdout
    sample = desk.partner.encode(Role.SALE_REQUEST, desk.partner.telegrams[Role.SALE_REQUEST].sample())
    assert sample.hex(" ") in " ".join(shown_bytes.split())
    for service in ("egress", "faults"):
        assert "ok for" in desk.answers[f"denbun run {service} --config denbun.toml --check"].stdout


@pytest.mark.stack
def test_the_telegrams_of_the_page_pass_and_the_clients_are_told_so(desk: Desk) -> None:
    assert desk.telegrams()[: len(PASSED)] == PASSED
    sale, cancel, silent = (answer for line, answer in desk.answers.items() if line.startswith("denbun pay "))
    assert "approved" in sale.stdout.splitlines()[0]
    assert "approved" in cancel.stdout.splitlines()[0]
    assert "being_cancelled" in silent.stdout.splitlines()[0]
    assert "not approved" in silent.stdout.splitlines()[-1]
    with desk.client() as asking:
        assert worded(asking.inquire("A-1")) == "approved"
        wait_until(lambda: worded(asking.inquire("A-3", wait_ms=5_000)) == "cancelled")


@pytest.mark.stack
def test_the_cancel_went_over_the_route_of_its_request_and_the_books_say_so(desk: Desk) -> None:
    with desk.control() as control:
        (sale,) = control.ledger(reference="A-1")
        (cancel,) = control.ledger(role="cancel_request")
        (entry,) = control.ledger(reference="A-3")
        told = control.story()
    assert (sale["balance"], cancel["balance"]) == (12_800, -12_800)
    assert cancel["original"] == [sale["station"], sale["business_date"], sale["trace_number"]]
    assert (entry["amount"], entry["cancelled"], entry["commands"]) == (4444, True, ["fault_confirm"])
    assert entry["answers"] == 0
    confirm, confirmed = (row for row in told if row["original_trace_number"] == entry["trace_number"])
    assert confirm["role"] == "fault_confirm"
    assert confirmed["role"] == "fault_confirm_report"
    assert confirm["station"] == confirmed["station"] == entry["station"]
    assert confirm["route_number"] == confirmed["route_number"] == entry["route_number"]
    (printed,) = (answer.stdout for line, answer in desk.answers.items() if line.startswith("python -c "))
    assert "'reference': 'A-3', 'outcome': 'approved'" in printed
    assert printed.splitlines()[-1] == "[]", "no rule of the line was broken"


@pytest.mark.stack
def test_the_topics_tell_the_story_of_the_cancel(desk: Desk) -> None:
    line = {each.station_id: each.name for each in desk.installation.line}
    with desk.control() as control:
        (entry,) = control.ledger(reference="A-3")
    topics = desk.topics()
    found = read_topics(desk.installation.kafka, topics)
    lines = story({topics[name]: messages for name, messages in found.items()}, f"{CUSTOMER}:A-3")
    sent = f"sent.{line[entry['station']]}"
    told = [each.record for each in lines if each.topic == sent]
    assert told == ["TelegramSent", "TelegramSent"]
    assert [each.record for each in lines if each.topic == "settlements"] == ["CancelSettled"]
    assert not any("4111111111111111" in each.facts for each in lines)


@pytest.mark.stack
@pytest.mark.parametrize("course", PLAYED, ids=lambda course: course.name)
def test_other_courses_hold_as_for_every_partner(course: Course, player: Player) -> None:
    assert player.play(course).problems == []


@pytest.mark.stack
def test_the_money_is_right(desk: Desk, player: Player) -> None:
    clients = [ClientRecord(f"{CUSTOMER}:{each}", *money) for each, money in MONEY.items()]
    clients.append(ClientRecord(transaction_id(CUSTOMER, "A-2", "A-1"), Kind.CANCEL, 12_800, "approved"))
    clients += [
        ClientRecord(transaction_id(CUSTOMER, each.reference, each.original), each.kind, each.amount, each.told)
        for each in player.wrote
    ]
    topics = desk.topics()
    found = read_topics(desk.installation.kafka, topics)
    with desk.control() as control:
        evidence = Evidence(
            clients=clients,
            ledgers={"toynet": control.ledger()},
            violations={"toynet": control.violations()},
            stations={line.name: line.station_id for line in desk.installation.line},
            topics={topics[name]: messages for name, messages in found.items()},
            texts={path.name: path.read_bytes() for path in (desk.folder / "logs").iterdir()},
            secrets=SECRETS,
        )
    assert {finding.english: finding.offenders for finding in report(evidence) if not finding.holds} == {}


@pytest.mark.stack
def test_stopped_in_order_the_lines_are_closed(desk: Desk) -> None:
    """Last of all: nothing runs afterwards."""
    with desk.control() as control:
        since = control.story()[-1]["number"] + 1
        for service in ("ingress", "egress", "faults", "router"):
            assert desk.running[service].stop() == 0, service
        told = [f"{row['way']} {row['type_code']}" for row in control.story(since)]
    assert (told.count("→ 03"), told.count("← 04")) == (2, 2)


# --- what was not needed


def test_no_code_knows_the_partner() -> None:
    packages = [path.parent for path in ROOT.glob("*/__init__.py")]
    files = [path for folder in packages for path in folder.rglob("*") if path.suffix in (".py", ".toml", ".avsc")]
    assert {"egress", "faults", "ingress", "router", "schemas", "simulator"} <= {path.name for path in packages}
    assert [path for path in files if "toynet" in path.read_text("utf-8").lower()] == []
    assert "toynet" not in packaged()
