"""The money report: the invariants of the payment path, judged from what three parties wrote down independently.

What the clients were told, what the partners have in their books, and what lies in the topics. Shares no decision code
with the services: it knows the records and what must hold of them. What a process wrote after another had taken its
partition or its line is no evidence of what was done (`pipeline.owned`, `schemas.records.LineTaken`), and is left out.

Where there is nothing to judge, nothing holds: a report about no request at all is one of a stack that did not work.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ops.lives import fault_of_life, never_sent, words_of
from pipeline.log import Message
from pipeline.owned import EPOCH, MARKER_KEY
from schemas import wire
from schemas.records import (
    AttentionRaised,
    CancelReported,
    CaseClosed,
    Kind,
    LineTaken,
    Record,
    ReplyDelivered,
    RequestAccepted,
    SendCancel,
    Stage,
    TelegramSent,
    TransactionState,
)

R = TypeVar("R", bound=Record)

_CREDITS = (Kind.CANCEL, Kind.REFUND)
_SHOWN = 5
_PAN_MIN_DIGITS = 13

# What a client may have been told whatever became of its request: it says nothing about that.
_NO_WORD = {None, "in_process", "unknown", "refused: reference_has_other_content"}
_NO_WORDS = ("rejected: ", "error: ")  # of one asking; another one under the same reference may have been taken
_NOT_TAKEN = ("rejected: ", "error: NotSent", "error: ConnectError", "error: NotAuthenticated", "error: ClientClosed")


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """What one client wrote down about one of its transactions. `told` None: it was gone before it was told.

    A transaction may have several: one for each time its client asked for it or inquired about it.
    """

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
    """Every invariant, in the order of their numbers. Raises `schemas.wire.RecordError`."""
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
        self.lives: dict[str, list[TransactionState]] = defaultdict(list)
        for state in self._states():
            self.lives[state.transaction_id].append(state)
        self.never_sent = never_sent(
            each for topic in ("reports", "cancel-reports") for each in self._records(topic, Record)
        )
        self.delivered = {each.transaction_id for each in self._records("deliveries", ReplyDelivered)}
        self.raised = {each.transaction_id for each in self._records("attention", AttentionRaised)}
        # A case that was closed has left the list, and may be compacted away: who closed it stands in the answers.
        self.raised |= {each.transaction_id for each in _read(evidence.topics.get("operator-answers", ()), CaseClosed)}
        self.cancel_done = {
            each.transaction_id
            for each in self._records("cancel-reports", CancelReported)
            if not each.in_error and each.error_code is None
        }
        self.sent: list[tuple[str, TelegramSent]] = []
        self.cancels: dict[str, list[tuple[str, SendCancel]]] = defaultdict(list)
        for line in evidence.stations:
            self.sent += [(line, each) for each in self._sent(line)]
            for order in self._records(f"dispatch.{line}", SendCancel):
                self.cancels[order.transaction_id].append((line, order))
        self.request_sent = {each.transaction_id: (line, each) for line, each in self.sent if each.attempt == 0}
        by_number = {
            (evidence.stations[line], each.business_date, each.trace_number): each.transaction_id
            for line, each in self.sent
            if each.attempt == 0
        }
        self.entries: list[tuple[str | None, Mapping[str, Any]]] = []
        self.astray: list[str] = []  # what stands in another partner's books than its own
        for booker, rows in evidence.ledgers.items():
            for row in rows:
                booked = by_number.get((row["station"], row["business_date"], row["trace_number"]))
                self.entries.append((booked, row))
                if (life := self.lives.get(booked or "")) and life[-1].partner not in (None, booker):
                    self.astray.append(f"{booked} is for {life[-1].partner} and stands in the books of {booker}")
        self.booked = {transaction_id for transaction_id, _ in self.entries}
        self.told: dict[str, set[str | None]] = defaultdict(set)
        self.asked: dict[str, ClientRecord] = {}  # as it was approved; else as it was asked for first
        for record in evidence.clients:
            if record.told == "approved" and not self.approved(record.transaction_id):
                self.asked[record.transaction_id] = record
            self.asked.setdefault(record.transaction_id, record)
            self.told[record.transaction_id].add(record.told)

    def _records(self, topic: str, kind: type[R]) -> Iterator[R]:
        return _read(self.evidence.topics[topic], kind)

    def _states(self) -> Iterator[TransactionState]:
        """The states in order, but for what a former owner wrote after its successor's marker."""
        messages = self.evidence.topics["transactions"]
        markers: dict[int, int] = {}
        for message in messages:
            if message.key == MARKER_KEY:
                markers[message.partition] = message.offset
                continue
            if _epoch(message, -1) >= markers.get(message.partition, -1):
                yield from _read([message], TransactionState)

    def _sent(self, line: str) -> Iterator[TelegramSent]:
        """What was put on the line: a former owner's record, after another has taken the line, was not."""
        owner: str | None = None
        taken = -1
        for message in self.evidence.topics[f"sent.{line}"]:
            record = wire.decode(message)
            if isinstance(record, LineTaken):
                owner, taken = record.node, message.offset
            elif isinstance(record, TelegramSent) and owner in (None, record.node) and _epoch(message, taken) >= taken:
                yield record

    def with_person(self, transaction_id: str) -> bool:
        """Whether it ended in the attention list."""
        life = self.lives.get(transaction_id, [])
        return transaction_id in self.raised and any(state.stage is Stage.ATTENTION for state in life[-1:])

    def approved(self, transaction_id: str) -> bool:
        return "approved" in self.told.get(transaction_id, ())


