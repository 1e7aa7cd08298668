"""The table of courses: its words resolve, its rows are possible, and it holds every course that was asked for."""

from types import SimpleNamespace
from typing import Any

import pytest

from acceptance.words import REQUESTS, SHORT
from ops.courses import COURSES, Course
from ops.installations import QUICK
from ops.mixture import SHARES
from ops.player import Player
from schemas.records import Kind, Status
from schemas.refusals import Refusal
from schemas.telegrams import FAULT_COMMANDS, REPORT_OF, PartnerSpec, Role, load_partner
from simulator.deeds import Deed
from simulator.rule_files import rule_from

BY_NAME = {course.name: course for course in COURSES}
PARTNERS = ["cafis", "cardnet"]
OF_EACH = pytest.mark.parametrize("course", COURSES, ids=lambda course: course.name)


def fitted(partner: PartnerSpec, rule: Any) -> dict[str, Any]:
    """The rule as a player of this partner gives it to the centre."""
    found: dict[str, Any] = Player._fitted(SimpleNamespace(_partner=partner), rule)  # type: ignore[arg-type]
    return found


# --- the words of the table


def test_every_name_is_there_once_in_either_language() -> None:
    assert len({course.name for course in COURSES}) == len(COURSES)
    assert len({course.japanese for course in COURSES}) == len(COURSES)


@OF_EACH
def test_every_telegram_has_its_arrow_and_every_partner_has_it(course: Course) -> None:
    for arrow, role in course.expected:
        assert arrow in ("→", "←")
        for partner in map(load_partner, PARTNERS):
            assert partner.telegrams[role].japanese
            assert partner.type_code(role)


def test_every_word_of_the_table_is_used_and_means_a_telegram_of_its_own() -> None:
    words = {word for course in COURSES for word in course.telegrams.split()[1::2]}
    assert words == SHORT.keys()
    assert len(set(SHORT.values())) == len(SHORT)


@OF_EACH
@pytest.mark.parametrize("partner", PARTNERS)
def test_the_centre_takes_every_rule(course: Course, partner: str) -> None:
    spec = load_partner(partner)
    for rule in course.rules:
        taken = rule_from({**fitted(spec, rule), "amount": 1_000}, spec, course.name)
        assert taken.amount == 1_000


@pytest.mark.parametrize("partner", PARTNERS)
def test_the_centre_takes_every_rule_of_the_mixture(partner: str) -> None:
    spec = load_partner(partner)
    for share in SHARES:
        for rule in share.rules:
            rule_from({**rule, "amount": [1_000, 1_999]}, spec, "mixture")


def test_a_code_is_told_to_each_partner_in_its_own_words() -> None:
    rule = BY_NAME["c50"].rules[1]
    assert [fitted(load_partner(partner), rule)["code"] for partner in PARTNERS] == ["C50", "E50"]


# --- its rows


@OF_EACH
def test_a_report_comes_after_what_it_answers(course: Course) -> None:
    sent: list[Role] = []
    for arrow, role in course.expected:
        if arrow == "→":
            assert role in REPORT_OF, "only a request goes out"
            sent.append(role)
        else:
            assert role is Role.ERROR_REPORT or any(REPORT_OF[request] is role for request in sent), role
    if course.expected:
        assert course.expected[0][0] == "→"


@OF_EACH
def test_a_cancel_keeps_to_one_of_the_two_lines_of_events_and_begins_with_its_command(course: Course) -> None:
    commands = [role for _, role in course.expected if role in FAULT_COMMANDS]
    confirms = [Role.FAULT_CONFIRM] + [Role.FAULT_CONFIRM_AGAIN] * 9
    cancels = [Role.FAULT_CANCEL] + [Role.FAULT_CANCEL_AGAIN] * 9
    assert commands in (confirms[: len(commands)], cancels[: len(commands)])


@OF_EACH
def test_8910_follows_a_report_and_8930_follows_silence(course: Course) -> None:
    roles = [role for _, role in course.expected]
    for command, answered in ((Role.FAULT_CANCEL, True), (Role.FAULT_CONFIRM, False)):
        if command in roles:
            before = roles[: roles.index(command)]
            unclear = any(each["do"] == "unknown_code" for each in course.rules)  # a report that is no answer
            assert (Role.SALE_REPORT in before and not unclear) is answered


@OF_EACH
def test_a_request_goes_out_for_each_reference_that_is_not_refused(course: Course) -> None:
    asked = {ask.name: ask.kind for ask in course.asks if not ask.ends.startswith("refused: ")}
    requests = [REQUESTS[kind][0] for kind in asked.values()]
    assert [role for _, role in course.expected if role in {each for each, _ in REQUESTS.values()}] == requests


