"""Client frames as the door reads them: bytes in, frames or a refusal out. Pure.

What goes wrong is told by place and kind, in words of our own: the decoder's texts and the client's bytes may hold a
card number, so neither is repeated.
"""

import re
from contextlib import suppress

import msgspec

from schemas.client_frames import LENGTH_BYTES, VERSION, VERSIONS, AnyClientFrame, Card, Greeting, Refused, Rejection
from schemas.doubled_fields import doubled_field

_frames: msgspec.json.Decoder[AnyClientFrame] = msgspec.json.Decoder(AnyClientFrame)
_greeting = msgspec.json.Decoder(Greeting)
_PLACE = re.compile(r" - at `\$\.([a-z0-9_.]+)`$")  # of our own field names: an unknown one ends the path before it
_MARK = b"\xef\xbb\xbf"
_PLACES = {name: f"card.{name}" for name in Card.__struct_fields__}
_MISSING = re.compile(r"^Object missing required field `([a-z0-9_]+)`")
_RANGE = re.compile(r"^Expected `int` [<>]=")
_TYPE = re.compile(r"^Expected `([a-z |]+)`(?:, got `([a-z]+)`)?")


class Unreadable(Exception):  # noqa: N818  it says what the frame is
    """A frame that is not one of the protocol's; `refused` is what the client is told. The session must close."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.text_en)
        self.refused = refused


def read(payload: bytes) -> AnyClientFrame:
    """The frame in a payload. Raises `Unreadable`."""
    try:
        frame = _frames.decode(payload)
        doubled = doubled_field(payload, frame)
    except (ValueError, RecursionError) as error:
        place = _fault_of(payload, error)
    else:
        if doubled is None:
            return frame
        place = f"{_PLACES.get(doubled, doubled)} stands twice"  # a name of ours: the decoder knows no other
    raise Unreadable(Rejection.BAD_FRAME.told(place=place))


def _fault_of(payload: bytes, error: ValueError | RecursionError) -> str:
    """What is wrong with a payload that the decoder refused.

    Whether it is UTF-8 is found out here: the decoder's releases disagree about the exception that says so.
    """
    try:
        payload.decode("utf-8")
    except UnicodeDecodeError:
        return "it is not UTF-8"
    if not isinstance(error, msgspec.ValidationError):
        if payload.startswith(_MARK):
            return "it begins with a byte order mark, which has no place here"
        with suppress(ValueError, RecursionError):
            _greeting.decode(payload[:-LENGTH_BYTES])
            return "it is JSON and four bytes more: the length does not count its own four"
        return "it is not JSON"
    with suppress(ValueError, RecursionError):  # of what the decoder has not looked at yet
        if doubled_field(payload) == "type":  # of which it takes the first, and knows no other
            return "type stands twice"
    return _place_of(str(error))


def read_first(payload: bytes) -> AnyClientFrame:
    """The first frame of a session, whose version decides how it is to be read. Raises `Unreadable`."""
    try:
        greeting = _greeting.decode(payload)
    except (ValueError, RecursionError):
        return read(payload)  # which says what is wrong
    if greeting.type == "hello" and greeting.version is not None and greeting.version not in VERSIONS:
        spoken = ", ".join(str(each) for each in VERSIONS)
        raise Unreadable(Rejection.VERSION_UNKNOWN.told(place=f"version: this gateway speaks {spoken}"))
    return read(payload)


def _place_of(text: str) -> str:
    found = _PLACE.search(text)
    where = found.group(1) if found else ""
    if missing := _MISSING.match(text):
        return f"{where}.{missing.group(1)} is missing".lstrip(".")
    if text.startswith("Object contains unknown field"):
        return f"{where or 'it'} has a field that protocol version {VERSION} does not know"
    if where == "type":
        return "type is not one that a client sends"
    if _RANGE.match(text):
        return f"{where or 'it'} is out of range"
    if (wrong := _TYPE.match(text)) is not None:
        return f"{where or 'it'} must be of type {wrong.group(1)}"
    return f"{where or 'it'} is of the wrong type"
