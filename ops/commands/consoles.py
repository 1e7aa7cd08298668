"""Where the commands print: in a terminal as wide as it is, elsewhere (a file, a pipe) as wide as the tables are."""

from rich.console import Console

WIDTH = 118


def open_console() -> Console:
    """A console for one command."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=WIDTH)
