"""The records that travel over the topics: past facts, and two imperatives for the lines.

One class per record; `schemas/avro/<Name>.avsc` is the form on the wire, and a test holds both together. Conventions:

* Times are milliseconds since the epoch and end in ``_ms``. Amounts are yen. Business dates are ``YYYYMMDD``.
* A *transaction id* names one request of one client, a *transaction key* the first request of its chain: the Kafka key
  of every record about the transaction, so that a follow-up reaches the owner of its original's state (R22). Their form
  is told in `schemas.identity`.
* ``line`` is the name of a line 回線, ``route_number`` one of its routes 経路, ``trace_number`` the 処理通番.
* Card data travels only as `Sealed`; everything else here may be shown to anyone who operates the gateway.
"""

from enum import StrEnum

import msgspec

from schemas.refusals import Refusal


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The base of everything that is written to a topic."""


class Sealed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """AES-GCM ciphertext (tag included), its 96-bit nonce and the id of its key. See `schemas.sealing`."""

    key_id: str
    nonce: bytes
    ciphertext: bytes

    def __repr__(self) -> str:
        return f"Sealed(key_id={self.key_id!r}, {len(self.ciphertext)} bytes)"


# --- what a client may ask ------------------------------------------------------------------------------------------


class Kind(StrEnum):
    """The business telegrams a client may ask for."""

    AUTHORISATION = "authorisation"  # オーソリ
    SALE = "sale"  # 売上
    CANCEL = "cancel"  # 取消
    REFUND = "refund"  # 返品

    @property
    def follows_an_original(self) -> bool:
        return self in (Kind.CANCEL, Kind.REFUND)


class RequestAccepted(Record, frozen=True, kw_only=True):
    """`requests`, and `deliveries` while it waits: a client asked for a payment and was promised an end."""

    transaction_id: str
    request_id: str  # new for each time the client sends it; a repeat differs here and nowhere else
    customer: str
    reference: str
    original_reference: str | None  # of the transaction to cancel or refund; None for a first request
    kind: Kind
    terminal_id: str  # 端末識別番号
    amount: int
    payment_method: str  # 支払区分, the partner's two digits
    card: Sealed  # number and expiry
    sensitive: Sealed | None  # track 2 and security code; under short-lived keys, kept in no state
    content_digest: str  # HMAC-SHA256 of everything the client asked for; tells a repeat from another request
    slot: int  # the replies partition of the ingress that holds the session
    session: str
    accepted_ms: int
    expires_ms: int  # after this the client no longer waits


class InquiryAsked(Record, frozen=True, kw_only=True):
    """`requests`: a client asked what became of a transaction; an answer still owed to it is told again."""

    transaction_id: str
    request_id: str
    customer: str
    reference: str
    slot: int
    session: str
    asked_ms: int


# --- what is put on a line ------------------------------------------------------------------------------------------


class Original(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The earlier telegram that a cancel or a follow-up names, as the partner knows it."""

    kind: Kind
    line: str
    trace_number: int | None  # None: whether and under which number it went out is known to the line alone
    route_number: int | None
    business_date: str | None
    approval_code: str | None
    terminal_id: str
    amount: int
    accepted_ms: int  # when its client asked for it: a line that knows all it sent since then knows whether it was sent


class SendRequest(Record, frozen=True, kw_only=True):
    """`dispatch.<line>`: put this request on the line, once, and not after `send_by_ms`."""

    transaction_id: str
    customer: str
    reference: str
    kind: Kind
    terminal_id: str
    amount: int
    payment_method: str
    card: Sealed
    sensitive: Sealed | None
    original: Original | None
    send_by_ms: int
    report_timeout_ms: int
    partner: str | None  # whose telegram it is; None: that of the line's own partner


class Command(StrEnum):
    """The four cancel telegrams (障害電文), in the order of the table in domain.md."""

    CANCEL = "cancel"  # 8910 取消指令
    CANCEL_AGAIN = "cancel_again"  # 8920 取消再指令
    CONFIRM = "confirm"  # 8930 取消確認指令
    CONFIRM_AGAIN = "confirm_again"  # 8940 取消確認再指令


