"""What a centre of either partner does with each telegram: every deed for requests, cancel telegrams, and the line."""

import itertools

import pytest
from centre_rig import DATE, NOON, PAN, PARTNERS, TIME, Line, partner_named, values_for

from schemas.telegrams import (
    FAULT_COMMANDS,
    ORDINARY_REQUESTS,
    REPORT_OF,
    DecodeError,
    FramingError,
    Message,
    Outcome,
    Role,
)
from simulator.centre import Centre
from simulator.deeds import Deed
from simulator.entries import Broken, Violation
from simulator.rules import Rule, Rules

CODES = {
    "cafis": {
        "approved": "000",
        "declined": "D01",
        "limit": "D04",
        "returned": "R01",
        "closed": "R02",
        "trouble": "C13",
    },
    "cardnet": {"approved": "00", "declined": "05", "limit": "51", "returned": "T1", "closed": "T2", "trouble": "E13"},
}
TROUBLES = {"cafis": ("C13", "C14", "C50"), "cardnet": ("E13", "E14", "E50")}
ERRORS = {"cafis": ("C01", "C03", "C12", "C15", "C33"), "cardnet": ("E01", "E03", "E12", "E15", "E33")}


def centre_with(partner: str, *rules: Rule) -> Centre:
    return Centre(partner_named(partner), Rules(rules))


def violations(centre: Centre) -> list[Broken]:
    return [each.broken for each in centre.ledger.violations]


def commanded(line: Line, role: Role, number: int = 2, route: int = 1) -> list[Message]:
    """A cancel telegram about the sale 1 on route 1."""
    partner = line.centre.partner
    return line.send(
        role, trace_number=number, route_number=route, original_trace_number=1, original_route_number=1,
        original_type_code=partner.type_code(Role.SALE_REQUEST),
    )  # fmt: skip


# --- requests -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("partner", PARTNERS)
def test_every_request_is_approved_and_the_report_repeats_what_finds_it(partner: str) -> None:
    centre = centre_with(partner)
    line = Line(centre)
    for number, role in enumerate((Role.AUTHORISATION_REQUEST, Role.SALE_REQUEST), 1):
        (report,) = line.send(role, trace_number=number, route_number=7, reference=f"A{number}")
        assert report.role is REPORT_OF[role]
        assert centre.partner.classify(report) is Outcome.APPROVED
        assert report.values["result_code"] == CODES[partner]["approved"]
        assert (report.values["trace_number"], report.values["route_number"]) == (number, 7)
        assert (report.values["amount"], report.values["reference"]) == (1_200, f"A{number}")
        assert report.values["approval_code"] == f"{number:06}"
    assert centre.ledger.violations == []


@pytest.mark.parametrize("partner", PARTNERS)
def test_a_follow_up_is_approved_when_its_original_stands(partner: str) -> None:
    line = Line(centre_with(partner))
    (sale,) = line.send(Role.SALE_REQUEST, trace_number=1)
    found = {"original_trace_number": 1, "original_approval_code": sale.values["approval_code"]}
    (refund,) = line.send(Role.REFUND_REQUEST, trace_number=2, amount=200, **found)
    (too_much,) = line.send(Role.CANCEL_REQUEST, trace_number=3, **found)
    classify = line.centre.partner.classify
    assert (refund.role, classify(refund)) == (Role.REFUND_REPORT, Outcome.APPROVED)
    assert (too_much.role, classify(too_much)) == (Role.CANCEL_REPORT, Outcome.DECLINED)
    assert "approval_code" not in too_much.values


@pytest.mark.parametrize("partner", PARTNERS)
@pytest.mark.parametrize("role", ORDINARY_REQUESTS)
@pytest.mark.parametrize(
    ("deed", "code", "outcome", "wanted"),
    [
        (Deed.DECLINE, None, Outcome.DECLINED, "declined"),
        (Deed.DECLINE, "limit", Outcome.DECLINED, "limit"),
        (Deed.TURN_ROUND, None, Outcome.TURNED_ROUND, "returned"),
        (Deed.TURN_ROUND, "closed", Outcome.TURNED_ROUND, "closed"),
    ],
)
def test_what_is_declined_or_turned_round_says_so_and_does_not_stand(
    deed: Deed, code: str | None, outcome: Outcome, wanted: str, role: Role, partner: str
) -> None:
    centre = centre_with(partner, Rule(do=deed, code=None if code is None else CODES[partner][code]))
    (report,) = Line(centre).send(role, trace_number=1)
    assert report.role is REPORT_OF[role]
    assert report.values["result_code"] == CODES[partner][wanted]
    assert centre.partner.classify(report) is outcome
    assert "approval_code" not in report.values
    (entry,) = centre.ledger.entries.values()
    assert (entry.outcome, entry.in_force, entry.answers) == (outcome, False, 1)


