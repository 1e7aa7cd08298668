"""What commands with which an operator looks and orders have in common: their statuses and checks."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from ops.commands.consoles import open_console
from pipeline.config import ConfigError, load
from pipeline.log import LogError
from pipeline.logs import blacken
from schemas.installation import Installation
from schemas.plain_text import fault_in
from schemas.wire import RecordError

OK, NOT_DONE, WRONG = 0, 1, 2
ANSWER_S = 15.0
"""How long the answer to an order is awaited."""

_LOOK_S = 0.2
_REASON_MAX, _NAME_MAX = 200, 64


class Wrong(Exception):  # noqa: N818  it tells what happened
    """The command cannot be carried out as it was given."""


def at_desk(config: Path, work: Callable[[Installation, Console], int]) -> int:
    """Do this with the installation; gives the exit status, and says what is wrong."""
    console = open_console()
    try:
        return work(load(Installation, config), console)
    except ConfigError as error:
        console.print(str(error), style="red", markup=False)
        if not config.exists():
            console.print("is the gateway up? `denbun up` writes this file; or name another with --config")
        return WRONG
    except Wrong as error:
        console.print(str(error), style="red", markup=False)
        return WRONG
    except (LogError, RecordError) as error:
        console.print(str(error), style="red", markup=False)
        return NOT_DONE


def looks() -> Iterator[None]:
    """Times to look for an answer, one after the other, until it is awaited no more."""
    until = time.monotonic() + ANSWER_S
    yield
    while time.monotonic() < until:
        time.sleep(_LOOK_S)
        yield


def reason_text(given: str) -> str:
    """Why an operator orders something. Raises `Wrong`."""
    return _text("--reason", given, _REASON_MAX)


def name_text(given: str) -> str:
    """Who orders it. Raises `Wrong`."""
    return _text("--by", given, _NAME_MAX)


def _text(option: str, given: str, most: int) -> str:
    """A text that is kept in clear for a long time. Raises `Wrong`."""
    text = given.strip()
    if not 1 <= len(text) <= most:
        raise Wrong(f"{option}: give one line of 1 to {most} characters")
    if (fault := fault_in(text)) is not None:
        raise Wrong(f"{option}: {fault}: leave it out")
    if blacken(text) != text:
        raise Wrong(f"{option}: holds what looks like a card number, and would be kept in clear: leave it out")
    return text


def print_json(value: Any) -> None:
    """For machines."""
    print(json.dumps(value, ensure_ascii=False, indent=2))
