"""Options that many commands have."""

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[Path, typer.Option(help="the installation's file", envvar="DENBUN_CONFIG")]
Reason = Annotated[str, typer.Option(help="why; kept with the decision")]
Operator = Annotated[str, typer.Option("--by", metavar="NAME", help="who decides", envvar="DENBUN_OPERATOR")]
AsJson = Annotated[bool, typer.Option("--json", help="for machines")]
HERE = Path(".denbun/up/denbun.toml")