def _epoch(message: Message, default: int) -> int:
    """The marker of the owner that wrote this; `default` where it names none."""
    return next((int(value) for name, value in message.headers if name == EPOCH), default)


def _read(messages: Iterable[Message], kind: type[R]) -> Iterator[R]:
    for message in messages:
        if message.value is not None and message.key != MARKER_KEY:
            record = wire.decode(message)
            if isinstance(record, kind):
                yield record


# --- 1, 2: requests -------------------------------------------------------------------------------------------------


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
    if not facts.requests:
        finding.offenders.append("no accepted request was found: there was nothing to look at")
    finding.offenders += [f"{each} was accepted and has no state" for each in facts.requests if each not in facts.lives]
    for transaction_id, life in facts.lives.items():
        fault = fault_of_life(life) or _fault_of_end(facts, life[-1])
        finding.offenders += [f"{transaction_id} {fault}"] if fault else []
    for transaction_id, told in facts.told.items():
        finding.offenders += [f"{transaction_id} {fault}" for fault in _told_amiss(facts, transaction_id, told)]
    return finding


def _fault_of_end(facts: _Facts, end: TransactionState) -> str | None:
    """Whether the end is what it says: others must have written something down that belongs to it."""
    transaction_id, stage = end.transaction_id, end.stage
    sent = facts.request_sent.get(transaction_id)
    if stage is Stage.REFUSED:
        if transaction_id in facts.booked:
            return "ended as refused and was booked by the partner"
        # A sent record alone proves nothing: the line may have closed after it was stored, and its owner then said so.
        if sent is not None and transaction_id not in facts.never_sent:
            return f"ended as refused and was put on {sent[0]}"
        return None
    if stage in (Stage.ANSWERED, Stage.RETURNED) and sent is None:
        return f"ended as {stage} and was put on no line"
    if stage is Stage.ANSWERED and transaction_id not in facts.delivered:
        return "ended as answered and nobody confirmed its answer"
    if stage is Stage.CANCELLED and transaction_id not in facts.cancel_done:
        return "ended as cancelled and no cancel report says so"
    if stage is Stage.ATTENTION and transaction_id not in facts.raised:
        return "ended with a person and stands on no attention list"
    return None


def _told_amiss(facts: _Facts, transaction_id: str, told: Collection[str | None]) -> Iterator[str]:
    """What a client was told of an end that was another one."""
    words = {word for word in told if word not in _NO_WORD and not str(word).startswith(_NO_WORDS)}
    if transaction_id not in facts.requests:
        yield from (f"was told {word} and never accepted" for word in sorted(map(str, words)))
        return
    if all(word is not None and word.startswith(_NOT_TAKEN) for word in told):
        yield f"was told {min(map(str, told))} and accepted"
    life = facts.lives.get(transaction_id)
    if life is not None and life[-1].stage.ended:
        end = life[-1]
        true = words_of(end)
        yield from (f"ended as {end.stage} and was told {word}" for word in sorted(map(str, words - true)))


# --- 3, 4, 5: what was told, cancels, numbers -----------------------------------------------------------------------


def _told_is_true(facts: _Facts) -> Finding:
    finding = Finding(3, "承認と伝えた取引は取消されず、伝えていない取引は残らない", "what was told is what stands")
    finding.looked_at = f"{len(facts.told)} transactions of clients"
    if not facts.told:
        finding.offenders.append("no client wrote anything down: there was nothing to look at")
    standing = {transaction_id: None for transaction_id, row in facts.entries if row["in_force"] and transaction_id}
    for transaction_id in facts.told:
        if facts.approved(transaction_id) and transaction_id not in standing:
            finding.offenders.append(f"{transaction_id} was told approved and does not stand in the partner's books")
        if facts.approved(transaction_id) and transaction_id in facts.cancels:
            finding.offenders.append(f"{transaction_id} was told approved and a cancel was ordered")
    for transaction_id in standing:
        if not facts.approved(transaction_id) and not facts.with_person(transaction_id):
            finding.offenders.append(f"{transaction_id} stands in the partner's books, and nobody was told approved")
    return finding


