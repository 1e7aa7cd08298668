"""Editions of a partner's layouts: which holds when, what is told of those that do not fit, and of what changed."""

import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest
from edition_rig import BEFORE, FOLDER, SINCE, write_editions
from hypothesis import given, settings
from hypothesis import strategies as st
from telegram_strategies import values_for
from typer.testing import CliRunner

from schemas.telegrams import (
    ENVELOPES,
    DecodeError,
    Difference,
    Kind,
    LayoutError,
    Message,
    PartnerSpec,
    Role,
    differences,
    load_partner,
    packaged,
)
from schemas.telegrams.__main__ import app

EDITION = f"versions/{FOLDER}"


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> PartnerSpec:
    return load_partner(write_editions(tmp_path_factory.mktemp("editions")), BEFORE)


# --- which holds when -----------------------------------------------------------------------------------------------


def test_an_edition_holds_from_its_date_until_the_next(tmp_path: Path) -> None:
    place = write_editions(tmp_path)
    shutil.copytree(place / EDITION, place / "versions" / "2027-01-01")
    held = {
        date: load_partner(place, date).since
        for date in ("00010101", BEFORE, SINCE, "20261231", "20270101", "99991231")
    }
    assert held == {
        "00010101": None, BEFORE: None, SINCE: SINCE, "20261231": SINCE, "20270101": "20270101", "99991231": "20270101",
    }  # fmt: skip
    partner = load_partner(place)
    assert [edition.since for edition in partner.editions] == [None, SINCE, "20270101"]
    assert all(edition.on(date).since == since for edition in partner.editions for date, since in held.items())


@pytest.mark.parametrize("date", ["2026-04-01", "20260230", "260401", ""])
def test_a_date_that_is_none_chooses_no_edition(date: str) -> None:
    with pytest.raises(ValueError, match="is no business date: write it YYYYMMDD"):
        load_partner("cafis", date)


def test_what_does_not_change_is_that_of_the_edition_before(old: PartnerSpec) -> None:
    new = old.on(SINCE)
    changed = {Role.SALE_REQUEST, Role.SALE_REPORT, Role.FAULT_CONFIRM}
    for role, telegram in new.telegrams.items():
        assert (telegram.fields == old.telegrams[role].fields) == (role not in changed)
    assert new.telegrams[Role.SALE_REQUEST].field("channel").offset == 193
    assert repr(new) == "PartnerSpec(cafis, from 20260401)"


def test_a_sample_is_of_a_day_of_its_edition(old: PartnerSpec) -> None:
    for edition in old.editions:
        for role, telegram in edition.telegrams.items():
            assert old.read(edition.encode(role, telegram.sample())) == Message(role, telegram.sample())


@pytest.mark.parametrize("name", packaged())
def test_a_partner_without_versions_has_one_edition(name: str) -> None:
    partner = load_partner(name, "19000101")
    assert list(partner.editions) == [partner]
    assert partner.on("99991231") is partner
    assert partner.since is None


@pytest.mark.parametrize("role", [Role.SALE_REQUEST, Role.SALE_REPORT, Role.FAULT_CONFIRM, Role.FAULT_CONFIRM_REPORT])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_each_telegram_is_read_by_the_edition_of_the_date_it_carries(
    old: PartnerSpec, role: Role, data: st.DataObject
) -> None:
    edition = data.draw(st.sampled_from(list(old.editions)))
    values = data.draw(values_for(old, role)) | {"business_date": data.draw(st.sampled_from([BEFORE, SINCE]))}
    written = edition.encode(role, values)
    if old.dated(values) is edition:
        assert all(each.read(written) == Message(role, values) for each in old.editions)
        return
    try:
        message = old.read(written)
    except DecodeError:
        return
    other = old.dated(message.values)
    assert other.encode(message.role, message.values) == written, "the other edition can write the same bytes"


# --- what is told of those that do not fit ----------------------------------------------------------------------------

CASES: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("edition_faults.toml").read_text("utf-8"))["case"]


@pytest.mark.parametrize("case", CASES, ids=[case["title"] for case in CASES])
def test_every_fault_of_an_edition_is_told(case: dict[str, Any], tmp_path: Path) -> None:
    place = write_editions(tmp_path)
    for edit in case["edit"]:
        path = place / EDITION / edit["file"]
        if not path.exists():
            shutil.copy(place / edit["file"], path)
        text = path.read_text("utf-8")
        assert edit["take"] in text, f"{edit['file']} does not hold {edit['take']!r}"
        path.write_text(text.replace(edit["take"], edit["put"]), "utf-8")
    with pytest.raises(LayoutError) as refused:
        load_partner(place)
    assert [str(fault) for fault in refused.value.faults] == case["told"].splitlines()


def test_a_fault_of_the_first_edition_is_told_once(tmp_path: Path) -> None:
    place = write_editions(tmp_path)
    path = place / "cancel_report.toml"
    path.write_text(path.read_text("utf-8").replace("length = 102", "length = 103"), "utf-8")
    with pytest.raises(LayoutError) as refused:
        load_partner(place)
    (fault,) = refused.value.faults
    assert (fault.file, fault.field) == ("cafis/cancel_report.toml", "length")


def test_an_edition_without_a_date_in_its_telegrams_cannot_be_told(tmp_path: Path) -> None:
    place = write_editions(tmp_path)
    header = place / "header.toml"
    text = header.read_text("utf-8")
    always = 'name = "business_date",  offset = 10, required = '
    assert f"{always}true" in text
    header.write_text(text.replace(f"{always}true", f"{always}false"), "utf-8")
    with pytest.raises(LayoutError) as refused:
        load_partner(place)
    problem = "business_date: a telegram of which there are several editions must carry this field"
    assert f"cafis/sale_report.toml: {problem}; add it, with `required = true`: an edition is told by it" in [
        str(fault) for fault in refused.value.faults
    ]
    shutil.rmtree(place / "versions")
    load_partner(place)


