"""Bytes from anywhere into telegrams: whose they are, with framing or without, and in which direction they travelled.

Every guess says why. Nothing that was given is dropped: what is no telegram is a `Found` as well, with the layouts that
it is nearest to.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from images.trial import Trial, nearest
from schemas.telegrams import (
    FAULT_COMMANDS,
    ORDINARY_REQUESTS,
    REPORT_OF,
    DecodeError,
    FramingError,
    Message,
    PartnerSpec,
    Role,
)
from schemas.telegrams.framing import Framing, LengthKind

_GOING = {*ORDINARY_REQUESTS, *FAULT_COMMANDS, Role.OPENING_REQUEST, Role.ENVELOPE_REQUEST}
_COMING = {
    *(REPORT_OF[role] for role in (*ORDINARY_REQUESTS, *FAULT_COMMANDS)),
    Role.ERROR_REPORT,
    Role.OPENING_ANSWER,
    Role.ENVELOPE_REPORT,
}


class Heading(StrEnum):
    """Which way a telegram travels, from where the gateway stands."""

    GOING = "going"  # to the partner
    COMING = "coming"  # from the partner
    EITHER = "either"  # closing and keep-alive: both ask, both answer


class Reason(NamedTuple):
    """Why something was taken for what it was, in two languages."""

    japanese: str
    english: str


class Found(NamedTuple):
    """One telegram, or bytes that are none. `offset` and `framing` are those in the bytes it was found in."""

    data: bytes  # without the framing
    offset: int  # of the framing, where there is one
    framing: bytes
    partner: PartnerSpec | None  # in the edition of its business date; None: nobody's
    message: Message | None  # None: does not decode
    problem: str | None = None  # why not
    trials: tuple[Trial, ...] = ()  # the nearest layouts of one that does not
    carried: tuple["Found", ...] = ()  # what an envelope carries

    @property
    def heading(self) -> Heading:
        """By its role; of what does not decode by the nearest layout's, if its type code fits."""
        if self.message is not None:
            return heading_of(self.message.role)
        typed = [trial for trial in self.trials if trial.typed]
        return heading_of(typed[0].telegram.role) if typed else Heading.EITHER


class Finding(NamedTuple):
    """What some bytes are, and why."""

    found: tuple[Found, ...]
    partner: Reason
    framing: Reason

    @property
    def decoded(self) -> int:
        """How many are telegrams."""
        return sum(each.message is not None for each in self.found)


def heading_of(role: Role) -> Heading:
    """Which way a telegram of this role travels."""
    if role in _GOING:
        return Heading.GOING
    return Heading.COMING if role in _COMING else Heading.EITHER


def find(partners: Sequence[PartnerSpec], data: bytes, *, carriers: Sequence[PartnerSpec] | None = None) -> Finding:
    """The telegrams in these bytes, which begin at the beginning of one: with their framing, or one without.

    `carriers`: of whom an envelope may carry telegrams; by default of all `partners`.
    """
    everyone = partners if carriers is None else carriers
    whole = [partner for partner in partners if decodes(partner, data)]
    if whole:
        found = read_one(whole[0], data, everyone)
        return Finding((found,), _sole([each.name for each in whole], len(partners)), _UNFRAMED)
    framed = [(partner, _payloads(partner, data)) for partner in partners]
    counts = [
        (sum(decodes(partner, each) for each in payloads), len(payloads), partner) for partner, payloads in framed
    ]
    clean = [partner for decoded, count, partner in counts if decoded == count > 0]
    if clean:
        row = read_framed(clean[0], data, everyone)
        return Finding(tuple(row), _sole([each.name for each in clean], len(partners)), _framed(clean[0], row))
    most, count, partner = max(counts, key=lambda each: each[0])
    if most:
        row = read_framed(partner, data, everyone)
        said = Reason(f"{count} 件のうち {most} 件が読めるため", f"{most} of {count} decode")
        return Finding(tuple(row), said, _framed(partner, row))
    return _behind_a_wrong_length(partners, data, everyone) or _nearest(partners, data)


def decodes(partner: PartnerSpec, data: bytes) -> bool:
    """Whether this is a telegram of the partner, without framing."""
    try:
        partner.read(data)
    except DecodeError:
        return False
    return True


def read_one(partner: PartnerSpec, data: bytes, carriers: Sequence[PartnerSpec] = ()) -> Found:
    """One telegram without framing, by this partner's layouts alone; what an envelope carries, by the carriers'."""
    try:
        message = partner.read(data)
    except DecodeError as error:
        trials = tuple(nearest([partner], data))
        return Found(data, 0, b"", trials[0].partner if trials else partner, None, _problem(error), trials)
    partner = partner.dated(message.values)
    inside = message.values.get("carried_telegram")
    carried = (_inside(bytes.fromhex(inside), partner, carriers),) if isinstance(inside, str) else ()
    return Found(data, 0, b"", partner, message, None, (), carried)


