"""Trace numbers 処理通番, and the business days 業務日付 they are unique on. Pure."""

from typing import NamedTuple

from schemas.japan_time import business_date

_APART_MS = 60_000  # more than a partner's clock may be off
_DAYS = 3  # that are remembered


class Numbers(NamedTuple):
    """Under which numbers a telegram is known to the partner. Unique: trace number within line and business date."""

    trace_number: int
    route_number: int
    business_date: str


def days_about(now_ms: int) -> frozenset[str]:
    """The business days that it may be now by a partner's clock: around midnight two."""
    return frozenset({business_date(now_ms - _APART_MS), business_date(now_ms + _APART_MS)})


class Shares(NamedTuple):
    """How a partner's range is shared out: the first and the last number of each."""

    dispatched: tuple[int, int]  # requests, and cancel telegrams as long as it lasts
    reserve: tuple[int, int]  # station telegrams, and cancel telegrams after that


def shares_of(first: int, last: int) -> Shares:
    """A tenth of the range is the reserve, at its end, where a partner that counts from the first on comes last."""
    reserve = max(1, (last - first + 1) // 10)
    return Shares((first, last - reserve), (last - reserve + 1, last))


class TraceNumbers:
    """The trace number of a telegram is its place in the line's `dispatch`, turned round within its share of the range.

    So it is known before anything is written, is the same for whoever owns the line, and does not repeat before the
    whole range is used. What would repeat within a business day is refused (`of` gives None).
    """

    def __init__(self, first: int, last: int) -> None:
        self._first = first
        self._count = last - first + 1
        self._days = Days()

    def day_began(self, day: str, offset: int) -> None:
        """No telegram of this business day has an offset before `offset`."""
        self._days.began(day, offset)

    def of(self, offset: int, day: str, oldest_open: int) -> int | None:
        """The number for the telegram at `offset`; `oldest_open` is the least offset a telegram may still have."""
        self._days.began(day, oldest_open)
        if offset - self._days.start(day, offset) >= self._count:
            return None
        return self._first + offset % self._count

    def left(self, next_offset: int, day: str) -> int:
        """How many more there are on this business day, for the dispatches from `next_offset` on."""
        return max(0, self._count - (next_offset - self._days.start(day, next_offset)))


class Days:
    """From which place on each of the last business days has used numbers: a clock may go back over midnight."""

    def __init__(self) -> None:
        self._starts: dict[str, int] = {}

    def began(self, day: str, place: int) -> None:
        """No telegram of this day has a place before this; what was said of it first holds."""
        if day > max(self._starts, default=""):
            self._starts[day] = place
            for old in sorted(self._starts)[:-_DAYS]:
                del self._starts[old]

    def start(self, day: str, otherwise: int) -> int:
        """Its first place; `otherwise` of a day to come. Of an earlier one than is known all may have been used."""
        if day in self._starts or day > max(self._starts, default=""):
            return self._starts.get(day, otherwise)
        return min(self._starts.values())


class Reserved(NamedTuple):
    """Places of a line's reserve that an owner may use; no telegram of `day` has one before `day_began_at`."""

    start: int
    end: int
    day: str
    day_began_at: int


BATCH = 200  # the most
AT_FIRST = 8  # on taking a line: enough to open and probe it; a line that changes hands often must not use up the day


def batch_of(count: int) -> int:
    """How many places of a reserve of `count` an owner takes at once. What it does not use, nobody will."""
    return min(BATCH, max(1, count // 100))


FIRST_TIME = Reserved(0, 0, "", 0)
FIRST_BATCH = Reserved(0, BATCH, "", 0)


class Reserve:
    """The trace numbers that need no dispatch: the next one, of those that `egress.reserving` has taken for this owner.

    Not two are alike before the whole share is used; what would repeat within a business day is refused. The last tenth
    is for cancel telegrams alone: a line that cannot be asked for is a nuisance, a cancel that cannot be sent is money.
    """

    def __init__(self, first: int, last: int) -> None:
        self._first = first
        self._count = last - first + 1
        self._next = self._end = 0
        self._granted = 0  # at once, the last time
        self._after: Reserved | None = None  # granted while the places before it are used up
        self._days = Days()

    def grant(self, reserved: Reserved) -> None:
        """More places."""
        self._granted = reserved.end - reserved.start
        if self._next >= self._end:
            self._next, self._end = reserved.start, reserved.end
        else:
            self._after = reserved
        self._days.began(reserved.day, reserved.day_began_at)

    @property
    def wants_more(self) -> bool:
        """Whether it is time to take more places."""
        return self._after is None and 2 * (self._end - self._next) <= self._granted

    def comes_later(self, day: str) -> bool:
        """Whether a cancel telegram finds no number now, and will when more places are granted."""
        return self._next >= self._end and self.left(day, cancel=True) > 0

    def of(self, day: str, *, cancel: bool, keep: float = 0) -> int | None:
        """The next number; None where there is none now, or no more than this part of all is left of the business day.

        `keep` is a part of the whole reserve, from 0 to 1.
        """
        if self.left(day, cancel=cancel) <= keep * self._count or self._next >= self._end:
            return None
        self._days.began(day, self._next)
        number = self._first + self._next % self._count
        self._next += 1
        if self._next >= self._end and self._after is not None:
            self._next, self._end, self._after = self._after.start, self._after.end, None
        return number

    def left(self, day: str, *, cancel: bool) -> int:
        """How many more there are on this business day."""
        kept = 0 if cancel else self._count // 10
        return max(0, self._count - kept - (self._next - self._days.start(day, self._next)))
