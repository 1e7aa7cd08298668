"""EBCDIC with half-width katakana: IBM code page 290, extended by small letters, as the single-byte set of CCSID 930.

Python has no codec of it. The table was written down from IBM's code page (CDRA, CPGID 00290; CCSID 930 and 1390 have
the same graphic characters in it, but for 1390's euro sign), and compared with the GNU C library's IBM930, byte by
byte. What a telegram may hold of it, the type of each field decides.
"""

from collections.abc import Mapping
from types import MappingProxyType

_FIRST = 0x40
_NONE = "\N{REPLACEMENT CHARACTER}"  # no graphic character
# One row for 16 bytes, from 0x40 on.
_ROWS = (
    " ｡｢｣､･ｦｧｨｩ£.<(+|",
    "&ｪｫｬｭｮｯ\N{REPLACEMENT CHARACTER}ｰ\N{REPLACEMENT CHARACTER}!¥*);¬",
    "-/abcdefgh\N{REPLACEMENT CHARACTER},%_>?",
    "[ijklmnop`:#@'=\"",
    "]ｱｲｳｴｵｶｷｸｹｺqｻｼｽｾ",
    "ｿﾀﾁﾂﾃﾄﾅﾆﾇﾈﾉr\N{REPLACEMENT CHARACTER}ﾊﾋﾌ",
    "~‾ﾍﾎﾏﾐﾑﾒﾓﾔﾕsﾖﾗﾘﾙ",
    "^¢\\tuvwxyzﾚﾛﾜﾝﾞﾟ",
    "{ABCDEFGHI" + 6 * _NONE,
    "}JKLMNOPQR" + 6 * _NONE,
    "$\N{REPLACEMENT CHARACTER}STUVWXYZ" + 6 * _NONE,
    "0123456789" + 6 * _NONE,
)

BYTE_OF: Mapping[str, int] = MappingProxyType(
    {character: _FIRST + place for place, character in enumerate("".join(_ROWS)) if character != _NONE}
)
