"""The money report: the invariants of the payment path, judged from what three parties wrote down independently.

What the clients were told, what the partners have in their books, and what lies in the topics. Shares no decision code
with the services: it knows the records and what must hold of them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pipeline.log import Message
from pipeline.owned import MARKER_KEY
from schemas import wire
from schemas.records import (
    Kind,
    Record,
    RequestAccepted,
    SendCancel,
    Stage,
    TelegramSent,
    TransactionState,
)

R = TypeVar("R", bound=Record)

_CREDITS = (Kind.CANCEL, Kind.REFUND)
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """What one client wrote down about one of its transactions. `told` None: it was gone before it was told."""

    transaction_id: str
    kind: Kind
    amount: int
    told: str | None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything the report is made from."""

    clients: Sequence[ClientRecord]
    ledgers: Mapping[str, Sequence[Mapping[str, Any]]]  # by partner: rows of `Control.ledger`
    violations: Mapping[str, Sequence[Mapping[str, Any]]]  # by partner: rows of `Control.violations`
    stations: Mapping[str, str]  # line → station id
    topics: Mapping[str, Sequence[Message]]  # by name without prefix; dispatch.<line> and sent.<line> among them
    texts: Mapping[str, bytes]  # logs and metrics pages
    secrets: Sequence[bytes]


