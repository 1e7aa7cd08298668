"""What `denbun inspect` is given: a file, text or standard input, and the partners whose telegrams it may hold."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from images.captures import Capture, is_capture, read_capture
from images.finding import Finding, Reason, find
from images.hextext import HexError, Reading, TextForm, readings, text_of
from images.segments import packet_in
from pipeline.config import load
from schemas.installation import Installation
from schemas.plain_text import shown
from schemas.telegrams import PartnerSpec, load_partner, packaged

FORMS = ("auto", "raw", "hex", "decimal", "pcap")
_LARGEST = 512 * 1024 * 1024  # bytes
_LONGEST_TEXT = 8 * 1024 * 1024  # bytes; a greater file is not hex text
_LONGEST_UNREAD = 1024 * 1024  # bytes; more that is neither telegrams nor a capture was given by mistake
_HEXISH = 0.8  # of the characters: then it was meant to be hex text


class InputError(ValueError):
    """What was given cannot be read. The message says which, where, and the remedy."""


class Source(NamedTuple):
    """What was given: a capture, or pieces of bytes, each with what was found in it."""

    name: str
    form: Reason
    capture: Capture | None
    findings: tuple[Finding, ...]


# --- partners -------------------------------------------------------------------------------------------------------


def partners_of(folders: Sequence[Path], config: Path | None) -> list[PartnerSpec]:
    """The layouts to try: those of the installation, else of the package; a folder's in place of those of its name.

    Raises `LayoutError`, `ConfigError`, `InputError`.
    """
    installed = [each.telegrams for each in load(Installation, config).partner] if config is not None else packaged()
    found = {spec.name: spec for spec in map(load_partner, installed)}
    for folder in folders:
        inside = (
            [folder]
            if (folder / "partner.toml").is_file()
            else sorted(each.parent for each in folder.glob("*/partner.toml"))
        )
        if not inside:
            raise InputError(
                f"--telegrams {folder}: holds no partner.toml, nor does a folder in it: name a partner's folder"
            )
        found |= {spec.name: spec for spec in map(load_partner, inside)}
    return list(found.values())


def chosen(partners: Sequence[PartnerSpec], name: str | None) -> list[PartnerSpec]:
    """All partners, or the one of this name. Raises `InputError`."""
    if name is None:
        return list(partners)
    found = [each for each in partners if each.name == name]
    if not found:
        raise InputError(
            f"--partner {name}: not known: one of {', '.join(each.name for each in partners)}; or give --telegrams"
        )
    return found


# --- input ----------------------------------------------------------------------------------------------------------


def read_source(
    given: str, form: str, partners: Sequence[PartnerSpec], carriers: Sequence[PartnerSpec], *, is_text: bool = False
) -> Source:
    """What was given: a file's name, ``-`` for standard input, or with `is_text` hex text itself.

    Raises `InputError`, `CaptureError`, `HexError`.
    """
    name = "--hex" if is_text else "stdin" if given == "-" else shown(given)
    data = given.encode() if is_text else _bytes_of(given)
    if not data:
        raise InputError(f"{name}: 空です  is empty: give the bytes of a telegram, hex text, or a capture")
    if form == "pcap" or (form == "auto" and is_capture(data)):
        return Source(name, Reason("キャプチャ", "capture"), read_capture(data), ())
    if form == "raw":
        return _raw(name, data, partners, carriers)
    if form in ("hex", "decimal"):
        return _text(name, text_of(data), partners, carriers, TextForm(form))
    if is_text:
        return _text(name, given, partners, carriers)
    return _either(name, data, partners, carriers)


def _either(name: str, data: bytes, partners: Sequence[PartnerSpec], carriers: Sequence[PartnerSpec]) -> Source:
    """Bytes that may be hex text, or not: a telegram of digits alone may look like both."""
    raw = _raw(name, data, partners, carriers)
    if any(finding.decoded for finding in raw.findings) or len(data) > _LONGEST_TEXT:
        return raw
    try:
        text = text_of(data)
    except HexError:
        return raw
    try:
        return _text(name, text, partners, carriers)
    except HexError:
        if not _typed(raw.findings) and _is_hexish(text):
            raise
    return raw


def _raw(name: str, data: bytes, partners: Sequence[PartnerSpec], carriers: Sequence[PartnerSpec]) -> Source:
    finding = find(partners, data, carriers=carriers)
    bare = data.removesuffix(b"\n").removesuffix(b"\r")
    if not finding.decoded and bare and bare != data:
        without = find(partners, bare, carriers=carriers)
        if without.decoded:
            form = Reason("バイト列（末尾の改行を除く）", "bytes, without the line end behind them")
            return Source(name, form, None, (without,))
    if not finding.decoded and len(data) > _LONGEST_UNREAD:
        names = ", ".join(each.name for each in partners)
        raise InputError(
            f"{name}: {len(data)} bytes, neither telegrams of {names} nor a capture: give the part that is a telegram, "
            "or the partner's layouts with --telegrams"
        )
    return Source(name, Reason("バイト列", "bytes"), None, (finding,))


def _text(
    name: str, text: str, partners: Sequence[PartnerSpec], carriers: Sequence[PartnerSpec], form: TextForm | None = None
) -> Source:
    found = readings(text, form)
    ways = [(way, [find(partners, piece, carriers=carriers) for piece in way.pieces]) for way in found.ways]
    way, findings = ways[0] if found.doubt is None else _surest(ways, found.doubt)
    if not any(finding.decoded for finding in findings):
        packets = [packet_in(piece) for piece in way.pieces]
        if all(packets):
            numbered = [each._replace(number=number) for number, each in enumerate(packets, 1) if each is not None]
            form_of_packets = Reason("パケットの 16 進ダンプ", "hex dump of packets")
            return Source(name, form_of_packets, Capture(tuple(numbered), ()), ())
    return Source(name, way.form, None, tuple(findings))


def _surest(ways: Sequence[tuple[Reading, list[Finding]]], doubt: str) -> tuple[Reading, list[Finding]]:
    """Of several ways to read a text the one by which it holds the most telegrams, else type codes of such.

    Raises `HexError`: neither way does, or two ways of different bytes do alike.
    """
    for worth in (lambda each: sum(finding.decoded for finding in each[1]), lambda each: _typed(each[1])):
        most = max(worth(each) for each in ways)
        best = [each for each in ways if worth(each) == most]
        if most and len({b"".join(way.pieces) for way, _ in best}) == 1:
            return best[0]
    raise HexError(doubt)


def _typed(findings: Sequence[Finding]) -> int:
    """How many begin with the type code of a telegram that they are near to."""
    return sum(any(trial.typed for trial in found.trials) for finding in findings for found in finding.found)


def _is_hexish(text: str) -> bool:
    """Whether this was meant to be text about bytes: most of it is of digits, or it has several lines."""
    digits = sum(character in "0123456789abcdefABCDEFx \t\r\n,:[]{}" for character in text)
    return digits >= _HEXISH * len(text) or (len(text.splitlines()) > 1 and "".join(text.split()).isprintable())


def _bytes_of(given: str) -> bytes:
    try:
        if given == "-":
            data = sys.stdin.buffer.read(_LARGEST + 1)
        else:
            with Path(given).open("rb") as file:
                data = file.read(_LARGEST + 1)
    except OSError as error:
        raise InputError(
            f"{given}: {error.strerror}: give a file that you may read, or - for standard input"
        ) from error
    if len(data) > _LARGEST:
        raise InputError(f"{given}: more than {_LARGEST >> 20} MiB: cut the capture into parts (`editcap -c`)")
    return data
