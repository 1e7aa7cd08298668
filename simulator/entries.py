"""What stands in the centre's books, and the rules of the line it can see to be broken. Values only."""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from schemas.telegrams import Outcome, Role

CONFIRMS = (Role.FAULT_CONFIRM, Role.FAULT_CONFIRM_AGAIN)
CANCELS = (Role.FAULT_CANCEL, Role.FAULT_CANCEL_AGAIN)
CREDITS = (Role.CANCEL_REQUEST, Role.REFUND_REQUEST)


class EntryKey(NamedTuple):
    """How the centre knows a telegram: the station it came from, its business date, its trace number."""

    station: str
    business_date: str
    trace_number: int


class CancelledBy(msgspec.Struct, frozen=True):
    """What cancelled an entry: a cancel telegram 障害取消, or a customer's cancel 取消 that is an entry itself."""

    role: Role
    station: str
    business_date: str
    trace_number: int


class Entry(msgspec.Struct):
    """One request in the books. `pan` is masked."""

    station: str
    business_date: str
    trace_number: int
    route_number: int
    role: Role
    type_code: str
    terminal_id: str
    amount: int
    pan: str
    reference: str | None
    outcome: Outcome
    connection: int  # on which connection of the station it came
    approval_code: str | None = None
    names: tuple[str, int] | None = None  # of a follow-up: business date and trace number of what it takes back
    original: EntryKey | None = None  # that entry, when the centre has it
    moves_money: bool = True  # not so an authorisation, and what takes one back
    answers: int = 0  # reports about it that have been sent
    commands: list[Role] = msgspec.field(default_factory=list)  # cancel telegrams about it, in the order they came
    cancelled: bool = False  # by a cancel telegram 障害取消
    cancelled_by: CancelledBy | None = None  # that telegram
    at_ms: int = 0  # when it came, by the centre's clock
    stand_in: bool = False  # the network answered for the issuer 代行

    @property
    def key(self) -> EntryKey:
        return EntryKey(self.station, self.business_date, self.trace_number)

    @property
    def in_force(self) -> bool:
        """Approved, and not cancelled by a cancel telegram; what a customer takes back is an entry of its own."""
        return self.outcome is Outcome.APPROVED and not self.cancelled

    @property
    def balance(self) -> int:
        """What it adds to the merchant's claim, in yen."""
        if not self.in_force or not self.moves_money:
            return 0
        return -self.amount if self.role in CREDITS else self.amount


class Command(NamedTuple):
    """A cancel telegram, as far as the books need it."""

    role: Role
    station: str
    route_number: int
    trace_number: int
    business_date: str
    original: EntryKey
    original_route: int
    original_type: str
    terminal_id: str
    amount: int
    connection: int

    @property
    def name(self) -> str:
        return f"{self.role} {self.trace_number} on route {self.route_number}"


class Broken(StrEnum):
    """The rules of the line that can be seen to be broken from the centre."""

    TRACE_TWICE = "trace_number_twice"
    REQUEST_TWICE = "request_twice_under_two_trace_numbers"
    OUT_OF_RANGE = "trace_or_route_number_out_of_range"
    NOT_OPEN = "request_on_a_line_that_is_not_open"
    OTHER_STATION = "telegram_of_another_station"
    NOT_ASKED = "answer_to_nothing_that_was_asked"
    OTHER_ROUTE = "confirm_on_another_route_or_line"
    ROUTE_REUSED = "held_route_carried_another_telegram"
    UNKNOWN_ORIGINAL = "cancel_of_something_unknown"
    OTHER_AMOUNT = "cancel_of_another_amount"
    OTHER_ORIGINAL = "cancel_with_wrong_type_terminal_or_route_of_its_original"
    NOTHING_TO_CANCEL = "cancel_of_what_was_turned_round_or_in_error"
    AGAIN_FIRST = "re_command_without_a_command"
    COMMAND_TWICE = "command_twice_instead_of_a_re_command"
    BOTH_LINES = "cancel_and_confirm_of_one_original"
    NOT_ANSWERED = "cancel_instead_of_confirm_of_what_was_not_answered"
    FOLLOWED_UP = "cancel_of_what_its_client_has_followed_up"
    AFTER_CANCEL = "request_after_its_cancel"
    UNREADABLE = "not_a_telegram"
    NOT_CARRIED = "envelope_of_what_is_not_passed_on"


class Odd(StrEnum):
    """What looks wrong from the centre, but may be right: said beside each is how."""

    ROUTE_BUSY = "route_with_an_open_telegram_carried_another"  # the first one was handed to a person
    CONFIRM_OF_RETURNED = "confirm_of_what_was_turned_round_or_in_error"  # the report was late, or lost with the line
    AFTER_DONE = "cancel_telegram_after_the_cancel_was_reported"  # as above
    NEVER_CAME = "confirm_of_what_never_came"  # it was sent to an earlier life of this centre
    OTHER_LINE = "confirm_of_what_came_over_another_line"  # chance: that line had used the same numbers


class Violation(msgspec.Struct, frozen=True):
    """A broken rule: which, by whom, and in words."""

    broken: Broken
    station: str
    text: str


class Suspicion(msgspec.Struct, frozen=True):
    """Something odd: what, by whom, and in words."""

    odd: Odd
    station: str
    text: str
