"""The table of a line's stages is made of its rules, and every other pair changes nothing."""

from egress.station_table import CARRIES, TABLE, Event, _rows, markdown
from schemas.records import LineStage


def test_the_table_is_made_of_its_rules() -> None:
    rows = list(_rows())
    by_place = {(row.stage, row.event): row for row in rows}
    assert len(by_place) == len(rows), "no pair has two rules"
    assert {place: TABLE[place] for place in by_place} == by_place
    assert all(row.next is row.stage and not row.deeds for place, row in TABLE.items() if place not in by_place)
    assert len(TABLE) == len(LineStage) * len(Event)


def test_a_line_carries_telegrams_while_it_is_open_suspended_or_drained_alone() -> None:
    assert set(LineStage) - CARRIES == {
        LineStage.CLOSED, LineStage.CONNECTING, LineStage.OPENING, LineStage.CLOSING, LineStage.FAILED,
    }  # fmt: skip
    for stage in CARRIES:  # and it is left when its connection is gone
        assert TABLE[stage, Event.BROKEN].next is LineStage.FAILED


def test_the_document_lists_the_rules_in_their_order() -> None:
    head, line, *rows = markdown().splitlines()
    assert (head, line) == ("| stage | event | next | done on the way |", "|---|---|---|---|")
    assert rows == [f"| {row.stage} | {row.event} | {row.next} | {', '.join(row.deeds) or '–'} |" for row in _rows()]
