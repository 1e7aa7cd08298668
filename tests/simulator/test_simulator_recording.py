"""A run is recorded and played again: the same requests have the same fate, and lead to the same books."""

import random
import tomllib
from typing import Any

import pytest
from centre_rig import NOON, PAN, PARTNERS, Line, partner_named
from socket_rig import Served, serving

from schemas.telegrams import PartnerSpec, Role
from simulator.centre import Centre
from simulator.conduct import Moment
from simulator.rules import Rules
from simulator.scenario import Scenario, scenario_from, to_toml
from simulator.states import record_of

CARDS = (PAN, "5555555555554444", "4222222222222")
MIXTURE = """
[defaults]
latency = { kind = "lognormal", median_ms = 50, p99_ms = 900 }
[capacity]
tps = 30
burst = 5
queue_ms = 400
[[rule]]
role = ["authorisation_request", "sale_request"]
share = 0.2
do = "decline"
codes = "every"
[[rule]]
role = "sale_request"
share = 0.1
do = "silent"
[[rule]]
role = "sale_request"
share = 0.1
do = "lose"
[[rule]]
role = ["authorisation_request", "sale_request"]
when = "destination_down"
do = "stand_in"
floor_limit = 3000
[[rule]]
role = ["fault_confirm", "fault_confirm_again"]
share = 0.5
do = "trouble"
codes = "every"
[[rule]]
share = 0.05
do = "turn_round"
"""


def course(line: Line, seed: int = 3, count: int = 400) -> list[tuple[Any, ...]]:
    """The same mixture of requests, follow-ups and cancels whenever it is played; gives what each was answered."""
    chance = random.Random(seed)
    spec = line.centre.partner
    answers: list[tuple[Any, ...]] = []
    for number in range(1, count + 1):
        line.now = Moment(NOON.at_s + number * 0.02, NOON.clock)
        role = chance.choice([Role.SALE_REQUEST] * 6 + [Role.AUTHORISATION_REQUEST, Role.REFUND_REQUEST])
        given: dict[str, Any] = {"amount": chance.choice([900, 4_000, 12_800]), "pan": chance.choice(CARDS)}
        if role is Role.REFUND_REQUEST:
            given["original_trace_number"] = max(1, number - 9)
        if number % 8 == 0:
            role = Role.FAULT_CONFIRM
            given |= {"original_trace_number": number - 1, "original_type_code": spec.type_code(Role.SALE_REQUEST)}
        waiting = len(line.waiting)
        heard = line.send(role, trace_number=number, route_number=number % 900 + 1, **given)
        for told in heard:
            answers.append((number, 0, told.role, dict(told.values)))
        for later in line.waiting[waiting:]:
            answers.append((number, later.after_ms, later.role, later.values))
    line.pass_time()
    return answers


def played(spec: PartnerSpec, scenario: Scenario) -> tuple[Centre, list[tuple[Any, ...]]]:
    centre = Centre(spec, Rules())
    centre.use(scenario, NOON)
    return centre, course(Line(centre))


def recorded(centre: Centre) -> tuple[str, Scenario]:
    text = to_toml(record_of(centre, "recorded"))
    return text, scenario_from(tomllib.loads(text), centre.partner, "recorded")


@pytest.mark.parametrize("partner", PARTNERS)
def test_a_mixture_that_is_recorded_and_played_again_has_the_same_answers_and_books(partner: str) -> None:
    spec = partner_named(partner)
    centre, answers = played(spec, scenario_from(tomllib.loads(MIXTURE), spec, "mixture"))
    outcomes = {entry.outcome for entry in centre.ledger.entries.values()}
    assert len(outcomes) == 3
    assert centre.conduct.load.counters["queued"] > 20
    assert centre.conduct.load.counters["refused"] > 5
    _, scenario = recorded(centre)
    again, same = played(spec, scenario)
    assert same == answers
    assert list(again.ledger.rows()) == list(centre.ledger.rows())
    assert again.conduct.replay.left == 0


def test_without_its_record_the_mixture_would_go_otherwise() -> None:
    spec = partner_named("cafis")
    raw = tomllib.loads(MIXTURE)
    _, answers = played(spec, scenario_from(raw, spec, "mixture"))
    _, others = played(spec, scenario_from({**raw, "seed": 9}, spec, "mixture"))
    assert others != answers


def test_a_record_of_a_replay_is_the_record() -> None:
    spec = partner_named("cafis")
    centre, _ = played(spec, scenario_from(tomllib.loads(MIXTURE), spec, "mixture"))
    _, scenario = recorded(centre)
    again, _ = played(spec, scenario)
    assert recorded(again)[1].recorded == scenario.recorded


