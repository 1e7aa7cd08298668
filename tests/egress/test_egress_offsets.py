"""How far a line's dispatches are done with: the position never passes one whose outcome is not in the log."""

import pytest

from egress.offsets import Offsets

# What happens, and the position after it.
COURSES = {
    "in order": "read 5 -> 6 | open 5 -> 5 | close 5 -> 6",
    "the first keeps all others": """
        read 5 -> 6 | open 5 -> 5 | read 6 -> 5 | open 6 -> 5 | read 7 -> 5 | open 7 -> 5 |
        close 7 -> 5 | close 6 -> 5 | close 5 -> 8
    """,
    "the last keeps itself": "read 6 -> 7 | open 5 -> 5 | open 6 -> 5 | close 5 -> 6 | close 6 -> 7",
    "what was read earlier moves nothing": "read 8 -> 9 | read 6 -> 9 | open 8 -> 8 | close 8 -> 9",
    "closed without being awaited": "close 5 -> 5 | read 5 -> 6 | open 5 -> 5 | close 4 -> 5 | close 5 -> 6",
    "opened again": "read 5 -> 6 | open 5 -> 5 | open 5 -> 5 | close 5 -> 6 | close 5 -> 6",
    "opened before it is read": "open 7 -> 5 | read 7 -> 7 | close 7 -> 8",
}


@pytest.mark.parametrize("name", COURSES)
def test_the_position_is_that_of_the_table(name: str) -> None:
    offsets = Offsets(5)
    assert offsets.position == 5
    awaited: set[int] = set()
    for step in COURSES[name].split("|"):
        what, place, arrow, position = step.split()
        assert arrow == "->"
        getattr(offsets, what)(int(place))
        awaited |= {int(place)} if what == "open" else set()
        awaited -= {int(place)} if what == "close" else set()
        assert offsets.position == int(position), step
        assert len(offsets) == len(awaited)
        assert [each for each in range(10) if each in offsets] == sorted(awaited)
