"""``denbun lines``: the line board 回線状態, and what an operator orders about lines and routes.

An order is a record; the line's owner acts on it and answers with another. Both are kept, as the audit trail.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ops.clocks import broker_time_ms
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
from ops.last_way import Lost, lost_by_hold, lost_by_order
from ops.line_board import STAGES, WISHES, Row, board, facts
from ops.reading import Ends, ends, read_topics
from ops.times import age, clock, now_ms
from ops.writing import write_record
from pipeline.log import Message
from schemas import wire
from schemas.installation import Installation, Line
from schemas.records import (
    CancelState,
    LineOrder,
    LineOrderAnswered,
    LineOrdered,
    LineState,
    RouteHeld,
    RouteOrderAnswered,
    RouteOrdered,
)
from schemas.topics import Topics
from wiring import kafka_log

Answer = LineOrderAnswered | RouteOrderAnswered
Ask = Callable[[str], bool]

_DRAINED = ["障害取消は続行", "cancels go on"]
_CLOSED = [
    "送信済みの要求と障害取消は最長 {} 秒待って閉局。残る障害取消は開局後に続行",
    "requests in flight and cancels are awaited for {} s at most; cancels that are left go on once it is open again",
]
_HELD = ["未使用の経路がなくなり、解除まで要求を送信できません", "no route is left for requests until one is released"]


@dataclass(frozen=True, slots=True)
class Given:
    """Who orders, and why."""

    operator: str
    reason: str


class Lines:
    """An installation's lines, for one command. Every method raises `LogError` or `RecordError`."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._topics = Topics(installation.kafka.topic_prefix)

    def now_ms(self) -> int | None:
        """The time by the broker's clock; None when no service runs. Takes up to a few seconds."""
        return broker_time_ms(self._installation.kafka)

    def rows(self, at_ms: int | None) -> list[Row]:
        """The board at that time, as `now_ms` gives it."""
        read = self._read("lines", "holds")
        states = {each.line: each for each in map(wire.decode, read["lines"]) if isinstance(each, LineState)}
        return board(self._installation.line, states, self._held(read["holds"]).values(), at_ms)

    def held(self, line: str, route: int) -> RouteHeld | None:
        """Who has this route."""
        return self._held(self._read("holds")["holds"]).get(f"{line}/{route}".encode())

    def cancel(self, transaction_id: str) -> CancelState | None:
        """How the cancel of this transaction stands."""
        newest = {each.key: each for each in self._read("cancels")["cancels"]}
        found = newest.get(transaction_id.encode())
        return None if found is None or found.value is None else wire.decode_as(CancelState, found)

    def line(self, name: str) -> Line:
        """A contracted line. Raises `Wrong`."""
        known = {each.name: each for each in self._installation.line}
        if name not in known:
            raise Wrong(f"{name}: 該当する回線なし  no such line: one of {', '.join(sorted(known))}")
        return known[name]

    def ask(self, topic: str, line: str, order: LineOrdered | RouteOrdered) -> Answer | None:
        """Have an order stored, and wait for its answer; None when nothing was in time."""
        name = self._topics(topic, line) if topic == "dispatch" else self._topics(topic)
        after = ends(self._installation.kafka, [self._topics("line-answers")])
        write_record(kafka_log(self._installation.kafka), "denbun-lines", name, line, order)
        for _ in looks():
            for record in map(wire.decode, self._read("line-answers", after=after)["line-answers"]):
                if isinstance(record, (LineOrderAnswered, RouteOrderAnswered)) and record.order_id == order.order_id:
                    return record
        return None

    @staticmethod
    def _held(messages: list[Message]) -> dict[bytes, RouteHeld]:
        held: dict[bytes, RouteHeld] = {}
        for each in messages:
            assert each.key is not None
            if each.value is None:
                held.pop(each.key, None)
            else:
                held[each.key] = wire.decode_as(RouteHeld, each)
        return held

    def _read(self, *names: str, after: Ends | None = None) -> Mapping[str, list[Message]]:
        full = {name: self._topics(name) for name in names}
        found = read_topics(self._installation.kafka, full.values(), after=after)
        return {name: found[topic] for name, topic in full.items()}


# --- the commands ---------------------------------------------------------------------------------------------------


