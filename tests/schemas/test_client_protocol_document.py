"""docs/client-protocol.md says what the code does: every frame, every field, every code, and bytes that are true."""

import json
import re
import subprocess
import sys
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
from asking_rig import asked_fault

from ingress.checking import AMOUNT_MAX, WAIT_MAX_MS, request_fault
from ingress.protocol import read
from router.intake import DELIVERIES_MAX
from schemas.client_frames import (
    COUNT_MAX,
    FRAME_MAX_BYTES,
    AnyClientFrame,
    AnyGatewayFrame,
    Card,
    Deframer,
    Ping,
    RefusalTold,
    Refused,
    Rejection,
    Request,
    Told,
    frame,
)
from schemas.installation import Ingress, Router
from schemas.protocol_tables import TABLES
from schemas.records import Kind, Status
from schemas.refusals import Refusal
from schemas.telegrams import ORDINARY_REQUESTS, load_partner

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "client-protocol.md").read_text(encoding="utf-8")
OF_CLIENT, OF_GATEWAY = "Frames of the client", "Frames of the gateway"
TOLD = "What is told of a transaction"
JSON_TYPES = {int: "integer", str: "string", bool: "boolean", Status: "string", Card: "object", RefusalTold: "object"}

Rows = dict[str, list[str]]


def chapter(title: str) -> str:
    """What stands under a heading of the second level."""
    (found,) = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL)
    return str(found)


def section(title: str, heading: str) -> str:
    """What stands under a heading of the third level."""
    found = re.findall(rf"^### {re.escape(heading)}\n(.*?)(?=^### |\Z)", chapter(title), re.MULTILINE | re.DOTALL)
    assert len(found) == 1, heading
    return str(found[0])


def rows(text: str) -> Rows:
    """The rows of the tables in a text, by their first cell: the cells after it."""
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line[:3] == "| `"]
    found = {first.strip("` "): others for first, *others in cells}
    assert len(found) == len(cells)
    return found


def frames_of(union: UnionType) -> list[type[msgspec.Struct]]:
    return list(get_args(union))


def tag_of(frame_type: type[msgspec.Struct]) -> str:
    return str(frame_type.__struct_config__.tag)


FRAMES = [(OF_CLIENT, each) for each in frames_of(AnyClientFrame)] + [
    (OF_GATEWAY, each) for each in frames_of(AnyGatewayFrame)
]


def told_of_fields(struct: type[msgspec.Struct], prefix: str = "") -> Rows:
    """Type and presence of each field, as the document should say it."""
    hints = get_type_hints(struct, include_extras=True)
    words = ("required", "optional") if _is_clients(struct) else ("always", "if any")
    wanted: Rows = {}
    for field in msgspec.structs.fields(struct):
        given = hints[field.name]
        while get_origin(given) is Annotated:
            given = get_args(given)[0]
        plain = next((each for each in get_args(given) if each is not NoneType), given)
        wanted[prefix + field.name] = [JSON_TYPES[plain], words[0] if field.required else words[1]]
        if plain in (Card, RefusalTold):
            wanted.update(told_of_fields(plain, f"{prefix}{field.name}."))
    return wanted


def _is_clients(struct: type[msgspec.Struct]) -> bool:
    return struct.__struct_config__.forbid_unknown_fields


# --- frames ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("title", "frame_type"), FRAMES, ids=lambda each: getattr(each, "__name__", ""))
def test_every_field_of_every_frame_is_told_with_its_type_and_presence(
    title: str, frame_type: type[msgspec.Struct]
) -> None:
    found = {name: cells[:2] for name, cells in rows(section(title, tag_of(frame_type))).items()}
    wanted = told_of_fields(frame_type)
    if issubclass(frame_type, Told):
        shared = told_of_fields(Told)
        assert {name: cells[:2] for name, cells in rows(section(OF_GATEWAY, TOLD)).items()} == shared
        wanted = {name: cells for name, cells in wanted.items() if name not in shared}
    assert found == wanted


