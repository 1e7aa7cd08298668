"""Whether a partner's layout takes what a client asks for: told at the door, before anything is written. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from schemas.telegrams.errors import EncodeError
from schemas.telegrams.roles import Role
from schemas.telegrams.spec import PartnerSpec
from schemas.telegrams.vocabulary import Value

# The names of the telegrams that a client gives a value for, and what the client protocol calls them.
ASKED_AS: Mapping[str, str] = MappingProxyType(
    {
        "terminal_id": "terminal_id",
        "amount": "amount",
        "payment_method": "payment_method",
        "reference": "reference",
        "pan": "card.number",
        "expiry": "card.expiry",
        "track2": "track2",
        "security_code": "security_code",
    }
)


def asked_fault(partner: PartnerSpec, role: Role, values: Mapping[str, Value | None]) -> str | None:
    """The first field of a client's request that the partner's telegram cannot take, and why; None: it takes all.

    `partner` is the edition of the day; `role` one of `ORDINARY_REQUESTS`; `values` are by the names of `ASKED_AS`,
    None where the client gave none. A name the telegram has no field for is left out, as on the line. The text is in
    the client's words and holds no value.
    """
    telegram = partner.telegrams[role]
    given = {name: value for name, value in values.items() if value is not None and name in telegram.names}
    try:
        partner.encode(role, {**telegram.sample(optional=False), **given})
    except EncodeError as error:
        asked = ASKED_AS.get(error.field or "")
        if asked is None:  # then the law of loading has a hole, and the client needs an answer all the same
            return f"a {role.value} does not fit, in the telegrams of {partner.name}"
        return f"{asked} {error.problem}, in the telegrams of {partner.name}"
    return None
