"""Functions made at load from a telegram's layout: one that writes it, one that reads it, each a plain row of steps.

They are for telegrams that are as they should be, and fast. Whatever is unusual they hand back (None), and the strict
codec of `schemas.telegrams.plans` judges it: it alone says what is wrong. So the law stands in one place, and what is
made here may give up, but never take what the law refuses, nor give another result; tests hold one beside the other.

``python -m schemas.telegrams show PARTNER ROLE --code`` prints what is made.
"""

from collections.abc import Callable, Mapping
from typing import Any

from schemas.telegrams.vocabulary import Value

Values = Mapping[str, Value]
QuickFit = Callable[[object], bytes | None]
QuickWrite = Callable[[Values], bytes | None]
QuickRead = Callable[[bytes], dict[str, Value] | None]

PLAIN = {"digits": "isdigit", "alphanumeric": "isalnum"}  # of ASCII characters: exactly the type's alphabet

# What a step may run into where something is unusual: a value that is not there, of another type, or that does not fit.
_GIVES_UP = "(LookupError, TypeError, ValueError)"


class Source:
    """A function to be: its lines, and what the names in them stand for."""

    def __init__(self, signature: str) -> None:
        self._lines = [f"def {signature}:", "    try:"]
        self._names: dict[str, object] = {}
        self._known: dict[tuple[type, object], str] = {}

    def add(self, line: str, *, deep: int = 0) -> None:
        """One more line of the function."""
        self._lines.append(f"{'    ' * (2 + deep)}{line}")

    def unless(self, condition: str, *, deep: int = 0) -> None:
        """Give up unless the condition holds."""
        self.add(f"if not ({condition}):", deep=deep)
        self.add("return None", deep=deep + 1)

    def name(self, kind: str, meant: Any) -> str:
        """A name for something the lines need; the same name for the same thing."""
        try:
            key = (type(meant), meant)
            known = self._known.get(key)
        except TypeError:  # it cannot be looked up
            return self._new(kind, meant)
        if known is None:
            known = self._known[key] = self._new(kind, meant)
        return known

    def _new(self, kind: str, meant: object) -> str:
        name = f"{kind}_{len(self._names)}"
        self._names[name] = meant
        return name

    @property
    def text(self) -> str:
        """The function as Python reads it."""
        return "\n".join([*self._lines, f"    except {_GIVES_UP}:", "        return None", ""])

    def function(self, name: str) -> Any:
        """The function itself; its docstring is its text."""
        space = dict(self._names)
        exec(compile(self.text, f"<layout {name}>", "exec"), space)  # noqa: S102  made above, of checked layouts
        made: Any = space[name]
        made.__doc__ = self.text
        return made


def nothing_quick(_: object) -> None:
    """For layouts that no such function is made of: the strict codec alone."""
