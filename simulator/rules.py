"""How the centre behaves: rules over telegrams, the first that matches wins. Pure data and its reading.

[[rule]]
role = "sale_request"        # or a list; leave it out for every telegram the deed makes sense for
amount = 4000                # or amount = [4000, 4999], from and to
pan = "4111111111111111"
terminal_id = "4980123456789"
times = 1                    # for the first so many telegrams about one transaction; leave it out for all
do = "silent"
code = "C13"                 # for decline, turn_round, trouble, error_report, refuse: instead of the first listed code
after_ms = 500               # how long after it has come it is answered; late takes 1000 where this is left out
"""

import tomllib
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from schemas.telegrams import (
    FAULT_COMMANDS,
    ORDINARY_REQUESTS,
    STATION_REQUESTS,
    ErrorClass,
    Message,
    Outcome,
    PartnerSpec,
    Role,
)

_LATE_MS = 1_000


class RuleError(Exception):
    """A rule cannot be used. The message names the rule, what is wrong, and the remedy."""


class Deed(StrEnum):
    """What the centre does with a telegram."""

    ANSWER = "answer"  # approve, or carry out, and report it
    DECLINE = "decline"
    TURN_ROUND = "turn_round"  # 折返し: sent back by the network, never booked
    ERROR_REPORT = "error_report"  # 異常報告
    TROUBLE = "trouble"  # C13, C14, C50 to a cancel telegram: not carried out
    SILENT = "silent"  # booked, not answered
    LOSE = "lose"  # as if it had never come
    LATE = "late"
    TWICE = "twice"
    DROP = "drop"  # booked, and the line broken instead of an answer
    GARBAGE = "garbage"  # booked, and answered by a telegram of bytes that mean nothing
    NOISE = "noise"  # booked, and answered by bytes that no telegram can begin with
    OTHER_AMOUNT = "other_amount"  # booked, and reported with another amount
    REFUSE = "refuse"  # an opening or closing is refused


_MONEY = (*ORDINARY_REQUESTS, *FAULT_COMMANDS)
REQUESTS: tuple[Role, ...] = (*_MONEY, *STATION_REQUESTS)
FITTING: Mapping[Deed, tuple[Role, ...]] = {
    Deed.ANSWER: REQUESTS,
    Deed.DECLINE: ORDINARY_REQUESTS,
    Deed.TURN_ROUND: ORDINARY_REQUESTS,
    Deed.ERROR_REPORT: _MONEY,
    Deed.TROUBLE: FAULT_COMMANDS,
    Deed.SILENT: REQUESTS,
    Deed.LOSE: REQUESTS,
    Deed.LATE: REQUESTS,
    Deed.TWICE: _MONEY,
    Deed.DROP: REQUESTS,
    Deed.GARBAGE: REQUESTS,
    Deed.NOISE: REQUESTS,
    Deed.OTHER_AMOUNT: _MONEY,
    Deed.REFUSE: (Role.OPENING_REQUEST, Role.CLOSING_REQUEST),
}
"""The telegrams each deed makes sense for."""

