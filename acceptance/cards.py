"""Test cards by brand: numbers that brands and payment services publish for tests (`images.test_cards`)."""

from collections.abc import Mapping
from typing import NamedTuple


class TestCard(NamedTuple):
    """A card to test with. `expiry` is YYMM."""

    __test__ = False

    ja: str
    en: str
    number: str
    expiry: str
    security_code: str

    def __repr__(self) -> str:
        return f"TestCard({self.en})"


CARDS: Mapping[str, TestCard] = {
    "visa": TestCard("Visa（16桁）", "Visa, 16 digits", "4111111111111111", "2812", "737"),
    "mastercard": TestCard("Mastercard（16桁）", "Mastercard, 16 digits", "5555555555554444", "2811", "604"),
    "jcb": TestCard("JCB（16桁）", "JCB, 16 digits", "3530111333300000", "2810", "512"),
    "amex": TestCard("American Express（15桁）", "American Express, 15 digits", "378282246310005", "2809", "7373"),
    "diners": TestCard("Diners Club（14桁）", "Diners Club, 14 digits", "30569309025904", "2808", "845"),
}
"""On a real line the partner gives test cards of its own: `denbun acceptance --cards`."""
