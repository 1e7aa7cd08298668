"""The books of a centre by themselves: every sum after every step, and every broken rule with its words."""

from typing import Any

import pytest

from schemas.telegrams import Outcome, Role
from simulator.entries import Command, Entry, EntryKey
from simulator.ledger import Broken, Ledger, Odd, Suspicion, Violation

A, B, C = "DNB0000A", "DNB0000B", "DNB0000C"
DAY = "20261124"


def entry(number: int, **changed: Any) -> Entry:
    told: dict[str, Any] = {
        "station": A, "business_date": DAY, "trace_number": number, "route_number": number, "role": Role.SALE_REQUEST,
        "type_code": "1110", "terminal_id": "4980123456789", "amount": 1_000, "pan": "411111******1111",
        "reference": None, "outcome": Outcome.APPROVED, "connection": 1, "approval_code": "000001",
    }  # fmt: skip
    return Entry(**{**told, **changed})


def key(number: int, station: str = A, day: str = DAY) -> EntryKey:
    return EntryKey(station, day, number)


def command(number: int, of: int, role: Role = Role.FAULT_CONFIRM, **changed: Any) -> Command:
    told: dict[str, Any] = {
        "role": role, "station": A, "route_number": of, "trace_number": number, "business_date": DAY,
        "original": key(of), "original_route": of, "original_type": "1110", "terminal_id": "4980123456789",
        "amount": 1_000, "connection": 1,
    }  # fmt: skip
    return Command(**{**told, **changed})


def books(*entries: Entry, stations: tuple[str, ...] = (A,)) -> Ledger:
    """With these requests, each answered, and nothing broken."""
    ledger = Ledger()
    for station in stations:
        ledger.opened(station, 1)
    for each in entries:
        ledger.request(each)
        ledger.reported(each.key)
        ledger.answered(each.key, each.station, each.route_number, cancelled=False)
    assert (ledger.violations, ledger.suspicions) == ([], [])
    return ledger


def told(ledger: Ledger) -> list[Violation | Suspicion]:
    return [*ledger.violations, *ledger.suspicions]


# --- sums

REFUND = {"role": Role.REFUND_REQUEST, "type_code": "1130", "names": (DAY, 1), "original": key(1)}


def test_a_refund_that_is_cancelled_gives_back_what_it_took_once() -> None:
    ledger = books(entry(1), entry(2, amount=400, **REFUND), entry(3, amount=300, **REFUND))
    sale = ledger.entries[key(1)]
    assert (ledger.balance(), ledger.left(sale)) == (300, 300)
    confirm = {"original_type": "1130", "amount": 400}
    ledger.command(command(4, 2, **confirm), done=True)
    assert (ledger.balance(), ledger.left(sale)) == (700, 700)
    for number in (5, 6):  # it is sent again, and cancels nothing more
        ledger.command(command(number, 2, Role.FAULT_CONFIRM_AGAIN, **confirm), done=True)
        assert (ledger.balance(), ledger.left(sale)) == (700, 700)


@pytest.mark.parametrize("outcome", [Outcome.DECLINED, Outcome.TURNED_ROUND, Outcome.IN_ERROR])
def test_a_refund_that_took_nothing_gives_nothing_back(outcome: Outcome) -> None:
    ledger = books(entry(1), entry(2, amount=400, outcome=outcome, **REFUND))
    sale = ledger.entries[key(1)]
    assert (ledger.balance(), ledger.left(sale)) == (1_000, 1_000)
    ledger.command(command(3, 2, original_type="1130", amount=400), done=True)
    assert (ledger.balance(), ledger.left(sale)) == (1_000, 1_000)


def test_of_a_sale_that_is_cancelled_nothing_is_left_whatever_was_taken_back() -> None:
    ledger = books(entry(1), entry(2, amount=400, **REFUND))
    ledger.command(command(3, 1, Role.FAULT_CANCEL), done=True)
    assert (ledger.balance(), ledger.left(ledger.entries[key(1)])) == (-400, 0)