@pytest.mark.parametrize("partner", PARTNERS)
@pytest.mark.parametrize("role", [*ORDINARY_REQUESTS, *FAULT_COMMANDS])
def test_an_error_report_names_the_telegram_that_is_in_error(role: Role, partner: str) -> None:
    for code in (None, *ERRORS[partner]):
        centre = centre_with(partner, Rule(do=Deed.ERROR_REPORT, code=code, role=role))
        line = Line(centre)
        line.send(Role.SALE_REQUEST, trace_number=1, route_number=1)
        heard = commanded(line, role) if role in FAULT_COMMANDS else line.send(role, trace_number=2, route_number=1)
        (report,) = heard
        assert report.role is Role.ERROR_REPORT
        assert report.values["original_type_code"] == centre.partner.type_code(role)
        assert report.values["error_code"] == (code or ERRORS[partner][0])
        assert (report.values["trace_number"], report.values["route_number"]) == (2, 1)


@pytest.mark.parametrize("partner", PARTNERS)
@pytest.mark.parametrize("role", [Role.SALE_REQUEST, Role.FAULT_CANCEL, Role.OPENING_REQUEST, Role.KEEPALIVE_REQUEST])
@pytest.mark.parametrize("deed", [Deed.SILENT, Deed.DROP, Deed.GARBAGE, Deed.NOISE, Deed.LATE, Deed.LOSE])
def test_what_is_not_answered_at_once(deed: Deed, role: Role, partner: str) -> None:
    centre = centre_with(partner, Rule(do=deed, role=role))
    line = Line(centre)
    line.send(Role.SALE_REQUEST, trace_number=1, route_number=1)
    heard = commanded(line, role) if role in FAULT_COMMANDS else line.send(role, trace_number=3, route_number=2)
    assert heard == []
    assert line.broken == (deed is Deed.DROP)
    assert [each.after_ms for each in line.waiting[-1:]] == ([1_000] if deed is Deed.LATE else [])
    assert bool(line.rubbish) == (deed in (Deed.GARBAGE, Deed.NOISE))
    if deed is Deed.LATE:
        assert line.pass_time()[-1].role is REPORT_OF[role]


@pytest.mark.parametrize("partner", PARTNERS)
def test_garbage_is_framed_as_a_telegram_and_is_none(partner: str) -> None:
    centre = centre_with(partner, Rule(do=Deed.GARBAGE, role=Role.SALE_REQUEST))
    line = Line(centre)
    line.send(Role.SALE_REQUEST)
    (payload,) = centre.partner.framing.deframer().feed(line.rubbish[0])
    with pytest.raises(DecodeError):
        centre.partner.decode(payload)


@pytest.mark.parametrize("partner", PARTNERS)
def test_noise_cannot_be_cut_into_telegrams(partner: str) -> None:
    centre = centre_with(partner, Rule(do=Deed.NOISE, role=Role.SALE_REQUEST))
    line = Line(centre)
    line.send(Role.SALE_REQUEST)
    with pytest.raises(FramingError):
        centre.partner.framing.deframer().feed(line.rubbish[0])


@pytest.mark.parametrize("partner", PARTNERS)
@pytest.mark.parametrize("deed", [Deed.SILENT, Deed.DROP, Deed.GARBAGE, Deed.NOISE, Deed.LATE, Deed.OTHER_AMOUNT])
def test_what_is_not_answered_is_booked_all_the_same(deed: Deed, partner: str) -> None:
    centre = centre_with(partner, Rule(do=deed, role=Role.SALE_REQUEST))
    Line(centre).send(Role.SALE_REQUEST, trace_number=1)
    (entry,) = centre.ledger.entries.values()
    assert (entry.in_force, entry.balance, entry.answers) == (True, 1_200, 0)