def test_an_edition_that_begins_to_carry_others_telegrams(tmp_path: Path) -> None:
    place = write_editions(tmp_path)
    for role in ENVELOPES:
        shutil.move(place / f"{role.value}.toml", place / EDITION)
    text = (place / "fields.toml").read_text("utf-8")
    at = text.index('[[fields]]\nname = "carried_code"')
    (place / "fields.toml").write_text(text[:at], "utf-8")
    own = place / EDITION / "fields.toml"
    own.write_text(own.read_text("utf-8") + "\n" + text[at:], "utf-8")
    with pytest.raises(LayoutError) as refused:
        load_partner(place)
    remedy = "begin or end to carry others' telegrams with a restart, not with an edition"
    assert [str(fault) for fault in refused.value.faults] == [
        f"cafis/{EDITION}/partner.toml: the edition before has other envelopes; {remedy}"
    ]


@pytest.mark.parametrize("name", ["2026-4-1", "2026-02-30", "next", "20260401"])
def test_a_folder_that_is_no_date(name: str, tmp_path: Path) -> None:
    place = write_editions(tmp_path)
    (place / EDITION).rename(place / "versions" / name)
    with pytest.raises(LayoutError) as refused:
        load_partner(place)
    remedy = "name the folder of an edition after the business date it holds from, as in 2027-04-01"
    told = f"cafis/versions/{name}: is not the folder of an edition; {remedy}"
    assert [str(fault) for fault in refused.value.faults] == [told]


@pytest.mark.parametrize("name", ["version", "verions", "Versions"])
def test_a_misspelled_folder_of_editions_is_told_instead_of_passed_over(name: str, tmp_path: Path) -> None:
    place = write_editions(tmp_path)
    (place / "versions").rename(place / name)
    with pytest.raises(LayoutError) as refused:
        load_partner(place)
    told = f"cafis/{name}: is not the folder of the editions; did you mean versions? Rename it"
    assert [str(fault) for fault in refused.value.faults] == [told]


def test_an_edition_that_changes_nothing(tmp_path: Path) -> None:
    place = write_editions(tmp_path)
    (place / "versions" / "2027-01-01").mkdir()
    with pytest.raises(LayoutError) as refused:
        load_partner(place)
    remedy = "add the files that change, or take its folder away"
    assert [str(fault) for fault in refused.value.faults] == [
        f"cafis/versions/2027-01-01: the edition changes nothing; {remedy}"
    ]


# --- what one changed of another --------------------------------------------------------------------------------------


def test_the_differences_field_by_field(old: PartnerSpec) -> None:
    found = differences(old, old.on(SINCE))
    assert [each for each in found if each.role is Role.SALE_REQUEST] == [
        Difference(Kind.CHANGED, Role.SALE_REQUEST, None, "type_code", "1110", "1115"),
        Difference(Kind.CHANGED, Role.SALE_REQUEST, None, "size", "193", "195"),
        Difference(Kind.CHANGED, Role.SALE_REQUEST, "type_code", "const", "1110", "1115"),
        Difference(Kind.ADDED, Role.SALE_REQUEST, "channel", None, "", "取引経路区分, offset 193, digits 2, ascii"),
    ]
    assert Difference(Kind.CHANGED, Role.FAULT_CONFIRM, "original_trace_number", "offset", "53", "49") in found
    assert {each.role for each in found} == {Role.SALE_REQUEST, Role.SALE_REPORT, Role.FAULT_CONFIRM}


def test_the_differences_the_other_way_round_are_the_same_turned_round(old: PartnerSpec) -> None:
    turned = {Kind.ADDED: Kind.REMOVED, Kind.REMOVED: Kind.ADDED, Kind.CHANGED: Kind.CHANGED}
    there, back = differences(old, old.on(SINCE)), differences(old.on(SINCE), old)
    assert {each._replace(kind=turned[each.kind], before=each.after, after=each.before) for each in there} == set(back)
    assert differences(old, old) == ()


def test_the_differences_of_two_partners_name_their_codes_and_envelopes() -> None:
    found = differences(load_partner("cafis"), load_partner("cardnet"))
    told = {(each.kind, each.role, each.key) for each in found if each.field is None}
    assert (Kind.REMOVED, Role.ENVELOPE_REQUEST, None) in told
    assert (Kind.REMOVED, None, "result_codes D01") in told
    assert (Kind.ADDED, None, "error_codes E13") in told
    assert (Kind.CHANGED, None, "framing") in told


# --- command line -----------------------------------------------------------------------------------------------------


def test_the_command_line_knows_editions(tmp_path: Path) -> None:
    place = str(write_editions(tmp_path))
    checked = CliRunner().invoke(app, ["check", place])
    assert "cafis 1110 売上要求 sale_request: ok\n" in checked.output
    assert f"cafis {FOLDER}〜 1115 売上要求 sale_request: ok\n" in checked.output
    for date, code in (("2026-03-31", "1110"), (FOLDER, "1115")):
        assert f" {code} 売上要求" in CliRunner().invoke(app, ["show", place, "sale_request", "--on", date]).output
    told = CliRunner().invoke(app, ["differences", place, "2026-03-31", FOLDER])
    assert "取引経路区分" in told.output
    same = CliRunner().invoke(app, ["differences", place, "2026-01-01", "2026-03-31"])
    assert same.output == "差分なし no difference\n"
    wrong = CliRunner().invoke(app, ["show", place, "sale_request", "--on", "April"])
    assert wrong.exit_code == 2
