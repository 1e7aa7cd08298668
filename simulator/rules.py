"""How the centre behaves: rules over telegrams, the first that matches wins. Pure data and its reading.

[[rule]]
role = "sale_request"        # or a list; leave it out for every request
amount = 4000                # or amount = [4000, 4999], from and to
pan = "4111111111111111"
terminal_id = "4980123456789"
times = 1                    # for the first so many telegrams about one transaction; leave it out for all
do = "silent"
code = "C13"                 # for decline, trouble, error_report, refuse: instead of the first listed code
after_ms = 500               # for late: how long after it has come
"""

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from schemas.telegrams import FAULT_COMMANDS, ORDINARY_REQUESTS, STATION_REQUESTS, Message, PartnerSpec, Role


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
    GARBAGE = "garbage"  # booked, and answered by bytes that are no telegram
    REFUSE = "refuse"  # an opening or closing is refused


_REQUEST_DEEDS = frozenset(set(Deed) - {Deed.TROUBLE, Deed.REFUSE})
_COMMAND_DEEDS = frozenset(set(Deed) - {Deed.DECLINE, Deed.TURN_ROUND, Deed.REFUSE})
_STATION_DEEDS = frozenset({Deed.ANSWER, Deed.SILENT, Deed.LOSE, Deed.LATE, Deed.DROP, Deed.GARBAGE, Deed.REFUSE})
REQUESTS: tuple[Role, ...] = (*ORDINARY_REQUESTS, *FAULT_COMMANDS, *STATION_REQUESTS)


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule, as it stands in a file or comes over the control port."""

    do: Deed
    role: Role | tuple[Role, ...] | None = None
    amount: int | tuple[int, int] | None = None
    pan: str | None = None
    terminal_id: str | None = None
    times: int | None = None
    code: str | None = None
    after_ms: int = 1_000

    def __repr__(self) -> str:
        return f"Rule({self.do}, {self.role})"

    @property
    def roles(self) -> tuple[Role, ...]:
        if self.role is None:
            return REQUESTS
        return (self.role,) if isinstance(self.role, Role) else self.role

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


def rule_from(raw: Mapping[str, Any], partner: PartnerSpec, place: str) -> Rule:
    """Check one rule. Raises `RuleError`."""
    try:
        rule = msgspec.convert(raw, Rule)
    except msgspec.ValidationError as error:
        raise RuleError(f"{place}: {error}: see simulator/rules.py for the form of a rule") from None
    fitting = {
        **dict.fromkeys(ORDINARY_REQUESTS, _REQUEST_DEEDS),
        **dict.fromkeys(FAULT_COMMANDS, _COMMAND_DEEDS),
        **dict.fromkeys(STATION_REQUESTS, _STATION_DEEDS),
    }
    for role in rule.roles if rule.role is not None else ():
        if role not in fitting:
            raise RuleError(f"{place}: role: {role} is no request to a centre: one of {', '.join(fitting)}")
        if rule.do not in fitting[role]:
            raise RuleError(
                f"{place}: do: {rule.do} makes no sense for {role}: one of {', '.join(sorted(fitting[role]))}"
            )
    if rule.times is not None and rule.times < 1:
        raise RuleError(f"{place}: times: must be at least 1, or left out for always")
    if rule.after_ms < 0:
        raise RuleError(f"{place}: after_ms: must not be negative")
    if rule.code is not None and rule.code not in {**partner.result_codes, **partner.error_codes}:
        raise RuleError(f"{place}: code: {partner.name} has no code {rule.code!r}: see its partner.toml")
    return rule


def load_rules(path: Path, partner: PartnerSpec) -> Rules:
    """Read a rules file. Raises `RuleError`."""
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise RuleError(f"{path}: {error.strerror}: name a file of rules") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RuleError(f"{path}: not TOML: {error}") from error
    if set(raw) - {"rule"} or not isinstance(raw.get("rule", []), list):
        raise RuleError(f"{path}: only [[rule]] sections belong here")
    rules = [rule_from(each, partner, f"{path}: rule {number}") for number, each in enumerate(raw.get("rule", []), 1)]
    return Rules(tuple(rules))