def show_board(config: Path, *, as_json: bool) -> int:
    """The line board; gives the exit status."""

    def work(installation: Installation, console: Console) -> int:
        lines = Lines(installation)
        at_ms = lines.now_ms()
        rows = lines.rows(at_ms)
        if as_json:
            print_json([facts(row, at_ms) for row in rows])
        else:
            show(console, _table(rows, at_ms))
        return OK

    return at_desk(config, work)


def order_line(config: Path, line: str, order: LineOrder, given: Given, *, ask: Ask) -> int:
    """Order what a line shall be, and wait for its owner's answer; 0: answered, 1: not, 2: it made no sense.

    Of an order that takes the last way to a partner away, say so, and give it if `ask` agrees.
    """

    def work(installation: Installation, console: Console) -> int:
        lines = Lines(installation)
        record = LineOrdered(
            order_id=uuid.uuid4().hex, line=lines.line(line).name, order=order,
            operator=name_text(given.operator), reason=reason_text(given.reason), ordered_ms=now_ms(),
        )  # fmt: skip
        if order is not LineOrder.OPEN:
            at_ms = lines.now_ms()
            lost = lost_by_order(installation, lines.rows(at_ms), lines.line(line), order, at_ms or now_ms())
            limit_s = installation.egress.close_limit_ms // 1_000
            after = _DRAINED if order is LineOrder.DRAIN else [text.format(limit_s) for text in _CLOSED]
            if not _agreed(console, line, lost, after, ask):
                return NOT_DONE
        return _tell(console, lines.ask("line-orders", line, record))

    return at_desk(config, work)


def hold_route(config: Path, line: str, route: int, given: Given, *, ask: Ask) -> int:
    """Keep a route from all use; asks and gives the exit status as `order_line` does."""

    def work(installation: Installation, console: Console) -> int:
        lines = Lines(installation)
        lost = lost_by_hold(installation, lines.rows(lines.now_ms()), lines.line(line), route)
        if not _agreed(console, line, lost, _HELD, ask):
            return NOT_DONE
        return _route(Lines(installation), console, line, route, given, hold=True)

    return at_desk(config, work)


def release_route(config: Path, line: str, route: int, given: Given, *, ask: Ask) -> int:
    """Show for whom a route is held, and release it if `ask` agrees; gives the exit status as `order_line` does."""

    def work(installation: Installation, console: Console) -> int:
        lines = Lines(installation)
        lines.line(line)
        held = lines.held(line, route)
        if held is None:
            raise Wrong(f"{line}, route {route}: 保留されていません  is not held: see `denbun lines list`")
        cancel = lines.cancel(held.transaction_id)
        show(console, _affected(held, cancel))
        if not ask("保留を解除しますか  release it?"):
            console.print("取りやめ  nothing was ordered")
            return NOT_DONE
        return _route(lines, console, line, route, given, hold=False, seen=held.transaction_id)

    return at_desk(config, work)


def _route(
    lines: Lines, console: Console, line: str, route: int, given: Given, *, hold: bool, seen: str | None = None
) -> int:
    first, last = lines.line(line).routes
    if not first <= route <= last:
        raise Wrong(f"{line} has no route {route}: {first} to {last}")
    record = RouteOrdered(
        order_id=uuid.uuid4().hex, route_number=route, hold=hold, operator=name_text(given.operator),
        reason=reason_text(given.reason), ordered_ms=now_ms(), seen=seen,
    )  # fmt: skip
    return _tell(console, lines.ask("dispatch", line, record))


# --- what is printed ------------------------------------------------------------------------------------------------


