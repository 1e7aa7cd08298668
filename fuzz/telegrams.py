"""Telegrams from values: ``cafis sale_request``, then lines ``name=text``, ``name#number`` or ``-name`` (left out).

What is not said is the layout's sample. What must hold: only `EncodeError` comes out, its text shows no value; what
encodes decodes to the same values and is hidden from people like any other.
"""

import re

from fuzz.streams import CAFIS, CARD_LIKE, CARDNET, check_telegram
from schemas.telegrams import EncodeError, Role, Value

_PARTNERS = {"cafis": CAFIS, "cardnet": CARDNET}
_ROLES = {role.value: role for role in Role}
_LINE = re.compile(r"(?:-([a-z0-9_]+))|(?:([a-z0-9_]+)(?:=(.*)|#(-?[0-9]{1,25})))", re.DOTALL)


def telegrams(data: bytes) -> None:
    """One telegram."""
    first, *lines = data.decode("utf-8", "replace").split("\n")
    name, _, part = first.partition(" ")
    partner, role = _PARTNERS.get(name), _ROLES.get(part)
    if partner is None or role is None or role not in partner.telegrams:  # CARDNET's have no envelope
        return
    values = partner.telegrams[role].sample()
    for line in lines:
        _change(values, line)
    try:
        telegram = partner.encode(role, values)
    except EncodeError as error:
        assert CARD_LIKE.search(f"{error} {error!r}") is None, "an error text holds what could be a card number"
        assert error.__cause__ is None
        return
    message = check_telegram(partner, telegram)
    assert message is not None, "what was encoded does not decode"
    assert (message.role, message.values) == (role, values), "what was encoded decodes to something else"
    assert partner.framing.deframer().feed(partner.framing.wrap(telegram)) == [telegram]


def _change(values: dict[str, Value], line: str) -> None:
    found = _LINE.fullmatch(line)
    if found is None:
        return
    absent, name, text, number = found.groups()
    if absent is not None:
        values.pop(absent, None)
    else:
        values[name] = text if number is None else int(number)