class SendCancel(Record, frozen=True, kw_only=True):
    """`dispatch.<line>`: put this cancel telegram on the line, once per `attempt`, and not after `send_by_ms`."""

    transaction_id: str
    command: Command
    attempt: int  # 1 for the first telegram of this cancel, counted over all its commands
    original: Original
    send_by_ms: int
    report_timeout_ms: int
    partner: str | None  # as in `SendRequest`


class ReleaseRoute(Record, frozen=True, kw_only=True):
    """`dispatch.<line>`: the cancel of this transaction has ended; its held route 経路保留 is free again."""

    transaction_id: str
    reason: str


class TelegramSent(Record, frozen=True, kw_only=True):
    """`sent.<line>`: written, and acknowledged by the broker, before the first byte goes onto the line."""

    transaction_id: str
    transaction_key: str
    attempt: int  # 0: the request itself; otherwise the attempt of the cancel
    role: str  # schemas.telegrams.Role of the telegram
    dispatch_offset: int
    trace_number: int
    route_number: int
    business_date: str
    sent_ms: int
    report_by_ms: int
    node: str
    partner: str | None  # as in `SendRequest`
    original: Original | None  # of a cancel telegram, with its numbers: an answer must name the same


class TelegramWithheld(Record, frozen=True, kw_only=True):
    """`sent.<line>`: this was not put on the line and never will be; written before anybody is told.

    As with `TelegramSent`, only the owner's word counts: a former owner that was frozen sees the gap before its record,
    and tells nobody.
    """

    transaction_id: str
    transaction_key: str
    attempt: int
    role: str
    dispatch_offset: int
    reason: str  # a Refusal for a request, a NotCancelled for a cancel telegram
    noticed_ms: int
    node: str


class LineTaken(Record, frozen=True, kw_only=True):
    """`sent.<line>`: this node owns the line from here on.

    The new owner reads everything before it, and so knows what may be on the line. A former owner that was frozen sees
    that its next `TelegramSent` does not follow its last one, and sends nothing any more.
    """

    line: str
    node: str
    taken_ms: int


# --- what came of it ------------------------------------------------------------------------------------------------


class Outcome(StrEnum):
    """What a report says about its request."""

    APPROVED = "approved"
    DECLINED = "declined"
    TURNED_ROUND = "turned_round"  # 折返し: the network itself sent it back; never cancelled
    IN_ERROR = "in_error"  # 異常報告: the telegram itself was in error; nothing was done, never cancelled


class ReportReceived(Record, frozen=True, kw_only=True):
    """`reports`: the partner answered a request."""

    transaction_id: str
    line: str
    trace_number: int
    route_number: int
    business_date: str
    outcome: Outcome
    result_code: str | None
    approval_code: str | None
    error_code: str | None
    late: bool  # after egress had already said that none came
    received_ms: int


class Doubt(StrEnum):
    """Why it is not known what became of a telegram that may have gone onto the line."""

    SILENCE = "silence"  # no answer in time
    LINE_BROKE = "line_broke"  # the line broke, or its owner died, with the telegram in flight
    NOBODY_SAID = "nobody_said"  # neither an answer nor silence was reported by the deadline


class ReportMissing(Record, frozen=True, kw_only=True):
    """`reports`: the request was put on the line and its outcome is not known."""

    transaction_id: str
    line: str
    trace_number: int
    route_number: int
    business_date: str
    doubt: Doubt
    noticed_ms: int


class NeverSent(Record, frozen=True, kw_only=True):
    """`reports`: the request was not put on the line and never will be."""

    transaction_id: str
    line: str
    refusal: Refusal
    noticed_ms: int


class DeadlinePassed(Record, frozen=True, kw_only=True):
    """`reports`, `deliveries`, `cancel-reports`: a deadline in the owner's state has passed.

    Time enters the state only through the log: the owner appends this and acts on it when it reads it back, so that an
    outcome which stands before it in the log always wins, however late the owner is.
    """

    transaction_id: str
    deadline: str  # the stage whose deadline it is
    due_ms: int
    noticed_ms: int


