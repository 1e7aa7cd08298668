"""Answers by which a centre contradicts itself: all but one thing in them is right. Pure.

What such an answer is about stays open: the gateway must not take it for an answer.
"""

from collections.abc import Callable, Mapping

from schemas.telegrams import PartnerSpec, Value
from simulator.deeds import Deed

Other = Callable[[PartnerSpec, Value], Value | None]


def _amount(_: PartnerSpec, value: Value) -> Value:
    return int(value) - 1 if value else 1


def _terminal(_: PartnerSpec, value: Value) -> Value:
    text = str(value)
    return text[:-1] + ("1" if text.endswith("0") else "0")


def _route(partner: PartnerSpec, value: Value) -> Value:
    first, last = partner.route_range
    return int(value) + 1 if int(value) < last else first


def _type(partner: PartnerSpec, value: Value) -> Value | None:
    codes = (telegram.type_code for telegram in partner.telegrams.values())
    return next((code for code in codes if code != value), None)


def _unknown(partner: PartnerSpec, value: Value) -> Value | None:
    width = len(str(value))
    codes = (f"{number:0{width}}" for number in range(10**width))
    return next((code for code in codes if code not in partner.result_codes), None)


_CHANGES: Mapping[Deed, tuple[str, Other]] = {
    Deed.OTHER_AMOUNT: ("amount", _amount),
    Deed.OTHER_TERMINAL: ("terminal_id", _terminal),
    Deed.OTHER_TYPE: ("original_type_code", _type),
    Deed.OTHER_ROUTE: ("original_route_number", _route),
    Deed.OTHER_ERROR: ("original_type_code", _type),
    Deed.UNKNOWN_CODE: ("result_code", _unknown),
}
CONTRADICTING = frozenset(_CHANGES)
"""The deeds that answer something else than what was asked."""


def contradicted(partner: PartnerSpec, deed: Deed, values: Mapping[str, Value]) -> dict[str, Value] | None:
    """The values of an answer as they go out instead; None where this partner's answer has no such field."""
    name, other = _CHANGES[deed]
    if name not in values:
        return None
    changed = other(partner.dated(values), values[name])
    return None if changed is None else {**values, name: changed}
