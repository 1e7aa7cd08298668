"""The table is total, every cancel can end, and what the documentation shows is the table."""

from itertools import product
from pathlib import Path

import pytest

from faults.table import ENDS, ENTRY, IMPOSSIBLE, TABLE, UNDER_WAY, WAITING, Act, Event, markdown, mermaid
from schemas.records import CancelStage

ARCHITECTURE = Path(__file__).parents[2] / "docs" / "ARCHITECTURE.md"


def test_every_state_and_event_has_a_row_or_is_impossible() -> None:
    pairs = set(product((None, *CancelStage), Event))
    assert set(TABLE) | IMPOSSIBLE == pairs
    assert not set(TABLE) & IMPOSSIBLE


def test_every_state_belongs_to_one_group() -> None:
    assert sorted((*UNDER_WAY, *WAITING, CancelStage.ATTENTION, *ENDS)) == sorted(CancelStage)


def test_every_state_reaches_an_end() -> None:
    reaching = set(ENDS)
    while True:
        more = {row.state for row in TABLE.values() if row.next in reaching and row.state is not None} - reaching
        if not more:
            break
        reaching |= more
    assert reaching == set(CancelStage)


def test_no_end_is_left_except_to_be_forgotten() -> None:
    for row in TABLE.values():
        if row.state in ENDS:
            assert row.next == (None if row.event is Event.FORGET else row.state), row


def test_stale_repeats_the_order_of_its_state_and_nothing_else() -> None:
    for state in CancelStage:
        assert TABLE[state, Event.STALE].next is state
        assert TABLE[state, Event.STALE].acts == ENTRY[state]


@pytest.mark.parametrize(
    ("before", "event", "telegram"),
    [
        (None, Event.REQUEST_IN_DOUBT, Act.SEND_CONFIRM),
        (CancelStage.CONFIRM_PAUSED, Event.PAUSE_OVER, Act.SEND_CONFIRM_AGAIN),
        (None, Event.REPLY_LOST, Act.SEND_CANCEL),
        (CancelStage.CANCEL_PAUSED, Event.PAUSE_OVER, Act.SEND_CANCEL_AGAIN),
    ],
)
def test_the_four_telegrams_are_sent_when_the_domain_says(
    before: CancelStage | None, event: Event, telegram: Act
) -> None:
    assert TABLE[before, event].acts == (telegram,)


def test_a_command_never_sent_is_not_repeated_as_a_re_command() -> None:
    assert TABLE[CancelStage.CONFIRMING, Event.UNSENT].next is CancelStage.CONFIRM_UNSENT
    assert TABLE[CancelStage.CONFIRM_UNSENT, Event.PAUSE_OVER].acts == (Act.SEND_CONFIRM,)
    assert TABLE[CancelStage.CANCELLING, Event.UNSENT].next is CancelStage.CANCEL_UNSENT
    assert TABLE[CancelStage.CANCEL_UNSENT, Event.PAUSE_OVER].acts == (Act.SEND_CANCEL,)


def test_a_person_gets_what_the_gateway_gives_up_and_the_route_is_freed() -> None:
    assert ENTRY[CancelStage.ATTENTION] == (Act.RAISE_ATTENTION, Act.SETTLE, Act.RELEASE_ROUTE)


def test_what_a_person_has_is_left_by_a_person_or_by_the_partners_word_and_never_forgotten() -> None:
    left = {event for (state, event), row in TABLE.items() if state is CancelStage.ATTENTION and row.next is not state}
    assert left == {Event.DONE, Event.OPERATOR_REPEAT, Event.OPERATOR_SETTLED}
    assert (CancelStage.ATTENTION, Event.FORGET) in IMPOSSIBLE


def test_an_ordered_command_ends_with_the_partners_word_or_with_the_person_again() -> None:
    for (state, event), row in TABLE.items():
        if state is CancelStage.ORDERED and row.next is not state:
            assert row.next is (CancelStage.CLEARED if event is Event.DONE else CancelStage.ATTENTION), row


def test_for_its_transaction_a_case_stays_with_a_person_however_it_is_closed() -> None:
    assert ENTRY[CancelStage.CLEARED] == (Act.CLOSE_CASE, Act.SETTLE, Act.RELEASE_ROUTE)
    ways = {row.state for row in TABLE.values() if row.next is CancelStage.CLEARED}
    assert ways == {CancelStage.ATTENTION, CancelStage.ORDERED, CancelStage.CLEARED}


@pytest.mark.parametrize("state", WAITING)
def test_an_operator_cuts_a_pause_short_and_nothing_else(state: CancelStage) -> None:
    assert TABLE[state, Event.OPERATOR_REPEAT].next is TABLE[state, Event.PAUSE_OVER].next
    assert TABLE[state, Event.OPERATOR_REPEAT].acts == TABLE[state, Event.PAUSE_OVER].acts
    assert TABLE[state, Event.OPERATOR_SETTLED].next is state


@pytest.mark.parametrize("state", [*UNDER_WAY, *ENDS])
@pytest.mark.parametrize("event", [Event.OPERATOR_REPEAT, Event.OPERATOR_SETTLED])
def test_an_operator_does_not_interfere_with_a_command_under_way_or_an_end(state: CancelStage, event: Event) -> None:
    assert TABLE[state, event].next is state


def test_the_documentation_shows_this_table() -> None:
    text = ARCHITECTURE.read_text("utf-8")
    assert markdown() in text
    assert mermaid() in text
