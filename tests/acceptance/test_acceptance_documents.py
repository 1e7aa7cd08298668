"""The evidence for people: reopened, it says what was observed; nothing that must be hidden is anywhere in it."""

import re
import zipfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import openpyxl
import pytest
from acceptance_rig import PARTNERS, case_of, catalogue_of, observed, partner_named
from openpyxl.workbook import Workbook

from acceptance.cards import CARDS
from acceptance.documents import write_documents, write_short
from acceptance.judging import judge
from acceptance.record import Attempt, CaseRecord, Evidence, Session, Verdict, load, save
from images.annotated import hex_of
from schemas.telegrams import Role

_BEGAN_MS = 1_795_000_000_000
FRONT = {"cafis": "CAF", "cardnet": "CDN"}


def evidence_of(name: str) -> Evidence:
    """A run in which case 306 passed, 307 failed, and nothing else was played; it was interrupted once."""
    partner, catalogue = partner_named(name), catalogue_of(name)
    records = {case.id: CaseRecord(id=case.id) for case in catalogue.cases}
    for number in ("306", "307"):
        case = case_of(f"{FRONT[name]}-D-{number}")
        seen = observed(partner, case)
        records[case.id] = CaseRecord(
            id=case.id, observation=seen, judgement=judge(case, seen, partner), by="試験 太郎",
            earlier=(Attempt(started_ms=_BEGAN_MS - 60_000, verdict=Verdict.FAILED, by="試験 次郎"),),
        )  # fmt: skip
    sessions = (
        Session(by="試験 次郎", started_ms=_BEGAN_MS - 90_000, ended_ms=None, version="0.1.0 (a)", facts={}),
        Session(
            by="試験 太郎", started_ms=_BEGAN_MS, ended_ms=_BEGAN_MS + 9_000, version="0.1.0 (b)", facts={"回線": "<b>"}
        ),
    )
    return Evidence(
        partner=name, environment="dev", catalogue=catalogue.digest, where_ja="試験環境", where_en="a test",
        sessions=sessions, records=records,
    )  # fmt: skip


@pytest.fixture(scope="module", params=PARTNERS)
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp("evidence")
    evidence = evidence_of(request.param)
    save(evidence, folder)
    write_documents(evidence, catalogue_of(request.param), partner_named(request.param), folder)
    return request.param, folder


@pytest.fixture(scope="module")
def book(written: tuple[str, Path]) -> Workbook:
    return openpyxl.load_workbook(written[1] / "evidence.xlsx")


def test_a_remark_with_an_arrow_key_in_older_evidence_stands_in_the_documents_without_it(tmp_path: Path) -> None:
    evidence = evidence_of("cafis")
    id_, record = next((id_, each) for id_, each in evidence.records.items() if each.observation)
    assert record.observation is not None
    first, *rest = record.observation.steps
    steps = (msgspec.structs.replace(first, remark="表示なし\x1b[D\0", by="試験\x0b太郎"), *rest)
    observation = msgspec.structs.replace(record.observation, steps=steps)
    records = {**evidence.records, id_: msgspec.structs.replace(record, observation=observation)}
    save(msgspec.structs.replace(evidence, records=records), tmp_path)
    write_documents(load(tmp_path), catalogue_of("cafis"), partner_named("cafis"), tmp_path)
    assert "表示なし␀" in flat(openpyxl.load_workbook(tmp_path / "evidence.xlsx"), id_)
    page = (tmp_path / "cases" / f"{id_}.html").read_text("utf-8")
    assert "表示なし␀" in page
    assert "試験␋太郎" in page
    assert not set(page) & set("\0\x0b\x1b")


def texts(book: Workbook, sheet: str) -> list[list[Any]]:
    return [[cell for cell in row if cell not in (None, "")] for row in book[sheet].iter_rows(values_only=True)]


def flat(book: Workbook, sheet: str) -> str:
    return "\n".join(str(cell) for row in texts(book, sheet) for cell in row)


# --- the workbook


