"""The centre's books: what was booked, what was cancelled, and which rules of the line were broken. Pure.

A violation is written down only when it is certain from this end of the line. So a route that carries something else
while a cancel has not ended is suspicious, but the gateway may have handed that cancel to a person; it is a violation
when another telegram of that cancel follows.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

import msgspec

from schemas.telegrams import FAULT_COMMANDS, Outcome, Role

_CONFIRMS = (Role.FAULT_CONFIRM, Role.FAULT_CONFIRM_AGAIN)
_AGAIN = {Role.FAULT_CANCEL_AGAIN: Role.FAULT_CANCEL, Role.FAULT_CONFIRM_AGAIN: Role.FAULT_CONFIRM}
_CREDITS = (Role.CANCEL_REQUEST, Role.REFUND_REQUEST)


class EntryKey(NamedTuple):
    """How the centre knows a telegram: the station it came from, its business date, its trace number."""

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
    terminal_id: str
    amount: int
    pan: str
    reference: str | None
    outcome: Outcome
    connection: int  # on which connection of the station it came
    original: EntryKey | None = None
    answers: int = 0
    commands: list[Role] = msgspec.field(default_factory=list)
    cancelled: bool = False  # by a cancel telegram 障害取消

    @property
    def key(self) -> EntryKey:
        return EntryKey(self.station, self.business_date, self.trace_number)

    @property
    def stands(self) -> bool:
        """Whether it counts: approved and not cancelled."""
        return self.outcome is Outcome.APPROVED and not self.cancelled

    @property
    def balance(self) -> int:
        """What it adds to the merchant's claim, in yen."""
        if not self.stands or self.role is Role.AUTHORISATION_REQUEST:
            return 0
        return -self.amount if self.role in _CREDITS else self.amount


class Broken(StrEnum):
    """The rules of the line that can be seen to be broken from the centre."""

    TRACE_TWICE = "trace_number_twice"
    NOT_OPEN = "request_on_a_line_that_is_not_open"
    OTHER_ROUTE = "confirm_on_another_route_or_line"
    ROUTE_REUSED = "held_route_carried_another_telegram"
    UNKNOWN_ORIGINAL = "cancel_of_something_unknown"
    OTHER_AMOUNT = "cancel_of_another_amount"
    NOTHING_TO_CANCEL = "cancel_of_what_was_turned_round_or_in_error"
    AGAIN_FIRST = "re_command_without_a_command"
    NOT_ANSWERED = "cancel_instead_of_confirm_of_what_was_not_answered"
    UNREADABLE = "not_a_telegram"


class Violation(msgspec.Struct, frozen=True):
    """A broken rule: which, by whom, and in words."""

    broken: Broken
    station: str
    text: str


class Command(NamedTuple):
    """A cancel telegram, as far as the books need it."""

    role: Role
    station: str
    route_number: int
    trace_number: int
    business_date: str
    original: EntryKey
    original_route: int
    amount: int
    connection: int

    @property
    def name(self) -> str:
        return f"{self.role} {self.trace_number} on route {self.route_number}"


