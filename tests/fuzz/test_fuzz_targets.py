"""Whatever bytes come in: every target on its corpus and on mutations of it. `python -m fuzz` looks further."""

import contextlib
import json
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from client import ConnectError, Result
from client.course import Course
from client.link import decode as gateway_frame
from fuzz import corpus
from fuzz.seeds import CLIENT_FRAMES, GATEWAY_FRAMES, seeds
from fuzz.streams import CAFIS, CARDNET
from fuzz.targets import TARGETS
from images import showing, telling
from ingress import core
from ingress.acts import DeliveryStage as Stage
from ingress.replies import settled
from schemas import toml_files, wire
from schemas.installation import Customer
from schemas.telegrams import DecodeError, FramingError, PartnerSpec

MUTATIONS = {"cafis": 3_000, "cardnet": 3_000, "client": 2_000, "installation": 1_000, "inspect": 2_000}
OTHERWISE = 10_000

every_target = pytest.mark.parametrize("name", TARGETS)


def run_corpus(name: str) -> None:
    for data in corpus.of(name):
        TARGETS[name](data)


@every_target
def test_no_input_of_the_corpus_is_a_finding(name: str) -> None:
    run_corpus(name)


@every_target
def test_no_mutation_of_the_corpus_is_a_finding(name: str) -> None:
    chance = random.Random(f"fuzz {name}")
    for data in corpus.mutations(corpus.of(name), chance, MUTATIONS.get(name, OTHERWISE)):
        try:
            TARGETS[name](data)
        except BaseException as finding:
            finding.add_note(f"the input: {data!r}")
            raise


PLANTED: dict[str, tuple[Any, str, Any]] = {
    "cafis": (PartnerSpec, "masked", lambda _, values: dict(values)),
    "cardnet": (PartnerSpec, "masked", lambda _, values: dict(values)),
    "telegrams": (PartnerSpec, "masked", lambda _, values: dict(values)),
    "records": (wire, "_FINGERPRINT", re.compile(b".*", re.DOTALL)),
    "schemas": (wire, "read_schema", json.loads),
    "door": (Customer, "accepts", lambda _, __: True),
    "session": (core, "settled", lambda delivery: settled(msgspec.structs.replace(delivery, stage=Stage.CONFIRMED))),
    "client": (Course, "_reply", lambda course, reply: course._end(Result.of(reply))),
    "installation": (toml_files, "_BEYOND", ()),
    "inspect": (telling, "shown", lambda trial, data: showing.shown(trial, data)[:-1]),
}


@every_target
def test_every_target_has_an_eye_for_a_fault(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*PLANTED[name])
    with pytest.raises(BaseException):  # noqa: B017, PT011  whatever it is, it is a finding
        run_corpus(name)


# --- the corpus


@every_target
def test_the_corpus_is_small_named_by_its_content_and_holds_nobodys_card(name: str) -> None:
    files = sorted((corpus.CORPUS / name).iterdir())
    assert 0 < len(files) <= corpus.FILES_MAX
    for file in files:
        data = file.read_bytes()
        assert file.name == corpus.name_of(data)
        assert len(data) <= corpus.BYTES_MAX
        assert not corpus.holds_a_card(data), file


def test_every_corpus_has_its_target() -> None:
    assert sorted(path.name for path in corpus.CORPUS.iterdir()) == sorted(TARGETS) == sorted(seeds())


@pytest.mark.parametrize("partner", [CAFIS, CARDNET], ids=lambda partner: partner.name)
def test_every_telegram_is_in_the_corpus(partner: PartnerSpec) -> None:
    roles = set()
    for data in corpus.of(partner.name):
        with contextlib.suppress(FramingError, DecodeError):
            roles |= {partner.decode(telegram).role for telegram in partner.framing.deframer().feed(data[1:])}
    assert roles == set(partner.telegrams)


def test_every_record_is_in_the_corpus() -> None:
    names = {data.partition(b"\n")[0].decode("latin-1") for data in corpus.of("records")}
    assert sorted(wire.RECORDS.keys() - names) == [], "python -m fuzz records --seconds 1 --keep"


def test_every_frame_of_both_sides_is_in_the_corpus() -> None:
    sessions = b"\n".join(corpus.of("session"))
    for frame in CLIENT_FRAMES:
        assert f'"type":"{frame.__struct_config__.tag}"'.encode() in sessions
    told = set()
    for data in corpus.of("client"):
        for line in data.split(b"\n"):
            with contextlib.suppress(ConnectError):
                told.add(type(gateway_frame(line)))
    assert {type(frame) for frame in GATEWAY_FRAMES} <= told


# --- the command


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=corpus.ROOT, capture_output=True, text=True, timeout=170, check=False)


def test_a_target_that_is_none_is_told() -> None:
    ran = python("-m", "fuzz", "nothing")
    assert ran.returncode == 2
    assert "there is no target nothing" in ran.stderr


def test_where_atheris_is_missing_that_is_said() -> None:
    ran = python("-c", "import sys; sys.modules['atheris'] = None; from fuzz.__main__ import app; app()")
    assert ran.returncode == 2
    assert "atheris is not installed" in ran.stderr


def test_an_input_that_was_found_can_be_run_again(tmp_path: Path) -> None:
    found = tmp_path / "input"
    found.write_bytes(b"RequestAccepted")
    assert python("-m", "fuzz", "--input", str(found)).returncode == 0
