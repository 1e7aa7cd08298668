"""Where a command writes: looked at before its work begins, so that none is lost for want of a place."""

import os
from pathlib import Path

from ops.folder_lock import NAME as LOCK


class OutputError(Exception):
    """Nothing can be written there. The message names the option, the whole path, what is wrong, and the remedy."""


def ensure_folder(option: str, path: Path, *, new: bool = True) -> None:
    """Whether files can be written below `path`, there or not; `new`: and nothing lies there. Raises `OutputError`."""
    full = _full(option, path)
    if full.is_dir():
        if new and _entries(option, full):
            raise _fault(option, full, "空でないフォルダ  is a folder that is not empty: name a new one, or empty it")
        _ensure_writable(option, full, full)
        return
    _ensure_creatable(option, full, "a folder")


def ensure_file(option: str, path: Path, *, new: bool = False) -> None:
    """Whether a file can be written at `path`; `new`: and there is none. Raises `OutputError`."""
    full = _full(option, path)
    if full.is_dir():
        raise _fault(option, full, "フォルダです  is a folder: name a file in it")
    if not os.path.lexists(full):
        if not full.parent.exists():
            raise _fault(option, full, f"フォルダなし  there is no folder {full.parent}: make it, or name another file")
        _ensure_creatable(option, full, "a file")
    elif new:
        raise _fault(option, full, "既に存在します  is there already: name another file")
    else:
        _ensure_writable(option, full, full)


def _full(option: str, path: Path) -> Path:
    if "\0" in str(path):
        raise OutputError(f"{option}: {str(path)!r}: is no name of a file: name another")
    return path.absolute()


def _entries(option: str, full: Path) -> bool:
    try:
        return any(each.name != LOCK for each in full.iterdir())  # whose it is, says who has the lock
    except OSError as error:
        raise _fault(option, full, f"読めません  cannot be read ({error.strerror}): name another one") from error


def _ensure_creatable(option: str, full: Path, what: str) -> None:
    """Whether the nearest folder that is there lets somebody make something in it."""
    if full.exists():
        raise _fault(option, full, f"ファイルです  is a file, and not {what}: name another")
    nearest = next(each for each in full.parents if each.exists())
    if not nearest.is_dir():
        raise _fault(option, full, f"{nearest} はファイルです  is a file, where a folder is needed: name another path")
    _ensure_writable(option, full, nearest)


def _ensure_writable(option: str, full: Path, place: Path) -> None:
    if not os.access(place, os.W_OK | (os.X_OK if place.is_dir() else 0)):
        raise _fault(option, full, f"書き込めません  {place} is not writable for you: name another path, or allow it")


def _fault(option: str, full: Path, fault: str) -> OutputError:
    return OutputError(f"{option} {full}: {fault}")
