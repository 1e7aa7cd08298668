"""The telegrams that passed, in order, as people may see them: card numbers masked, other card data hidden.

A centre that was told to record (``--record``) keeps the bytes of each, too; with them card data in clear. So it is for
test cards alone: `denbun images` makes its documents of it.
"""

import itertools
from collections import deque
from collections.abc import Callable

import msgspec

from schemas.telegrams import Message, PartnerSpec, Role
from simulator.deeds import Deed

_KEPT = 200_000


class Told(msgspec.Struct, frozen=True):
    """A line of the story: one telegram that passed. `way` is seen from the gateway."""

    number: int
    station: str
    way: str  # "→" from the gateway, "←" to it
    role: Role
    type_code: str
    route_number: int
    trace_number: int
    original_trace_number: int | None
    text: str
    deed: Deed | None = None  # what the centre did with it; None for what it sent, and for answers to it
    at_ms: int | None = None  # when it passed, by the centre's clock; None where it has none
    data: str | None = None  # its bytes without framing, in hexadecimal digits; None where they are not recorded


class Story:
    """The last telegrams of a centre, numbered from 1; none of them where it is not kept.

    `clock_s`: seconds since the epoch, for the time of each. `recorded`: with their bytes.
    """

    def __init__(
        self, partner: PartnerSpec, *, kept: bool, clock_s: Callable[[], float] | None = None, recorded: bool = False
    ) -> None:  # fmt: skip
        self._partner = partner
        self._clock_s = clock_s
        self._recorded = recorded
        self._told: deque[Told] | None = deque(maxlen=_KEPT) if kept else None
        self._number = 0

    def tell(self, station: str, way: str, message: Message, data: bytes, deed: Deed | None = None) -> None:
        """One more has passed, of these bytes."""
        self._number += 1
        if self._told is None:
            return
        values = message.values
        partner = self._partner.dated(values)
        self._told.append(
            Told(
                number=self._number,
                station=station,
                way=way,
                role=message.role,
                type_code=partner.type_code(message.role),
                route_number=number_in(message, "route_number"),
                trace_number=number_in(message, "trace_number"),
                original_trace_number=(
                    number_in(message, "original_trace_number") if "original_trace_number" in values else None
                ),
                text=partner.describe(message),
                deed=deed,
                at_ms=None if self._clock_s is None else int(self._clock_s() * 1_000),
                data=data.hex() if self._recorded else None,
            )
        )

    def since(self, number: int) -> list[Told]:
        """Those from this number on."""
        return [told for told in self._told or () if told.number >= number]

    def last(self, count: int) -> list[Told]:
        """The last so many, the newest first, without their bytes: so people may see them."""
        newest = itertools.islice(reversed(self._told or ()), count)
        return [told if told.data is None else msgspec.structs.replace(told, data=None) for told in newest]


def number_in(message: Message, name: str) -> int:
    """The number a telegram has in a field that every telegram has."""
    value = message.values[name]
    assert isinstance(value, int), name
    return value


def text_in(message: Message, name: str) -> str:
    """The text a telegram has in a field."""
    return str(message.values[name])
