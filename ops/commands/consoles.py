"""Where the commands print: in a terminal as wide as it is, elsewhere (a file, a pipe) as `COLUMNS` says, or 80."""

import os
import sys

import typer
from rich.console import Console

from ops.times import zone
from pipeline.config import ConfigError

WIDTH = 80


def open_console(width: int = WIDTH) -> Console:
    """A console for one command (outside a terminal so wide), which ends here where `DENBUN_TZ` names no zone."""
    try:
        zone()
    except ConfigError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from error
    found = Console(highlight=False)
    if found.is_terminal or os.environ.get("COLUMNS", "").isdecimal():
        return found
    return Console(highlight=False, width=width)