SILENT = frozenset({Deed.SILENT, Deed.LOSE, Deed.DROP, Deed.GARBAGE, Deed.NOISE})


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One rule, as it stands in a file or comes over the control port."""

    do: Deed
    role: Role | tuple[Role, ...] | None = None
    amount: int | tuple[int, int] | None = None
    pan: str | None = None
    terminal_id: str | None = None
    times: int | None = None
    code: str | None = None
    after_ms: int | None = None

    def __repr__(self) -> str:
        return f"Rule({self.do}, {self.role})"

    @property
    def roles(self) -> tuple[Role, ...]:
        if self.role is None:
            return FITTING[self.do]
        return (self.role,) if isinstance(self.role, Role) else self.role

    @property
    def waits_ms(self) -> int:
        """How long after the telegram its answer goes out."""
        if self.after_ms is None:
            return _LATE_MS if self.do is Deed.LATE else 0
        return self.after_ms

    def matches(self, message: Message) -> bool:
        """Whether the rule is about this telegram, but for `times`."""
        values = message.values
        if message.role not in self.roles:
            return False
        if self.pan is not None and values.get("pan") != self.pan:
            return False
        if self.terminal_id is not None and values.get("terminal_id") != self.terminal_id:
            return False
        if self.amount is None:
            return True
        amount = values.get("amount")
        if not isinstance(amount, int):
            return False
        first, last = (self.amount, self.amount) if isinstance(self.amount, int) else self.amount
        return first <= amount <= last


DEFAULT = Rule(do=Deed.ANSWER)


class Rules:
    """The rules of a centre, and how often each has been used for each transaction."""

    def __init__(self, rules: tuple[Rule, ...] = ()) -> None:
        self._rules = rules
        self._used: dict[tuple[int, object], int] = {}

    def __iter__(self) -> Iterator[Rule]:
        return iter(self._rules)

    def add(self, rule: Rule) -> None:
        """Put a rule before all others."""
        self._rules = (rule, *self._rules)
        self._used = {(index + 1, about): used for (index, about), used in self._used.items()}

    def clear(self) -> None:
        """Have no rules any more."""
        self._rules = ()
        self._used.clear()

    def of(self, message: Message, about: object) -> Rule:
        """The rule for this telegram, which is `about` a transaction."""
        for index, rule in enumerate(self._rules):
            if not rule.matches(message):
                continue
            if rule.times is None:
                return rule
            used = self._used.get((index, about), 0)
            if used < rule.times:
                self._used[index, about] = used + 1
                return rule
        return DEFAULT


# --- reading --------------------------------------------------------------------------------------------------------


def rule_from(raw: Mapping[str, Any], partner: PartnerSpec, place: str) -> Rule:
    """Check one rule. Raises `RuleError`."""
    try:
        rule = msgspec.convert(raw, Rule)
    except msgspec.ValidationError as error:
        raise RuleError(f"{place}: {error}: see simulator/rules.py for the form of a rule") from None
    problem = _role_problem(rule, partner) or _number_problem(rule) or _code_problem(rule, partner)
    if problem is not None:
        raise RuleError(f"{place}: {problem}")
    return rule


def _role_problem(rule: Rule, partner: PartnerSpec) -> str | None:
    if rule.role == ():
        return "role: the list is empty: name a role, or leave it out for all"
    for role in rule.roles:
        if role not in REQUESTS:
            return f"role: {role} is no request to a centre: one of {', '.join(REQUESTS)}"
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
    if rule.after_ms is None:
        return None
    if rule.after_ms < 0:
        return "after_ms: must not be negative"
    return f"after_ms: {rule.do} answers nothing that could wait: leave it out" if rule.do in SILENT else None


def _code_problem(rule: Rule, partner: PartnerSpec) -> str | None:
    if rule.code is None:
        return None
    outcomes = {code: result.outcome for code, result in partner.result_codes.items()}
    if rule.code not in {**outcomes, **partner.error_codes}:
        return f"code: {partner.name} has no code {rule.code!r}: see its partner.toml"
    match rule.do:
        case Deed.DECLINE | Deed.REFUSE:
            fitting = [code for code, outcome in outcomes.items() if outcome is Outcome.DECLINED]
        case Deed.TURN_ROUND:
            fitting = [code for code, outcome in outcomes.items() if outcome is Outcome.TURNED_ROUND]
        case Deed.TROUBLE | Deed.ERROR_REPORT:
            fitting = list(partner.error_codes)
        case _:
            return f"code: {rule.do} gives none: leave it out"
    if rule.code in fitting:
        return None
    return f"code: {rule.code!r} does not say {rule.do}: one of {', '.join(fitting)}"


def code_of(rule: Rule, partner: PartnerSpec) -> str:
    """The code a rule gives: its own, or the first listed one. Raises `KeyError` for a deed that gives none."""
    if rule.code is not None:
        return rule.code
    match rule.do:
        case Deed.DECLINE | Deed.REFUSE:
            return partner.result_code_for(Outcome.DECLINED)
        case Deed.TURN_ROUND:
            return partner.result_code_for(Outcome.TURNED_ROUND)
        case Deed.TROUBLE:
            return _first(partner, ErrorClass.DESTINATION_TROUBLE)
        case Deed.ERROR_REPORT:
            return _first(partner, ErrorClass.TELEGRAM_ERROR)
        case _:
            raise KeyError(rule.do)


def _first(partner: PartnerSpec, error_class: ErrorClass) -> str:
    return next(code for code, each in partner.error_codes.items() if each.error_class is error_class)


def load_rules(path: Path, partner: PartnerSpec) -> Rules:
    """Read a rules file. Raises `RuleError`."""
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise RuleError(f"{path}: {error.strerror}: name a file of rules") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RuleError(f"{path}: not TOML: {error}: correct the syntax") from error
    if set(raw) - {"rule"} or not isinstance(raw.get("rule", []), list):
        raise RuleError(f"{path}: only [[rule]] sections belong here")
    rules = [rule_from(each, partner, f"{path}: rule {number}") for number, each in enumerate(raw.get("rule", []), 1)]
    return Rules(tuple(rules))
