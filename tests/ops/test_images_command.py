"""`denbun images` without a run: what it refuses, and documents from a record that was kept."""

from collections.abc import Callable
from pathlib import Path

import pytest

import ops.__main__ as command
from images.catalogue import CATALOGUE, Group
from images.record import FORMAT, Flow, PartnerRecord, Record, Travelled, write_record
from ops.courses import COURSES
from ops.recording import CARRIED, LINE_FLOWS
from schemas.telegrams import Role, load_partner

Denbun = Callable[..., tuple[int, str]]


@pytest.fixture
def denbun(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Denbun:
    """Run the command here; gives its status and all it says."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str | Path) -> tuple[int, str]:
        with pytest.raises(SystemExit) as end:
            command.app(["images", *map(str, arguments)], prog_name="denbun")
        said = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return end.value.code, " ".join((said.out + said.err).split())

    return run


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """A record of one opening."""
    cafis = load_partner("cafis")
    telegrams = tuple(
        Travelled(
            way=way, role=role, line="cafis-1", at_ms=1_764_312_000_000,
            data=cafis.encode(role, cafis.telegrams[role].sample()).hex(),
        )
        for way, role in (("→", Role.OPENING_REQUEST), ("←", Role.OPENING_ANSWER))
    )  # fmt: skip
    part = PartnerRecord(
        partner="cafis", layout="cafis", digest="0" * 12, report_timeout_ms=800, cancel_timeout_ms=800,
        flows=(Flow(name="opening", asks=(), telegrams=telegrams),),
    )  # fmt: skip
    made = Record(format=FORMAT, made_at="2026-11-28T16:30:00+09:00", version="0.1.0", commit=None, partners=(part,))
    write_record(made, tmp_path / "kept.json")
    return tmp_path / "kept.json"


def test_every_flow_of_the_catalogue_can_be_played() -> None:
    courses = {course.name for course in COURSES}
    for entry in CATALOGUE:
        if entry.group is Group.STATION:
            assert entry.name in LINE_FLOWS
        else:
            assert entry.name.removeprefix(CARRIED) in courses
            assert entry.name.startswith(CARRIED) is (entry.group is Group.CARRIED)


def test_documents_are_made_from_a_record(denbun: Denbun, record: Path, tmp_path: Path) -> None:
    status, said = denbun("--record", record, "--out", tmp_path / "out")
    assert status == 0, said
    assert str(tmp_path / "out" / "index.html") in said
    cover = (tmp_path / "out" / "cafis" / "index.html").read_text("utf-8")
    assert "記録時は 000000000000" in cover, "the layouts are others than those of the run"
    assert (tmp_path / "out" / "cafis" / "cafis.xlsx").is_file()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--partner", "visa"), "--partner: there is no partner visa: one of cafis, cardnet"),
        (("--flow", "x"), "--flow: there is no flow x: one of approved, "),
        (("--record", "RECORD", "--flow", "silence"), "leave --flow or --record out"),
        (("--differences", "cafis", "cafis", "--record", "RECORD"), "leave --partner, --flow and --record out"),
    ],
)
def test_a_wrong_argument_is_told_and_nothing_is_written(
    denbun: Denbun, record: Path, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    status, said = denbun("--out", tmp_path / "out", *(str(record) if each == "RECORD" else each for each in arguments))
    assert (status, told in said) == (2, True), said
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_things_is_refused_before_anything_runs(denbun: Denbun, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").touch()
    status, said = denbun("--out", tmp_path)
    assert (status, "--out: " in said, "name a new folder" in said) == (2, True, True), said


def test_a_record_that_is_not_there_is_told(denbun: Denbun, tmp_path: Path) -> None:
    status, said = denbun("--record", tmp_path / "none.json", "--out", tmp_path / "out")
    assert (status, "name a record" in said) == (1, True), said


def test_a_partner_that_was_not_recorded_is_told(denbun: Denbun, record: Path, tmp_path: Path) -> None:
    status, said = denbun("--record", record, "--partner", "cardnet", "--out", tmp_path / "out")
    assert (status, "nothing of cardnet was recorded: one of cafis" in said) == (1, True), said
    assert not (tmp_path / "out").exists()


def test_two_versions_of_layouts_are_compared(denbun: Denbun, tmp_path: Path) -> None:
    status, said = denbun("--differences", "cafis", "cafis", "--out", tmp_path)
    assert status == 0, said
    assert "差分はない" in (tmp_path / "differences.html").read_text("utf-8")
    status, said = denbun("--differences", "cafis", "visa", "--out", tmp_path)
    assert (status, "layouts of visa: 1 fault" in said) == (1, True), said
