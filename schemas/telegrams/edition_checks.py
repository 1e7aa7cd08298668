"""What must hold between an edition of a partner's layouts and the one before it, and of any that is not alone.

Telegrams are under way when the day changes: a report of the old edition answers its request under the new one, and a
fault cancel of the new edition names a request of the old.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec

from schemas.telegrams.building import same_form, trouble
from schemas.telegrams.coding import compile_element, compile_positional
from schemas.telegrams.errors import Fault
from schemas.telegrams.fields import FieldSpec
from schemas.telegrams.files import PARTNER, Faults
from schemas.telegrams.roles import FAULT_COMMANDS, ORDINARY_REQUESTS, Role
from schemas.telegrams.spec import PartnerSpec
from schemas.telegrams.vocabulary import Value

_SAME = ("name", "framing", "trace_width", "trace_range", "route_range", "result_field", "match_fields")
_DATE = "business_date"


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
        complaints += [*_settings(older, newer), *_same_dates(older, newer)]
        complaints += [*_originals(older, newer), *_error_codes(older, newer)]
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
        one, other = (_field(spec, role, _DATE) for spec in (older, newer))
        if one is not None and other is not None and not (same_form(one, other) and _place(one) == _place(other)):
            problem, remedy = "is another than in the edition before", "leave it where it is, as it is"
            yield _Complaint(newer, f"{role.value}.toml", _DATE, problem, remedy)


def _originals(older: PartnerSpec, newer: PartnerSpec) -> Iterator[_Complaint]:
    """A fault cancel must be able to name what went out by the edition before."""
    for command in FAULT_COMMANDS:
        for name in ("terminal_id", "amount", "original_trace_number", "original_route_number", "original_type_code"):
            field = _field(newer, command, name)
            if field is None:
                continue
            for what, value in _values_of(older, name):
                problem = trouble(_write(field), value)
                if problem is not None:
                    problem = f"of {what} of the edition before it {problem}"
                    remedy = "give the field room for it: requests of yesterday are cancelled, too"
                    yield _Complaint(newer, f"{command.value}.toml", name, problem, remedy)
                    break


def _values_of(older: PartnerSpec, name: str) -> Iterator[tuple[str, Value]]:
    """Values that a request of the older edition may have had: its type code, or the greatest its field can hold."""
    for role in ORDINARY_REQUESTS:
        if name == "original_type_code":
            yield role.value, older.type_code(role)
            continue
        field = _field(older, role, name.removeprefix("original_"))
        if field is not None:
            yield role.value, _greatest(field)


def _greatest(field: FieldSpec) -> Value:
    if field.value_type is int:
        last = 256**field.length if field.encoding == "binary" else 10**field.length
        return int(last) - 1
    return "9" * field.length


def _error_codes(older: PartnerSpec, newer: PartnerSpec) -> Iterator[_Complaint]:
    for code, error in newer.error_codes.items():
        before = older.error_codes.get(code)
        if before is not None and before.error_class is not error.error_class:
            problem = f"was {before.error_class} in the edition before"
            remedy = "leave its class: who repeats cancels does not know by which edition a report was written"
            yield _Complaint(newer, PARTNER, f"error_codes {code}", problem, remedy)


def _field(spec: PartnerSpec, role: Role, name: str) -> FieldSpec | None:
    return next((field for field in spec.telegrams[role].fields if field.name == name), None)


def _place(field: FieldSpec) -> int | None:
    return field.offset if field.bit is None else field.bit


def _write(field: FieldSpec) -> object:
    plain = msgspec.structs.replace(field, const=None, default=None, required=True, when=None)
    return (compile_positional if field.bit is None else compile_element)(plain).write
