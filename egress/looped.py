"""What we have sent ourselves, when it comes back: the line is looped, by a carrier's test or a wrong patch. Pure."""

from collections import deque

from schemas.telegrams import FAULT_COMMANDS, ORDINARY_REQUESTS, STATION_REQUESTS, Role

ASKED = frozenset(STATION_REQUESTS)
STATION = ASKED | {Role.OPENING_ANSWER, Role.CLOSING_ANSWER, Role.KEEPALIVE_ANSWER}
"""The telegrams about the line itself, which both sides send."""

LOOPED = "our own telegram comes back: the line is looped 回線折返し: ask the carrier for loopback tests and patches"

_OURS_ALONE = frozenset({*ORDINARY_REQUESTS, *FAULT_COMMANDS, Role.ENVELOPE_REQUEST})  # no partner sends such
_REMEMBERED = 256  # station telegrams; a quiet line sends three thousand a day


class Sent:
    """The last station telegrams of a line, over whichever connection: a loop may be slow."""

    def __init__(self) -> None:
        self._telegrams: deque[bytes] = deque(maxlen=_REMEMBERED)

    def add(self, telegram: bytes) -> None:
        """It goes out now."""
        self._telegrams.append(telegram)

    def holds(self, telegram: bytes, role: Role) -> bool:
        """Whether what came is what we have sent.

        A station is opened, asked for and closed from either side, so the role does not tell. The bytes do: they hold
        trace number and second, and no two of ours are alike.
        """
        return role in _OURS_ALONE or (role in STATION and telegram in self._telegrams)
