"""Loading a partner: its files into a `PartnerSpec`, or a `LayoutError` with every fault of every file at once."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from schemas.records import Outcome
from schemas.telegrams.building import Builder, Dictionary, check_bits, check_places, check_role, same_form, trouble
from schemas.telegrams.coding import compile_element, compile_positional
from schemas.telegrams.errors import LayoutError
from schemas.telegrams.fields import FieldSpec
from schemas.telegrams.files import (
    ERROR_KEYS,
    FIXED_TELEGRAM_KEYS,
    FRAMING_KEYS,
    HEADER,
    LIST_KEYS,
    MATCH_KEYS,
    PARTNER,
    PARTNER_KEYS,
    RESULT_KEYS,
    TELEGRAM_KEYS,
    UNKNOWN_ERROR_KEYS,
    UNKNOWN_RESULT_KEYS,
    Faults,
    Folder,
    Table,
    check_table,
    place_of,
    read_folder,
    tables_in,
)
from schemas.telegrams.framing import Framing, LengthKind
from schemas.telegrams.plans import BitmapPlan, FixedPlan, Walk
from schemas.telegrams.roles import FAMILY_OF, FAULT_COMMANDS, ORDINARY_REQUESTS, REPORT_OF, Family, Role
from schemas.telegrams.spec import Candidates, ErrorClass, ErrorCode, PartnerSpec, ResultCode, Telegram, keys_by_role
from schemas.telegrams.vocabulary import NEEDED

_WITH_RESULT = frozenset(
    [REPORT_OF[role] for role in (*ORDINARY_REQUESTS, *FAULT_COMMANDS)] + [Role.OPENING_ANSWER, Role.CLOSING_ANSWER]
)


def load_partner(partner: str | Path) -> PartnerSpec:
    """The telegrams of a partner: one that comes with the package by name, or any by the path of its directory.

    Raises `LayoutError`, which lists all faults of all files, each with its remedy.
    """
    place = place_of(partner)
    faults = Faults(place.name)
    spec = _Loading(read_folder(place, faults), faults).finish()
    if spec is None or len(faults):
        raise LayoutError(place.name, faults.all())
    return spec


class _Loading:
    """One partner on its way from tables to a `PartnerSpec`. Each step adds its faults and goes on as far as it can."""

    def __init__(self, folder: Folder, faults: Faults) -> None:
        self._folder = folder
        self._faults = faults
        self._dictionary = Dictionary(folder.fields, faults)
        self._partner = folder.partner or {}
        self._partner_ok = folder.partner is not None and check_table(
            faults, PARTNER, None, folder.partner, PARTNER_KEYS
        )
        self._bitmap = self._partner.get("layout") == "bitmap"

    def finish(self) -> PartnerSpec | None:
        telegrams = self._telegrams()
        settings = _settings(self._partner, self._faults) if self._partner_ok else None
        if settings is None or len(telegrams) != len(Role):
            return None
        self._dictionary.report_unused()
        checks = PartnerChecks(settings, telegrams, self._faults)
        checks.run()
        selector = Selecting(telegrams, self._faults, bitmap=self._bitmap).selector()
        if len(self._faults):
            return None
        header_field = telegrams[Role.SALE_REQUEST].field("type_code")
        start = header_field.offset or 0
        every = [field for telegram in telegrams.values() for field in telegram.fields]
        return PartnerSpec(
            **settings._asdict(),
            telegrams=MappingProxyType(telegrams),
            type_code_at=slice(start, start + header_field.size),
            selector=selector,
            keys=keys_by_role(settings.match_fields),
            sensitivities={field.name: field.sensitivity for field in every},
        )

    # --- telegrams --------------------------------------------------------------------------------------------------

    def _telegrams(self) -> dict[Role, Telegram]:
        header = self._header_entries()
        made = {role: self._telegram(role, table, header) for role, table in self._folder.telegrams.items()}
        return {role: telegram for role, telegram in made.items() if telegram is not None}

    def _header_entries(self) -> Sequence[object] | None:
        table = self._folder.header
        if table is None or not check_table(self._faults, HEADER, None, table, LIST_KEYS):
            return None
        entries: Sequence[object] = table["fields"]
        if not any(isinstance(entry, dict) and entry.get("name") == "type_code" for entry in entries):
            remedy = "the header must hold the code by which telegrams are known"
            self._faults.add(HEADER, "type_code", "the header has no such field", remedy)
            return None
        return entries

    def _telegram(self, role: Role, table: Table, header: Sequence[object] | None) -> Telegram | None:
        file = f"{role.value}.toml"
        before = len(self._faults)
        keys = TELEGRAM_KEYS if self._bitmap else FIXED_TELEGRAM_KEYS
        ok = check_table(self._faults, file, None, table, keys)
        if not isinstance(table.get("fields"), list) or header is None or not ok:
            return None
        const = {"type_code": {"const": table["type_code"]}}
        front = Builder(HEADER, self._dictionary, self._faults, bitmap=False).fields(header, const)
        rest = Builder(file, self._dictionary, self._faults, bitmap=self._bitmap).fields(table["fields"], {})
        if front is None or rest is None:
            return None
        end = check_places(self._faults, HEADER, front, 0)
        if self._bitmap:
            check_bits(self._faults, file, rest)
            rest.sort(key=lambda field: field.bit or 0)
        else:
            end = check_places(self._faults, file, rest, end)
            if end != table["length"]:
                problem = f"the fields take {end} bytes, the length says {table['length']}"
                self._faults.add(file, "length", problem, "correct the length, or the fields")
        fields = (*front, *rest)
        self._check_doubles(file, front, rest)
        check_role(self._faults, file, role, fields, self._needed(role))
        if len(self._faults) != before:
            return None
        return _telegram_of(role, table, front, rest, bitmap=self._bitmap)

    def _check_doubles(self, file: str, front: Sequence[FieldSpec], rest: Sequence[FieldSpec]) -> None:
        for name in {field.name for field in front} & {field.name for field in rest}:
            self._faults.add(file, name, "the field stands in the header already", "give each field its own name")

    def _needed(self, role: Role) -> frozenset[str]:
        result = self._partner.get("result_field")
        return NEEDED[role] | ({result} if role in _WITH_RESULT and isinstance(result, str) else set())


def _telegram_of(
    role: Role, table: Table, front: Sequence[FieldSpec], rest: Sequence[FieldSpec], *, bitmap: bool
) -> Telegram:
    fields = (*front, *rest)
    plan = BitmapPlan(front, rest) if bitmap else FixedPlan(fields)
    bitmap_size = (16 if any((field.bit or 0) > 64 for field in rest) else 8) if bitmap else 0
    return Telegram(
        role=role,
        japanese=table["japanese"],
        english=table["english"],
        type_code=table["type_code"],
        meaning=table["meaning"],
        fields=fields,
        names=frozenset(field.name for field in fields if field.const is None),
        required=frozenset(
            field.name for field in fields if field.required and field.const is None and field.default is None
        ),
        size=sum(field.size for field in fields) + bitmap_size,
        told_apart_by=table.get("told_apart_by"),
        plan=plan,
    )


# --- partner.toml ---------------------------------------------------------------------------------------------------


class Settings(NamedTuple):
    """What ``partner.toml`` says; the names are those of `PartnerSpec`."""

    name: str
    japanese: str
    english: str
    note: str
    framing: Framing
    trace_width: int
    trace_range: tuple[int, int]
    route_range: tuple[int, int]
    result_field: str
    result_codes: Mapping[str, ResultCode]
    unknown_result: ResultCode
    error_codes: Mapping[str, ErrorCode]
    unknown_error: ErrorCode
    match_fields: Mapping[Family, tuple[str, ...]]


def _settings(table: Table, faults: Faults) -> Settings | None:
    before = len(faults)
    results = _codes(faults, "result_codes", table["result_codes"], RESULT_KEYS)
    errors = _codes(faults, "error_codes", table["error_codes"], ERROR_KEYS)
    check_table(faults, PARTNER, "framing", table["framing"], FRAMING_KEYS)
    check_table(faults, PARTNER, "match", table["match"], MATCH_KEYS)
    check_table(faults, PARTNER, "unknown_result", table["unknown_result"], UNKNOWN_RESULT_KEYS)
    check_table(faults, PARTNER, "unknown_error", table["unknown_error"], UNKNOWN_ERROR_KEYS)
    for name in ("trace_range", "route_range"):
        _check_range(faults, name, table[name], table["trace_width"])
    for family, fields in table["match"].items():
        if isinstance(fields, list) and (not fields or not all(isinstance(field, str) for field in fields)):
            faults.add(PARTNER, "match", f"{family} is not a list of field names", "name at least trace_number")
    if len(faults) != before:
        return None
    framing = _framing(faults, table["framing"])
    if table["unknown_result"]["outcome"] == Outcome.APPROVED:
        remedy = "what nobody listed must never count as approved"
        faults.add(PARTNER, "unknown_result", "an unknown code would be taken for an approval", remedy)
    if framing is None or len(faults) != before:
        return None
    return Settings(
        name=table["name"],
        japanese=table["japanese"],
        english=table["english"],
        note=table["note"],
        framing=framing,
        trace_width=table["trace_width"],
        trace_range=(table["trace_range"][0], table["trace_range"][1]),
        route_range=(table["route_range"][0], table["route_range"][1]),
        result_field=table["result_field"],
        result_codes=MappingProxyType({each["code"]: _result(each) for each in results}),
        unknown_result=_result({**table["unknown_result"], "code": ""}),
        error_codes=MappingProxyType({each["code"]: _error(each) for each in errors}),
        unknown_error=_error({**table["unknown_error"], "code": ""}),
        match_fields=MappingProxyType({Family(name): tuple(fields) for name, fields in table["match"].items()}),
    )


def _codes(faults: Faults, place: str, items: Sequence[object], keys: Mapping[str, Any]) -> list[Table]:
    tables = tables_in(faults, PARTNER, place, items)
    seen: set[object] = set()
    for table in tables:
        code = str(table.get("code", "?"))
        check_table(faults, PARTNER, f"{place} {code}", table, keys)
        if code in seen:
            faults.add(PARTNER, f"{place} {code}", "the code is listed twice", "keep one of them")
        seen.add(code)
    return tables


def _check_range(faults: Faults, name: str, value: Sequence[object], width: int) -> None:
    match value:
        case [int(first), int(last)] if 0 <= first <= last and (name != "trace_range" or last < 10**width):
            return
        case _:
            room = f" within {width} digits" if name == "trace_range" else ""
            faults.add(PARTNER, name, "is not a range of numbers" + room, "write [first, last]")


def _framing(faults: Faults, table: Table) -> Framing | None:
    framing = Framing(
        kind=LengthKind(table["kind"]),
        length_bytes=table["length_bytes"],
        counts_itself=table["counts_itself"],
        max_length=table["max_length"],
    )
    most = 4 if framing.kind is LengthKind.BINARY else 9
    if not 1 <= framing.length_bytes <= most:
        problem = f"a length of {framing.length_bytes} bytes cannot be read"
        faults.add(PARTNER, "framing", problem, f"with kind {framing.kind} use 1 to {most}")
        return None
    if not 1 <= framing.max_length <= framing.largest:
        problem = f"max_length {framing.max_length} cannot be told in {framing.length_bytes} bytes of length"
        faults.add(PARTNER, "framing", problem, f"use 1 to {framing.largest}")
        return None
    return framing


def _result(table: Table) -> ResultCode:
    return ResultCode(table["code"], Outcome(table["outcome"]), table["japanese"], table["english"])


def _error(table: Table) -> ErrorCode:
    return ErrorCode(table["code"], ErrorClass(table["error_class"]), table["japanese"], table["english"])


# --- telegrams and settings together --------------------------------------------------------------------------------


class PartnerChecks:
    """What must hold between ``partner.toml`` and the telegrams."""

    def __init__(self, settings: Settings, telegrams: Mapping[Role, Telegram], faults: Faults) -> None:
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
        for role in _WITH_RESULT:
            field = self._telegrams[role].field(self._settings.result_field)
            if not field.required or field.const is not None:
                remedy = "say `required = true`, without a const"
                self._faults.add(f"{role.value}.toml", field.name, "a report must always say its result", remedy)

    def _match(self) -> None:
        for family, names in self._settings.match_fields.items():
            roles = [role for role in Role if FAMILY_OF[role] is family]
            if family is Family.ERROR:
                roles += [*REPORT_OF]
            for role in roles:
                usable = self._telegrams[role].required
                for name in names:
                    if name not in usable:
                        problem = f"{family} matches by {name}, which {role.value} does not always carry"
                        remedy = "match by fields that are required in the request and in its report"
                        self._faults.add(PARTNER, "match", problem, remedy)

    def _sizes(self) -> None:
        most = self._settings.framing.max_length
        for role, telegram in self._telegrams.items():
            if telegram.size > most:
                problem = f"the telegram can take {telegram.size} bytes, framing allows {most}"
                self._faults.add(f"{role.value}.toml", None, problem, "raise max_length of [framing], or shorten it")

    def _numbers(self) -> None:
        width = self._settings.trace_width
        for role, telegram in self._telegrams.items():
            for field in telegram.fields:
                if field.name in ("trace_number", "original_trace_number") and field.length != width:
                    problem = f"has length {field.length}, but trace_width is {width}"
                    self._faults.add(f"{role.value}.toml", field.name, problem, "make them equal")
                if field.name in ("route_number", "original_route_number"):
                    self._route(role, field)

    def _route(self, role: Role, field: FieldSpec) -> None:
        plain = msgspec.structs.replace(field, const=None, default=None)
        last = self._settings.route_range[1]
        if trouble(compile_positional(plain).write, last) is not None:
            problem = f"the last route, {last}, does not fit in length {field.length}"
            self._faults.add(f"{role.value}.toml", field.name, problem, "correct route_range, or the field")

    def _codes(self, name: str, place: str, codes: Sequence[str]) -> None:
        for role, telegram in self._telegrams.items():
            for field in telegram.fields:
                if field.name != name or field.const is not None:
                    continue
                write = compile_element(field).write if field.bit else compile_positional(field).write
                for code in codes:
                    problem = trouble(write, code)
                    if problem is not None:
                        remedy = "correct the code, or the field"
                        self._faults.add(PARTNER, f"{place} {code}", f"in {role.value} it {problem}", remedy)


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
        before = len(self._faults)
        targets = [target for telegram in group if (target := self._target(telegram, group)) is not None]
        if len(self._faults) != before:
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
        if len(self._faults) != before:
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
        if not named or named[0].const is None:
            self._cannot(telegram, group, f"{telegram.told_apart_by} is not a field with a const")
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

    def _cannot(self, telegram: Telegram, group: Sequence[Telegram], why: str) -> None:
        others = ", ".join(other.role.value for other in group if other is not telegram)
        problem = f"type code {telegram.type_code} is also that of {others}, and {why}"
        remedy = "name in told_apart_by a field that has another const in each of them"
        self._faults.add(f"{telegram.role.value}.toml", "type_code", problem, remedy)


def _place(field: FieldSpec) -> int | None:
    return field.offset if field.bit is None else field.bit
