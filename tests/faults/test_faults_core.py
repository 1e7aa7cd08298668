"""Cancels as text tables: when, what happens, and after the arrow where it stands and what goes out."""

import re

import pytest

from faults.config import Settings
from faults.core import Decision, Input, decide
from schemas.installation import CancelPolicy
from schemas.records import (
    CancelNotSent,
    CancelReported,
    CancelSilent,
    CancelStage,
    CancelState,
    CaseOutcome,
    Command,
    DeadlinePassed,
    Doubt,
    Kind,
    NotCancelled,
    OperatorOrder,
    OperatorOrdered,
    Original,
    ReleaseRoute,
    ReplyLost,
    RequestInDoubt,
    SendCancel,
)

POLICY = CancelPolicy(
    send_window_ms=1_000,
    report_timeout_ms=2_000,
    commands_max=3,
    silence_pause_ms=500,
    trouble_pause_ms=5_000,
    troubles_max=1,
    unsent_pause_ms=300,
    unsent_max=2,
)
SETTINGS = Settings({"cafis": POLICY}, {"cafis": frozenset({"C13", "C14", "C50"})}, grace_ms=100, remember_ms=60_000)
ORIGINAL = Original(
    kind=Kind.SALE,
    line="cafis-1",
    trace_number=7,
    route_number=3,
    business_date="20261124",
    approval_code=None,
    terminal_id="4000000000001",
    amount=1_200,
    accepted_ms=0,
)
TYPE = {Command.CANCEL: "8910", Command.CANCEL_AGAIN: "8920", Command.CONFIRM: "8930", Command.CONFIRM_AGAIN: "8940"}

