"""Bytes as lists of numbers: pairs of hexadecimal digits, decimals of Java, Go, JavaScript, PowerShell, in a log too.

``10 20 30`` is hexadecimal or decimal: the text does not tell. Then both readings are given, with the refusal to be
told where nothing else decides.
"""

import re
from enum import StrEnum
from typing import NamedTuple

from images.finding import Reason
from images.hexlines import HexError, Lines, Reading, Readings


class Kind(StrEnum):
    """Which numbers they are."""

    HEX = "hexadecimal"
    DECIMAL = "decimal"


_FORMS = {Kind.HEX: Reason("16 進テキスト", "hex text"), Kind.DECIMAL: Reason("10 進のバイト列", "decimal bytes")}
_WITHIN = Reason("、その前後を除く", ", without what stands around it")
_OPENING = re.compile(r"^\s*[bBxX](?=['\"])")
_WORD = re.compile(r"[^\s,;:{}\[\]()\"'<>]+")
_HYPHEN = re.compile(r"(?<=[0-9a-fA-F])-|-(?!\d)")  # that is no minus
_JOINED = re.compile(r"(?<=[0-9a-fA-F])[-:](?=[0-9a-fA-F])")
_MARKED = re.compile(r"0x|\\x", re.IGNORECASE)
_DECIMAL = re.compile(r"-?\d{1,3}")
_CLOSING = re.compile(r"[\]}]")
_NUMBER = r"(?:0x[0-9a-fA-F]{1,2}|-?\d{1,3}(?![0-9a-fA-F])|[0-9a-fA-F]{2}(?<!\d\d))"
_BRACKETS = re.compile(
    rf"\[\s*{_NUMBER}(?:[\s,;]+{_NUMBER})+[\s,;]*\]|\{{\s*{_NUMBER}(?:[\s,;]+{_NUMBER})+[\s,;]*\}}"
    r"|<Buffer(?:\s[0-9a-fA-F]{2})+>"
)
_CUT = re.compile(r"(?:\[|<Buffer )[0-9a-fA-F\s,-]*(?:\.\.\.|…)")
_NUMBER_WORD = re.compile(r"(?:(?:0x)?(?:[0-9a-fA-F]{2})+(?:[-:](?:[0-9a-fA-F]{2})+)*|-?\d{1,3}),?")
_TIME = re.compile(r"\s*[\[(]?(?:\d{4}[-/]\d\d[-/]\d\d[T _])?[012]\d:[0-5]\d:[0-6]\d(?:[.,]\d+)?[\])]?(?=\s+\S)")
_DOUBT_OF_LINES = (
    "各行が 1 電文とも全行で 1 電文とも読め、どちらでも電文になりません  each line can be a telegram, or all lines "
    "one, and neither way is it one: give the lines of one telegram, without what stands before the bytes"
)
_OFFSET = re.compile(r"^\s*0{4,16}[:\s]", re.MULTILINE)  # of a dump, which is damaged then
_LEAST = 4  # bytes at the end of a log's line: fewer are words of it
_LONG = 16  # digits of a line that may be wrapped within a byte


class _Token(NamedTuple):
    text: str
    line: int
    column: int
    list_: int  # which pair of brackets it stands in
    hex_: bool  # something about it says that it is hexadecimal

    @property
    def place(self) -> str:
        return f"line {self.line}, column {self.column}"


def numbers(lines: Lines, kind: Kind | None = None, *, by_line: bool = False) -> Readings:
    """The text as nothing but numbers; `kind`: as these alone; `by_line`: each line a piece. Raises `HexError`."""
    tokens = _tokens(lines)
    if by_line:
        tokens = [token._replace(list_=token.line) for token in tokens]
    if not tokens:
        raise HexError("the text holds no hexadecimal digit: give pairs of them")
    hexadecimal = _hex_problem(tokens)
    decimal = _decimal_problem(tokens)
    if kind is None and len(tokens) == 1:
        decimal = "one number is no list"
    if kind is Kind.DECIMAL and decimal is not None:
        raise HexError(decimal)
    if kind is Kind.HEX and hexadecimal is not None:
        raise HexError(hexadecimal)
    if hexadecimal is not None and decimal is not None:
        raise HexError(f"{hexadecimal}; nor is it a list of decimals: {decimal}" if len(tokens) > 1 else hexadecimal)
    ways = [each for each, problem in ((Kind.HEX, hexadecimal), (Kind.DECIMAL, decimal)) if problem is None]
    chosen = [each for each in ways if kind in (None, each)]
    found = [Reading(_FORMS[each], _pieces(tokens, each)) for each in chosen]
    told = len(found) == 1 and (kind is not None or chosen[0] is Kind.HEX or _is_decimal(tokens))
    return Readings(found, None if told else _doubt(chosen))


