"""Rules as they are written: checked, each problem with its place and the remedy; and the codes a deed may give."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from schemas.near_names import meant, unconverted
from schemas.telegrams import ErrorClass, Outcome, PartnerSpec
from schemas.toml_files import TomlError, toml_of
from simulator.deeds import FITTING, REQUESTS, SILENT, Deed
from simulator.latency import LONGEST_MS, problem_of
from simulator.rules import Fate, Rule, Rules
from simulator.timeline import LONGEST_S

_EVERY = "every"
_PAN = range(13, 20)  # digits


class RuleError(Exception):
    """A rule or scenario cannot be used. The message names the place, what is wrong, and the remedy."""


def rule_from(raw: Mapping[str, Any], partner: PartnerSpec, place: str) -> Rule:
    """Check one rule. Raises `RuleError`."""
    timed = _with_times(raw, place)
    try:
        rule = msgspec.convert(timed, Rule)
    except msgspec.ValidationError as error:
        raise RuleError(f"{place}: {unconverted(error, Rule, timed)}") from None
    problem = (
        _role_problem(rule, partner)
        or _number_problem(rule)
        or _time_problem(rule)
        or _code_problem(rule, partner)
        or _codes_problem(rule, partner)
    )
    if problem is not None:
        raise RuleError(f"{place}: {problem}")
    if rule.codes == _EVERY:
        return msgspec.structs.replace(rule, codes=every_code(rule.do, partner))
    return rule


def _with_times(raw: Mapping[str, Any], place: str) -> Mapping[str, Any]:
    """Times of day may be written without seconds: "09:00"."""
    between = raw.get("between") if isinstance(raw, Mapping) else None
    if not isinstance(between, list):
        return raw
    return {**raw, "between": [time_of_day(each, f"{place}: between") for each in between]}


def time_of_day(text: object, place: str) -> object:
    """The time of day that a text says; what is no text is left as it is. Raises `RuleError`."""
    if not isinstance(text, str):
        return text
    try:
        found = dt.time.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is not None:
        raise RuleError(f'{place}: {text!r} is no time of day: write "09:00", as clocks in Japan show it')
    return found


def _role_problem(rule: Rule, partner: PartnerSpec) -> str | None:
    if rule.role == ():
        return "role: the list is empty: name a role, or leave it out for all"
    for role in rule.roles:
        if role not in REQUESTS:
            return f"role: {role} is no request to a centre: {meant(role, REQUESTS)}"
        if role not in FITTING[rule.do]:
            fitting = sorted(deed for deed, roles in FITTING.items() if role in roles)
            return f"do: {rule.do} makes no sense for {role}: one of {', '.join(fitting)}"
        for name in ("amount", "pan", "terminal_id"):
            wanted = getattr(rule, name) is not None and rule.role is not None
            if wanted and name not in partner.telegrams[role].names:
                return f"{name}: {role} carries none, so the rule would never match: leave it out"
    return None


def _number_problem(rule: Rule) -> str | None:
    if isinstance(rule.amount, tuple) and rule.amount[0] > rule.amount[1]:
        return f"amount: nothing lies from {rule.amount[0]} to {rule.amount[1]}: put the smaller one first"
    if rule.times is not None and rule.times < 1:
        return "times: must be at least 1, or left out for always"
    if rule.share is not None and not 0 < rule.share <= 1:
        return "share: must be above 0 and at most 1: 0.05 is one telegram in twenty"
    if rule.pan is not None and not _is_number_or_beginning(rule.pan):
        return "pan: give a whole test card number, or the beginning of one and *"
    if (rule.do is Deed.STAND_IN) != (rule.floor_limit is not None):
        if rule.floor_limit is None:
            return "floor_limit: stand_in needs one: up to how many yen it approves"
        return f"floor_limit: {rule.do} has none: leave it out"
    if rule.floor_limit is not None and rule.floor_limit < 0:
        return "floor_limit: must not be negative"
    return None


def _is_number_or_beginning(pan: str) -> bool:
    digits = pan.removesuffix("*")
    return digits.isascii() and digits.isdecimal() and (pan.endswith("*") or len(digits) in _PAN)


def _time_problem(rule: Rule) -> str | None:
    for name in ("from_s", "until_s"):
        value = getattr(rule, name)
        if value is not None and not 0 <= value <= LONGEST_S:
            return f"{name}: must be from 0 to {LONGEST_S} seconds"
    if rule.until_s is not None and rule.until_s <= (rule.from_s or 0):
        return "until_s: must be later than from_s, or than 0 where that is left out"
    if rule.between is not None and rule.between[0] == rule.between[1]:
        return "between: nothing lies between a time and itself: leave it out for the whole day"
    if rule.after_ms is not None and not 0 <= rule.after_ms <= LONGEST_MS:
        return f"after_ms: must be from 0 to {LONGEST_MS}"
    if rule.latency is not None and rule.after_ms is not None:
        return "latency: after_ms says it already: give one of them"
    for name in ("after_ms", "latency"):
        if getattr(rule, name) is not None and rule.do in SILENT:
            return f"{name}: {rule.do} answers nothing that could wait: leave it out"
    if rule.latency is None or (problem := problem_of(rule.latency)) is None:
        return None
    return f"latency: {problem}"


def _code_problem(rule: Rule, partner: PartnerSpec) -> str | None:
    if rule.code is None:
        return None
    if rule.codes is not None:
        return "codes: code says it already: give one of them"
    return _problem_of(rule.code, rule.do, partner, "code")


def _codes_problem(rule: Rule, partner: PartnerSpec) -> str | None:
    codes = rule.codes
    if codes is None:
        return None
    if not codes:
        return "codes: none is given: name one, or leave it out"
    if isinstance(codes, str):
        if codes != _EVERY:
            return f'codes: {codes!r} is neither a table of weights, nor a list, nor "{_EVERY}"'
        return None if codes_for(rule.do, partner) else f"codes: {rule.do} gives none: leave it out"
    if isinstance(codes, dict) and (sum(codes.values()) == 0 or min(codes.values()) < 0):
        return "codes: the weights must not be negative, nor all 0"
    return next(filter(None, (_problem_of(code, rule.do, partner, "codes") for code in codes)), None)


def _problem_of(code: str, deed: Deed, partner: PartnerSpec, name: str) -> str | None:
    if code not in {*partner.result_codes, *partner.error_codes}:
        return f"{name}: {partner.name} has no code {code!r}: see its partner.toml"
    fitting = codes_for(deed, partner)
    if not fitting:
        return f"{name}: {deed} gives none: leave it out"
    return None if code in fitting else f"{name}: {code!r} does not say {deed}: one of {', '.join(fitting)}"


def codes_for(deed: Deed, partner: PartnerSpec) -> list[str]:
    """The codes that a deed can give; none for a deed that gives none."""
    match deed:
        case Deed.DECLINE | Deed.REFUSE | Deed.STAND_IN:
            results = partner.result_codes.items()
            return [code for code, each in results if each.outcome is Outcome.DECLINED and not each.fault_cancel]
        case Deed.TURN_ROUND:
            return [code for code, each in partner.result_codes.items() if each.outcome is Outcome.TURNED_ROUND]
        case Deed.TROUBLE | Deed.ERROR_REPORT | Deed.OTHER_ERROR:
            return list(partner.error_codes)
        case _:
            return []


def every_code(deed: Deed, partner: PartnerSpec) -> tuple[str, ...]:
    """The codes that a deed gives by its nature: trouble in the destination is none of a telegram in error."""
    natural = {
        Deed.TROUBLE: ErrorClass.DESTINATION_TROUBLE,
        Deed.ERROR_REPORT: ErrorClass.TELEGRAM_ERROR,
        Deed.OTHER_ERROR: ErrorClass.TELEGRAM_ERROR,
    }.get(deed)
    codes = codes_for(deed, partner)
    return tuple(code for code in codes if natural is None or partner.error_codes[code].error_class is natural)


def code_of(fate: Fate, partner: PartnerSpec) -> str:
    """The code that is given: that of the fate, or the first listed one. Raises `KeyError` where none is given."""
    if fate.code is not None:
        return fate.code
    match fate.do:
        case Deed.DECLINE | Deed.REFUSE | Deed.STAND_IN:
            return partner.result_code_for(Outcome.DECLINED)
        case Deed.TURN_ROUND:
            return partner.result_code_for(Outcome.TURNED_ROUND)
        case Deed.TROUBLE:
            return _first(partner, ErrorClass.DESTINATION_TROUBLE)
        case Deed.ERROR_REPORT | Deed.OTHER_ERROR:
            return _first(partner, ErrorClass.TELEGRAM_ERROR)
        case _:
            raise KeyError(fate.do)


def _first(partner: PartnerSpec, error_class: ErrorClass) -> str:
    return next(code for code, each in partner.error_codes.items() if each.error_class is error_class)


def read_toml(path: Path, kind: str) -> dict[str, Any]:
    """What a file says. Raises `RuleError`. `kind`: what it should have been."""
    try:
        return toml_of(path.read_bytes())
    except OSError as error:
        raise RuleError(f"{path}: {error.strerror}: name a file of {kind}") from error
    except TomlError as error:
        raise RuleError(f"{path}: {error}") from error


def rules_in(raw: Mapping[str, Any], partner: PartnerSpec, place: str) -> tuple[Rule, ...]:
    """The [[rule]] sections. Raises `RuleError`."""
    found = raw.get("rule", [])
    if not isinstance(found, list):
        raise RuleError(f"{place}: only [[rule]] sections belong here")
    return tuple(rule_from(each, partner, f"{place}: rule {number}") for number, each in enumerate(found, 1))


def load_rules(path: Path, partner: PartnerSpec) -> Rules:
    """Read a rules file. Raises `RuleError`."""
    raw = read_toml(path, "rules")
    if strange := sorted(set(raw) - {"rule"}):
        raise RuleError(f"{path}: {strange[0]}: unknown: only [[rule]] sections belong here")
    return Rules(rules_in(raw, partner, str(path)))