def test_it_opens_with_a_cover_the_results_and_the_coverage_then_a_sheet_per_case(
    written: tuple[str, Path], book: Workbook
) -> None:
    cases = [case.id for case in catalogue_of(written[0]).cases]
    assert book.sheetnames == ["表紙", "結果一覧", "網羅表", *cases]


def test_the_cover_says_who_when_with_what_and_how_it_ended(written: tuple[str, Path], book: Workbook) -> None:
    cover = flat(book, "表紙")
    for text in (
        "不合格",
        "作成",
        "確認",
        "承認",
        "試験 太郎",
        "（中断）",
        "0.1.0 (b)",
        "仮定",
        catalogue_of(written[0]).digest,
    ):
        assert text in cover, text
    assert f"{FRONT[written[0]]}-D-307 不合格" in cover
    (counts,) = [row for row in texts(book, "表紙") if row and row[0] == len(catalogue_of(written[0]).cases)]
    assert counts[1:4] == [1, 1, len(catalogue_of(written[0]).cases) - 2]


def test_the_list_has_every_case_with_its_verdict_and_a_link(written: tuple[str, Path], book: Workbook) -> None:
    sheet = book["結果一覧"]
    found = {}
    for row in sheet.iter_rows(min_row=3):
        if row[0].value and str(row[0].value).startswith(FRONT[written[0]]):
            found[row[0].value] = (row[6].value, row[0].hyperlink.location or row[0].hyperlink.target)
    assert found.keys() == {case.id for case in catalogue_of(written[0]).cases}
    assert {verdict for verdict, _ in found.values()} == {"合格", "不合格", "未実施"}
    assert all(link.lstrip("#") == f"'{case}'!A1" for case, (_, link) in found.items())
    assert sheet.print_title_rows == "$2:$2"
    assert sheet.page_setup.orientation == "landscape"


def test_a_cases_sheet_shows_expected_beside_actual_and_the_bytes_of_the_codec(
    written: tuple[str, Path], book: Workbook
) -> None:
    name, _ = written
    case_id = f"{FRONT[name]}-D-306"
    shown = flat(book, case_id)
    partner, case = partner_named(name), case_of(case_id)
    for telegram in observed(partner, case).telegrams or ():
        layout = partner.telegrams[telegram.role]
        assert shown.count(f"{telegram.way} {layout.type_code} {layout.japanese}") >= 2, "expected, and actual"
        for field in telegram.fields:
            assert field.hex in shown
            assert field.value in shown
    assert "試験者印" in shown
    assert "以前の実施" in shown


def test_a_difference_stands_out(written: tuple[str, Path], book: Workbook) -> None:
    sheet = book[f"{FRONT[written[0]]}-D-307"]
    marked = [row for row in sheet.iter_rows() if row[0].fill.fgColor.rgb == "00FBDAD7"]
    assert any("（電文なし）" in [cell.value for cell in row] for row in marked)


def test_a_text_that_begins_like_a_formula_is_none(written: tuple[str, Path], book: Workbook) -> None:
    assert written
    assert [
        cell.coordinate for sheet in book for row in sheet.iter_rows() for cell in row if cell.data_type == "f"
    ] == []


# --- the short edition for print


@pytest.fixture(scope="module")
def short(written: tuple[str, Path]) -> Workbook:
    return openpyxl.load_workbook(written[1] / "print.xlsx")


