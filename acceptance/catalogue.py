"""Reads the catalogue: the cases of one partner in one environment, from `catalogue/*.toml`.

A file is a chapter: its titles and precondition under ``[chapter]``, its cases under ``[[case]]`` (form: `cases`).
A case stands once, for every partner and every environment it belongs to; its id says whose and where:
``CAF-D-301`` is case 301 of CAFIS on the development server. With ``each`` it is made once for each code or card, and
``{code}``, ``{meaning_ja}``, ``{meaning_en}`` in it are replaced.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from acceptance.cards import CARDS
from acceptance.cases import AskStep, Case, Environment, EventStep, InquireStep, PartnerStep, RawCase
from acceptance.deeds import DEEDS, EVENTS
from acceptance.expected import Expected, ExpectedError, read_expected
from acceptance.words import CODES, WORDS
from schemas.near_names import meant, unconverted
from schemas.telegrams import ErrorClass, Outcome, PartnerSpec
from schemas.toml_files import TomlError, toml_of

PACKAGED = files("acceptance") / "catalogue"
_LETTERS = {Environment.DEV: "D", Environment.BRAND: "B", Environment.PRODUCTION: "P"}
_PARTNERS = {"cafis": "CAF", "cardnet": "CDN"}
_NUMBER = re.compile(r"[1-9][0-9]{2}")
_REQUIREMENT = re.compile(r"R[1-9][0-9]?")


class CatalogueError(Exception):
    """The catalogue cannot be used. The message names file, case, key and remedy."""


class Catalogue(NamedTuple):
    """The cases of one partner in one environment, in the order of their ids, and what tells them from others'."""

    partner: str
    environment: Environment
    cases: tuple[Case, ...]
    digest: str  # SHA-256 over the files


class _Chapter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    number: str
    ja: str
    en: str
    given_ja: str
    given_en: str


class One(NamedTuple):
    """One of those a case is made for: the end of its id, and what it is."""

    suffix: str
    code: str
    meaning_ja: str
    meaning_en: str


def _results(outcome: Outcome) -> Callable[[PartnerSpec], list[One]]:
    def found(partner: PartnerSpec) -> list[One]:
        codes = [each for each in partner.result_codes.values() if each.outcome is outcome and not each.fault_cancel]
        return [One(each.code, each.code, each.japanese, each.english) for each in codes]

    return found


def _errors(error_class: ErrorClass) -> Callable[[PartnerSpec], list[One]]:
    def found(partner: PartnerSpec) -> list[One]:
        codes = [each for each in partner.error_codes.values() if each.error_class is error_class]
        return [One(each.code, each.code, each.japanese, each.english) for each in codes]

    return found


def _cards(_: PartnerSpec) -> list[One]:
    return [One(brand.upper(), brand, card.ja, card.en) for brand, card in CARDS.items()]


EACH: Mapping[str, Callable[[PartnerSpec], list[One]]] = {
    "declined": _results(Outcome.DECLINED),
    "turned_round": _results(Outcome.TURNED_ROUND),
    "destination_trouble": _errors(ErrorClass.DESTINATION_TROUBLE),
    "telegram_error": _errors(ErrorClass.TELEGRAM_ERROR),
    "card": _cards,
}
"""What a case may be made for each of: the partner's codes of a kind, or the test cards."""


def load_catalogue(partner: PartnerSpec, environment: Environment, folder: Path | None = None) -> Catalogue:
    """The packaged catalogue, or that of a folder. Raises `CatalogueError`."""
    place: Traversable = PACKAGED if folder is None else folder
    digest, found = hashlib.sha256(), {}
    names = sorted(each.name for each in place.iterdir() if each.name.endswith(".toml")) if place.is_dir() else []
    if not names:
        raise CatalogueError(f"{place}: no catalogue: name a folder with files of cases (*.toml)")
    numbers: dict[str, str] = {}
    for name in names:
        data = (place / name).read_bytes()
        digest.update(data)
        chapter, cases = _read(name, data)
        for raw in cases:
            if (other := numbers.setdefault(raw.number, name)) != name or raw.number in found:
                raise CatalogueError(f"{name}: case {raw.number}: number: is in {other} already: choose a free one")
            found[raw.number] = (name, chapter, raw)
    made = [case for each in found.values() for case in _made(*each, partner, environment)]
    return Catalogue(partner.name, environment, tuple(made), digest.hexdigest())


