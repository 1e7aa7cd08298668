"""The law of cancels (障害電文): states × events, in the order of the tables of domain.md. Total, and pure data.

    1  request ─timeout─▶ 8930 ─▶ 8960 (end)            2  report undeliverable ─▶ 8910 ─▶ 8950 (end)
                           └timeout─▶ 8940 ─▶ …                                     └timeout─▶ 8920 ─▶ …

A row says where an event leads and what is done on the way. What is read again, or comes for an attempt that is over,
is the event `STALE`: it changes nothing and gives the state's own order once more, because the crash that made it be
read again may have come before the order was out. Whoever gets the order knows a copy: the line by transaction and
attempt, the router by the transaction's stage, the attention list by its key.

What a person has stays with a person: the transaction has ended (`Stage.ATTENTION`), whatever he does about the case.
He may order one command more (`ORDERED`; whatever comes of it but 8950 or 8960 gives the case back to him), or close
the case. It is not forgotten before.

`python -m faults.table` prints the table and the diagram of the documentation.
"""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import NamedTuple

from schemas.records import CancelStage

S = CancelStage


class Event(Enum):
    """What can happen to a cancel. ``_LAST``: the policy's patience is used up with this one."""

    REQUEST_IN_DOUBT = "request in doubt"  # timeouts
    REPLY_LOST = "reply undeliverable"  # undelivered
    DONE = "8950 / 8960"
    TROUBLE = "C13 / C14 / C50"
    TROUBLE_LAST = "C13 / C14 / C50, last"
    ERROR = "異常報告"
    SILENT = "silence"
    SILENT_LAST = "silence, last"
    UNSENT = "not sent"
    UNSENT_LAST = "not sent, last"
    UNSENDABLE = "cannot be put into a telegram"
    NEVER_SENT = "the request never went out"
    PAUSE_OVER = "pause over"
    OPERATOR_REPEAT = "an operator orders a re-command"  # operator-commands
    OPERATOR_SETTLED = "an operator closes the case"
    FORGET = "remembered long enough"
    STALE = "stale"  # read again, or about an attempt that is over


class Act(Enum):
    """What is done on the way."""

    SEND_CANCEL = "send 8910"
    SEND_CANCEL_AGAIN = "send 8920"
    SEND_CONFIRM = "send 8930"
    SEND_CONFIRM_AGAIN = "send 8940"
    SEND_AS_ORDERED = "send the command, or its re-command"
    SETTLE = "tell the router"
    RELEASE_ROUTE = "release the route"
    RAISE_ATTENTION = "hand to a person"
    CLOSE_CASE = "close the case"
    FORGET = "forget"
    COUNT_STRANGER = "count"


class Row(NamedTuple):
    """One row of the table. `state` None: there is no cancel of this transaction."""

    state: CancelStage | None
    event: Event
    next: CancelStage | None
    acts: tuple[Act, ...]


ENTRY: Mapping[CancelStage, tuple[Act, ...]] = {
    S.CONFIRMING: (Act.SEND_CONFIRM,),
    S.CONFIRM_UNSENT: (),
    S.CONFIRM_PAUSED: (),
    S.RECONFIRMING: (Act.SEND_CONFIRM_AGAIN,),
    S.CANCELLING: (Act.SEND_CANCEL,),
    S.CANCEL_UNSENT: (),
    S.CANCEL_PAUSED: (),
    S.RECANCELLING: (Act.SEND_CANCEL_AGAIN,),
    S.ATTENTION: (Act.RAISE_ATTENTION, Act.SETTLE, Act.RELEASE_ROUTE),
    S.ORDERED: (Act.SEND_AS_ORDERED,),
    S.CANCELLED: (Act.SETTLE, Act.RELEASE_ROUTE),
    S.NOTHING_SENT: (Act.SETTLE, Act.RELEASE_ROUTE),
    # Told to the router as ATTENTION is: a crash may have come before it heard of that.
    S.CLEARED: (Act.CLOSE_CASE, Act.SETTLE, Act.RELEASE_ROUTE),
}
"""What is done on entering a state, and done again when something stale is read in it.

Every end releases the route: whoever owns the line by now may hold it, and cannot know of the end.
"""

UNDER_WAY = (S.CONFIRMING, S.RECONFIRMING, S.CANCELLING, S.RECANCELLING, S.ORDERED)
WAITING = (S.CONFIRM_UNSENT, S.CONFIRM_PAUSED, S.CANCEL_UNSENT, S.CANCEL_PAUSED)
ENDS = (S.CANCELLED, S.NOTHING_SENT, S.CLEARED)

