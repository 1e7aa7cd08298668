"""Why a request is turned away before it was put on a line (拒否).

A refusal is a value that travels in a record and in the client protocol, never an exception. The members stand in order
of precedence: where several apply, the first one is told. Each says whether the same payment may be tried again
unchanged, and carries texts that are safe anywhere, for they never contain what the client sent.
"""

from enum import StrEnum


class Refusal(StrEnum):
    """The refusals of router and egress, in order of precedence. The transaction ends: nothing went onto a line."""

    UNKNOWN_CUSTOMER = "unknown_customer"
    KIND_NOT_CONTRACTED = "kind_not_contracted"
    REFERENCE_HAS_OTHER_CONTENT = "reference_has_other_content"
    EXPIRED = "expired"
    ORIGINAL_UNKNOWN = "original_unknown"
    ORIGINAL_STILL_IN_PROCESS = "original_still_in_process"
    ORIGINAL_NOT_APPROVED = "original_not_approved"
    AMOUNT_EXCEEDS_ORIGINAL = "amount_exceeds_original"
    NO_OPEN_LINE = "no_open_line"
    STATION_CLOSED = "station_closed"
    PARTNER_SUSPENDED = "partner_suspended"
    LINE_SUSPENDED = "line_suspended"
    LINE_NOT_OPEN = "line_not_open"
    NOT_SENT_IN_TIME = "not_sent_in_time"
    NO_FREE_ROUTE = "no_free_route"
    TRACE_NUMBERS_EXHAUSTED = "trace_numbers_exhausted"
    CARD_DATA_UNREADABLE = "card_data_unreadable"
    DOES_NOT_FIT_TELEGRAM = "does_not_fit_telegram"

    @property
    def retryable(self) -> bool:
        """Whether the same payment may succeed unchanged, under a new reference."""
        return _FACTS[self][0]

    @property
    def english(self) -> str:
        return _FACTS[self][1]

    @property
    def japanese(self) -> str:
        return _FACTS[self][2]


_FACTS: dict[Refusal, tuple[bool, str, str]] = {
    Refusal.UNKNOWN_CUSTOMER: (
        False,
        "this customer is not in the gateway's configuration",
        "顧客が登録されていません",
    ),
    Refusal.KIND_NOT_CONTRACTED: (
        False,
        "no partner is configured for this customer and telegram",
        "この顧客・電文の接続先が登録されていません",
    ),
    Refusal.REFERENCE_HAS_OTHER_CONTENT: (
        False,
        "this reference was already used for a request with other content",
        "同じ参照番号で内容の異なる要求が既に受け付けられています",
    ),
    Refusal.EXPIRED: (
        True,
        "the request's time had passed before it could be sent",
        "送信前に要求の有効時間が過ぎました",
    ),
    Refusal.ORIGINAL_UNKNOWN: (
        False,
        "the original transaction is not known; name the first one, not a cancel or refund of it",
        "元取引が見つかりません(取消・返品ではなく最初の取引を指定してください)",
    ),
    Refusal.ORIGINAL_STILL_IN_PROCESS: (True, "the original transaction has not ended yet", "元取引が処理中です"),
    Refusal.ORIGINAL_NOT_APPROVED: (
        False,
        "the original transaction does not stand approved",
        "元取引が承認されていません",
    ),
    Refusal.AMOUNT_EXCEEDS_ORIGINAL: (False, "the amount is more than the original's", "金額が元取引を超えています"),
    Refusal.NO_OPEN_LINE: (True, "no line to this partner is open", "接続先の回線が開局していません"),
    Refusal.STATION_CLOSED: (
        True,
        "every line to this partner is closed or being closed, by its hours or by order",
        "接続先の局は閉局中です(業務時間外または運用者の指示)",
    ),
    Refusal.PARTNER_SUSPENDED: (
        True,
        "the partner does not answer over any of its lines, and is spared until it does",
        "接続先からの応答が全回線でないため、接続先を縮退中です",
    ),
    Refusal.LINE_SUSPENDED: (
        True,
        "the partner does not answer over this line, which is spared until it does",
        "接続先の応答がないため、回線を縮退中です",
    ),
    Refusal.LINE_NOT_OPEN: (
        True,
        "the line was not open when the request came to it",
        "送信時に回線が開局していませんでした",
    ),
    Refusal.NOT_SENT_IN_TIME: (
        True,
        "the request reached its line too late to be sent",
        "回線への到着が送信期限を過ぎました",
    ),
    Refusal.NO_FREE_ROUTE: (
        True,
        "every route of the line is in use or held",
        "回線の経路がすべて使用中または保留中です",
    ),
    Refusal.TRACE_NUMBERS_EXHAUSTED: (
        True,
        "the line has used all its trace numbers of this business day",
        "回線の当日の処理通番を使い切りました",
    ),
    Refusal.CARD_DATA_UNREADABLE: (
        False,
        "the sealed card data cannot be opened with the keys at hand",
        "暗号化されたカード情報を復号できません",
    ),
    Refusal.DOES_NOT_FIT_TELEGRAM: (
        False,
        "a value does not fit the partner's telegram",
        "値が接続先の電文形式に収まりません",
    ),
}
assert set(_FACTS) == set(Refusal)