# --- one file -------------------------------------------------------------------------------------------------------


def _read(name: str, data: bytes) -> tuple[_Chapter, list[RawCase]]:
    try:
        raw = toml_of(data)
    except TomlError as error:
        raise CatalogueError(f"{name}: {error}") from error
    strange = sorted(raw.keys() - {"chapter", "case"})
    if strange or not isinstance(raw.get("case"), list):
        what = f"{strange[0]}: unknown: " if strange else ""
        raise CatalogueError(
            f"{name}: {what}only [chapter] and [[case]] sections belong here, both are needed: see "
            "acceptance/catalogue.py"
        )
    chapter = _converted(raw.get("chapter", {}), _Chapter, f"{name}: chapter")
    cases = []
    for number, each in enumerate(raw["case"], 1):
        told = each.get("number") if isinstance(each, dict) else None
        place = f"{name}: case {told if isinstance(told, str) else f'no. {number}'}"
        case = _converted(each, RawCase, place)
        if not _NUMBER.fullmatch(case.number) or not case.number.startswith(chapter.number):
            raise CatalogueError(f"{place}: number: three digits, the first that of the chapter, {chapter.number}")
        if (problem := _problem(case)) is not None:
            raise CatalogueError(f"{place}: {problem}")
        cases.append(case)
    return chapter, cases


def _converted(raw: Any, kind: type[Any], place: str) -> Any:
    try:
        return msgspec.convert(raw, kind, strict=True)
    except msgspec.ValidationError as error:
        raise CatalogueError(f"{place}: {unconverted(error, kind, raw)}") from None


def _problem(case: RawCase) -> str | None:
    if not case.on:
        return "on: is empty: name at least one of dev, brand, production"
    if not case.steps:
        return "steps: is empty: a case without a step shows nothing"
    if case.each is not None and case.each not in EACH:
        return f"each: no {case.each}: {meant(case.each, EACH)}"
    wrong = [each for each in case.requirements if not _REQUIREMENT.fullmatch(each)]
    if wrong or not case.requirements:
        return f"requirements: {', '.join(wrong) or 'is empty'}: name at least one, as R26"
    return _step_problem(case) or _name_problem(case)


def _step_problem(case: RawCase) -> str | None:
    for number, step in enumerate(case.steps, 1):
        place = f"steps[{number}]"
        if isinstance(step, PartnerStep):
            if unknown := [word for word in step.telegrams if word not in WORDS]:
                return f"{place}.to: no telegram {unknown[0]}: {meant(unknown[0], WORDS)}"
            if step.deed not in DEEDS:
                return f"{place}.deed: no deed {step.deed}: {meant(step.deed, DEEDS)}"
            if (step.deed == "late") != (step.after is not None):
                return f"{place}.after: belongs to the deed late, and to no other: in_time or too_late"
        elif isinstance(step, EventStep) and step.event not in EVENTS:
            return f"{place}.event: no event {step.event}: {meant(step.event, EVENTS)}"
        elif isinstance(step, AskStep):
            if step.card not in CARDS and step.card != "{code}":
                return f"{place}.card: no test card {step.card}: {meant(step.card, CARDS)}"
            if step.count < 1:
                return f"{place}.count: give at least 1"
    return None


def _name_problem(case: RawCase) -> str | None:
    named = {step.name for step in case.steps if isinstance(step, AskStep)}
    for number, step in enumerate(case.steps, 1):
        wanted = [step.name] if isinstance(step, InquireStep) else []
        if isinstance(step, AskStep) and step.reference_of is not None:
            wanted.append(step.reference_of)
        for name in wanted:
            if name not in named:
                return f"steps[{number}]: no request is named {name}: one of {', '.join(sorted(named)) or 'none'}"
    for key in ("stands", "attention", "held"):
        for name in getattr(case, key):
            if name not in named:
                return f"{key}: no request is named {name}: one of {', '.join(sorted(named)) or 'none'}"
    return None


