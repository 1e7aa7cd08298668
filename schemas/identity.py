"""How a transaction is named: by its customer's reference, and a follow-up (取消, 返品) by its original's as well.

The key decides which partition, and so which owner, has a transaction; a follow-up has its original's (R22). Its id
must hold the original too: under a bare reference that a client uses once more, for the cancel of another original, two
owners would each take the transaction for a new one, and the line the second for a copy of the first.
"""


def transaction_key(customer: str, reference: str, original_reference: str | None) -> str:
    """``<customer>:<reference of the first request>``: the Kafka key of every record about the transaction."""
    return f"{customer}:{original_reference or reference}"


def transaction_id(customer: str, reference: str, original_reference: str | None) -> str:
    """``<customer>:<reference>``, of a follow-up ``<customer>:<original reference>/<reference>``.

    No reference holds a slash (`schemas.client_frames.reference_fault`), so that no two names are the same.
    """
    key = transaction_key(customer, reference, original_reference)
    return key if original_reference is None else f"{key}/{reference}"


def key_of(transaction_id: str) -> str:
    """The transaction key of the transaction with this id."""
    return transaction_id.partition("/")[0]
