"""The books of a centre: what stands, what was cancelled; and each broken rule beside an innocent course like it."""

import pytest
from centre_rig import PARTNERS, Table, partner_named, rows_of

from schemas.telegrams import Outcome, Role
from simulator.centre import Centre
from simulator.entries import Broken, Odd
from simulator.rules import Rules

MONEY = {
    "what is approved stands": """
        sale 1 r1                 ->
        auth 2 r2 amount=500      ->
        balance                   -> 1200
    """,
    "what is declined, turned round or in error does not": """
        sale 1 r1 do=decline      ->
        sale 2 r2 do=turn_round   ->
        sale 3 r3 do=error_report ->
        sale 4 r4 do=lose         ->
        balance                   -> 0
    """,
    "what is not answered stands until it is cancelled": """
        sale 1 r1 do=silent       ->
        sale 2 r2 do=drop         ->
        reopen                    ->
        sale 3 r3 do=garbage      ->
        sale 4 r4 do=noise        ->
        sale 5 r5 do=other_amount ->
        balance                   -> 6000
        8930 6 r1 of=1            ->
        8930 7 r3 of=3            ->
        balance                   -> 3600
    """,
    "a cancel of the client takes all back, once": """
        sale 1 r1                 ->
        cancel 2 r1 of=1          ->
        balance                   -> 0
        cancel 3 r1 of=1          ->
        refund 4 r1 of=1          ->
        balance                   -> 0
    """,
    "refunds take back no more than there is": """
        sale 1 r1                     ->
        refund 2 r1 of=1 amount=1000  ->
        refund 3 r1 of=1 amount=201   ->
        balance                       -> 200
        refund 4 r1 of=1 amount=200   ->
        balance                       -> 0
    """,
    "a refund that was cancelled can be made again": """
        sale 1 r1                 ->
        refund 2 r2 of=1 do=drop  ->
        balance                   -> 0
        reopen                    ->
        8930 3 r2 of=2            ->
        balance                   -> 1200
        8940 4 r2 of=2            -> ?after_done
        balance                   -> 1200
        refund 5 r2 of=1          ->
        balance                   -> 0
    """,
    "what takes an authorisation back moves no money either": """
        auth 1 r1                 ->
        cancel 2 r1 of=1          ->
        balance                   -> 0
    """,
    "what does not stand cannot be taken back": """
        sale 1 r1 do=silent       ->
        8930 2 r1 of=1            ->
        cancel 3 r2 of=1          ->
        refund 4 r2 of=99         ->
        balance                   -> 0
    """,
    "a follow-up cannot be followed up": """
        sale 1 r1                 ->
        refund 2 r1 of=1          ->
        cancel 3 r1 of=2          ->
        balance                   -> 0
    """,
    "a follow-up over another line finds its original by its approval code": """
        sale 1 r1                                            ->
        sale 1 r1 on=B amount=700                            ->
        refund 2 r1 on=B of=1 original_approval_code=000001  ->
        balance                                              -> 700
    """,
    "an approval code that is not the original's takes nothing back": """
        sale 1 r1                                            ->
        refund 2 r1 of=1 original_approval_code=999999       ->
        balance                                              -> 1200
    """,
    "another card takes nothing back": """
        sale 1 r1                                            ->
        refund 2 r1 of=1 pan=5555555555554444                ->
        balance                                              -> 1200
    """,
    "trouble and an error report leave it standing": """
        sale 1 r1 do=silent        ->
        8930 2 r1 of=1 do=trouble  ->
        8940 3 r1 of=1 do=lose     ->
        balance                    -> 1200
        8940 4 r1 of=1             ->
        balance                    -> 0
    """,
    "a confirm of what never came cancels nothing, and is nobody's fault": """
        sale 1 r1 do=lose          ->
        8930 2 r1 of=1             ->
        8940 3 r1 of=1             -> ?after_done
        not_arrived                -> 1
        balance                    -> 0
    """,
    "what was put on the line twice counts twice": """
        sale 1 r1                  ->
        sale 1 r1                  -> trace_twice
        balance                    -> 2400
    """,
}

