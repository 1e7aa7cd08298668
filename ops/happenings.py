"""What of a drill's plan really happened, read from what lies in the topics and what the processes have said.

That something was done to a line is no proof that it met the line as it was meant: its owner may have been killed a
moment too late, a second call may have come when the first was gone. A drill says how often each thing has to have
happened, and is not clean without.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from ops.chaos import Deed, Done
from ops.line_faults import LineFault
from ops.money import Evidence
from pipeline.log import Message
from pipeline.owned import EPOCH
from schemas import wire
from schemas.records import LineStage, LineState, LineTaken, LineWish, RouteHeld, TelegramSent

_PROBE_FAILED = "keep-alive not answered"  # the reason of `egress.station`
_TOO_MANY_STRAYS = "strays in a minute"  # in the reason of `egress.strays`
_SECOND_REFUSED = "a second connection was refused"  # as `egress.connection` logs it
_SECOND_TAKEN = "a second connection takes the first one's place"
_CLOCK_WRONG = "clock wrong"  # as `pipeline.clock` logs it
_GIVEN_AWAY = "lines given away: this machine's clock is wrong"  # as `egress.shell` logs it
_CLOSED_TO_CLIENTS = ("refused: station_closed", "refused: no_open_line")


class Happening(StrEnum):
    """What a drill may want to have happened."""

    HOLD_INHERITED = "a route held by an owner that died was held by the next one"
    CANCEL_INHERITED = "and the next one sent its cancel"
    DIED_OPENING = "an owner died while it opened the line"
    DIED_DRAINING = "an owner died while it drained the line"
    DIED_CLOSING = "an owner died while it closed the line"
    KEPT_CLOSED = "an owner died while the calendar had the line closed, and the next one kept it closed"
    TAKEN_FROM_CUT_OFF = "a line was taken from an owner that was cut off from Kafka"
    SECOND_REFUSED = "a second call was refused"
    SECOND_TAKEN = "a second call took the first one's place"
    DEAD_AND_REFUSED = "a second call was refused, and the first connection was half-open"
    DEAD_AND_REPLACED = "a second call took the place of a half-open one"
    FOUND_DEAD = "a keep-alive found a half-open connection"
    CALENDAR_CLOSED = "the calendar closed a line, and it was open again afterwards"
    PARTNER_CLOSED = "the calendar had closed all lines of a partner"
    REFUSED_CLOSED = "a client was told that the line is closed"
    CLOCK_WRONG = "a service said that its machine's clock is wrong"
    LINES_GIVEN_AWAY = "an egress with a wrong clock gave its lines away"
    BREAKER_OPENED = "a breaker opened"
    BREAKER_CLOSED = "keep-alives were answered, and the breaker closed"
    BREAKER_KEPT = "a line that broke while its breaker was open was suspended again"
    HUNG_UP_FOR_STRAYS = "a line that brought too many strays was hung up"


class Happened(NamedTuple):
    """It happened, here."""

    what: Happening
    where: str


class _Tenure(NamedTuple):
    """An owner of a line: from which place in `sent`, and what it told about the line."""

    node: str
    epoch: int
    taken_ms: int
    states: list[LineState]


_DIED = {
    LineStage.OPENING: Happening.DIED_OPENING,
    LineStage.DRAINING: Happening.DIED_DRAINING,
    LineStage.CLOSING: Happening.DIED_CLOSING,
}


def happened(evidence: Evidence, done: Sequence[Done]) -> list[Happened]:
    """Everything that is looked for. Raises `RecordError`."""
    states = _states(evidence)
    found: list[Happened] = []
    for line in evidence.stations:
        found += _inheritances(evidence, line, states.get(line, []), done)
        found += _found_dead(line, states.get(line, []), done)
        found += _reopenings(line, states.get(line, []))
        found += _hung_up(line, states.get(line, []))
        found += _breaker(line, _tenures(evidence, line, states.get(line, [])))
    found += _second_calls(evidence, done)
    found += _wrong_clocks(evidence)
    found += _partners_closed(evidence, states)
    refused = {each.transaction_id for each in evidence.clients if each.told in _CLOSED_TO_CLIENTS}
    found += [Happened(Happening.REFUSED_CLOSED, "") for _ in refused]
    return found


def misused_payments(evidence: Evidence) -> list[str]:
    """Customers' payments that went onto a line while its breaker was open: a line each. Raises `RecordError`."""
    found = []
    for line, states in _states(evidence).items():
        sent = [(each.sent_ms, each.transaction_id) for each in _sent(evidence, line) if each.attempt == 0]
        for since, until in _spells(_tenures(evidence, line, states)):
            until_ms = until.since_ms if until is not None else since.told_ms or 0
            found += [
                f"{who} was put onto {line} while its breaker was open"
                for at, who in sent
                if since.since_ms < at < until_ms
            ]
            if until is not None and (until.answered_ms or 0) <= since.since_ms:
                found.append(f"{line} was used again after its breaker had opened, though no keep-alive was answered")
    return found