@pytest.mark.parametrize("partner", PARTNERS)
def test_what_is_lost_is_in_no_book_but_in_the_story(partner: str) -> None:
    centre = centre_with(partner, Rule(do=Deed.LOSE, role=Role.SALE_REQUEST))
    Line(centre).send(Role.SALE_REQUEST, trace_number=1)
    assert list(centre.ledger.rows()) == []
    assert [(each.role, each.deed) for each in centre.story() if each.deed is Deed.LOSE] == [
        (Role.SALE_REQUEST, Deed.LOSE)
    ]


@pytest.mark.parametrize("partner", PARTNERS)
def test_twice_is_the_same_answer_two_times_and_one_entry(partner: str) -> None:
    centre = centre_with(partner, Rule(do=Deed.TWICE, role=Role.SALE_REQUEST))
    first, second = Line(centre).send(Role.SALE_REQUEST, trace_number=1)
    assert first == second
    assert centre.ledger.balance() == 1_200


@pytest.mark.parametrize("partner", PARTNERS)
@pytest.mark.parametrize(("amount", "told"), [(1_200, 1_199), (0, 1)])
def test_another_amount_than_was_booked_is_reported(amount: int, told: int, partner: str) -> None:
    centre = centre_with(partner, Rule(do=Deed.OTHER_AMOUNT, role=Role.SALE_REQUEST))
    (report,) = Line(centre).send(Role.SALE_REQUEST, trace_number=1, amount=amount)
    assert report.values["amount"] == told
    assert centre.ledger.balance() == amount


@pytest.mark.parametrize("partner", PARTNERS)
def test_every_answer_can_wait(partner: str) -> None:
    centre = centre_with(partner, Rule(do=Deed.DECLINE, after_ms=70))
    line = Line(centre)
    assert line.send(Role.SALE_REQUEST, trace_number=1) == []
    assert [each.after_ms for each in line.waiting] == [70]
    (report,) = line.pass_time()
    assert centre.partner.classify(report) is Outcome.DECLINED


# --- cancel telegrams -----------------------------------------------------------------------------------------------

REPORTS = {
    Role.FAULT_CANCEL: Role.FAULT_CANCEL_REPORT,
    Role.FAULT_CANCEL_AGAIN: Role.FAULT_CANCEL_REPORT,
    Role.FAULT_CONFIRM: Role.FAULT_CONFIRM_REPORT,
    Role.FAULT_CONFIRM_AGAIN: Role.FAULT_CONFIRM_REPORT,
}


@pytest.mark.parametrize("partner", PARTNERS)
@pytest.mark.parametrize("role", FAULT_COMMANDS)
def test_a_cancel_telegram_is_carried_out_and_reported(role: Role, partner: str) -> None:
    centre = centre_with(partner)
    line = Line(centre)
    line.send(Role.SALE_REQUEST, trace_number=1, route_number=1)
    assert centre.ledger.balance() == 1_200
    (report,) = commanded(line, role)
    assert report.role is REPORTS[role]
    assert centre.partner.classify(report) is Outcome.APPROVED
    assert "error_code" not in report.values
    assert (report.values["trace_number"], report.values["original_trace_number"]) == (2, 1)
    assert centre.ledger.balance() == 0


@pytest.mark.parametrize("partner", PARTNERS)
@pytest.mark.parametrize("role", FAULT_COMMANDS)
def test_trouble_is_reported_by_its_code_and_nothing_is_cancelled(role: Role, partner: str) -> None:
    for code in (None, *TROUBLES[partner]):
        centre = centre_with(partner, Rule(do=Deed.TROUBLE, code=code))
        line = Line(centre)
        line.send(Role.SALE_REQUEST, trace_number=1, route_number=1)
        (report,) = commanded(line, role)
        assert report.role is REPORTS[role]
        assert centre.partner.classify(report) is Outcome.DECLINED
        assert report.values["error_code"] == (code or TROUBLES[partner][0])
        assert centre.partner.result(str(report.values["result_code"])).fault_cancel, "no code of a declined payment"
        assert centre.ledger.balance() == 1_200