class CancelReported(Record, frozen=True, kw_only=True):
    """`cancel-reports`: the partner answered a cancel telegram."""

    transaction_id: str
    line: str
    attempt: int
    command: Command
    in_error: bool  # 異常報告 instead of 8950 or 8960
    error_code: str | None  # C13, C14, C50 … ; None when the cancel was done
    received_ms: int


class CancelSilent(Record, frozen=True, kw_only=True):
    """`cancel-reports`: the cancel telegram was put on the line and no answer came."""

    transaction_id: str
    line: str
    attempt: int
    command: Command
    doubt: Doubt
    noticed_ms: int


class NotCancelled(StrEnum):
    """Why a cancel telegram was not put on the line."""

    ORIGINAL_NEVER_SENT = "original_never_sent"  # there is nothing to cancel
    ORIGINAL_NOT_FOUND = "original_not_found"  # its numbers are needed, and the line's memory does not reach so far
    LINE_NOT_OPEN = "line_not_open"
    NOT_SENT_IN_TIME = "not_sent_in_time"
    NO_FREE_ROUTE = "no_free_route"
    TRACE_NUMBERS_EXHAUSTED = "trace_numbers_exhausted"
    DOES_NOT_FIT_TELEGRAM = "does_not_fit_telegram"


class CancelNotSent(Record, frozen=True, kw_only=True):
    """`cancel-reports`: the cancel telegram was not put on the line."""

    transaction_id: str
    line: str
    attempt: int
    command: Command
    reason: NotCancelled
    noticed_ms: int


# --- between router and ingress -------------------------------------------------------------------------------------


class Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the partner answered, as it is told to the client and kept for follow-ups."""

    outcome: Outcome
    trace_number: int
    route_number: int
    business_date: str
    result_code: str | None
    approval_code: str | None
    error_code: str | None


class Status(StrEnum):
    """What a client is told about a transaction. The first five are ends or stages of an answer to a request."""

    APPROVED = "approved"
    DECLINED = "declined"
    TURNED_ROUND = "turned_round"
    IN_ERROR = "in_error"
    REFUSED = "refused"
    BEING_CANCELLED = "being_cancelled"  # no answer in time, or it could not be handed over: the gateway cancels it
    CANCELLED = "cancelled"
    ATTENTION = "attention"  # a person at the gateway's operator is on it
    IN_PROCESS = "in_process"
    UNKNOWN = "unknown"  # no such transaction


class ReplyReady(Record, frozen=True, kw_only=True):
    """`replies`: tell the client this. With `confirm_by_ms` the client's acknowledgement is needed by then."""

    transaction_id: str
    transaction_key: str
    request_id: str
    session: str
    customer: str
    reference: str
    inquiry: bool  # the answer to an inquiry, not to a request
    status: Status
    refusal: Refusal | None
    answer: Answer | None
    delivery_no: int
    confirm_by_ms: int | None


class ReplyDelivered(Record, frozen=True, kw_only=True):
    """`deliveries`: the client acknowledged the reply."""

    transaction_id: str
    delivery_no: int
    confirmed_ms: int


class ReplyUndeliverable(Record, frozen=True, kw_only=True):
    """`deliveries`: the client could not be given the reply."""

    transaction_id: str
    delivery_no: int
    reason: str  # session_gone, not_confirmed
    noticed_ms: int


# --- between router and faults --------------------------------------------------------------------------------------


class RequestInDoubt(Record, frozen=True, kw_only=True):
    """`timeouts`: the partner did not answer this one in time (or the line broke under it): confirm-cancel it."""

    transaction_id: str
    customer: str
    reference: str
    partner: str
    doubt: Doubt
    original: Original
    since_ms: int


class ReplyLost(Record, frozen=True, kw_only=True):
    """`undelivered`: the partner answered, the client could not be given it: cancel it."""

    transaction_id: str
    customer: str
    reference: str
    partner: str
    original: Original
    since_ms: int