def _table(rows: list[Row], at_ms: int | None) -> Table:
    wrong = sum(row.trouble is not None for row in rows)
    table = Table(title=f"回線状態  line board: {len(rows)}   要確認  to look at: {wrong}", show_lines=True)
    for heading in (
        "回線・担当\nline, node", "状態\nstage", "予定\nshould be", "接続・疎通確認 受/送\nsession, keep-alive in/out",
        "要求中/取消待/保留\nin flight/ cancels/ held", "注意\nto look at",
    ):  # fmt: skip
        table.add_column(heading)
    for row in rows:
        state, name = row.state, f"{row.line.name}\n{' + '.join(row.line.partners)}, {row.line.mode}"
        trouble = "" if row.trouble is None else "[yellow]{}\n{}[/yellow]".format(*map(escape, row.trouble))
        if state is None:
            table.add_row(name, *["–"] * 4, trouble)
            continue
        reason = f"\n{escape(state.reason)}" if state.reason else ""
        wish = "–" if state.wish is None else f"{WISHES[state.wish]} {state.wish}\n{escape(state.wished_by or '')}"
        table.add_row(
            escape(f"{name}\n{state.node}"),
            f"{STAGES[state.stage]} {state.stage}{reason}",
            wish,
            f"{_ago(state.connected_ms, at_ms)}\n{_ago(state.asked_ms, at_ms)} / {_ago(state.answered_ms, at_ms)}",
            "\n".join(
                [
                    f"{_number(state.in_flight)} / {_number(state.cancels_waiting)} / {len(row.holds)}",
                    *(f"経路 route {each.route_number}: {_ago(each.since_ms, at_ms)}" for each in row.holds),
                ]
            ),
            trouble,
        )
    return table


def _ago(since_ms: int | None, at_ms: int | None) -> str:
    """How long ago; where nobody tells the time, when."""
    if since_ms is None:
        return "–"
    return clock(since_ms) if at_ms is None else age(at_ms - since_ms)


def _number(value: int | None) -> str:
    return "–" if value is None else str(value)


def _agreed(console: Console, line: str, lost: Sequence[Lost], after: Sequence[str], ask: Ask) -> bool:
    """Say whose requests have no way any more, if anybody's, and ask."""
    if not lost:
        return True
    for each in lost:
        told = f"{line}: {each.partner} への最後の開局回線  the last open line to {each.partner}"
        console.print(told, style="bold yellow", markup=False)
        whose = ", ".join(f"{customer} ({', '.join(kinds)})" for customer, kinds in each.kinds.items())
        if whose:
            console.print(f"  次の要求は送信されず、回線が開くまで拒否: {whose}", markup=False)
            console.print("  these requests are not sent, but refused until a line there opens", markup=False)
        else:
            console.print("  この相手先を使う顧客なし  no customer's requests go there", markup=False)
    for text in after:
        console.print(f"  {text}", markup=False)
    if ask("実行しますか  give the order?"):
        return True
    console.print("取りやめ  nothing was ordered")
    return False


def _affected(held: RouteHeld, cancel: CancelState | None) -> Table:
    then = (
        "他の要求がこの経路を使います。終わっていない取消の再指令は空きを待ちます",
        "other requests use the route; a re-command of a cancel that has not ended waits until it is free",
    )
    table = Table(show_header=False, title=f"経路保留  route {held.route_number} of {held.line} is held")
    table.add_column(no_wrap=True)
    table.add_column()
    for name, value in (
        ("対象取引  for", held.transaction_id),
        ("理由  reason", held.reason),
        ("経過  since", age(now_ms() - held.since_ms)),
        ("処理通番・営業日  trace no., day", f"{held.trace_number or '–'} / {held.business_date or '–'}"),
        ("障害取消の状態  its cancel", "–" if cancel is None else f"{cancel.stage}, ¥{cancel.original.amount:,}"),
        ("解除すると  once released", "\n".join(then)),
    ):
        table.add_row(name, escape(value))
    return table


def _tell(console: Console, answer: Answer | None) -> int:
    if answer is None:
        console.print(
            f"[yellow]未応答  no answer within {ANSWER_S:g} s[/yellow]: nobody owns the line now; the order stands in "
            "the log, and holds as soon as somebody does: see `denbun lines list`"
        )
        return NOT_DONE
    if isinstance(answer, LineOrderAnswered):
        console.print(f"[green]受付  accepted[/green] by {answer.node}: {STAGES[answer.stage]}  {answer.stage}")
        return OK
    if not answer.done:
        why = "既に保留中  it is held already" if answer.hold else "保留なし  it was not held any more"
        console.print(f"[red]実行せず  not done[/red]: {why}")
        return NOT_DONE
    what = "保留しました  held" if answer.hold else f"解除しました  released, was held for {answer.released}"
    console.print(f"[green]{what}[/green]", soft_wrap=True)
    return OK
