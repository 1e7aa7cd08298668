"""The course of a flow as people follow it: what the client asks and hears, telegrams, and why each one follows.

Everything is derived from the record: its telegrams in their order, and what the client asked and heard.
"""

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from images.document import TO_PARTNER, Document, FlowView, Image
from images.record import Asked
from schemas.telegrams import FAULT_COMMANDS, REPORT_OF, Role

AGAIN = (Role.FAULT_CANCEL_AGAIN, Role.FAULT_CONFIRM_AGAIN)
_CANCEL_ANSWERS = (Role.FAULT_CANCEL_REPORT, Role.FAULT_CONFIRM_REPORT)

HEARD = {
    "approved": ("承認", "approved"),
    "declined": ("否認", "declined"),
    "turned_round": ("折返し", "turned round"),
    "in_error": ("異常", "in error"),
    "being_cancelled": ("取消中", "being cancelled"),
    "cancelled": ("取消済", "cancelled"),
    "attention": ("有人対応", "handed to a person"),
}
"""What a client hears, in both languages."""


class Kind(Enum):
    """What a step is."""

    CLIENT_ASKS = "client_asks"
    CLIENT_HEARS = "client_hears"
    CLIENT_LOST = "client_lost"  # an answer for which there was nobody
    TELEGRAM = "telegram"
    NOTE = "note"


class Step(NamedTuple):
    """One step. `image` where a telegram travels; `holds`: the route is held when it is over."""

    kind: Kind
    japanese: str
    english: str
    image: Image | None = None
    holds: bool = False


def heard(word: str) -> tuple[str, str]:
    """What a client hears, Japanese and English."""
    return HEARD.get(word, (word, word))


def steps_of(document: Document, flow: FlowView) -> list[Step]:
    """The steps of a flow, in order."""
    return list(_Walk(document, flow).steps())


class _Walk:
    """Goes through the telegrams of a flow once."""

    def __init__(self, document: Document, flow: FlowView) -> None:
        self._document = document
        self._flow = flow
        self._asks = list(flow.flow.asks)
        self._asked: Asked | None = None  # who has not heard yet
        self._heard: list[Asked] = []
        self._holds = False
        self._before: Image | None = None

    def steps(self) -> Iterator[Step]:
        for image in self._flow.images:
            for step in (*self._why(image), *self._begin(image)):
                yield step._replace(holds=self._holds)
            if image.role in _CANCEL_ANSWERS and not self._says_trouble(image):
                self._holds = False
            names = image.telegram.telegram
            yield Step(Kind.TELEGRAM, names.japanese, names.english, image, self._holds)
            for step in self._end(image):
                yield step._replace(holds=self._holds)
            self._before = image
        for step in self._last():
            yield step._replace(holds=self._holds)

    # --- before a telegram

    def _begin(self, image: Image) -> Iterator[Step]:
        if image.travelled.way == TO_PARTNER and self._asks and image.role is self._asks[0].request:
            self._asked = self._asks.pop(0)
            names = self._named(image)
            amount = f"{self._asked.amount:,}"
            yield Step(Kind.CLIENT_ASKS, f"{names[0]} {amount}円", f"{names[1]}, {amount} yen")

    def _named(self, image: Image) -> tuple[str, str]:
        inner = image.telegram if image.inside is None else image.inside.telegram
        return inner.telegram.japanese, inner.telegram.english

    def _why(self, image: Image) -> Iterator[Step]:
        if image.role is Role.OPENING_REQUEST and self._before is not None:
            yield Step(Kind.NOTE, "回線切断 → 再接続", "the line is gone, and connected again")
        if image.role is Role.FAULT_CONFIRM:
            lost = self._before is not None and self._before.role is Role.OPENING_ANSWER
            waited = f"{self._document.part.report_timeout_ms:,} ms"
            self._holds = True
            if lost:
                yield Step(Kind.NOTE, "報告前に回線断 → 経路保留", "the line broke before the report: route held")
            else:
                yield Step(Kind.NOTE, f"{waited} 以内に報告なし → 経路保留", f"no report within {waited}: route held")
            yield from self._hears_at_once()
        if image.role is Role.FAULT_CANCEL:
            self._holds = True
            yield Step(Kind.NOTE, "報告を返却できない → 経路保留", "the report could not be returned: route held")
        if image.role in AGAIN:
            yield self._why_again()

    def _why_again(self) -> Step:
        if self._before is not None and self._before.role in _CANCEL_ANSWERS:
            code = self._before.message.values.get("error_code", "")
            return Step(Kind.NOTE, f"{code} のため間をおいて再指令", f"{code}: commanded again after a pause")
        waited = f"{self._document.part.cancel_timeout_ms:,} ms"
        return Step(Kind.NOTE, f"{waited} 以内に応答なし → 再指令", f"no answer within {waited}: commanded again")

    # --- after it

    def _end(self, image: Image) -> Iterator[Step]:
        if image.travelled.way == TO_PARTNER:
            return
        reports = {REPORT_OF[each.request] for each in self._flow.flow.asks}
        about_request = image.role is Role.ERROR_REPORT and self._asked is not None  # else about a command
        if image.role not in reports and not about_request:
            return
        if self._asked is None:
            yield Step(Kind.NOTE, "既に終わった取引：何も変えない", "its transaction is over: nothing changes")
        elif self._asked.told is None:
            yield Step(Kind.CLIENT_LOST, "返却不能（加盟店サーバ不在）", "the client is gone")
            self._heard.append(self._asked)
            self._asked = None
        else:
            yield from self._hears_at_once()

    def _hears_at_once(self) -> Iterator[Step]:
        if self._asked is not None and self._asked.told is not None:
            yield Step(Kind.CLIENT_HEARS, *heard(self._asked.told))
            self._heard.append(self._asked)
            self._asked = None

    def _says_trouble(self, image: Image) -> bool:
        message = image.message if image.inside is None else image.inside.message
        return "error_code" in message.values

    def _last(self) -> Iterator[Step]:
        before = self._before
        if any(each.ended == "attention" for each in self._heard):
            if before is not None and before.role in FAULT_COMMANDS:
                waited = f"{self._document.part.cancel_timeout_ms:,} ms"
                japanese, english = (
                    f"{waited} 以内に応答なし、上限到達",
                    f"no answer within {waited}, the limit is reached",
                )
                yield Step(Kind.NOTE, japanese, english)
            self._holds = False
            yield Step(
                Kind.NOTE, "要対応一覧へ（有人対応）→ 経路解放", "on the attention list, for a person: route released"
            )
        for each in self._heard:
            if each.ended != each.told:
                japanese, english = heard(each.ended)
                yield Step(Kind.CLIENT_HEARS, f"照会への回答：{japanese}", f"on inquiry: {english}")
