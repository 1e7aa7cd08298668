"""The plaintexts under a seal: their written form, which an old ring's owner reads, and that no text shows them."""

import pytest

from schemas.cards import CardError, _Card, _Sensitive, pack_card, pack_sensitive, unpack_card, unpack_sensitive

PAN = "4111111111111111"


def test_a_card_is_written_as_the_page_says() -> None:
    assert pack_card(PAN, "2812") == b'{"pan":"4111111111111111","expiry":"2812"}'
    assert unpack_card(b'{"expiry": "2812", "pan": "4111111111111111"}') == (PAN, "2812")


@pytest.mark.parametrize(("track2", "code"), [("4111=2812", "123"), (None, "123"), ("4111=2812", None), (None, None)])
def test_sensitive_data_is_written_as_the_page_says(track2: str | None, code: str | None) -> None:
    plain = pack_sensitive(track2, code)
    assert unpack_sensitive(plain) == (track2, code)
    assert pack_sensitive("4111=2812", None) == b'{"track2":"4111=2812","security_code":null}'


@pytest.mark.parametrize("plain", [b"", b"{}", b"[]", b'{"pan": 4111, "expiry": "2812"}', b'{"pan":"4111111111111111"'])
def test_what_is_no_card_is_said_without_a_word_of_it(plain: bytes) -> None:
    with pytest.raises(CardError) as raised:
        unpack_card(plain)
    assert str(raised.value) == "what was sealed as a card is not one: see schemas/cards.py for its form"
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


@pytest.mark.parametrize("plain", [b"", b"{}", b'{"track2": 1, "security_code": null}', b'{"track2":"4111=2812"'])
def test_what_is_no_sensitive_data_is_said_without_a_word_of_it(plain: bytes) -> None:
    with pytest.raises(CardError) as raised:
        unpack_sensitive(plain)
    assert str(raised.value) == "what was sealed as sensitive data is not: see schemas/cards.py for its form"
    assert raised.value.__suppress_context__


def test_no_text_shows_what_was_opened() -> None:
    assert repr(_Card(PAN, "2812")) == str(_Card(PAN, "2812")) == "Card(…)"
    assert repr(_Sensitive("4111=2812", "123")) == "Sensitive(…)"
