"""The codes of a partner as a list: what each means, what the gateway does about it, and where it was seen."""

from collections.abc import Mapping
from typing import NamedTuple

from images.document import Document, FlowView, Image
from schemas.telegrams import ErrorClass, Outcome

_FOLLOWS: Mapping[Outcome | ErrorClass, str] = {
    Outcome.APPROVED: "承認・正常終了として返却",
    Outcome.DECLINED: "否認として返却",
    Outcome.TURNED_ROUND: "折返しとして返却。取消電文は出さない",
    ErrorClass.DESTINATION_TROUBLE: "取消：間をおいて再指令、上限で有人対応",
    ErrorClass.TELEGRAM_ERROR: "要求：異常として返却／取消：直ちに有人対応",
}
_UNKNOWN = "応答とみなさない：該当なし電文として記録し、取消確認または再指令"
_MAY_BE_DONE = "。要求の報告では諾否不明とし取消確認"
_OF_FAULT_CANCEL = "取消報告・取消確認報告のみ：エラーコードによる"


class Code(NamedTuple):
    """One code. `flows`: where it was seen."""

    code: str
    japanese: str
    english: str
    follows: str
    flows: tuple[FlowView, ...]


class Codes(NamedTuple):
    """All codes of a kind."""

    japanese: str
    english: str
    field: str
    rows: tuple[Code, ...]


def codes_of(document: Document) -> tuple[Codes, Codes]:
    """The result codes and the error codes of the layouts, and what stands for all others."""
    spec = document.spec
    results = [
        Code(
            each.code or "上記以外",
            each.japanese,
            each.english,
            _UNKNOWN
            if each is spec.unknown_result
            else _OF_FAULT_CANCEL
            if each.fault_cancel
            else _FOLLOWS[each.outcome],
            _seen(document, spec.result_field, each.code),
        )
        for each in (*spec.result_codes.values(), spec.unknown_result)
    ]
    errors = [
        Code(
            each.code or "上記以外",
            each.japanese,
            each.english,
            _UNKNOWN
            if each is spec.unknown_error
            else _FOLLOWS[each.error_class] + (_MAY_BE_DONE if each.may_be_done else ""),
            _seen(document, "error_code", each.code),
        )
        for each in (*spec.error_codes.values(), spec.unknown_error)
    ]
    return (
        Codes("結果コード", "Result codes", spec.result_field, tuple(results)),
        Codes("エラーコード", "Error codes", "error_code", tuple(errors)),
    )


def _seen(document: Document, field: str, code: str) -> tuple[FlowView, ...]:
    def has(image: Image) -> bool:
        return bool(code) and image.message.values.get(field) == code

    return tuple(document.flows_of([image for flow in document.flows for image in flow.images if has(image)]))