# --- what lies in the topics ----------------------------------------------------------------------------------------


def _states(evidence: Evidence) -> Mapping[str, list[LineState]]:
    found: dict[str, list[LineState]] = {}
    for message in evidence.topics.get("lines", ()):
        if message.value is not None:
            state = wire.decode_as(LineState, message)
            found.setdefault(state.line, []).append(state)
    return found


def _sent(evidence: Evidence, line: str, after: int = -1) -> Iterator[TelegramSent]:
    for message in evidence.topics[f"sent.{line}"]:
        record = wire.decode(message)
        if isinstance(record, TelegramSent) and message.offset > after:
            yield record


def _tenures(evidence: Evidence, line: str, states: Iterable[LineState]) -> list[_Tenure]:
    taken = [(wire.decode(message), message.offset) for message in evidence.topics[f"sent.{line}"]]
    found = [_Tenure(each.node, at, each.taken_ms, []) for each, at in taken if isinstance(each, LineTaken)]
    number = -1
    for state in states:  # told in the order of the tenures, each by its own node
        while number + 1 < len(found) and state.since_ms >= found[number + 1].taken_ms:
            number += 1
        if number >= 0 and found[number].node == state.node:
            found[number].states.append(state)
    return found


# --- owners that died -----------------------------------------------------------------------------------------------


def _inheritances(
    evidence: Evidence, line: str, states: Sequence[LineState], done: Sequence[Done]
) -> Iterator[Happened]:
    tenures = _tenures(evidence, line, states)
    for dead, heir in pairwise(tenures):
        if dead.node != heir.node and _was_cut_off(dead, heir, done):
            yield Happened(Happening.TAKEN_FROM_CUT_OFF, line)
        if dead.node == heir.node or not _was_killed(dead, heir, done):
            continue
        last = dead.states[-1] if dead.states else None
        if last is not None and last.stage in _DIED:
            yield Happened(_DIED[last.stage], line)
        if last is not None and _by_calendar(last) and heir.states and _by_calendar(heir.states[0]):
            yield Happened(Happening.KEPT_CLOSED, line)
        inherited = list(_inherited(evidence.topics.get("holds", ()), line, heir.epoch))
        yield from (Happened(Happening.HOLD_INHERITED, line) for _ in inherited)
        cancelled = {each.transaction_id for each in _sent(evidence, line, heir.epoch) if each.attempt > 0}
        yield from (Happened(Happening.CANCEL_INHERITED, line) for each in inherited if each in cancelled)


def _was_killed(dead: _Tenure, heir: _Tenure, done: Sequence[Done]) -> bool:
    """Whether it was kill -9 that ended its time."""
    number = dead.node.removeprefix("node")
    names = (f"egress-{number}", f"node-{number}")
    return any(
        each.fault.do is Deed.KILL and each.target in names and dead.taken_ms <= each.at_ms <= heir.taken_ms
        for each in done
    )


def _was_cut_off(former: _Tenure, heir: _Tenure, done: Sequence[Done]) -> bool:
    """Whether it was without Kafka when the next one took the line."""
    node = f"node-{former.node.removeprefix('node')}"
    return any(
        each.fault.do is Deed.CUT_OFF and each.target == node
        and each.at_ms <= heir.taken_ms <= each.at_ms + each.fault.lasts_s * 1_000
        for each in done
    )  # fmt: skip


def _inherited(messages: Iterable[Message], line: str, epoch: int) -> Iterator[str]:
    """The transactions whose holds the owner of this epoch found, and wrote anew in its own name."""
    standing: dict[bytes, str] = {}
    for message in messages:
        assert message.key is not None
        if not message.key.startswith(f"{line}/".encode()):
            continue
        written = next((int(value) for name, value in message.headers if name == EPOCH), -1)
        if message.value is None:
            standing.pop(message.key, None)
            continue
        held = wire.decode_as(RouteHeld, message).transaction_id
        if written == epoch and standing.get(message.key) == held:
            yield held
        elif written < epoch:
            standing[message.key] = held
        if written >= epoch:
            standing.pop(message.key, None)


# --- calls ----------------------------------------------------------------------------------------------------------


