"""The words in which telegrams and codes are named in tables, the same for every partner.

Telegrams go by CAFIS's type codes where it has one (8930 …), codes by CAFIS's (C13 …): `code_for` finds the partner's
own. Arrows are seen from the gateway: → to the partner, ← from it.
"""

from collections.abc import Mapping

from schemas.records import Kind
from schemas.telegrams import ErrorClass, PartnerSpec, Role

OUT, IN = "→", "←"

REQUESTS: Mapping[Kind, tuple[Role, Role]] = {
    Kind.AUTHORISATION: (Role.AUTHORISATION_REQUEST, Role.AUTHORISATION_REPORT),
    Kind.SALE: (Role.SALE_REQUEST, Role.SALE_REPORT),
    Kind.CANCEL: (Role.CANCEL_REQUEST, Role.CANCEL_REPORT),
    Kind.REFUND: (Role.REFUND_REQUEST, Role.REFUND_REPORT),
}
"""The telegrams of what a client may ask for, and of its answer."""

SHORT: Mapping[str, Role] = {
    "8910": Role.FAULT_CANCEL,
    "8920": Role.FAULT_CANCEL_AGAIN,
    "8930": Role.FAULT_CONFIRM,
    "8940": Role.FAULT_CONFIRM_AGAIN,
    "8950": Role.FAULT_CANCEL_REPORT,
    "8960": Role.FAULT_CONFIRM_REPORT,
    "異常報告": Role.ERROR_REPORT,
    **{f"{kind}": request for kind, (request, _) in REQUESTS.items()},
    **{f"{kind}_report": report for kind, (_, report) in REQUESTS.items()},
}
"""The telegrams about payments, by their short names."""

STATION: Mapping[str, Role] = {
    "opening": Role.OPENING_REQUEST,
    "opening_answer": Role.OPENING_ANSWER,
    "closing": Role.CLOSING_REQUEST,
    "closing_answer": Role.CLOSING_ANSWER,
    "keepalive": Role.KEEPALIVE_REQUEST,
    "keepalive_answer": Role.KEEPALIVE_ANSWER,
}
"""The telegrams about a line itself."""

WORDS: Mapping[str, Role] = {**SHORT, **STATION}
WORD_OF: Mapping[Role, str] = {role: word for word, role in WORDS.items()}

CODES: Mapping[str, tuple[ErrorClass, int]] = {
    "C13": (ErrorClass.DESTINATION_TROUBLE, 0),
    "C14": (ErrorClass.DESTINATION_TROUBLE, 1),
    "C50": (ErrorClass.DESTINATION_TROUBLE, 2),
    "C01": (ErrorClass.TELEGRAM_ERROR, 0),
}
"""CAFIS's error codes, and their places in the list of any partner."""


def code_for(partner: PartnerSpec, word: str) -> str:
    """The partner's own code for one of CAFIS's in `CODES`; any other word is the partner's own already."""
    if word not in CODES:
        return word
    error_class, place = CODES[word]
    return [code for code, each in partner.error_codes.items() if each.error_class is error_class][place]
