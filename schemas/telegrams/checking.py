"""What must hold between the telegrams of a partner, and between them and ``partner.toml``."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType

import msgspec

from schemas.near_names import meant
from schemas.records import Outcome
from schemas.telegrams.building import same_form, trouble
from schemas.telegrams.coding import compile_element, compile_positional
from schemas.telegrams.fields import FieldSpec
from schemas.telegrams.files import PARTNER, Faults
from schemas.telegrams.plans import Walk
from schemas.telegrams.roles import FAMILY_OF, FAULT_COMMANDS, ORDINARY_REQUESTS, REPORT_OF, Family, Role
from schemas.telegrams.settings import Settings
from schemas.telegrams.spec import Candidates, Telegram
from schemas.telegrams.vocabulary import FOUND_AGAIN_BY, Value

# The telegrams that say what became of a request.
WITH_RESULT = frozenset(
    [REPORT_OF[role] for role in (*ORDINARY_REQUESTS, *FAULT_COMMANDS)] + [Role.OPENING_ANSWER, Role.CLOSING_ANSWER]
)


class PartnerChecks:
    """What must hold between ``partner.toml`` and the telegrams. `told`: fields of which something was said already."""

    def __init__(
        self,
        settings: Settings,
        telegrams: Mapping[Role, Telegram],
        faults: Faults,
        told: Collection[tuple[Role, str]] = (),
    ) -> None:
        self._told = told
        self._settings = settings
        self._telegrams = telegrams
        self._faults = faults

    def run(self) -> None:
        self._match()
        self._sizes()
        self._numbers()
        self._codes(self._settings.result_field, "result_codes", list(self._settings.result_codes))
        self._codes("error_code", "error_codes", list(self._settings.error_codes))
        if not any(result.outcome is Outcome.APPROVED for result in self._settings.result_codes.values()):
            self._faults.add(PARTNER, "result_codes", "no code means approved", "list the partner's code of approval")
        for role in WITH_RESULT:
            field = self._telegrams[role].field(self._settings.result_field)
            if not field.always or field.const is not None:
                remedy = "say `required = true`, without a const"
                self._faults.add(f"{role.value}.toml", field.name, "a report must always say its result", remedy)

    def _match(self) -> None:
        for family, names in self._settings.match_fields.items():
            roles = [role for role, its in FAMILY_OF.items() if its is family]
            if family is Family.ERROR:
                roles += [*REPORT_OF]
                roles += dict.fromkeys(REPORT_OF[request] for request in (*ORDINARY_REQUESTS, *FAULT_COMMANDS))
                roles += [role for role in (Role.ENVELOPE_REQUEST,) if role in self._telegrams]
            for role in roles:
                usable = self._telegrams[role].required
                for name in names:
                    if name not in usable and (role, name) not in self._told:
                        problem = f"{family} matches by {name}, which {role.value} does not always carry"
                        others = () if name in self._telegrams[role].names else sorted(usable)
                        remedy = "match by fields that are required in the request and in its report"
                        remedy = meant(name, others, remedy)
                        self._faults.add(PARTNER, "match", problem, remedy)
        for name in self._settings.match_fields[Family.ERROR]:
            if name not in FOUND_AGAIN_BY:
                problem = f"error matches by {name}, which the next owner of a line does not know of what it inherits"
                self._faults.add(PARTNER, "match", problem, f"use some of: {', '.join(sorted(FOUND_AGAIN_BY))}")

    def _sizes(self) -> None:
        most = self._settings.framing.max_length
        for role, telegram in self._telegrams.items():
            if telegram.size > most:
                problem = f"the telegram can take {telegram.size} bytes, framing allows {most}"
                self._faults.add(f"{role.value}.toml", None, problem, "raise max_length of [framing], or shorten it")

    def _numbers(self) -> None:
        width = self._settings.trace_width
        for file, field in self._each("trace_number", "original_trace_number"):
            if field.length != width:
                problem = f"has length {field.length}, but trace_width is {width}"
                self._faults.add(file, field.name, problem, "make them equal")

    def _codes(self, name: str, place: str, codes: Sequence[str]) -> None:
        for file, field in self._each(name):
            for code in codes:
                problem = _trouble(field, code)
                if problem is not None:
                    remedy = "correct the code, or the field"
                    self._faults.add(PARTNER, f"{place} {code}", f"in {file} it {problem}", remedy)

    def _each(self, *names: str) -> Iterator[tuple[str, FieldSpec]]:
        """Each form these fields have in any telegram, with the first file it is met in."""
        met: list[FieldSpec] = []
        for role, telegram in self._telegrams.items():
            for field in telegram.fields:
                known = any(field.name == other.name and same_form(field, other) for other in met)
                if field.name in names and field.const is None and not known:
                    met.append(field)
                    yield f"{role.value}.toml", field


def _trouble(field: FieldSpec, value: Value) -> str | None:
    """What the codec of a field has against a value, or None."""
    plain = msgspec.structs.replace(field, default=None)
    return trouble((compile_positional if field.bit is None else compile_element)(plain).write, value)


class Selecting:
    """Finds out how each telegram is known when it arrives."""

    def __init__(self, telegrams: Mapping[Role, Telegram], faults: Faults, *, bitmap: bool) -> None:
        self._telegrams = telegrams
        self._faults = faults
        self._bitmap = bitmap

    def selector(self) -> Mapping[bytes, Telegram | Candidates]:
        groups: dict[bytes, list[Telegram]] = {}
        for telegram in self._telegrams.values():
            groups.setdefault(compile_positional(telegram.field("type_code")).write(None), []).append(telegram)
        found: dict[bytes, Telegram | Candidates] = {}
        for raw, group in groups.items():
            chosen = group[0] if len(group) == 1 else self._candidates(group)
            if chosen is not None:
                found[raw] = chosen
        return MappingProxyType(found)

    def _candidates(self, group: Sequence[Telegram]) -> Candidates | None:
        before = self._faults.told
        targets = [target for telegram in group if (target := self._target(telegram, group)) is not None]
        if self._faults.told != before:
            return None
        first = targets[0]
        by_constant: dict[bytes, Telegram] = {}
        for telegram, target in zip(group, targets, strict=True):
            if target.name != first.name or not same_form(target, first) or _place(target) != _place(first):
                self._cannot(telegram, group, f"{target.name} is not the field by which {group[0].role.value} is known")
                continue
            raw = (compile_element(target) if self._bitmap else compile_positional(target)).write(None)
            if raw in by_constant:
                self._cannot(telegram, group, f"{target.name} has the same const as in {by_constant[raw].role.value}")
            by_constant[raw] = telegram
        fields_before = self._before(group, first) if self._bitmap else []
        if self._faults.told != before:
            return None
        if self._bitmap:
            find = Walk(sum(field.size for field in group[0].fields if field.bit is None), first, fields_before).find
            return Candidates(find, first.name, by_constant)
        start = first.offset or 0
        return Candidates(lambda data: (data[start : start + first.size], start), first.name, by_constant)

    def _target(self, telegram: Telegram, group: Sequence[Telegram]) -> FieldSpec | None:
        if telegram.told_apart_by is None:
            self._cannot(telegram, group, "told_apart_by is missing")
            return None
        named = [field for field in telegram.fields if field.name == telegram.told_apart_by]
        if not named or named[0].const is None or named[0].group is not None:
            problem = f"{telegram.told_apart_by} is not a field with a const, at a place of its own"
            fitting = [each.name for each in telegram.fields if each.const is not None] if not named else []
            self._cannot(telegram, group, problem, telegram.told_apart_by, fitting)
            return None
        return named[0]

    def _before(self, group: Sequence[Telegram], target: FieldSpec) -> list[FieldSpec]:
        """All fields that may stand before the one that tells the group apart."""
        by_bit: dict[int, FieldSpec] = {}
        for telegram in group:
            for field in telegram.fields:
                if field.bit is None or field.bit >= (target.bit or 0):
                    continue
                known = by_bit.setdefault(field.bit, field)
                if not same_form(known, field):
                    self._cannot(
                        telegram, group, f"bit {field.bit} before {target.name} has another form than elsewhere"
                    )
        return list(by_bit.values())

    def _cannot(
        self, telegram: Telegram, group: Sequence[Telegram], why: str, name: str = "", known: Sequence[str] = ()
    ) -> None:
        others = ", ".join(other.role.value for other in group if other is not telegram)
        problem = f"type code {telegram.type_code} is also that of {others}, and {why}"
        remedy = meant(name, known, "name in told_apart_by a field that has another const in each of them")
        self._faults.add(f"{telegram.role.value}.toml", "type_code", problem, remedy)


def _place(field: FieldSpec) -> int | None:
    return field.offset if field.bit is None else field.bit