def _second_calls(evidence: Evidence, done: Sequence[Done]) -> Iterator[Happened]:
    for _, words in _said(evidence, _SECOND_REFUSED, _SECOND_TAKEN):
        refused, line = words["event"] == _SECOND_REFUSED, words["line"]
        at_ms = int(datetime.fromisoformat(words["timestamp"]).timestamp() * 1_000)
        yield Happened(Happening.SECOND_REFUSED if refused else Happening.SECOND_TAKEN, line)
        if _is_dead(line, at_ms, done):
            yield Happened(Happening.DEAD_AND_REFUSED if refused else Happening.DEAD_AND_REPLACED, line)


def _said(evidence: Evidence, *events: str) -> Iterator[tuple[str, dict[str, str]]]:
    """What the services logged of these events, and which service did."""
    for name, text in evidence.texts.items():
        for said in text.splitlines():
            if said.startswith(b"{") and any(event.encode() in said for event in events):
                words = json.loads(said)
                if words["event"] in events:
                    yield name, words


def _wrong_clocks(evidence: Evidence) -> Iterator[Happened]:
    for name, words in _said(evidence, _CLOCK_WRONG, _GIVEN_AWAY):
        wrong = words["event"] == _CLOCK_WRONG
        yield Happened(Happening.CLOCK_WRONG if wrong else Happening.LINES_GIVEN_AWAY, name)


def _found_dead(line: str, states: Iterable[LineState], done: Sequence[Done]) -> Iterator[Happened]:
    for state in states:
        if state.reason == _PROBE_FAILED and _is_dead(line, state.since_ms, done):
            yield Happened(Happening.FOUND_DEAD, line)


def _is_dead(line: str, at_ms: int, done: Iterable[Done]) -> bool:
    """Whether the line was half-open then."""
    return any(
        each.fault.do is LineFault.HALF_OPEN and each.target == line
        and each.at_ms <= at_ms <= each.at_ms + each.fault.lasts_s * 1_000
        for each in done
    )  # fmt: skip


# --- the calendar ---------------------------------------------------------------------------------------------------


def _by_calendar(state: LineState) -> bool:
    """Whether the line is closed, because its calendar says so."""
    return state.stage is LineStage.CLOSED and state.wish is LineWish.CLOSED and state.wished_by == "calendar"


def _reopenings(line: str, states: Iterable[LineState]) -> Iterator[Happened]:
    closed = False
    for state in states:
        if closed and state.stage is LineStage.OPEN:
            yield Happened(Happening.CALENDAR_CLOSED, line)
            closed = False
        closed = closed or _by_calendar(state)


def _partners_closed(evidence: Evidence, states: Mapping[str, Sequence[LineState]]) -> Iterator[Happened]:
    lines: dict[str, set[str]] = {}
    for line, told in states.items():
        for state in told[:1]:
            lines.setdefault(state.partner, set()).add(line)
    closed: set[str] = set()
    for message in evidence.topics.get("lines", ()):
        state = wire.decode_as(LineState, message)
        before = lines[state.partner] <= closed
        closed = closed | {state.line} if _by_calendar(state) else closed - {state.line}
        if not before and lines[state.partner] <= closed:
            yield Happened(Happening.PARTNER_CLOSED, state.partner)


# --- floods -----------------------------------------------------------------------------------------------------------


def _hung_up(line: str, states: Iterable[LineState]) -> Iterator[Happened]:
    since = {state.since_ms for state in states if _TOO_MANY_STRAYS in (state.reason or "")}  # told again and again
    yield from (Happened(Happening.HUNG_UP_FOR_STRAYS, line) for _ in since)


# --- the breaker ----------------------------------------------------------------------------------------------------


def _breaker(line: str, tenures: Sequence[_Tenure]) -> Iterator[Happened]:
    for tenure in tenures:
        for before, state in pairwise(tenure.states):
            if (before.stage, state.stage) == (LineStage.OPENING, LineStage.SUSPENDED):
                yield Happened(Happening.BREAKER_KEPT, line)
    for _, until in _spells(tenures):
        yield Happened(Happening.BREAKER_OPENED, line)
        if until is not None:
            yield Happened(Happening.BREAKER_CLOSED, line)


def _spells(tenures: Iterable[_Tenure]) -> Iterator[tuple[LineState, LineState | None]]:
    """Each time a line was not to be used: the state that told so, and the one that told it open again.

    None, where it was closed first, or its owner's time was over: the next owner knows of no breaker.
    """
    for tenure in tenures:
        since: LineState | None = None
        for state in tenure.states:
            if since is None:
                since = state if state.stage is LineStage.SUSPENDED else None
            elif state.stage in (LineStage.OPEN, LineStage.CLOSED):
                yield since, state if state.stage is LineStage.OPEN else None
                since = None
        if since is not None:
            yield since, None