# --- for a partner and an environment -------------------------------------------------------------------------------


def _made(name: str, chapter: _Chapter, raw: RawCase, partner: PartnerSpec, environment: Environment) -> Iterator[Case]:
    if environment not in raw.on or (raw.partners is not None and partner.name not in raw.partners):
        return
    whose = _PARTNERS.get(partner.name, partner.name[:3].upper())
    plain = f"{whose}-{_LETTERS[environment]}-{raw.number}"
    for one in (None,) if raw.each is None else EACH[raw.each](partner):
        case_id = plain if one is None else f"{plain}-{one.suffix}"
        filled = raw if one is None else msgspec.convert(_filled(msgspec.to_builtins(raw), one), RawCase)
        yield _case(case_id, name, chapter, filled, partner, environment)


def _filled(value: Any, one: One) -> Any:
    if isinstance(value, str):
        for key, text in (("code", one.code), ("meaning_ja", one.meaning_ja), ("meaning_en", one.meaning_en)):
            value = value.replace(f"{{{key}}}", text)
        return value
    if isinstance(value, Mapping):
        return {key: _filled(each, one) for key, each in value.items()}
    return [_filled(each, one) for each in value] if isinstance(value, list | tuple) else value


def _case(
    case_id: str, name: str, chapter: _Chapter, raw: RawCase, partner: PartnerSpec, environment: Environment
) -> Case:  # fmt: skip
    place = f"{name}: case {raw.number}"
    try:
        telegrams = read_expected(raw.telegrams)
    except ExpectedError as error:
        raise CatalogueError(f"{place}: {error}") from None
    case = Case(
        id=case_id, partner=partner.name, environment=environment, chapter_ja=chapter.ja, chapter_en=chapter.en,
        ja=raw.ja, en=raw.en, given_ja=raw.given_ja or chapter.given_ja, given_en=raw.given_en or chapter.given_en,
        severity=raw.severity, requirements=raw.requirements, steps=raw.steps, telegrams=telegrams, alone=raw.alone,
        any_order=raw.any_order, stands=raw.stands, attention=raw.attention, held=raw.held,
    )  # fmt: skip
    problem = _telegram_problem(case, partner)
    if problem is not None:
        raise CatalogueError(f"{place}: {problem}")
    return case


def _telegram_problem(case: Case, partner: PartnerSpec) -> str | None:
    codes: Sequence[str] = [*partner.error_codes, *CODES]
    for number, each in enumerate(case.telegrams, 1):
        problem = _value_problem(each, {ask.name for ask in case.asks}, codes, partner)
        if problem is not None:
            return f"telegrams: line {number}: {problem}"
    for number, step in enumerate(case.steps, 1):
        if isinstance(step, PartnerStep) and step.code not in {None, *codes, *partner.result_codes}:
            return f"steps[{number}].code: {partner.name} has no code {step.code}: see its partner.toml"
    return None


def _value_problem(each: Expected, named: set[str], codes: Sequence[str], partner: PartnerSpec) -> str | None:
    if each.amount is not None and not each.amount.isdigit() and each.amount not in named:
        return f"amount={each.amount}: give yen, or one of {', '.join(sorted(named))}"
    if each.result is not None and each.result not in {*Outcome, *partner.result_codes}:
        return f"result={each.result}: an outcome, or a result code of {partner.name}'s partner.toml"
    if each.error is not None and each.error not in codes:
        return f"error={each.error}: an error code of {partner.name}'s partner.toml"
    if each.card is not None and each.card not in CARDS:
        return f"card={each.card}: one of {', '.join(CARDS)}"
    for field in (*each.present, *each.absent):
        if field not in partner.telegrams[each.role].names:
            return f"{field}: {each.role} of {partner.name} has no such field: leave it out"
    return None
