"""Structured logs (R11): one JSON object per line on stdout, for the infrastructure's collector.

Events are short English sentences, facts stand in fields of their own. Services log ids, codes and counts, never a
telegram or a client's frame; as a second line of defence anything that looks like a card number is blackened here.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from schemas.card_numbers import spans

_BLACK = "*" * 8


def blacken(text: str) -> str:
    """Replace every card number (`schemas.card_numbers`), with the whole of its groups, by asterisks."""
    shown, at = [], 0
    for start, end in spans(text):
        shown += [text[at:start], _BLACK]
        at = end
    return "".join([*shown, text[at:]])


def _blacken_all(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if name != "timestamp" and not (name.endswith("_ms") and isinstance(value, int)):
            event[name] = _blackened(value)
    return event


def _blackened(value: Any) -> Any:
    match value:
        case None | bool():
            return value
        case str():
            return blacken(value)
        case int() | float():
            shown = blacken(str(value))
            return value if shown == str(value) else shown
        case dict():
            return {blacken(str(name)): _blackened(each) for name, each in value.items()}
        case list() | tuple():
            return [_blackened(each) for each in value]
        case _:
            return blacken(repr(value))


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
