"""One line of a dump behind its offset: pairs of hexadecimal digits, and beside them the characters they stand for."""

import re
from collections.abc import Sequence

from images.hexlines import HexError

_GROUPS = re.compile(r"[0-9a-fA-F]{2}(?:[0-9a-fA-F]{2})*(?: {1,2}(?:[0-9a-fA-F]{2})+)*")
_SINGLE = re.compile(r"[0-9a-fA-F]{2}(?: [0-9a-fA-F]{2})*(?= |$)")
_COLUMN = re.compile(r" {2,}| +(?=[|>])")
_HYPHEN = re.compile(r"(?<=\b[0-9a-fA-F]{2})-(?=[0-9a-fA-F]{2}\b)")
_BITS = re.compile(r"[01]{8}(?: [01]{8})*(?=  |$)")
_WIDE = re.compile(r"[0-9a-fA-F]{2}(?:  [0-9a-fA-F]{2}){2,}")
_NUMBERED = re.compile(r"(?:^|[\s|])(0?0(?:[\s-]+[0-9a-fA-F]{1,2})+)(?=[\s|]|$)")
_AROUND = 3  # characters that a column may have beside one a byte: what encloses it, a gap in its middle


def columns_of(line: str) -> int | None:
    """How many bytes a line has, by the heading that numbers them: ``00 01 02 … 0F``. None of what is no heading."""
    found = _NUMBERED.search(line)
    if found is None:
        return None
    numbers = found[1].replace("-", " ").split()
    for base in (16, 10):
        try:
            if [int(each, base) for each in numbers] == list(range(len(numbers))) and len(numbers) >= 4:
                return len(numbers)
        except ValueError:
            continue
    return None


def bytes_in(text: str, wanted: int | None, width: int | None, number: int) -> bytes | None:
    """The bytes of a line without its column of characters, or None.

    `wanted`: how many, where the next line's offset says; else `width` at the most. `number` is that of the line, for
    the `HexError` about a form whose bytes stand in another order.
    """
    text = _HYPHEN.sub(" ", text.strip())
    ways = _ways(text)
    if wanted is not None:
        fitting = [way for way in ways if len(way[0]) == wanted and _is_column(way[1], wanted)]
    else:
        fitting = _likeliest([way for way in ways if width is None or len(way[0]) <= width])
    if not fitting:
        fitting = _beside(text, wanted, width)
    if not fitting or (wanted is None and _is_bits(text)):
        if _is_bits(text):
            raise HexError(f"line {number}: bits, as `xxd -b` writes them: make the dump without -b")
        return None
    data, column, head = fitting[0]
    if _WIDE.fullmatch(head) is not None:
        raise HexError(f"line {number}: numbers in wide columns, as `od -t u1` writes decimals: use `od -A x -t x1`")
    if _is_swapped(head, column):
        raise HexError(f"line {number}: the bytes of each group are swapped, as `xxd -e` does: make it without -e")
    return data


_Way = tuple[bytes, str, str]  # the bytes, what would be the column of characters, the digits


def _ways(text: str) -> list[_Way]:
    """Every way to part them."""
    found: list[_Way] = []
    for end in (*(gap.start() for gap in _COLUMN.finditer(text)), len(text)):
        head = text[:end].rstrip()
        if _GROUPS.fullmatch(head) is not None and _is_even(head.split()):
            found.append((bytes.fromhex(head), text[end:].removeprefix("  ").lstrip("\t"), head))
    return found


def _is_even(groups: Sequence[str]) -> bool:
    """Whether all groups are of one size; the last may be smaller, or, as Python groups them, the first."""
    size = max(len(groups[0]), len(groups[-1]))
    whole = [len(group) == size for group in groups]
    return all(whole[:-1]) or all(whole[1:])


def _is_column(column: str, count: int) -> bool:
    return len(column.strip()) <= count + _AROUND


def _likeliest(ways: Sequence[_Way]) -> list[_Way]:
    """The way in which the column has one character a byte; without such, the whole line, then what comes nearest."""
    for way in ways:
        data, column, _ = way
        if column.lstrip()[:1] in ("|", ">") or len(data) in (len(column), len(column.strip()), len(column) - 1):
            return [way]
    for way in ways:
        if not way[1].strip():
            return [way]
    near = [way for way in ways if _is_column(way[1], len(way[0]))]
    return sorted(near, key=lambda way: abs(len(way[0]) - len(way[1].strip())))[:1]


def _beside(text: str, wanted: int | None, width: int | None) -> list[_Way]:
    """The way with a single blank before the column, as Format-Hex of PowerShell 7 has it."""
    found = _SINGLE.match(text)
    if found is None:
        return []
    count = (len(found.group()) + 1) // 3
    counts = [wanted] if wanted is not None else [each for each in (width, *range(count, 0, -1)) if each is not None]
    for each in counts:
        head, column = text[: 3 * each - 1], text[3 * each :]
        if each > count or not column or (len(found.group()) == len(text) and each != width):
            continue
        if len(column) == each or (each in (wanted, width) and len(column) <= each):
            return [(bytes.fromhex(head), column, head)]
    return []


def _is_bits(text: str) -> bool:
    found = _BITS.match(text)
    return found is not None and 0 < len(text[found.end() :].strip()) <= (len(found.group()) + 1) // 9


def _is_swapped(head: str, column: str) -> bool:
    """Whether the column of characters fits the bytes only where those of each group are turned round."""
    shown = column.strip("|>< ") if column.strip()[:1] in ("|", ">") else column
    straight = bytes.fromhex(head)
    turned = b"".join(bytes.fromhex(group)[::-1] for group in head.split())
    telling = sum(0x20 <= byte < 0x7F for byte in straight) >= 2
    return telling and len(shown) == len(straight) and not _agrees(straight, shown) and _agrees(turned, shown)


def _agrees(data: bytes, column: str) -> bool:
    return all(character == chr(byte) or not 0x20 <= byte < 0x7F for byte, character in zip(data, column, strict=True))
