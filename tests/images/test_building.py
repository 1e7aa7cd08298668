"""A folder of documents: made whole or not at all, from a record that stays beside them."""

from pathlib import Path

import pytest
from images_rig import REAL_PAN, Recording, record_of, usual

from images.building import FolderError, build
from images.record import RecordError, read_record
from schemas.telegrams import Role

RECORD = record_of(usual("cafis").part(), usual("cardnet").part())


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_it_has_a_page_to_begin_with_a_workbook_for_each_partner_and_the_record(tmp_path: Path) -> None:
    first = build(RECORD, tmp_path / "new" / "out")
    names = [str(file.relative_to(tmp_path / "new" / "out")) for file in first]
    assert names == ["index.html", "cafis/cafis.xlsx", "cardnet/cardnet.xlsx"]
    assert all(file.is_file() for file in first)
    assert read_record(tmp_path / "new" / "out" / "record.json") == RECORD


def test_the_same_record_makes_the_same_folder_and_nothing_old_stays_in_it(tmp_path: Path) -> None:
    build(RECORD, tmp_path / "one")
    old = usual("cafis")
    old.flow("declined", ("→", Role.SALE_REQUEST, {}))
    build(record_of(old.part()), tmp_path / "two")
    assert (tmp_path / "two" / "cafis" / "flows" / "declined.html").exists()
    build(RECORD, tmp_path / "two")
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_one_partner_can_be_had_alone(tmp_path: Path) -> None:
    build(RECORD, tmp_path)
    build(RECORD, tmp_path, ["cardnet"])
    assert sorted(each.name for each in tmp_path.iterdir()) == ["cardnet", "index.html"]


def test_a_record_with_a_card_that_nobody_has_published_is_not_put_beside_its_masked_documents(tmp_path: Path) -> None:
    build(RECORD, tmp_path)
    build(record_of(usual("cafis", pan=REAL_PAN).part()), tmp_path)
    for name, content in files(tmp_path).items():
        assert REAL_PAN.encode() not in content, name
        assert REAL_PAN.encode().hex().encode() not in content, name
    assert not (tmp_path / "record.json").exists()


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear", "utf-8")
    with pytest.raises(FolderError, match="holds other things than telegram images: name a new folder"):
        build(RECORD, tmp_path)
    with pytest.raises(FolderError, match="is no folder"):
        build(RECORD, tmp_path / "letter.txt")
    assert files(tmp_path) == {"letter.txt": b"dear"}


def test_a_record_that_cannot_be_used_changes_nothing(tmp_path: Path) -> None:
    build(RECORD, tmp_path)
    before = files(tmp_path)
    broken = Recording("cardnet")
    broken.flow("unheard_of", ("→", Role.SALE_REQUEST, {}))
    with pytest.raises(RecordError, match="unheard_of"):
        build(record_of(usual("cafis").part(), broken.part()), tmp_path)
    assert files(tmp_path) == before