SCENARIOS = {
    "8930 is answered": """
            0  in doubt           -> confirming +3100 | 8930/1
          400  done 1             -> cancelled +60000 | release, settled cancelled
        60400  due                -> - | forgotten
    """,
    "silence, then 8940": """
            0  in doubt           -> confirming +3100 | 8930/1
         2000  silent 1           -> confirm_paused +500 |
         2500  due                -> reconfirming +3100 | 8940/2
         2600  done 2             -> cancelled +60000 | release, settled cancelled
    """,
    "a late 8960 to the first command ends it too": """
            0  in doubt           -> confirming +3100 | 8930/1
         2000  silent 1           -> confirm_paused +500 |
         2400  done 1             -> cancelled +60000 | release, settled cancelled
         2500  due of confirm_paused -> cancelled | release, settled cancelled
    """,
    "patience ends with a person": """
            0  in doubt           -> confirming +3100 | 8930/1
         2000  silent 1           -> confirm_paused +500 |
         2500  due                -> reconfirming +3100 | 8940/2
         4500  silent 2           -> confirm_paused +500 |
         5000  due                -> reconfirming +3100 | 8940/3
         7000  silent 3           -> attention | release, attention silence, settled attention
    """,
    "nobody says anything: the deadline is silence": """
            0  in doubt           -> confirming +3100 | 8930/1
         3100  due                -> confirm_paused +500 |
         3600  due                -> reconfirming +3100 | 8940/2
    """,
    "C13 once, then it is done": """
            0  in doubt           -> confirming +3100 | 8930/1
          100  error C13 1        -> confirm_paused +5000 |
         5100  due                -> reconfirming +3100 | 8940/2
         5200  done 2             -> cancelled +60000 | release, settled cancelled
    """,
    "C50 more often than the policy allows": """
            0  in doubt           -> confirming +3100 | 8930/1
          100  error C50 1        -> confirm_paused +5000 |
         5100  due                -> reconfirming +3100 | 8940/2
         5200  error C50 2        -> attention | release, attention C50, settled attention
    """,
    "an unknown error code is a person's": """
            0  lost               -> cancelling +3100 | 8910/1
          100  error Z99 1        -> attention | release, attention Z99, settled attention
    """,
    "異常報告": """
            0  lost               -> cancelling +3100 | 8910/1
          100  in error C01 1     -> attention | release, attention error_report C01, settled attention
    """,
    "8910, silence, 8920": """
            0  lost               -> cancelling +3100 | 8910/1
         2000  silent 1           -> cancel_paused +500 |
         2500  due                -> recancelling +3100 | 8920/2
         2600  done 2             -> cancelled +60000 | release, settled cancelled
    """,
    "the line is closed: the command itself is tried again, not the re-command": """
            0  in doubt           -> confirming +3100 | 8930/1
         1000  unsent 1           -> confirm_unsent +300 |
         1300  due                -> confirming +3100 | 8930/2
         2300  unsent 2           -> confirm_unsent +300 |
         2600  due                -> confirming +3100 | 8930/3
         3600  unsent 3           -> attention | release, attention line_not_open, settled attention
    """,
    "an unsent command does not use up the patience for silence": """
            0  in doubt           -> confirming +3100 | 8930/1
         1000  unsent 1           -> confirm_unsent +300 |
         1300  due                -> confirming +3100 | 8930/2
         3300  silent 2           -> confirm_paused +500 |
         3800  due                -> reconfirming +3100 | 8940/3
         5800  silent 3           -> confirm_paused +500 |
         6300  due                -> reconfirming +3100 | 8940/4
         8300  silent 4           -> attention | release, attention silence, settled attention
    """,
    "the request never went out": """
            0  in doubt           -> confirming +3100 | 8930/1
          100  never sent 1       -> nothing_sent +60000 | release, settled nothing_sent
    """,
    "an answered request that the line does not know is a contradiction, for a person": """
            0  lost               -> cancelling +3100 | 8910/1
          100  never sent 1       -> attention | release, attention original_never_sent, settled attention
    """,
    "read again: the order is given once more, nothing else changes": """
            0  in doubt           -> confirming +3100 | 8930/1
            5  in doubt           -> confirming | 8930/1
         2000  silent 1           -> confirm_paused +500 |
         2001  silent 1           -> confirm_paused |
         2500  due                -> reconfirming +3100 | 8940/2
         2501  due of confirm_paused -> reconfirming | 8940/2
         2600  silent 1           -> reconfirming | 8940/2
         2700  done 2             -> cancelled +60000 | release, settled cancelled
         2701  done 2             -> cancelled | release, settled cancelled
         2702  in doubt           -> cancelled | release, settled cancelled
         2703  silent 0           -> cancelled | release, settled cancelled
    """,
    "a person orders one command more, and it is done": """
            0  in doubt           -> confirming +3100 | 8930/1
          100  in error C01 1     -> attention | release, attention error_report C01, settled attention
         9000  repeat             -> ordered +3100 | 8940/2, accepted ordered 8940/2
         9001  repeat again       -> ordered | 8940/2, accepted ordered 8940/2
         9100  done 2             -> cleared +60000 | release, settled attention, closed cancelled by Sato
         9101  done 2             -> cleared | release, settled attention, closed cancelled by Sato
         9102  repeat again       -> cleared | release, settled attention, closed cancelled by Sato, accepted cleared
        69100  due                -> - | forgotten
    """,
    "whatever else comes of an ordered command, the person has the case again": """
            0  lost               -> cancelling +3100 | 8910/1
          100  error Z99 1        -> attention | release, attention Z99, settled attention
         1000  repeat             -> ordered +3100 | 8920/2, accepted ordered 8920/2
         3000  silent 2           -> attention | release, attention silence, settled attention
         4000  repeat             -> ordered +3100 | 8920/3, accepted ordered 8920/3
         7100  due                -> attention | release, attention silence, settled attention
         8000  repeat             -> ordered +3100 | 8920/4, accepted ordered 8920/4
         8100  error C13 4        -> attention | release, attention C13, settled attention
         9000  repeat             -> ordered +3100 | 8920/5, accepted ordered 8920/5
         9100  unsent 5           -> attention | release, attention line_not_open, settled attention
         9500  repeat             -> ordered +3100 | 8920/6, accepted ordered 8920/6
         9600  in error C03 6     -> attention | release, attention error_report C03, settled attention
    """,
    "what was never on the line is not repeated as a re-command by a person either": """
            0  in doubt           -> confirming +3100 | 8930/1
         1000  unsent 1           -> confirm_unsent +300 |
         1300  due                -> confirming +3100 | 8930/2
         2300  unsent 2           -> confirm_unsent +300 |
         2600  due                -> confirming +3100 | 8930/3
         3600  unsent 3           -> attention | release, attention line_not_open, settled attention
         5000  repeat             -> ordered +3100 | 8930/4, accepted ordered 8930/4
         5100  unsent 4           -> attention | release, attention line_not_open, settled attention
         6000  repeat             -> ordered +3100 | 8930/5, accepted ordered 8930/5
         8000  silent 5           -> attention | release, attention silence, settled attention
         9000  repeat             -> ordered +3100 | 8940/6, accepted ordered 8940/6
    """,
    "a request that the line never sent after all stays the person's": """
            0  in doubt           -> confirming +3100 | 8930/1
          100  in error C01 1     -> attention | release, attention error_report C01, settled attention
         1000  repeat             -> ordered +3100 | 8940/2, accepted ordered 8940/2
         1100  never sent 2       -> attention | release, attention original_never_sent, settled attention
    """,
    "a person closes the case, once": """
            0  lost               -> cancelling +3100 | 8910/1
          100  error Z99 1        -> attention | release, attention Z99, settled attention
         1000  settle             -> cleared +60000 | release, settled attention, closed stands by Sato, \
                                     accepted cleared
         1001  settle again       -> cleared | release, settled attention, closed stands by Sato, accepted cleared
         1002  settle             -> cleared | release, settled attention, closed stands by Sato, settle already_ended
         1003  repeat             -> cleared | release, settled attention, closed stands by Sato, repeat already_ended
    """,
    "a late 8950 closes the case: nobody need do anything": """
            0  lost               -> cancelling +3100 | 8910/1
          100  error Z99 1        -> attention | release, attention Z99, settled attention
         5000  done 1             -> cleared +60000 | release, settled attention, closed cancelled by None
    """,
    "a pause is cut short": """
            0  in doubt           -> confirming +3100 | 8930/1
          100  error C13 1        -> confirm_paused +5000 |
          200  repeat             -> reconfirming +3100 | 8940/2, accepted reconfirming 8940/2
         5100  due of confirm_paused -> reconfirming | 8940/2
         5200  done 2             -> cancelled +60000 | release, settled cancelled
    """,
    "an unsent command is tried at once": """
            0  lost               -> cancelling +3100 | 8910/1
         1000  unsent 1           -> cancel_unsent +300 |
         1100  repeat             -> cancelling +3100 | 8910/2, accepted cancelling 8910/2
         1200  error C13 2        -> cancel_paused +5000 |
         1300  repeat             -> recancelling +3100 | 8920/3, accepted recancelling 8920/3
    """,
    "an order that makes no sense is refused, and changes nothing": """
            0  repeat             -> - | repeat unknown
            0  settle             -> - | settle unknown
            0  in doubt           -> confirming +3100 | 8930/1
           10  repeat             -> confirming | 8930/1, repeat command_under_way
           11  settle             -> confirming | 8930/1, settle command_under_way
         2000  silent 1           -> confirm_paused +500 |
         2010  settle             -> confirm_paused | settle not_with_a_person
         2400  done 1             -> cancelled +60000 | release, settled cancelled
         2410  repeat             -> cancelled | release, settled cancelled, repeat already_ended
    """,
    "an order holds for what was seen, not for what came of it": """
            0  in doubt           -> confirming +3100 | 8930/1
           10  settle             -> confirming | 8930/1, settle command_under_way
          100  in error C01 1     -> attention | release, attention error_report C01, settled attention
          101  settle again       -> attention | release, attention error_report C01, settled attention, \
                                     settle changed_meanwhile
    """,
    "something about no cancel is counted and changes nothing": """
            0  done 1             -> - |
            0  silent 1           -> - |
    """,
}