# Each broken rule: a course that breaks it, and one like it that does not.
RULES = {
    Broken.TRACE_TWICE: (
        """
        sale 1 r1                     ->
        sale 1 r2 amount=300          -> trace_twice
        8910 1 r3 of=1                -> trace_twice
        """,
        """
        sale 1 r1                     ->
        sale 1 r1 on=B                ->
        sale 1 r1 business_date=20261125 ->
        """,
    ),
    Broken.REQUEST_TWICE: (
        """
        sale 1 r1 ref=A               ->
        sale 2 r2 ref=A               -> request_twice
        sale 1 r1 ref=A on=B          -> request_twice
        sale 3 r3 ref=B do=lose       ->
        sale 4 r4 ref=B               -> request_twice
        refund 5 r5 of=1 amount=5 ref=R ->
        refund 6 r6 of=1 amount=5 ref=R -> request_twice
        """,
        """
        sale 1 r1 ref=A               ->
        sale 2 r2 ref=B               ->
        sale 3 r3 ref=A terminal_id=1111111111111 ->
        auth 4 r4 ref=A               ->
        sale 5 r5 ref=A amount=7      ->
        sale 6 r6 ref=A business_date=20261125 ->
        sale 7 r7                     ->
        sale 8 r8                     ->
        refund 9 r9 of=1 amount=5 ref=R ->
        refund 10 r9 of=2 amount=5 ref=R ->
        """,
    ),
    Broken.OUT_OF_RANGE: (
        """
        sale 0 r1                     -> out_of_range
        sale 1 r0                     -> out_of_range
        8910 2 r0 of=1                -> out_of_range
        """,
        """
        sale 1 r1                     ->
        sale 999999 r999              ->
        """,
    ),
    Broken.NOT_OPEN: (
        """
        sale 1 r1 do=silent           ->
        close                         ->
        8930 2 r1 of=1                -> not_open
        sale 3 r2                     -> not_open
        sale 4 r3 do=lose             -> not_open
        """,
        """
        sale 1 r1 do=silent           ->
        close                         ->
        reopen                        ->
        8930 2 r1 of=1                ->
        """,
    ),
    Broken.OTHER_ROUTE: (
        """
        sale 1 r1 do=silent           ->
        8930 2 r2 of=1                -> other_route
        sale 3 r3 do=lose             ->
        8930 4 r4 of=3                -> other_route
        sale 5 r5                     ->
        8910 6 r6 of=5 do=silent      ->
        8920 7 r7 of=5                -> other_route
        """,
        """
        sale 1 r1 do=silent           ->
        8930 2 r1 of=1                ->
        sale 5 r5                     ->
        8910 6 r6 of=5 do=silent      ->
        8920 7 r6 of=5                ->
        """,
    ),
    Broken.ROUTE_REUSED: (
        """
        sale 1 r1 do=silent           ->
        sale 2 r1                     -> ?route_busy
        8930 3 r1 of=1                -> route_reused
        sale 4 r2 do=lose             ->
        8930 5 r2 of=4 do=trouble     ->
        sale 6 r2                     -> ?route_busy
        8940 7 r2 of=4                -> route_reused
        """,
        # handed to a person: the route is free, and no cancel telegram follows
        """
        sale 1 r1 do=silent           ->
        8930 2 r1 of=1 do=trouble     ->
        8940 3 r1 of=1 do=silent      ->
        sale 4 r1                     -> ?route_busy
        sale 5 r1                     ->
        sale 6 r6 do=late             ->
        8930 7 r6 of=6                ->
        sale 8 r6 do=silent           ->
        later                         ->
        8930 9 r6 of=8                ->
        """,
    ),
    Broken.UNKNOWN_ORIGINAL: (
        """
        8910 1 r1 of=77               -> unknown_original
        8920 2 r1 of=77               -> unknown_original, ?after_done
        """,
        """
        sale 77 r1                    ->
        8910 78 r2 of=77              ->
        """,
    ),
    Broken.OTHER_AMOUNT: (
        """
        sale 1 r1                     ->
        8910 2 r1 of=1 amount=1199    -> other_amount
        """,
        """
        sale 1 r1                     ->
        8910 2 r1 of=1 amount=1200    ->
        """,
    ),
    Broken.OTHER_ORIGINAL: (
        """
        sale 1 r1                            ->
        8910 2 r1 of=1 type=auth             -> other_original
        sale 3 r3                            ->
        8910 4 r4 of=3 original_route=4      -> other_original
        sale 5 r5 do=silent                  ->
        8930 6 r5 of=5 terminal_id=1111111111111 -> other_original
        """,
        """
        sale 1 r1                            ->
        8910 2 r4 of=1                       ->
        sale 3 r1 terminal_id=1111111111111 do=silent ->
        8930 4 r1 of=3 terminal_id=1111111111111 ->
        """,
    ),
    Broken.NOTHING_TO_CANCEL: (
        """
        sale 1 r1 do=turn_round       ->
        8910 2 r1 of=1                -> nothing_to_cancel
        sale 3 r1 do=error_report     ->
        8910 4 r1 of=3                -> nothing_to_cancel
        """,
        # a report that is late, or lost with its line, was not known to the gateway
        """
        sale 1 r1 do=turn_round       ->
        8930 2 r1 of=1                -> ?confirm_of_returned
        sale 3 r1 do=decline          ->
        8910 4 r1 of=3                ->
        """,
    ),
    Broken.AGAIN_FIRST: (
        """
        sale 1 r1 do=silent           ->
        8940 2 r1 of=1                -> again_first
        sale 3 r3                     ->
        8920 4 r4 of=3                -> again_first
        """,
        # the command itself was lost: on purpose, or with the line
        """
        sale 1 r1 do=silent           ->
        8930 2 r1 of=1 do=lose        ->
        8940 3 r1 of=1                ->
        sale 4 r4                     ->
        reopen                        ->
        8920 5 r5 of=4                ->
        """,
    ),
    Broken.COMMAND_TWICE: (
        """
        sale 1 r1 do=silent           ->
        8930 2 r1 of=1 do=silent      ->
        8930 3 r1 of=1                -> command_twice
        sale 4 r4                     ->
        8910 5 r5 of=4 do=lose        ->
        8910 6 r5 of=4                -> command_twice
        """,
        """
        sale 1 r1 do=silent           ->
        8930 2 r1 of=1 do=silent      ->
        8940 3 r1 of=1 do=silent      ->
        8940 4 r1 of=1                ->
        """,
    ),
    Broken.BOTH_LINES: (
        """
        sale 1 r1                     ->
        8930 2 r1 of=1 do=trouble     ->
        8910 3 r1 of=1                -> both_lines
        sale 4 r4                     ->
        8910 5 r4 of=4 do=trouble     ->
        8940 6 r4 of=4                -> both_lines, again_first
        """,
        """
        sale 1 r1                     ->
        8910 2 r1 of=1 do=trouble     ->
        8920 3 r1 of=1                ->
        """,
    ),
    Broken.NOT_ANSWERED: (
        """
        sale 1 r1 do=silent           ->
        8910 2 r1 of=1                -> not_answered
        sale 3 r3 do=other_amount     ->
        8910 4 r3 of=3                -> not_answered
        sale 5 r5 do=lose             ->
        8910 6 r5 of=5                -> not_answered
        """,
        """
        sale 1 r1 do=late             ->
        later                         ->
        8910 2 r1 of=1                ->
        """,
    ),
    Broken.FOLLOWED_UP: (
        """
        sale 1 r1                     ->
        refund 2 r1 of=1 amount=1     ->
        8910 3 r1 of=1                -> followed_up
        """,
        """
        sale 1 r1                     ->
        refund 2 r1 of=1 do=silent    ->
        8930 3 r1 of=2                ->
        """,
    ),
    Broken.AFTER_CANCEL: (
        """
        8930 2 r1 of=1                -> ?never_came
        sale 1 r1                     -> after_cancel
        """,
        """
        sale 1 r1                     ->
        8910 2 r1 of=1                ->
        sale 3 r1                     ->
        """,
    ),
}  # fmt: skip