@pytest.mark.parametrize(("title", "union"), [(OF_CLIENT, AnyClientFrame), (OF_GATEWAY, AnyGatewayFrame)])
def test_the_document_has_the_frames_there_are_and_no_other(title: str, union: UnionType) -> None:
    headings = re.findall(r"^### (.+)$", chapter(title), re.MULTILINE)
    assert sorted(headings) == sorted([*map(tag_of, frames_of(union)), *([TOLD] if title == OF_GATEWAY else [])])


def test_the_ranges_are_those_the_gateway_keeps() -> None:
    asked = rows(section(OF_CLIENT, "request"))
    assert f"1 to {AMOUNT_MAX}" in asked["amount"][2]
    assert f"1 to {WAIT_MAX_MS}" in asked["wait_ms"][2]
    assert re.findall(r"`([a-z]+)`", asked["kind"][2]) == [kind.value for kind in Kind]
    assert f"0 to {COUNT_MAX}" in rows(section(OF_CLIENT, "ack"))["delivery_no"][2]
    assert f"0 to {COUNT_MAX}" in rows(section(OF_CLIENT, "ping"))["n"][2]
    assert f"must be ready to take {FRAME_MAX_BYTES:,}" in chapter("Framing")
    assert DELIVERIES_MAX == 16
    assert "up to sixteen of them" in chapter("Statuses")


# --- examples -------------------------------------------------------------------------------------------------------


def examples(title: str) -> list[dict[str, Any]]:
    return [
        json.loads(block) for block in re.findall(r"^```json\n(.*?)^```$", chapter(title), re.MULTILINE | re.DOTALL)
    ]


def test_every_frame_has_an_example_and_no_example_stands_elsewhere() -> None:
    for title, union in ((OF_CLIENT, AnyClientFrame), (OF_GATEWAY, AnyGatewayFrame)):
        assert {each["type"] for each in examples(title)} == set(map(tag_of, frames_of(union)))
    assert DOCUMENT.count("```json") == len(examples(OF_CLIENT)) + len(examples(OF_GATEWAY))


@pytest.mark.parametrize("example", examples(OF_CLIENT), ids=lambda example: example["type"])
def test_an_example_of_the_client_is_taken_by_the_gateway(example: dict[str, Any]) -> None:
    taken = read(json.dumps(example).encode())
    assert msgspec.to_builtins(taken) == example
    if isinstance(taken, Request):
        assert request_fault(taken) is None
        assert len(frame(taken)) < 1_024


@pytest.mark.parametrize("example", examples(OF_GATEWAY), ids=lambda example: example["type"])
def test_an_example_of_the_gateway_holds_only_what_the_gateway_sends(example: dict[str, Any]) -> None:
    sent = msgspec.json.decode(json.dumps(example), type=AnyGatewayFrame)
    assert msgspec.to_builtins(sent) == example
    if isinstance(sent, Refused):
        place = sent.text_en.split(": ", 1)[1]
        assert sent == Rejection(sent.code).told(reference=sent.reference, place=place)
    if isinstance(sent, Told) and sent.refusal is not None:
        assert sent.refusal == RefusalTold.of(Refusal(sent.refusal.code))


