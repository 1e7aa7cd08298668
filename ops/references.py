"""How a person names a payment: ``CUSTOMER:REFERENCE`` as every command shows it, or its reference alone."""

from collections.abc import Iterable
from difflib import get_close_matches


def parted(text: str) -> tuple[str | None, str]:
    """The customer, where it is named, and the reference."""
    customer, colon, reference = text.partition(":")
    return (customer, reference) if colon else (None, text)


def named(text: str, known: Iterable[str]) -> list[str]:
    """Those transaction ids that may be meant: the id itself, else every one with this reference."""
    ids = list(known)
    if text in ids:
        return [text]
    return [] if ":" in text else [each for each in ids if each.partition(":")[2] == text or each.endswith(f"/{text}")]


def nearest(given: str, known: Iterable[str]) -> str:
    """What to give in place of a name that is not known: ``did you mean …? known: …``."""
    names = list(dict.fromkeys(known))
    lower = {name.lower(): name for name in names}
    near = [lower[each] for each in get_close_matches(given.lower(), lower, n=3, cutoff=0.5)]
    meant = f"{', '.join(near)} のことですか did you mean {' or '.join(near)}? " if near else ""
    return f"{meant}登録済み known: {', '.join(names)}"
