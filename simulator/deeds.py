"""What a centre can do with a telegram, and which telegrams each deed makes sense for. Values only."""

from collections.abc import Mapping
from enum import StrEnum

from schemas.telegrams import FAULT_COMMANDS, ORDINARY_REQUESTS, STATION_REQUESTS, Role


class Deed(StrEnum):
    """What the centre does with a telegram."""

    ANSWER = "answer"  # approve, or carry out, and report it
    DECLINE = "decline"
    STAND_IN = "stand_in"  # 代行: the network answers for the issuer, approving up to the floor limit
    TURN_ROUND = "turn_round"  # 折返し: sent back by the network, never booked
    ERROR_REPORT = "error_report"  # 異常報告
    TROUBLE = "trouble"  # C13, C14, C50 to a cancel telegram: not carried out
    SILENT = "silent"  # booked, not answered
    LOSE = "lose"  # as if it had never come
    LATE = "late"
    TWICE = "twice"
    DROP = "drop"  # booked, and the line broken instead of an answer
    GARBAGE = "garbage"  # booked, and answered by a telegram of bytes that mean nothing
    NOISE = "noise"  # booked, and answered by bytes that no telegram can begin with
    OTHER_AMOUNT = "other_amount"  # booked, and reported with another amount
    # A request is booked, a cancel telegram not carried out; and the answer is another one's, or means nothing:
    OTHER_TERMINAL = "other_terminal"  # for another terminal
    OTHER_TYPE = "other_type"  # about an original of another type code
    OTHER_ROUTE = "other_route"  # about an original on another route
    OTHER_ERROR = "other_error"  # an error report 異常報告 about a telegram of another type
    UNKNOWN_CODE = "unknown_code"  # with a result code that no layout lists
    LOOP = "loop"  # it never came, and goes back as it was: the line is looped 折返し
    REFUSE = "refuse"  # an opening or closing is refused


MONEY: tuple[Role, ...] = (*ORDINARY_REQUESTS, *FAULT_COMMANDS)
REQUESTS: tuple[Role, ...] = (*MONEY, *STATION_REQUESTS)
FITTING: Mapping[Deed, tuple[Role, ...]] = {
    Deed.ANSWER: REQUESTS,
    Deed.DECLINE: ORDINARY_REQUESTS,
    Deed.STAND_IN: ORDINARY_REQUESTS,
    Deed.TURN_ROUND: ORDINARY_REQUESTS,
    Deed.ERROR_REPORT: MONEY,
    Deed.TROUBLE: FAULT_COMMANDS,
    Deed.SILENT: REQUESTS,
    Deed.LOSE: REQUESTS,
    Deed.LATE: REQUESTS,
    Deed.TWICE: MONEY,
    Deed.DROP: REQUESTS,
    Deed.GARBAGE: REQUESTS,
    Deed.NOISE: REQUESTS,
    Deed.OTHER_AMOUNT: MONEY,
    Deed.OTHER_TERMINAL: MONEY,
    Deed.OTHER_TYPE: FAULT_COMMANDS,
    Deed.OTHER_ROUTE: FAULT_COMMANDS,
    Deed.OTHER_ERROR: MONEY,
    Deed.UNKNOWN_CODE: MONEY,
    Deed.LOOP: REQUESTS,
    Deed.REFUSE: (Role.OPENING_REQUEST, Role.CLOSING_REQUEST),
}
"""The telegrams each deed makes sense for."""

JAPANESE: Mapping[Deed, str] = {
    Deed.ANSWER: "応答",
    Deed.DECLINE: "否認",
    Deed.STAND_IN: "代行",
    Deed.TURN_ROUND: "折返し",
    Deed.ERROR_REPORT: "異常報告",
    Deed.TROUBLE: "取消未了",
    Deed.SILENT: "無応答",
    Deed.LOSE: "不達",
    Deed.LATE: "遅延",
    Deed.TWICE: "二重応答",
    Deed.DROP: "回線断",
    Deed.GARBAGE: "不正電文",
    Deed.NOISE: "雑音",
    Deed.OTHER_AMOUNT: "金額相違",
    Deed.OTHER_TERMINAL: "端末相違",
    Deed.OTHER_TYPE: "元種別相違",
    Deed.OTHER_ROUTE: "元経路相違",
    Deed.OTHER_ERROR: "別電文の異常報告",
    Deed.UNKNOWN_CODE: "未知コード",
    Deed.LOOP: "回線折返し",
    Deed.REFUSE: "拒否",
}
"""What people call each deed."""

SILENT = frozenset({Deed.SILENT, Deed.LOSE, Deed.DROP, Deed.GARBAGE, Deed.NOISE, Deed.LOOP})
"""The deeds that answer nothing."""

NOT_CARRIED_OUT = frozenset(
    {
        Deed.TROUBLE, Deed.ERROR_REPORT, Deed.OTHER_TERMINAL, Deed.OTHER_TYPE, Deed.OTHER_ROUTE, Deed.OTHER_ERROR,
        Deed.UNKNOWN_CODE,
    }
)  # fmt: skip
"""The deeds by which a cancel telegram that came cancels nothing."""

LOST = frozenset({Deed.LOSE, Deed.LOOP})
"""The deeds that are as if the telegram had never come."""
