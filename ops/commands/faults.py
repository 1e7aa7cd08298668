"""``denbun faults``: the attention list 要対応一覧, the history of a cancel, and what an operator decides about it.

An operator's decision is a record in `operator-commands`; the owner of the cancel's state carries it out or refuses it,
and its answer is another. So there is one writer of the state, and both records are the audit trail.
"""

import signal
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ops.attention import watch
from ops.cases import (
    REFUSALS,
    STAGES,
    WITH_PERSON,
    Case,
    Happened,
    cases,
    command_in_words,
    facts,
    history,
    listed,
    reason_in_japanese,
)
from ops.commands.desk import (
    ANSWER_S,
    NOT_DONE,
    OK,
    Wrong,
    at_desk,
    looks,
    name_text,
    print_json,
    reason_text,
)
from ops.commands.tables import show
from ops.reading import Ends, ends, read_topics
from ops.references import named
from ops.times import age, clock, now_ms
from ops.writing import write_record
from pipeline.log import Message
from schemas import wire
from schemas.identity import key_of
from schemas.installation import Installation
from schemas.records import CaseOutcome, OperatorOrder, OperatorOrdered, OrderAnswered
from schemas.telegrams import LayoutError, PartnerSpec, load_partner
from schemas.topics import Topics
from wiring import kafka_log

_AUDIT = ("operator-commands", "operator-answers")
_CAUSES = ("timeouts", "undelivered")
_OUTCOMES = ("cancel-reports", "attention")

Place = str | tuple[str, str]  # a topic, or the topic of a line


@dataclass(frozen=True, slots=True)
class Ordering:
    """What an operator wants, as the command line gives it."""

    order: OperatorOrder
    transaction_id: str
    reason: str
    operator: str
    outcome: CaseOutcome | None = None


class Desk:
    """An installation's topics, for one command. Every method raises `LogError` or `RecordError`."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._topics = Topics(installation.kafka.topic_prefix)

    def cases(self) -> dict[str, Case]:
        """Every cancel that is known."""
        read = self._read(["cancels", "attention"])
        return cases(*read.values())

    def history(self, transaction_id: str, case: Case | None) -> list[Happened]:
        """What happened to it; of a cancel that is forgotten, what operators decided."""
        if case is None:
            return history(self._read(_AUDIT), transaction_id, None)
        line = case.state.original.line
        # the broker's stamp of the request; another broker may have stamped the rest
        since_ms = case.state.original.accepted_ms - self._installation.clock_tolerance_ms
        topics: list[Place] = [*_CAUSES, ("dispatch", line), ("sent", line), *_OUTCOMES, *_AUDIT]
        return history(self._read(topics, since_ms), transaction_id, self.spec(case.state.partner))

    def spec(self, partner: str) -> PartnerSpec | None:
        """The partner's telegrams, if it has any here."""
        try:
            return load_partner(self._installation.partner_named(partner).telegrams)
        except (KeyError, LayoutError):
            return None

    def ask(self, order: OperatorOrdered) -> OrderAnswered | None:
        """Have an order stored, and wait for its answer; None when nothing was in time."""
        log, key = kafka_log(self._installation.kafka), key_of(order.transaction_id)
        after = ends(self._installation.kafka, [self._topics("operator-answers")])
        write_record(log, "denbun-faults", self._topics("operator-commands"), key, order)
        for _ in looks():
            for messages in self._read(["operator-answers"], after=after).values():
                for record in map(wire.decode, messages):
                    if isinstance(record, OrderAnswered) and record.order_id == order.order_id:
                        return record
        return None

    def _read(
        self, names: Sequence[Place], since_ms: int | None = None, after: Ends | None = None
    ) -> Mapping[str, Sequence[Message]]:
        full = [self._topics(each) if isinstance(each, str) else self._topics(*each) for each in names]
        found = read_topics(self._installation.kafka, full, since_ms, after=after)
        return {name: found[name] for name in full}


# --- the commands ---------------------------------------------------------------------------------------------------


def show_list(config: Path, *, everything: bool, as_json: bool) -> int:
    """The attention list; gives the exit status."""

    def work(desk: Desk, console: Console) -> int:
        found = listed(desk.cases(), everything=everything)
        at_ms = now_ms()
        if as_json:
            print_json([facts(case, at_ms) for case in found])
        else:
            show(console, _table(found, desk, at_ms, everything=everything))
        return OK

    return _at_desk(config, work)


