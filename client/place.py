"""Where a client was made: the one process and event loop in which it works."""

import asyncio
import os

from client.results import UsedElsewhere


class Place:
    """This process and this event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._process = os.getpid()

    @property
    def is_of_another_process(self) -> bool:
        """Whether the process has forked since, and this is the child."""
        return os.getpid() != self._process

    def check_process(self) -> None:
        """Raise `UsedElsewhere` in a child."""
        if self.is_of_another_process:
            raise UsedElsewhere(
                "this client was made before the process forked, and its session is the parent's; nothing was sent: "
                "make the client after the fork, in the child"
            )

    def check(self) -> None:
        """Raise `UsedElsewhere` where it does not work."""
        self.check_process()
        if self._loop.is_closed():
            raise UsedElsewhere(
                "the event loop on which this client was connected is closed; nothing was sent: connect the client on "
                "the loop that uses it, and close it there"
            )
        if asyncio.get_running_loop() is not self._loop:
            raise UsedElsewhere(
                "this client was connected on another event loop; nothing was sent: connect one on this loop, or use "
                "a SyncClient, which any thread may call"
            )
