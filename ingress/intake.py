"""A checked request as the record that is stored: card data sealed, content digested.

From here on no card data is in clear anywhere. The only module of the ingress that looks into a card.
"""

import msgspec

from ingress.acts import StoreInquiry, StoreRequest
from ingress.checking import KINDS, content_of
from schemas.cards import pack_card, pack_sensitive
from schemas.identity import transaction_id
from schemas.records import InquiryAsked, RequestAccepted
from schemas.sealing import CARD, SENSITIVE, KeyRing

_canonical = msgspec.json.Encoder().encode


def request_accepted(act: StoreRequest, ring: KeyRing, request_id: str, slot: int) -> RequestAccepted:
    """The record of a request, its card closed under `ring`."""
    asked = act.request
    named = transaction_id(act.customer, asked.reference, asked.original_reference)
    sensitive = None
    if asked.track2 is not None or asked.security_code is not None:
        plain = pack_sensitive(asked.track2, asked.security_code)
        sensitive = ring.seal(SENSITIVE, named, plain)
    return RequestAccepted(
        transaction_id=named,
        request_id=request_id,
        customer=act.customer,
        reference=asked.reference,
        original_reference=asked.original_reference,
        kind=KINDS[asked.kind],
        terminal_id=asked.terminal_id,
        amount=asked.amount,
        payment_method=asked.payment_method,
        card=ring.seal(CARD, named, pack_card(asked.card.number, asked.card.expiry)),
        sensitive=sensitive,
        content_digest=ring.digest(_canonical(content_of(asked))),
        slot=slot,
        session=act.session,
        accepted_ms=act.accepted_ms,
        expires_ms=act.expires_ms,
    )


def inquiry_asked(act: StoreInquiry, request_id: str, slot: int) -> InquiryAsked:
    """The record of an inquiry."""
    return InquiryAsked(
        transaction_id=transaction_id(act.customer, act.inquiry.reference, act.inquiry.original_reference),
        request_id=request_id,
        customer=act.customer,
        reference=act.inquiry.reference,
        slot=slot,
        session=act.session,
        asked_ms=act.asked_ms,
    )
