"""Ctrl-C, SIGTERM and a closed terminal, for every command: the first of them ends it in order, at any moment.

The first is raised as `Interrupted` in the main thread, so that what was started is ended on the way out. Later ones
change nothing: the end in order is under way, and has its time limits. Within `held` nothing is raised until its end,
so that nothing is started or ended by half.
"""

import contextlib
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

_AGAIN = "終了処理中です  ending already: what was started is ended in order\n"
_USUAL: dict[signal.Signals, Any] = {}  # as they were before `install`


class Interrupted(KeyboardInterrupt):
    """A signal asks the command to end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _Asked:
    """What has been asked of this process."""

    number: int | None = None  # the signal that ends it
    waiting: int | None = None  # one that came within `held`
    held = 0
    terminals: tuple[int, ...] = ()


def install() -> None:
    """Take the signals from now on. One for a closed terminal that was ignored (nohup) stays so."""
    _Asked.terminals = tuple(number for number in (1, 2) if os.isatty(number))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        before = signal.getsignal(number)
        if number is signal.SIGHUP and before is signal.SIG_IGN:
            continue
        _USUAL[number] = before
        signal.signal(number, _taken)


def leave() -> None:
    """Take no signals any more: whoever goes on has ways of its own."""
    for number, before in _USUAL.items():
        signal.signal(number, before)
    _USUAL.clear()


def status() -> int | None:
    """The exit status of a command that was interrupted, as shells have it: 130, 143, 129; None: it was not."""
    return None if _Asked.number is None else 128 + _Asked.number


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Not to be interrupted by half. Raises `Interrupted` at its end, where a signal has come meanwhile."""
    if threading.current_thread() is not threading.main_thread():  # nothing is raised there
        yield
        return
    _Asked.held += 1
    try:
        yield
    finally:
        _Asked.held -= 1
        if not _Asked.held and _Asked.waiting is not None:
            _interrupt(_Asked.waiting)


@contextlib.contextmanager
def dropped_if_interrupted(folder: Path | None) -> Iterator[None]:
    """A folder for this work alone, if there is one: nobody looks for it after an interrupt."""
    try:
        yield
    except KeyboardInterrupt:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _taken(number: int, _: FrameType | None) -> None:
    if number == signal.SIGHUP:
        _say_no_more()
    if _Asked.number is not None or _Asked.waiting is not None:
        with contextlib.suppress(OSError):  # not by `print`: this may have come within one
            os.write(2, _AGAIN.encode(sys.__stderr__.encoding if sys.__stderr__ else "utf-8", "replace"))
    elif _Asked.held:
        _Asked.waiting = number
    else:
        _interrupt(number)


def _interrupt(number: int) -> None:
    _Asked.number, _Asked.waiting = number, None
    raise Interrupted(number)


def _say_no_more() -> None:
    """What would be written to a terminal that has gone is written nowhere: an error on the way out helps nobody."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in _Asked.terminals:
        os.dup2(nowhere, number)
    os.close(nowhere)