@OF_EACH
def test_what_a_client_is_told_is_a_word_of_the_gateway(course: Course) -> None:
    words = {*map(str, Status), *(f"refused: {each}" for each in Refusal)}
    for ask in course.asks:
        assert ask.told in {None, *words}
        assert ask.ends in words - {"in_process", "being_cancelled", "unknown"}


@OF_EACH
def test_what_stands_is_what_was_approved_unless_a_person_has_it(course: Course) -> None:
    ends = {ask.name: (ask.kind, ask.ends) for ask in course.asks}
    if any(end == "attention" for _, end in ends.values()):
        assert course.stands in (0, 1)  # nobody but the partner knows
        return
    sign = {Kind.SALE: 1, Kind.CANCEL: -1, Kind.REFUND: -1, Kind.AUTHORISATION: 0}
    assert course.stands == sum(sign[kind] for kind, end in ends.values() if end == "approved")


@OF_EACH
def test_what_is_with_a_person_was_given_up_as_the_table_of_cancels_says(course: Course) -> None:
    if all(ask.ends != "attention" for ask in course.asks):
        return
    commands = [role for _, role in course.expected if role in FAULT_COMMANDS]
    reports = [role for arrow, role in course.expected if arrow == "←"]
    cancel = QUICK["partner"]["cancel"]
    gave_up = {
        "silence": len(commands) == cancel["commands_max"] and not reports,
        "trouble": len(reports) == 1 + cancel["troubles_max"],
        "in error": reports == [Role.ERROR_REPORT] and len(commands) == 1,
    }
    assert sum(gave_up.values()) == 1, gave_up


# --- what was asked for

ASKED_FOR = {
    "approved": ("→ sale ← sale_report", "approved"),
    "declined": ("→ sale ← sale_report", "declined"),
    "line_closed": ("", "refused: no_open_line"),
    "late_report": ("→ sale → 8930 ← 8960 ← sale_report", "cancelled"),
    "silence": ("→ sale → 8930 ← 8960", "cancelled"),
    "silence_twice": ("→ sale → 8930 → 8940 ← 8960", "cancelled"),
    "client_gone": ("→ sale ← sale_report → 8910 ← 8950", "cancelled"),
    "client_gone_silence": ("→ sale ← sale_report → 8910 → 8920 ← 8950", "cancelled"),
    "c13": ("→ sale → 8930 ← 8960 → 8940 ← 8960", "cancelled"),
    "c14": ("→ sale ← sale_report → 8910 ← 8950 → 8920 ← 8950", "cancelled"),
    "c50": ("→ sale → 8930 ← 8960 → 8940 ← 8960 → 8940 ← 8960", "attention"),
    "command_in_error": ("→ sale → 8930 ← 異常報告", "attention"),
    "in_error": ("→ sale ← 異常報告", "in_error"),
    "turned_round": ("→ sale ← sale_report", "turned_round"),
    "turned_round_unheard": ("→ sale ← sale_report", "turned_round"),
    "line_dropped": ("→ sale → 8930 ← 8960", "cancelled"),
    "sale_then_cancel": ("→ sale ← sale_report → cancel ← cancel_report", "approved"),
    "sale_then_refund": ("→ sale ← sale_report → refund ← refund_report", "approved"),
    "answered_twice": ("→ sale ← sale_report ← sale_report", "approved"),
}


@pytest.mark.parametrize(("name", "row"), ASKED_FOR.items(), ids=ASKED_FOR)
def test_every_course_that_was_asked_for_is_there(name: str, row: tuple[str, str]) -> None:
    course = BY_NAME[name]
    assert (course.telegrams, course.asks[-1].ends) == row


def test_the_codes_and_the_broken_line_are_the_centres_doing() -> None:
    for name, code in (("c13", "C13"), ("c14", "C14"), ("c50", "C50"), ("command_in_error", "C01")):
        assert BY_NAME[name].rules[-1]["code"] == code
    assert [rule["do"] for rule in BY_NAME["line_dropped"].rules] == [Deed.DROP]
    assert [rule["do"] for rule in BY_NAME["late_report"].rules] == [Deed.LATE]


@pytest.mark.parametrize("name", ["turned_round", "turned_round_unheard", "in_error", "declined"])
def test_what_the_partner_did_not_do_is_never_cancelled(name: str) -> None:
    assert not {role for _, role in BY_NAME[name].expected} & set(FAULT_COMMANDS)


def test_answers_come_before_the_report_time_out_and_late_ones_after_it() -> None:
    timeout_ms = QUICK["partner"]["report_timeout_ms"]
    for course in COURSES:
        for rule in course.rules:
            if rule["do"] == Deed.LATE:
                late = course.name == "late_report"
                assert (rule["after_ms"] > timeout_ms) is late, course.name
