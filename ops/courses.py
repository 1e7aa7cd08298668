"""The courses a payment can take (電文シーケンス), as data: what centre and client do, and what must follow.

One table for all partners: telegrams are named by role, so the same rows hold for CAFIS and CARDNET. The expected
telegrams are written as an arrow seen from the gateway and a short name:

    →  request, 8930 …    ←  report, 8960 …

`denbun demo` plays them on real processes; the scenario tests play them on the log in memory and on Kafka.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from acceptance.words import SHORT
from schemas.records import Kind
from schemas.telegrams import Role

CONFIRMS = ["fault_confirm", "fault_confirm_again"]
CANCELS = ["fault_cancel", "fault_cancel_again"]
SALE = "sale_request"
ANSWER_AFTER_MS = 500  # long enough that a client that vanishes is gone by then
LATE_AFTER_MS = 1_600  # longer than any report is awaited


class Manner(Enum):
    """How a client behaves."""

    WAITS = "waits"
    VANISHES = "vanishes"  # hangs up as soon as it has asked
    MUTE = "mute"  # stays, and acknowledges nothing
    RETURNS = "returns"  # hangs up as soon as it has asked, and inquires at another gateway
    REPEATS = "repeats"  # asks at two gateways at once
    CONTRADICTS = "contradicts"  # asks again, with another amount


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of a client. `told`: what its caller gets; `ends`: what an inquiry tells at last."""

    told: str | None
    ends: str
    kind: Kind = Kind.SALE
    name: str = "a"
    follows: str | None = None
    manner: Manner = Manner.WAITS
    more: int = 0  # yen beyond the course's amount


@dataclass(frozen=True, slots=True)
class Course:
    """One course. `stands`: by how many times its amount the partner's books differ afterwards."""

    name: str
    japanese: str
    asks: Sequence[Ask]
    telegrams: str
    rules: Sequence[Mapping[str, Any]] = ()
    stands: int = 0
    lines_closed: bool = False

    @property
    def expected(self) -> list[tuple[str, Role]]:
        """The telegrams, in order, as (arrow, role)."""
        words = self.telegrams.split()
        return [(arrow, SHORT[word]) for arrow, word in zip(words[::2], words[1::2], strict=True)]


def rule(role: str | list[str], do: str, **more: Any) -> Mapping[str, Any]:
    """A behaviour of the centre (`simulator.rules`)."""
    return {"role": role, "do": do, **more}


_APPROVED = Ask("approved", "approved")
_DOUBTED = Ask("being_cancelled", "cancelled")
_VANISHED = Ask(None, "cancelled", manner=Manner.VANISHES)
_UNSOLVED = Ask("being_cancelled", "attention")
_SLOW = rule(SALE, "late", after_ms=ANSWER_AFTER_MS)
_SILENT = rule(SALE, "silent")
_ASKED = "→ sale ← sale_report"

