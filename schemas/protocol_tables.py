"""The tables that docs/client-protocol.md prints: what the door turns away, and what the gateway refuses."""

import sys
from collections.abc import Callable, Mapping

from schemas.client_frames import Rejection
from schemas.refusals import Refusal


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"


def rejections() -> str:
    """The codes of `refused`, as they stand in the documentation."""
    lines = ["| code | text_en | text_ja | retryable | inquire | closing |", "|---|---|---|---|---|---|"]
    for code in Rejection:
        flags = " | ".join(_yes(flag) for flag in (code.retryable, code.inquire, code.closing))
        lines.append(f"| `{code.value}` | {code.english} | {code.japanese} | {flags} |")
    return "\n".join(lines) + "\n"


def refusals() -> str:
    """The codes of a transaction's `refusal`, in order of precedence, as they stand in the documentation."""
    lines = ["| refusal.code | text_en | text_ja | retryable |", "|---|---|---|---|"]
    for code in Refusal:
        lines.append(f"| `{code.value}` | {code.english} | {code.japanese} | {_yes(code.retryable)} |")
    return "\n".join(lines) + "\n"


TABLES: Mapping[str, Callable[[], str]] = {"rejections": rejections, "refusals": refusals}

if __name__ == "__main__":
    print("\n".join(TABLES[name]() for name in sys.argv[1:] or TABLES), end="")  # noqa: T201  the module's command
