"""A scenario: everything a centre does, under a name; those that come with the package, and files like them.

name = "month-end"
japanese = "月末の過負荷"
english = "overload at the end of the month"
seed = 20                    # of every chance in it: the same telegrams in the same order have the same fate

[defaults]
latency = 40                 # of every payment's and cancel's answer that no rule says otherwise of

[capacity]                   # simulator/capacity.py
[sessions]                   # simulator/sessions.py
[[rule]]                     # simulator/rules.py
[[event]]                    # simulator/timeline.py
[[recorded]]                 # simulator/recording.py; `denbun simulator record` writes them
"""

import importlib.resources
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import tomli_w

from schemas.near_names import meant, unconverted
from schemas.telegrams import PartnerSpec
from simulator.capacity import Capacity, capacity_problem
from simulator.deeds import FITTING, Deed
from simulator.latency import LONGEST_MS, Latency, problem_of
from simulator.recording import Recorded
from simulator.rule_files import RuleError, codes_for, read_toml, rules_in, time_of_day
from simulator.rules import Rule
from simulator.sessions import Sessions, sessions_problem
from simulator.timeline import Event, event_problem

_T = TypeVar("_T", bound=msgspec.Struct)
_SECTIONS = ("name", "japanese", "english", "seed", "defaults", "capacity", "sessions", "rule", "event", "recorded")


class Defaults(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is so where no rule says otherwise."""

    latency: Latency = 0


class Scenario(msgspec.Struct, frozen=True):
    """Everything a centre does."""

    name: str
    japanese: str = ""
    english: str = ""
    seed: int = 0
    defaults: Defaults = Defaults()
    capacity: Capacity | None = None
    sessions: Sessions = Sessions()
    rules: tuple[Rule, ...] = ()
    events: tuple[Event, ...] = ()
    recorded: tuple[Recorded, ...] = ()


PLAIN = Scenario("plain", "すべて承認", "everything is approved at once")


def packaged() -> dict[str, Path]:
    """The scenarios that come with the package: name and file."""
    folder = Path(str(importlib.resources.files("simulator") / "scenarios"))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def load_scenario(name: str, partner: PartnerSpec) -> Scenario:
    """The scenario of this name, or in this file. Raises `RuleError`."""
    if name == PLAIN.name:
        return PLAIN
    path = packaged().get(name)
    if path is None and (name.endswith(".toml") or "/" in name):
        path = Path(name)
    if path is None:
        names = [PLAIN.name, *packaged()]
        otherwise = f"use one of: {', '.join(names)}; or give the path of a .toml file"
        raise RuleError(f"{name}: no scenario of this name: {meant(name, names, otherwise)}")
    return scenario_from(read_toml(path, "a scenario"), partner, str(path), path.stem)


def scenario_from(raw: Mapping[str, Any], partner: PartnerSpec, place: str, name: str = "given") -> Scenario:
    """Check a scenario. `name`: where it gives none. Raises `RuleError`."""
    unknown = sorted(set(raw) - set(_SECTIONS))
    if unknown:
        raise RuleError(f"{place}: {unknown[0]}: unknown: {meant(unknown[0], _SECTIONS)}")
    head = _converted(
        {each: raw[each] for each in ("name", "japanese", "english", "seed") if each in raw}, _Head, place
    )
    defaults = _converted(raw.get("defaults", {}), Defaults, f"{place}: defaults")
    if (problem := problem_of(defaults.latency)) is not None:
        raise RuleError(f"{place}: defaults: latency: {problem}")
    sessions = _converted(raw.get("sessions", {}), Sessions, f"{place}: sessions")
    if (problem := sessions_problem(sessions)) is not None:
        raise RuleError(f"{place}: sessions: {problem}")
    return Scenario(
        name=head.name or name,
        japanese=head.japanese,
        english=head.english,
        seed=head.seed,
        defaults=defaults,
        capacity=_capacity(raw, partner, place),
        sessions=sessions,
        rules=rules_in(raw, partner, place),
        events=tuple(_each(raw, "event", event_from, place)),
        recorded=tuple(_each(raw, "recorded", partial(_recorded_from, partner), place)),
    )


class _Head(msgspec.Struct, frozen=True):
    name: str = ""
    japanese: str = ""
    english: str = ""
    seed: int = 0


def _converted(raw: object, kind: type[_T], place: str) -> _T:
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise RuleError(f"{place}: {unconverted(error, kind, raw)}") from None


def _each(raw: Mapping[str, Any], name: str, read: Any, place: str) -> list[Any]:
    rows = raw.get(name, [])
    if not isinstance(rows, list):
        raise RuleError(f"{place}: {name}: write [[{name}]], a section for each")
    return [read(row, f"{place}: {name} {number}") for number, row in enumerate(rows, 1)]


def _capacity(raw: Mapping[str, Any], partner: PartnerSpec, place: str) -> Capacity | None:
    if "capacity" not in raw:
        return None
    capacity = _converted(raw["capacity"], Capacity, f"{place}: capacity")
    problem = capacity_problem(capacity)
    fitting = codes_for(Deed.TURN_ROUND, partner)
    if problem is None and capacity.code not in (None, *fitting):
        problem = f"code: {capacity.code!r} does not say turn_round: one of {', '.join(fitting)}"
    if problem is not None:
        raise RuleError(f"{place}: capacity: {problem}")
    return capacity


def event_from(raw: object, place: str, *, timed: bool = True) -> Event:
    """Check one event. Raises `RuleError`."""
    if isinstance(raw, Mapping) and "at" in raw:
        raw = {**raw, "at": time_of_day(raw["at"], f"{place}: at")}
    event = _converted(raw, Event, place)
    if (problem := event_problem(event, timed=timed)) is not None:
        raise RuleError(f"{place}: {problem}")
    return event


def _recorded_from(partner: PartnerSpec, raw: object, place: str) -> Recorded:
    recorded = _converted(raw, Recorded, place)
    if recorded.role not in FITTING[recorded.do]:
        raise RuleError(f"{place}: do: {recorded.do} makes no sense for {recorded.role}: leave the telegram out")
    if recorded.code is not None and recorded.code not in codes_for(recorded.do, partner):
        raise RuleError(f"{place}: code: {recorded.code!r} does not say {recorded.do} at {partner.name}: leave it out")
    if not 0 <= recorded.after_ms <= 2 * LONGEST_MS:  # its own time, and that in a queue
        raise RuleError(f"{place}: after_ms: must be from 0 to {2 * LONGEST_MS}")
    if recorded.pan is not None and "*" not in recorded.pan:
        raise RuleError(f"{place}: pan: a record holds no card number in clear: mask it, as 411111******1111")
    return recorded


def written(scenario: Scenario) -> dict[str, Any]:
    """What the file of a scenario says."""
    raw: dict[str, Any] = msgspec.to_builtins(scenario)
    raw["rule"], raw["event"], raw["recorded"] = raw.pop("rules"), raw.pop("events"), raw.pop("recorded")
    return {name: raw[name] for name in _SECTIONS if raw[name] not in (None, [], {}, ())}


def to_toml(raw: Mapping[str, Any]) -> str:
    """The text of a scenario's file."""
    return tomli_w.dumps(_without_nothing(raw), multiline_strings=False)


def _without_nothing(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_nothing(each) for name, each in value.items() if each is not None}
    return [_without_nothing(each) for each in value] if isinstance(value, list) else value
