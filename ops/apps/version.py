"""``denbun --version``."""

from importlib import metadata

import typer


def tell_version(wanted: bool) -> None:  # typer calls it so
    """Print the version, with the commit where the source that runs has one, and end."""
    if wanted:
        from ops.version import commit  # noqa: PLC0415  asks git

        source = commit()
        print(f"denbun {metadata.version('denbun')}{'' if source is None else f' ({source})'}")
        raise typer.Exit
