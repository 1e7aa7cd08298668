"""Async tests on the loop that the services run on."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

from pipeline.service import _loop_factory


def in_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an async test on an event loop of its own, of the kind on which the service runs."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(test(*args, **kwargs))  # type: ignore[arg-type]

    return run