class CancelEnd(StrEnum):
    """How a cancel ended."""

    CANCELLED = "cancelled"
    NOTHING_SENT = "nothing_sent"
    ATTENTION = "attention"


class CancelSettled(Record, frozen=True, kw_only=True):
    """`settlements`: the cancel of this transaction has ended."""

    transaction_id: str
    end: CancelEnd
    reason: str | None
    settled_ms: int


# --- between operators and faults -----------------------------------------------------------------------------------


class CancelStage(StrEnum):
    """Where a cancel stands; the rows of the table in `faults.table`. The last three are its ends."""

    CONFIRMING = "confirming"  # 8930 under way
    CONFIRM_UNSENT = "confirm_unsent"  # 8930 could not be sent; waits to try again
    CONFIRM_PAUSED = "confirm_paused"  # waits before the next 8940
    RECONFIRMING = "reconfirming"  # 8940 under way
    CANCELLING = "cancelling"  # 8910 under way
    CANCEL_UNSENT = "cancel_unsent"  # 8910 could not be sent; waits to try again
    CANCEL_PAUSED = "cancel_paused"  # waits before the next 8920
    RECANCELLING = "recancelling"  # 8920 under way
    ATTENTION = "attention"  # a person has it; for its transaction this is the end
    ORDERED = "ordered"  # a person has it, and a command that he ordered is under way
    CANCELLED = "cancelled"  # end: 8950 or 8960 received
    NOTHING_SENT = "nothing_sent"  # end: the original was never on the line
    CLEARED = "cleared"  # end: a person had it, and the case is closed


class OperatorOrder(StrEnum):
    """What an operator may order about a cancel."""

    REPEAT = "repeat"  # put the command, or its re-command, on the line once more, now
    SETTLE = "settle"  # close the case: it was settled otherwise, by telephone for example


class CaseOutcome(StrEnum):
    """What a closed case turned out to be at the partner."""

    CANCELLED = "cancelled"  # the payment does not stand
    STANDS = "stands"  # the payment stands


class OperatorOrdered(Record, frozen=True, kw_only=True):
    """`operator-commands`: an operator decided something about a cancel. It holds for the state that was seen alone.

    So an order that is read again after the state has moved on, or was made on an old view of the case, does nothing.
    """

    transaction_id: str
    order_id: str
    order: OperatorOrder
    outcome: CaseOutcome | None  # of SETTLE, where the operator knows it
    reason: str
    operator: str
    seen: CancelStage
    seen_attempt: int  # with the stage it names a state: none comes back but after another command
    ordered_ms: int


class OrderRefusal(StrEnum):
    """Why an operator's order is not carried out, in order of precedence."""

    UNKNOWN = "unknown"  # there is no cancel of this transaction
    ALREADY_ENDED = "already_ended"
    CHANGED_MEANWHILE = "changed_meanwhile"  # it does not stand where the operator saw it
    COMMAND_UNDER_WAY = "command_under_way"  # its answer comes first
    NOT_WITH_A_PERSON = "not_with_a_person"  # nothing to settle by hand: the gateway still cancels it by itself


class OrderAnswered(Record, frozen=True, kw_only=True):
    """`operator-answers`: what became of an operator's order: carried out, or refused."""

    transaction_id: str
    order_id: str
    order: OperatorOrder
    operator: str
    refusal: OrderRefusal | None
    stage: CancelStage | None  # where the cancel stands now
    command: Command | None  # that is under way now
    attempt: int | None
    answered_ms: int


class CaseClosed(Record, frozen=True, kw_only=True):
    """`operator-answers`: a case is off the attention list: by an operator's word, or by the partner's 8950 or 8960."""

    transaction_id: str
    customer: str
    reference: str
    partner: str
    line: str
    amount: int
    outcome: CaseOutcome | None
    reason: str  # the operator's, or cancel_reported
    operator: str | None  # who settled it, or ordered the command that was answered; None: the answer came by itself
    order_id: str | None
    attempts: int
    since_ms: int
    closed_ms: int


