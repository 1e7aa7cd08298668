"""What is inside a sealed card: the plaintexts that ingress closes and egress alone opens.

Both are compact JSON, so that a ring's owner can read an old one with nothing but this page:
``{"pan": "4111…", "expiry": "2812"}`` under purpose `card`, ``{"track2": …, "security_code": …}`` under `sensitive`.
"""

import msgspec


class CardError(ValueError):
    """An opened plaintext is not what it should be. The text never holds any of it."""


class _Card(msgspec.Struct, frozen=True):
    pan: str
    expiry: str

    def __repr__(self) -> str:
        return "Card(…)"


class _Sensitive(msgspec.Struct, frozen=True):
    track2: str | None
    security_code: str | None

    def __repr__(self) -> str:
        return "Sensitive(…)"


_encode = msgspec.json.Encoder().encode
_card = msgspec.json.Decoder(_Card)
_sensitive = msgspec.json.Decoder(_Sensitive)


def pack_card(pan: str, expiry: str) -> bytes:
    """The plaintext of card number and expiry (YYMM)."""
    return _encode(_Card(pan, expiry))


def unpack_card(plain: bytes) -> tuple[str, str]:
    """Card number and expiry (YYMM). Raises `CardError`."""
    try:
        card = _card.decode(plain)
    except ValueError:
        raise CardError("what was sealed as a card is not one: see schemas/cards.py for its form") from None
    return card.pan, card.expiry


def pack_sensitive(track2: str | None, security_code: str | None) -> bytes:
    """The plaintext of what must not outlive the authorisation (PCI DSS 3.3)."""
    return _encode(_Sensitive(track2, security_code))


def unpack_sensitive(plain: bytes) -> tuple[str | None, str | None]:
    """Track 2 and security code, None for what there is not. Raises `CardError`."""
    try:
        sensitive = _sensitive.decode(plain)
    except ValueError:
        raise CardError("what was sealed as sensitive data is not: see schemas/cards.py for its form") from None
    return sensitive.track2, sensitive.security_code