def read_framed(partner: PartnerSpec, data: bytes, carriers: Sequence[PartnerSpec] = ()) -> list[Found]:
    """All telegrams of these bytes, each with its length in front; empty where the lengths do not lead to the end."""
    found: list[Found] = []
    at, width = 0, partner.framing.length_bytes
    for payload in _payloads(partner, data):
        one = read_one(partner, payload, carriers)
        found.append(one._replace(offset=at, framing=data[at : at + width]))
        at += width + len(payload)
    return found


def _payloads(partner: PartnerSpec, data: bytes) -> list[bytes]:
    deframer = partner.framing.deframer()
    try:
        payloads = deframer.feed(data)
        deframer.close()
    except FramingError:
        return []
    return payloads


def _inside(data: bytes, carrier: PartnerSpec, carriers: Sequence[PartnerSpec]) -> Found:
    """What an envelope carries. No envelope is carried in another, so a carrier's own telegrams come last."""
    others = [each for each in carriers if each.name != carrier.name]
    for partner in (*others, carrier):
        found = read_one(partner, data)
        if found.message is not None:
            return found
    return _unread(data, nearest(others, data))


def _behind_a_wrong_length(
    partners: Sequence[PartnerSpec], data: bytes, everyone: Sequence[PartnerSpec]
) -> Finding | None:  # fmt: skip
    """One telegram with its framing, of which only the length is not that of what follows."""
    for partner in partners:
        width = partner.framing.length_bytes
        if len(data) > width and _length(partner, data) is not None and decodes(partner, data[width:]):
            found = read_one(partner, data[width:], everyone)._replace(framing=data[:width])
            said = Reason("電文長を除けば読めるため", "decodes behind its length, which is wrong")
            return Finding((found,), said, _announced(partner, data))
    return None


def _nearest(partners: Sequence[PartnerSpec], data: bytes) -> Finding:
    """For bytes that decode in no way: by the layout that they are nearest to, without framing or with."""
    ways = [(nearest(partners, data), b"")]
    for partner in partners:
        width = partner.framing.length_bytes
        if len(data) > width and _length(partner, data) is not None:
            ways.append((nearest([partner], data[width:]), data[:width]))
    trials, framing = max(ways, key=lambda way: way[0][0].score if way[0] else (0.0, 0))
    found = _unread(data[len(framing) :], trials)._replace(framing=framing)
    if not trials:
        return Finding((found,), _NOBODY, _UNKNOWN_FRAMING)
    partner = trials[0].partner
    said = Reason("最も近い電文形式による推定", "by the nearest layout")
    return Finding((found,), said, _announced(partner, data) if framing else _UNFRAMED)


def _unread(data: bytes, trials: Sequence[Trial]) -> Found:
    if not trials:
        return Found(data, 0, b"", None, None, "no layout is near")
    best = trials[0]
    try:
        best.partner.read(data)
    except DecodeError as error:
        return Found(data, 0, b"", best.partner, None, _problem(error), tuple(trials))
    raise AssertionError("bytes that decode are no matter for a trial")


def _problem(error: DecodeError) -> str:
    where = "" if error.field is None else f"{error.field}"
    at = "" if error.offset is None else f"byte {error.offset}"
    place = ", ".join(each for each in (where, at) if each)
    return f"{place}: {error.problem}" if place else error.problem


# --- framing --------------------------------------------------------------------------------------------------------

_UNFRAMED = Reason("電文長なし（電文そのもの）", "without framing: the telegram itself")
_UNKNOWN_FRAMING = Reason("不明", "not known")
_NOBODY = Reason("どの提携先の電文形式にも近くないため不明", "near no layout of any partner")


def announced(framing: Framing, raw: bytes) -> int | None:
    """The bytes of the telegram behind this length in front of it; None where it is none that can be."""
    if framing.kind is LengthKind.BINARY:
        length = int.from_bytes(raw, "big")
    elif raw.isdigit():
        length = int(raw)
    else:
        return None
    length -= framing.length_bytes if framing.counts_itself else 0
    return length if 0 < length <= framing.max_length else None


def _length(partner: PartnerSpec, data: bytes) -> int | None:
    return announced(partner.framing, data[: partner.framing.length_bytes])


def _framed(partner: PartnerSpec, found: Sequence[Found]) -> Reason:
    kind = f"{partner.framing.kind.value}, {partner.framing.length_bytes} bytes"
    return Reason(f"電文長つき（{kind}）、{len(found)} 件", f"with framing ({kind}), telegrams: {len(found)}")


def _announced(partner: PartnerSpec, data: bytes) -> Reason:
    length, there = _length(partner, data), len(data) - partner.framing.length_bytes
    if length == there:
        return Reason(
            f"電文長つき（{length} バイト、一致）", f"with framing, which announces the {length} bytes that follow"
        )
    return Reason(
        f"電文長は {length} バイト、実際は {there} バイト",
        f"with framing, which announces {length} bytes; {there} follow",
    )


def _sole(names: Sequence[str], of: int) -> Reason:
    if of == 1:
        return Reason("指定による", "as given")
    if len(names) == 1:
        return Reason("この提携先の形式でだけ読めるため", "decodes by this partner's layouts alone")
    others = ", ".join(names[1:])
    return Reason(
        f"ほかの提携先（{others}）の形式でも読めます。--partner で指定",
        f"decodes as {others} too: choose with --partner",
    )
