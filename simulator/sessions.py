"""How many connections a centre takes, and what becomes of a further one. Values only.

[sessions]
per_centre = 8               # connections in all; leave it out for any number
per_line = 1                 # on which one station 回線 may be open at once
excess = "replace"           # the oldest session of the station gives way; or "hang_up", "refuse_opening"
"""

from enum import StrEnum

import msgspec


class Excess(StrEnum):
    """What becomes of a session that is too much."""

    REPLACE = "replace"  # the oldest one of its station gives way; where there is none, it is hung up
    HANG_UP = "hang_up"  # its connection is broken
    REFUSE_OPENING = "refuse_opening"  # its opening is refused; the connection stays


class Sessions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The limits of a centre."""

    per_centre: int | None = None
    per_line: int = 1
    excess: Excess = Excess.REPLACE


def sessions_problem(sessions: Sessions) -> str | None:
    """What is wrong with the limits, and the remedy; None where nothing is."""
    if sessions.per_line < 1:
        return "per_line: must be at least 1"
    if sessions.per_centre is not None and sessions.per_centre < 1:
        return "per_centre: must be at least 1, or left out for any number"
    return None