def test_a_record_holds_no_card_number_in_clear() -> None:
    spec = partner_named("cafis")
    raw = {**tomllib.loads(MIXTURE), "rule": [{"do": "decline", "pan": each} for each in (PAN, f"{PAN[:15]}*")]}
    centre, _ = played(spec, scenario_from(raw, spec, "mixture"))
    text, scenario = recorded(centre)
    assert [card for card in CARDS if card in text] == []
    assert "411111******1111" in text
    assert PAN[:15] not in text
    assert [rule.pan for rule in scenario.rules] == ["411111*"] * 2


def test_requests_that_are_alike_have_their_fates_in_turn_whatever_comes_between() -> None:
    spec = partner_named("cafis")
    raw = {"rule": [{"do": "decline", "role": "sale_request", "codes": ["D01", "D02", "D03"]}]}
    centre = Centre(spec, Rules())
    centre.use(scenario_from(raw, spec, "codes"), NOON)
    line = Line(centre)
    for number, amount in enumerate((100, 200, 100), 1):
        line.send(Role.SALE_REQUEST, trace_number=number, amount=amount)
    _, scenario = recorded(centre)
    again = Centre(spec, Rules())
    again.use(scenario, NOON)
    other = Line(again, "DNB00009")
    codes = [
        other.send(Role.SALE_REQUEST, trace_number=number, amount=amount)[0].values["result_code"]
        for number, amount in enumerate((200, 100, 100), 1)
    ]
    assert codes == ["D02", "D01", "D03"]


def test_what_comes_after_the_record_is_decided_by_its_rules() -> None:
    spec = partner_named("cafis")
    raw = {"rule": [{"do": "decline", "role": "sale_request", "times": 1}, {"do": "turn_round", "amount": 7}]}
    centre = Centre(spec, Rules())
    centre.use(scenario_from(raw, spec, "rules"), NOON)
    Line(centre).send(Role.SALE_REQUEST, trace_number=1, amount=5)
    _, scenario = recorded(centre)
    again = Centre(spec, Rules())
    again.use(scenario, NOON)
    line = Line(again)
    reports = [line.send(Role.SALE_REQUEST, trace_number=number, amount=5)[0] for number in (1, 2)]
    assert [each.values["result_code"] for each in reports] == ["D01", "D01"]
    assert again.conduct.replay.left == 0
    assert [each.hits for each in again.conduct.rules.in_force] == [1, 0], "the first was the record's"


# --- over sockets, with the partner's own events


def run(centre: Served) -> None:
    """A sale, the destination down for another, and a line that is dropped."""
    control = centre.control
    with centre.line() as line:
        line.ask(Role.SALE_REQUEST, trace_number=1, route_number=1, amount=5_000)
        control.happen("destination_down")
        line.ask(Role.SALE_REQUEST, trace_number=2, route_number=2, amount=5_000)
        control.happen("drop_line")
        line.wait_end()


def test_what_the_partner_does_of_its_own_accord_is_recorded_and_comes_again() -> None:
    rule = {"do": "decline", "role": "sale_request", "when": "destination_down"}
    with serving("cafis") as centre:
        centre.control.use({"rule": [rule]})
        run(centre)
        text = centre.control.record("evening")
        rows = centre.control.ledger()
    raw = tomllib.loads(text)
    assert [each["do"] for each in raw["event"]] == ["destination_down", "drop_line"]
    assert [each["role"] for each in raw["recorded"]] == ["opening_request", "sale_request", "sale_request"]
    times = [each["at_s"] for each in (*raw["recorded"], *raw["event"])]
    assert all(0 <= each < 60 for each in times)
    down, dropped = raw["event"]
    with serving("cafis") as again:
        again.control.use({**raw, "event": [down]})
        with again.line() as line:
            for number in (1, 2):
                line.ask(Role.SALE_REQUEST, trace_number=number, route_number=number, amount=5_000)
            assert [{**row, "at_ms": 0} for row in again.control.ledger()] == [{**row, "at_ms": 0} for row in rows]
            again.control.wait_for(lambda: again.control.state()["destination"] == "destination_down")
            again.control.use({"event": [dropped]})
            line.wait_end()  # when it is due


def test_a_centre_that_keeps_no_story_keeps_no_record() -> None:
    centre = Centre(partner_named("cafis"), Rules(), story=False)
    Line(centre).send(Role.SALE_REQUEST)
    assert centre.conduct.recorder is None
    assert "recorded" not in record_of(centre, "none")
