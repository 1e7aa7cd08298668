"""The field names all partners share, so that the services can fill and read any partner's telegrams.

A layout file may give a field any Japanese and English name; ``name`` ties it to one of these. A name outside this
table is allowed where nothing in the gateway has to fill it: with a ``const`` or ``default``, or in a report.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from schemas.telegrams.roles import ENVELOPES, FAULT_COMMANDS, ORDINARY_REQUESTS, REPORT_OF, STATION_REQUESTS, Role

Value = str | int


class Sensitivity(StrEnum):
    """How much of a value people may see (PCI DSS 3.3, 3.4)."""

    NONE = "none"
    PAN = "pan"  # the card number: first six and last four digits
    SECRET = "secret"  # noqa: S105 (a word of the layout files) - sensitive authentication data and expiry: nothing


class Term(NamedTuple):
    """What the services agree about a field: the Python type of its value and who may see it."""

    value_type: type[str] | type[int]
    sensitivity: Sensitivity = Sensitivity.NONE


VOCABULARY: Mapping[str, Term] = MappingProxyType(
    {
        "type_code": Term(str),  # 電文種別コード; always a constant of the telegram
        "company_code": Term(str),  # 会社コード
        "business_date": Term(str),  # 営業日, YYYYMMDD whatever the layout's width
        "sent_time": Term(str),  # 送信時刻, HHMMSS
        "trace_number": Term(int),  # 処理通番
        "route_number": Term(int),  # 経路番号
        "station_id": Term(str),  # 局識別
        "terminal_id": Term(str),  # 端末識別番号
        "pan": Term(str, Sensitivity.PAN),  # 会員番号
        "expiry": Term(str, Sensitivity.SECRET),  # 有効期限, YYMM
        "track2": Term(str, Sensitivity.SECRET),  # 第2トラック
        "security_code": Term(str, Sensitivity.SECRET),  # セキュリティコード
        "pin_block": Term(str, Sensitivity.SECRET),  # 暗証番号ブロック
        "amount": Term(int),  # 金額, yen
        "tax_other": Term(int),  # 税送料, yen
        "payment_method": Term(str),  # 支払区分
        "installments": Term(int),  # 分割回数
        "product_code": Term(str),  # 商品コード
        "merchant_name": Term(str),  # 加盟店名
        "approval_code": Term(str),  # 承認番号
        "result_code": Term(str),  # 結果コード
        "error_code": Term(str),  # エラーコード
        "reference": Term(str),  # 加盟店参照番号
        "original_type_code": Term(str),  # 原電文種別コード
        "original_trace_number": Term(int),  # 原処理通番
        "original_route_number": Term(int),  # 原経路番号
        "original_business_date": Term(str),  # 原営業日, YYYYMMDD
        "original_amount": Term(int),  # 原金額, yen
        "original_approval_code": Term(str),  # 原承認番号
        "carried_code": Term(str),  # 搬送先識別: whose telegram an envelope carries
        "carried_telegram": Term(str, Sensitivity.SECRET),  # 搬送電文: its bytes, as lower-case hexadecimal digits
    }
)

# What a telegram must carry for the services to work: a request to be found again, a report to be understood.
_ALL = frozenset({"trace_number"})
_BUSINESS = _ALL | {"terminal_id", "amount"}
NAMING = frozenset({"original_trace_number", "original_business_date"})  # by what a cancel names its original
_INSIDE = frozenset({"carried_code", "carried_telegram"})
NEEDED: Mapping[Role, frozenset[str]] = MappingProxyType(
    dict.fromkeys(Role, _ALL)
    | dict.fromkeys(ORDINARY_REQUESTS, _BUSINESS | {"pan", "expiry"})
    | dict.fromkeys((Role.CANCEL_REQUEST, Role.REFUND_REQUEST), _BUSINESS | {"pan", "expiry"} | NAMING)
    | {REPORT_OF[request]: _BUSINESS | {"result_code"} for request in ORDINARY_REQUESTS}
    | dict.fromkeys(FAULT_COMMANDS, _ALL | NAMING)
    | {REPORT_OF[command]: _ALL | NAMING | {"result_code", "error_code"} for command in FAULT_COMMANDS}
    | {Role.ERROR_REPORT: _ALL | {"error_code"}}
    | dict.fromkeys((Role.OPENING_ANSWER, Role.CLOSING_ANSWER), _ALL | {"result_code"})
    | dict.fromkeys(ENVELOPES, _ALL | _INSIDE)
)

# What the gateway always has a value for in a telegram it sends (egress/telegrams.py). Anything else may be absent, so
# a field that is required must be one of these, or have a const or a default.
_EVERY = frozenset({"company_code", "business_date", "sent_time", "trace_number", "route_number"})
_ASKED = _EVERY | {"terminal_id", "pan", "expiry", "amount", "payment_method", "reference"}
_TAKING_BACK = _ASKED | NAMING | {"original_amount"}
_COMMANDED = _EVERY | NAMING | {"terminal_id", "amount", "original_type_code", "original_route_number"}
_STATION = _EVERY | {"station_id"}
FILLED: Mapping[Role, frozenset[str]] = MappingProxyType(
    {Role.AUTHORISATION_REQUEST: _ASKED, Role.SALE_REQUEST: _ASKED}
    | {Role.CANCEL_REQUEST: _TAKING_BACK, Role.REFUND_REQUEST: _TAKING_BACK}
    | dict.fromkeys(FAULT_COMMANDS, _COMMANDED)
    | dict.fromkeys((*STATION_REQUESTS, Role.KEEPALIVE_ANSWER), _STATION)
    | dict.fromkeys((Role.OPENING_ANSWER, Role.CLOSING_ANSWER), _STATION | {"result_code"})
    | {Role.ENVELOPE_REQUEST: _EVERY | _INSIDE}
)

# What it has a value for only if the client, or the report on the original, gave one.
_GIVEN = frozenset({"track2", "security_code"})
_APPROVED = frozenset({"original_approval_code"})
MAY_FILL: Mapping[Role, frozenset[str]] = MappingProxyType(
    {Role.AUTHORISATION_REQUEST: _GIVEN, Role.SALE_REQUEST: _GIVEN}
    | {Role.CANCEL_REQUEST: _APPROVED, Role.REFUND_REQUEST: _APPROVED}
)

# By what an error report finds its telegram after the line was taken over: `sent` tells the next owner no more.
FOUND_AGAIN_BY = frozenset({"company_code", "business_date", "trace_number", "route_number"})

# A fault cancel names its original by trace number; card data has no business in it (PCI DSS 3.2). An envelope has what
# it carries in one field, as it stands in the other partner's telegram.
_CARD_DATA = frozenset(name for name, term in VOCABULARY.items() if term.sensitivity is not Sensitivity.NONE)
FORBIDDEN: Mapping[Role, frozenset[str]] = MappingProxyType(
    {role: _CARD_DATA for role in Role if role not in (*ORDINARY_REQUESTS, *ENVELOPES)}
    | dict.fromkeys(ENVELOPES, _CARD_DATA - _INSIDE)
)