class Ledger:
    """All entries of a centre, and the violations."""

    def __init__(self) -> None:
        self.entries: dict[EntryKey, Entry] = {}
        self.violations: list[Violation] = []
        self.not_arrived = 0  # confirms of requests that never came: nothing to cancel, and no fault of anyone
        self._traces: set[EntryKey] = set()
        self._on_route: dict[tuple[str, int], EntryKey] = {}  # what a route carries, until it is answered
        self._suspects: dict[EntryKey, str] = {}  # unanswered, and its route was used for something else

    def violation(self, broken: Broken, station: str, text: str) -> None:
        """Write a violation down."""
        self.violations.append(Violation(broken, station, text))

    def request(self, entry: Entry) -> None:
        """Book a request, with the outcome the centre has decided."""
        self._number(entry.key)
        self._occupy(entry.station, entry.route_number, entry.key, f"{entry.role} {entry.trace_number}")
        self.entries[entry.key] = entry

    def command(self, command: Command, *, done: bool) -> None:
        """Book a cancel telegram; `done` says whether it is carried out."""
        self._number(EntryKey(command.station, command.business_date, command.trace_number))
        self._check_route(command)
        if (by := self._suspects.pop(command.original, None)) is not None:
            text = f"route carried {by} while {command.original.trace_number} was held, then came {command.name}"
            self.violation(Broken.ROUTE_REUSED, command.station, text)
        self._occupy(command.station, command.route_number, command.original, command.name)
        entry = self.entries.get(command.original)
        if entry is None:
            self._nothing_there(command)
            return
        self._check(command, entry)
        entry.commands.append(command.role)
        if done:
            entry.cancelled = True

    def answered(self, key: EntryKey, station: str, route_number: int, *, ends: bool) -> None:
        """The centre has answered a telegram about `key`; `ends`: nothing is open about it any more."""
        entry = self.entries.get(key)
        if entry is not None and ends:
            entry.answers += 1
        if ends and self._on_route.get((station, route_number)) == key:
            del self._on_route[station, route_number]

    # --- checks

    def _number(self, key: EntryKey) -> None:
        if key in self._traces:
            text = f"trace number {key.trace_number} came again on {key.business_date}"
            self.violation(Broken.TRACE_TWICE, key.station, text)
        self._traces.add(key)

    def _occupy(self, station: str, route: int, key: EntryKey, name: str) -> None:
        holder = self._on_route.get((station, route))
        if holder is not None and holder != key:
            self._suspects[holder] = name
        self._on_route[station, route] = key

    def _check_route(self, command: Command) -> None:
        if command.role not in _CONFIRMS:
            return
        entry = self.entries.get(command.original)
        wanted = command.original_route if entry is None else entry.route_number
        if command.route_number != wanted:
            text = f"{command.name}: the original went over route {wanted}"
            self.violation(Broken.OTHER_ROUTE, command.station, text)

    def _nothing_there(self, command: Command) -> None:
        other_line = any(
            each.business_date == command.original.business_date and each.trace_number == command.original.trace_number
            and each.route_number == command.original_route and each.amount == command.amount and not each.cancelled
            and each.answers == 0
            for each in self.entries.values()
            if each.station != command.station
        )  # fmt: skip
        if other_line:
            self.violation(Broken.OTHER_ROUTE, command.station, f"{command.name}: the original came over another line")
        elif command.role in _CONFIRMS:
            self.not_arrived += 1
        else:
            text = f"{command.name}: no {command.original.trace_number} of {command.original.business_date}"
            self.violation(Broken.UNKNOWN_ORIGINAL, command.station, text)

    def _check(self, command: Command, entry: Entry) -> None:
        if command.amount != entry.amount:
            text = f"{command.name}: {command.amount} yen of {entry.amount}"
            self.violation(Broken.OTHER_AMOUNT, command.station, text)
        if entry.outcome in (Outcome.TURNED_ROUND, Outcome.IN_ERROR):
            text = f"{command.name}: {entry.trace_number} was {entry.outcome}"
            self.violation(Broken.NOTHING_TO_CANCEL, command.station, text)
        first = _AGAIN.get(command.role)
        if first is not None and first not in entry.commands and command.connection == entry.connection:
            self.violation(Broken.AGAIN_FIRST, command.station, f"{command.name}: no {first} came before")
        if command.role is Role.FAULT_CANCEL and entry.answers == 0:
            text = f"{command.name}: {entry.trace_number} was never answered"
            self.violation(Broken.NOT_ANSWERED, command.station, text)

    # --- what it says

    def balance(self) -> int:
        """The merchants' claim, in yen."""
        return sum(entry.balance for entry in self.entries.values())

    def rows(self) -> Iterable[dict[str, object]]:
        """The entries as plain values."""
        for entry in self.entries.values():
            row = msgspec.to_builtins(entry)
            yield {**row, "stands": entry.stands, "balance": entry.balance}


assert set(_AGAIN) | set(_AGAIN.values()) == set(FAULT_COMMANDS)