@pytest.mark.parametrize("partner", PARTNERS)
@pytest.mark.parametrize(
    ("deed", "cancelled"),
    [
        (Deed.SILENT, True),
        (Deed.LATE, True),
        (Deed.TWICE, True),
        (Deed.DROP, True),
        (Deed.GARBAGE, True),
        (Deed.NOISE, True),
        (Deed.OTHER_AMOUNT, True),
        (Deed.LOSE, False),
        (Deed.ERROR_REPORT, False),
        (Deed.TROUBLE, False),
    ],
)
def test_a_cancel_telegram_is_carried_out_unless_it_is_lost_or_refused(
    deed: Deed, cancelled: bool, partner: str
) -> None:
    centre = centre_with(partner, Rule(do=deed, role=Role.FAULT_CONFIRM))
    line = Line(centre)
    line.send(Role.SALE_REQUEST, trace_number=1, route_number=1)
    commanded(line, Role.FAULT_CONFIRM)
    (entry,) = centre.ledger.entries.values()
    assert entry.cancelled is cancelled


@pytest.mark.parametrize("partner", PARTNERS)
def test_a_confirm_of_what_never_came_is_reported_as_done(partner: str) -> None:
    centre = centre_with(partner, Rule(do=Deed.LOSE, role=Role.SALE_REQUEST))
    line = Line(centre)
    line.send(Role.SALE_REQUEST, trace_number=1, route_number=1)
    (report,) = commanded(line, Role.FAULT_CONFIRM)
    assert centre.partner.classify(report) is Outcome.APPROVED
    assert centre.ledger.not_arrived == 1
    assert centre.ledger.violations == []


# --- the line itself ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("partner", PARTNERS)
def test_a_line_is_opened_probed_and_closed(partner: str) -> None:
    centre = centre_with(partner)
    line = Line(centre, opened=False)
    for number, (role, is_open) in enumerate(
        (
            (Role.KEEPALIVE_REQUEST, False),
            (Role.OPENING_REQUEST, True),
            (Role.KEEPALIVE_REQUEST, True),
            (Role.CLOSING_REQUEST, False),
        )
    ):
        (answer,) = line.send(role, trace_number=5 + number, route_number=0)
        assert answer.role is REPORT_OF[role]
        assert (answer.values["trace_number"], answer.values["station_id"]) == (5 + number, "DNB00001")
        assert line.station.open is is_open
        if role is not Role.KEEPALIVE_REQUEST:
            assert centre.partner.classify(answer) is Outcome.APPROVED
    assert centre.ledger.violations == []


@pytest.mark.parametrize("partner", PARTNERS)
@pytest.mark.parametrize("code", [None, "limit"])
def test_an_opening_can_be_refused_by_a_rule(code: str | None, partner: str) -> None:
    given = None if code is None else CODES[partner][code]
    centre = centre_with(partner, Rule(do=Deed.REFUSE, role=Role.OPENING_REQUEST, code=given, times=1))
    line = Line(centre, opened=False)
    (refused,) = line.send(Role.OPENING_REQUEST)
    assert refused.values["result_code"] == CODES[partner][code or "declined"]
    assert line.station.open is False
    line.send(Role.OPENING_REQUEST)
    assert line.station.open is True


@pytest.mark.parametrize("partner", PARTNERS)
def test_openings_are_refused_while_the_centre_is_told_so_and_closings_are_not(partner: str) -> None:
    centre = centre_with(partner)
    line = Line(centre)
    centre.conduct.refuse_opening = True
    (closed,) = line.send(Role.CLOSING_REQUEST)
    (refused,) = line.send(Role.OPENING_REQUEST)
    assert centre.partner.classify(closed) is Outcome.APPROVED
    assert centre.partner.classify(refused) is Outcome.DECLINED
    assert line.station.open is False


@pytest.mark.parametrize("partner", PARTNERS)
def test_a_refused_closing_leaves_the_line_open(partner: str) -> None:
    centre = centre_with(partner)
    line = Line(centre)
    centre.rules.add(Rule(do=Deed.REFUSE))
    (answer,) = line.send(Role.CLOSING_REQUEST)
    assert centre.partner.classify(answer) is Outcome.DECLINED
    assert line.station.open is True


