"""The pages: all links lead somewhere, all drawings are well-formed, no page needs a network or shows a real card."""

import posixpath
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from images_rig import REAL_PAN, TEST_PAN, carrying, record_of, usual

from images.document import Document, document_of
from images.dump import dump
from images.pages import cover_page, pages_of
from images.tables import colour_of, pieces

SVG = re.compile(r"<svg .*?</svg>", re.DOTALL)


class Page(HTMLParser):
    """The links and anchors of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.sources: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        for name, value in attrs:
            if name == "href" and value is not None:
                self.links.append(value)
            elif name == "id" and value is not None:
                self.anchors.add(value)
            elif name == "src" and value is not None:
                self.sources.append(value)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    record = record_of(usual("cafis").part(), usual("cardnet").part())
    return [document_of(record, name) for name in ("cafis", "cardnet")]


def all_pages(documents: list[Document]) -> dict[str, str]:
    pages = {"index.html": cover_page(documents)}
    for document in documents:
        pages |= {f"{document.spec.name}/{place}": text for place, text in pages_of(document).items()}
    return pages


def test_there_is_a_page_for_each_telegram_and_each_flow(documents: list[Document]) -> None:
    for document in documents:
        wanted = {"index.html", "codes.html"}
        wanted |= {f"telegrams/{role.value}.html" for role in document.spec.telegrams}
        wanted |= {f"flows/{flow.entry.name}.html" for flow in document.flows}
        assert pages_of(document).keys() == wanted


def test_every_link_leads_to_a_page_and_every_anchor_is_there(documents: list[Document]) -> None:
    pages = {place: Page(text) for place, text in all_pages(documents).items()}
    files = {*pages, *(f"{each.spec.name}/{each.spec.name}.xlsx" for each in documents)}
    led_to = set()
    for place, page in pages.items():
        for link in page.links:
            target, _, anchor = link.partition("#")
            found = posixpath.normpath(posixpath.join(posixpath.dirname(place), target)) if target else place
            assert found in files, f"{place}: {link}"
            assert not anchor or anchor in pages[found].anchors, f"{place}: {link}"
            led_to.add(found)
    assert led_to == files, "each page can be reached"


def test_no_page_needs_a_network(documents: list[Document]) -> None:
    for place, text in all_pages(documents).items():
        assert Page(text).sources == [], place
        assert set(re.findall(r"https?://[^\"'\s<]+", text)) <= {"http://www.w3.org/2000/svg"}, place
        assert "url(" not in text, place
        assert "<script" not in text, place


def test_every_flow_has_a_drawing_that_is_well_formed_and_leads_to_its_telegrams(documents: list[Document]) -> None:
    for document in documents:
        pages = pages_of(document)
        for flow in document.flows:
            (svg,) = SVG.findall(pages[f"flows/{flow.entry.name}.html"])
            drawn = ET.fromstring(svg)
            links = [each.get("href") for each in drawn.iter("{http://www.w3.org/2000/svg}a")]
            assert links == [f"#t{image.number}" for image in flow.images]


def test_a_flows_page_has_every_byte_of_its_telegrams_in_order(documents: list[Document]) -> None:
    for document in documents:
        pages = pages_of(document)
        for flow in document.flows:
            text = pages[f"flows/{flow.entry.name}.html"]
            shown = re.findall(r'<td class="c\d[^"]*" title="[^"]*">(..)</td>', text)
            wanted = [cell.hex for image in flow.images for row in dump(image.telegram) for cell in row.cells]
            assert shown == wanted


def test_a_flows_page_lists_every_field_that_its_dump_colours(documents: list[Document]) -> None:
    left_out = 0
    for document in documents:
        pages = pages_of(document)
        for flow in document.flows:
            shown = re.findall(
                r'<td class="n mono">(\d+)</td><td class="c(\d) w">(.+?)</td><td class="mono( absent)?">',
                pages[f"flows/{flow.entry.name}.html"],
            )
            rows = [row for image in flow.images for row in image.telegram.rows]
            assert [(int(at), name) for at, _, name, _ in shown] == [(row.offset, row.japanese) for row in rows]
            assert [int(colour) for _, colour, _, _ in shown] == [colour_of(row.number) for row in rows]
            assert [bool(absent) for _, _, _, absent in shown] == [row.value is None for row in rows]
            left_out += sum(row.value is None for row in rows)
            assert ("（省略）" in pages[f"flows/{flow.entry.name}.html"]) is any(row.value is None for row in rows)
    assert left_out


@pytest.mark.parametrize("pan", [TEST_PAN, REAL_PAN, "4000000000000000006"])
def test_a_card_number_stays_on_its_line(pan: str) -> None:
    document = document_of(record_of(usual(pan=pan).part()), "cafis")
    (row,) = (row for row in document.flow("approved").images[0].telegram.rows if row.name == "pan")
    pages = pages_of(document)
    for place in ("flows/approved.html", "telegrams/sale_request.html"):
        assert f'<span class="whole">{row.value}</span>' in pages[place]
    assert ".whole { white-space: nowrap; }" in pages["telegrams/sale_request.html"]


def test_a_long_value_is_parted_where_a_reader_expects_it() -> None:
    assert pieces("411111******1111") == ["411111******1111"]
    assert pieces("1234567890123456789") == ["1234567890123456789"], "the longest card number"
    assert pieces("pay-20261128-0f3a-shibuya-7") == ["pay-", "20261128-", "0f3a-", "shibuya-", "7"]
    assert pieces("2 3 4 11 12 13 14 32 41 53") == ["2 ", "3 ", "4 ", "11 ", "12 ", "13 ", "14 ", "32 ", "41 ", "53"]
    assert pieces("X" * 37) == ["X" * 16, "X" * 16, "X" * 5]
    assert pieces("カフェ渋谷道玄坂上本店二階") == ["カフェ渋谷道玄坂", "上本店二階"], "a wide one counts two"
    for value in ("", " ", "-" * 60, "a b" * 30, "ｶﾌｪ ｼﾌﾞﾔ" * 5):
        assert "".join(pieces(value)) == value


def test_a_telegrams_page_names_every_field_and_says_what_never_travelled(documents: list[Document]) -> None:
    for document in documents:
        pages = pages_of(document)
        for role, view in document.telegrams.items():
            text = Page(pages[f"telegrams/{role.value}.html"]).text
            for field in view.spec.fields:
                assert field.japanese in text
                assert field.name in text
            assert ("今回の実行では送受していない" in text) is not view.travelled


@pytest.mark.parametrize("partner", ["cafis", "cardnet"])
def test_no_page_holds_the_number_of_a_card_that_nobody_published(partner: str) -> None:
    document = document_of(record_of(usual(partner, pan=REAL_PAN).part()), partner)
    digits = " ".join(f"{ord(digit):02X}" for digit in REAL_PAN)
    packed = " ".join(REAL_PAN[at : at + 2] for at in range(0, len(REAL_PAN), 2))
    for place, text in pages_of(document).items():
        assert REAL_PAN not in text, place
        bytes_shown = " ".join(re.findall(r">([0-9A-F•]{2})<", text)) + re.sub(r"<[^>]*>", "", text)
        assert digits not in bytes_shown, place
        assert packed not in bytes_shown, place
    assert "411111******1129" in pages_of(document)["telegrams/sale_request.html"]


def test_what_an_envelope_carries_is_hidden_with_the_card_in_it() -> None:
    for pan, hidden in ((TEST_PAN, False), (REAL_PAN, True)):
        text = pages_of(document_of(record_of(carrying(pan=pan)), "cafis"))["flows/carried_approved.html"]
        assert (pan not in text) is hidden
        assert "CARDNET" in text


def test_the_same_record_makes_the_same_pages(documents: list[Document]) -> None:
    again = [document_of(each.record, each.spec.name) for each in documents]
    assert all_pages(again) == all_pages(documents)