# --- state, compacted -----------------------------------------------------------------------------------------------


class Stage(StrEnum):
    """Where a transaction stands. The last five are its ends (money invariant 2)."""

    DISPATCHED = "dispatched"  # handed to the line; report awaited
    REPLIED = "replied"  # answered; the client's confirmation awaited
    IN_DOUBT = "in_doubt"  # no answer: 8930 is under way
    UNDELIVERED = "undelivered"  # answered, not handed over: 8910 is under way
    REFUSED = "refused"  # end: never went onto a line
    ANSWERED = "answered"  # end: answered and delivered
    RETURNED = "returned"  # end: turned round or in error; there is nothing to cancel
    CANCELLED = "cancelled"  # end: 8950 or 8960 received
    ATTENTION = "attention"  # end: handed to a person

    @property
    def ended(self) -> bool:
        return self in _ENDS


_ENDS = frozenset({Stage.REFUSED, Stage.ANSWERED, Stage.RETURNED, Stage.CANCELLED, Stage.ATTENTION})


class TransactionState(Record, frozen=True, kw_only=True):
    """`transactions`: the state of a transaction now. Key: the transaction id; partition: as its requests."""

    transaction_id: str
    transaction_key: str
    stage: Stage
    request_id: str  # of the request that was accepted first
    customer: str
    reference: str
    original_reference: str | None
    kind: Kind
    partner: str | None
    line: str | None
    terminal_id: str
    amount: int
    payment_method: str
    content_digest: str
    original: Original | None
    slot: int  # where the answer is to go: the latest asker
    session: str
    asker: str  # request_id of the latest asker
    delivery_no: int
    accepted_ms: int
    changed_ms: int
    due_ms: int | None  # when this stage's deadline passes; for an end, when it is forgotten
    refusal: Refusal | None
    answer: Answer | None
    doubt: Doubt | None
    reason: str | None


class CancelState(Record, frozen=True, kw_only=True):
    """`cancels`: the state of a cancel now. Key: the transaction id; partition: as its transaction."""

    transaction_id: str
    transaction_key: str
    customer: str
    reference: str
    partner: str
    stage: CancelStage
    original: Original
    attempt: int  # commands ordered so far
    unsent: int  # of these, how many are known not to have gone onto the line
    troubles: int  # of these, how many were answered by C13, C14 or C50
    error_code: str | None  # the last one reported
    since_ms: int
    changed_ms: int
    due_ms: int | None  # when a command is taken for silent, a pause is over, an end is forgotten; None: with a person
    reason: str | None
    begun_with: Command  # CONFIRM or CANCEL: which of the two lines of events it is
    ordered: OperatorOrdered | None  # the last order of an operator that was carried out


class AttentionRaised(Record, frozen=True, kw_only=True):
    """`attention`: a transaction that ended with a person (要確認). Key: the transaction id."""

    transaction_id: str
    customer: str
    reference: str
    partner: str
    line: str
    kind: Kind
    terminal_id: str
    amount: int
    trace_number: int | None
    business_date: str | None
    reason: str
    error_code: str | None
    attempts: int
    since_ms: int
    raised_ms: int


class LineStage(StrEnum):
    """Where a line stands."""

    CONNECTING = "connecting"
    OPENING = "opening"  # connected; opening 開局 asked, not yet answered
    OPEN = "open"
    SUSPENDED = "suspended"  # 縮退: the breaker keeps requests away; cancels go on
    DRAINING = "draining"  # no new requests; what is in flight ends, cancels go on
    CLOSING = "closing"  # closing 閉局 asked, not yet answered
    CLOSED = "closed"
    FAILED = "failed"  # the last attempt to open it, or its connection, has failed; the next attempt follows by itself


class LineWish(StrEnum):
    """What a line should be."""

    OPEN = "open"
    DRAINED = "drained"  # connected, and used for cancels alone
    CLOSED = "closed"

    @property
    def stage(self) -> LineStage:
        """Where a line stands that is as wished."""
        return _AS_WISHED[self]


