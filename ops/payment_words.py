"""What the records about a payment say, in Japanese and English, and how it ended. Pure."""

from collections.abc import Mapping, Sequence

from ops.cases import STAGES, reason_in_japanese, words
from pipeline.log import Message
from schemas.records import (
    Answer,
    CancelEnd,
    CancelSettled,
    CancelState,
    InquiryAsked,
    Kind,
    NeverSent,
    Outcome,
    Record,
    ReleaseRoute,
    ReplyDelivered,
    ReplyReady,
    ReplyUndeliverable,
    ReportMissing,
    ReportReceived,
    RequestAccepted,
    RouteHeld,
    SendRequest,
    Stage,
    Status,
    TransactionState,
)
from schemas.telegrams import PartnerSpec

KINDS = {Kind.AUTHORISATION: "オーソリ", Kind.SALE: "売上", Kind.CANCEL: "取消", Kind.REFUND: "返品"}
STATUSES: Mapping[Status, str] = {
    Status.APPROVED: "承認",
    Status.DECLINED: "否認",
    Status.TURNED_ROUND: "折返し",
    Status.IN_ERROR: "異常報告",
    Status.REFUSED: "拒否",
    Status.BEING_CANCELLED: "取消中",
    Status.CANCELLED: "取消済み",
    Status.ATTENTION: "要対応",
    Status.IN_PROCESS: "処理中",
    Status.UNKNOWN: "該当取引なし",
}
_STAGES: Mapping[Stage, tuple[str, str]] = {
    Stage.DISPATCHED: ("回線へ送信指示済み、報告待ち", "given to its line; the report is awaited"),
    Stage.REPLIED: ("利用側へ回答済み、受領確認待ち", "answered; the client's confirmation is awaited"),
    Stage.IN_DOUBT: ("結果不明、取消確認中", "in doubt; the gateway cancels it"),
    Stage.UNDELIVERED: ("回答返却不能、取消中", "the client could not be given the answer; the gateway cancels it"),
    Stage.REFUSED: ("拒否(回線へ送信せず)", "refused; nothing went onto a line"),
    Stage.ANSWERED: ("確定(利用側が受領を確認)", "settled; the client has confirmed its answer"),
    Stage.RETURNED: ("不成立(取消不要)", "came back undone; there is nothing to cancel"),
    Stage.CANCELLED: ("取消成立", "cancelled"),
    Stage.ATTENTION: ("要対応(運用者が確認)", "handed to a person"),
}
_ENDS = {
    CancelEnd.CANCELLED: ("取消成立", "cancelled"),
    CancelEnd.NOTHING_SENT: ("未送信につき取消不要", "nothing had been sent"),
    CancelEnd.ATTENTION: ("要対応", "handed to a person"),
}
_UNDELIVERABLE = {"session_gone": "接続断", "not_confirmed": "受領確認なし"}


def told(message: Message, record: Record, spec: PartnerSpec | None) -> tuple[str, str]:
    """One record; `spec` is of the partner."""
    match record:
        case RequestAccepted():
            kind = f"{KINDS[record.kind]} ¥{record.amount:,} 端末 {record.terminal_id}"
            return f"要求を受付: {kind}", f"request accepted: {record.kind} ¥{record.amount:,}"
        case InquiryAsked():
            return "利用側の照会", "the client inquires"
        case SendRequest():
            line = message.topic.rpartition(".")[2]
            return (
                f"送信指示: 相手 {record.partner or '–'} 回線 {line}",
                f"to be sent to {record.partner or '–'} over {line}",
            )
        case ReportReceived():
            late = ("(期限後)", ", late") if record.late else ("", "")
            code = "\n".join(coded(record, spec))
            japanese, _, english = code.partition("\n")
            return f"← 報告{late[0]}: {japanese}", f"← report{late[1]}: {english}"
        case ReportMissing():
            return f"報告なし: {reason_in_japanese(record.doubt)}", f"no report: {record.doubt}"
        case NeverSent():
            return f"送信せず: {record.refusal.japanese}", f"not sent: {record.refusal.english}"
        case _:
            return _afterwards(record) or words(record, spec) or ("", "")


