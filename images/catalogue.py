"""The flows the documents show, in their order, with the words about them. Those that are courses have their names.

What each one shows is told by the telegrams of the record, never by this table; here stands only why they follow.
"""

from enum import Enum
from typing import NamedTuple


class Group(Enum):
    """Chapters: Japanese, English."""

    NORMAL = ("正常系", "Ends by itself")
    TURNED = ("折返し・異常報告", "Turned round, or in error")
    CONFIRM = ("障害取消① 報告なし", "Fault cancel 1: no report")
    CANCEL = ("障害取消② 報告返却不能", "Fault cancel 2: report not deliverable")
    TROUBLE = ("障害取消③ エラーコード", "Fault cancel 3: error codes")
    STATION = ("開局・閉局・疎通確認", "Opening, closing, keep-alive")
    CARRIED = ("搬送（他社電文）", "Another partner's telegrams carried")


class Entry(NamedTuple):
    """One flow and its words."""

    name: str
    group: Group
    japanese: str
    english: str
    why: str  # Japanese
    why_english: str


CATALOGUE: tuple[Entry, ...] = (
    Entry(
        "approved", Group.NORMAL, "売上・承認", "Sale, approved",
        "売上要求に承認の報告が返り、加盟店サーバへ返却する。取消電文は出ない。",
        "A sale is approved and the client is told. No cancel telegram follows.",
    ),
    Entry(
        "declined", Group.NORMAL, "売上・否認", "Sale, declined",
        "センタが否認した。結果コードで分かる。取消電文は出ない。",
        "The centre declines; the result code says so. No cancel telegram follows.",
    ),
    Entry(
        "authorised", Group.NORMAL, "オーソリ・承認", "Authorisation, approved",
        "与信だけを求める。売上は計上されない。",
        "Asks for credit only; nothing is charged.",
    ),
    Entry(
        "sale_then_cancel", Group.NORMAL, "売上後の取消", "Sale, then cancel",
        "加盟店が売上を取り消す。原処理通番・原営業日で元の売上を指す。",
        "The merchant takes a sale back. The original is named by its trace number and business date.",
    ),
    Entry(
        "sale_then_refund", Group.NORMAL, "売上後の返品", "Sale, then refund",
        "加盟店が売上を返品する。原処理通番・原営業日で元の売上を指す。",
        "The merchant refunds a sale. The original is named by its trace number and business date.",
    ),
    Entry(
        "answered_twice", Group.NORMAL, "報告の重複", "Report received twice",
        "同じ報告が二度届く。二通目は何も変えない。",
        "The same report comes twice; the second one changes nothing.",
    ),
    Entry(
        "turned_round", Group.TURNED, "折返し", "Turned round",
        "センタが被仕向へ送らず折り返した。取消電文は決して出さない。",
        "The centre turns the request round itself. Never followed by a cancel telegram.",
    ),
    Entry(
        "in_error", Group.TURNED, "要求への異常報告", "Error report about a request",
        "要求電文そのものが誤りで、何も処理されていない。取消電文は出さない。",
        "The request telegram itself was in error and nothing was done. No cancel telegram follows.",
    ),
    Entry(
        "silence", Group.CONFIRM, "報告なし → 取消確認", "No report: cancel-confirm",
        "報告が時間内に来ないため、同じ経路で取消確認指令を送り、取消確認報告で終わる。",
        "No report in time: a cancel-confirm command goes out on the same route, and its report ends it.",
    ),
    Entry(
        "late_report", Group.CONFIRM, "報告遅延", "Late report",
        "取消確認の後に元の報告が遅れて届く。結果は変わらない（取消のまま）。",
        "The report of the request comes after the cancel-confirm. The end stays: cancelled.",
    ),
    Entry(
        "line_dropped", Group.CONFIRM, "処理中の回線断", "Line lost in flight",
        "要求の送信後に回線が切れた。再開局してから取消確認指令を送る。",
        "The line breaks after the request. It is opened again, then the cancel-confirm command goes out.",
    ),
    Entry(
        "silence_twice", Group.CONFIRM, "取消確認も応答なし → 再指令", "Cancel-confirm unanswered: re-command",
        "取消確認指令にも応答がないため、取消確認再指令を送る。",
        "The cancel-confirm command is not answered either: a re-command goes out.",
    ),
    Entry(
        "silence_for_ever", Group.CONFIRM, "再指令の上限到達 → 有人対応", "Re-commands exhausted: a person",
        "再指令が設定の上限まで応答されず、要対応一覧に載せて人に渡す。",
        "No re-command is answered up to the configured limit: handed to a person.",
    ),
    Entry(
        "client_gone", Group.CANCEL, "報告返却不能 → 取消指令", "Report not deliverable: cancel command",
        "報告は届いたが加盟店サーバへ返却できないため、取消指令を送り、取消報告で終わる。",
        "The report came but could not be returned to the client: a cancel command goes out, and its report ends it.",
    ),
    Entry(
        "client_gone_silence", Group.CANCEL, "取消指令も応答なし → 取消再指令", "Cancel unanswered: re-command",
        "取消指令に応答がないため、取消再指令を送る。",
        "The cancel command is not answered: a re-command goes out.",
    ),
    Entry(
        "c13", Group.TROUBLE, "被仕向センタ障害中 → 再指令", "Destination in failure: re-command",
        "取消確認報告が「被仕向センタ障害中」（CAFIS では C13）。間をおいて再指令する。",
        "The cancel-confirm report says the destination is in failure (CAFIS: C13): re-commanded after a pause.",
    ),
    Entry(
        "c14", Group.TROUBLE, "被仕向センタ個別終了 → 再指令", "Destination closed: re-command",
        "取消報告が「被仕向センタ個別終了」（CAFIS では C14）。間をおいて再指令する。",
        "The cancel report says the destination is individually closed (CAFIS: C14): re-commanded after a pause.",
    ),
    Entry(
        "c50", Group.TROUBLE, "報告待ちタイムアウト（継続）→ 有人対応", "Destination's time-out again and again",
        "取消確認報告が「報告待ちタイムアウト」（CAFIS では C50）のまま。上限で人に渡す。",
        "The cancel-confirm reports keep saying time-out (CAFIS: C50): handed to a person at the limit.",
    ),
    Entry(
        "command_in_error", Group.TROUBLE, "取消確認指令への異常報告 → 有人対応", "Error report about a command",
        "指令電文そのものが誤りとされた。繰り返しても直らないため、直ちに人に渡す。",
        "The command telegram itself was in error. Repeating does not help: handed to a person at once.",
    ),
    Entry(
        "opening", Group.STATION, "開局", "Opening",
        "回線を接続した直後に送る。応答が正常なら業務電文を送れる。",
        "Sent when the line is connected. Once it is answered, payments may travel.",
    ),
    Entry(
        "keepalive_from_centre", Group.STATION, "疎通確認（センタから）", "Keep-alive from the centre",
        "センタの疎通確認に応答する。",
        "The centre's keep-alive is answered.",
    ),
    Entry(
        "keepalive_from_gateway", Group.STATION, "疎通確認（当方から）", "Keep-alive from the gateway",
        "電文の途絶えた回線を当方から確認する。",
        "The gateway probes a line without traffic.",
    ),
    Entry(
        "closing_by_centre", Group.STATION, "閉局（センタから）と再開局", "Closing by the centre, opened again",
        "センタの閉局要求に応答し、切断後に再び開局する。",
        "The centre's closing is answered; after it has hung up, the line is opened again.",
    ),
    Entry(
        "closing_by_gateway", Group.STATION, "閉局（当方から）", "Closing by the gateway",
        "サービス停止時に、閉局してから切断する。",
        "When the service stops, the line is closed before it is hung up.",
    ),
    Entry(
        "carried_approved", Group.CARRIED, "搬送した売上・承認", "Carried sale, approved",
        "他社の電文を搬送電文に入れて、この回線で送る（MC 回線）。",
        "Another partner's telegram travels in an envelope of this line's own partner (MC line).",
    ),
    Entry(
        "carried_silence", Group.CARRIED, "搬送した売上・報告なし → 取消確認", "Carried sale, no report",
        "搬送した要求に報告がなく、取消確認指令も搬送電文で送る。",
        "No report about a carried request: the cancel-confirm command is carried, too.",
    ),
)  # fmt: skip

BY_NAME = {entry.name: entry for entry in CATALOGUE}
