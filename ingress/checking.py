"""What a request must be like before anything is written. Pure. Texts name the field and the rule, never the value."""

import re
from typing import Final

from schemas.card_numbers import luhn_holds
from schemas.client_frames import Request, reference_fault
from schemas.records import Kind

AMOUNT_MAX: Final = 99_999_999  # the narrowest amount of the packaged partners' telegrams
WAIT_MAX_MS: Final = 86_400_000

_TERMINAL = re.compile(r"[A-Za-z0-9]{1,13}")
_METHOD = re.compile(r"[0-9]{2}")
_NO_DIGITS = re.compile(r"[^0-9]+")
_PAN = re.compile(r"[0-9]{13,19}")
_EXPIRY = re.compile(r"[0-9]{2}(0[1-9]|1[0-2])")
_TRACK2 = re.compile(r"([0-9]{13,19})=[0-9]{7,23}")
_TRACK2_MAX = 37
_CODE = re.compile(r"[0-9]{3,4}")
KINDS: Final = {kind.value: kind for kind in Kind}


def content_of(request: Request) -> tuple[str | int | None, ...]:
    """What makes a request another one.

    Not in it: wait_ms, which a repeat may change; track 2 and security code, for what is made of this is kept with the
    state, and whoever has the ring could find three digits from it (PCI DSS 3.3: not kept after authorisation in any
    form).
    """
    return (
        request.kind,
        request.terminal_id,
        request.amount,
        request.payment_method,
        request.card.number,
        request.card.expiry,
        request.original_reference,
    )


def request_fault(request: Request) -> str | None:
    """The first thing that is wrong with a request, or None."""
    kind = KINDS.get(request.kind)
    if (fault := own_name_fault(request)) is not None:
        return fault
    if kind is None:
        return f"kind must be one of {', '.join(KINDS)}"
    if not _TERMINAL.fullmatch(request.terminal_id):
        return "terminal_id must be 1 to 13 letters and digits"
    if _holds_the_card(request.terminal_id, request):
        return "terminal_id must not hold the card's number"
    if not 1 <= request.amount <= AMOUNT_MAX:
        return f"amount must be 1 to {AMOUNT_MAX} yen"
    if not _METHOD.fullmatch(request.payment_method):
        return "payment_method must be two digits"
    if not 1 <= request.wait_ms <= WAIT_MAX_MS:
        return f"wait_ms must be 1 to {WAIT_MAX_MS}"
    return _card_fault(request) or _sensitive_fault(request, kind) or _original_fault(request, kind)


def own_name_fault(request: Request) -> str | None:
    """What is wrong with the request's own reference, which nobody must be told then; None when it is sound."""
    if (fault := reference_fault(request.reference)) is not None:
        return fault
    return "reference must not hold the card's number" if _holds_the_card(request.reference, request) else None


def _holds_the_card(text: str, request: Request) -> bool:
    """Whether a field in clear holds the digits of the request's own card, whatever stands between them.

    A terminal may have 13 digits as a card may, and every tenth of these passes for one. So a terminal's are held
    against this card alone, and nobody is refused for the number of a terminal.
    """
    number = request.card.number
    if len(text) < len(number) or not _PAN.fullmatch(number):
        return False
    return number in _NO_DIGITS.sub("", text)


def _card_fault(request: Request) -> str | None:
    if not _PAN.fullmatch(request.card.number):
        return "card.number must be 13 to 19 digits"
    if not luhn_holds(request.card.number):
        return "card.number has a wrong check digit"
    if not _EXPIRY.fullmatch(request.card.expiry):
        return "card.expiry must be YYMM"
    return None


def _sensitive_fault(request: Request, kind: Kind) -> str | None:
    if kind.follows_an_original:
        for name in ("track2", "security_code"):
            if getattr(request, name) is not None:
                return f"{name} has no place in a {kind}: what is not needed is not taken"
        return None
    if request.track2 is not None:
        track2 = _TRACK2.fullmatch(request.track2)
        if track2 is None or len(request.track2) > _TRACK2_MAX:
            return "track2 must be the data of track 2 without sentinels, at most 37 characters"
        if track2.group(1) != request.card.number:
            return "track2 is of another card than card.number"
    if request.security_code is not None and not _CODE.fullmatch(request.security_code):
        return "security_code must be three or four digits"
    return None


def _original_fault(request: Request, kind: Kind) -> str | None:
    original = request.original_reference
    if not kind.follows_an_original:
        return None if original is None else f"original_reference has no place in a {kind}"
    if original is None:
        return f"original_reference is missing: a {kind} names the transaction it follows"
    if original == request.reference:
        return "original_reference is the request's own reference"
    if (fault := reference_fault(original, "original_reference")) is not None:
        return fault
    return "original_reference must not hold the card's number" if _holds_the_card(original, request) else None