def test_each_original_has_its_own_sum() -> None:
    other = {**REFUND, "names": (DAY, 2), "original": key(2)}
    ledger = books(entry(1), entry(2, amount=500), entry(3, amount=300, **REFUND), entry(4, amount=100, **other))
    assert [ledger.left(ledger.entries[key(number)]) for number in (1, 2)] == [700, 400]


def test_a_command_that_is_not_carried_out_changes_no_sum() -> None:
    ledger = books(entry(1))
    ledger.command(command(2, 1, Role.FAULT_CANCEL), done=False)
    assert (ledger.balance(), ledger.entries[key(1)].cancelled) == (1_000, False)
    assert ledger.entries[key(1)].commands == [Role.FAULT_CANCEL]


def test_a_command_that_is_lost_is_no_command_in_the_entry_and_may_be_carried_out_all_the_same() -> None:
    ledger = books(entry(1))
    ledger.command(command(2, 1, Role.FAULT_CANCEL), done=True, lost=True)
    assert (ledger.balance(), ledger.entries[key(1)].cancelled) == (0, True)
    assert ledger.entries[key(1)].commands == []


def test_the_rows_are_all_that_came_and_the_last_of_them() -> None:
    ledger = books(entry(1), entry(2), entry(3))
    assert ledger.count == 3
    numbers = [[row["trace_number"] for row in ledger.rows(last)] for last in (None, 0, 1, 2, 3, 9)]
    assert numbers == [[1, 2, 3], [], [3], [2, 3], [1, 2, 3], [1, 2, 3]]
    assert [(row["stands"], row["balance"]) for row in ledger.rows()] == [(True, 1_000)] * 3


def test_reports_are_counted_by_request() -> None:
    ledger = books(entry(1), entry(2))
    ledger.reported(key(1))
    ledger.reported(key(9))  # of nothing in the books
    assert [ledger.entries[key(number)].answers for number in (1, 2)] == [2, 1]


# --- which original


def found(ledger: Ledger, station: str, **asked: Any) -> Entry | None:
    return ledger.original_of(station, DAY, 1, **{"approval_code": None, "pan": "411111******1111", **asked})


def test_an_original_is_looked_for_on_its_own_line_first_and_then_on_every_other() -> None:
    here, there = entry(1), entry(1, station=B, approval_code="000002")
    ledger = books(here, there, stations=(A, B, C))
    assert found(ledger, A) is here
    assert found(ledger, B) is there
    assert found(ledger, C) is here
    assert found(ledger, C, approval_code="000002") is there
    assert found(ledger, A, approval_code="000002") is there
    assert found(ledger, A, approval_code="000003") is None


def test_an_original_has_its_card_and_is_no_follow_up_itself_and_the_search_goes_on_behind_those() -> None:
    refund = entry(1, role=Role.REFUND_REQUEST, original=key(7))
    other_card = entry(1, station=B, pan="555555******4444")
    sale = entry(1, station=C)
    ledger = books(refund, other_card, sale, stations=(A, B, C))
    for station in (A, B, C):
        assert found(ledger, station) is sale
        assert found(ledger, station, pan="555555******4444") is other_card
        assert found(ledger, station, pan="400000******0000") is None
    assert ledger.original_of(A, "20261125", 1, approval_code=None, pan="411111******1111") is None


# --- the rules, with their words


def test_a_trace_number_that_comes_again_is_said_with_its_day() -> None:
    ledger = books(entry(1))
    ledger.request(entry(1, route_number=2))
    assert told(ledger) == [Violation(Broken.TRACE_TWICE, A, f"trace number 1 came again on {DAY}")]


@pytest.mark.parametrize(
    "other",
    [
        {"business_date": "20261125"}, {"role": Role.AUTHORISATION_REQUEST}, {"terminal_id": "1"},
        {"reference": "R2"}, {"amount": 999}, {"pan": "555555******4444"}, {"names": (DAY, 9)}, {"original": key(9)},
    ],
)  # fmt: skip
def test_a_request_comes_again_if_it_asks_for_the_same_in_every_respect(other: dict[str, Any]) -> None:
    ledger = books(entry(1, reference="R1"), entry(2, **{"reference": "R1", **other}))
    ledger.request(entry(3, station=B, reference="R1"))
    text = f"sale_request 3: R1 of terminal 4980123456789 came as 1 of {A} before"
    assert told(ledger) == [Violation(Broken.REQUEST_TWICE, B, text)]