def test_the_short_edition_has_a_cover_and_a_row_for_each_case(written: tuple[str, Path], short: Workbook) -> None:
    cases = catalogue_of(written[0]).cases
    chapters = list(dict.fromkeys(case.chapter_ja for case in cases))
    assert len(short.sheetnames) == 1 + len(chapters)
    rows = {row[0]: row for sheet in short.worksheets[1:] for row in sheet.iter_rows(values_only=True)}
    page = (written[1] / "print.html").read_text("utf-8")
    for case in cases:
        assert case.ja in str(rows[case.id][1])
        assert page.count(f">{case.id}</a>") == 1 + (case.id == f"{FRONT[written[0]]}-D-307"), (
            "on the cover, of those that have not passed, stand those that were played"
        )
    front, code = FRONT[written[0]], partner_named(written[0]).type_code
    _, _, telegrams, told, compared, when, by, verdict, seal = rows[f"{front}-D-306"]
    again = code(Role.FAULT_CONFIRM_AGAIN)
    assert (
        telegrams
        == f"→{code(Role.SALE_REQUEST)}  →{code(Role.FAULT_CONFIRM)}  →{again}  ←{code(Role.FAULT_CONFIRM_REPORT)}"
    )
    assert told == "a 取消処理中 ⇒ 取消済み"
    assert re.fullmatch(r"○\d+", str(compared))
    assert (by, verdict, seal) == ("試験 太郎", "○ 合格", None)
    assert str(when).count("\n") == 1
    failed = rows[f"{front}-D-307"]
    assert f"×→{again}なし" in str(failed[2])
    assert "期待" in str(failed[1])
    assert failed[7] == "× 不合格"
    assert "印刷用短縮版" in flat(short, "表紙")


def test_a_chapter_of_the_short_edition_is_two_printed_pages_at_most(short: Workbook) -> None:
    across, down = 11.69 * 72 - 2 * 0.4 * 72, 8.27 * 72 - 2 * 0.4 * 72  # points of A4 within its margins
    for sheet in short.worksheets[1:]:
        width = sum(5.25 * each.width + 3.75 for each in sheet.column_dimensions.values())
        height = sum(each.height or 15.0 for each in sheet.row_dimensions.values())
        assert height * min(1.0, across / width) <= 2 * down, sheet.title
        assert sheet.page_setup.orientation == "landscape"
        assert sheet.print_title_rows == "$3:$3"


