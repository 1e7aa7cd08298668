"""The centre's books: what was booked, what was cancelled, and which rules of the line were broken. Pure.

A violation is written down only when it is certain from this end of the line. What looks wrong and may have an
innocent cause is a suspicion: so a route that carries something else while a cancel has not ended, for the gateway may
have handed that cancel to a person; it is a violation when another telegram of that cancel follows.

A telegram that a rule lets go lost stands in no book, but it was sent: the rules of the line are watched with it.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec

from schemas.telegrams import FAULT_COMMANDS, Outcome, Role
from simulator.entries import (
    CANCELS,
    CONFIRMS,
    CREDITS,
    Broken,
    CancelledBy,
    Command,
    Entry,
    EntryKey,
    Odd,
    Suspicion,
    Violation,
)

__all__ = ["Broken", "Command", "Entry", "EntryKey", "Ledger", "Odd", "Suspicion", "Violation"]

_AGAIN = {Role.FAULT_CANCEL_AGAIN: Role.FAULT_CANCEL, Role.FAULT_CONFIRM_AGAIN: Role.FAULT_CONFIRM}
_RETURNED = (Outcome.TURNED_ROUND, Outcome.IN_ERROR)


class Ledger:
    """All entries of a centre, the violations, and the suspicions."""

    def __init__(self) -> None:
        self.entries: dict[EntryKey, Entry] = {}  # the first under each key
        self.violations: list[Violation] = []
        self.suspicions: list[Suspicion] = []
        self._books: list[Entry] = []  # all that came, also what should not have
        self._balance = 0  # yen: of all in the books
        self._lost: dict[EntryKey, Entry] = {}
        self._stations: dict[str, set[int]] = {}  # and the connections each has had
        self._traces: set[EntryKey] = set()
        self._requests: dict[tuple[object, ...], EntryKey] = {}  # what a request asks for, and its first telegram
        self._credited: Counter[EntryKey] = Counter()  # yen that stand against an original
        self._credits: dict[EntryKey, list[Entry]] = {}  # and those entries, also when they were cancelled since
        self._followed: dict[EntryKey, str] = {}  # originals, and what has followed them up
        self._commands: dict[EntryKey, list[Command]] = {}  # cancel telegrams, by original
        self._missing: set[EntryKey] = set()
        self._done: set[EntryKey] = set()  # cancelled, and that has been reported
        self._on_route: dict[tuple[str, int], EntryKey] = {}  # what a route carries, until it is answered
        self._suspects: dict[EntryKey, str] = {}  # unanswered, and its route was used for something else

    @property
    def not_arrived(self) -> int:
        """Requests that never came, though a confirm did: nothing to cancel, and no fault of anyone."""
        return len(self._missing)

    def violation(self, broken: Broken, station: str, text: str) -> None:
        """Write a violation down."""
        self.violations.append(Violation(broken, station, text))

    def suspicion(self, odd: Odd, station: str, text: str) -> None:
        """Write a suspicion down."""
        self.suspicions.append(Suspicion(odd, station, text))

    # --- what happens

    def opened(self, station: str, connection: int) -> None:
        """The station was opened on this connection."""
        self._stations.setdefault(station, set()).add(connection)

    def request(self, entry: Entry) -> None:
        """Book a request, with the outcome the centre has decided."""
        self._watch(entry)
        self._books.append(entry)
        self._balance += entry.balance
        self.entries.setdefault(entry.key, entry)
        if entry.original is not None and entry.in_force:
            self._credited[entry.original] += entry.amount
            self._credits.setdefault(entry.original, []).append(entry)

    def lost(self, entry: Entry) -> None:
        """A request that is to be lost: not booked, but sent."""
        self._watch(entry)
        self._lost.setdefault(entry.key, entry)

    def command(self, command: Command, *, done: bool, lost: bool = False) -> None:
        """Book a cancel telegram; `done` says whether it is carried out, `lost` that it is to be lost."""
        original = command.original
        self.numbered(EntryKey(command.station, command.business_date, command.trace_number))
        arrived = self.entries.get(original)
        entry = arrived or self._lost.get(original)
        before = self._commands.setdefault(original, [])
        self._check_route(command, entry, before)
        self._check_order(command, entry, before)
        if (by := self._suspects.pop(original, None)) is not None:
            text = f"route carried {by} while {original.trace_number} was held, then came {command.name}"
            self.violation(Broken.ROUTE_REUSED, command.station, text)
        self._occupy(command.station, command.route_number, original, command.name)
        before.append(command)
        if arrived is None:
            self._nothing_there(command, known=entry is not None)
        if entry is not None:
            self._check(command, entry)
        if arrived is not None and not lost:
            arrived.commands.append(command.role)
        if arrived is not None and done:
            self._cancel(arrived, command)

    def reported(self, key: EntryKey) -> None:
        """A report about this request goes out."""
        entry = self.entries.get(key)
        if entry is not None:
            entry.answers += 1

    def answered(self, key: EntryKey, station: str, route_number: int, *, cancelled: bool) -> None:
        """Nothing is open about this one any more; `cancelled`: by the report of a cancel that goes out."""
        if cancelled:
            self._done.add(key)
        if self._on_route.get((station, route_number)) == key:
            del self._on_route[station, route_number]

    def _cancel(self, entry: Entry, command: Command) -> None:
        if entry.original is not None and entry.in_force:
            self._credited[entry.original] -= entry.amount
        self._balance -= entry.balance
        if not entry.cancelled:
            entry.cancelled_by = CancelledBy(command.role, command.station, command.business_date, command.trace_number)
        entry.cancelled = True

    # --- what it knows

    def original_of(
        self, station: str, date: str, trace_number: int, *, approval_code: str | None, pan: str
    ) -> Entry | None:
        """What a follow-up takes back. It may have come over another line, which had counted with the same numbers."""
        for each in (station, *(other for other in self._stations if other != station)):
            entry = self.entries.get(EntryKey(each, date, trace_number))
            if entry is None or entry.role in CREDITS or entry.pan != pan:
                continue
            if approval_code in (None, entry.approval_code):
                return entry
        return None

    def left(self, original: Entry) -> int:
        """How many yen of it can still be taken back."""
        return original.amount - self._credited[original.key] if original.in_force else 0

    def balance(self) -> int:
        """The merchants' claim, in yen."""
        return self._balance

    @property
    def count(self) -> int:
        """How many entries there are."""
        return len(self._books)

    def rows(self, last: int | None = None) -> Iterable[dict[str, object]]:
        """The entries as plain values; `last`: so many of them, the newest.

        With each: `cancelled` and `cancelled_by`, also by a customer's cancel that leaves nothing of it; `taken_back`,
        how many yen of it customers have taken back; whether it `stands`, approved and not cancelled by anything;
        whether it is `in_force`, which leaves what customers take back to its own entries; and its `balance`.
        """
        for entry in self._books if last is None else self._books[max(0, len(self._books) - last) :]:
            taken_back, by = self._taken_back(entry)
            row = msgspec.to_builtins(entry)
            yield {
                **row,
                "cancelled": by is not None,
                "cancelled_by": msgspec.to_builtins(by),
                "taken_back": taken_back,
                "stands": entry.in_force and by is None,
                "in_force": entry.in_force,
                "balance": entry.balance,
            }

    def _taken_back(self, entry: Entry) -> tuple[int, CancelledBy | None]:
        """How many yen of it customers have taken back, and what has cancelled it."""
        if entry.cancelled_by is not None or self.entries.get(entry.key) is not entry:
            return 0, entry.cancelled_by
        back = [each for each in self._credits.get(entry.key, ()) if each.in_force]
        taken_back = sum(each.amount for each in back)
        cancels = [each for each in back if each.role is Role.CANCEL_REQUEST]
        if not cancels or taken_back < entry.amount:
            return taken_back, None
        last = cancels[-1]
        return taken_back, CancelledBy(last.role, last.station, last.business_date, last.trace_number)

    # --- checks

    def _watch(self, entry: Entry) -> None:
        """The rules that are about every request."""
        self.numbered(entry.key)
        name = f"{entry.role} {entry.trace_number}"
        if entry.key in self._commands:
            text = f"{name}: came after {self._commands[entry.key][0].name}, which is about it"
            self.violation(Broken.AFTER_CANCEL, entry.station, text)
        if entry.reference is not None:
            # A reference is the client's own, and a terminal belongs to one client.
            what = (
                entry.business_date, entry.role, entry.terminal_id, entry.reference, entry.amount, entry.pan,
                entry.names, entry.original,
            )  # fmt: skip
            first = self._requests.setdefault(what, entry.key)
            if first != entry.key:
                before = f"{first.trace_number} of {first.station}"
                text = f"{name}: {entry.reference} of terminal {entry.terminal_id} came as {before} before"
                self.violation(Broken.REQUEST_TWICE, entry.station, text)
        if entry.original is not None:
            self._followed[entry.original] = name
        self._occupy(entry.station, entry.route_number, entry.key, name)

    def numbered(self, key: EntryKey) -> None:
        """A telegram of this trace number came, of whatever kind: a line has none twice on a business day."""
        if key in self._traces:
            text = f"trace number {key.trace_number} came again on {key.business_date}"
            self.violation(Broken.TRACE_TWICE, key.station, text)
        self._traces.add(key)

    def _occupy(self, station: str, route: int, key: EntryKey, name: str) -> None:
        holder = self._on_route.get((station, route))
        if holder is not None and holder != key:
            self._suspects[holder] = name
            self.suspicion(Odd.ROUTE_BUSY, station, f"{name} on route {route}: {holder.trace_number} is open there")
        self._on_route[station, route] = key

    def _check_route(self, command: Command, entry: Entry | None, before: list[Command]) -> None:
        """8930 and 8940 go over the route of the request, 8920 over that of its 8910."""
        if command.role in CONFIRMS:
            wanted = command.original_route if entry is None else entry.route_number
            whose = "original"
        else:
            wanted = next((each.route_number for each in before if each.role in CANCELS), command.route_number)
            whose = "command"
        if command.route_number != wanted:
            text = f"{command.name}: the {whose} went over route {wanted}"
            self.violation(Broken.OTHER_ROUTE, command.station, text)

    def _check_order(self, command: Command, entry: Entry | None, before: list[Command]) -> None:
        """8930, then 8940s; or 8910, then 8920s."""
        roles = [each.role for each in before]
        mine = CONFIRMS if command.role in CONFIRMS else CANCELS
        if any(role not in mine for role in roles):
            text = f"{command.name}: {roles[0]} {before[0].trace_number} came before"
            self.violation(Broken.BOTH_LINES, command.station, text)
        first = _AGAIN.get(command.role)
        if first is None:
            if command.role in roles:
                self.violation(Broken.COMMAND_TWICE, command.station, f"{command.name}: it came before")
        elif first not in roles and entry is not None and command.connection == entry.connection:
            self.violation(Broken.AGAIN_FIRST, command.station, f"{command.name}: no {first} came before")
        if command.original in self._done:
            text = f"{command.name}: {command.original.trace_number} was reported as cancelled"
            self.suspicion(Odd.AFTER_DONE, command.station, text)

    def _nothing_there(self, command: Command, *, known: bool) -> None:
        """`known`: because it was lost on purpose."""
        original = command.original
        if command.role in CANCELS:
            if not known:
                text = f"{command.name}: no {original.trace_number} of {original.business_date}"
                self.violation(Broken.UNKNOWN_ORIGINAL, command.station, text)
            return
        # Where a line never broke, all that was sent has come.
        never_broke = not known and self._stations.get(command.station) == {command.connection}
        elsewhere = not known and self._is_elsewhere(command)
        if elsewhere and never_broke:
            text = f"{command.name}: the original came over another line"
            self.violation(Broken.OTHER_ROUTE, command.station, text)
            return
        self._missing.add(original)
        if elsewhere or never_broke:
            odd = Odd.OTHER_LINE if elsewhere else Odd.NEVER_CAME
            text = f"{command.name}: {original.trace_number} of {original.business_date}"
            self.suspicion(odd, command.station, text)

    def _is_elsewhere(self, command: Command) -> bool:
        _, date, trace_number = command.original
        for station in self._stations:
            each = self.entries.get(EntryKey(station, date, trace_number))
            if each is None or each.cancelled or each.answers or station == command.station:
                continue
            if _described(command) == (each.type_code, each.terminal_id, each.route_number, each.amount):
                return True
        return False

    def _check(self, command: Command, entry: Entry) -> None:
        station, name = command.station, command.name
        if command.amount != entry.amount:
            self.violation(Broken.OTHER_AMOUNT, station, f"{name}: {command.amount} yen of {entry.amount}")
        said, true = _described(command)[:3], (entry.type_code, entry.terminal_id, entry.route_number)
        if said != true:
            text = f"{name}: type, terminal and route of {entry.trace_number} are {true}, not {said}"
            self.violation(Broken.OTHER_ORIGINAL, station, text)
        if command.role in CANCELS and entry.answers == 0:
            self.violation(Broken.NOT_ANSWERED, station, f"{name}: {entry.trace_number} was never answered")
        if entry.outcome in _RETURNED:
            text = f"{name}: {entry.trace_number} was {entry.outcome}"
            if command.role in CANCELS:
                self.violation(Broken.NOTHING_TO_CANCEL, station, text)
            else:
                self.suspicion(Odd.CONFIRM_OF_RETURNED, station, text)
        if (follow_up := self._followed.get(entry.key)) is not None:
            text = f"{name}: {follow_up} has shown that the client knows {entry.trace_number}"
            self.violation(Broken.FOLLOWED_UP, station, text)


def _described(command: Command) -> tuple[str, str, int, int]:
    return command.original_type, command.terminal_id, command.original_route, command.amount


assert set(_AGAIN) | set(_AGAIN.values()) == set(FAULT_COMMANDS)
