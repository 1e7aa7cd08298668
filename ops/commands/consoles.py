"""Where the commands print: in a terminal as wide as it is, elsewhere (a file, a pipe) as wide as the tables are."""

import time
from collections.abc import Callable

from rich.console import Console
from rich.markup import escape

WIDTH = 118


def open_console() -> Console:
    """A console for one command."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=WIDTH)


def timed(console: Console) -> Callable[[str], None]:
    """What tells each step of a command beside the seconds since now."""
    began = time.monotonic()

    def say(text: str) -> None:
        console.print(f"  [dim]{time.monotonic() - began:5.1f} s[/dim] {escape(text)}", soft_wrap=True)

    return say
