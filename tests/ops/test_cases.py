"""The attention list and the history of a case, read from topics made by hand."""

from typing import Any

import msgspec
from money_rig import Scene

from ops.cases import Happened, cases, facts, history, listed, reason_in_japanese
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
    Doubt,
    Kind,
    NotCancelled,
    Original,
    Record,
    ReplyLost,
    SendCancel,
    TelegramSent,
    TelegramWithheld,
)
from schemas.telegrams import Role, load_partner

CAFIS = load_partner("cafis")
ORIGINAL = Original(
    kind=Kind.SALE, line="cafis-1", trace_number=7, route_number=3, business_date="20260401", approval_code=None,
    terminal_id="4980123456789", amount=1_200, accepted_ms=0,
)  # fmt: skip
STATE = CancelState(
    transaction_id="AP02:a", transaction_key="AP02:a", customer="AP02", reference="a", partner="cafis",
    stage=CancelStage.CONFIRMING, original=ORIGINAL, attempt=1, unsent=0, troubles=0, error_code=None, since_ms=1_000,
    changed_ms=2_000, due_ms=3_000, reason="silence", begun_with=Command.CONFIRM, ordered=None,
)  # fmt: skip
CLOSED = CaseClosed(
    transaction_id="AP02:hard", customer="AP02", reference="hard", partner="cafis", line="cafis-1", amount=1_000,
    outcome=CaseOutcome.STANDS, reason="by telephone", operator="Sato", order_id="o1", attempts=4, since_ms=1,
    closed_ms=2,
)  # fmt: skip


