"""Steps in words, Japanese and English: what a tester reads, and what he asks the partner's operator for."""

from collections.abc import Mapping
from typing import assert_never

from acceptance.cards import CARDS
from acceptance.cases import (
    AnyStep,
    AskStep,
    AwaitStep,
    CheckStep,
    ConfirmStep,
    DrillStep,
    EventStep,
    InquireStep,
    Look,
    Manner,
    OrderStep,
    PartnerStep,
)
from acceptance.deeds import AFTER, DEEDS, EVENTS, Words
from acceptance.words import WORDS, code_for
from schemas.records import Kind, LineOrder, Status
from schemas.telegrams import PartnerSpec

_KINDS: Mapping[Kind, Words] = {
    Kind.AUTHORISATION: Words("オーソリ", "authorisation"),
    Kind.SALE: Words("売上", "sale"),
    Kind.CANCEL: Words("取消", "cancel"),
    Kind.REFUND: Words("返品", "refund"),
}
_MANNERS: Mapping[Manner, Words] = {
    Manner.WAITS: Words("", ""),
    Manner.VANISHES: Words("要求直後に切断する", "hangs up as soon as it has asked"),
    Manner.MUTE: Words("接続したまま受領確認を返さない", "stays and acknowledges nothing"),
    Manner.RETURNS: Words("要求直後に切断し、再接続して照会する", "hangs up at once, comes back and inquires"),
}
_ORDERS: Mapping[LineOrder, Words] = {
    LineOrder.OPEN: Words("開局を指示", "open"),
    LineOrder.DRAIN: Words("取消のみを指示", "drain"),
    LineOrder.CLOSE: Words("閉局を指示", "close"),
    LineOrder.CALENDAR: Words("業務時間どおりを指示", "follow the calendar"),
}
_AWAITED: Mapping[str, Words] = {
    "open": Words("待機：全回線が開局するまで", "wait: until every line is open"),
    "closed": Words("待機：開局中の回線がなくなるまで", "wait: until no line is open"),
    "reopened": Words("待機：全回線が再接続して開局するまで", "wait: until every line is connected and open anew"),
}
LOOKS: Mapping[Look, Words] = {
    Look.CONFIGURATION: Words("トピックが構成ファイルどおりに存在する", "the topics are there as configured"),
    Look.LAYOUT_CONFIRMED: Words(
        "電文レイアウトに「仮定」の項目が残っていない", "no field of the telegram layouts is an assumption"
    ),
    Look.ENCRYPTED: Words("クライアント・回線・Kafka が TLS で保護されている", "clients, lines and Kafka use TLS"),
    Look.LINES_OPEN: Words("全回線が開局している", "every line is open"),
    Look.KEEPALIVE: Words("全回線で疎通確認が応答されている", "keep-alives are answered on every line"),
    Look.NO_ROUTE_HELD: Words("経路保留が残っていない", "no route is held"),
    Look.NO_ATTENTION: Words("要対応一覧が空である", "the attention list is empty"),
    Look.NO_CANCEL_OPEN: Words("障害取消が処理中でない", "no fault cancel is under way"),
    Look.MONEY: Words("資金照合（7 つの不変条件）", "the money report: seven invariants"),
}


_ANSWERS: Mapping[str, str] = {
    Status.APPROVED: "承認",
    Status.DECLINED: "否認",
    Status.TURNED_ROUND: "折返し",
    Status.IN_ERROR: "異常報告",
    Status.BEING_CANCELLED: "取消処理中",
    Status.CANCELLED: "取消済み",
    Status.ATTENTION: "有人対応",
    Status.IN_PROCESS: "処理中",
    Status.UNKNOWN: "該当取引なし",
    "no end": "終了せず",
}
_KINDS_OF_ANSWER = {"refused: ": "拒否", "rejected: ": "受付不可", "error: ": "エラー"}


def answer(told: str | None) -> str:
    """What a client was told, in Japanese with the protocol's own word; None: it was gone by then."""
    if told is None:
        return "（切断済み）"
    for front, word in _KINDS_OF_ANSWER.items():
        if told.startswith(front):
            return f"{word} {told.removeprefix(front)}"
    return f"{_ANSWERS[told]} {told}" if told in _ANSWERS else told


def told_step(step: AnyStep, partner: PartnerSpec) -> Words:
    """A step as a sentence, with who does it in front."""
    match step:
        case PartnerStep():
            return _partner(step, partner)
        case AskStep():
            return _ask(step)
        case InquireStep():
            return Words(f"利用側：{step.name} を照会する", f"client: inquires about {step.name}")
        case EventStep():
            words = EVENTS[step.event]
            return Words(f"相手センタ：{words.ja}", f"partner: {words.en}")
        case OrderStep():
            words = _ORDERS[step.order]
            return Words(
                f"運用者：全回線に{words.ja}する（denbun lines）", f"operator: orders every line to {words.en}"
            )
        case AwaitStep():
            return _AWAITED[step.lines]
        case CheckStep():
            words = LOOKS[step.look]
            return Words(f"確認：{words.ja}", f"check: {words.en}")
        case ConfirmStep():
            return Words(f"手動：{step.ja}", f"by hand: {step.en}")
        case DrillStep():
            return Words(
                f"障害訓練：denbun drill {step.drill} --payments {step.payments}",
                f"drill: denbun drill {step.drill} --payments {step.payments}",
            )
        case _:
            assert_never(step)


def _partner(step: PartnerStep, partner: PartnerSpec) -> Words:
    telegrams = [partner.telegrams[WORDS[word]] for word in step.telegrams]
    ja = "・".join(f"{each.japanese}（{each.type_code}）" for each in telegrams)
    en = " and ".join(f"{each.english} ({each.type_code})" for each in telegrams)
    often_ja = "" if step.times is None else f"最初の {step.times} 回だけ、"
    often_en = "" if step.times is None else f", the first {step.times} only"
    when = Words("", "") if step.after is None else AFTER[step.after]
    when_ja = f"{when.ja}、" if when.ja else ""
    when_en = f" {when.en}" if when.en else ""
    code = "" if step.code is None else f" [{code_for(partner, step.code)}]"
    deed = DEEDS[step.deed]
    return Words(
        f"相手センタ：本ケースの{ja}に対し、{often_ja}{when_ja}{deed.ja}{code}",
        f"partner: to {en} of this case{often_en}: {deed.en}{code}{when_en}",
    )


def _ask(step: AskStep) -> Words:
    kind, manner = _KINDS[step.kind], _MANNERS[step.manner]
    many = "" if step.count == 1 else f" {step.count} 件同時"
    many_en = "" if step.count == 1 else f", {step.count} at once"
    follows = "" if step.follows is None else f"、原取引 {step.follows}"
    follows_en = "" if step.follows is None else f", of {step.follows}"
    same = "" if step.reference_of is None else f"、参照番号は {step.reference_of} と同じ"
    same_en = "" if step.reference_of is None else f", under the reference of {step.reference_of}"
    how = f"。{manner.ja}" if manner.ja else ""
    how_en = f"; {manner.en}" if manner.en else ""
    card = CARDS[step.card]
    code, code_en = ("、セキュリティコードあり", ", with security code") if step.security_code else ("", "")
    return Words(
        f"利用側：{step.name}＝{kind.ja} ¥{step.amount:,}{many}（{card.ja}{code}{follows}{same}）{how}",
        f"client: {step.name} = {kind.en} of ¥{step.amount:,}{many_en} "
        f"({card.en}{code_en}{follows_en}{same_en}){how_en}",
    )
