"""Whether a telegram is plainly the answer to one of ours: no field that names ours may say something else. Pure.

By the layout's match fields `egress.flights` finds the one telegram that may be meant. What else the partner repeats of
it is compared here: who, how much, and about which original. An answer that contradicts its request answers nothing.
"""

from collections.abc import Collection, Mapping

from schemas.telegrams import DecodeError, PartnerSpec, Role, Value

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

Named = Mapping[str, Value]


def named(spec: PartnerSpec, role: Role, given: Named) -> tuple[bytes, Named]:
    """A telegram's bytes, and what names it, as whoever reads them has it. Raises `EncodeError`, `ValueError`."""
    dated = spec.dated(given)
    data = dated.encode(role, given)
    try:
        read: Named = dated.decode(data).values
    except DecodeError:  # by layouts that write what they do not read: what was given has to do
        read = given
    return data, {name: read[name] for name in REPEATED if name in given and name in read}


def named_in_error(spec: PartnerSpec, role: Role, ours: Named) -> Named:
    """What names it in an error report 異常報告, whose "original" is the telegram that was in error."""
    found = {name: value for name, value in ours.items() if not name.startswith("original_")}
    for name in ("trace_number", "route_number", "business_date", "amount"):
        if name in ours:
            found[f"original_{name}"] = ours[name]
    found["original_type_code"] = spec.dated(ours).type_code(role)
    return found


def contradiction(answer: Named, ours: Named, days: Collection[str]) -> str | None:
    """The first field in which the answer says something else; None: none.

    The business date may be that of the telegram, or one of `days`, those that it may be now by the partner's clock:
    around midnight more than one is right.
    """
    for name, value in ours.items():
        said = answer.get(name, value)
        if said != value and not (name == "business_date" and said in days):
            return name
    return None
