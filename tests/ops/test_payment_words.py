"""The story of a payment in words: no record without any, the code with its name, and an end that says why."""

from typing import Any, get_args

import msgspec
import pytest

from ops.payment_words import KINDS, STATUSES, coded, ending, told
from ops.references import named, nearest, parted
from pipeline.log import Message
from schemas import records
from schemas.records import (
    Answer,
    Doubt,
    Kind,
    Outcome,
    Record,
    ReplyUndeliverable,
    ReportMissing,
    Stage,
    Status,
    TransactionState,
)
from schemas.refusals import Refusal
from schemas.telegrams import load_partner

CAFIS = load_partner("cafis")
MESSAGE = Message("dispatch.cafis-1", 0, 0, b"AP02:x", b"", (), 0)


def of_type(kind: Any) -> Any:
    """Some value of this type."""
    known: dict[Any, Any] = {str: "x", int: 1, bytes: b"x", bool: False}
    if kind in known:
        return known[kind]
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return made(kind)
    return next(iter(kind)) if isinstance(kind, type) else of_type(get_args(kind)[0])


def made(kind: type[msgspec.Struct]) -> Any:
    values = {each.name: of_type(each.type) for each in msgspec.structs.fields(kind)}
    if kind.__name__ in {"TelegramSent", "TelegramWithheld"}:
        values["role"] = "sale_request"
    return kind(**values)


ABOUT = [
    kind
    for kind in vars(records).values()
    if isinstance(kind, type) and issubclass(kind, Record) and "transaction_id" in kind.__struct_fields__
]


@pytest.mark.parametrize("kind", ABOUT)
def test_every_record_about_a_transaction_has_words_in_both_languages(kind: type[Record]) -> None:
    japanese, english = told(MESSAGE, made(kind), CAFIS)
    assert japanese
    assert english


def test_every_status_and_kind_has_a_word() -> None:
    assert set(STATUSES) == set(Status)
    assert set(KINDS) == set(Kind)


def answer(outcome: Outcome, code: str | None, error: str | None = None, approval: str | None = None) -> Answer:
    return Answer(
        outcome=outcome, trace_number=1, route_number=1, business_date="20260401", result_code=code,
        approval_code=approval, error_code=error,
    )  # fmt: skip


def test_a_code_is_told_with_its_name() -> None:
    assert coded(answer(Outcome.APPROVED, "000", approval="A1"), CAFIS) == (
        "承認, 結果コード 000 承認・正常終了, 承認番号 A1",
        "approved, result code 000 approved, or done, approval A1",
    )
    assert coded(answer(Outcome.IN_ERROR, None, "C01"), CAFIS)[0].startswith("異常報告, エラーコード C01 ")
    assert coded(answer(Outcome.DECLINED, "Z99"), None) == ("否認, 結果コード Z99", "declined, result code Z99")


def state(stage: Stage, **more: Any) -> TransactionState:
    plain = made(TransactionState)
    given = {"stage": stage, "refusal": None, "doubt": None, "reason": None, **more}
    return msgspec.structs.replace(plain, **given)


MISSING = msgspec.structs.replace(made(ReportMissing), doubt=Doubt.LINE_BROKE)
LOST = msgspec.structs.replace(made(ReplyUndeliverable), reason="session_gone")


@pytest.mark.parametrize(
    ("known", "english"),
    [
        ([state(Stage.ANSWERED)], "settled; the client has confirmed its answer"),
        (
            [state(Stage.REFUSED, refusal=Refusal.NO_OPEN_LINE)],
            "refused; nothing went onto a line: no line to this partner is open",
        ),
        ([MISSING, state(Stage.CANCELLED)], "cancelled: the partner gave no answer (line_broke)"),
        ([LOST, state(Stage.CANCELLED)], "cancelled: the answer could not be delivered (session_gone)"),
        (
            [MISSING, state(Stage.ATTENTION)],
            "handed to a person: the partner gave no answer (line_broke): see denbun faults show AP02:x",
        ),
        ([state(Stage.DISPATCHED), state(Stage.ANSWERED)], "settled; the client has confirmed its answer"),
    ],
)
def test_an_end_says_why(known: list[Record], english: str) -> None:
    end = ending(known, "AP02:x")
    assert end is not None
    assert end[1] == english


def test_what_was_never_accepted_has_no_end() -> None:
    assert ending([], "AP02:x") is None


def test_a_payment_is_named_with_and_without_its_customer() -> None:
    assert parted("AP02:r1") == ("AP02", "r1")
    assert parted("r1") == (None, "r1")
    ids = ["AP02:r1", "AP22:r1", "AP02:r1/r2"]
    assert named("AP02:r1", ids) == ["AP02:r1"]
    assert named("r1", ids) == ["AP02:r1", "AP22:r1"]
    assert named("r2", ids) == ["AP02:r1/r2"]
    assert named("r1/r2", ids) == ["AP02:r1/r2"]
    assert named("AP03:r1", ids) == []


def test_the_nearest_names_come_first() -> None:
    assert nearest("cafsi", ["cafis", "cardnet"]) == (
        "cafis のことですか did you mean cafis? 登録済み known: cafis, cardnet"
    )
    assert nearest("visa", ["cafis", "cardnet"]) == "登録済み known: cafis, cardnet"