OTHER_LINE = {
    "the line never broke: what it confirms was never on it": """
        sale 5 r5 do=silent           ->
        sale 1 r1 on=B                ->
        8930 6 r5 of=5 on=B original_route=5 -> other_route
    """,
    "the line broke: it may have lost a telegram with the same numbers": """
        sale 5 r5 do=silent           ->
        sale 1 r1 on=B                ->
        reopen on=B                   ->
        8930 6 r5 of=5 on=B original_route=5 -> ?other_line
        not_arrived                   -> 1
    """,
    "it lost the telegram on purpose": """
        sale 5 r5 do=silent           ->
        sale 5 r5 on=B do=lose        ->
        8930 6 r5 of=5 on=B           ->
        not_arrived                   -> 1
    """,
    "that line never broke, and the other did not have it either": """
        sale 5 r5                     ->
        8930 6 r5 of=5 on=B original_route=5 -> ?never_came
    """,
    "the line broke, and the telegram with it": """
        sale 1 r1                     ->
        reopen                        ->
        8930 3 r2 of=2 original_route=2 ->
        not_arrived                   -> 1
    """,
}


@pytest.mark.parametrize("partner", PARTNERS)
@pytest.mark.parametrize("table", MONEY.values(), ids=MONEY)
def test_money_is_booked_as_the_table_says(table: str, partner: str) -> None:
    assert Table(partner).play(table) == rows_of(table)


