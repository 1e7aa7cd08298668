"""Rules of a centre: which one a telegram meets, and the exact text of everything that is wrong with one."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from centre_rig import PAN, PARTNERS, TERMINAL, partner_named, values_for
from words_rig import unfit

from schemas.telegrams import FAULT_COMMANDS, ORDINARY_REQUESTS, Message, Role, Value
from simulator.deeds import FITTING, REQUESTS, Deed
from simulator.latency import Lognormal
from simulator.rule_files import RuleError, codes_for, load_rules, rule_from
from simulator.rules import ANSWERED, Around, Destination, Rule, Rules

REQUEST_DEEDS = (
    "answer, decline, drop, error_report, garbage, late, loop, lose, noise, other_amount, other_error, other_terminal, "
    "silent, stand_in, turn_round, twice, unknown_code"
)
COMMAND_DEEDS = (
    "answer, drop, error_report, garbage, late, loop, lose, noise, other_amount, other_error, other_route, "
    "other_terminal, other_type, silent, trouble, twice, unknown_code"
)


def message(role: Role = Role.SALE_REQUEST, partner: str = "cafis", **given: Value) -> Message:
    return Message(role, values_for(partner_named(partner), role, **given))


def around(since_s: float = 0.0, clock: str = "12:00", **more: Any) -> Around:
    return Around(since_s, dt.time.fromisoformat(clock), more.pop("station", "DNB00001"), **more)


def met(rules: Rules, telegram: Message, about: object = "a", now: Around | None = None) -> Deed:
    return rules.of(telegram, about, now or around()).do


def rules_of(*raw: dict[str, Any], partner: str = "cafis", seed: int = 0) -> Rules:
    return Rules(tuple(rule_from(each, partner_named(partner), "rule") for each in raw), seed=seed)


# --- which rule -----------------------------------------------------------------------------------------------------


def test_without_rules_everything_is_answered() -> None:
    assert Rules().of(message(), "a", around()) is ANSWERED
    assert ANSWERED.do is Deed.ANSWER


@pytest.mark.parametrize("partner", PARTNERS)
@pytest.mark.parametrize(
    ("rule", "fitting", "other"),
    [
        ({"role": "refund_request"}, (Role.REFUND_REQUEST, {}), (Role.SALE_REQUEST, {})),
        ({"role": ["refund_request", "fault_confirm"]}, (Role.FAULT_CONFIRM, {}), (Role.FAULT_CANCEL, {})),
        ({"amount": 4_000}, (Role.SALE_REQUEST, {"amount": 4_000}), (Role.SALE_REQUEST, {"amount": 4_001})),
        ({"amount": [40, 49]}, (Role.SALE_REQUEST, {"amount": 40}), (Role.SALE_REQUEST, {"amount": 39})),
        ({"amount": [40, 49]}, (Role.FAULT_CONFIRM, {"amount": 49}), (Role.FAULT_CONFIRM, {"amount": 50})),
        ({"amount": [0, 99_999_999]}, (Role.FAULT_CANCEL, {}), (Role.KEEPALIVE_REQUEST, {})),
        ({"pan": PAN}, (Role.SALE_REQUEST, {}), (Role.SALE_REQUEST, {"pan": "5555555555554444"})),
        ({"pan": PAN}, (Role.CANCEL_REQUEST, {}), (Role.FAULT_CANCEL, {})),
        ({"terminal_id": "1"}, (Role.SALE_REQUEST, {"terminal_id": "1"}), (Role.SALE_REQUEST, {"terminal_id": "2"})),
        ({"role": "sale_request", "amount": 7}, (Role.SALE_REQUEST, {"amount": 7}), (Role.FAULT_CANCEL, {"amount": 7})),
    ],
)
def test_a_rule_is_for_the_telegrams_that_have_all_it_names(
    rule: dict[str, Any], fitting: tuple[Role, dict[str, Value]], other: tuple[Role, dict[str, Value]], partner: str
) -> None:
    rules = Rules((rule_from({"do": "silent", **rule}, partner_named(partner), "rule"),))
    assert met(rules, message(fitting[0], partner, **fitting[1])) is Deed.SILENT
    assert met(rules, message(other[0], partner, **other[1])) is Deed.ANSWER


@pytest.mark.parametrize("deed", Deed)
def test_without_a_role_a_rule_is_for_every_telegram_its_deed_makes_sense_for(deed: Deed) -> None:
    rules = Rules((Rule(do=deed),))
    for role in REQUESTS:
        assert met(rules, message(role)) is (deed if role in FITTING[deed] else Deed.ANSWER)


def test_every_request_to_a_centre_can_be_met_by_some_deed_other_than_the_normal() -> None:
    assert set(FITTING) == set(Deed)
    for role in REQUESTS:
        assert {deed for deed, roles in FITTING.items() if role in roles} > {Deed.ANSWER, Deed.SILENT, Deed.LOSE}


def test_the_first_rule_that_matches_wins() -> None:
    rules = Rules((Rule(do=Deed.DECLINE, amount=5), Rule(do=Deed.SILENT, amount=(1, 9)), Rule(do=Deed.LATE)))
    assert [met(rules, message(amount=amount)) for amount in (5, 6, 10)] == [Deed.DECLINE, Deed.SILENT, Deed.LATE]


def test_a_rule_that_is_added_comes_first_and_clearing_takes_all_away() -> None:
    rules = Rules((Rule(do=Deed.SILENT),))
    rules.add(Rule(do=Deed.LATE))
    assert [rule.do for rule in rules] == [Deed.LATE, Deed.SILENT]
    assert met(rules, message()) is Deed.LATE
    rules.clear()
    assert met(rules, message()) is Deed.ANSWER


def test_times_counts_the_telegrams_about_each_transaction() -> None:
    rules = Rules((Rule(do=Deed.SILENT, role=FAULT_COMMANDS, times=2), Rule(do=Deed.TROUBLE, times=1)))
    commands = [message(role) for role in (Role.FAULT_CONFIRM, *[Role.FAULT_CONFIRM_AGAIN] * 3)]
    course = [Deed.SILENT, Deed.SILENT, Deed.TROUBLE, Deed.ANSWER]
    assert [met(rules, each, "a") for each in commands] == course
    assert [met(rules, each, "b") for each in commands] == course


def test_a_rule_that_is_added_does_not_make_others_count_anew() -> None:
    rules = Rules((Rule(do=Deed.SILENT, times=1),))
    assert met(rules, message()) is Deed.SILENT
    rules.add(Rule(do=Deed.LATE, amount=7))
    assert met(rules, message()) is Deed.ANSWER
    rules.add(Rule(do=Deed.SILENT, times=1))
    assert [met(rules, message()), met(rules, message())] == [Deed.SILENT, Deed.ANSWER]


@pytest.mark.parametrize(
    ("rule", "waits_ms"),
    [
        (Rule(do=Deed.ANSWER), 0),
        (Rule(do=Deed.ANSWER, after_ms=30), 30),
        (Rule(do=Deed.LATE), 1_000),
        (Rule(do=Deed.LATE, after_ms=0), 0),
    ],
)
def test_only_late_waits_where_nothing_is_said(rule: Rule, waits_ms: int) -> None:
    assert Rules((rule,)).of(message(), "a", around()).after_ms == waits_ms


def test_a_rule_shows_no_card_number() -> None:
    assert repr(Rule(do=Deed.SILENT, role=Role.SALE_REQUEST, pan=PAN)) == "Rule(silent, sale_request)"


# --- when, where, and by chance


@pytest.mark.parametrize(
    ("rule", "inside", "outside"),
    [
        ({"station": "DNB00001"}, [around()], [around(station="DNB00002")]),
        ({"from_s": 60}, [around(60.0), around(1e6)], [around(59.9)]),
        ({"until_s": 120}, [around(0.0), around(119.9)], [around(120.0)]),
        ({"from_s": 60, "until_s": 120}, [around(60.0)], [around(0.0), around(120.0)]),
        ({"between": ["09:00", "17:00"]}, [around(clock="09:00"), around(clock="16:59:59")], [around(clock="17:00")]),
        ({"between": ["23:30", "00:30"]}, [around(clock="23:45"), around(clock="00:15")], [around(clock="12:00")]),
        ({"when": "destination_down"}, [around(destination=Destination.DOWN)], [around()]),
        ({"when": "destination_up"}, [around()], [around(destination=Destination.DOWN)]),
    ],
)
def test_a_rule_is_for_a_line_a_time_and_a_state(
    rule: dict[str, Any], inside: list[Around], outside: list[Around]
) -> None:
    rules = rules_of({"do": "silent", **rule})
    assert [met(rules, message(), now=each) for each in inside] == [Deed.SILENT] * len(inside)
    assert [met(rules, message(), now=each) for each in outside] == [Deed.ANSWER] * len(outside)


def test_a_card_may_be_named_by_its_beginning() -> None:
    rules = rules_of({"do": "decline", "pan": "411111*"})
    cards = ("4111111111111111", "4111119999999999", "4222222222222")
    assert [met(rules, message(pan=each)) for each in cards] == [Deed.DECLINE, Deed.DECLINE, Deed.ANSWER]


def course(rules: Rules, count: int = 2_000) -> list[Deed]:
    return [met(rules, message(), each) for each in range(count)]


def test_a_share_is_of_the_telegrams_that_come_and_the_same_for_the_same_seed() -> None:
    raw = {"do": "silent", "share": 0.05}
    first = course(rules_of(raw, seed=1))
    assert 60 <= first.count(Deed.SILENT) <= 140, "of 2000 telegrams, a twentieth: five standard deviations about 100"
    assert course(rules_of(raw, seed=1)) == first
    assert course(rules_of(raw, seed=2)) != first


def test_what_a_rule_does_not_take_by_chance_is_left_to_the_next_one() -> None:
    rules = rules_of({"do": "silent", "share": 0.5}, {"do": "decline", "share": 1})
    assert set(course(rules)) == {Deed.SILENT, Deed.DECLINE}
    assert sum(each.hits for each in rules.in_force) == 2_000
    assert rules.others == 0


def test_a_rule_that_is_added_does_not_change_the_chances_of_others() -> None:
    raw = {"do": "silent", "share": 0.5}
    rules = rules_of(raw, seed=7)
    rules.add(Rule(do=Deed.LATE, share=0.5, amount=99))
    assert course(rules) == course(rules_of(raw, seed=7))


def codes(rules: Rules, count: int) -> list[str | None]:
    return [rules.of(message(), each, around()).code for each in range(count)]


def test_codes_are_given_by_weight() -> None:
    given = codes(rules_of({"do": "decline", "codes": {"D01": 3, "D04": 1, "D05": 0}}), 4_000)
    assert set(given) == {"D01", "D04"}
    assert 2_800 <= given.count("D01") <= 3_200, "three of four, within seven standard deviations"


@pytest.mark.parametrize("partner", PARTNERS)
def test_codes_are_given_one_after_the_other(partner: str) -> None:
    every = codes_for(Deed.TURN_ROUND, partner_named(partner))
    assert len(every) > 1
    listed = [*every, *every]
    assert codes(rules_of({"do": "turn_round", "codes": every}, partner=partner), len(listed)) == listed
    assert codes(rules_of({"do": "turn_round", "codes": "every"}, partner=partner), len(listed)) == listed


def test_payments_and_cancels_take_as_long_as_usual_where_no_rule_says_otherwise() -> None:
    rules = Rules((Rule(do=Deed.DECLINE, amount=1), Rule(do=Deed.DECLINE, amount=2, after_ms=5)), latency=40)
    asked = [message(amount=3), message(amount=1), message(amount=2), message(Role.FAULT_CONFIRM, amount=3)]
    waits = [rules.of(each, "a", around()).after_ms for each in (*asked, message(Role.KEEPALIVE_REQUEST))]
    assert waits == [40, 40, 5, 40, 0]


# --- what is wrong --------------------------------------------------------------------------------------------------

WRONG = [
    ({}, unfit(Rule, {})),
    (
        {"do": "vanish"},
        (f"do: unknown value 'vanish': use one of: {', '.join(sorted(Deed))}"),
    ),
    ({"do": "silnt"}, "do: unknown value 'silnt': did you mean silent?"),
    (
        {"do": "silent", "ammount": 1},
        "unknown name 'ammount': did you mean amount?",
    ),
    (
        {"do": "silent", "amount": "1"},
        unfit(Rule, {"do": "silent", "amount": "1"}),
    ),
    (
        {"do": "silent", "amount": [1, 2, 3]},
        unfit(Rule, {"do": "silent", "amount": [1, 2, 3]}),
    ),
    (
        {"do": "silent", "role": "payment"},
        (f"role: unknown value 'payment': use one of: {', '.join(sorted(Role))}"),
    ),
    ({"do": "silent", "role": []}, "role: the list is empty: name a role, or leave it out for all"),
    (
        {"do": "silent", "role": "sale_report"},
        f"role: sale_report is no request to a centre: use one of: {', '.join(REQUESTS)}",
    ),
    (
        {"do": "trouble", "role": "sale_request"},
        f"do: trouble makes no sense for sale_request: one of {REQUEST_DEEDS}",
    ),
    (
        {"do": "decline", "role": ["sale_request", "fault_confirm"]},
        f"do: decline makes no sense for fault_confirm: one of {COMMAND_DEEDS}",
    ),
    (
        {"do": "refuse", "role": "keepalive_request"},
        (
            "do: refuse makes no sense for keepalive_request: "
            "one of answer, drop, garbage, late, loop, lose, noise, silent"
        ),
    ),
    (
        {"do": "twice", "role": "opening_request"},
        (
            "do: twice makes no sense for opening_request: "
            "one of answer, drop, garbage, late, loop, lose, noise, refuse, silent"
        ),
    ),
    (
        {"do": "silent", "role": "fault_confirm", "pan": PAN},
        "pan: fault_confirm carries none, so the rule would never match: leave it out",
    ),
    (
        {"do": "silent", "role": "opening_request", "amount": 1},
        "amount: opening_request carries none, so the rule would never match: leave it out",
    ),
    (
        {"do": "silent", "role": "closing_request", "terminal_id": TERMINAL},
        "terminal_id: closing_request carries none, so the rule would never match: leave it out",
    ),
    (
        {"do": "silent", "amount": [4_999, 4_000]},
        "amount: nothing lies from 4999 to 4000: put the smaller one first",
    ),
    ({"do": "silent", "times": 0}, "times: must be at least 1, or left out for always"),
    ({"do": "late", "after_ms": -1}, "after_ms: must be from 0 to 3600000"),
    ({"do": "silent", "after_ms": 5}, "after_ms: silent answers nothing that could wait: leave it out"),
    ({"do": "silent", "share": 0}, "share: must be above 0 and at most 1: 0.05 is one telegram in twenty"),
    ({"do": "silent", "share": 2}, "share: must be above 0 and at most 1: 0.05 is one telegram in twenty"),
    ({"do": "silent", "pan": "4111"}, "pan: give a whole test card number, or the beginning of one and *"),
    ({"do": "silent", "from_s": -1}, "from_s: must be from 0 to 31622400 seconds"),
    ({"do": "silent", "until_s": 0}, "until_s: must be later than from_s, or than 0 where that is left out"),
    (
        {"do": "silent", "from_s": 9, "until_s": 9},
        "until_s: must be later than from_s, or than 0 where that is left out",
    ),
    (
        {"do": "silent", "between": ["09:00", "9 pm"]},
        "between: '9 pm' is no time of day: write \"09:00\", as clocks in Japan show it",
    ),
    (
        {"do": "silent", "between": ["09:00", "09:00"]},
        "between: nothing lies between a time and itself: leave it out for the whole day",
    ),
    (
        {"do": "silent", "when": "night"},
        ("when: unknown value 'night': use one of: destination_down, destination_up"),
    ),
    ({"do": "answer", "latency": -1}, "latency: must be from 0 to 3600000 ms"),
    ({"do": "answer", "latency": 5, "after_ms": 5}, "latency: after_ms says it already: give one of them"),
    ({"do": "silent", "latency": 5}, "latency: silent answers nothing that could wait: leave it out"),
    ({"do": "decline", "code": "D01", "codes": ["D01"]}, "codes: code says it already: give one of them"),
    ({"do": "decline", "codes": []}, "codes: none is given: name one, or leave it out"),
    ({"do": "decline", "codes": "all"}, "codes: 'all' is neither a table of weights, nor a list, nor \"every\""),
    ({"do": "answer", "codes": "every"}, "codes: answer gives none: leave it out"),
    ({"do": "decline", "codes": {"D01": 0}}, "codes: the weights must not be negative, nor all 0"),
    ({"do": "decline", "codes": {"D01": 2, "D02": -1}}, "codes: the weights must not be negative, nor all 0"),
    ({"do": "turn_round", "codes": ["D01"]}, "codes: 'D01' does not say turn_round: one of R01, R02, R03"),
    ({"do": "stand_in"}, "floor_limit: stand_in needs one: up to how many yen it approves"),
    ({"do": "answer", "floor_limit": 1}, "floor_limit: answer has none: leave it out"),
    ({"do": "stand_in", "floor_limit": -1}, "floor_limit: must not be negative"),
    ({"do": "decline", "code": "D99"}, "code: cafis has no code 'D99': see its partner.toml"),
    ({"do": "answer", "code": "D01"}, "code: answer gives none: leave it out"),
    (
        {"do": "decline", "code": "R01"},
        "code: 'R01' does not say decline: one of D01, D02, D03, D04, D05, D06, D07, D08, D09",
    ),
    ({"do": "turn_round", "code": "D01"}, "code: 'D01' does not say turn_round: one of R01, R02, R03"),
    (
        {"do": "trouble", "code": "D01"},
        "code: 'D01' does not say trouble: one of C13, C14, C50, C01, C03, C12, C15, C33",
    ),
]


@pytest.mark.parametrize(("raw", "problem"), WRONG, ids=[problem[:50] for _, problem in WRONG])
def test_what_is_wrong_with_a_rule_is_said_with_its_place_and_the_remedy(
    raw: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    cafis = partner_named("cafis")
    with pytest.raises(RuleError) as caught:
        rule_from(raw, cafis, "rule")
    assert str(caught.value) == f"rule: {problem}"
    file = tmp_path / "rules.toml"
    file.write_text(tomli_w.dumps({"rule": [{"do": "answer"}, raw]}))
    with pytest.raises(RuleError) as caught:
        load_rules(file, cafis)
    assert str(caught.value) == f"{file}: rule 2: {problem}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("rule = 7\n", "only [[rule]] sections belong here"),
        ("[[rule]]\ndo = 'late'\n[rules]\n", "rules: unknown: only [[rule]] sections belong here"),
        ("rule = [7]\n", f"rule 1: {unfit(Rule, 7)}"),
        (
            "[[rule]\n",
            "is not TOML: Expected ']]' at the end of an array declaration (at line 1, column 7): correct the syntax",
        ),
    ],
)
def test_what_is_wrong_with_a_rules_file_is_said(text: str, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(text)
    with pytest.raises(RuleError) as caught:
        load_rules(file, partner_named("cafis"))
    assert str(caught.value) == f"{file}: {problem}"


def test_a_rules_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(RuleError) as caught:
        load_rules(tmp_path / "none.toml", partner_named("cafis"))
    assert str(caught.value) == f"{tmp_path / 'none.toml'}: No such file or directory: name a file of rules"


def test_the_examples_of_the_documentation_are_rules(tmp_path: Path) -> None:
    import simulator.rules  # noqa: PLC0415  its docstring is the claim

    assert simulator.rules.__doc__ is not None
    example, _, rest = simulator.rules.__doc__.split("\n\n", 1)[1].partition("\n\n")
    file = tmp_path / "rules.toml"
    file.write_text(example.replace('code = "C13"', "# code").replace("after_ms = 500", "# after_ms"))
    (rule,) = load_rules(file, partner_named("cafis"))
    assert rule == Rule(do=Deed.SILENT, role=Role.SALE_REQUEST, amount=4_000, pan=PAN, terminal_id=TERMINAL, times=1)
    besides, answered = rest.split("What is answered besides:\n\n")
    besides = besides.partition("\n\n")[2]
    file.write_text(
        f"[[rule]]\ndo = 'silent'\n{besides}[[rule]]\ndo = 'trouble'\n{answered.replace('floor', '# floor')}"
    )
    before, after = load_rules(file, partner_named("cafis"))
    assert before == Rule(
        do=Deed.SILENT, station="DNB00001", share=0.05, between=(dt.time(9), dt.time(17)), from_s=60, until_s=120,
        when=Destination.DOWN,
    )  # fmt: skip
    assert after == Rule(do=Deed.TROUBLE, latency=Lognormal(60, 900), codes={"C13": 3, "C14": 1})


def test_an_empty_file_has_no_rules(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text("")
    assert list(load_rules(file, partner_named("cafis"))) == []


def test_money_deeds_are_for_what_carries_an_amount() -> None:
    for partner in PARTNERS:
        for role in FITTING[Deed.OTHER_AMOUNT]:
            assert "amount" in partner_named(partner).telegrams[role].names
    assert set(ORDINARY_REQUESTS) | set(FAULT_COMMANDS) == set(FITTING[Deed.OTHER_AMOUNT])