_MOVES: Mapping[CancelStage | None, Mapping[Event, CancelStage]] = {
    None: {Event.REQUEST_IN_DOUBT: S.CONFIRMING, Event.REPLY_LOST: S.CANCELLING},
    S.CONFIRMING: {
        Event.DONE: S.CANCELLED,
        Event.TROUBLE: S.CONFIRM_PAUSED,
        Event.TROUBLE_LAST: S.ATTENTION,
        Event.ERROR: S.ATTENTION,
        Event.SILENT: S.CONFIRM_PAUSED,
        Event.SILENT_LAST: S.ATTENTION,
        Event.UNSENT: S.CONFIRM_UNSENT,
        Event.UNSENT_LAST: S.ATTENTION,
        Event.UNSENDABLE: S.ATTENTION,
        Event.NEVER_SENT: S.NOTHING_SENT,
    },
    S.CONFIRM_UNSENT: {
        Event.DONE: S.CANCELLED,
        Event.PAUSE_OVER: S.CONFIRMING,
        Event.OPERATOR_REPEAT: S.CONFIRMING,
    },
    S.CONFIRM_PAUSED: {
        Event.DONE: S.CANCELLED,
        Event.PAUSE_OVER: S.RECONFIRMING,
        Event.OPERATOR_REPEAT: S.RECONFIRMING,
    },
    S.RECONFIRMING: {
        Event.DONE: S.CANCELLED,
        Event.TROUBLE: S.CONFIRM_PAUSED,
        Event.TROUBLE_LAST: S.ATTENTION,
        Event.ERROR: S.ATTENTION,
        Event.SILENT: S.CONFIRM_PAUSED,
        Event.SILENT_LAST: S.ATTENTION,
        Event.UNSENT: S.CONFIRM_PAUSED,
        Event.UNSENT_LAST: S.ATTENTION,
        Event.UNSENDABLE: S.ATTENTION,
        Event.NEVER_SENT: S.NOTHING_SENT,
    },
    S.CANCELLING: {
        Event.DONE: S.CANCELLED,
        Event.TROUBLE: S.CANCEL_PAUSED,
        Event.TROUBLE_LAST: S.ATTENTION,
        Event.ERROR: S.ATTENTION,
        Event.SILENT: S.CANCEL_PAUSED,
        Event.SILENT_LAST: S.ATTENTION,
        Event.UNSENT: S.CANCEL_UNSENT,
        Event.UNSENT_LAST: S.ATTENTION,
        Event.UNSENDABLE: S.ATTENTION,
        Event.NEVER_SENT: S.ATTENTION,  # the partner answered it: the line and the partner contradict each other
    },
    S.CANCEL_UNSENT: {
        Event.DONE: S.CANCELLED,
        Event.PAUSE_OVER: S.CANCELLING,
        Event.OPERATOR_REPEAT: S.CANCELLING,
    },
    S.CANCEL_PAUSED: {
        Event.DONE: S.CANCELLED,
        Event.PAUSE_OVER: S.RECANCELLING,
        Event.OPERATOR_REPEAT: S.RECANCELLING,
    },
    S.RECANCELLING: {
        Event.DONE: S.CANCELLED,
        Event.TROUBLE: S.CANCEL_PAUSED,
        Event.TROUBLE_LAST: S.ATTENTION,
        Event.ERROR: S.ATTENTION,
        Event.SILENT: S.CANCEL_PAUSED,
        Event.SILENT_LAST: S.ATTENTION,
        Event.UNSENT: S.CANCEL_PAUSED,
        Event.UNSENT_LAST: S.ATTENTION,
        Event.UNSENDABLE: S.ATTENTION,
        Event.NEVER_SENT: S.ATTENTION,
    },
    S.ATTENTION: {
        Event.DONE: S.CLEARED,  # late, or after all: there is nothing left to do for a person
        Event.OPERATOR_REPEAT: S.ORDERED,
        Event.OPERATOR_SETTLED: S.CLEARED,
    },
    S.ORDERED: {
        Event.DONE: S.CLEARED,
        Event.TROUBLE: S.ATTENTION,
        Event.TROUBLE_LAST: S.ATTENTION,
        Event.ERROR: S.ATTENTION,
        Event.SILENT: S.ATTENTION,
        Event.SILENT_LAST: S.ATTENTION,
        Event.UNSENT: S.ATTENTION,
        Event.UNSENT_LAST: S.ATTENTION,
        Event.UNSENDABLE: S.ATTENTION,
        Event.NEVER_SENT: S.ATTENTION,
    },
    S.CANCELLED: {},
    S.NOTHING_SENT: {},
    S.CLEARED: {},
}

IMPOSSIBLE: frozenset[tuple[CancelStage | None, Event]] = frozenset(
    [(state, Event.PAUSE_OVER) for state in (None, *UNDER_WAY, S.ATTENTION, *ENDS)]
    + [(state, Event.FORGET) for state in (None, *UNDER_WAY, *WAITING, S.ATTENTION)]
)
"""Events that this service makes itself, from the state: elsewhere they would be a bug of ours, and a crash."""


def _row(state: CancelStage | None, event: Event) -> Row:
    to = _MOVES[state].get(event)
    if to is not None:
        return Row(state, event, to, ENTRY[to])
    if state is None:
        return Row(None, event, None, (Act.COUNT_STRANGER,))
    if event is Event.FORGET:
        return Row(state, event, None, (Act.FORGET,))
    return Row(state, event, state, ENTRY[state])  # nothing new: as for STALE


def _rows() -> Iterable[Row]:
    for state in (None, *S):
        for event in Event:
            if (state, event) not in IMPOSSIBLE:
                yield _row(state, event)


TABLE: Mapping[tuple[CancelStage | None, Event], Row] = {(row.state, row.event): row for row in _rows()}


# --- for the documentation ------------------------------------------------------------------------------------------


def markdown() -> str:
    """The moves as a table: one row each; every other pair changes nothing."""
    lines = ["| state | event | next | acts |", "|---|---|---|---|"]
    for row in TABLE.values():
        if row.next != row.state:
            acts = ", ".join(act.value for act in row.acts) or "–"
            lines.append(f"| {row.state or '–'} | {row.event.value} | {row.next or '–'} | {acts} |")
    return "\n".join(lines) + "\n"


def mermaid() -> str:
    """The moves as a state diagram."""
    lines = ["stateDiagram-v2"]
    ways: dict[tuple[str, str], list[str]] = {}
    for row in TABLE.values():
        if row.next is not None and row.next != row.state:
            ways.setdefault((row.state or "[*]", row.next), []).append(row.event.value)
    lines += [f"    {state} --> {to}: {' · '.join(events)}" for (state, to), events in ways.items()]
    lines += [f"    {end} --> [*]" for end in ENDS]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(f"{markdown()}\n```mermaid\n{mermaid()}```")  # noqa: T201  the module's command
