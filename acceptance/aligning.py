"""Lays the telegrams that passed beside the lines of a case: which belongs to which, and which has no fellow. Pure."""

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from acceptance.cases import Case
from acceptance.expected import Expected
from acceptance.record import Telegram
from schemas.telegrams import Role

Row = tuple[int | None, int | None]
_Key = tuple[str, Role]


class Aligned(NamedTuple):
    """Rows of (line of the case, telegram), counted from 0; either may be missing."""

    rows: tuple[Row, ...]

    def of_line(self, line: int) -> list[int]:
        """The telegrams that were laid beside this line."""
        return [seen for each, seen in self.rows if each == line and seen is not None]


def align(case: Case, telegrams: Sequence[Telegram], counts: Mapping[str, int]) -> Aligned:
    """The rows of a case: in its order, or for a case in any order by kind. `counts`: as in `expected.COUNTS`."""
    wanted = [at for at, each in enumerate(case.telegrams) for _ in range(each.times.number(counts))]
    keys = [(each.way, each.role) for each in telegrams]
    rows = _by_kind(case, wanted, keys) if case.any_order else _in_order(case, wanted, keys)
    return Aligned(tuple(_absorbed(case, rows, keys)))


def _key(expected: Expected) -> _Key:
    return expected.way, expected.role


def _in_order(case: Case, wanted: Sequence[int], keys: Sequence[_Key]) -> list[Row]:
    rows: list[Row] = []
    matcher = SequenceMatcher(None, [_key(case.telegrams[at]) for at in wanted], keys, autojunk=False)
    for _, first, last, begin, end in matcher.get_opcodes():
        ours, theirs = wanted[first:last], range(begin, end)
        if len(ours) == len(theirs) and all(
            _key(case.telegrams[at]) == keys[seen] for at, seen in zip(ours, theirs, strict=True)
        ):
            rows += zip(ours, theirs, strict=True)
        else:
            rows += [(at, None) for at in ours] + [(None, seen) for seen in theirs]
    return rows


def _by_kind(case: Case, wanted: Sequence[int], keys: Sequence[_Key]) -> list[Row]:
    left = list(range(len(keys)))
    rows: list[Row] = []
    for at in wanted:
        seen = next((each for each in left if keys[each] == _key(case.telegrams[at])), None)
        if seen is not None:
            left.remove(seen)
        rows.append((at, seen))
    return rows + [(None, seen) for seen in left]


def _absorbed(case: Case, rows: Sequence[Row], keys: Sequence[_Key]) -> list[Row]:
    """A line of which there may be more takes those that are left over and like it."""
    open_lines = {_key(each): at for at, each in enumerate(case.telegrams) if each.times.at_least}
    return [
        (open_lines.get(keys[seen]), seen) if line is None and seen is not None else (line, seen) for line, seen in rows
    ]
