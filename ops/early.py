"""Imported before all else of the command: Ctrl-C while the rest is imported ends it, and no traceback is shown.

The system ends the process then. Python would raise `KeyboardInterrupt` within an import, or within the clean-up of one
that no handler can catch. `over` is called where the imports are done.
"""

import signal
import threading

_ours = (
    threading.current_thread() is threading.main_thread()
    and signal.getsignal(signal.SIGINT) is signal.default_int_handler
)
if _ours:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def over() -> None:
    """Let Ctrl-C be what it was."""
    if _ours and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