@dataclass(slots=True)
class Finding:
    """One invariant: how much was looked at, and what broke it."""

    number: int
    japanese: str
    english: str
    looked_at: str = ""
    offenders: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.offenders

    def shown(self) -> str:
        """The first offenders as text."""
        more = len(self.offenders) - _SHOWN
        return "; ".join(self.offenders[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def report(evidence: Evidence) -> list[Finding]:
    """Every invariant, in the order of their numbers."""
    facts = _Facts(evidence)
    return [
        _sent_once(facts),
        _one_end(facts),
        _told_is_true(facts),
        _cancels(facts),
        _trace_numbers(facts),
        _sums(facts),
        _no_card_data(evidence),
    ]


class _Facts:
    """The evidence, sorted."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.requests = {each.transaction_id: each for each in self._records("requests", RequestAccepted)}
        self.courses: dict[str, list[Stage]] = defaultdict(list)
        self.states: dict[str, TransactionState] = {}
        for state in self._records("transactions", TransactionState):
            self.states[state.transaction_id] = state
            self.courses[state.transaction_id].append(state.stage)
        self.sent: list[tuple[str, TelegramSent]] = []
        self.cancels: dict[str, list[SendCancel]] = defaultdict(list)
        for line in evidence.stations:
            self.sent += [(line, each) for each in self._records(f"sent.{line}", TelegramSent)]
            for order in self._records(f"dispatch.{line}", SendCancel):
                self.cancels[order.transaction_id].append(order)
        by_number = {
            (evidence.stations[line], each.business_date, each.trace_number): each.transaction_id
            for line, each in self.sent
            if each.attempt == 0
        }
        self.entries: list[tuple[str | None, Mapping[str, Any]]] = [
            (by_number.get((row["station"], row["business_date"], row["trace_number"])), row)
            for rows in evidence.ledgers.values()
            for row in rows
        ]
        self.told: dict[str, set[str | None]] = defaultdict(set)
        self.asked: dict[str, ClientRecord] = {}
        for each in evidence.clients:
            self.told[each.transaction_id].add(each.told)
            self.asked.setdefault(each.transaction_id, each)

    def _records(self, topic: str, kind: type[R]) -> Iterator[R]:
        for message in self.evidence.topics[topic]:
            if message.value is not None and message.key != MARKER_KEY:
                record = wire.decode(message)
                if isinstance(record, kind):
                    yield record

    def approved(self, transaction_id: str) -> bool:
        return "approved" in self.told[transaction_id]

    def in_attention(self, transaction_id: str) -> bool:
        state = self.states.get(transaction_id)
        return state is not None and state.stage is Stage.ATTENTION


def _sent_once(facts: _Facts) -> Finding:
    finding = Finding(1, "要求は回線に一度だけ送信される", "no request is put on a line twice")
    finding.looked_at = f"{len(facts.entries)} booked requests, {len(facts.sent)} sent records"
    booked = Counter(transaction_id for transaction_id, _ in facts.entries if transaction_id is not None)
    finding.offenders += [f"{each} was booked {count} times" for each, count in booked.items() if count > 1]
    told = Counter(each.transaction_id for _, each in facts.sent if each.attempt == 0)
    finding.offenders += [f"{each} has {count} sent records" for each, count in told.items() if count > 1]
    finding.offenders += [
        f"trace number {row['trace_number']} of {row['station']} was booked without a sent record"
        for transaction_id, row in facts.entries
        if transaction_id is None
    ]
    return finding


def _one_end(facts: _Facts) -> Finding:
    finding = Finding(2, "すべての要求が必ず一つの終わりを持つ", "each accepted request has exactly one end")
    finding.looked_at = f"{len(facts.requests)} accepted requests"
    finding.offenders += [
        f"{each} was accepted and has no state" for each in facts.requests.keys() - facts.states.keys()
    ]
    for transaction_id, stages in facts.courses.items():
        ends = {stage for stage in stages if stage.ended}
        if len(ends) != 1:
            how = ", ".join(sorted(ends)) if ends else f"none, it stands at {stages[-1]}"
            finding.offenders.append(f"{transaction_id} has not one end: {how}")
    finding.offenders += [
        f"{each} was asked and never accepted"
        for each, told in facts.told.items()
        if each not in facts.requests and not all(str(word).startswith("rejected") for word in told)
    ]
    return finding


def _told_is_true(facts: _Facts) -> Finding:
    finding = Finding(3, "承認と伝えた取引は取消されず、伝えていない取引は残らない", "what was told is what stands")
    finding.looked_at = f"{len(facts.told)} transactions of clients"
    standing = {transaction_id for transaction_id, row in facts.entries if row["stands"] and transaction_id is not None}
    for transaction_id in facts.told:
        if facts.approved(transaction_id) and transaction_id not in standing:
            finding.offenders.append(f"{transaction_id} was told approved and does not stand in the partner's books")
    for transaction_id in standing:
        if not facts.approved(transaction_id) and not facts.in_attention(transaction_id):
            finding.offenders.append(f"{transaction_id} stands in the partner's books, and nobody was told approved")
    return finding


def _cancels(facts: _Facts) -> Finding:
    finding = Finding(
        4, "取消は一度だけ、同じ元取引に対して行われる", "each cancel names one original, and is done once"
    )
    finding.looked_at = f"{sum(map(len, facts.cancels.values()))} cancel telegrams of {len(facts.cancels)} transactions"
    for transaction_id, orders in facts.cancels.items():
        if len({order.original for order in orders}) > 1:
            finding.offenders.append(f"the cancels of {transaction_id} name different originals")
    finding.offenders += [
        f"{partner}: {each['broken']}: {each['text']}"
        for partner, violations in facts.evidence.violations.items()
        for each in violations
    ]
    return finding


def _trace_numbers(facts: _Facts) -> Finding:
    finding = Finding(5, "処理通番は回線・営業日ごとに一意", "trace numbers are unique per line and business day")
    numbers = Counter((line, each.business_date, each.trace_number) for line, each in facts.sent)
    finding.looked_at = f"{len(facts.sent)} telegrams on {len(facts.evidence.stations)} lines"
    finding.offenders += [f"{line} {day}: {number} {n} times" for (line, day, number), n in numbers.items() if n > 1]
    return finding


def _sums(facts: _Facts) -> Finding:
    finding = Finding(6, "センタの帳簿と顧客への回答が一致する", "the partners' books are what clients were told")
    booked = sum(int(row["balance"]) for _, row in facts.entries)
    told = sum(_yen(facts.asked[each]) for each in facts.told if facts.approved(each))
    attention = sum(
        int(row["balance"])
        for transaction_id, row in facts.entries
        if transaction_id is not None and facts.in_attention(transaction_id) and not facts.approved(transaction_id)
    )
    finding.looked_at = f"booked ¥{booked:,} = told ¥{told:,} + with a person ¥{attention:,}"
    if booked != told + attention:
        finding.offenders.append(f"the books hold ¥{booked - told - attention:,} more than was told")
    return finding


def _yen(asked: ClientRecord) -> int:
    if asked.kind is Kind.AUTHORISATION:
        return 0
    return -asked.amount if asked.kind in _CREDITS else asked.amount


def _no_card_data(evidence: Evidence) -> Finding:
    finding = Finding(7, "カード情報はどこにも平文で現れない", "no card data in clear anywhere")
    messages = sum(map(len, evidence.topics.values()))
    kilobytes = sum(map(len, evidence.texts.values())) // 1_000
    finding.looked_at = f"{messages} records, {kilobytes} kB of logs and metrics"
    for name, found in _places(evidence):
        if any(secret in found for secret in evidence.secrets):
            finding.offenders.append(name)
    return finding


def _places(evidence: Evidence) -> Iterable[tuple[str, bytes]]:
    for topic, messages in evidence.topics.items():
        for message in messages:
            whole = b"\n".join((message.key or b"", message.value or b"", *(value for _, value in message.headers)))
            yield f"{topic}/{message.partition}@{message.offset}", whole
    yield from evidence.texts.items()