def _doubt(ways: list[Kind]) -> str:
    if len(ways) > 1:
        return (
            "16 進とも 10 進とも読め、どちらでも電文になりません  these numbers can be read as hexadecimal and as "
            "decimal, and neither way as a telegram: choose with --as hex or --as decimal"
        )
    return (
        "16 進としては桁が欠け、10 進としては電文になりません  these numbers are hexadecimal with a digit lost, or "
        "decimal and then no telegram: correct them, or choose with --as decimal"
    )


def in_brackets(lines: Lines, kind: Kind | None = None) -> Readings | None:
    """The lists in brackets of a text that says more, each a piece; None where there are none. Raises `HexError`."""
    text = "\n".join(line for _, line in lines)
    cut = _CUT.search(text)
    if cut is not None:
        number = lines[text.count("\n", 0, cut.end())][0]
        raise HexError(f"line {number}: the program left bytes out here (...): have it print all of them, in hex")
    spans = [match.span() for match in _BRACKETS.finditer(text)]
    return _of_spans(lines, text, spans, kind) if spans else None


def in_a_log(lines: Lines, kind: Kind | None = None) -> Readings | None:
    """The numbers at the ends of lines of a log, all lines one piece or each its own; None where there are none."""
    text = "\n".join(line for _, line in lines)
    if _OFFSET.search(text) is not None:
        return None
    spans, at = [], 0
    for _, line in lines:
        start = _start_of_run(line)
        if start is not None:
            spans.append((at + start, at + len(line)))
        at += len(line) + 1
    if not spans:
        return None
    together = _of_spans(lines, text, spans, kind)
    if len(spans) == 1:
        return together
    apart = _of_spans(lines, text, spans, kind, by_line=True)
    joined = [each._replace(pieces=[b"".join(each.pieces)]) for each in together.ways]
    return Readings([*joined, *apart.ways], together.doubt or _DOUBT_OF_LINES)


def _start_of_run(line: str) -> int | None:
    """Where the bytes at the end of a line begin, where there are enough of one form, and something before them."""
    time = _TIME.match(line)
    words = list(re.finditer(r"\S+", line if time is None else " " * time.end() + line[time.end() :]))
    run: list[re.Match[str]] = []
    for word in reversed(words):
        if _NUMBER_WORD.fullmatch(word.group()) is None:
            break
        run.insert(0, word)
    texts = [word.group().strip(",") for word in run]
    if not run or not line[: run[0].start()].strip():
        return None
    if not all(_DECIMAL.fullmatch(text) for text in texts):
        sizes = [len(text) for text in texts]
        if any(size != sizes[0] for size in sizes[:-1]) or sizes[-1] > sizes[0]:
            return None
        if sum(len(re.findall("[0-9a-fA-F]{2}", text)) for text in texts) < _LEAST:
            return None
    return run[0].start() if len(texts) >= _LEAST or len(texts[0]) >= 2 * _LEAST else None


def _of_spans(
    lines: Lines, text: str, spans: list[tuple[int, int]], kind: Kind | None, *, by_line: bool = False
) -> Readings:
    """The numbers in these parts of the text; whatever else it says is left out, and that is told."""
    kept = ["\n" if character == "\n" else " " for character in text]
    for start, end in spans:
        kept[start:end] = text[start:end].replace("<Buffer", "[      ").replace(">", "]")
    masked = "".join(kept).split("\n")
    found = numbers([(number, line) for (number, _), line in zip(lines, masked, strict=True)], kind, by_line=by_line)
    form = [Reason(each.form.japanese + _WITHIN.japanese, each.form.english + _WITHIN.english) for each in found.ways]
    return Readings([each._replace(form=told) for each, told in zip(found.ways, form, strict=True)], found.doubt)


