"""What a partner's centre can be asked for, in words for people: the simulator does it, or the partner's operator."""

from collections.abc import Mapping
from typing import NamedTuple


class Words(NamedTuple):
    """The same in Japanese and English."""

    ja: str
    en: str


DEEDS: Mapping[str, Words] = {
    "decline": Words("否認で応答する", "declines it"),
    "turn_round": Words("折返しで応答する", "turns it round"),
    "error_report": Words("異常報告で応答する", "answers by an error report"),
    "trouble": Words("取消未了（エラーコード付き）で応答する", "answers that it is not done, with an error code"),
    "silent": Words("処理するが応答しない", "books it and does not answer"),
    "lose": Words("受信しなかったものとする（処理も応答もしない）", "treats it as never received"),
    "late": Words("遅れて応答する", "answers late"),
    "twice": Words("同じ応答を 2 回送信する", "sends the same answer twice"),
    "drop": Words("処理し、応答せずに回線を切断する", "books it and breaks the line instead of answering"),
    "garbage": Words("処理し、電文として読めないデータを返す", "books it and answers by bytes that are no telegram"),
    "noise": Words(
        "処理し、電文長として成立しないデータを返す", "books it and answers by bytes that begin no telegram"
    ),
    "other_amount": Words("処理し、金額の異なる報告を返す", "books it and reports another amount"),
    "other_terminal": Words("処理し、端末識別番号の異なる報告を返す", "books it and reports another terminal"),
    "other_type": Words(
        "取り消さず、原電文種別コードの異なる報告を返す", "cancels nothing and reports an original of another type"
    ),
    "other_route": Words(
        "取り消さず、原経路番号の異なる報告を返す", "cancels nothing and reports an original on another route"
    ),
    "other_error": Words(
        "処理し、別の電文種別についての異常報告を返す", "books it and reports that another type was in error"
    ),
    "unknown_code": Words("処理し、一覧にない結果コードで報告する", "books it and reports a result code of no list"),
    "loop": Words("受信した電文をそのまま送り返す（回線折返し）", "sends back what came, as a looped line does"),
    "refuse": Words("拒否で応答する", "refuses it"),
}
"""The simulator's deeds that a case may ask for (`simulator.rules.Deed`)."""

EVENTS: Mapping[str, Words] = {
    "keepalive": Words("全回線で疎通確認要求を送信する", "sends a keep-alive on every line"),
    "close_stations": Words("全回線で閉局要求を送信し、応答後に切断する", "asks to close every line, then hangs up"),
    "drop_lines": Words("全回線を予告なく切断する", "breaks every line without notice"),
    "refuse_opening": Words("以後の開局要求を拒否する", "refuses every opening from now on"),
    "accept_opening": Words("以後の開局要求を受け付ける", "accepts openings again"),
}
"""What a centre does by itself (`simulator.control.Control`)."""

AFTER: Mapping[str, Words] = {
    "in_time": Words("報告待ちタイムアウト以内に、間を置いて", "within the report time-out, but not at once"),
    "too_late": Words("報告待ちタイムアウト経過後に", "after the report time-out"),
}
