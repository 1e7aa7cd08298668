"""What the cancel service still remembers when a name is used again, or a partner is no more."""

import msgspec
import pytest
from test_faults_core import POLICY
from test_faults_core_records import DOUBT, LOST, ORIGINAL, SETTINGS, ordered, reported

from faults.config import Settings
from faults.core import Decision, Input, decide
from faults.table import Event
from schemas.installation import CancelPolicy
from schemas.records import (
    CancelStage,
    CancelState,
    CaseOutcome,
    Command,
    DeadlinePassed,
    OperatorOrder,
    ReplyLost,
    RequestInDoubt,
    SendCancel,
)

LATER = msgspec.structs.replace(ORIGINAL, accepted_ms=ORIGINAL.accepted_ms + 1, amount=77_000, trace_number=4_711)


def after(*records: Input) -> CancelState:
    """The state that these lead to, one millisecond after the other."""
    state: CancelState | None = None
    for now, record in enumerate(records):
        state = decide(record, state, SETTINGS, now, "AP02:r1").state
    assert state is not None
    return state


CANCELLED = after(DOUBT, reported(1))
WITH_A_PERSON = after(DOUBT, reported(1, in_error=True))
CLEARED = after(
    DOUBT, reported(1, in_error=True), ordered(OperatorOrder.SETTLE, WITH_A_PERSON.stage, WITH_A_PERSON.attempt)
)


def commanded(found: Decision) -> list[tuple[Command, int]]:
    return [(each.command, each.original.amount) for each in found.orders if isinstance(each, SendCancel)]


@pytest.mark.parametrize("state", [CANCELLED, CLEARED])
@pytest.mark.parametrize(("record", "command"), [(DOUBT, Command.CONFIRM), (LOST, Command.CANCEL)])
def test_a_later_payment_under_the_name_of_an_ended_one_is_cancelled_as_any(
    state: CancelState, record: RequestInDoubt | ReplyLost, command: Command
) -> None:
    assert (CANCELLED.stage, CLEARED.stage) == (CancelStage.CANCELLED, CancelStage.CLEARED)
    found = decide(msgspec.structs.replace(record, original=LATER), state, SETTINGS, 100, "AP02:r1")
    assert commanded(found) == [(command, 77_000)]
    assert found.state is not None
    assert (found.state.original, found.state.attempt, found.state.ordered) == (LATER, 1, None)


@pytest.mark.parametrize("state", [CANCELLED, CLEARED, WITH_A_PERSON])
@pytest.mark.parametrize("record", [DOUBT, LOST])
def test_the_same_payment_read_again_begins_nothing(state: CancelState, record: RequestInDoubt | ReplyLost) -> None:
    found = decide(record, state, SETTINGS, 100, "AP02:r1")
    assert (found.event, found.state, found.changed, commanded(found)) == (Event.STALE, state, False, [])


# --- a partner that was taken out of the installation -----------------------------------------------------------------

WITHOUT = Settings({"cardnet": POLICY}, {"cardnet": frozenset({"C13"})}, grace_ms=100, remember_ms=60_000)


def test_an_ended_cancel_of_a_partner_that_is_no_more_is_forgotten_in_its_time() -> None:
    assert CANCELLED.due_ms is not None
    due = DeadlinePassed(
        transaction_id="AP02:r1", deadline=CANCELLED.stage, due_ms=CANCELLED.due_ms, noticed_ms=CANCELLED.due_ms
    )
    assert decide(due, CANCELLED, WITHOUT, CANCELLED.due_ms, "AP02:r1").state is None


def test_a_case_of_a_partner_that_is_no_more_can_be_closed() -> None:
    order = ordered(OperatorOrder.SETTLE, WITH_A_PERSON.stage, WITH_A_PERSON.attempt)
    found = decide(order, WITH_A_PERSON, WITHOUT, 100, "AP02:r1")
    assert found.state is not None
    assert found.closed is not None
    assert (found.state.stage, found.closed.outcome) == (CancelStage.CLEARED, CaseOutcome.STANDS)


def test_a_cancel_under_way_of_a_partner_that_is_no_more_goes_on_by_the_default_policy() -> None:
    begun = after(DOUBT)
    found = decide(reported(1, error_code="C13"), begun, WITHOUT, 100, "AP02:r1")
    assert found.event is Event.ERROR, "that another try is worth it, only its layouts say"
    assert begun.due_ms is not None
    silent = DeadlinePassed(
        transaction_id="AP02:r1", deadline=begun.stage, due_ms=begun.due_ms, noticed_ms=begun.due_ms
    )
    again = decide(silent, begun, WITHOUT, begun.due_ms, "AP02:r1").state
    assert again is not None
    assert again.due_ms == begun.due_ms + CancelPolicy().silence_pause_ms