class Topic:
    """A topic of one partition."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def put(self, record: Record | None, key: bytes, epoch: int | None = None) -> int:
        """Write a record, or a tombstone; gives its offset."""
        value, headers = (None, ()) if record is None else wire.encode(record)
        more = () if epoch is None else ((EPOCH, str(epoch).encode()),)
        at = len(self.messages)
        self.messages.append(Message("topic", 0, at, key, value, (*headers, *more), 10 * at))
        return at

    def marker(self) -> int:
        at = len(self.messages)
        self.messages.append(Message("topic", 0, at, MARKER_KEY, b"faults-n1", (), 10 * at))
        return at


def state(stage: CancelStage, **changes: Any) -> CancelState:
    return msgspec.structs.replace(STATE, stage=stage, **changes)


def raised(name: str = "AP02:a", at_ms: int = 2_000) -> AttentionRaised:
    return AttentionRaised(
        transaction_id=name, customer="AP02", reference="a", partner="cafis", line="cafis-1", kind=Kind.SALE,
        terminal_id="4980123456789", amount=1_200, trace_number=7, business_date="20260401", reason="silence",
        error_code=None, attempts=4, since_ms=1_000, raised_ms=at_ms,
    )  # fmt: skip


# --- the list -------------------------------------------------------------------------------------------------------


def test_the_list_holds_what_a_person_has_and_with_all_what_is_under_way_behind_it() -> None:
    cancels, attention = Topic(), Topic()
    for name, stage, since_ms in [
        ("old", CancelStage.CONFIRM_PAUSED, 100),
        ("newer", CancelStage.ATTENTION, 900),
        ("older", CancelStage.ORDERED, 500),
        ("done", CancelStage.CANCELLED, 100),
        ("nothing", CancelStage.NOTHING_SENT, 100),
        ("closed", CancelStage.CLEARED, 100),
    ]:
        cancels.put(state(stage, transaction_id=name, since_ms=since_ms), name.encode())
    attention.put(raised("older", 700), b"older")
    attention.put(raised("older", 800), b"older")
    attention.put(raised("closed"), b"closed")
    attention.put(None, b"closed")
    known = cases(cancels.messages, attention.messages)
    assert [case.state.transaction_id for case in listed(known, everything=False)] == ["older", "newer"]
    assert [case.state.transaction_id for case in listed(known, everything=True)] == ["older", "newer", "old"]
    assert known["older"].raised_ms == 700, "since it was first handed over"
    assert known["closed"].raised_ms is None
    assert facts(known["older"], 60_500)["age_s"] == 60


def test_what_a_former_owner_wrote_is_no_state() -> None:
    cancels = Topic()
    first = cancels.marker()
    cancels.put(state(CancelStage.ATTENTION), b"AP02:a", first)
    second = cancels.marker()
    cancels.put(state(CancelStage.ORDERED), b"AP02:a", second)
    cancels.put(state(CancelStage.CONFIRMING), b"AP02:a", first)
    assert cases(cancels.messages, [])["AP02:a"].state.stage is CancelStage.ORDERED
    cancels.put(None, b"AP02:a", second)
    assert cases(cancels.messages, []) == {}


# --- the history ----------------------------------------------------------------------------------------------------


def test_the_history_tells_every_telegram_and_every_answer_in_the_words_of_the_partner() -> None:
    told = {"transaction_id": "AP02:a", "line": "cafis-1"}
    order = SendCancel(
        transaction_id="AP02:a", command=Command.CANCEL, attempt=1, original=ORIGINAL, send_by_ms=1,
        report_timeout_ms=1, partner=None,
    )  # fmt: skip
    numbers = {"transaction_id": "AP02:a", "transaction_key": "AP02:a", "node": "n1", "dispatch_offset": 4}
    topic = Topic()
    for record in (
        ReplyLost(
            transaction_id="AP02:a", customer="AP02", reference="a", partner="cafis", original=ORIGINAL, since_ms=1
        ),
        order,
        order,  # written again after a crash: told once
        msgspec.structs.replace(order, transaction_id="AP02:a/b"),  # another of the same chain
        TelegramWithheld(
            **numbers, attempt=1, role=Role.FAULT_CANCEL, reason=NotCancelled.LINE_NOT_OPEN, noticed_ms=1
        ),
        CancelNotSent(
            **told, attempt=1, command=Command.CANCEL, reason=NotCancelled.LINE_NOT_OPEN, noticed_ms=1
        ),
        TelegramSent(
            **numbers, attempt=2, role=Role.FAULT_CANCEL, trace_number=8, route_number=3,
            business_date="20260401", sent_ms=1, report_by_ms=2, partner=None, original=None,
        ),
        CancelSilent(**told, attempt=2, command=Command.CANCEL, doubt=Doubt.SILENCE, noticed_ms=1),
        CancelReported(
            **told, attempt=3, command=Command.CANCEL_AGAIN, in_error=False, error_code="C13", received_ms=1
        ),
        CancelReported(
            **told, attempt=4, command=Command.CANCEL_AGAIN, in_error=False, error_code=None, received_ms=1
        ),
    ):  # fmt: skip
        topic.put(record, b"AP02:a")
    assert history({"any": topic.messages}, "AP02:a", CAFIS) == [
        Happened(0, "報告返却不能", "the reply could not be delivered"),
        Happened(10, "指示 8910 取消指令 第1回", "order 8910 #1"),
        Happened(40, "送信せず 8910 取消指令: 回線閉局中", "withheld 8910: line_not_open"),
        Happened(50, "未送信 第1回: 回線閉局中", "not sent: line_not_open"),
        Happened(60, "→ 8910 取消指令(処理通番・経路 8, 3)", "→ 8910 (trace number, route 8, 3)"),
        Happened(70, "報告なし 第2回: 応答なし", "no report: silence"),
        Happened(80, "← 8950 取消報告 C13 被仕向センタ障害中", "← 8950: C13"),
        Happened(90, "← 8950 取消報告 取消成立", "← 8950: cancelled"),
    ]


def test_a_reason_is_told_in_japanese_and_an_unknown_one_as_it_is() -> None:
    assert reason_in_japanese("error_report C01") == "異常報告 C01"
    assert reason_in_japanese("C14", CAFIS) == "C14 被仕向センタ個別終了"
    assert reason_in_japanese("C14") == "C14"
    assert reason_in_japanese(None) == ""
    for reason in (*NotCancelled, *Doubt):
        assert reason_in_japanese(reason) != reason


# --- the money report -----------------------------------------------------------------------------------------------


def test_a_case_that_was_closed_has_left_the_list_and_was_with_a_person_all_the_same() -> None:
    scene = Scene()
    scene.answered("AP02:easy", 10)
    scene.handed_over("AP02:hard", 100)
    assert scene.offenders() == []
    scene.topics["attention"].clear()
    assert scene.offenders() != []
    scene.write("operator-answers", CLOSED)
    assert scene.offenders() == []
