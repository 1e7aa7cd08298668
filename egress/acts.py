"""What a line wants done: the only words between `egress.core` and its shell. Pure."""

from typing import NamedTuple

from schemas.records import Record, TelegramSent, TelegramWithheld


class Store(NamedTuple):
    """Write this to `sent`; when it is stored, and nobody else wrote before it, call ``stored(offset)``."""

    offset: int
    key: bytes
    record: TelegramSent | TelegramWithheld


class Tell(NamedTuple):
    """Write this; when it is stored, and `offset` is one, call ``told(offset)``. A record None is a tombstone.

    `copy`: of a stray that is the same answer once more: no sign of a partner that is out of order.
    """

    topic: str
    key: bytes
    record: Record | None
    offset: int | None = None
    copy: bool = False


class Transmit(NamedTuple):
    """Put these bytes (framed) onto the line."""

    data: bytes


class Hang(NamedTuple):
    """Break the connection. `warn`: for a reason that somebody has to look after, so that the log says it too."""

    reason: str
    warn: bool = False


class Seek(NamedTuple):
    """Seek a connection, and another whenever it breaks."""


class Rest(NamedTuple):
    """Seek none any more, and break what there is."""


Act = Store | Tell | Transmit | Hang | Seek | Rest
