"""Asking a partner's layout about a client's request as the door does."""

from collections.abc import Mapping

from schemas.telegrams import Asking, PartnerSpec, Role, Value


def asked_fault(partner: PartnerSpec, role: Role, values: Mapping[str, Value | None]) -> str | None:
    """The first fault of these values; None of a name where the client gave none."""
    asking = Asking(partner, role)
    return asking.fault({name: value for name in asking.names if (value := values.get(name)) is not None})
