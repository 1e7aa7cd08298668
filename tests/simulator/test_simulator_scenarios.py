"""Scenarios: those of the package with both partners, what is wrong with one, and switching while lines go on."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from centre_rig import NOON, PAN, PARTNERS, Line, partner_named
from socket_rig import HOST, serving
from words_rig import unfit

from schemas.telegrams import ErrorClass, Message, Outcome, Role
from simulator.centre import Centre
from simulator.conduct import Moment
from simulator.control import Control, ControlError
from simulator.deeds import Deed
from simulator.rule_files import RuleError
from simulator.rules import Rules
from simulator.scenario import PLAIN, Scenario, load_scenario, packaged, scenario_from, to_toml, written
from simulator.timeline import Event, Occurrence


def centre_with(partner: str, scenario: str | Scenario) -> Centre:
    spec = partner_named(partner)
    centre = Centre(spec, Rules())
    centre.use(load_scenario(scenario, spec) if isinstance(scenario, str) else scenario, NOON)
    return centre


def all_heard(line: Line, role: Role, **given: Any) -> list[Message]:
    """What comes back, now or later."""
    return line.send(role, **given) or line.pass_time()


# --- those of the package


@pytest.mark.parametrize("partner", PARTNERS)
@pytest.mark.parametrize("name", packaged())
def test_a_packaged_scenario_is_right_told_in_both_languages_and_the_same_when_written(name: str, partner: str) -> None:
    scenario = load_scenario(name, partner_named(partner))
    assert scenario.name == name
    assert not scenario.japanese.isascii()
    assert scenario.english
    again = scenario_from(tomllib.loads(to_toml(written(scenario))), partner_named(partner), "again")
    assert again == scenario


def test_no_two_packaged_scenarios_have_the_same_seed() -> None:
    seeds = [load_scenario(name, partner_named("cafis")).seed for name in packaged()]
    assert len(set(seeds)) == len(seeds) >= 7


@pytest.mark.parametrize("partner", PARTNERS)
def test_every_code_of_the_partner_is_met_in_the_scenario_of_every_code(partner: str) -> None:
    centre = centre_with(partner, "every-code")
    spec = centre.partner
    line = Line(centre)
    results: set[object] = set()
    errors: set[object] = set()
    numbers = iter(range(1, 1_000))
    for _ in range(20):
        for amount in (10_000, 20_000):
            (report,) = line.send(Role.SALE_REQUEST, trace_number=next(numbers), amount=amount)
            results.add(report.values["result_code"])
        (report,) = line.send(Role.SALE_REQUEST, trace_number=next(numbers), amount=30_000)
        errors.add(report.values["error_code"])
        original = next(numbers)
        assert line.send(Role.SALE_REQUEST, trace_number=original, amount=40_000) == []
        named = {
            "original_trace_number": original, "original_type_code": spec.type_code(Role.SALE_REQUEST),
            "amount": 40_000,
        }  # fmt: skip
        (report,) = line.send(Role.FAULT_CONFIRM, trace_number=next(numbers), **named)
        errors.add(report.values["error_code"])
        (done,) = line.send(Role.FAULT_CONFIRM_AGAIN, trace_number=next(numbers), **named)
        assert spec.classify(done) is Outcome.APPROVED
    assert results == {
        code
        for code, each in spec.result_codes.items()
        if each.outcome is not Outcome.APPROVED and not each.fault_cancel
    }
    assert errors == set(spec.error_codes)
    assert {each.error_class for each in spec.error_codes.values()} == set(ErrorClass)
    assert centre.ledger.balance() == 0


# --- stand-in 代行


@pytest.mark.parametrize("partner", PARTNERS)
def test_while_the_destination_is_down_the_network_stands_in_up_to_the_floor_limit(partner: str) -> None:
    centre = centre_with(partner, "stand-in")
    line = Line(centre)
    (before,) = all_heard(line, Role.SALE_REQUEST, trace_number=1, amount=50_000)
    centre.conduct.happened(Event(Occurrence.DESTINATION_DOWN))
    (within,) = all_heard(line, Role.SALE_REQUEST, trace_number=2, amount=30_000)
    (above,) = all_heard(line, Role.SALE_REQUEST, trace_number=3, amount=30_001)
    (refund,) = all_heard(line, Role.REFUND_REQUEST, trace_number=4, original_trace_number=1, amount=1)
    centre.conduct.happened(Event(Occurrence.DESTINATION_UP))
    (after,) = all_heard(line, Role.SALE_REQUEST, trace_number=5, amount=50_000)
    outcomes = [centre.partner.classify(each) for each in (before, within, above, refund, after)]
    assert outcomes == [
        Outcome.APPROVED, Outcome.APPROVED, Outcome.DECLINED, Outcome.TURNED_ROUND, Outcome.APPROVED,
    ]  # fmt: skip
    codes = [each.values.get("approval_code") for each in (before, within, above, after)]
    assert codes == ["000001", "S00002", None, "000003"]
    entries = list(centre.ledger.entries.values())
    assert [entry.stand_in for entry in entries] == [False, True, True, False, False]
    assert centre.ledger.balance() == 130_000


@pytest.mark.parametrize("partner", PARTNERS)
def test_a_stand_in_sale_is_cancelled_once_the_destination_is_back(partner: str) -> None:
    centre = centre_with(partner, "stand-in")
    line = Line(centre)
    centre.conduct.happened(Event(Occurrence.DESTINATION_DOWN))
    all_heard(line, Role.SALE_REQUEST, trace_number=1, amount=3_000)
    named = {
        "original_trace_number": 1, "original_type_code": centre.partner.type_code(Role.SALE_REQUEST), "amount": 3_000,
    }  # fmt: skip
    (told,) = all_heard(line, Role.FAULT_CANCEL, trace_number=2, **named)
    assert told.values["error_code"] in ("C13", "E13")
    assert centre.ledger.balance() == 3_000
    centre.conduct.happened(Event(Occurrence.DESTINATION_UP))
    all_heard(line, Role.FAULT_CANCEL_AGAIN, trace_number=3, **named)
    assert centre.ledger.balance() == 0
    assert centre.ledger.violations == []


# --- windows of time


def test_a_window_counts_from_the_beginning_of_the_scenario() -> None:
    raw = {"rule": [{"do": "decline", "role": "sale_request", "from_s": 10, "until_s": 20}]}
    centre = centre_with("cafis", scenario_from(raw, partner_named("cafis"), "window"))
    line = Line(centre)
    outcomes = []
    for number, since_s in enumerate((0, 9.9, 10, 19.9, 20), 1):
        line.now = Moment(NOON.at_s + since_s, NOON.clock)
        (report,) = line.send(Role.SALE_REQUEST, trace_number=number)
        outcomes.append(centre.partner.classify(report) is Outcome.DECLINED)
    assert outcomes == [False, False, True, True, False]


# --- switching


def test_a_scenario_is_switched_while_a_line_is_open_and_the_books_stay() -> None:
    with serving("cafis") as centre, centre.line() as line:
        assert centre.control.state()["scenario"] == "plain"
        line.ask(Role.SALE_REQUEST, trace_number=1, route_number=1, amount=10_000)
        centre.control.use("every-code")
        report = line.ask(Role.SALE_REQUEST, trace_number=2, route_number=1, amount=10_000)
        assert report.values["result_code"] == "D01"
        state = centre.control.state()
        assert (state["scenario"], state["entries"], state["balance"]) == ("every-code", 2, 10_000)
        assert [each["hits"] for each in state["rules"]] == [1, 0, 0, 0, 0, 0]
        centre.control.use("plain")
        report = line.ask(Role.SALE_REQUEST, trace_number=3, route_number=1, amount=10_000)
        assert line.partner.classify(report) is Outcome.APPROVED


def test_a_whole_scenario_is_given_over_the_control_port_and_its_events_happen() -> None:
    with serving("cafis") as centre, centre.line() as line:
        centre.control.use({"name": "mine", "event": [{"do": "keepalive", "every_s": 0.01}]})
        for _ in range(2):
            asked = line.hear()
            assert asked.role is Role.KEEPALIVE_REQUEST
            line.send(Role.KEEPALIVE_ANSWER, trace_number=asked.values["trace_number"])
        centre.control.use("plain")
        assert centre.server._playing is None


def test_a_closing_lasts_until_the_reopening() -> None:
    with serving("cafis") as centre, centre.line() as line:
        assert centre.control.happen("close") == 1
        asked = line.hear()
        assert asked.role is Role.CLOSING_REQUEST
        line.send(Role.CLOSING_ANSWER, trace_number=asked.values["trace_number"])
        assert line.has_ended()
        with centre.line(opened=False) as again:
            assert again.partner.classify(again.ask(Role.OPENING_REQUEST)) is Outcome.DECLINED
            centre.control.happen("reopen")
            assert again.partner.classify(again.ask(Role.OPENING_REQUEST)) is Outcome.APPROVED


def test_one_station_can_be_closed_and_reopened_while_another_goes_on() -> None:
    with serving("cafis") as centre, centre.line("DNB00001") as one, centre.line("DNB00002") as two:
        assert centre.control.happen("close", station="DNB00002") == 1
        asked = two.hear()
        two.send(Role.CLOSING_ANSWER, trace_number=asked.values["trace_number"])
        assert two.has_ended()
        assert one.ask(Role.KEEPALIVE_REQUEST).role is Role.KEEPALIVE_ANSWER
        with centre.line("DNB00002", opened=False) as again, centre.line("DNB00003", opened=False) as three:
            assert again.partner.classify(again.ask(Role.OPENING_REQUEST)) is Outcome.DECLINED
            assert three.partner.classify(three.ask(Role.OPENING_REQUEST)) is Outcome.APPROVED
            centre.control.happen("reopen", station="DNB00002")
            assert again.partner.classify(again.ask(Role.OPENING_REQUEST)) is Outcome.APPROVED


def test_a_carried_partner_has_a_scenario_of_its_own_but_no_events_of_the_lines() -> None:
    carried = {"CN": Centre(partner_named("cardnet"), Rules())}
    with serving("cafis", carries=carried) as centre:
        control = Control(HOST, centre.server.control_port, partner="cardnet")
        with control:
            control.use("every-code")
            assert control.state()["scenario"] == "every-code"
            with pytest.raises(ControlError, match="its events and sessions are those of the lines: leave out partner"):
                control.use("closing-time")
            assert control.state()["scenario"] == "every-code"
        assert centre.control.state()["scenario"] == "plain"


def test_an_event_can_be_about_one_line() -> None:
    with serving("cafis") as centre, centre.line("DNB00001") as one, centre.line("DNB00002") as two:
        assert centre.control.happen("keepalive", station="DNB00002") == 1
        assert two.hear().role is Role.KEEPALIVE_REQUEST
        assert centre.control.happen("drop_line", station="DNB00002") == 1
        assert two.has_ended()
        assert one.ask(Role.KEEPALIVE_REQUEST).role is Role.KEEPALIVE_ANSWER


def test_the_state_shows_no_card_number() -> None:
    with serving("cafis") as centre, centre.line():
        centre.control.behave(do="decline", pan=PAN)
        centre.control.behave(do="decline", pan=f"{PAN[:15]}*")
        assert centre.control.state()["rules"] == [
            {"rule": {"do": "decline", "pan": "411111*"}, "hits": 0},
            {"rule": {"do": "decline", "pan": "411111******1111"}, "hits": 0},
        ]


def test_the_scenarios_that_can_be_used_are_told() -> None:
    with serving("cardnet") as centre:
        assert [each["name"] for each in centre.control.scenarios()] == [PLAIN.name, *packaged()]


# --- what is wrong

WRONG: list[tuple[dict[str, Any], str]] = [
    (
        {"rules": []},
        "rules: unknown: did you mean rule?",
    ),
    ({"seed": "x"}, unfit(Scenario, {"name": "x", "seed": "x"})),
    ({"defaults": {"latency": -1}}, "defaults: latency: must be from 0 to 3600000 ms"),
    ({"defaults": {"wait": 1}}, "defaults: unknown name 'wait': use one of: latency"),
    ({"capacity": {"tps": 0}}, "capacity: tps: must be above 0, or left out for no limit"),
    ({"capacity": {"tps": 1, "code": "D01"}}, "capacity: code: 'D01' does not say turn_round: one of R01, R02, R03"),
    ({"sessions": {"per_line": 0}}, "sessions: per_line: must be at least 1"),
    (
        {"rule": [{"do": "silent"}, {"do": "garbge"}]},
        "rule 2: do: unknown value 'garbge': did you mean garbage?",
    ),
    ({"event": [{"do": "close"}]}, "event 1: when is said 0 times: give one of at_s, every_s, at"),
    ({"event": [{"do": "clsoe", "at_s": 1}]}, "event 1: do: unknown value 'clsoe': did you mean close?"),
    ({"event": [{"do": "close", "at": "late"}]},
     "event 1: at: 'late' is no time of day: write \"09:00\", as clocks in Japan show it"),
    ({"event": {"do": "close"}}, "event: write [[event]], a section for each"),
    ({"recorded": [{"at_s": 1, "role": "sale_request", "do": "trouble"}]},
     "recorded 1: do: trouble makes no sense for sale_request: leave the telegram out"),
    ({"recorded": [{"at_s": 1, "role": "sale_request", "do": "answer", "after_ms": -1}]},
     "recorded 1: after_ms: must be from 0 to 7200000"),
    ({"recorded": [{"at_s": 1, "role": "sale_request", "do": "decline", "code": "000"}]},
     "recorded 1: code: '000' does not say decline at cafis: leave it out"),
    ({"recorded": [{"at_s": 1, "role": "sale_request", "do": "answer", "pan": PAN}]},
     "recorded 1: pan: a record holds no card number in clear: mask it, as 411111******1111"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "problem"), WRONG, ids=[problem[:40] for _, problem in WRONG])
def test_what_is_wrong_with_a_scenario_is_said_with_its_place_and_the_remedy(
    raw: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    cafis = partner_named("cafis")
    file = tmp_path / "mine.toml"
    file.write_text(to_toml(raw))
    with pytest.raises(RuleError) as caught:
        load_scenario(str(file), cafis)
    assert str(caught.value) == f"{file}: {problem}"
    with serving("cafis") as centre:
        with pytest.raises(ControlError) as told:
            centre.control.use(raw)
        assert str(told.value) == f"use: scenario: {problem}"
        assert centre.control.state()["scenario"] == "plain"


def test_a_scenario_that_is_not_there_is_said(tmp_path: Path) -> None:
    cafis = partner_named("cafis")
    known = ", ".join([PLAIN.name, *packaged()])
    with pytest.raises(RuleError) as caught:
        load_scenario("nowhere", cafis)
    assert (
        str(caught.value) == f"nowhere: no scenario of this name: use one of: {known}; or give the path of a .toml file"
    )
    with pytest.raises(
        RuleError, match="moth-end: no scenario of this name: did you mean month-end\\? Otherwise use one"
    ):
        load_scenario("moth-end", cafis)
    with pytest.raises(RuleError) as caught:
        load_scenario(str(tmp_path / "none.toml"), cafis)
    assert str(caught.value) == f"{tmp_path / 'none.toml'}: No such file or directory: name a file of a scenario"


def test_no_file_is_read_for_who_asks_over_the_control_port(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("seed = 1\n")
    with serving("cafis") as centre, pytest.raises(ControlError, match="no scenario of this name"):
        centre.control.use(str(file))


def test_the_forms_of_the_documentation_are_scenarios(tmp_path: Path) -> None:
    import simulator.capacity  # noqa: PLC0415  the docstrings are the claim
    import simulator.recording  # noqa: PLC0415
    import simulator.scenario  # noqa: PLC0415
    import simulator.sessions  # noqa: PLC0415
    import simulator.timeline  # noqa: PLC0415

    head = (simulator.scenario.__doc__ or "").split("\n\n", 1)[1].partition("[capacity]")[0]
    modules = (simulator.capacity, simulator.sessions, simulator.timeline, simulator.recording)
    sections = [str(each.__doc__).partition("\n[")[2].partition("\n\nA telegram")[0] for each in modules]
    file = tmp_path / "all.toml"
    file.write_text("\n".join([head, *(f"[{each}" for each in sections)]))
    scenario = load_scenario(str(file), partner_named("cafis"))
    assert scenario.capacity is not None
    assert scenario.capacity.line_tps == 50
    assert scenario.sessions.per_centre == 8
    assert [each.do for each in scenario.events] == [Occurrence.KEEPALIVE, Occurrence.CLOSE]
    assert [each.do for each in scenario.recorded] == [Deed.DECLINE]
