"""What types and encodings a field may have, in words, for pages: ``python -m schemas.telegrams.reference``."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from schemas.telegrams.fields import TYPES, Encoding


class Words(NamedTuple):
    """A term and what there is to say of it."""

    japanese: str
    english: str
    says: str


TYPE_WORDS: Mapping[str, Words] = MappingProxyType(
    {
        "digits": Words("数字", "digits", "a code: leading zeros count"),
        "alphanumeric": Words("英数字", "alphanumeric", "digits and Roman letters"),
        "identifier": Words("識別子", "identifier", "digits, Roman letters, and `-` `.` `_`"),
        "track2": Words("トラックデータ", "track data", "digits and `=` (ISO/IEC 7813)"),
        "text": Words("文字", "text", "any printable ASCII character"),
        "kana": Words("半角カナ", "half-width katakana", "half-width katakana, digits, capitals, space, `¥()-./,&'`"),
        "kanji": Words("漢字", "kanji", "full-width characters of JIS X 0208; what makers added (①, 髙) is refused"),
        "date": Words("日付", "date", "`YYYYMMDD` in values; of length 6 the century, 20, does not travel"),
        "time": Words("時刻", "time", "`HHMMSS`"),
        "number": Words("数値", "number", "a whole number, not negative"),
        "amount": Words("金額", "amount", "yen, not negative"),
        "hex": Words("バイナリ", "binary", "bytes; in values lower-case hexadecimal digits"),
    }
)
ENCODING_WORDS: Mapping[Encoding, Words] = MappingProxyType(
    {
        Encoding.ASCII: Words("ASCII", "ASCII", "one byte a character"),
        Encoding.EBCDIC: Words("EBCDIC", "EBCDIC", "IBM code page 037"),
        Encoding.EBCDIC_KANA: Words(
            "EBCDIC（カナ）", "EBCDIC with katakana", "IBM code page 290, extended, as in CCSID 930"
        ),
        Encoding.JIS_X0201: Words("JIS X 0201", "JIS X 0201", "eight bits: Roman letters and half-width katakana"),
        Encoding.SHIFT_JIS: Words("シフトJIS", "Shift_JIS", "JIS X 0208 alone, two bytes a character"),
        Encoding.BCD: Words("パック10進", "packed decimal", "two digits a byte, without a sign"),
        Encoding.BINARY: Words("2進", "binary", "numbers: unsigned, big-endian; hex: the bytes themselves"),
    }
)


def markdown() -> str:
    """The tables as they stand in the documentation."""
    lines = ["| type | 属性 | what it holds | encodings | lengths |", "|---|---|---|---|---|"]
    for name, rule in TYPES.items():
        words = TYPE_WORDS[name]
        encodings = ", ".join(f"`{each}`" for each in Encoding if each in rule.encodings)
        lengths = "any" if rule.lengths is None else " or ".join(map(str, sorted(rule.lengths)))
        lines.append(f"| `{name}` | {words.japanese} | {words.says} | {encodings} | {lengths} |")
    lines += ["", "| encoding | コード体系 | what it is |", "|---|---|---|"]
    lines += [f"| `{each}` | {words.japanese} | {words.says} |" for each, words in ENCODING_WORDS.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")  # noqa: T201  the module's command