def test_a_station_is_open_on_one_connection_only() -> None:
    centre = centre_with("cafis")
    older, other = Line(centre, number=1), Line(centre, "DNB00002", number=2)
    newer = Line(centre, number=3, opened=False)
    partner = centre.partner
    opening = partner.encode(Role.OPENING_REQUEST, values_for(partner, Role.OPENING_REQUEST, route_number=0))
    acts = centre.received(newer.station, opening, NOON)
    older.perform(acts)
    assert older.broken is True
    assert [line.station.open for line in (older, other, newer)] == [False, True, True]
    assert centre.counters["replaced_connections"] == 1
    older.send(Role.SALE_REQUEST, trace_number=1)
    assert violations(centre) == [Broken.NOT_OPEN]


@pytest.mark.parametrize("partner", PARTNERS)
def test_the_centre_asks_and_knows_what_answers_it(partner: str) -> None:
    centre = centre_with(partner)
    line = Line(centre)
    (asked,) = line.perform([centre.ask(line.station, Role.KEEPALIVE_REQUEST, DATE, TIME)])
    assert (asked.role, asked.values["station_id"]) == (Role.KEEPALIVE_REQUEST, "DNB00001")
    assert line.send(Role.KEEPALIVE_ANSWER, trace_number=asked.values["trace_number"]) == []
    assert centre.counters["own_keepalive_request"] == centre.counters["own_keepalive_answer"] == 1
    assert centre.counters["keepalive_request"] == centre.counters["keepalive_answer"] == 0
    assert centre.ledger.violations == []


def test_an_answer_to_nothing_that_was_asked_is_a_broken_rule() -> None:
    centre = centre_with("cafis")
    line = Line(centre)
    (asked,) = line.perform([centre.ask(line.station, Role.KEEPALIVE_REQUEST, DATE, TIME)])
    number = asked.values["trace_number"]
    line.send(Role.KEEPALIVE_ANSWER, trace_number=int(number) + 1)
    line.send(Role.KEEPALIVE_ANSWER, trace_number=number)
    line.send(Role.KEEPALIVE_ANSWER, trace_number=number)
    line.send(Role.SALE_REPORT, trace_number=4)
    assert centre.ledger.violations == [
        Violation(Broken.NOT_ASKED, "DNB00001", f"keepalive_answer {int(number) + 1}"),
        Violation(Broken.NOT_ASKED, "DNB00001", f"keepalive_answer {number}"),
        Violation(Broken.NOT_ASKED, "DNB00001", "sale_report 4"),
    ]


def test_own_numbers_turn_round_within_the_partners_range() -> None:
    centre = centre_with("cafis")
    line = Line(centre)
    centre._trace_number = centre.partner.trace_range[1] - 1
    numbers = [
        line.perform([centre.ask(line.station, Role.KEEPALIVE_REQUEST, DATE, TIME)])[0].values["trace_number"]
        for _ in range(2)
    ]
    assert numbers == [centre.partner.trace_range[1], centre.partner.trace_range[0]]


@pytest.mark.parametrize("partner", PARTNERS)
def test_the_centre_closes_a_station_and_hangs_up_when_that_is_answered(partner: str) -> None:
    centre = centre_with(partner)
    line = Line(centre)
    (asked,) = line.perform([centre.ask(line.station, Role.CLOSING_REQUEST, DATE, TIME)])
    assert asked.role is Role.CLOSING_REQUEST
    assert line.station.open is True  # what is on its way may still come
    line.send(Role.CLOSING_ANSWER, trace_number=asked.values["trace_number"])
    assert (line.station.open, line.broken) == (False, True)
    assert centre.ledger.violations == []


def test_a_telegram_in_the_name_of_another_station_is_a_broken_rule() -> None:
    centre = centre_with("cafis")
    line = Line(centre)
    line.send(Role.KEEPALIVE_REQUEST, station_id="DNB00001")
    assert centre.ledger.violations == []
    line.send(Role.KEEPALIVE_REQUEST, station_id="DNB00002")
    assert centre.ledger.violations == [
        Violation(Broken.OTHER_STATION, "DNB00001", "keepalive_request in the name of DNB00002")
    ]