Orders = dict[str, OperatorOrdered]


def _order(name: str, now: int, state: CancelState | None, orders: Orders, *, again: bool) -> OperatorOrdered:
    """An operator's order about the cancel as he sees it now; `again`: the last one of this kind, read again."""
    if not again:
        orders[name] = OperatorOrdered(
            transaction_id="AP02:r1", order_id=f"o{now}", order=OperatorOrder(name),
            outcome=CaseOutcome.STANDS if name == "settle" else None, reason="by telephone", operator="Sato",
            seen=state.stage if state else CancelStage.ATTENTION, seen_attempt=state.attempt if state else 1,
            ordered_ms=now,
        )  # fmt: skip
    return orders[name]


def _record(text: str, now: int, dues: dict[str, int], state: CancelState | None, orders: Orders) -> Input:
    base = {"transaction_id": "AP02:r1"}
    told = {"customer": "AP02", "reference": "r1", "partner": "cafis", "original": ORIGINAL, "since_ms": now}
    words = text.split()
    command = {"line": "cafis-1", "command": Command.CONFIRM, "attempt": int(words[-1]) if words[-1].isdigit() else 0}
    match words:
        case ["in", "doubt"]:
            return RequestInDoubt(**base, **told, doubt=Doubt.SILENCE)
        case ["lost"]:
            return ReplyLost(**base, **told)
        case ["due", *of]:
            stage = of[1] if of else state.stage if state else "-"
            return DeadlinePassed(**base, deadline=stage, due_ms=dues[stage], noticed_ms=now)
        case ["done", _]:
            return CancelReported(**base, **command, in_error=False, error_code=None, received_ms=now)
        case ["error", code, _]:
            return CancelReported(**base, **command, in_error=False, error_code=code, received_ms=now)
        case ["in", "error", code, _]:
            return CancelReported(**base, **command, in_error=True, error_code=code, received_ms=now)
        case ["silent", _]:
            return CancelSilent(**base, **command, doubt=Doubt.SILENCE, noticed_ms=now)
        case ["unsent", _]:
            return CancelNotSent(**base, **command, reason=NotCancelled.LINE_NOT_OPEN, noticed_ms=now)
        case ["repeat" | "settle", *again]:
            return _order(words[0], now, state, orders, again=bool(again))
        case ["never", "sent", _]:
            return CancelNotSent(**base, **command, reason=NotCancelled.ORIGINAL_NEVER_SENT, noticed_ms=now)
        case _:
            raise AssertionError(text)


