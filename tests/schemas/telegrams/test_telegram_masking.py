"""What people may see of a telegram's values: of a card number ten digits, of what is secret nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.telegrams.masking import HIDDEN, mask_pan, masked_by, masked_plainly, masked_value
from schemas.telegrams.vocabulary import VOCABULARY, Sensitivity


@pytest.mark.parametrize(
    ("pan", "shown"),
    [
        ("4111111111111234", "411111******1234"),
        ("4222222222456", "422222***2456"),  # 13 digits: the shortest of which ten are shown
        ("422222222456", "************"),
        ("4", "*"),
        ("", ""),
        ("4111111111111111234", "411111*********1234"),
    ],
)
def test_of_a_card_number_the_first_six_and_the_last_four_are_shown(pan: str, shown: str) -> None:
    assert mask_pan(pan) == shown


@given(st.text("0123456789", max_size=24))
def test_a_masked_number_is_as_long_and_shows_no_more_than_ten_digits(pan: str) -> None:
    masked = mask_pan(pan)
    assert len(masked) == len(pan)
    assert sum(each != "*" for each in masked) <= 10


def test_what_has_no_sensitivity_known_is_hidden() -> None:
    known = {"amount": Sensitivity.NONE, "pan": Sensitivity.PAN, "expiry": Sensitivity.SECRET}
    values = {"amount": 1_200, "pan": "4111111111111234", "expiry": "2812", "new_field": "what may be anything"}
    assert masked_by(known, values) == {
        "amount": 1_200, "pan": "411111******1234", "expiry": "***", "new_field": "***",
    }  # fmt: skip


def test_the_vocabulary_hides_what_it_calls_secret_and_shows_the_rest() -> None:
    secret = [name for name, term in VOCABULARY.items() if term.sensitivity is Sensitivity.SECRET]
    harmless = [name for name, term in VOCABULARY.items() if term.sensitivity is Sensitivity.NONE]
    assert {"expiry", "track2", "security_code", "pin_block"} <= set(secret)
    assert masked_plainly(dict.fromkeys(secret, "1234")) == dict.fromkeys(secret, HIDDEN)
    assert masked_plainly(dict.fromkeys(harmless, "1234")) == dict.fromkeys(harmless, "1234")
    assert masked_plainly({"pan": "4111111111111234", "of_no_vocabulary": 7}) == {
        "pan": "411111******1234", "of_no_vocabulary": HIDDEN,
    }  # fmt: skip


@pytest.mark.parametrize("value", ["4111111111111234", 4_111_111_111_111_234])
def test_a_value_is_shown_by_its_sensitivity(value: str | int) -> None:
    assert masked_value(Sensitivity.NONE, value) == value
    assert masked_value(Sensitivity.PAN, value) == "411111******1234"
    assert masked_value(Sensitivity.SECRET, value) == HIDDEN == "***"