def test_a_request_after_its_own_cancel_names_the_first_of_its_commands() -> None:
    ledger = Ledger()
    ledger.command(command(2, 1), done=False)
    ledger.command(command(3, 1, Role.FAULT_CONFIRM_AGAIN), done=False)
    ledger.violations.clear()
    ledger.request(entry(1))
    text = "sale_request 1: came after fault_confirm 2 on route 1, which is about it"
    assert ledger.violations == [Violation(Broken.AFTER_CANCEL, A, text)]


def test_a_route_that_carries_another_telegram_is_odd_and_a_fault_once_its_cancel_goes_on() -> None:
    ledger = Ledger()
    ledger.opened(A, 1)
    ledger.request(entry(1, route_number=5))
    ledger.request(entry(2, route_number=5))
    assert told(ledger) == [Suspicion(Odd.ROUTE_BUSY, A, "sale_request 2 on route 5: 1 is open there")]
    ledger.suspicions.clear()
    ledger.command(command(3, 1, route_number=5, original_route=5), done=True)
    text = "route carried sale_request 2 while 1 was held, then came fault_confirm 3 on route 5"
    assert ledger.violations == [Violation(Broken.ROUTE_REUSED, A, text)]
    ledger.violations.clear()
    ledger.command(command(4, 1, Role.FAULT_CONFIRM_AGAIN, route_number=5, original_route=5), done=True)
    assert ledger.violations == []  # it is said once


def test_a_route_belongs_to_its_station_and_is_free_once_what_it_carries_is_answered() -> None:
    ledger = Ledger()
    ledger.opened(A, 1)
    ledger.request(entry(1, route_number=5))
    ledger.request(entry(1, station=B, route_number=5))
    ledger.request(entry(2, route_number=6))
    ledger.answered(key(1), A, 6, cancelled=False)  # not its route: nothing is freed
    ledger.answered(key(2), A, 5, cancelled=False)
    ledger.answered(key(1), A, 5, cancelled=False)
    ledger.request(entry(3, route_number=5))
    assert told(ledger) == []
    ledger.request(entry(4, route_number=6))
    assert told(ledger) == [Suspicion(Odd.ROUTE_BUSY, A, "sale_request 4 on route 6: 2 is open there")]


@pytest.mark.parametrize(
    ("commands", "text"),
    [
        ([command(2, 1, route_number=9)], "fault_confirm 2 on route 9: the original went over route 1"),
        (
            [
                command(2, 1, Role.FAULT_CANCEL, route_number=7),
                command(3, 1, Role.FAULT_CANCEL_AGAIN, route_number=8),
            ],
            "fault_cancel_again 3 on route 8: the command went over route 7",
        ),
    ],
)
def test_a_command_over_another_route_says_over_which(commands: list[Command], text: str) -> None:
    ledger = books(entry(1))
    for each in commands:
        ledger.command(each, done=False)
    assert told(ledger) == [Violation(Broken.OTHER_ROUTE, A, text)]


def test_the_first_command_to_cancel_goes_over_any_route_and_the_next_over_its() -> None:
    ledger = books(entry(1))
    ledger.command(command(2, 1, Role.FAULT_CANCEL, route_number=7), done=False)
    ledger.command(command(3, 1, Role.FAULT_CANCEL_AGAIN, route_number=7), done=False)
    assert told(ledger) == []


def test_confirm_and_cancel_of_one_original_name_what_came_before() -> None:
    ledger = books(entry(1))
    ledger.command(command(2, 1), done=False)
    ledger.command(command(3, 1, Role.FAULT_CONFIRM_AGAIN), done=False)
    ledger.command(command(4, 1, Role.FAULT_CANCEL), done=False)
    text = "fault_cancel 4 on route 1: fault_confirm 2 came before"
    assert told(ledger) == [Violation(Broken.BOTH_LINES, A, text)]


