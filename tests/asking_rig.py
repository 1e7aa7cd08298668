"""Asking a partner's layout about a client's request as the door does."""

from collections.abc import Mapping
from types import SimpleNamespace

from schemas.telegrams import ASKED_AS, Asking, PartnerSpec, Role, Value


def request(values: Mapping[str, Value | None]) -> SimpleNamespace:
    """A request with these values, by their names in the telegrams; None of a name where the client gave none."""
    asked = SimpleNamespace(card=SimpleNamespace())
    for name, at in ASKED_AS.items():
        *path, last = at.split(".")
        setattr(asked.card if path else asked, last, values.get(name))
    return asked


def asked_fault(partner: PartnerSpec, role: Role, values: Mapping[str, Value | None]) -> str | None:
    """The first fault of these values."""
    return Asking(partner, role).fault(request(values))