@pytest.mark.parametrize("partner", PARTNERS)
def test_bytes_that_are_no_telegram_are_a_broken_rule_and_change_nothing(partner: str) -> None:
    centre = centre_with(partner)
    line = Line(centre)
    before = dict(centre.counters)
    assert centre.received(line.station, b"no telegram", NOON) == []
    (violation,) = centre.ledger.violations
    assert (violation.broken, violation.station) == (Broken.UNREADABLE, "DNB00001")
    assert violation.text.startswith(f"{partner} telegram")
    assert dict(centre.counters) == before


# --- the story ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("partner", PARTNERS)
def test_the_story_tells_every_telegram_in_order_with_what_was_done(partner: str) -> None:
    centre = centre_with(partner, Rule(do=Deed.DECLINE, role=Role.SALE_REQUEST))
    line = Line(centre)
    line.send(Role.SALE_REQUEST, trace_number=1, route_number=1)
    commanded(line, Role.FAULT_CANCEL)
    story = centre.story()
    assert [(each.number, each.way, each.role, each.deed) for each in story] == [
        (1, "→", Role.OPENING_REQUEST, Deed.ANSWER),
        (2, "←", Role.OPENING_ANSWER, None),
        (3, "→", Role.SALE_REQUEST, Deed.DECLINE),
        (4, "←", Role.SALE_REPORT, None),
        (5, "→", Role.FAULT_CANCEL, Deed.ANSWER),
        (6, "←", Role.FAULT_CANCEL_REPORT, None),
    ]
    sale, cancel = story[2], story[4]
    assert sale.type_code == centre.partner.type_code(Role.SALE_REQUEST)
    assert (sale.trace_number, sale.route_number, sale.original_trace_number) == (1, 1, None)
    assert (cancel.trace_number, cancel.route_number, cancel.original_trace_number) == (2, 1, 1)
    assert [each.number for each in centre.story(since=5)] == [5, 6]


@pytest.mark.parametrize("partner", PARTNERS)
def test_neither_story_nor_ledger_shows_card_data(partner: str) -> None:
    centre = centre_with(partner)
    names = centre.partner.telegrams[Role.SALE_REQUEST].names
    secret = {"track2": f"{PAN}=28122010000000000000", "security_code": "739"}
    Line(centre).send(Role.SALE_REQUEST, **{name: each for name, each in secret.items() if name in names})
    told = "\n".join(each.text for each in centre.story())
    assert "411111******1111" in told
    assert [(each.data, each.at_ms) for each in centre.story()] == [(None, None)] * 4
    seen = repr(centre.story()) + repr(list(centre.ledger.rows()))
    assert PAN not in seen
    assert "28122010000000000000" not in seen
    assert "739" not in seen


@pytest.mark.parametrize("partner", PARTNERS)
def test_a_centre_that_records_has_the_bytes_of_either_way_and_the_time(partner: str) -> None:
    seconds = itertools.count(1_000)
    centre = Centre(partner_named(partner), Rules(), clock_s=lambda: float(next(seconds)), recorded=True)
    line = Line(centre)
    request = centre.partner.encode(Role.SALE_REQUEST, values_for(centre.partner, Role.SALE_REQUEST))
    (answer,) = line.perform(centre.received(line.station, request, NOON))
    sale, report = centre.story(since=3)
    assert (sale.at_ms, sale.data) == (1_002_000, request.hex())
    assert report.at_ms == 1_003_000
    assert report.data == centre.partner.encode(answer.role, answer.values).hex()
    assert PAN not in sale.text
    assert [(each.role, each.data) for each in centre.last_told(2)] == [
        (Role.SALE_REPORT, None), (Role.SALE_REQUEST, None),
    ]  # fmt: skip


def test_a_centre_can_go_without_a_story() -> None:
    centre = Centre(partner_named("cafis"), Rules(), story=False)
    Line(centre).send(Role.SALE_REQUEST)
    assert centre.story() == []
    assert centre.counters["sale_request"] == 1


@pytest.mark.parametrize("partner", PARTNERS)
def test_station_telegrams_have_trace_numbers_of_their_own(partner: str) -> None:
    centre = centre_with(partner)
    line = Line(centre)
    line.send(Role.SALE_REQUEST, trace_number=1)
    line.send(Role.KEEPALIVE_REQUEST, trace_number=1)
    assert violations(centre) == [Broken.TRACE_TWICE]
