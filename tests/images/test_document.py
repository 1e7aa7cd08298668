"""A document says what the record says, byte by byte, and hides the cards that are not published for tests."""

from pathlib import Path

import msgspec
import pytest
from edition_rig import SINCE, write_editions
from images_rig import REAL_PAN, TEST_PAN, Recording, carrying, record_of, usual

from images.document import document_of
from images.record import RecordError
from schemas.telegrams import Role, Sensitivity


@pytest.mark.parametrize("partner", ["cafis", "cardnet"])
def test_every_telegram_of_the_record_is_there_with_all_of_its_bytes(partner: str) -> None:
    part = usual(partner).part()
    document = document_of(record_of(part), partner)
    for view in document.flows:
        flow = next(each for each in part.flows if each.name == view.entry.name)
        for image, travelled in zip(view.images, flow.telegrams, strict=True):
            cells = [cell for row in image.telegram.rows for cell in row.cells]
            assert bytes(cell for cell in cells if cell is not None).hex() == travelled.data
            framed = document.spec.framing.wrap(travelled.payload)
            assert image.telegram.framing + travelled.payload == framed
            assert image.after_ms == travelled.at_ms - flow.telegrams[0].at_ms


@pytest.mark.parametrize("partner", ["cafis", "cardnet"])
def test_a_card_that_nobody_has_published_is_masked_everywhere(partner: str) -> None:
    document = document_of(record_of(usual(partner, pan=REAL_PAN).part()), partner)
    sale = document.telegrams[Role.SALE_REQUEST].shown
    assert sale.row("pan").value == "411111******1129"
    for row in sale.rows:
        if row.field is not None and row.field.sensitivity is Sensitivity.SECRET and row.value is not None:
            assert row.value == "***"
            assert set(row.cells[row.field.length_size :]) == {None}


def test_a_published_card_is_shown() -> None:
    sale = document_of(record_of(usual().part()), "cafis").telegrams[Role.SALE_REQUEST].shown
    assert sale.row("pan").value == TEST_PAN
    assert sale.row("security_code").value == "737"
    assert not sale.hidden


def test_what_is_in_an_envelope_is_shown_by_its_own_layouts_and_masked_with_it() -> None:
    for pan, hidden in ((TEST_PAN, False), (REAL_PAN, True)):
        document = document_of(record_of(carrying(pan=pan)), "cafis")
        request, report = (flow.images[0] for flow in document.flows)
        assert request.role is Role.SALE_REQUEST
        assert request.inside is not None
        assert request.inside.partner.name == "cardnet"
        assert request.inside.telegram.row("amount").value == 1_000
        assert request.inside.telegram.hidden is hidden
        assert request.telegram.hidden is hidden
        assert not report.telegram.hidden


def test_a_kind_that_never_travelled_is_shown_by_its_sample_and_counted() -> None:
    document = document_of(record_of(usual().part()), "cafis")
    refund = document.telegrams[Role.REFUND_REQUEST]
    assert not refund.travelled
    assert refund.spec in document.never_travelled
    assert refund.shown.row("amount").value == refund.spec.field("amount").sample
    assert document.telegrams[Role.SALE_REQUEST].travelled
    assert document.counted == (document.counted.fields, document.counted.fields)


def test_flows_stand_in_the_catalogues_order() -> None:
    part = usual().part()
    turned = msgspec.structs.replace(part, flows=part.flows[::-1])
    document = document_of(record_of(turned), "cafis")
    assert [flow.entry.name for flow in document.flows] == ["approved", "silence", "client_gone", "opening"]
    assert [flow.number for flow in document.flows] == [1, 2, 3, 4]


def test_what_the_layouts_cannot_read_is_told_by_its_place_and_without_its_bytes() -> None:
    made = Recording(pan=REAL_PAN)
    made.flow("approved", ("→", Role.SALE_REQUEST, {}))
    flow = made.flows[0]
    for data in (flow.telegrams[0].data.replace("34", "ff", 1)[:-2], "no hex"):
        broken = msgspec.structs.replace(flow.telegrams[0], data=data)
        made.flows[0] = msgspec.structs.replace(flow, telegrams=(broken,))
        with pytest.raises(RecordError, match=r"cafis, flow approved, telegram 1: .*record anew") as caught:
            document_of(record_of(made.part()), "cafis")
        assert "1129" not in str(caught.value)


def test_what_is_not_in_a_record_is_told() -> None:
    record = record_of(usual().part())
    with pytest.raises(RecordError, match="nothing of cardnet was recorded: one of cafis"):
        document_of(record, "cardnet")
    made = usual()
    made.flows[0] = msgspec.structs.replace(made.flows[0], name="unheard_of")
    with pytest.raises(RecordError, match="the flow unheard_of is not known"):
        document_of(record_of(made.part()), "cafis")


def test_telegrams_are_read_by_the_edition_that_held_on_their_day(tmp_path: Path) -> None:
    place = write_editions(tmp_path)
    for day, code, since in (("2026-03-31", "1110", None), ("2026-04-01", "1115", SINCE)):
        made = Recording(layout=place, on=day.replace("-", ""))
        made.flow("approved", ("→", Role.SALE_REQUEST, {"business_date": day.replace("-", "")}))
        record = msgspec.structs.replace(record_of(made.part()), made_at=f"{day}T16:30:00+09:00")
        document = document_of(record, "cafis")
        assert document.spec.since == since
        assert document.telegrams[Role.SALE_REQUEST].shown.row("type_code").value == code


def test_a_record_that_says_no_time_is_refused() -> None:
    record = msgspec.structs.replace(record_of(usual().part()), made_at="yesterday")
    with pytest.raises(RecordError, match="'yesterday', which is no time"):
        document_of(record, "cafis")


@pytest.mark.parametrize(("partner", "code"), [("cafis", "8930"), ("cardnet", "0420")])
def test_a_reviewers_first_questions_lead_to_the_flows_that_answer_them(partner: str, code: str) -> None:
    document = document_of(record_of(usual(partner).part()), partner)
    sale, silence, gone = document.first_looks
    assert (sale[0].entry.name, "1,000 円" in sale[1], "1,000 yen" in sale[2]) == ("approved", True, True)
    assert (silence[0].entry.name, silence[1].endswith(f"{code} 取消確認指令")) == ("silence", True)
    assert gone[0].entry.name == "client_gone"
