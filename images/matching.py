"""Which request an answer answers, and for one that answers none: which it nearly does, and what keeps it from that.

The rule is the gateway's (`egress/flights.py`): the match fields of the partner's layouts are equal, and so is the
amount where both have one.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from schemas.telegrams import FAMILY_OF, REPORT_OF, Family, Message, PartnerSpec, Role, Value

_TRACES = {"trace_number", "original_trace_number"}
_FAR = 2  # an answer whose differences weigh more is near nothing
ANSWERS = frozenset({*REPORT_OF.values(), Role.ERROR_REPORT})


class Asked(NamedTuple):
    """A request that was sent. `values` may be fewer than it had: what is not known is not compared."""

    number: int  # among the telegrams of a capture, or the offset in `sent`
    role: Role
    values: Mapping[str, Value]
    answered_by: int | None = None  # the number of its answer


class Difference(NamedTuple):
    """What an answer has otherwise than the request. `name` is a field, or ``role``: it answers another kind."""

    name: str
    asked: Value
    answered: Value


class NearMiss(NamedTuple):
    """The request that an answer nearly answers; with no differences it does, but that was answered before."""

    asked: Asked
    differences: tuple[Difference, ...]
    unknown: tuple[str, ...]  # match fields of which the request's value is not known here


def compare(partner: PartnerSpec, asked: Asked, answer: Message) -> NearMiss | None:
    """What keeps this answer from answering this request; None where it is of another family, as a keep-alive's."""
    in_error = answer.role is Role.ERROR_REPORT
    family = FAMILY_OF.get(answer.role)
    if family is None or (not in_error and FAMILY_OF.get(asked.role) is not family):
        return None
    differences: list[Difference] = []
    if not in_error and (expected := REPORT_OF.get(asked.role)) is not answer.role:
        differences.append(Difference("role", "" if expected is None else expected.value, answer.role.value))
    unknown: list[str] = []
    for name in _compared(partner, family, answer):
        if asked.values.get(name) is None:
            unknown.append(name)
        elif asked.values[name] != answer.values.get(name):
            differences.append(Difference(name, asked.values[name], answer.values.get(name, "")))
    return NearMiss(asked, tuple(differences), tuple(each for each in unknown if each != "amount"))


def _compared(partner: PartnerSpec, family: Family, answer: Message) -> tuple[str, ...]:
    fields = partner.match_fields[family]
    return (*fields, "amount") if "amount" in answer.values and "amount" not in fields else fields


def near_miss(partner: PartnerSpec, asked: Iterable[Asked], answer: Message) -> NearMiss | None:
    """The nearest of these requests, those not answered yet and later ones first; None where none is near."""
    best: tuple[tuple[float, bool, int], NearMiss] | None = None
    for each in asked:
        found = compare(partner, each, answer)
        if found is None:
            continue
        weight = sum(2 if one.name in _TRACES else 1 for one in found.differences) + 0.1 * len(found.unknown)
        rank = (weight, each.answered_by is not None, -each.number)
        if weight <= _FAR and (best is None or rank < best[0]):
            best = rank, found
    return None if best is None else best[1]


def is_answer(partner: PartnerSpec, asked: Asked, answer: Message) -> bool:
    """Whether this answers that request, which may have been answered before."""
    found = compare(partner, asked, answer)
    return found is not None and not found.differences and not found.unknown
