"""The steps of a flow: what the client asks and hears, why a telegram follows, while the route is held."""

import pytest
from images_rig import Recording, asked, record_of, usual

from images.document import document_of
from images.drawing import CLIENT_X, drawing_of
from images.sequence import Kind, steps_of
from schemas.telegrams import Role


def told(made: Recording, name: str) -> list[str]:
    """Each step in a line; ``|`` in front while the route is held."""
    document = document_of(record_of(made.part()), made.spec.name)
    lines = []
    for step in steps_of(document, document.flow(name)):
        way = step.image.travelled.way if step.image is not None else step.kind.value
        lines.append(f"{'|' if step.holds else ' '} {way} {step.english}")
    return lines


@pytest.mark.parametrize("partner", ["cafis", "cardnet"])
def test_a_sale_is_asked_sent_reported_and_heard(partner: str) -> None:
    assert told(usual(partner), "approved") == [
        "  client_asks Sale request, 1,000 yen",
        "  → Sale request",
        "  ← Sale report",
        "  client_hears approved",
    ]


@pytest.mark.parametrize("partner", ["cafis", "cardnet"])
def test_silence_holds_the_route_until_the_cancel_is_reported(partner: str) -> None:
    assert told(usual(partner), "silence") == [
        "  client_asks Sale request, 1,000 yen",
        "  → Sale request",
        "| note no report within 800 ms: route held",
        "| client_hears being cancelled",
        "| → Cancel-confirm command",
        "  ← Cancel-confirm report",
        "  client_hears on inquiry: cancelled",
    ]


def test_a_report_that_cannot_be_returned_is_followed_by_8910() -> None:
    assert told(usual(), "client_gone")[2:] == [
        "  ← Sale report",
        "  client_lost the client is gone",
        "| note the report could not be returned: route held",
        "| → Cancel command",
        "  ← Cancel report of a fault",
        "  client_hears on inquiry: cancelled",
    ]


def test_trouble_and_silence_are_followed_by_re_commands_and_a_person() -> None:
    made = Recording()
    trouble = {"result_code": "X01", "error_code": "C13"}
    made.flow(
        "c50",
        ("→", Role.SALE_REQUEST, {}), ("→", Role.FAULT_CONFIRM, {}), ("←", Role.FAULT_CONFIRM_REPORT, trouble),
        ("→", Role.FAULT_CONFIRM_AGAIN, {}), ("→", Role.FAULT_CONFIRM_AGAIN, {}),
        asks=[asked("being_cancelled", "attention")],
    )  # fmt: skip
    assert told(made, "c50")[4:] == [
        "| → Cancel-confirm command",
        "| ← Cancel-confirm report",
        "| note C13: commanded again after a pause",
        "| → Cancel-confirm re-command",
        "| note no answer within 700 ms: commanded again",
        "| → Cancel-confirm re-command",
        "| note no answer within 700 ms, the limit is reached",
        "  note on the attention list, for a person: route released",
        "  client_hears on inquiry: handed to a person",
    ]


def test_an_error_report_ends_a_request_but_not_a_command() -> None:
    made = Recording()
    made.flow(
        "in_error", ("→", Role.SALE_REQUEST, {}), ("←", Role.ERROR_REPORT, {}), asks=[asked("in_error", "in_error")]
    )  # fmt: skip
    made.flow(
        "command_in_error",
        ("→", Role.SALE_REQUEST, {}), ("→", Role.FAULT_CONFIRM, {}), ("←", Role.ERROR_REPORT, {}),
        asks=[asked("being_cancelled", "attention")],
    )  # fmt: skip
    assert told(made, "in_error")[2:] == ["  ← Error report", "  client_hears in error"]
    assert told(made, "command_in_error")[5:7] == [
        "| ← Error report",
        "  note on the attention list, for a person: route released",
    ]


def test_a_second_report_changes_nothing() -> None:
    made = Recording()
    report = ("←", Role.SALE_REPORT, {})
    made.flow("answered_twice", ("→", Role.SALE_REQUEST, {}), report, report, asks=[asked("approved", "approved")])
    assert told(made, "answered_twice")[4:] == ["  ← Sale report", "  note its transaction is over: nothing changes"]


def test_a_line_that_is_lost_is_opened_again_first() -> None:
    made = Recording()
    made.flow(
        "line_dropped",
        ("→", Role.SALE_REQUEST, {}), ("→", Role.OPENING_REQUEST, {}), ("←", Role.OPENING_ANSWER, {}),
        ("→", Role.FAULT_CONFIRM, {}), ("←", Role.FAULT_CONFIRM_REPORT, {}),
        asks=[asked("being_cancelled", "cancelled")],
    )  # fmt: skip
    assert told(made, "line_dropped")[2:6] == [
        "  note the line is gone, and connected again",
        "  → Opening request",
        "  ← Opening answer",
        "| note the line broke before the report: route held",
    ]


def test_a_drawing_has_an_arrow_for_each_telegram_and_a_client_where_one_asked() -> None:
    document = document_of(record_of(usual().part()), "cafis")
    for flow in document.flows:
        drawing = drawing_of(document, flow)
        assert [arrow.link for arrow in drawing.arrows if arrow.link] == [f"t{each.number}" for each in flow.images]
        assert (CLIENT_X in [lane[0] for lane in drawing.lanes]) is bool(flow.flow.asks)
        assert all(0 < arrow.y < drawing.height for arrow in drawing.arrows)
        held = any(step.holds for step in steps_of(document, flow) if step.kind is Kind.TELEGRAM)
        assert bool(drawing.bars) is held
        assert all(bar.top < bar.bottom < drawing.height for bar in drawing.bars)
