"""Text of people and files, where it enters what is kept: which characters no document and no terminal can take.

They are control characters (what a terminal sends for an arrow key begins with one), marks that turn the direction of
writing, halves of characters and what is none (XML 1.0, 2.2). Line ends and tabs are text where lines are.
"""

import re
import unicodedata
from typing import Any

_TURNING = "\u200e\u200f\u2028-\u202e\u2066-\u2069"
_HARMFUL = f"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{_TURNING}\ud800-\udfff\ufeff\ufffe\uffff"
_IN_LINES = re.compile(f"[{_HARMFUL}]")
_IN_ONE_LINE = re.compile(f"[{_HARMFUL}\t\n\r]")
_KEY = re.compile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|O[ -~])")  # what a terminal sends for a key, or is sent for a colour
_ESCAPE = 0x1B


def fault_in(text: str, *, lines: bool = False) -> str | None:
    """What stands in a text that cannot be kept, by its first such character; None: nothing. `lines`: of several."""
    found = (_IN_LINES if lines else _IN_ONE_LINE).search(text)
    if found is None:
        return None
    code, place = ord(found.group()), found.start() + 1
    if code == _ESCAPE:
        return f"制御文字（矢印キーなど）{place} 文字目  a control sequence, as of an arrow key, at character {place}"
    name = unicodedata.name(found.group(), "control character")
    return f"使えない文字 U+{code:04X} {place} 文字目  U+{code:04X} ({name}) at character {place}"


def shown(text: str) -> str:
    """A text as a document and a terminal can take it: keys left out, other such characters as their pictures."""
    return _IN_LINES.sub(_picture, _KEY.sub("", text))


def finalized(value: Any) -> Any:
    """A value as a cell and a template may write it: `shown`, where it is text, marked up or not."""
    if not isinstance(value, str) or (clean := shown(value)) == value:
        return value
    return type(value)(clean)


def _picture(found: re.Match[str]) -> str:
    code = ord(found.group())
    return chr(0x2400 + code) if code < 0x20 else "␡" if code == 0x7F else "�"
