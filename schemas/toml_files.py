"""Every TOML file is read here: configuration, layouts, rules, scenarios, cases, test cards; or told why not."""

import codecs
import re
import tomllib
import unicodedata
from typing import Any

from schemas.plain_text import fault_in

_REMEDY = "save the file as UTF-8 without a byte order mark"
_BEYOND = (ValueError, RecursionError)  # tomllib's own bounds: digits of a number, tables within tables
_MARKS = (
    (codecs.BOM_UTF32_LE, "is UTF-32"),
    (codecs.BOM_UTF32_BE, "is UTF-32"),
    (codecs.BOM_UTF16_LE, "is UTF-16"),
    (codecs.BOM_UTF16_BE, "is UTF-16"),
    (codecs.BOM_UTF8, "begins with a byte order mark (BOM)"),
)
_JAPANESE = {"cp932": "Shift_JIS", "euc_jp": "EUC-JP"}
_ISO_2022 = re.compile(rb"\x1b\$[@B(]")  # the escape of JIS to its kanji: no TOML, though it is ASCII
_HALF_WIDTH = re.compile("[\uff61-\uff9f]")
_PLACE = re.compile(r"at (?:line (\d+), column (\d+)|end of document)")


class TomlError(ValueError):
    """A file is no TOML. The message says why, with the place and the remedy, and names no file."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}: {remedy}")
        self.problem = problem
        self.remedy = remedy


def toml_of(data: bytes, *, secret: bool = False) -> dict[str, Any]:
    """The tables of a TOML file; `secret`: an error tells nothing of what stands in it. Raises `TomlError`."""
    for mark, problem in _MARKS:
        if data.startswith(mark):
            raise TomlError(problem, _REMEDY)
    if 0 in data:
        even, odd = data[::2].count(0), data[1::2].count(0)
        if max(even, odd) > 10 * min(even, odd) + 2:
            raise TomlError("is UTF-16, without a byte order mark", _REMEDY)
        raise TomlError(f"line {_line(data, data.index(0))}: byte {data.index(0)} is NUL, which no text has", _REMEDY)
    if _ISO_2022.search(data) is not None:
        raise TomlError("is ISO-2022-JP (JIS), not UTF-8", _REMEDY)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        place = f"line {_line(data, error.start)}: byte {error.start}"
        raise TomlError(f"{place} is not UTF-8{_likely(data)}", _REMEDY) from None
    return toml_in(text, secret=secret)


def toml_in(text: str, *, secret: bool = False) -> dict[str, Any]:
    """The tables of a TOML text. Raises `TomlError`."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        told = str(error) if not secret else f"a fault {place.group()}" if place is not None else "a fault"
        raise TomlError(f"is not TOML: {told}{_unseen(text, place)}", "correct the syntax") from None
    except _BEYOND:
        raise TomlError("is not TOML: holds a number or a nesting beyond all reason", "correct it") from None
    if (fault := _unfit(found, "")) is not None:
        raise TomlError(f"{'a text' if secret else fault[0]}: {fault[1]}", "take the character out")
    return found


def _unfit(value: Any, place: str) -> tuple[str, str] | None:
    """Where a text stands, as an escape of TOML allows it, that no document can take, and what it holds."""
    if isinstance(value, str):
        told = fault_in(value, lines=True)
        return None if told is None else (place, told)
    if isinstance(value, dict):
        for name in value:
            if (told := fault_in(name, lines=True)) is not None:
                return f"{place or '(whole file)'}: a name", told
        named = {ascii(name) if fault_in(name) else name: each for name, each in value.items()}
        within = [(each, f"{place}.{name}" if place else name) for name, each in named.items()]
    elif isinstance(value, list):
        within = [(each, f"{place}[{number}]") for number, each in enumerate(value, 1)]
    else:
        return None
    return next((fault for each, where in within if (fault := _unfit(each, where)) is not None), None)


def _line(data: bytes, place: int) -> int:
    return data.count(b"\n", 0, place) + 1


def _unseen(text: str, place: re.Match[str] | None) -> str:
    """What a person does not see at that place: a blank or a mark of another script."""
    if place is None or place[1] is None:
        return ""
    character = text.replace("\r\n", "\n").split("\n")[int(place[1]) - 1][int(place[2]) - 1 : int(place[2])]
    if character.isascii() or (character.isprintable() and not character.isspace()):
        return ""
    return f": U+{ord(character):04X} {unicodedata.name(character, 'control character')} stands there"


def _likely(data: bytes) -> str:
    """In which of the Japanese encodings it may be: that of them in which it has fewer half-width characters."""
    found: dict[str, int] = {}
    for encoding, name in _JAPANESE.items():
        try:
            found[name] = len(_HALF_WIDTH.findall(data.decode(encoding)))
        except UnicodeDecodeError:
            continue
    return f", but {min(found, key=lambda name: found[name])} as it seems" if found else ""
