"""No cancel waits for another, and none is dropped: it ends, or a person has it with its reason and its history."""

from collections.abc import Callable

import pytest
from cancel_rig import LINE, SETTINGS, Rig
from hypothesis import given
from hypothesis import strategies as st

from faults.core import Decision, Input, decide
from faults.table import ENDS, UNDER_WAY, WAITING
from schemas.records import (
    CancelNotSent,
    CancelReported,
    CancelSilent,
    CancelStage,
    CancelState,
    Command,
    DeadlinePassed,
    Doubt,
    Kind,
    NotCancelled,
    Original,
    ReplyLost,
    RequestInDoubt,
    SendCancel,
)

Came = CancelReported | CancelSilent | CancelNotSent


def unsent(who: str, attempt: int, reason: NotCancelled) -> CancelNotSent:
    return CancelNotSent(
        transaction_id=who, line=LINE, attempt=attempt, command=Command.CONFIRM, reason=reason, noticed_ms=0
    )  # fmt: skip


def reported(who: str, attempt: int, code: str | None, *, in_error: bool = False) -> CancelReported:
    return CancelReported(
        transaction_id=who, line=LINE, attempt=attempt, command=Command.CONFIRM, in_error=in_error, error_code=code,
        received_ms=0,
    )  # fmt: skip


def silent(who: str, attempt: int) -> CancelSilent:
    return CancelSilent(
        transaction_id=who, line=LINE, attempt=attempt, command=Command.CONFIRM, doubt=Doubt.SILENCE, noticed_ms=0
    )  # fmt: skip


BEFALLS: dict[str, tuple[Callable[[str, int], Came], str]] = {
    "its route is held for another": (lambda who, n: unsent(who, n, NotCancelled.NO_FREE_ROUTE), "confirm_unsent"),
    "its line is closed": (lambda who, n: unsent(who, n, NotCancelled.LINE_NOT_OPEN), "confirm_unsent"),
    "its destination is closed": (lambda who, n: reported(who, n, "C13"), "confirm_paused"),
    "its command is answered by 異常報告": (lambda who, n: reported(who, n, "C01", in_error=True), "attention"),
    "nobody answers": (silent, "confirm_paused"),
}


@pytest.mark.parametrize("what", BEFALLS)
def test_whatever_befalls_one_cancel_the_next_goes_on_even_of_the_same_chain(what: str, rig: Rig) -> None:
    came, stage = BEFALLS[what]
    rig.start()
    rig.doubt("stuck", key="first")
    rig.comes_to_be("stuck", "confirming")
    rig.write("cancel-reports", came("AP02:stuck", 1), "first")
    rig.comes_to_be("stuck", stage)
    rig.doubt("other", key="first")
    rig.comes_to_be("other", "confirming")
    rig.done("other", 1, key="first")
    rig.comes_to_be("other", "cancelled")
    assert rig.stage("stuck") == stage


# --- none is dropped ------------------------------------------------------------------------------------------------

WHO = "AP02:r1"
ORIGINAL = Original(
    kind=Kind.SALE, line=LINE, trace_number=7, route_number=3, business_date="20260401", approval_code=None,
    terminal_id="4980123456789", amount=1_200, accepted_ms=0,
)  # fmt: skip
_TOLD = {
    "transaction_id": WHO, "customer": "AP02", "reference": "r1", "partner": "cafis", "original": ORIGINAL,
    "since_ms": 0,
}  # fmt: skip
BEGINNINGS = [RequestInDoubt(**_TOLD, doubt=Doubt.SILENCE), ReplyLost(**_TOLD)]  # type: ignore[arg-type]
POLICY = SETTINGS.policies["cafis"]
COMMANDS_AT_MOST = POLICY.commands_max + POLICY.unsent_max + 1
NOT_DONE = st.sampled_from([silent, *(came for came, _ in BEFALLS.values()), None])


def due(state: CancelState) -> DeadlinePassed:
    assert state.due_ms is not None
    return DeadlinePassed(transaction_id=WHO, deadline=state.stage, due_ms=state.due_ms, noticed_ms=state.due_ms)


@given(st.sampled_from(BEGINNINGS), st.lists(NOT_DONE, min_size=COMMANDS_AT_MOST, max_size=COMMANDS_AT_MOST))
def test_however_the_partner_fails_a_person_has_the_case_after_a_known_number_of_commands(
    beginning: RequestInDoubt | ReplyLost, fates: list[Callable[[str, int], Came] | None]
) -> None:
    state: CancelState | None = None
    now = 0
    ordered = 0

    def step(record: Input) -> Decision:
        nonlocal state, ordered
        decision = decide(record, state, SETTINGS, now, WHO)
        state = decision.state
        ordered += sum(isinstance(each, SendCancel) for each in decision.orders)
        return decision

    decision = step(beginning)
    for fate in fates:
        assert state is not None
        assert state.stage in UNDER_WAY, "every command is under way before anything comes of it"
        now += 1
        if fate is None:  # not even the line says anything
            now = due(state).due_ms
        decision = step(due(state) if fate is None else fate(WHO, state.attempt))
        if state.stage is CancelStage.ATTENTION:
            break
        assert state.stage in WAITING
        now = due(state).due_ms
        decision = step(due(state))
    assert state is not None
    assert state.stage is CancelStage.ATTENTION
    assert state.due_ms is None, "and it is not forgotten there"
    assert ordered == state.attempt <= COMMANDS_AT_MOST
    assert decision.attention is not None
    assert decision.attention.reason == state.reason
    assert decision.attention.attempts == ordered
    assert decision.settlement is not None
    assert state.stage not in ENDS