_AS_WISHED = {
    LineWish.OPEN: LineStage.OPEN,
    LineWish.DRAINED: LineStage.DRAINING,
    LineWish.CLOSED: LineStage.CLOSED,
}


ITS_OWNERS_END = "the end of its owner"
"""Who wishes a line closed that is given up: the next owner will wish otherwise."""


class LineState(Record, frozen=True, kw_only=True):
    """`lines`: the state of a line now, and what the line board 回線状態 shows of it. Key: the line's name."""

    line: str
    partner: str
    node: str
    stage: LineStage
    reason: str | None
    since_ms: int
    wish: LineWish | None
    wished_by: str | None  # calendar, the operator's name, or the end of its owner
    wished_since_ms: int | None
    connected_ms: int | None  # since when this session stands
    asked_ms: int | None  # the partner's last keep-alive 疎通確認, which was answered
    answered_ms: int | None  # its last answer to one of ours
    in_flight: int | None  # requests that await their report
    cancels_waiting: int | None
    routes_held: int | None  # 経路保留
    told_ms: int | None
    spared: str | None  # partners to whom no requests go now 縮退, with commas between: see `egress.sparing`


class LineOrder(StrEnum):
    """What an operator may order a line to be; it holds until the next order."""

    OPEN = "open"
    DRAIN = "drain"
    CLOSE = "close"
    CALENDAR = "calendar"  # as its business hours say


class LineOrdered(Record, frozen=True, kw_only=True):
    """`line-orders`: what an operator has ordered last. Key: the line's name."""

    order_id: str
    line: str
    order: LineOrder
    operator: str
    reason: str
    ordered_ms: int


class LineOrderAnswered(Record, frozen=True, kw_only=True):
    """`line-answers`: the line's owner knows the order, and acts on it from this stage on."""

    order_id: str
    line: str
    order: LineOrder
    operator: str
    reason: str
    node: str
    stage: LineStage
    answered_ms: int


class RouteOrdered(Record, frozen=True, kw_only=True):
    """`dispatch.<line>`: an operator holds a route back from all use, or releases one that is held (経路保留の解除)."""

    order_id: str
    route_number: int
    hold: bool
    operator: str
    reason: str
    ordered_ms: int
    seen: str | None  # of a release: for whom the operator saw the route held; None: whoever it is


class RouteOrderAnswered(Record, frozen=True, kw_only=True):
    """`line-answers`: what came of it. `released`: for whom the route was held until now, if it was."""

    order_id: str
    line: str
    route_number: int
    hold: bool
    operator: str
    reason: str
    node: str
    done: bool
    released: str | None
    answered_ms: int


class RouteHeld(Record, frozen=True, kw_only=True):
    """`holds`: this route of the line carries a cancel and nothing else (経路保留). Key: ``<line>/<route_number>``."""

    line: str
    route_number: int
    transaction_id: str
    trace_number: int
    business_date: str
    reason: str  # in_doubt, suspected (after a takeover, until expires_ms), cancel
    since_ms: int
    expires_ms: int | None


class NumbersReserved(Record, frozen=True, kw_only=True):
    """`trace-numbers`: a line's owner may use these places of its reserve, and no other owner. Key: the line's name."""

    line: str
    start: int  # places are counted on for ever; the number is the place turned round within the reserve
    end: int  # the first that is not taken
    business_date: str
    day_from: int  # no telegram of this business day has an earlier place
    reserved_ms: int


class StrayTelegram(Record, frozen=True, kw_only=True):
    """`strays`: a telegram from the partner that matches nothing this line has sent, or cannot be read. Masked."""

    line: str
    role: str | None
    description: str
    received_ms: int


class ClockTold(Record, frozen=True, kw_only=True):
    """`clocks`: how a process' machine has the time; the broker's stamp of the record says how far that is off."""

    service: str
    node: str
    machine_ms: int  # by the machine's own clock
    off_ms: int | None  # how far that was ahead of the broker's, as measured before; None: not measured yet
