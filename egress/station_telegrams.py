"""What a station 開局・閉局 sends: the answer to each request, words for one that fails, its share of numbers. Pure."""

from schemas.japan_time import DAY_MS, midnight_ms
from schemas.telegrams import Role

ANSWER_TO = {
    Role.KEEPALIVE_REQUEST: Role.KEEPALIVE_ANSWER,
    Role.OPENING_REQUEST: Role.OPENING_ANSWER,
    Role.CLOSING_REQUEST: Role.CLOSING_ANSWER,
}
NOT_ANSWERED = {
    Role.OPENING_REQUEST: "opening not answered",
    Role.KEEPALIVE_REQUEST: "keep-alive not answered",
    Role.CLOSING_REQUEST: "closing not answered",
}
NO_NUMBER = {
    Role.OPENING_REQUEST: "no trace number is left for the opening now",
    Role.CLOSING_REQUEST: "no trace number is left for the closing",
}
_KEPT_FROM = {Role.KEEPALIVE_REQUEST: 1 / 2, Role.OPENING_REQUEST: 1 / 4, Role.CLOSING_REQUEST: 0}


def kept_from(role: Role, now_ms: int) -> float:
    """The part of a line's reserve that a telegram of ours in this role must leave for the rest of the business day.

    Where a partner's numbers are few, neither a quiet night's keep-alives nor a day of openings in vain may shut the
    line until midnight: so they go out less often in time.
    """
    return _KEPT_FROM[role] * (midnight_ms(now_ms) + DAY_MS - now_ms) / DAY_MS