@pytest.mark.parametrize("role", [Role.FAULT_CONFIRM, Role.FAULT_CANCEL])
def test_a_command_comes_once_and_then_the_re_command(role: Role) -> None:
    ledger = books(entry(1))
    for number in (2, 3):
        ledger.command(command(number, 1, role), done=False)
    assert told(ledger) == [Violation(Broken.COMMAND_TWICE, A, f"{role} 3 on route 1: it came before")]


@pytest.mark.parametrize(
    ("role", "first"),
    [(Role.FAULT_CONFIRM_AGAIN, Role.FAULT_CONFIRM), (Role.FAULT_CANCEL_AGAIN, Role.FAULT_CANCEL)],
)
def test_a_re_command_without_a_command_is_a_fault_on_the_same_connection_alone(role: Role, first: Role) -> None:
    ledger = books(entry(1), entry(2))
    ledger.command(command(3, 1, role, connection=2), done=False)  # the command was lost with the line
    assert told(ledger) == []
    ledger.command(command(4, 2, role), done=False)
    assert told(ledger) == [Violation(Broken.AGAIN_FIRST, A, f"{role} 4 on route 2: no {first} came before")]


def test_a_command_after_the_report_of_the_cancel_is_odd() -> None:
    ledger = books(entry(1), entry(5))
    ledger.command(command(2, 1), done=True)
    ledger.answered(key(1), A, 1, cancelled=True)
    ledger.answered(key(5), A, 5, cancelled=False)
    ledger.command(command(6, 5), done=True)
    assert told(ledger) == []
    ledger.command(command(3, 1, Role.FAULT_CONFIRM_AGAIN), done=True)
    text = "fault_confirm_again 3 on route 1: 1 was reported as cancelled"
    assert told(ledger) == [Suspicion(Odd.AFTER_DONE, A, text)]


@pytest.mark.parametrize("role", [Role.FAULT_CANCEL, Role.FAULT_CANCEL_AGAIN])
def test_a_cancel_of_what_never_came_is_a_fault_unless_it_was_lost_on_purpose(role: Role) -> None:
    ledger = books()
    ledger.command(command(2, 1, role, connection=2), done=True)
    text = f"{role} 2 on route 1: no 1 of {DAY}"
    assert told(ledger) == [Violation(Broken.UNKNOWN_ORIGINAL, A, text)]
    assert ledger.not_arrived == 0
    lost = books()
    lost.lost(entry(1))
    lost.command(command(2, 1, Role.FAULT_CANCEL), done=True)
    text = "fault_cancel 2 on route 1: 1 was never answered"
    assert told(lost) == [Violation(Broken.NOT_ANSWERED, A, text)]


# --- a confirm of what never came


def test_where_the_line_broke_it_never_came_and_nobody_is_to_blame() -> None:
    ledger = books()
    ledger.opened(A, 2)
    ledger.command(command(2, 1, connection=2), done=True)
    ledger.command(command(3, 1, Role.FAULT_CONFIRM_AGAIN, connection=2), done=True)
    assert (told(ledger), ledger.not_arrived) == ([], 1)


def test_where_the_line_never_broke_it_is_odd() -> None:
    ledger = books()
    ledger.command(command(2, 1), done=True)
    text = f"fault_confirm 2 on route 1: 1 of {DAY}"
    assert (told(ledger), ledger.not_arrived) == ([Suspicion(Odd.NEVER_CAME, A, text)], 1)


def elsewhere(**changed: Any) -> Ledger:
    """The original stands under the same number, unanswered, on another line."""
    ledger = Ledger()
    for station in (A, B, C):
        ledger.opened(station, 1)
    ledger.request(entry(1, station=C, **changed))
    return ledger


def test_what_came_over_another_line_is_a_fault_where_this_one_never_broke() -> None:
    ledger = elsewhere()
    ledger.command(command(2, 1), done=True)
    text = "fault_confirm 2 on route 1: the original came over another line"
    assert (told(ledger), ledger.not_arrived) == ([Violation(Broken.OTHER_ROUTE, A, text)], 0)


def test_what_came_over_another_line_is_odd_where_this_one_broke() -> None:
    ledger = elsewhere()
    ledger.opened(A, 2)
    ledger.command(command(2, 1, connection=2), done=True)
    text = f"fault_confirm 2 on route 1: 1 of {DAY}"
    assert (told(ledger), ledger.not_arrived) == ([Suspicion(Odd.OTHER_LINE, A, text)], 1)