def _cancels(facts: _Facts) -> Finding:
    finding = Finding(
        4, "取消は一度だけ、同じ元取引に対して行われる", "each cancel names one original, and is done once"
    )
    finding.looked_at = f"{sum(map(len, facts.cancels.values()))} cancel telegrams of {len(facts.cancels)} transactions"
    for transaction_id, orders in facts.cancels.items():
        if len({order.original for _, order in orders}) > 1:
            finding.offenders.append(f"the cancels of {transaction_id} name different originals")
        if transaction_id in facts.request_sent:
            line, sent = facts.request_sent[transaction_id]
            named = {(each, order.original.trace_number) for each, order in orders}
            finding.offenders += [
                f"{transaction_id} went out as {sent.trace_number} of {line}, its cancel names {number} of {each}"
                for each, number in sorted(named, key=str)
                if each != line or number not in (None, sent.trace_number)
            ]
    attempts = Counter((each.transaction_id, each.attempt) for _, each in facts.sent if each.attempt > 0)
    finding.offenders += [
        f"attempt {attempt} of the cancel of {transaction_id} has {count} sent records"
        for (transaction_id, attempt), count in attempts.items()
        if count > 1
    ]
    finding.offenders += [
        f"{transaction_id} was cancelled on the line, and nobody ordered it"
        for transaction_id in sorted({transaction_id for transaction_id, _ in attempts} - facts.cancels.keys())
    ]
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


# --- 6, 7: sums, card data ------------------------------------------------------------------------------------------


def _sums(facts: _Facts) -> Finding:
    finding = Finding(6, "センタの帳簿と顧客への回答が一致する", "the partners' books are what clients were told")
    booked: Counter[str | None] = Counter()
    for transaction_id, row in facts.entries:
        booked[transaction_id] += int(row["balance"])
    told = {each: _yen(facts, each) for each in facts.told if facts.approved(each)}
    attention = {each: booked[each] for each in facts.raised if each not in told and facts.with_person(each)}
    finding.looked_at = (
        f"booked ¥{sum(booked.values()):,} = told ¥{sum(told.values()):,} + with a person ¥{sum(attention.values()):,}"
    )
    for transaction_id in (*told, *(each for each in booked if each is not None and each not in told)):
        ours = told.get(transaction_id, attention.get(transaction_id, 0))
        if booked[transaction_id] != ours:
            finding.offenders.append(f"{transaction_id}: the books hold ¥{booked[transaction_id]:,}, told ¥{ours:,}")
    finding.offenders += facts.astray
    if booked[None]:
        finding.offenders.append(f"the books hold ¥{booked[None]:,} that belong to no request")
    return finding


def _yen(facts: _Facts, transaction_id: str) -> int:
    """What an approved transaction moves, by the word of its client."""
    asked = facts.asked[transaction_id]
    if asked.kind not in _CREDITS:
        return 0 if asked.kind is Kind.AUTHORISATION else asked.amount
    original = facts.asked.get(transaction_id.rpartition("/")[0])
    return 0 if original is not None and original.kind is Kind.AUTHORISATION else -asked.amount


def _no_card_data(evidence: Evidence) -> Finding:
    finding = Finding(7, "カード情報はどこにも平文で現れない", "no card data in clear anywhere")
    messages = sum(map(len, evidence.topics.values()))
    kilobytes = sum(map(len, evidence.texts.values())) // 1_000
    finding.looked_at = f"{messages} records, {kilobytes} kB of logs and metrics"
    there = {"record": messages > 0, "log": any(evidence.texts.values()), "secret": bool(evidence.secrets)}
    finding.offenders += [
        f"no {what} was found: there was nothing to look at" for what, some in there.items() if not some
    ]
    spellings = [each for secret in evidence.secrets for each in _spellings(secret)]
    for name, found in _places(evidence):
        if any(each in found for each in spellings):
            finding.offenders.append(name)
    return finding


def _spellings(secret: bytes) -> Iterator[bytes]:
    """The secret, and for a card number the other ways in which it is often written."""
    assert secret
    yield secret
    if secret.isdigit() and len(secret) >= _PAN_MIN_DIGITS:
        groups = [secret[at : at + 4] for at in range(0, len(secret), 4)]
        yield from (mark.join(groups) for mark in (b" ", b"-"))
        yield secret.decode().encode("cp500")  # EBCDIC
        if len(secret) % 2 == 0:
            yield bytes.fromhex(secret.decode())  # packed digits


def _places(evidence: Evidence) -> Iterable[tuple[str, bytes]]:
    for topic, messages in evidence.topics.items():
        for message in messages:
            headers = [part for name, value in message.headers for part in (name.encode(), value)]
            whole = b"\n".join((message.key or b"", message.value or b"", *headers))
            yield f"{topic}/{message.partition}@{message.offset}", whole
    yield from evidence.texts.items()
