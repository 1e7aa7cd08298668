"""Why a process has ended, in one line of words: from its exit status, and from what it has logged last."""

import json
import signal
from collections.abc import Sequence
from typing import Any

from ops.processes import Process
from pipeline.logs import blacken

_GRAVE = ("error", "critical")
_MARKS = (" ERROR ", " FATAL ")  # of the broker's log
_SENT = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # by people: what it logged before tells nothing
_LONGEST = 160


def cause(process: Process) -> str:
    """Why this process has ended."""
    status = process.wait(0)
    if status is None:
        return "it was not started"
    words = last_words(process.said().splitlines())
    if status < 0:
        how = signal.Signals(-status).name
        words = "" if -status in _SENT else words
    else:
        how = f"status {status}"
    return f"{how}: {words}" if words else how


def last_words(lines: Sequence[str]) -> str:
    """The last line about a trouble, else the last one that says anything: no JSON, no card data, not too long."""
    told = [line for line in lines if line.strip() and not line[0].isspace()]
    records = [_record(line) for line in told]
    grave = [
        _worded(line, record)
        for line, record in zip(told, records, strict=True)
        if (record.get("level") in _GRAVE if record else any(mark in line for mark in _MARKS))
    ]
    found = grave[-1] if grave else _worded(told[-1], records[-1]) if told else ""
    text = " ".join(blacken("".join(each if each.isprintable() else " " for each in found)).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _record(line: str) -> dict[str, Any]:
    """The fields of a structured line; none of another one."""
    try:
        found = json.loads(line) if line.startswith("{") else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) and "event" in found else {}


def _worded(line: str, record: dict[str, Any]) -> str:
    if not record:
        return line
    return ": ".join(str(record[name]) for name in ("event", "reason") if record.get(name))
