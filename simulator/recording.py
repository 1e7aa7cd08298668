"""What happened in a run, written as a scenario that makes it happen again. Pure.

A recorded telegram is known again by its role, terminal, amount and masked card number (six digits and four);
of several that are alike the first recorded one comes first. So the same requests have the same fate, in whatever order
different ones come, and over whichever line; in the same order they lead to the same ledger.

[[recorded]]
at_s = 1.25                  # when it came; for people
role = "sale_request"
terminal_id = "4980123456789"
amount = 4000
pan = "411111******1111"
do = "decline"
code = "D04"
after_ms = 60
"""

from collections import Counter, deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from schemas.telegrams import STATION_REQUESTS, Message, PartnerSpec, Role
from simulator.deeds import Deed
from simulator.rules import Fate
from simulator.timeline import Event

MOST = 100_000  # telegrams of a record


class Recorded(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """One telegram and its fate. `pan` is masked; `station` stands for telegrams about the line itself only."""

    at_s: float
    role: Role
    station: str | None = None
    terminal_id: str | None = None
    amount: int | None = None
    pan: str | None = None
    do: Deed
    code: str | None = None
    after_ms: int = 0
    floor_limit: int | None = None

    @property
    def key(self) -> "Key":
        return Key(self.role, self.station, self.terminal_id, self.amount, self.pan)

    @property
    def fate(self) -> Fate:
        return Fate(self.do, self.after_ms, self.code, self.floor_limit)


class Key(NamedTuple):
    """How a recorded telegram is known again."""

    role: Role
    station: str | None
    terminal_id: str | None
    amount: int | None
    pan: str | None


def key_of(message: Message, station: str, partner: PartnerSpec) -> Key:
    """The key of a telegram that came over the line of this station."""
    if message.role in STATION_REQUESTS:
        return Key(message.role, station, None, None, None)
    values = message.values
    terminal_id, amount = values.get("terminal_id"), values.get("amount")
    pan = partner.masked({"pan": values["pan"]})["pan"] if "pan" in values else None
    return Key(
        message.role,
        None,
        None if terminal_id is None else str(terminal_id),
        amount if isinstance(amount, int) else None,
        None if pan is None else str(pan),
    )


class Replay:
    """The recorded fates that have not been used yet."""

    def __init__(self, recorded: Sequence[Recorded]) -> None:
        self._fates: dict[Key, deque[Fate]] = {}
        for each in recorded:
            self._fates.setdefault(each.key, deque()).append(each.fate)
        self.left = len(recorded)

    def fate(self, key: Key) -> Fate | None:
        """What is to become of this telegram; None where nothing is recorded of it any more."""
        fates = self._fates.get(key)
        if not fates:
            return None
        self.left -= 1
        return fates.popleft()


class Recorder:
    """What happens, as far as it decides what clients see: telegrams with their fates, and the centre's own events."""

    def __init__(self) -> None:
        self._telegrams: list[Recorded] = []
        self._events: list[Event] = []
        self.missed: Counter[str] = Counter()  # what came after the record was full

    def telegram(self, since_s: float, key: Key, fate: Fate) -> None:
        """One came, and this becomes of it."""
        if len(self._telegrams) >= MOST:
            self.missed["telegrams"] += 1
            return
        self._telegrams.append(
            Recorded(
                at_s=round(since_s, 3), **key._asdict(), do=fate.do, code=fate.code, after_ms=fate.after_ms,
                floor_limit=fate.floor_limit,
            )
        )  # fmt: skip

    def event(self, since_s: float, event: Event) -> None:
        """The centre did this of its own accord."""
        if len(self._events) >= MOST:
            self.missed["events"] += 1
            return
        self._events.append(Event(event.do, at_s=round(since_s, 3), station=event.station))

    @property
    def count(self) -> int:
        """How many telegrams are recorded."""
        return len(self._telegrams)

    def written(self) -> dict[str, Any]:
        """The sections of a scenario."""
        written: dict[str, Any] = msgspec.to_builtins({"event": self._events, "recorded": self._telegrams})
        return {name: rows for name, rows in written.items() if rows}
