"""What the lines of a process share, and whom a line tells that it cannot be opened."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from egress.metrics import Metrics
from egress.sessions import Sessions
from egress.sparing import Sparing
from egress.telegrams import OpenCard
from pipeline.bridge import LoopWriter
from pipeline.log import Log
from schemas.installation import Egress
from schemas.topics import Topics


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all lines of a process share."""

    log: Log
    topics: Topics
    writer: LoopWriter
    times: Egress
    node: str
    open_card: OpenCard
    metrics: Metrics
    now_ms: Callable[[], int]
    fail: Callable[[BaseException], None]
    sparing: Sparing
    sessions: Sessions
    clock_tolerance_ms: int

    def look_after(self, task: asyncio.Task[None]) -> None:
        """Fail with what the task does, when it does."""

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                self.fail(error)

        task.add_done_callback(ended)


class Helpless(Protocol):
    """Whoever is told that a line cannot be opened here."""

    def __call__(self, *, full: bool = False) -> None:
        """`full`: for want of a place among the sessions of this process."""