def test_the_bytes_shown_are_those_of_the_frame_beside_them() -> None:
    (shown,) = re.findall(r"^```hex\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    found = re.search(r"`(\{.*\})` on the wire, (\d+) bytes", chapter("Framing"))
    assert found is not None
    data = bytes.fromhex(shown)
    assert data == frame(Ping(n=1))
    assert len(data) == int(found[2])
    deframer = Deframer(FRAME_MAX_BYTES)
    deframer.feed(data)
    payload = deframer.next()
    assert payload == found[1].encode()
    assert read(payload) == Ping(n=1)
    assert deframer.pending == 0


# --- codes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
def test_the_printed_tables_are_the_documents(name: str) -> None:
    found = re.search(rf"<!-- python -m schemas\.protocol_tables {name} -->\n((?:\|.*\n)+)", DOCUMENT)
    assert found is not None
    assert found[1] == TABLES[name]()


def test_the_printed_tables_say_every_code_with_both_texts_and_all_flags() -> None:
    yes = {True: "yes", False: "no"}
    assert rows(TABLES["rejections"]()) == {
        code.value: [code.english, code.japanese, yes[code.retryable], yes[code.inquire], yes[code.closing]]
        for code in Rejection
    }
    assert rows(TABLES["refusals"]()) == {
        code.value: [code.english, code.japanese, yes[code.retryable]] for code in Refusal
    }
    printed_order = list(rows(TABLES["refusals"]()))
    assert printed_order == [code.value for code in Refusal]  # in order of precedence


@pytest.mark.parametrize("names", [["rejections"], ["refusals"], []])
def test_the_command_prints_the_tables(names: list[str]) -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "schemas.protocol_tables", *names],
        cwd=ROOT,
        capture_output=True,
        check=True,
        env={"PYTHONIOENCODING": "utf-8"},
        encoding="utf-8",
        timeout=60,
    )
    assert printed.stdout == "\n".join(TABLES[name]() for name in names or TABLES)


def test_it_is_said_of_every_code_when_it_comes_and_what_to_do() -> None:
    (said,) = re.findall(r"^\| code \| when it comes .*?(?=^\n)", chapter("Rejections"), re.MULTILINE | re.DOTALL)
    told = rows(said)
    assert list(told) == [code.value for code in Rejection]
    assert all(len(cells) == 2 and all(cells) for cells in told.values())


def test_it_is_said_of_every_status_what_it_means_and_what_to_do() -> None:
    told = rows(chapter("Statuses"))
    assert list(told) == [status.value for status in Status]
    assert all(len(cells) == 3 and all(cells) for cells in told.values())


def test_the_limits_are_the_installations() -> None:
    sections = {"ingress": Ingress, "router": Router}
    for name, (_, default, _) in rows(chapter("Times and limits")).items():
        owner, field = name.split(".")
        known = sections[owner].model_fields[field]
        assert default == ("by installation" if known.is_required() else str(known.default)), name
    told = rows(chapter("Times and limits"))
    of_clients = {name for name in Ingress.model_fields if name.startswith("max_") or name.endswith("_ms")}
    assert {name.removeprefix("ingress.") for name in told if name.startswith("ingress.")} == of_clients


def test_every_name_in_code_style_that_looks_like_a_field_exists() -> None:
    fields = {name for _, each in FRAMES for name in told_of_fields(each)}
    limits = {*Ingress.model_fields, *Router.model_fields}
    values = {each.value for enum in (Rejection, Refusal, Status, Kind) for each in enum}
    known = fields | limits | values | {"open_session"}
    words = set(re.findall(r"`([a-z0-9]+(?:_[a-z0-9]+)+)`", DOCUMENT))
    assert words - known == set()


@pytest.mark.parametrize(("column", "partner"), [(0, "cafis"), (1, "cardnet")])
def test_what_the_packaged_partners_take_is_what_their_telegrams_take(column: int, partner: str) -> None:
    spec = load_partner(partner)
    told = {name: cells[column] for name, cells in rows(chapter("What the partners take")).items()}
    assert told["terminal_id"] == "13 digits exactly"
    sound = {"terminal_id": "4" * 13, "payment_method": "10", "amount": 1, "pan": "4111111111111111", "expiry": "2812"}
    unsound = [("terminal_id", "1" * 12), ("terminal_id", "POS4567890123")]
    for role in ORDINARY_REQUESTS:
        for change in ({}, {"amount": AMOUNT_MAX}, {"payment_method": "99"}, {"pan": "4" * 13}, {"pan": "4" * 19}):
            assert asked_fault(spec, role, {**sound, **change}) is None, (role, change)
        for name, value in unsound:
            assert str(asked_fault(spec, role, {**sound, name: value})).startswith(name)
        listed = {
            each.value: (each.japanese, each.english) for each in spec.telegrams[role].field("payment_method").values
        }
        assert told["payment_method"].endswith(", ".join(listed))
        for code, (japanese, english) in listed.items():
            assert f"| {code} | {japanese} | {english}" in DOCUMENT
