"""Loading a partner: its files into a `PartnerSpec`, or a `LayoutError` with every fault of every file at once."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from schemas.japan_time import JST
from schemas.telegrams.building import (
    Builder,
    Dictionary,
    Override,
    check_bits,
    check_numbers,
    check_places,
    check_role,
)
from schemas.telegrams.checking import WITH_RESULT, PartnerChecks, Selecting
from schemas.telegrams.coding import compile_positional, is_date
from schemas.telegrams.conditions import rules_of
from schemas.telegrams.edition_checks import check_editions
from schemas.telegrams.errors import Fault, LayoutError
from schemas.telegrams.fields import FieldSpec
from schemas.telegrams.files import (
    FIELDS,
    FIXED_TELEGRAM_KEYS,
    HEADER,
    LIST_KEYS,
    PARTNER,
    PARTNER_KEYS,
    TELEGRAM_KEYS,
    Faults,
    Table,
    check_table,
)
from schemas.telegrams.filling import OwnRanges
from schemas.telegrams.folders import Folder, place_of, read_folder, versions_in
from schemas.telegrams.generating import nothing_quick
from schemas.telegrams.grouped import Group, GroupedPlan
from schemas.telegrams.plans import BitmapPlan, FixedPlan, Plan
from schemas.telegrams.reading import quick_read
from schemas.telegrams.rehearsal import rehearse
from schemas.telegrams.relations import GroupBuilder, check_conditions
from schemas.telegrams.roles import ENVELOPES, Role
from schemas.telegrams.sendable import unsendable
from schemas.telegrams.settings import Settings, read_settings
from schemas.telegrams.spec import Editions, PartnerSpec, Telegram, keys_by_role
from schemas.telegrams.vocabulary import NEEDED
from schemas.telegrams.writing import quick_write

_PLAYED = "correct the layout: this happened with values the gateway can have, written by the layout itself"


def load_partner(partner: str | Path, on: str | None = None) -> PartnerSpec:
    """The telegrams of a partner: one that comes with the package by name, or any by the path of its directory.

    So a configuration can say either in one text; a `Path` is always a directory. Of several editions it gives the one
    that holds on the business date `on` (``YYYYMMDD``; today in Japan when not given); the others are to be had from
    it by `PartnerSpec.on`.

    Raises `LayoutError`, which lists all faults of all files of all editions, each with its remedy; `ValueError`
    where `on` is no such date.
    """
    if on is not None and not is_date(on):
        raise ValueError(f"{on!r} is no business date: write it YYYYMMDD")
    place = place_of(partner)
    editions, faults = Editions(), Faults(place.name)
    folder = read_folder(place, faults)
    made = [_Loading(folder, faults, editions, None).finish()]
    shown = [place.name]
    for version in versions_in(place, faults):
        faults.edition(version.shown)
        folder = read_folder(version.place, faults, folder)
        made.append(_Loading(folder, faults, editions, version.since).finish())
        shown.append(version.shown)
    specs = [spec for spec in made if spec is not None]
    if len(specs) == len(made) and not faults.told:
        check_editions(specs, shown, faults)
    if len(specs) == len(made) and not faults.told:
        editions.hold(specs)
        for spec, role, field, problem in rehearse(specs):
            faults.put(Fault(f"{shown[specs.index(spec)]}/{role.value}.toml", field, problem, _PLAYED))
    if len(specs) != len(made) or faults.told:
        raise LayoutError(place.name, faults.all())
    return editions.on(business_date_now() if on is None else on)


def business_date_now() -> str:
    """Today in Japan, ``YYYYMMDD``."""
    return datetime.now(JST).strftime("%Y%m%d")


class _Loading:
    """One partner on its way from tables to a `PartnerSpec`. Each step adds its faults and goes on as far as it can."""

    def __init__(self, folder: Folder, faults: Faults, editions: Editions, since: str | None) -> None:
        self._folder = folder
        self._editions = editions
        self._since = since
        self._before = faults.told
        self._faults = faults
        self._partner = folder.partner or {}
        self._partner_ok = folder.partner is not None and check_table(
            faults, PARTNER, None, folder.partner, PARTNER_KEYS
        )
        self._dictionary = Dictionary(folder.fields, faults, self._codes())
        self._bitmap = self._partner.get("layout") == "bitmap"

    def finish(self) -> PartnerSpec | None:
        if self._faults.unreadable & {PARTNER, FIELDS}:
            return None  # every telegram would be faulty, for this one reason
        telegrams = self._telegrams()
        settings = read_settings(self._partner, self._faults) if self._partner_ok else None
        wanted = {role for role in Role if role not in ENVELOPES or role in self._folder.telegrams}
        if settings is None or telegrams.keys() != wanted:
            return None
        self._dictionary.report_unused(self._folder.own_fields)
        told = self._law(settings, telegrams)
        checks = PartnerChecks(settings, telegrams, self._faults, told)
        checks.run()
        selector = Selecting(telegrams, self._faults, bitmap=self._bitmap).selector()
        if self._faults.told != self._before:
            return None
        header_field = telegrams[Role.SALE_REQUEST].field("type_code")
        start = header_field.offset or 0
        every = [field for telegram in telegrams.values() for field in telegram.fields]
        return PartnerSpec(
            **settings._asdict(),
            telegrams=MappingProxyType(telegrams),
            type_code_at=slice(start, start + header_field.size),
            selector=selector,
            likely=_likely(telegrams.values()),
            keys=keys_by_role(settings.match_fields),
            since=self._since,
            editions=self._editions,
            sensitivities={field.name: field.sensitivity for field in every},
        )

    def _law(self, settings: Settings, telegrams: Mapping[Role, Telegram]) -> set[tuple[Role, str]]:
        """Says what breaks the law of loading, once for each field of a file; gives of which fields it did."""
        codes = {role: telegram.type_code for role, telegram in telegrams.items()}
        own = OwnRanges(settings.trace_width, settings.trace_range, settings.route_range, codes)
        said: set[tuple[str, str, str]] = set()
        told: set[tuple[Role, str]] = set()
        for complaint in unsendable(telegrams, own, settings.match_fields):
            file = self._folder.origin(complaint.role, complaint.name, complaint.keys)
            own_file = file == f"{complaint.role.value}.toml"
            told |= {(role, complaint.name) for role in ((complaint.role,) if own_file else telegrams)}
            what = (file, complaint.name, complaint.keys[0] if complaint.keys else complaint.problem)
            if what not in said:
                said.add(what)
                self._faults.add(file, complaint.name, complaint.problem, complaint.remedy)
        return told

    def _codes(self) -> dict[str, list[Table]]:
        """The values of the fields for result and error: the codes of ``partner.toml``. Others tell what is wrong."""
        found: dict[str, list[Table]] = {}
        for field, key in ((self._partner.get("result_field"), "result_codes"), ("error_code", "error_codes")):
            items = self._partner.get(key)
            if isinstance(field, str) and isinstance(items, list):
                tables = {str(each.get("code")): each for each in items if isinstance(each, dict)}
                found[field] = [
                    {"value": code, "japanese": str(each.get("japanese")), "english": str(each.get("english"))}
                    for code, each in tables.items()
                ]
        return found

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
        before = self._faults.told
        keys = TELEGRAM_KEYS if self._bitmap else FIXED_TELEGRAM_KEYS
        ok = check_table(self._faults, file, None, table, keys)
        if not isinstance(table.get("fields"), list) or header is None or not ok:
            return None
        code = Override(file, "type_code", {"const": table["type_code"]})
        front = Builder(HEADER, self._dictionary, self._faults, bitmap=False, override=code).fields(header)
        rest = Builder(file, self._dictionary, self._faults, bitmap=self._bitmap).fields(table["fields"])
        groups = GroupBuilder(file, self._dictionary, self._faults, len(table["fields"])).groups(
            table.get("groups", ())
        )
        if front is None or rest is None or groups is None:
            return None
        end = check_places(self._faults, HEADER, front, 0)
        if self._bitmap:
            check_bits(self._faults, file, rest)
            rest.sort(key=lambda field: field.bit or 0)
        else:
            end = check_places(self._faults, file, rest, end, tail=not groups)
            if end != table["length"]:
                problem = f"the fields take {end} bytes, the length says {table['length']}"
                self._faults.add(file, "length", problem, "correct the length, or the fields")
        grouped = [field for _, its in groups for field in its]
        self._check_doubles(file, front, rest, grouped)
        check_conditions(self._faults, file, (*front, *rest, *grouped), [group for group, _ in groups])
        check_role(self._faults, file, role, (*front, *rest), grouped, self._needed(role))
        if self._faults.told != before:
            return None
        body = Body(front, rest, grouped, tuple(group for group, _ in groups))
        return _telegram_of(role, table, body, self._since, bitmap=self._bitmap)

    def _check_doubles(
        self, file: str, front: Sequence[FieldSpec], rest: Sequence[FieldSpec], grouped: Sequence[FieldSpec]
    ) -> None:
        for name in {field.name for field in front} & {field.name for field in rest}:
            self._faults.add(file, name, "the field stands in the header already", "give each field its own name")
        seen = {field.name for field in (*front, *rest)}
        for field in grouped:
            if field.name in seen:
                problem = f"the field of group {field.group} stands in the telegram already"
                self._faults.add(file, field.name, problem, "give each field its own name")
            seen.add(field.name)
        check_numbers(self._faults, HEADER, front)
        check_numbers(self._faults, file, (*rest, *grouped), front)

    def _needed(self, role: Role) -> frozenset[str]:
        result = self._partner.get("result_field")
        return NEEDED[role] | ({result} if role in WITH_RESULT and isinstance(result, str) else set())


def _likely(telegrams: Iterable[Telegram]) -> Mapping[bytes, tuple[Telegram, ...]]:
    """The telegrams of each type code, by its bytes."""
    found: dict[bytes, tuple[Telegram, ...]] = {}
    for telegram in telegrams:
        raw = compile_positional(telegram.field("type_code")).write(None)
        found[raw] = (*found.get(raw, ()), telegram)
    return MappingProxyType(found)


class Body(NamedTuple):
    """All fields of a telegram: those of the header, the others, and those of its groups, as often as they may come."""

    front: Sequence[FieldSpec]
    rest: Sequence[FieldSpec]
    grouped: Sequence[FieldSpec]
    groups: tuple[Group, ...]


def _telegram_of(role: Role, table: Table, body: Body, since: str | None, *, bitmap: bool) -> Telegram:
    front, rest, grouped, groups = body
    fields = (*front, *rest, *grouped)
    apart = table.get("told_apart_by")
    plan: Plan = BitmapPlan(front, rest) if bitmap else FixedPlan((*front, *rest))
    if groups:
        plan = GroupedPlan((*front, *rest), grouped, groups)
    bitmap_size = (16 if any((field.bit or 0) > 64 for field in rest) else 8) if bitmap else 0
    return Telegram(
        role=role,
        japanese=table["japanese"],
        english=table["english"],
        type_code=table["type_code"],
        meaning=table["meaning"],
        japanese_meaning=table.get("japanese_meaning"),
        fields=fields,
        groups=groups,
        rules=rules_of(fields),
        names=frozenset(field.name for field in fields if field.const is None),
        required=frozenset(
            field.name for field in fields if field.always and field.const is None and field.default is None
        ),
        size=sum(field.size for field in fields) + bitmap_size,
        since=since,
        told_apart_by=apart,
        plan=plan,
        write=nothing_quick if groups else quick_write(front, rest, bitmap=bitmap),
        read=nothing_quick if groups else quick_read(front, rest, bitmap=bitmap, told_apart_by=apart),
    )
