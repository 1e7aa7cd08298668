"""``denbun deploy roll``: every service of a running stack replaced under load, and the way back."""

from pathlib import Path

from ops.commands.consoles import open_console
from ops.stage_desk import DeskError, give


def roll(folder: Path, *, python: Path | None, back: bool) -> int:
    """Have `denbun up` do it, and tell how it goes on; gives the exit status."""
    console = open_console()
    asked = {"roll": {"python": None if python is None else str(python.absolute()), "back": back}}
    try:
        return give(folder, asked, lambda text: console.print(text, markup=False))
    except DeskError as error:
        console.print(str(error), style="bold red", markup=False)
        return 1