# --- numbers --------------------------------------------------------------------------------------------------------


def _tokens(lines: Lines) -> list[_Token]:
    tokens: list[_Token] = []
    lists = 0
    for number, line in lines:
        if line.strip() == "*":
            raise HexError(
                f"line {number}: `*` stands for repeated lines, and without offsets nobody knows for how many: make "
                "the dump with offsets, or with `od -v`"
            )
        if _TIME.match(line) is not None:
            raise HexError(f"line {number}: begins with a time: give the bytes behind it alone")
        flat = _OPENING.sub(_blanked, line)
        marks = {found.end() for found in (*_MARKED.finditer(flat), *_JOINED.finditer(flat))}
        flat = _HYPHEN.sub(" ", _JOINED.sub(" ", _MARKED.sub(_blanked, flat)))
        at = 0
        for found in _WORD.finditer(flat):
            word, start = found.group(), found.start()
            wrong = re.search(r"[^0-9a-fA-F]", word.removeprefix("-"))
            if wrong is not None:
                column = start + 1 + wrong.start() + len(word) - len(word.removeprefix("-"))
                raise HexError(
                    f"line {number}, column {column}: not a hexadecimal digit: give pairs of digits, a list of "
                    "decimals, or a dump with offsets (xxd, hexdump -C)"
                )
            lists, at = lists + len(_CLOSING.findall(flat, at, start)), start
            tokens.append(_Token(word, number, start + 1, lists, bool({start, found.end() + 1} & marks)))
        lists += len(_CLOSING.findall(flat, at))
    return tokens


def _blanked(found: re.Match[str]) -> str:
    return " " * len(found.group())


def _hex_problem(tokens: list[_Token]) -> str | None:
    """Why these are no pairs of hexadecimal digits, or None."""
    wrapped = len(tokens[0].text) >= _LONG and len({each.line for each in tokens}) == len(tokens)
    for token in tokens:
        if token.text.startswith("-"):
            return f"{token.place}: a negative number is no pair of hexadecimal digits: it is decimal: --as decimal"
        if len(token.text) % 2 and len(tokens) > 1 and not wrapped:
            return f"{token.place}: a group of {len(token.text)} hexadecimal digits: give pairs"
    count = sum(len(token.text) for token in tokens)
    return f"{count} hexadecimal digits, an odd number: one was lost, or one is too many" if count % 2 else None


def _decimal_problem(tokens: list[_Token]) -> str | None:
    """Why these are no decimals of a byte each, or None."""
    padded = all(len(token.text) == 3 for token in tokens)
    for token in tokens:
        if not _DECIMAL.fullmatch(token.text) or not -128 <= int(token.text) <= 255 or token.hex_:
            return f"{token.place}: no decimal number of a byte: from -128 to 255"
        if len(token.text) > 1 and token.text.startswith("0") and not padded:
            return f"{token.place}: a leading 0, which lists of decimals do not write"
    if padded and all(set(token.text) <= set("01234567") for token in tokens) and any(t.text[0] == "0" for t in tokens):
        return f"{tokens[0].place}: three digits each, octal or decimal: write the bytes in hexadecimal"
    return None


def _is_decimal(tokens: list[_Token]) -> bool:
    """Whether no hexadecimal digits, one of them lost, can be meant."""
    return len(tokens) > 1 and any(token.text.startswith("-") or len(token.text) == 3 for token in tokens)


def _pieces(tokens: list[_Token], kind: Kind) -> list[bytes]:
    lists: dict[int, list[str]] = {}
    for token in tokens:
        lists.setdefault(token.list_, []).append(token.text)
    if all(len(texts) == 1 and len(texts[0]) < 4 for texts in lists.values()):  # each byte in brackets of its own
        lists = {0: [text for texts in lists.values() for text in texts]}
    if kind is Kind.DECIMAL:
        return [bytes(int(text) % 256 for text in texts) for texts in lists.values()]
    if any(sum(map(len, texts)) % 2 for texts in lists.values()):
        lists = {0: [text for texts in lists.values() for text in texts]}
    return [bytes.fromhex("".join(texts)) for texts in lists.values()]
