"""One node, one process of each service: whoever is started under the name of one that runs is refused."""

import logging
import time
from collections.abc import Iterable

from pipeline.groups import NotAsked
from pipeline.log import Log, LogError

_LOOK_S = 0.1
_GRACE_S = 1.0  # beyond the session of one that was killed

_log = logging.getLogger(__name__)


def refuse_twin(log: Log, groups: Iterable[str], node: str, session_ms: int) -> None:
    """Raise `LogError` when a process of this node is a member of one of the groups, and stays one.

    One that was killed stays until its session on the broker has run out, which is waited for. Two of one name would
    believe of each other what each knows of itself: whose a line is goes by names.
    Where the broker cannot be asked with this installation's settings (`pipeline.groups`), that is told, and nobody is
    refused: each record still says in whose time it was written.
    """
    try:
        _refuse(log, groups, node, session_ms)
    except NotAsked as error:
        _log.warning("whether this node runs already is unknown", extra={"reason": str(error)})


def _refuse(log: Log, groups: Iterable[str], node: str, session_ms: int) -> None:
    until = time.monotonic() + session_ms / 1000 + _GRACE_S
    for group in groups:
        while twins := [member for member in log.members(group) if node_of(member) == node]:
            if time.monotonic() > until:
                raise LogError(
                    f"node {node} runs already ({twins[0]} is a member of {group}): end that one, or give this one "
                    "another --node"
                )
            _log.info("awaits the end of its predecessor's session", extra={"member": twins[0], "group": group})
            time.sleep(_LOOK_S)


def node_of(member: str) -> str:
    """The node in a member's name: what stands behind its service or rank."""
    return member.partition("-")[2]
