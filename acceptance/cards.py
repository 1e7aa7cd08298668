"""Test cards by brand: numbers that brands and payment services publish for tests (`images.cards`)."""

from collections.abc import Mapping
from typing import NamedTuple


class Plastic(NamedTuple):
    """A card to test with. `expiry` is YYMM."""

    ja: str
    en: str
    number: str
    expiry: str
    security_code: str

    def __repr__(self) -> str:
        return f"Plastic({self.en})"


CARDS: Mapping[str, Plastic] = {
    "visa": Plastic("Visa（16桁）", "Visa, 16 digits", "4111111111111111", "2812", "737"),
    "mastercard": Plastic("Mastercard（16桁）", "Mastercard, 16 digits", "5555555555554444", "2811", "604"),
    "jcb": Plastic("JCB（16桁）", "JCB, 16 digits", "3530111333300000", "2810", "512"),
    "amex": Plastic("American Express（15桁）", "American Express, 15 digits", "378282246310005", "2809", "7373"),
    "diners": Plastic("Diners Club（14桁）", "Diners Club, 14 digits", "30569309025904", "2808", "845"),
}
"""On a real line the partner gives test cards of its own: `denbun acceptance --cards`."""
