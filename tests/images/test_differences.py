"""What differs between two versions of layouts is told field by field, as pages and sheets show it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from edition_rig import write_editions
from openpyxl import load_workbook

import schemas.telegrams
from images.building import build_differences
from images.differences import differences
from images.editions import VersionError
from schemas.telegrams import LayoutError, Role, load_partner

PACKAGE = Path(schemas.telegrams.__file__).parent
_TAKING_BACK = (Role.CANCEL_REQUEST, Role.REFUND_REQUEST)
Changed = Callable[..., Path]


@pytest.fixture
def changed(tmp_path: Path) -> Changed:
    """Makes a version of a partner's layouts with some texts of its files replaced."""

    def make(partner: str, *edits: tuple[str, str, str]) -> Path:
        place = Path(shutil.copytree(PACKAGE / partner, tmp_path / f"{partner}-new"))
        for name, take, put in edits:
            file = place / name
            text = file.read_text("utf-8")
            assert take in text, f"{name} no longer holds {take!r}"
            file.write_text(text.replace(take, put), "utf-8")
        return place

    return make


def told(old: str | Path, new: str | Path) -> list[tuple[Role | None, str, str, str, str, str]]:
    found = differences(load_partner(old), load_partner(new))
    return [
        (part.role, each.change, each.what, each.key, each.old, each.new) for part in found.parts for each in part.rows
    ]


@pytest.mark.parametrize("partner", ["cafis", "cardnet"])
def test_a_version_does_not_differ_from_itself(partner: str) -> None:
    found = differences(load_partner(partner), load_partner(partner))
    assert found.parts == ()
    assert len(found.unchanged) == len(load_partner(partner).telegrams)


def test_a_field_that_grows_moves_those_behind_it(changed: Changed) -> None:
    new = changed(
        "cafis",
        ("opening_answer.toml", "length = 47", "length = 50"),
        ("opening_answer.toml", 'name = "station_id",  offset = 36,', 'name = "station_id", length = 11, offset = 36,'),
        ("opening_answer.toml", "offset = 44", "offset = 47"),
    )
    assert told("cafis", new) == [
        (Role.OPENING_ANSWER, "変更", "", "電文長", "47", "50"),
        (Role.OPENING_ANSWER, "変更", "station_id", "桁数", "8", "11"),
        (Role.OPENING_ANSWER, "変更", "result_code", "位置", "44", "47"),
    ]


def test_a_field_comes_or_goes_with_its_place(changed: Changed) -> None:
    line = '{ name = "tax_other",       required = false },'
    text = (PACKAGE / "cardnet" / "sale_request.toml").read_text("utf-8")
    assert line in text
    new = changed("cardnet", ("sale_request.toml", line, ""))
    gone = (Role.SALE_REQUEST, "削除", "tax_other", "", "ビット 54、12 桁、amount、bcd", "（なし）")
    assert gone in told("cardnet", new)
    came = (Role.SALE_REQUEST, "追加", "tax_other", "", "（なし）", "ビット 54、12 桁、amount、bcd")
    assert came in told(new, "cardnet")


def test_a_telegram_comes_or_goes_as_a_whole(changed: Changed) -> None:
    new = changed("cafis")
    for role in (Role.ENVELOPE_REQUEST, Role.ENVELOPE_REPORT):
        (new / f"{role.value}.toml").unlink()
    fields = new / "fields.toml"
    blocks = fields.read_text("utf-8").split("[[fields]]")
    fields.write_text("[[fields]]".join(each for each in blocks if '"carried_' not in each), "utf-8")
    assert told("cafis", new) == [
        (Role.ENVELOPE_REQUEST, "削除", "", "", "7110 搬送要求 Envelope, going", "（なし）"),
        (Role.ENVELOPE_REPORT, "削除", "", "", "7120 搬送報告 Envelope, coming", "（なし）"),
    ]


def test_codes_values_and_framing_are_told_one_by_one(changed: Changed) -> None:
    new = changed(
        "cafis",
        ("partner.toml", "max_length = 1024", "max_length = 2048"),
        ("partner.toml", 'code = "C33"', 'code = "C34"'),
        ("fields.toml", '{ value = "0300", japanese = "食料品"', '{ value = "0300", japanese = "食品"'),
    )
    found = told("cafis", new)
    shared = [each[1:4] for each in found if each[0] is None]
    assert shared == [
        ("変更", "", "長さ部"), ("削除", "", "エラーコード C33"), ("追加", "", "エラーコード C34"),
    ]  # fmt: skip
    assert {each[0] for each in found} == {None, Role.SALE_REQUEST, Role.AUTHORISATION_REQUEST, *_TAKING_BACK}
    sale = [each[1:] for each in found if each[0] is Role.SALE_REQUEST]
    assert sale == [("変更", "product_code", "値の一覧 0300", "食料品 food", "食品 food")]


def test_page_and_sheet_tell_each_difference(changed: Changed, tmp_path: Path) -> None:
    new = changed(
        "cafis",
        ("closing_answer.toml", 'japanese = "閉局応答"', 'japanese = "終了応答"'),
    )
    page, sheet = build_differences("cafis", str(new), tmp_path / "out")
    text = page.read_text("utf-8")
    rows = list(load_workbook(sheet)["差分"].iter_rows(min_row=6, values_only=True))
    assert rows == [("9220 終了応答", "変更", "電文", None, "項目名", "閉局応答", "終了応答")]
    assert "閉局応答" in text
    assert "終了応答" in text
    assert "1 件" in text
    before = {file.name: file.read_bytes() for file in (page, sheet)}
    build_differences("cafis", str(new), tmp_path / "out")
    assert {file.name: file.read_bytes() for file in (page, sheet)} == before


def test_two_editions_of_the_same_layouts_are_compared_by_the_days_they_hold_on(tmp_path: Path) -> None:
    place = write_editions(tmp_path)
    page, _ = build_differences(f"{place}@2026-03-31", f"{place}@2026-04-01", tmp_path / "out")
    text = page.read_text("utf-8")
    assert "初版" in text
    assert "2026-04-01 からの版" in text
    assert "取引経路区分" in text
    with pytest.raises(VersionError, match=r"soon is no day: write it as .*@2027-04-01"):
        build_differences("cafis", f"{place}@soon", tmp_path / "out")


def test_layouts_that_cannot_be_used_change_nothing(changed: Changed, tmp_path: Path) -> None:
    new = changed("cafis", ("closing_answer.toml", "length = 47", "length = 48"))
    with pytest.raises(LayoutError, match="the fields take 47 bytes, the length says 48"):
        build_differences("cafis", str(new), tmp_path / "out")
    assert not (tmp_path / "out").exists()
