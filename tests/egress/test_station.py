"""The life of a station as tables: orders, hours, the partner's will, the breaker; and the table itself."""

from pathlib import Path

import pytest
from test_egress_core import MIDNIGHT, Rig, steps

from egress.acts import Tell
from egress.station_table import CARRIES, TABLE, Deed, Event, markdown
from schemas.japan_time import business_date
from schemas.records import LineOrder, LineOrdered, LineStage, LineState
from schemas.telegrams import Message, Role

ARCHITECTURE = Path(__file__).parents[2] / "docs" / "ARCHITECTURE.md"

SCENARIOS = {
    "closed by order: requests are refused at once, what is in flight ends, then the station is closed": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
            2 order close      -> line draining, ordered close by Sato
            3 ask b            -> withheld b#0 station_closed
            4 stored           -> never b station_closed
           50 approved a       -> report a approved
           51 due              -> line closing, transmit closing_request
           60 closed           -> line closed, hang closed, rest
           61 broken           ->
           70 ask c            -> withheld c#0 station_closed
         5061 due              -> line closed
    """,
    "closed by order: each of those in flight is awaited": """
            0 ask a            -> sent a#0 t1 r1
            0 ask b            -> sent b#0 t2 r2
            1 stored           -> transmit sale_request t1 r1, transmit sale_request t2 r2
            2 order close      -> line draining, ordered close by Sato
           50 approved a       -> report a approved
           51 due              ->
           60 approved b       -> report b approved
           61 due              -> line closing, transmit closing_request
    """,
    "closed by order: what is in flight is awaited though another was silent": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
          500 ask b            -> sent b#0 t2 r2
          501 stored           -> transmit sale_request t2 r2
         1001 due              -> hold r1 a, missing a silence
         1002 release a        -> free r1
         1003 order close      -> line draining, ordered close by Sato
         1004 due              ->
         1100 approved b       -> report b approved
         1101 due              -> line closing, transmit closing_request
    """,
    "closed by order: a cancel in flight is awaited, and its re-command still goes out": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
            2 order close      -> line draining, ordered close by Sato
         1001 due              -> hold r1 a, missing a silence
         1010 8930 a 1         -> sent a#1 t2 r1
         1011 stored           -> transmit fault_confirm t2 r1
         1050 done a           -> cancel a#1 done
         1051 due              ->
         1060 release a        -> free r1
         1061 due              -> line closing, transmit closing_request
    """,
    "closed by order: at its limit the station is closed although a cancel is missing": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
            2 order close      -> line draining, ordered close by Sato
         1001 due              -> hold r1 a, missing a silence
         4001 due              ->
         4002 due              -> line closing, transmit closing_request
         6003 due              -> line closed, hang closing not answered, rest
    """,
    "drained: connected for cancels alone, until it is opened again": """
            0 order drain      -> line draining, ordered drain by Sato
            1 ask a            -> withheld a#0 station_closed
            2 stored           -> never a station_closed
          100 8930 z 1         -> sent z#1 t2 r1
          101 stored           -> hold r1 z, transmit fault_confirm t2 r1
          200 order open       -> line open, ordered open by Sato
          201 ask b            -> sent b#0 t3 r2
    """,
    "drained, with nothing to do: the line stays for cancels to come": """
            0 order drain      -> line draining, ordered drain by Sato
            1 due              ->
         4001 due              ->
         4002 8930 z 1         -> sent z#1 t1 r1
    """,
    "the owner ends: it says itself when it has waited enough": """
            0 drain            -> line draining
            1 due              ->
         4001 due              ->
         4002 close            -> line closing, transmit closing_request
    """,
    "what waits for a route is refused when the line is closed": """
            0 ask a            -> sent a#0 t1 r1
            0 ask b            -> sent b#0 t2 r2
            0 ask c            -> sent c#0 t3 r3
            1 ask d            ->
            2 order close      -> line draining, ordered close by Sato, withheld d#0 station_closed
    """,
    "opened again while it closes: the closing ends first": """
            0 order close      -> line draining, ordered close by Sato
            1 due              -> line closing, transmit closing_request
            2 order open       -> line closing, ordered open by Sato
            9 closed           -> line closed, hang closed, rest, line connecting, seek
           10 broken           -> line failed
    """,
    "closed while it is sought: nobody is called any more": """
            0 broken           -> line failed
            1 order close      -> line closed, rest, ordered close by Sato
            2 opened           -> hang closed, stray
            3 order open       -> line connecting, seek, ordered open by Sato
    """,
    "closed by order while the owner ends: the end comes first, and what waits is for the next": """
            0 drain            -> line draining
            1 order open       -> ordered open by Sato
            2 ask a            ->
            3 close            -> line closing, transmit closing_request
    """,
    "the partner closes: what is in flight may still be answered, and the line is sought again": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
            2 partner_closes   -> transmit closing_answer, line closing
            3 ask b            ->
            9 approved a       -> report a approved
           10 broken           -> line failed
           20 opened           -> line opening, transmit opening_request, line open, sent b#0 t2 r2
    """,
    "the partner closes and does not hang up: we do": """
            0 partner_closes   -> transmit closing_answer, line closing
          999 due              ->
         1000 due              -> line closed, hang closed by the partner, rest, line connecting, seek
    """,
    "the line fails: the trouble is told, and told once": """
            0 broken           -> line failed
            1 sought refused   -> line failed
            2 sought refused   ->
            3 opened           -> line opening, transmit opening_request, line open
    """,
    "a drained line fails: the trouble is told as of any other, and told once": """
            0 order drain      -> line draining, ordered drain by Sato
            1 broken           -> line failed
            2 sought refused   -> line failed
            3 sought refused   ->
            4 opened           -> line opening, transmit opening_request, line open, line draining
    """,
    "the breaker: silences keep requests away, keep-alives let them come again": """
            0 ask a            -> sent a#0 t1 r1
            0 ask b            -> sent b#0 t2 r2
            1 stored           -> transmit sale_request t1 r1, transmit sale_request t2 r2
         1001 due              -> hold r1 a, missing a silence, hold r2 b, missing b silence, line suspended
         1002 ask c            -> withheld c#0 line_suspended
         1003 stored           -> never c line_suspended
         1004 8930 a 1         -> sent a#1 t4 r1
         1005 stored           -> transmit fault_confirm t4 r1
         1006 done a           -> cancel a#1 done
         1500 due              ->
         1501 due              -> transmit keepalive_request
         1502 alive            ->
         2501 due              ->
         2502 due              -> transmit keepalive_request
         2503 alive            ->
         3503 due              -> transmit keepalive_request
         3504 alive            -> line open
         4014 ask d            -> sent d#0 t5 r3
         4015 stored           -> transmit sale_request t5 r3
         5015 due              -> hold r3 d, missing d silence, line suspended
    """,
    "the breaker: an answer between silences counts from the start": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
         1001 due              -> hold r1 a, missing a silence
         1002 ask b            -> sent b#0 t2 r2
         1003 stored           -> transmit sale_request t2 r2
         1004 declined b       -> report b declined
         1005 ask c            -> sent c#0 t3 r3
         1006 stored           -> transmit sale_request t3 r3
         2006 due              -> hold r3 c, missing c silence
    """,
    "the breaker counts requests: answered cancels and keep-alives, and late reports, end no row of silences": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
         1001 due              -> hold r1 a, missing a silence
         1002 8930 a 1         -> sent a#1 t2 r1
         1003 stored           -> transmit fault_confirm t2 r1
         1004 keepalive        -> transmit keepalive_answer
         1005 done a           -> cancel a#1 done
         1006 ask b            -> sent b#0 t3 r2
         1007 stored           -> transmit sale_request t3 r2
         2007 due              -> hold r2 b, missing b silence, line suspended
    """,
    "the breaker: an error report to a cancel is none to a request": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
         1001 due              -> hold r1 a, missing a silence
         1002 8930 a 1         -> sent a#1 t2 r1
         1003 stored           -> transmit fault_confirm t2 r1
         1004 error a          -> cancel a#1 error
         1006 ask b            -> sent b#0 t3 r2
         1007 stored           -> transmit sale_request t3 r2
         2007 due              -> hold r2 b, missing b silence, line suspended
    """,
    "the breaker: a report that comes late ends no row": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
         1001 due              -> hold r1 a, missing a silence
         1002 approved a       -> late a approved
         1006 ask b            -> sent b#0 t2 r2
         1007 stored           -> transmit sale_request t2 r2
         2007 due              -> hold r2 b, missing b silence, line suspended
    """,
    "the breaker: that the line breaks is no silence": """
            0 ask a            -> sent a#0 t1 r1
            0 ask b            -> sent b#0 t2 r2
            1 stored           -> transmit sale_request t1 r1, transmit sale_request t2 r2
            2 broken           -> hold r1 a, missing a line_broke, hold r2 b, missing b line_broke, line failed
            3 opened           -> line opening, transmit opening_request, line open
    """,
    "a suspended line is probed however much the partner asks itself: its own keep-alives end no suspension": """
            0 ask a            -> sent a#0 t1 r1
            0 ask b            -> sent b#0 t2 r2
            1 stored           -> transmit sale_request t1 r1, transmit sale_request t2 r2
         1001 due              -> hold r1 a, missing a silence, hold r2 b, missing b silence, line suspended
         1500 keepalive        -> transmit keepalive_answer
         1501 due              -> transmit keepalive_request
         1502 alive            ->
         2501 keepalive        -> transmit keepalive_answer
         2501 due              ->
         2502 due              -> transmit keepalive_request
         2503 alive            ->
         3502 keepalive        -> transmit keepalive_answer
         3503 due              -> transmit keepalive_request
         3600 keepalive        -> transmit keepalive_answer
         3601 alive            -> line open
    """,
    "the breaker: on trial, silences of what went out before it was suspended count for nothing": """
            0 ask a            -> sent a#0 t1 r1
            0 ask b            -> sent b#0 t2 r2
            1 stored           -> transmit sale_request t1 r1, transmit sale_request t2 r2
         1001 due              -> hold r1 a, missing a silence, hold r2 b, missing b silence, line suspended
         1501 due              -> transmit keepalive_request
         1502 alive            ->
         2502 due              -> transmit keepalive_request
         3501 alive            -> line open
         3502 ask c            -> sent c#0 t3 r3
         3503 stored           -> transmit sale_request t3 r3
         4503 due              -> hold r3 c, missing c silence, line suspended
    """,
    "a suspended line can be closed, and breaks like another": """
            0 ask a            -> sent a#0 t1 r1
            0 ask b            -> sent b#0 t2 r2
            1 stored           -> transmit sale_request t1 r1, transmit sale_request t2 r2
         1001 due              -> hold r1 a, missing a silence, hold r2 b, missing b silence, line suspended
         1002 order close      -> line draining, ordered close by Sato
         1003 broken           -> line failed, line closed, rest
    """,
    "a suspended line that broke is suspended when it is opened again: keep-alives have to be answered anew": """
            0 ask a            -> sent a#0 t1 r1
            0 ask b            -> sent b#0 t2 r2
            1 stored           -> transmit sale_request t1 r1, transmit sale_request t2 r2
         1001 due              -> hold r1 a, missing a silence, hold r2 b, missing b silence, line suspended
         1501 due              -> transmit keepalive_request
         1502 alive            ->
         2502 due              -> transmit keepalive_request
         4502 due              -> line failed, hang keep-alive not answered
         4503 broken           -> line failed
         4504 opened           -> line opening, transmit opening_request, line suspended
         4505 ask c            -> withheld c#0 line_suspended
         4506 stored           -> never c line_suspended
         4507 due              -> transmit keepalive_request
         4508 alive            ->
         5508 due              -> transmit keepalive_request
         5509 alive            -> line open
         5510 ask d by 9000    -> sent d#0 t4 r3
         5511 stored           -> transmit sale_request t4 r3
         6511 due              -> hold r3 d, missing d silence, line suspended
    """,
    "the breaker opens while the line is drained: opened by order it is suspended": """
            0 ask a            -> sent a#0 t1 r1
            0 ask b            -> sent b#0 t2 r2
            1 stored           -> transmit sale_request t1 r1, transmit sale_request t2 r2
            2 order drain      -> line draining, ordered drain by Sato
         1001 due              -> hold r1 a, missing a silence, hold r2 b, missing b silence
         1002 order open       -> line suspended, ordered open by Sato
         1003 ask c            -> withheld c#0 line_suspended
    """,
    "an operator holds a route back from all use, and releases it": """
            0 route hold 1     -> hold r1 operator:o-0, route 1 done
            1 ask a            -> sent a#0 t2 r2
            2 route hold 2     -> hold r2 operator:o-2, route 2 done
            3 route hold 1     -> route 1 not done
            4 stored           -> transmit sale_request t2 r2
            5 approved a       -> report a approved
            6 ask b            -> sent b#0 t5 r3
            7 route release 1  -> free r1, route 1 done for operator:o-0
            8 route release 1  -> route 1 not done
    """,
    "a route that is out of use by order is nothing that a closing awaits": """
            0 route hold 3     -> hold r3 operator:o-0, route 3 done
            1 order close      -> line draining, ordered close by Sato
            2 due              -> line closing, transmit closing_request
    """,
    "an operator releases a route that is held for a cancel: whose it was is told": """
            0 ask a            -> sent a#0 t1 r1
            1 stored           -> transmit sale_request t1 r1
         1001 due              -> hold r1 a, missing a silence
         1002 route release 1  -> free r1, route 1 done for AP02:a
    """,
}
QUICK = {
    "close_limit_ms": 4_000, "closing_timeout_ms": 1_000,
    "breaker": {"silences": 2, "rest_ms": 2_500, "probe_ms": 1_000, "probes": 2},
}  # fmt: skip


@pytest.mark.parametrize("name", SCENARIOS)
def test_station(name: str) -> None:
    rig = Rig(times=QUICK)
    assert rig.play("opened", 0) == "line opening, transmit opening_request, line open"
    for at, event, told in steps(SCENARIOS[name]):
        assert rig.play(event, at) == told, f"{at} {event}"


def test_hours_open_and_close_the_station() -> None:
    rig = Rig(hours=["mon-sun 00:00-00:01", "mon-sun 00:02-24:00"], times=QUICK)
    assert rig.play("opened", 0) == "line opening, transmit opening_request, line open"
    assert rig.play("due", 59_999).endswith("transmit keepalive_request")
    assert rig.play("alive", 59_999) == ""
    assert rig.play("due", 60_000) == "line draining, line closing, transmit closing_request"
    assert rig.play("closed", 60_010) == "line closed, hang closed, rest"
    assert rig.play("ask a by 99999", 60_011) == "withheld a#0 station_closed"
    assert rig.play("due", 119_999) == "line closed"
    assert rig.play("due", 120_000) == "line connecting, seek"
    assert rig.play("order close", 120_001) == "line closed, rest, ordered close by Sato"
    assert rig.play("order calendar", 120_002) == "line connecting, seek, ordered calendar by Sato"


def test_where_the_line_has_stood_is_told_again_before_its_hours_change_it() -> None:
    rig = Rig(hours=["mon-sun 00:00-00:01"], times=QUICK)
    rig.play("opened", 0)
    assert rig.play("due", 60_000) == "line open, line draining, line closing, transmit closing_request"


def test_a_line_that_is_sought_for_the_first_time_has_no_trouble_yet() -> None:
    rig = Rig(times=QUICK)
    assert rig.play("sought", 0) == ""
    assert rig.core.station.stage is LineStage.CONNECTING
    assert rig.play("sought refused", 1) == "line failed"


@pytest.mark.parametrize(
    ("wrong", "reason"), [("silence", "2 requests in a row without an answer"), ("error", "2 errors in a row")]
)
def test_a_line_is_suspended_for_silences_or_errors_in_a_row_and_says_which(wrong: str, reason: str) -> None:
    rig = Rig(times={"breaker": {"silences": 2, "errors": 2}})
    for now, event in ((0, "opened"), (1, "ask a"), (1, "ask b"), (2, "stored")):
        rig.play(event, now)
    if wrong == "error":
        assert rig.play("error a", 10) == "report a in_error"
    acts = rig.core.due(MIDNIGHT + 1_002) if wrong == "silence" else rig.answer("error", 11, "b")
    states = [act.record for act in acts if isinstance(act, Tell) and isinstance(act.record, LineState)]
    assert [(state.stage, state.reason) for state in states] == [(LineStage.SUSPENDED, reason)]


def test_a_partner_whose_station_telegrams_name_no_station_is_answered() -> None:
    rig = Rig()
    rig.play("opened", 0)
    values = {"trace_number": 7, "business_date": business_date(MIDNIGHT)}
    acts = rig.core.station.asked(Message(Role.KEEPALIVE_REQUEST, values), MIDNIGHT + 1)
    assert not isinstance(acts, str)
    assert rig.seen(acts) == "transmit keepalive_answer"
    assert rig.last[Role.KEEPALIVE_ANSWER].values["trace_number"] == 7


def test_a_new_owner_does_as_was_ordered_last() -> None:
    order = LineOrdered(
        order_id="o", line="cafis-1", order=LineOrder.CLOSE, operator="Sato", reason="storm", ordered_ms=MIDNIGHT
    )
    rig = Rig(order=order, times=QUICK)
    assert rig.taken == "line closed"
    assert rig.play("ask a", 1) == "withheld a#0 station_closed"
    assert rig.play("order open", 2) == "line connecting, seek, ordered open by Sato"


# --- the table ------------------------------------------------------------------------------------------------------


def test_the_table_is_total_and_stands_in_the_document() -> None:
    assert set(TABLE) == {(stage, event) for stage in LineStage for event in Event}
    assert markdown() in ARCHITECTURE.read_text("utf-8")


def test_every_stage_can_be_reached_and_left() -> None:
    for stage in LineStage:
        assert any(row.next is stage for row in TABLE.values() if row.stage is not stage), stage
        assert any(row.next is not stage for row in TABLE.values() if row.stage is stage), stage


def test_a_broken_connection_ends_every_stage_that_has_one() -> None:
    for stage in (LineStage.OPENING, LineStage.CLOSING, *CARRIES):
        assert TABLE[stage, Event.BROKEN].next is LineStage.FAILED
        assert TABLE[stage, Event.UNANSWERED].next not in CARRIES
        assert Deed.HANG_UP in TABLE[stage, Event.UNANSWERED].deeds


def test_only_an_answered_opening_leads_to_where_telegrams_go() -> None:
    ways = {(row.stage, row.event) for row in TABLE.values() if row.next in CARRIES and row.stage not in CARRIES}
    assert ways == {(LineStage.OPENING, Event.OPENED)}
