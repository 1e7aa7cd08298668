"""Structured logs (R11): one JSON object per line on stdout, for the infrastructure's collector.

Events are short English sentences, facts stand in fields of their own. Services log ids, codes and counts, never a
telegram or a client's frame; as a second line of defence anything that looks like a card number is blackened here.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

_CARD = re.compile(r"(?<!\d)(?:\d[ -]?){12,18}\d(?!\d)")
_KNOWN_NUMBERS = frozenset({"timestamp", "due_ms", "now_ms", "since_ms", "seconds"})


def blacken(text: str) -> str:
    """Replace every run of 13 to 19 digits that passes the Luhn check (ISO/IEC 7812-1, Annex B) by asterisks."""
    return _CARD.sub(lambda found: "*" * 8 if _luhn(found.group()) else found.group(), text)


def _luhn(text: str) -> bool:
    digits = [int(each) for each in text if each.isdigit()]
    odd, even = digits[-1::-2], digits[-2::-2]
    return (sum(odd) + sum(sum(divmod(2 * each, 10)) for each in even)) % 10 == 0


def _blacken_all(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if isinstance(value, str) and name not in _KNOWN_NUMBERS:
            event[name] = blacken(value)
        elif isinstance(value, (list, tuple, dict)):
            event[name] = blacken(repr(value))
    return event


def configure(service: str, node: str, *, level: str = "INFO", out: TextIO | None = None) -> None:
    """Let the whole process, its libraries included, log in this form."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            lambda _, __, event: {"service": service, "node": node, **event},
            structlog.processors.format_exc_info,
            _blacken_all,
            structlog.processors.JSONRenderer(ensure_ascii=False, sort_keys=False),
        ],
    )
    handler = logging.StreamHandler(out or sys.stdout)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    logging.getLogger("asyncio").setLevel("WARNING")
