"""Where the commands print: in a terminal as wide as it is, elsewhere (a file, a pipe) as `COLUMNS` says.

Where nothing says how wide, sentences have 118 columns, and so have the tables of telegrams; other tables have 80.
"""

import os
import sys
import time
from collections.abc import Callable

import typer
from rich.console import Console
from rich.markup import escape

from ops.times import zone
from pipeline.config import ConfigError

WIDTH, TABLES = 118, 80


def open_console() -> Console:
    """A console for one command that ends here where `DENBUN_TZ` names no zone."""
    try:
        zone()
    except ConfigError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from error
    # Without emoji: `:a:` in a text is a reference of somebody, and no picture.
    found = Console(highlight=False, emoji=False)
    return found if is_measured(found) else Console(highlight=False, emoji=False, width=WIDTH)


def is_measured(console: Console) -> bool:
    """Whether it is known how wide it is."""
    return console.is_terminal or os.environ.get("COLUMNS", "").isdecimal()


def timed(console: Console) -> Callable[[str], None]:
    """What tells each step of a command beside the seconds since now."""
    began = time.monotonic()

    def say(text: str) -> None:
        console.print(f"  [dim]{time.monotonic() - began:5.1f} s[/dim] {escape(text)}", soft_wrap=True)

    return say
