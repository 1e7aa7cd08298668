"""What must hold between an edition of a partner's layouts and the one before it, and of any that is not alone.

Telegrams are under way when the day changes: a report of the old edition answers its request under the new one, and a
fault cancel of the new edition names a request of the old.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

from schemas.telegrams.building import same_form
from schemas.telegrams.errors import Fault
from schemas.telegrams.fields import FieldSpec
from schemas.telegrams.files import PARTNER, Faults
from schemas.telegrams.roles import FAULT_COMMANDS, ORDINARY_REQUESTS, REPORT_OF
from schemas.telegrams.sendable import Taking, find, not_following
from schemas.telegrams.spec import PartnerSpec

_SAME = ("name", "framing", "trace_width", "trace_range", "route_range", "result_field", "match_fields")
_DATE = "business_date"
_ROOM = "give the field room for it: requests of yesterday are cancelled, too"


class _Complaint(NamedTuple):
    """The edition, the file, the field or key, the problem, the remedy."""

    spec: PartnerSpec
    file: str
    field: str | None
    problem: str
    remedy: str


def check_editions(specs: Sequence[PartnerSpec], shown: Sequence[str], faults: Faults) -> None:
    """Whether neighbouring editions, each with the folder to name, fit together; of a single one nothing is to say."""
    folders = {spec.since: folder for spec, folder in zip(specs, shown, strict=True)}
    several = specs if len(specs) > 1 else []
    complaints = [complaint for spec in several for complaint in _dated(spec)]
    for older, newer in pairwise(specs):
        complaints += [*_settings(older, newer), *_same_dates(older, newer), *_error_codes(older, newer)]
    taking = Taking()
    for older, newer in combinations(specs, 2):  # a refund 返品 names what was sold months ago
        complaints += _originals(older, newer, taking)
    for spec, file, field, problem, remedy in complaints:
        faults.put(Fault(f"{folders[spec.since]}/{file}", field, problem, remedy))


def _settings(older: PartnerSpec, newer: PartnerSpec) -> Iterator[_Complaint]:
    for name in _SAME:
        if getattr(older, name) != getattr(newer, name):
            key = "match" if name == "match_fields" else name
            remedy = "leave it as it is: the line stays open when the day changes, with telegrams under way"
            yield _Complaint(newer, PARTNER, key, "differs from the edition before", remedy)
    if older.telegrams.keys() != newer.telegrams.keys():
        remedy = "begin or end to carry others' telegrams with a restart, not with an edition"
        yield _Complaint(newer, PARTNER, None, "the edition before has other envelopes", remedy)


def _dated(spec: PartnerSpec) -> Iterator[_Complaint]:
    """An edition is told by the business date in the telegram, so each must carry it."""
    for role, telegram in spec.telegrams.items():
        if _DATE not in telegram.required:
            remedy = "add it, with `required = true`: an edition is told by it"
            problem = "a telegram of which there are several editions must carry this field"
            yield _Complaint(spec, f"{role.value}.toml", _DATE, problem, remedy)


def _same_dates(older: PartnerSpec, newer: PartnerSpec) -> Iterator[_Complaint]:
    """The date must be found whichever edition it is."""
    for role in newer.telegrams:
        if role not in older.telegrams:
            continue
        one, other = (find(spec.telegrams[role], _DATE) for spec in (older, newer))
        if one is not None and other is not None and not (same_form(one, other) and _place(one) == _place(other)):
            problem, remedy = "is another than in the edition before", "leave it where it is, as it is"
            yield _Complaint(newer, f"{role.value}.toml", _DATE, problem, remedy)


def _originals(older: PartnerSpec, newer: PartnerSpec, taking: Taking) -> Iterator[_Complaint]:
    """A cancel of today must be able to name what went out by an edition before, and its report to say it again."""
    for role in (*FAULT_COMMANDS, *dict.fromkeys(REPORT_OF[command] for command in FAULT_COMMANDS)):
        field = find(newer.telegrams[role], "original_type_code")
        for request in ORDINARY_REQUESTS if field is not None else ():
            problem = None if field is None else taking.trouble(field, older.type_code(request))
            if problem is not None:
                problem = f"the type code of {request.value} of an edition before {problem}"
                yield _Complaint(newer, f"{role.value}.toml", "original_type_code", problem, _ROOM)
                break
    for found in not_following(taking, older.telegrams, newer.telegrams, newer.match_fields):
        yield _Complaint(newer, f"{found.role.value}.toml", found.name, found.problem, _ROOM)


def _error_codes(older: PartnerSpec, newer: PartnerSpec) -> Iterator[_Complaint]:
    for code, error in newer.error_codes.items():
        before = older.error_codes.get(code)
        if before is not None and before.error_class is not error.error_class:
            problem = f"was {before.error_class} in the edition before"
            remedy = "leave its class: who repeats cancels does not know by which edition a report was written"
            yield _Complaint(newer, PARTNER, f"error_codes {code}", problem, remedy)


def _place(field: FieldSpec) -> int | None:
    return field.offset if field.bit is None else field.bit
