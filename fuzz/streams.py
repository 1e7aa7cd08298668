"""CAFIS and CARDNET: the first byte is the size of the pieces (0: all at once) in which the rest comes over the line.

What must hold: only `FramingError` and `DecodeError` come out; telegrams do not depend on how the network splits the
stream; the buffer is bounded; what decodes encodes to the same bytes; nobody sees what is secret.
"""

import re
from collections.abc import Callable

from schemas.telegrams import DecodeError, FramingError, PartnerSpec, Role, Sensitivity, Value, load_partner
from schemas.telegrams.spec import Message

Target = Callable[[bytes], None]

CARD_LIKE = re.compile(r"[0-9]{14}")  # a terminal id has 13 digits
_PIECES_MAX = 200
_SHOWN = 10  # digits of a card number


def pieces_of(size: int, stream: bytes) -> list[bytes]:
    """The stream in pieces of `size` bytes, but not in too many; 0 is all at once."""
    step = max(size, len(stream) // _PIECES_MAX, 1) if size else max(1, len(stream))
    return [stream[at : at + step] for at in range(0, len(stream), step)]


def target_of(partner: PartnerSpec) -> Target:
    """The target of one partner's lines."""

    def target(data: bytes) -> None:
        if not data:
            return
        stream = data[1:]
        whole = _cut(partner, [stream])
        assert whole == _cut(partner, pieces_of(data[0], stream)), "the pieces of a stream decide what it says"
        for telegram in whole[0]:
            check_telegram(partner, telegram)
        check_telegram(partner, stream)  # as it is: a telegram need not find the length that frames it

    return target


def _cut(partner: PartnerSpec, pieces: list[bytes]) -> tuple[list[bytes], tuple[int, str] | None]:
    """The telegrams of a stream, and where and why it cannot be cut any further."""
    framing = partner.framing
    deframer = framing.deframer()
    telegrams: list[bytes] = []
    fed, framed = 0, b""
    for piece in pieces:
        fed += len(piece)
        try:
            complete, fault = deframer.feed(piece), None
        except FramingError as error:
            complete, fault = error.telegrams, error
        telegrams += complete
        framed += b"".join(map(framing.wrap, complete))
        if fault is not None:
            assert fault.offset == len(framed), "the fault lies elsewhere"
            assert b"".join(pieces).startswith(framed), "a telegram is not what came"
            return telegrams, (fault.offset, fault.problem)
        assert deframer.pending < framing.length_bytes + framing.max_length, "the buffer holds a whole telegram"
        assert deframer.pending == fed - len(framed), "bytes were lost or doubled"
    assert b"".join(pieces).startswith(framed), "a telegram is not what came"
    return telegrams, None


def check_telegram(partner: PartnerSpec, telegram: bytes) -> Message | None:
    """What must hold of any bytes as a telegram; gives the message if they are one."""
    try:
        message = partner.decode(telegram)
    except DecodeError as error:
        assert error.offset is None or 0 <= error.offset <= len(telegram), "the fault lies outside of the telegram"
        assert CARD_LIKE.search(f"{error} {error!r}") is None, "an error text holds what could be a card number"
        assert error.__cause__ is None
        return None
    assert partner.encode(message.role, message.values) == telegram, "what decodes does not encode to the same bytes"
    assert b"".join(part.raw for part in partner.dissect(telegram)) == telegram, "the parts are not the telegram"
    _check_meaning(partner, message)
    check_hidden(partner, message.role, message.values)
    return message


def _check_meaning(partner: PartnerSpec, message: Message) -> None:
    """Every caller may ask for the meaning of whatever has come in."""
    try:
        partner.classify(message)
    except ValueError:
        assert message.role is not Role.ERROR_REPORT
        assert partner.result_field not in message.values
    try:
        partner.match_key(message.role, message.values)
    except KeyError as error:
        assert error.args[0] not in message.values


def check_hidden(partner: PartnerSpec, role: Role, values: dict[str, Value]) -> None:
    """What people see does not depend on what is secret: exchange all of that, and every text is the same."""
    other = {name: _other(partner.sensitivities.get(name, Sensitivity.SECRET), each) for name, each in values.items()}
    one, two = Message(role, values), Message(role, other)
    for show in (repr, partner.describe, lambda message: partner.masked(message.values)):
        assert show(one) == show(two), "what people see of a telegram depends on what is secret"


def _other(sensitivity: Sensitivity, value: Value) -> Value:
    if sensitivity is Sensitivity.NONE:
        return value
    if sensitivity is Sensitivity.SECRET:
        return "0"
    digits = str(value)
    if len(digits) < _SHOWN + 3:
        return "0" * len(digits)
    return f"{digits[:6]}{'0' * (len(digits) - _SHOWN)}{digits[-4:]}"


CAFIS = load_partner("cafis")
CARDNET = load_partner("cardnet")
cafis = target_of(CAFIS)
cardnet = target_of(CARDNET)