def _afterwards(record: Record) -> tuple[str, str] | None:
    """What came after the partner's answer, or instead of it."""
    match record:
        case ReplyReady():
            return f"利用側へ回答: {STATUSES[record.status]}", f"the client is told: {record.status}"
        case ReplyDelivered():
            return "利用側が受領を確認", "the client has confirmed it"
        case ReplyUndeliverable():
            why = _UNDELIVERABLE.get(record.reason, record.reason)
            return f"回答返却不能: {why}", f"the reply could not be delivered: {record.reason}"
        case CancelSettled():
            japanese, english = _ENDS[record.end]
            return f"障害取消の結末: {japanese}", f"its cancel has ended: {english}"
        case CancelState():
            return f"障害取消の状態: {STAGES[record.stage]}", f"state of its cancel: {record.stage}"
        case RouteHeld():
            return f"経路 {record.route_number} を保留", f"route {record.route_number} is held: {record.reason}"
        case ReleaseRoute():
            return "経路保留を解除", "its route is released"
        case TransactionState():
            japanese, english = _STAGES[record.stage]
            return f"状態: {japanese}", f"state: {english}"
        case _:
            return None


def coded(answer: Answer | ReportReceived, spec: PartnerSpec | None) -> tuple[str, str]:
    """What the partner answered: its outcome, and the code with its name."""
    outcome = STATUSES[Status(answer.outcome)]
    japanese, english = [outcome], [str(answer.outcome)]
    if answer.result_code is not None:
        found = None if spec is None else spec.result(answer.result_code)
        japanese.append(f"結果コード {answer.result_code} {'' if found is None else found.japanese}".rstrip())
        english.append(f"result code {answer.result_code} {'' if found is None else found.english}".rstrip())
    if answer.error_code is not None:
        error = None if spec is None else spec.error(answer.error_code)
        japanese.append(f"エラーコード {answer.error_code} {'' if error is None else error.japanese}".rstrip())
        english.append(f"error code {answer.error_code} {'' if error is None else error.english}".rstrip())
    if answer.outcome is Outcome.APPROVED and answer.approval_code:
        japanese.append(f"承認番号 {answer.approval_code}")
        english.append(f"approval {answer.approval_code}")
    return ", ".join(japanese), ", ".join(english)


def ending(records: Sequence[Record], transaction_id: str) -> tuple[str, str] | None:
    """Where the payment stands at last, and why; None of one that was never accepted."""
    states = [each for each in records if isinstance(each, TransactionState)]
    if not states:
        return None
    state = states[-1]
    japanese, english = _STAGES[state.stage]
    if (why := _why(records, state)) is not None:
        japanese, english = f"{japanese}: {why[0]}", f"{english}: {why[1]}"
    if state.stage in (Stage.IN_DOUBT, Stage.UNDELIVERED, Stage.ATTENTION):
        english += f": see denbun faults show {transaction_id}"
    return japanese, english


def _why(records: Sequence[Record], state: TransactionState) -> tuple[str, str] | None:
    """Why it was not simply answered."""
    if state.refusal is not None:
        return state.refusal.japanese, state.refusal.english
    for record in records:
        if isinstance(record, ReportMissing):
            return f"報告なし({reason_in_japanese(record.doubt)})", f"the partner gave no answer ({record.doubt})"
        if isinstance(record, ReplyUndeliverable):
            japanese = _UNDELIVERABLE.get(record.reason, record.reason)
            return f"回答返却不能({japanese})", f"the answer could not be delivered ({record.reason})"
    if state.doubt is not None:
        return reason_in_japanese(state.doubt), str(state.doubt)
    return None if state.reason is None else (state.reason, state.reason)
