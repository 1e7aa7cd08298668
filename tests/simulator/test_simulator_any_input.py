"""Whatever is given as a rule, an event or a scenario is taken or refused in words; what is taken can be used."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

from centre_rig import NOON, PARTNERS, Line, partner_named
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.telegrams import Role
from simulator.centre import Centre
from simulator.conduct import Moment
from simulator.deeds import REQUESTS, Deed
from simulator.rule_files import RuleError, rule_from
from simulator.rules import Rule, Rules
from simulator.scenario import event_from, scenario_from, to_toml, written
from simulator.timeline import Event, Occurrence, Timeline

numbers = st.one_of(st.integers(-5, 10_000), st.floats(), st.sampled_from([10**9, 10**30, math.nan, math.inf]))
words = st.one_of(
    st.text(max_size=8), st.sampled_from(["09:00", "17:00", "4111*", "every", "C13", "D01", "R01", "E13"])
)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, words),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
    max_leaves=6,
)
latencies = st.one_of(
    numbers,
    st.builds(lambda a, b: {"kind": "uniform", "from_ms": a, "to_ms": b}, numbers, numbers),
    st.builds(lambda a, b: {"kind": "lognormal", "median_ms": a, "p99_ms": b}, numbers, numbers),
    st.builds(lambda a: {"kind": "table", "points": a}, st.lists(st.tuples(numbers, numbers).map(list), max_size=3)),
)


def form(struct: Any, **known: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with the names of this form, and values that are sometimes right."""
    names = {name: st.one_of(known.get(name, numbers), anything) for name in struct.__struct_fields__}
    return st.fixed_dictionaries({"do": known["do"]}, optional={name: names[name] for name in names if name != "do"})


rules = form(
    Rule, do=st.sampled_from(Deed), role=st.sampled_from(REQUESTS), latency=latencies,
    between=st.just(["09:00", "17:00"]),
    codes=st.one_of(st.just("every"), st.lists(words, max_size=2), st.dictionaries(words, numbers, max_size=2)),
    code=words, station=words, terminal_id=words, pan=words, when=st.sampled_from(["destination_up", "night"]),
)  # fmt: skip
times = st.sampled_from(["at_s", "every_s"]).flatmap(
    lambda name: st.fixed_dictionaries(
        {"do": st.sampled_from(Occurrence), name: numbers}, optional={"until_s": numbers}
    )
)
events = times | form(Event, do=st.sampled_from(Occurrence), at=words, station=words)
scenarios = st.fixed_dictionaries({}, optional={
    "rule": st.lists(rules, max_size=2), "event": st.lists(events, max_size=2),
    "recorded": st.lists(anything, max_size=2),
    "capacity": st.dictionaries(st.sampled_from(["tps", "in_flight", "overload", "queue_ms", "slow"]), numbers),
    "sessions": st.dictionaries(st.sampled_from(["per_line", "per_centre", "excess"]), numbers),
    "defaults": st.fixed_dictionaries({"latency": latencies}), "seed": numbers, "name": anything, "other": anything,
})  # fmt: skip
partners = st.sampled_from(PARTNERS)
T = TypeVar("T")


def taken(read: Callable[[], T], place: str) -> T | None:
    """What is read; None where it is refused, with its place."""
    try:
        return read()
    except RuleError as error:
        problem = str(error)
    assert problem.startswith(f"{place}: ")
    return None


@given(partners, st.one_of(rules, anything))
@settings(max_examples=500, deadline=None)
def test_any_rule_is_taken_and_can_be_used_or_is_refused_in_words(partner: str, raw: Any) -> None:
    spec = partner_named(partner)
    rule = taken(lambda: rule_from(raw, spec, "rule 1"), "rule 1")
    if rule is None:
        return
    centre = Centre(spec, Rules((rule,)))
    line = Line(centre)
    for number, role in enumerate((Role.SALE_REQUEST, Role.REFUND_REQUEST, Role.KEEPALIVE_REQUEST), 1):
        line.now = Moment(float(number), NOON.clock)
        line.send(role, trace_number=number)
    assert all(0 <= each.after_ms <= 3_600_000 for each in line.waiting)


@given(st.one_of(events, anything))
@settings(max_examples=500, deadline=None)
def test_any_event_is_taken_and_comes_at_a_time_or_is_refused_in_words(raw: Any) -> None:
    event = taken(lambda: event_from(raw, "event 1"), "event 1")
    if event is None:
        return
    timeline = Timeline([event], NOON.clock.time())
    before = -1.0
    for _ in range(3):
        due = timeline.next_s
        if due is None:
            return
        assert math.isfinite(due)
        assert due > before
        assert timeline.take(due) == [event]
        before = due


@given(partners, st.one_of(scenarios, st.dictionaries(words, anything, max_size=3)))
@settings(max_examples=500, deadline=None)
def test_any_scenario_is_taken_and_can_be_written_or_is_refused_in_words(partner: str, raw: dict[str, Any]) -> None:
    spec = partner_named(partner)
    scenario = taken(lambda: scenario_from(raw, spec, "mine.toml"), "mine.toml")
    if scenario is None:
        return
    assert to_toml(written(scenario))
    centre = Centre(spec, Rules())
    centre.use(scenario, NOON)
    Line(centre).send(Role.SALE_REQUEST, trace_number=1)
