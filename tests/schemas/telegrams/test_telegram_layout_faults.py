"""Layouts that cannot be used: every fault is told, with its file, field and remedy, all at once."""

import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
from wakaba_rig import write_wakaba

import schemas.telegrams
from schemas.telegrams import LayoutError, Role, load_partner, packaged

PACKAGE = Path(schemas.telegrams.__file__).parent
CASES: list[dict[str, Any]] = [
    case
    for file in ("layout_faults.toml", "law_faults.toml")
    for case in tomllib.loads(Path(__file__).with_name(file).read_text("utf-8"))["case"]
]


def copy_of(partner: str, where: Path) -> Path:
    if partner == "wakaba":
        return write_wakaba(where)
    return Path(shutil.copytree(PACKAGE / partner, where / partner))


def apply(edit: dict[str, str], place: Path) -> None:
    path = place / edit["file"]
    if "take" in edit:
        text = path.read_text("utf-8")
        assert edit["take"] in text, f"{edit['file']} no longer holds {edit['take']!r}"
        path.write_text(text.replace(edit["take"], edit.get("put", "")), "utf-8")
    elif "put" in edit:
        path.write_text(edit["put"], "utf-8")
    else:
        path.unlink()


@pytest.mark.parametrize("case", CASES, ids=[case["title"] for case in CASES])
def test_every_fault_is_told(case: dict[str, Any], tmp_path: Path) -> None:
    place = copy_of(case["partner"], tmp_path)
    for edit in case["edit"]:
        apply(edit, place)
    with pytest.raises(LayoutError) as refused:
        load_partner(place)
    assert [str(fault) for fault in refused.value.faults] == case["told"].splitlines()


@pytest.mark.parametrize("name", ["fields", "header", "partner", "sale_request"])
@pytest.mark.parametrize("partner", ["cafis", "cardnet"])
def test_a_file_that_cannot_be_read_is_told_of_once(tmp_path: Path, partner: str, name: str) -> None:
    file = copy_of(partner, tmp_path) / f"{name}.toml"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    with pytest.raises(LayoutError) as refused:
        load_partner(file.parent)
    assert str(refused.value) == (
        f"layouts of {partner}: 1 fault\n  {partner}/{name}.toml: begins with a byte order mark (BOM); save the file "
        "as UTF-8 without a byte order mark"
    )


def test_the_error_lists_all_faults_under_the_partner(tmp_path: Path) -> None:
    place = copy_of("cafis", tmp_path)
    (place / "sale_request.toml").unlink()
    (place / "sale_report.toml").write_bytes(b'japanese = "\x94\x84"')
    with pytest.raises(LayoutError) as refused:
        load_partner(place)
    assert str(refused.value) == (
        "layouts of cafis: 2 faults\n"
        "  cafis/sale_report.toml: line 1: byte 12 is not UTF-8, but Shift_JIS as it seems; save the file as UTF-8 "
        "without a byte order mark\n"
        "  cafis/sale_request.toml: the file is missing; every partner needs it"
    )


def test_a_dictionary_that_is_no_list_of_fields(tmp_path: Path) -> None:
    place = copy_of("cafis", tmp_path)
    (place / "fields.toml").write_text("fields = 1\n", "utf-8")
    with pytest.raises(LayoutError) as refused:
        load_partner(place)
    first, *others = map(str, refused.value.faults)
    assert first == "cafis/fields.toml: fields is not a list; use [[fields]]"
    assert {each.partition(": the field ")[2] for each in others} == {
        "is not defined in fields.toml; define it there, or give all its keys here"
    }


def test_a_partner_that_does_not_come_with_the_package() -> None:
    with pytest.raises(LayoutError) as refused:
        load_partner("visa")
    assert str(refused.value) == (
        "layouts of visa: 1 fault\n  visa: no partner of this name comes with the package; "
        "use one of: cafis, cardnet; or give the path of a directory"
    )


def test_a_path_that_is_no_directory(tmp_path: Path) -> None:
    with pytest.raises(LayoutError, match=r"is not a directory; give the directory that holds partner\.toml"):
        load_partner(tmp_path / "none")


@pytest.mark.parametrize("name", packaged())
def test_layouts_outside_the_package_are_as_good(name: str, tmp_path: Path) -> None:
    packaged_one, own = load_partner(name), load_partner(copy_of(name, tmp_path))
    values = own.telegrams[Role.SALE_REQUEST].sample()
    assert own.encode(Role.SALE_REQUEST, values) == packaged_one.encode(Role.SALE_REQUEST, values)


def test_a_text_is_a_packaged_partner_or_else_the_path_of_a_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = copy_of("cafis", tmp_path)
    apply({"file": "partner.toml", "take": 'english = "CAFIS', "put": 'english = "Not CAFIS'}, place)
    monkeypatch.chdir(tmp_path)
    assert load_partner(str(place)).english.startswith("Not CAFIS")
    assert load_partner("cafis").english.startswith("CAFIS"), "whatever lies in the working directory"
    place.rename(tmp_path / "third")
    assert load_partner("third").english.startswith("Not CAFIS")


def test_a_further_partner_is_a_further_directory(tmp_path: Path) -> None:
    place = copy_of("cafis", tmp_path).rename(tmp_path / "third")
    apply({"file": "partner.toml", "take": 'name = "cafis"', "put": 'name = "third"'}, place)
    apply({"file": "sale_request.toml", "take": 'type_code = "1110"', "put": 'type_code = "7777"'}, place)
    apply({"file": "fields.toml", "take": 'encoding = "ascii"', "put": 'encoding = "ebcdic"'}, place)
    third = load_partner(place)
    values = third.telegrams[Role.SALE_REQUEST].sample()
    data = third.encode(Role.SALE_REQUEST, values)
    assert data[:4].decode("cp037") == "7777"
    assert third.decode(data).values == values
    assert third.decode(data[:121] + b"\x40" * 7 + data[128:]).values == {
        name: value for name, value in values.items() if name != "tax_other"
    }


def test_every_layout_that_comes_with_the_package_is_marked_as_an_assumption() -> None:
    for name in packaged():
        partner = load_partner(name)
        assert "confidential" in partner.note
        assert "assumption" in partner.note
        for telegram in partner.telegrams.values():
            assert all(field.assumption for field in telegram.fields)