def _answered(decision: Decision) -> str:
    answer = decision.answer
    if answer is None:
        return ""
    assert answer.operator == "Sato"
    if answer.refusal is not None:
        return f"{answer.order} {answer.refusal}"
    command = f" {TYPE[answer.command]}/{answer.attempt}" if answer.command else ""
    return f"accepted {answer.stage}{command}"


def _shown(decision: Decision, now: int) -> str:
    if decision.state is None:
        return f"- | {'forgotten' if decision.changed else _answered(decision)}".rstrip()
    out = []
    for order in decision.orders:
        if isinstance(order, SendCancel):
            assert order.original == ORIGINAL
            assert order.send_by_ms == decision.state.changed_ms + POLICY.send_window_ms
            out.append(f"{TYPE[order.command]}/{order.attempt}")
        else:
            assert isinstance(order, ReleaseRoute)
            out.append("release")
    if decision.attention:
        out.append(f"attention {decision.attention.reason}")
    if decision.settlement:
        out.append(f"settled {decision.settlement.end}")
    if decision.closed:
        assert decision.closed.line == ORIGINAL.line
        assert decision.closed.closed_ms == decision.state.changed_ms
        out.append(f"closed {decision.closed.outcome} by {decision.closed.operator}")
    out += filter(None, [_answered(decision)])
    due = f" +{decision.state.due_ms - now}" if decision.changed and decision.state.due_ms else ""
    return f"{decision.state.stage}{due} | {', '.join(out)}".rstrip()


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str) -> None:
    state: CancelState | None = None
    dues: dict[str, int] = {}
    orders: Orders = {}
    played, expected = [], []
    for line in SCENARIOS[name].strip().splitlines():
        found = re.fullmatch(r"\s*(\d+)\s+(.*?)\s+-> (.*?)\s*", line)
        assert found, line
        now, what, then = int(found[1]), found[2], " ".join(found[3].split())
        decision = decide(_record(what, now, dues, state, orders), state, SETTINGS, now, "AP02:r1")
        state = decision.state
        if state is not None and state.due_ms is not None:
            dues[state.stage] = state.due_ms
        expected.append(f"{now} {what} -> {then}")
        played.append(f"{now} {what} -> {_shown(decision, now)}")
    assert played == expected