@pytest.mark.parametrize("partner", PARTNERS)
@pytest.mark.parametrize("broken", RULES)
def test_a_broken_rule_is_written_down(broken: Broken, partner: str) -> None:
    table = RULES[broken][0]
    assert broken.name.lower() in table
    assert Table(partner).play(table) == rows_of(table)


@pytest.mark.parametrize("partner", PARTNERS)
@pytest.mark.parametrize("broken", RULES)
def test_an_innocent_course_breaks_no_rule(broken: Broken, partner: str) -> None:
    played = Table(partner)
    table = RULES[broken][1]
    assert played.play(table) == rows_of(table)
    assert played.centre.ledger.violations == []


@pytest.mark.parametrize("partner", PARTNERS)
@pytest.mark.parametrize("table", OTHER_LINE.values(), ids=OTHER_LINE)
def test_a_confirm_over_another_line_is_told_from_one_of_something_lost(table: str, partner: str) -> None:
    assert Table(partner).play(table) == rows_of(table)


def test_every_rule_that_can_be_broken_is_broken_here_or_among_the_tests_of_the_centre() -> None:
    of_the_line_itself = {Broken.OTHER_STATION, Broken.NOT_ASKED, Broken.UNREADABLE, Broken.NOT_CARRIED}
    assert set(RULES) | of_the_line_itself == set(Broken)
    tables = "\n".join([*MONEY.values(), *OTHER_LINE.values(), *(each for pair in RULES.values() for each in pair)])
    assert [odd for odd in Odd if f"?{odd.name.lower()}" not in tables] == []


def test_a_violation_says_who_and_what_in_words_without_a_card_number() -> None:
    played = Table("cafis")
    played.play(
        """
        sale 1 r1 do=silent
        8930 2 r2 of=1
        """
    )
    (violation,) = played.centre.ledger.violations
    assert violation.station == "DNB0000A"
    assert violation.text == "fault_confirm 2 on route 2: the original went over route 1"