def watch_list(config: Path) -> int:
    """Announce what a person has, and each case that comes, until SIGINT or SIGTERM; gives the exit status."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())

    def work(installation: Installation, console: Console) -> int:
        def say(text: str) -> None:
            console.bell()  # nothing where it is no terminal
            console.print(Text(text), soft_wrap=True)

        console.print("要対応を監視中  watching the attention list: Ctrl-C ends it")
        watch(installation, say, stop)
        return OK

    return at_desk(config, work)


def show_one(config: Path, transaction_id: str, *, as_json: bool) -> int:
    """One cancel and its history; gives the exit status."""

    def work(desk: Desk, console: Console) -> int:
        known = desk.cases()
        found = _named(transaction_id, known)
        case = known.get(found)
        happened = desk.history(found, case)
        if case is None and not happened:
            raise _unknown(transaction_id)
        if as_json:
            state = None if case is None else facts(case, now_ms())
            print_json({"state": state, "history": [each._asdict() for each in happened]})
            return OK
        if case is not None:
            show(console, _state_table(case, desk))
        show(console, _history_table(happened))
        return OK

    return _at_desk(config, work)


def give(config: Path, ordering: Ordering) -> int:
    """Give an order and wait for its answer; gives the exit status: 0 carried out, 1 not, 2 it made no sense."""

    def work(desk: Desk, console: Console) -> int:
        reason = reason_text(ordering.reason)
        operator = name_text(ordering.operator)
        known = desk.cases()
        found = _named(ordering.transaction_id, known)
        case = known.get(found)
        if case is None:
            raise _unknown(ordering.transaction_id)
        order = OperatorOrdered(
            transaction_id=found,
            order_id=uuid.uuid4().hex,
            order=ordering.order,
            outcome=ordering.outcome,
            reason=reason,
            operator=operator,
            seen=case.state.stage,
            seen_attempt=case.state.attempt,
            ordered_ms=now_ms(),
        )
        return _tell(console, desk.ask(order), desk.spec(case.state.partner))

    return _at_desk(config, work)


def _at_desk(config: Path, work: Callable[[Desk, Console], int]) -> int:
    return at_desk(config, lambda installation, console: work(Desk(installation), console))


def _named(text: str, known: Mapping[str, Case]) -> str:
    """The transaction that is meant: by its id, or by a reference that no other has. Raises `Wrong`."""
    found = named(text, known)
    if len(found) > 1:
        raise Wrong(f"{text}: 該当複数  several have this reference: give one of {', '.join(found)}")
    return found[0] if found else text


def _unknown(transaction_id: str) -> Wrong:
    return Wrong(
        f"{transaction_id}: 該当する障害取消なし  no cancel of this transaction: see `denbun faults list --all`"
    )


def _tell(console: Console, answer: OrderAnswered | None, spec: PartnerSpec | None) -> int:
    if answer is None:
        console.print(
            f"[yellow]未応答  no answer within {ANSWER_S:g} s[/yellow]: the order stands in the log, and is decided "
            "when faults runs; `denbun faults show` tells what came of it"
        )
        return NOT_DONE
    if answer.refusal is not None:
        japanese, english = REFUSALS[answer.refusal]
        console.print(f"[red]拒否: {japanese}  refused: {english}[/red]")
        return NOT_DONE
    told = "" if answer.stage is None else f"{STAGES[answer.stage]}  {answer.stage}"
    if answer.command is not None:
        named = answer.command if spec is None else command_in_words(answer.command, spec)
        told += f"; {named} #{answer.attempt}"
    console.print(f"[green]受付  accepted[/green]: {told}")
    return OK


# --- what is printed ------------------------------------------------------------------------------------------------


def _table(found: Sequence[Case], desk: Desk, at_ms: int, *, everything: bool) -> Table:
    open_cases = sum(case.state.stage in WITH_PERSON for case in found)
    title = f"要対応一覧  attention list: {open_cases}"
    if everything:
        title += f"   自動取消中  under way: {len(found) - open_cases}"
    table = Table(title=title, show_lines=True)
    for heading in (
        "取引・相手・回線\ntransaction, partner, line", "金額・通番\namount, trace", "状態\nstage", "理由\nreason",
        "回数・経過\nattempts, age",
    ):  # fmt: skip
        table.add_column(heading)
    for case in found:
        state = case.state
        trace_number = state.original.trace_number
        table.add_row(
            escape(f"{state.transaction_id}\n{state.partner} {state.original.line}"),
            f"¥{state.original.amount:,}\n{'–' if trace_number is None else trace_number}",
            f"{STAGES[state.stage]}\n{state.stage}",
            escape(f"{reason_in_japanese(state.reason, desk.spec(state.partner))}\n{state.reason or ''}"),
            f"{state.attempt}\n{age(at_ms - state.since_ms)}",
        )
    return table


def _state_table(case: Case, desk: Desk) -> Table:
    state = case.state
    original = state.original
    table = Table(show_header=False, title=f"{escape(state.transaction_id)}")
    table.add_column(no_wrap=True)
    table.add_column()
    numbers = f"{original.trace_number or '–'} / {original.route_number or '–'} / {original.business_date or '–'}"
    reason = reason_in_japanese(state.reason, desk.spec(state.partner))
    for name, value in (
        ("状態  stage", f"{STAGES[state.stage]}  {state.stage}, since {clock(state.changed_ms)}"),
        ("理由  reason", f"{reason}  {state.reason or '–'}"),
        ("エラーコード  error code", state.error_code or "–"),
        ("相手・回線  partner, line", f"{state.partner}, {original.line}"),
        ("取引種別・金額  kind, amount", f"{original.kind}, ¥{original.amount:,}"),
        ("端末識別番号  terminal", original.terminal_id),
        ("処理通番・経路・営業日  trace no., route, day", numbers),
        ("指令回数(うち未送信)  commands (not sent)", f"{state.attempt} ({state.unsent})"),
        ("発生  since", clock(state.since_ms)),
        ("要対応  with a person since", "–" if case.raised_ms is None else clock(case.raised_ms)),
        ("次の期限  next deadline", "–" if state.due_ms is None else clock(state.due_ms)),
    ):
        table.add_row(name, escape(value))
    return table


def _history_table(happened: Sequence[Happened]) -> Table:
    table = Table(title="経過  history")
    for heading in ("時刻\ntime", "内容", "what"):
        table.add_column(heading)
    for each in happened:
        table.add_row(clock(each.at_ms).replace(" ", "\n", 1), escape(each.japanese), escape(each.english))
    return table
