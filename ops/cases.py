"""Cases of cancels 障害取消 as an operator sees them: the attention list 要対応一覧, and the history of one. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.log import Message
from pipeline.owned import EPOCH, MARKER_KEY
from schemas import wire
from schemas.records import (
    AttentionRaised,
    CancelNotSent,
    CancelReported,
    CancelSilent,
    CancelStage,
    CancelState,
    CaseClosed,
    CaseOutcome,
    Command,
    DeadlinePassed,
    Doubt,
    NotCancelled,
    OperatorOrder,
    OperatorOrdered,
    OrderAnswered,
    OrderRefusal,
    Record,
    ReplyLost,
    RequestInDoubt,
    SendCancel,
    TelegramSent,
    TelegramWithheld,
)
from schemas.telegrams import REPORT_OF, PartnerSpec, Role

WITH_PERSON = (CancelStage.ATTENTION, CancelStage.ORDERED)
ENDED = (CancelStage.CANCELLED, CancelStage.NOTHING_SENT, CancelStage.CLEARED)

STAGES: Mapping[CancelStage, str] = {
    CancelStage.CONFIRMING: "取消確認指令 応答待ち",
    CancelStage.CONFIRM_UNSENT: "取消確認指令 未送信",
    CancelStage.CONFIRM_PAUSED: "取消確認再指令 待機中",
    CancelStage.RECONFIRMING: "取消確認再指令 応答待ち",
    CancelStage.CANCELLING: "取消指令 応答待ち",
    CancelStage.CANCEL_UNSENT: "取消指令 未送信",
    CancelStage.CANCEL_PAUSED: "取消再指令 待機中",
    CancelStage.RECANCELLING: "取消再指令 応答待ち",
    CancelStage.ATTENTION: "要対応",
    CancelStage.ORDERED: "要対応(再指令 応答待ち)",
    CancelStage.CANCELLED: "取消済み",
    CancelStage.NOTHING_SENT: "未送信につき取消不要",
    CancelStage.CLEARED: "対応完了",
}
_REASONS: Mapping[str, str] = {
    Doubt.SILENCE: "応答なし",
    Doubt.LINE_BROKE: "回線断",
    Doubt.NOBODY_SAID: "報告なし",
    "reply_lost": "報告返却不能",
    NotCancelled.ORIGINAL_NEVER_SENT: "原取引は未送信",
    NotCancelled.ORIGINAL_NOT_FOUND: "原取引の通番不明",
    NotCancelled.LINE_NOT_OPEN: "回線閉局中",
    NotCancelled.NOT_SENT_IN_TIME: "送信期限切れ",
    NotCancelled.NO_FREE_ROUTE: "経路空きなし",
    NotCancelled.TRACE_NUMBERS_EXHAUSTED: "処理通番なし",
    NotCancelled.DOES_NOT_FIT_TELEGRAM: "電文に収まらない",
    "cancel_reported": "取消報告受信",
}
_ORDERS = {OperatorOrder.REPEAT: "再指令", OperatorOrder.SETTLE: "対応完了"}
_OUTCOMES = {CaseOutcome.CANCELLED: "取消成立", CaseOutcome.STANDS: "売上成立", None: "結果不明"}
REFUSALS: Mapping[OrderRefusal, tuple[str, str]] = {
    OrderRefusal.UNKNOWN: ("該当する障害取消なし", "there is no cancel of this transaction"),
    OrderRefusal.ALREADY_ENDED: ("既に終了", "it has ended already"),
    OrderRefusal.CHANGED_MEANWHILE: (
        "照会後に状態が変化。再確認のこと",
        "it does not stand where you saw it any more: look again",
    ),
    OrderRefusal.COMMAND_UNDER_WAY: (
        "指令の応答待ち。応答後に再度指示のこと",
        "a command is under way: its answer comes first",
    ),
    OrderRefusal.NOT_WITH_A_PERSON: (
        "自動取消中につき手動完了不可",
        "the gateway still cancels it by itself: order a re-command, or wait for the attention list",
    ),
}


class Case(NamedTuple):
    """A cancel as it stands now, and since when a person has it."""

    state: CancelState
    raised_ms: int | None


class Happened(NamedTuple):
    """One line of a history."""

    at_ms: int
    japanese: str
    english: str


def reason_in_japanese(reason: str | None, spec: PartnerSpec | None = None) -> str:
    """A reason of a cancel's state in words; of an error code with the partner's own."""
    if reason is None:
        return ""
    if reason.startswith("error_report"):
        return f"異常報告 {reason.removeprefix('error_report').strip()}".rstrip()
    code = None if spec is None else spec.error_codes.get(reason)
    return _REASONS.get(reason, reason) if code is None else f"{reason} {code.japanese}"


def cases(cancels: Iterable[Message], attention: Iterable[Message]) -> dict[str, Case]:
    """Every cancel that is known, by transaction id, from the topics `cancels` and `attention`. Raises `RecordError`.

    What a former owner of a partition wrote after its successor's marker is not taken for a state (`pipeline.owned`).
    """
    states: dict[bytes, CancelState] = {}
    markers: dict[int, int] = {}
    for message in cancels:
        assert message.key is not None
        if message.key == MARKER_KEY:
            markers[message.partition] = message.offset
        elif _epoch_of(message) >= markers.get(message.partition, -1):
            if message.value is None:
                states.pop(message.key, None)
            else:
                states[message.key] = wire.decode_as(CancelState, message)
    raised: dict[bytes | None, int] = {}
    for message in attention:
        if message.value is not None:
            raised.setdefault(message.key, wire.decode_as(AttentionRaised, message).raised_ms)
        else:
            raised.pop(message.key, None)
    return {state.transaction_id: Case(state, raised.get(key)) for key, state in states.items()}


def _epoch_of(message: Message) -> int:
    return next((int(value) for name, value in message.headers if name == EPOCH), -1)


def listed(known: Mapping[str, Case], *, everything: bool) -> list[Case]:
    """What a person has, the oldest first; with `everything` also what the gateway still cancels by itself."""
    found = [
        case
        for case in known.values()
        if case.state.stage in WITH_PERSON or (everything and case.state.stage not in ENDED)
    ]
    return sorted(found, key=lambda case: (case.state.stage not in WITH_PERSON, case.state.since_ms))


def facts(case: Case, now_ms: int) -> dict[str, Any]:
    """A case as one flat object, for machines."""
    state = case.state
    return {
        "transaction_id": state.transaction_id,
        "customer": state.customer,
        "reference": state.reference,
        "partner": state.partner,
        "line": state.original.line,
        "kind": state.original.kind.value,
        "terminal_id": state.original.terminal_id,
        "amount": state.original.amount,
        "trace_number": state.original.trace_number,
        "business_date": state.original.business_date,
        "stage": state.stage.value,
        "reason": state.reason,
        "error_code": state.error_code,
        "attempts": state.attempt,
        "not_sent": state.unsent,
        "since_ms": state.since_ms,
        "age_s": max(0, now_ms - state.since_ms) // 1_000,
        "changed_ms": state.changed_ms,
        "due_ms": state.due_ms,
        "with_a_person_since_ms": case.raised_ms,
    }


# --- the history of one ---------------------------------------------------------------------------------------------


def history(
    topics: Mapping[str, Sequence[Message]], transaction_id: str, spec: PartnerSpec | None
) -> list[Happened]:  # fmt: skip
    """Every telegram of a cancel, every answer, and who decided what, in the order of time. Raises `RecordError`.

    `topics`: as `ops.reading` gives them, the cause of what stands in another before it. `spec`: of the partner.
    """
    told: dict[Record, Happened] = {}  # a record that was written twice, after a crash, is told once
    for message, record in _about(topics, transaction_id):
        if (said := words(record, spec)) is not None:
            told.setdefault(record, Happened(message.timestamp_ms, *said))
    return sorted(told.values(), key=lambda each: each.at_ms)


def _about(topics: Mapping[str, Sequence[Message]], transaction_id: str) -> Iterator[tuple[Message, Record]]:
    keys = {transaction_id.encode(), transaction_id.partition("/")[0].encode()}
    for messages in topics.values():
        for message in messages:
            if message.key in keys and message.value is not None:
                record = wire.decode(message)
                if getattr(record, "transaction_id", None) == transaction_id:
                    yield message, record


def words(record: Record, spec: PartnerSpec | None) -> tuple[str, str] | None:
    """What a record about a cancel says, in Japanese and English; None of one that is not about a cancel."""
    match record:
        case RequestInDoubt():
            return f"要求の結果不明: {reason_in_japanese(record.doubt)}", f"request in doubt: {record.doubt}"
        case ReplyLost():
            return "報告返却不能", "the reply could not be delivered"
        case SendCancel():
            name, code = _named(Role(f"fault_{record.command}"), spec)
            return f"指示 {name} 第{record.attempt}回", f"order {code} #{record.attempt}"
        case TelegramSent():
            name, code = _named(Role(record.role), spec)
            numbers = f"{record.trace_number}, {record.route_number}"
            return f"→ {name}(処理通番・経路 {numbers})", f"→ {code} (trace number, route {numbers})"
        case TelegramWithheld():
            name, code = _named(Role(record.role), spec)
            return f"送信せず {name}: {reason_in_japanese(record.reason)}", f"withheld {code}: {record.reason}"
        case CancelReported() | CancelSilent() | CancelNotSent():
            return _came(record, spec)
        case DeadlinePassed():
            return "期限経過", f"deadline passed: {record.deadline}"
        case AttentionRaised():
            return f"要対応へ: {reason_in_japanese(record.reason, spec)}", f"handed to a person: {record.reason}"
        case OperatorOrdered() | OrderAnswered() | CaseClosed():
            return _decided(record)
        case _:
            return None


def _came(record: CancelReported | CancelSilent | CancelNotSent, spec: PartnerSpec | None) -> tuple[str, str]:
    """What came of a command."""
    match record:
        case CancelReported() if record.in_error:
            return (
                f"← 異常報告 {record.error_code or ''}".rstrip(),
                f"← error report {record.error_code or ''}".rstrip(),
            )
        case CancelReported():
            name, code = _named(REPORT_OF[Role(f"fault_{record.command}")], spec)
            if record.error_code is None:
                return f"← {name} 取消成立", f"← {code}: cancelled"
            return f"← {name} {reason_in_japanese(record.error_code, spec)}", f"← {code}: {record.error_code}"
        case CancelSilent():
            return f"報告なし 第{record.attempt}回: {reason_in_japanese(record.doubt)}", f"no report: {record.doubt}"
        case CancelNotSent():
            return f"未送信 第{record.attempt}回: {reason_in_japanese(record.reason)}", f"not sent: {record.reason}"


def _decided(record: OperatorOrdered | OrderAnswered | CaseClosed) -> tuple[str, str]:
    """What an operator decided, and what it led to."""
    match record:
        case OperatorOrdered():
            outcome = f"({_OUTCOMES[record.outcome]})" if record.order is OperatorOrder.SETTLE else ""
            return (
                f"運用者 {record.operator}: {_ORDERS[record.order]}を指示{outcome}「{record.reason}」",
                f"{record.operator} orders {record.order}: {record.reason}",
            )
        case OrderAnswered() if record.refusal is not None:
            japanese, english = REFUSALS[record.refusal]
            return f"指示を拒否: {japanese}", f"refused: {english}"
        case OrderAnswered():
            return "指示を受付", f"accepted: {record.stage or ''}"
        case CaseClosed():
            by = "" if record.operator is None else f"({record.operator})"
            return (
                f"対応完了{by}: {_OUTCOMES[record.outcome]}",
                f"closed: {record.outcome or 'outcome not said'}, {record.reason}",
            )


def _named(role: Role, spec: PartnerSpec | None) -> tuple[str, str]:
    """A telegram in Japanese with its type code, and its code alone."""
    if spec is None:
        return role, role
    code = spec.type_code(role)
    return f"{code} {spec.telegrams[role].japanese}", code


def command_in_words(command: Command, spec: PartnerSpec) -> str:
    """A cancel telegram with its type code: ``8940 取消確認再指令``."""
    return _named(Role(f"fault_{command}"), spec)[0]
