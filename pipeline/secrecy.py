"""A process that holds keys and card numbers leaves no image of its memory behind, whatever it dies of."""

import ctypes
import resource
import sys

_PR_SET_DUMPABLE = 4  # prctl(2)


def forbid_dumps() -> None:
    """No core file of this process or of its children; where Linux runs, no other one of its user may read its memory.

    Neither can fail: the limit is lowered, which everybody may, and where there is no `prctl` the limit is enough.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
