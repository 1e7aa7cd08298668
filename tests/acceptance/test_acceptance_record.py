"""The evidence as a file: written in one piece, and refused where it is none."""

from pathlib import Path

import pytest
from acceptance_rig import catalogue_of

from acceptance.record import FILE, CaseRecord, Evidence, EvidenceError, Verdict, load, save


def blank() -> Evidence:
    catalogue = catalogue_of("cafis")
    return Evidence(
        partner="cafis", environment="dev", catalogue=catalogue.digest, where_ja="此処", where_en="here", sessions=(),
        records={case.id: CaseRecord(id=case.id) for case in catalogue.cases},
    )  # fmt: skip


def test_what_was_not_played_is_not_run() -> None:
    assert blank().verdicts() == {
        Verdict.PASSED: 0,
        Verdict.FAILED: 0,
        Verdict.NOT_RUN: len(catalogue_of("cafis").cases),
    }


def test_it_is_read_back_and_nothing_else_is_left_in_the_folder(tmp_path: Path) -> None:
    save(blank(), tmp_path / "new")
    save(blank(), tmp_path / "new")
    assert load(tmp_path / "new") == blank()
    assert [each.name for each in (tmp_path / "new").iterdir()] == [FILE]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        (b"{", "is no evidence of this version"),
        (b'{"partner": 1}', "is no evidence of this version"),
    ],
)
def test_what_is_no_evidence_is_refused_with_its_place(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    with pytest.raises(EvidenceError, match=said) as raised:
        load(tmp_path)
    assert str(tmp_path / FILE) in str(raised.value)
