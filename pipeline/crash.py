"""Named points at which a process can be made to die, for tests of what the documents promise of a crash there.

``DENBUN_CRASH_AT=sent_stored`` kills the process (SIGKILL: nothing of its own is done any more) when it passes that
point, ``sent_stored:3`` when it passes it for the third time. With ``DENBUN_CRASH_ONCE_FILE=FILE`` it does so once in
all its lives: the file is made just before, and where it is there the point is passed. Nothing is read from the
environment until `arm` is called, which a service does in a development installation alone (`wiring`).
"""

import os
import signal
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import ConfigError

AT, ONCE_FILE = "DENBUN_CRASH_AT", "DENBUN_CRASH_ONCE_FILE"

armed = False  # looked at where payments pass, so it is the first and cheapest question


@dataclass(slots=True)
class _Plan:
    point: str = ""
    left: int = 0
    once: Path | None = None


_plan = _Plan()


def arm(environment: Mapping[str, str], points: Collection[str]) -> None:
    """Die at the point that the environment names, if it names one. Raises `ConfigError` for one that is not there."""
    global armed  # noqa: PLW0603  see above
    armed = False
    if (wanted := environment.get(AT)) is None:
        return
    name, colon, count = wanted.partition(":")
    if name not in points:
        raise ConfigError(f"{AT}={wanted}: there is no point {name!r}: one of {', '.join(points)}")
    if colon and not (count.isascii() and count.isdecimal() and int(count) > 0):
        raise ConfigError(f"{AT}={wanted}: {count!r} is no count: give {name}:1 or more, or {name} alone")
    _plan.point, _plan.left = name, int(count) if colon else 1
    _plan.once = Path(environment[ONCE_FILE]) if ONCE_FILE in environment else None
    armed = True


def here(point: str) -> None:
    """Pass this point; or die here."""
    if armed and point == _plan.point:
        _plan.left -= 1
        if _plan.left == 0 and _first_life():
            os.kill(os.getpid(), signal.SIGKILL)


def _first_life() -> bool:
    if _plan.once is None:
        return True
    try:
        _plan.once.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