def test_it_can_be_written_again_alone(tmp_path: Path) -> None:
    files = write_short(evidence_of("cafis"), catalogue_of("cafis"), partner_named("cafis"), tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["print.html", "print.xlsx"]
    assert sorted(files) == sorted(tmp_path.iterdir())


def test_the_tester_stands_on_every_cover_and_in_each_case(
    written: tuple[str, Path], book: Workbook, short: Workbook
) -> None:
    for cover in (book["表紙"], short["表紙"]):
        ((_, said),) = [row[:2] for row in cover.iter_rows(values_only=True) if row[0] == "試験者 tester"]
        assert said == "試験 次郎、試験 太郎"
    for page in ("index.html", "print.html"):
        assert "<td>試験 次郎、試験 太郎</td>" in (written[1] / page).read_text("utf-8")
    case_id = f"{FRONT[written[0]]}-D-306"
    assert "試験者 試験 太郎" in flat(book, case_id)
    assert "試験者 試験 太郎" in (written[1] / "cases" / f"{case_id}.html").read_text("utf-8")


def test_control_characters_that_were_kept_do_not_keep_the_workbook_from_being_written(tmp_path: Path) -> None:
    evidence = evidence_of("cafis")
    record = evidence.records["CAF-D-306"]
    assert record.observation is not None
    steps = [msgspec.structs.replace(each, remark="画面\x1b[D\x00") for each in record.observation.steps]
    seen = msgspec.structs.replace(record.observation, steps=tuple(steps))
    records = {**evidence.records, record.id: msgspec.structs.replace(record, observation=seen)}
    folder = tmp_path
    write_documents(
        msgspec.structs.replace(evidence, records=records), catalogue_of("cafis"), partner_named("cafis"), folder
    )
    assert "画面␀" in flat(openpyxl.load_workbook(folder / "evidence.xlsx"), "CAF-D-306")


# --- the pages


class Links(HTMLParser):
    """Where a page leads, and what it has under a name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.to: list[str] = []
        self.ids: set[str] = set()
        self.foreign: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if tag == "a" and name == "href" and value:
                self.to.append(value)
            elif name == "id" and value:
                self.ids.add(value)
            elif name in ("src", "href", "action"):
                self.foreign.append(f"{tag} {name}={value}")


def pages(folder: Path) -> Iterator[Path]:
    yield folder / "index.html"
    yield folder / "print.html"
    yield from sorted((folder / "cases").glob("*.html"))


def test_every_link_leads_somewhere_and_nothing_is_fetched(written: tuple[str, Path]) -> None:
    for page in pages(written[1]):
        links = Links(page.read_text("utf-8"))
        assert links.foreign == []
        for link in links.to:
            file, _, anchor = link.partition("#")
            assert (page.parent / file).is_file() if file else anchor in links.ids, f"{page.name}: {link}"


def test_the_index_shows_verdicts_failures_with_their_reasons_and_the_coverage(written: tuple[str, Path]) -> None:
    index = (written[1] / "index.html").read_text("utf-8")
    front = FRONT[written[0]]
    assert re.search(rf"{front}-D-307</a>.*?不合格.*?電文", index, re.DOTALL)
    assert "まだ実施していない" in index
    assert "網羅表" in index
    assert "&lt;b&gt;" in index, "what comes from outside is text"


def test_a_cases_page_shows_steps_sequence_fields_and_dump(written: tuple[str, Path]) -> None:
    case_id = f"{FRONT[written[0]]}-D-306"
    page = (written[1] / "cases" / f"{case_id}.html").read_text("utf-8")
    for text in (
        "手順",
        "電文シーケンス",
        "経路＝1 と同じ（経路保留）",
        "取消済み cancelled",
        "○",
        "offset     0  1  2",
        "411111******1111",
    ):
        assert text in page, text
    assert page.count('<div class="telegram">') == 4


# --- what must be hidden


def test_no_card_data_is_in_any_file(written: tuple[str, Path]) -> None:
    _, folder = written
    card = CARDS["visa"]
    packed, ebcdic = bytes.fromhex(card.number), card.number.encode("cp500")
    hidden = [card.number, card.number.encode().hex(), *map(hex_of, (card.number.encode(), ebcdic, packed))]
    files = {page.name: page.read_text("utf-8") for page in pages(folder)}
    files["evidence.json"] = (folder / "evidence.json").read_text("utf-8")
    with zipfile.ZipFile(folder / "evidence.xlsx") as packed:
        files |= {name: packed.read(name).decode("utf-8", "replace") for name in packed.namelist()}
    assert len(files) > 100
    found = [(name, text) for name, content in files.items() for text in hidden if text in content]
    assert found == []
    assert any("411111******1111" in content for content in files.values()), "there was something to hide"


# --- kept for machines


def test_the_evidence_is_read_back_as_it_was_and_can_be_judged_again(written: tuple[str, Path]) -> None:
    name, folder = written
    evidence = load(folder)
    assert evidence == evidence_of(name)
    for number, verdict in (("306", Verdict.PASSED), ("307", Verdict.FAILED)):
        case = case_of(f"{FRONT[name]}-D-{number}")
        seen = evidence.records[case.id].observation
        assert seen is not None
        again = judge(case, seen, partner_named(name))
        assert again == evidence.records[case.id].judgement
        assert again.verdict is verdict


def test_a_run_that_has_passed_says_so(tmp_path: Path) -> None:
    evidence = evidence_of("cafis")
    kept = evidence.records["CAF-D-306"]
    catalogue = catalogue_of("cafis")._replace(cases=(case_of("CAF-D-306"),))
    write_documents(
        msgspec.structs.replace(evidence, records={"CAF-D-306": kept}), catalogue, partner_named("cafis"), tmp_path
    )  # fmt: skip
    index = (tmp_path / "index.html").read_text("utf-8")
    assert '<span class="verdict passed">合格</span>' in index
    assert "合格でないケース" not in index


def test_the_style_of_a_page_is_taken_as_it_stands(written: tuple[str, Path]) -> None:
    for page in pages(written[1]):
        (style,) = re.findall(r"<style>(.*?)</style>", page.read_text("utf-8"), re.DOTALL)
        assert "tr.different > td" in style
        assert "&" not in style