def test_a_row_of_the_ledger_holds_all_that_is_known_of_a_request() -> None:
    played = Table("cafis")
    played.play(
        """
        sale 1 r3 ref=A1
        refund 2 r4 of=1 amount=200
        8930 3 r4 of=2 do=lose
        8940 4 r4 of=2
        """
    )
    sale, refund = played.centre.ledger.rows()
    assert sale == {
        "station": "DNB0000A", "business_date": "20261124", "trace_number": 1, "route_number": 3,
        "role": "sale_request", "type_code": "1110", "terminal_id": "4980123456789", "amount": 1_200,
        "pan": "411111******1111", "reference": "A1", "outcome": "approved", "connection": 1,
        "approval_code": "000001", "names": None, "original": None, "moves_money": True, "answers": 1, "commands": [],
        "cancelled": False, "cancelled_by": None, "taken_back": 0, "stand_in": False, "stands": True,
        "in_force": True, "balance": 1_200, "at_ms": 1_795_489_200_000,
    }  # fmt: skip
    assert refund["names"] == ("20261124", 1)
    assert refund["original"] == ("DNB0000A", "20261124", 1)
    assert refund["commands"] == [Role.FAULT_CONFIRM_AGAIN]
    assert (refund["cancelled"], refund["stands"], refund["balance"]) == (True, False, 0)
    assert refund["cancelled_by"] == {
        "role": "fault_confirm_again", "station": "DNB0000A", "business_date": "20261124", "trace_number": 4,
    }  # fmt: skip


UNDONE = {
    # what is played, then of each entry: whether it is cancelled and stands, by which trace number, yen taken back
    "a cancel of the customer": (
        "sale 1 r1\ncancel 2 r1 of=1",
        [(True, False, 2, 1_200), (False, True, None, 0)],
    ),
    "a cancel that was declined": (
        "sale 1 r1\ncancel 2 r1 of=1 do=decline",
        [(False, True, None, 0), (False, False, None, 0)],
    ),
    "a cancel that was itself cancelled": (
        "sale 1 r1\ncancel 2 r1 of=1 do=silent\n8930 3 r1 of=2",
        [(False, True, None, 0), (True, False, 3, 0)],
    ),
    "the same, and a second one": (
        "sale 1 r1\ncancel 2 r1 of=1 do=silent\n8930 3 r1 of=2\ncancel 4 r1 of=1",
        [(True, False, 4, 1_200), (True, False, 3, 0), (False, True, None, 0)],
    ),
    "a part": (
        "sale 1 r1\ncancel 2 r1 of=1 amount=200",
        [(False, True, None, 200), (False, True, None, 0)],
    ),
    "a refund of everything: the sale was no mistake": (
        "sale 1 r1\nrefund 2 r1 of=1",
        [(False, True, None, 1_200), (False, True, None, 0)],
    ),
    "a refund, and a cancel of the rest": (
        "sale 1 r1\nrefund 2 r1 of=1 amount=200\ncancel 3 r1 of=1 amount=1000",
        [(True, False, 3, 1_200), (False, True, None, 0), (False, True, None, 0)],
    ),
    "a cancel telegram": ("sale 1 r1 do=silent\n8930 2 r1 of=1", [(True, False, 2, 0)]),
    "an authorisation": (
        "auth 1 r1\ncancel 2 r1 of=1",
        [(True, False, 2, 1_200), (False, True, None, 0)],
    ),
}


@pytest.mark.parametrize("partner", PARTNERS)
@pytest.mark.parametrize(("text", "wanted"), UNDONE.values(), ids=UNDONE)
def test_what_was_cancelled_says_so_and_by_what(
    partner: str, text: str, wanted: list[tuple[bool, bool, int | None, int]]
) -> None:
    played = Table(partner)
    played.play(text)
    rows = list(played.centre.ledger.rows())
    found = []
    for row in rows:
        by = row["cancelled_by"]
        assert by is None or isinstance(by, dict)
        found.append((row["cancelled"], row["stands"], None if by is None else by["trace_number"], row["taken_back"]))
    assert found == wanted
    balances = [row["balance"] for row in rows]
    assert sum(each for each in balances if isinstance(each, int)) == played.centre.ledger.balance()


def test_a_cancel_is_applied_at_most_once_however_often_it_is_sent() -> None:
    played = Table("cafis", Centre(partner_named("cafis"), Rules()))
    played.play("sale 1 r1 do=silent")
    played.play("8930 2 r1 of=1")
    for number in range(3, 6):
        played.play(f"8940 {number} r1 of=1")
        (report,) = played.heard
        assert played.partner.classify(report) is Outcome.APPROVED
    assert played.centre.ledger.balance() == 0
    (row,) = played.centre.ledger.rows()
    assert row["cancelled"] is True
