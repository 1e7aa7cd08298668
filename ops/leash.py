"""Runs a program that ends when its starter does: ``python -m ops.leash PROGRAM ARGUMENT…``.

A stack that was started for a demonstration or a test must not outlive it, even when it ends by ``kill -9``. Linux ends
the child by itself (prctl(2), PR_SET_PDEATHSIG); elsewhere the program is run as it is. For Linux the starter is the
thread that started it: start a program from one that lives longer than the program shall.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> int:
    """Become the program. Gives the exit status when there is nothing to become."""
    if not argv:
        print("usage: python -m ops.leash PROGRAM ARGUMENT…", file=sys.stderr)
        return 2
    if sys.platform == "linux":
        starter = os.getppid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != starter:  # it ended before the leash was on
            return 1
    try:
        os.execvp(argv[0], argv)  # noqa: S606  that is what it is for
    except OSError as error:
        print(f"{argv[0]}: {error.strerror}", file=sys.stderr)
        return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