@pytest.mark.parametrize(
    "changed", [{"type_code": "1120"}, {"terminal_id": "1"}, {"route_number": 2}, {"amount": 999}, {"cancelled": True},
                {"answers": 1}, {"business_date": "20261123"}],
)  # fmt: skip
def test_another_line_had_it_only_if_it_is_the_same_unanswered_and_not_cancelled(changed: dict[str, Any]) -> None:
    ledger = elsewhere(**changed)
    ledger.command(command(2, 1), done=True)
    text = f"fault_confirm 2 on route 1: 1 of {DAY}"
    assert (told(ledger), ledger.not_arrived) == ([Suspicion(Odd.NEVER_CAME, A, text)], 1)


def test_what_was_lost_on_purpose_is_neither_odd_nor_elsewhere() -> None:
    ledger = elsewhere()
    ledger.lost(entry(1))
    ledger.command(command(2, 1), done=True)
    assert (told(ledger), ledger.not_arrived) == ([], 1)


# --- what a cancel says of its original


@pytest.mark.parametrize(
    ("changed", "broken", "text"),
    [
        ({"amount": 999}, Broken.OTHER_AMOUNT, "fault_confirm 2 on route 1: 999 yen of 1000"),
        (
            {"original_type": "1130"},
            Broken.OTHER_ORIGINAL,
            (
                "fault_confirm 2 on route 1: type, terminal and route of 1 are "
                "('1110', '4980123456789', 1), not ('1130', '4980123456789', 1)"
            ),
        ),
        (
            {"terminal_id": "1"},
            Broken.OTHER_ORIGINAL,
            (
                "fault_confirm 2 on route 1: type, terminal and route of 1 are "
                "('1110', '4980123456789', 1), not ('1110', '1', 1)"
            ),
        ),
        (
            {"original_route": 2},
            Broken.OTHER_ORIGINAL,
            (
                "fault_confirm 2 on route 1: type, terminal and route of 1 are "
                "('1110', '4980123456789', 1), not ('1110', '4980123456789', 2)"
            ),
        ),
    ],
)
def test_a_cancel_that_names_its_original_wrongly_says_how(changed: dict[str, Any], broken: Broken, text: str) -> None:
    ledger = books(entry(1))
    ledger.command(command(2, 1, **changed), done=True)
    assert told(ledger) == [Violation(broken, A, text)]


@pytest.mark.parametrize("outcome", [Outcome.TURNED_ROUND, Outcome.IN_ERROR])
def test_a_cancel_of_what_was_returned_is_a_fault_and_a_confirm_of_it_is_odd(outcome: Outcome) -> None:
    ledger = books(entry(1, outcome=outcome), entry(2, outcome=outcome))
    ledger.command(command(3, 1, Role.FAULT_CANCEL), done=False)
    ledger.command(command(4, 2), done=False)
    assert told(ledger) == [
        Violation(Broken.NOTHING_TO_CANCEL, A, f"fault_cancel 3 on route 1: 1 was {outcome}"),
        Suspicion(Odd.CONFIRM_OF_RETURNED, A, f"fault_confirm 4 on route 2: 2 was {outcome}"),
    ]


def test_a_cancel_of_what_its_client_has_followed_up_names_the_follow_up() -> None:
    ledger = books(entry(1), entry(2, amount=1, **REFUND))
    ledger.command(command(3, 1), done=False)
    text = "fault_confirm 3 on route 1: refund_request 2 has shown that the client knows 1"
    assert told(ledger) == [Violation(Broken.FOLLOWED_UP, A, text)]


def test_two_stations_are_watched_each_for_itself() -> None:
    ledger = books(entry(1), entry(1, station=B), stations=(A, B))
    ledger.request(entry(1, station=B, route_number=2))
    ledger.command(command(2, 1, Role.FAULT_CANCEL, original=key(1, B), station=B, amount=1), done=True)
    assert {each.station for each in told(ledger)} == {B}
    assert ledger.entries[key(1, B)].cancelled
    assert not ledger.entries[key(1)].cancelled
    assert ledger.balance() == 2_000
