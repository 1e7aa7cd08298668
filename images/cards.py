"""Which cards may be shown in clear in documents: the published test numbers, and nothing else.

A list decides, not a flag of convenience: a number that is not here stays masked, whoever asks.
"""

from images.annotated import AnnotatedTelegram
from schemas.telegrams import Message

TEST_NUMBERS = frozenset(
    {
        "4111111111111111",  # Visa
        "4012888888881881",
        "4242424242424242",
        "5555555555554444",  # Mastercard
        "5105105105105100",
        "3530111333300000",  # JCB
        "3566002020360505",
        "378282246310005",  # American Express
        "371449635398431",
        "30569309025904",  # Diners Club
        "38520000023237",
    }
)
"""Numbers that card brands and payment services publish for tests; no card with one of them exists."""


def may_be_shown(message: Message, inside: AnnotatedTelegram | None = None) -> bool:
    """Whether a telegram may be shown in clear: every card number in it is a published test number.

    Sensitive fields without a card number beside them are not. An envelope is where nothing of what is `inside`, as it
    is shown itself, is hidden.
    """
    values = message.values
    numbers = [str(values["pan"])] if "pan" in values else []
    if "track2" in values:
        numbers.append(str(values["track2"]).partition("=")[0])
    if "carried_telegram" in values:
        return inside is not None and not numbers and not inside.hidden
    return bool(numbers) and all(number in TEST_NUMBERS for number in numbers)
