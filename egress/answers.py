"""Whether a telegram is plainly the answer to one of ours: no field that names ours may say something else. Pure.

By the layout's match fields `egress.flights` finds the one telegram that may be meant. What else the partner repeats of
it is compared here: who, how much, and about which original. An answer that contradicts its request answers nothing.
"""

from collections.abc import Mapping
from typing import NamedTuple

from egress.numbers import days_about
from schemas.telegrams import DecodeError, EncodeError, PartnerSpec, Role, Value

REPEATED = (
    "company_code",
    "station_id",
    "business_date",
    "trace_number",
    "route_number",
    "terminal_id",
    "amount",
    "payment_method",
    "reference",
    "original_type_code",
    "original_trace_number",
    "original_route_number",
    "original_business_date",
    "original_amount",
    "original_approval_code",
    "carried_code",
)
"""What an answer can say of the telegram that it answers. The rest is the partner's own: its time, codes, approval."""

Fields = Mapping[str, Value]


class Named(NamedTuple):
    """What names a telegram of ours: of `REPEATED` the values that it was given, and where they were written.

    It lives as long as an answer may come, so it holds no bytes: there the card would be.
    """

    given: Fields
    edition: PartnerSpec | None = None  # None: how a former owner's telegram was written is not known
    role: Role = Role.ERROR_REPORT

    def read(self) -> Fields:
        """The same as whoever reads the telegram has it."""
        if self.edition is None:
            return self.given
        values = {**self.edition.telegrams[self.role].sample(optional=False), **self.given}
        try:
            read = self.edition.decode(self.edition.encode(self.role, values)).values
        except (DecodeError, EncodeError):  # by layouts that write what they do not read: what was given has to do
            return self.given
        return {name: read[name] for name in self.given if name in read}


NAMELESS = Named({})


def named(spec: PartnerSpec, role: Role, given: Fields) -> tuple[bytes, Named]:
    """A telegram's bytes, and what names it. Raises `EncodeError`, `ValueError`."""
    edition = spec.dated(given)
    return edition.encode(role, given), Named({name: given[name] for name in REPEATED if name in given}, edition, role)


def named_in_error(spec: PartnerSpec, role: Role, ours: Named) -> Named:
    """What names it in an error report 異常報告, whose "original" is the telegram that was in error."""
    read = ours.read()
    found = {name: value for name, value in read.items() if not name.startswith("original_")}
    for name in ("trace_number", "route_number", "business_date", "amount"):
        if name in read:
            found[f"original_{name}"] = read[name]
    found["original_type_code"] = spec.dated(read).type_code(role)
    return Named(found)


def contradiction(answer: Fields, ours: Named, now_ms: int) -> str | None:
    """The first field in which the answer says something else; None: none.

    What was given settles it nearly always. Only where that differs is our own telegram read: a layout may write less
    than it is given. The business date may be that of the telegram, or one that it may be now by the partner's clock:
    around midnight more than one is right.
    """
    if _other(answer, ours.given, now_ms) is None:
        return None
    return _other(answer, ours.read(), now_ms)


def _other(answer: Fields, ours: Fields, now_ms: int) -> str | None:
    for name, value in ours.items():
        said = answer.get(name, value)
        if said != value and not (name == "business_date" and said in days_about(now_ms)):
            return name
    return None
