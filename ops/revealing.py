"""Who may see card data at a desk, and the trail of it.

Whoever has the installation's key ring, readable by himself alone, could open the card data of every record: he may see
that of a telegram he holds already, with a reason, under his name. Each time is a line of a file before anything is
shown (PCI DSS 10.2.1.1). A line has a code under the ring's digest key over itself and the code of the line before: a
line that is changed, taken out or put in is noticed by whoever has the ring (PCI DSS 10.3.4); those cut off at the
end, by comparing with what the collector has got from standard error.
"""

import fcntl
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from schemas.sealing import KeyRing, KeyRingError, load_ring

_FIRST = ""  # what stands for the code of the line before the first


class RevealError(Exception):
    """Nothing may be revealed. The message says why, and the remedy."""


class Permit(NamedTuple):
    """Who looks, why, and where it is written down."""

    operator: str
    reason: str
    ring: KeyRing
    audit: Path


def permit(operator: str, reason: str, key: Path, audit: Path) -> Permit:
    """Whether this user may see card data. Raises `RevealError`."""
    try:
        ring = load_ring(key)
        owner = key.stat().st_uid
    except KeyRingError as error:
        raise RevealError(str(error)) from error
    except OSError as error:
        raise RevealError(f"key ring {key}: {error.strerror}") from error
    if owner != os.geteuid():
        raise RevealError(f"key ring {key}: belongs to another user: run this as the user whom the ring belongs to")
    return Permit(operator, reason, ring, audit)


def write_down(given: Permit, source: str, data: bytes, fields: Sequence[str], telegrams: Sequence[int]) -> None:
    """Append who sees what to the audit file, and say it on standard error. Raises `RevealError`: then show nothing.

    What was looked at is named by its place and by a digest under the ring's key, from which nothing can be found out.
    """
    facts: dict[str, Any] = {
        "event": "card data revealed",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "operator": given.operator,
        "user_id": os.geteuid(),
        "reason": given.reason,
        "source": source,
        "source_digest": given.ring.digest(data),
        "telegrams": list(telegrams),
        "fields": list(fields),
    }
    try:
        line = _append(given, facts)
    except OSError as error:
        raise RevealError(f"--audit {given.audit}: {error.strerror}: name a file that you may append to") from error
    print(line, file=sys.stderr)


def _append(given: Permit, facts: dict[str, Any]) -> str:
    handle = os.open(given.audit, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(handle, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        raw = file.read()
        broken = broken_line(raw, given.ring)
        if broken is not None:
            raise RevealError(
                f"--audit {given.audit}, line {broken}: was changed, or written under another ring: keep the file, "
                "tell whoever looks after audits, and name a new one"
            )
        lines = raw.splitlines()
        previous = json.loads(lines[-1])["code"] if lines else _FIRST
        facts = {**facts, "previous": previous}
        line = json.dumps({**facts, "code": _code(given.ring, facts)}, ensure_ascii=False)
        file.write(line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return line


def broken_line(raw: bytes, ring: KeyRing) -> int | None:
    """The number of the first line of an audit file that does not follow the one before it; None where all do."""
    previous = _FIRST
    for number, line in enumerate(raw.splitlines(), 1):
        try:
            facts = json.loads(line)
            code = facts.pop("code")
        except (ValueError, KeyError, AttributeError, TypeError):
            return number
        if facts.get("previous") != previous or code != _code(ring, facts):
            return number
        previous = code
    return None if not raw or raw.endswith(b"\n") else raw.count(b"\n") + 1


def _code(ring: KeyRing, facts: dict[str, Any]) -> str:
    return ring.digest(json.dumps(facts, ensure_ascii=False, sort_keys=True).encode())