COURSES: tuple[Course, ...] = (
    # --- what ends by itself
    Course("approved", "承認", [_APPROVED], _ASKED, stands=1),
    Course(
        "authorised",
        "オーソリ承認",
        [Ask("approved", "approved", Kind.AUTHORISATION)],
        "→ authorisation ← authorisation_report",
    ),
    Course("declined", "否認", [Ask("declined", "declined")], _ASKED, [rule(SALE, "decline")]),
    Course(
        "sale_then_cancel",
        "売上後の取消",
        [_APPROVED, Ask("approved", "approved", Kind.CANCEL, "b", follows="a")],
        "→ sale ← sale_report → cancel ← cancel_report",
    ),
    Course(
        "sale_then_refund",
        "売上後の返品",
        [_APPROVED, Ask("approved", "approved", Kind.REFUND, "b", follows="a")],
        "→ sale ← sale_report → refund ← refund_report",
    ),
    Course("asked_again", "同一要求の再送", [_APPROVED, _APPROVED], _ASKED, stands=1),
    # --- what is refused before it is sent
    Course(
        "other_content",
        "同一参照番号・別内容の拒否",
        [_APPROVED, Ask("refused: reference_has_other_content", "approved", more=1)],
        _ASKED,
        stands=1,
    ),
    Course(
        "original_unknown",
        "元取引なしの拒否",
        [Ask("refused: original_unknown", "refused: original_unknown", Kind.CANCEL, "b", follows="nothing")],
        "",
    ),
    Course(
        "line_closed",
        "閉局中の拒否",
        [Ask("refused: no_open_line", "refused: no_open_line")],
        "",
        lines_closed=True,
    ),
    # --- what is turned round: never a cancel telegram
    Course("turned_round", "折返し", [Ask("turned_round", "turned_round")], _ASKED, [rule(SALE, "turn_round")]),
    Course(
        "turned_round_unheard",
        "折返し・返却不能",
        [Ask(None, "turned_round", manner=Manner.VANISHES)],
        _ASKED,
        [rule(SALE, "turn_round")],
    ),
    Course("in_error", "異常報告", [Ask("in_error", "in_error")], "→ sale ← 異常報告", [rule(SALE, "error_report")]),
    # --- 1: no answer: 8930, 8960; silence again: 8940
    Course("silence", "応答なし", [_DOUBTED], "→ sale → 8930 ← 8960", [_SILENT]),
    Course("lost", "要求不達", [_DOUBTED], "→ sale → 8930 ← 8960", [rule(SALE, "lose")]),
    Course(
        "late_report",
        "報告遅延",
        [_DOUBTED],
        "→ sale → 8930 ← 8960 ← sale_report",
        [rule(SALE, "late", after_ms=LATE_AFTER_MS)],
    ),
    Course(
        "silence_twice",
        "取消確認も応答なし",
        [_DOUBTED],
        "→ sale → 8930 → 8940 ← 8960",
        [_SILENT, rule(CONFIRMS, "silent", times=1)],
    ),
    Course(
        "silence_for_ever",
        "取消再指令の上限到達",
        [_UNSOLVED],
        "→ sale → 8930 → 8940 → 8940 → 8940",
        [_SILENT, rule(CONFIRMS, "silent")],
    ),
    Course("line_dropped", "処理中の回線断", [_DOUBTED], "→ sale → 8930 ← 8960", [rule(SALE, "drop")]),
    Course("garbage", "不正電文", [_DOUBTED], "→ sale → 8930 ← 8960", [rule(SALE, "garbage")]),
    # --- a partner that contradicts itself: what is not plainly the answer is none
    Course(
        "unknown_code",
        "一覧にない結果コード",
        [_DOUBTED],
        "→ sale ← sale_report → 8930 ← 8960",
        [rule(SALE, "unknown_code")],
    ),
    Course(
        "error_of_another",
        "別電文種別の異常報告",
        [_DOUBTED],
        "→ sale ← 異常報告 → 8930 ← 8960",
        [rule(SALE, "other_error")],
    ),
    Course(
        "cancel_of_another",
        "別取引の取消確認報告",
        [_DOUBTED],
        "→ sale → 8930 ← 8960 → 8940 ← 8960",
        [_SILENT, rule(CONFIRMS, "other_type", times=1)],
    ),
    Course("looped", "回線折返し", [_DOUBTED], "→ sale → 8930 ← 8960", [rule(SALE, "loop", times=1)]),
    # --- 2: the report could not be returned: 8910, 8950; silence: 8920
    Course(
        "client_gone",
        "報告返却不能(切断)",
        [_VANISHED],
        "→ sale ← sale_report → 8910 ← 8950",
        [_SLOW],
    ),
    Course(
        "client_mute",
        "報告返却不能(受領確認なし)",
        [Ask(None, "cancelled", manner=Manner.MUTE)],
        "→ sale ← sale_report → 8910 ← 8950",
    ),
    Course(
        "client_gone_silence",
        "取消指令も応答なし",
        [_VANISHED],
        "→ sale ← sale_report → 8910 → 8920 ← 8950",
        [_SLOW, rule(CANCELS, "silent", times=1)],
    ),
    # --- error codes
    Course(
        "c13",
        "C13 被仕向センタ障害中",
        [_DOUBTED],
        "→ sale → 8930 ← 8960 → 8940 ← 8960",
        [_SILENT, rule(CONFIRMS, "trouble", code="C13", times=1)],
    ),
    Course(
        "c14",
        "C14 被仕向センタ個別終了",
        [_VANISHED],
        "→ sale ← sale_report → 8910 ← 8950 → 8920 ← 8950",
        [_SLOW, rule(CANCELS, "trouble", code="C14", times=1)],
    ),
    Course(
        "c50",
        "C50 被仕向センタ報告待ちタイムアウト(継続)",
        [_UNSOLVED],
        "→ sale → 8930 ← 8960 → 8940 ← 8960 → 8940 ← 8960",
        [_SILENT, rule(CONFIRMS, "trouble", code="C50")],
        stands=1,  # the money is the person's who got the case
    ),
    Course(
        "command_in_error",
        "取消指令への異常報告",
        [_UNSOLVED],
        "→ sale → 8930 ← 異常報告",
        [_SILENT, rule(CONFIRMS, "error_report", code="C01")],
        stands=1,
    ),
    # --- what must change nothing
    Course("answered_twice", "報告重複", [_APPROVED], "→ sale ← sale_report ← sale_report", [rule(SALE, "twice")], 1),
)
