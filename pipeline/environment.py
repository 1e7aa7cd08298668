"""The environment variables ``DENBUN_*`` that stand for no name of the installation's file, and those of nobody."""

import re
from collections.abc import Collection, Iterable, Mapping

from schemas.near_names import nearest

PREFIX = "DENBUN_"

VARIABLES: Mapping[str, str] = {
    "DENBUN_CONFIG": "the installation's file, where `--config` is not given",
    "DENBUN_TOKEN": "the customer's token, for `denbun pay` and `denbun acceptance`",
    "DENBUN_CARD": "the test card's number, for `denbun pay`",
    "DENBUN_OPERATOR": "who decides or looks, where `--by` is not given",
    "DENBUN_SIMULATOR": "`HOST:PORT` of a running centre's control port, for `denbun simulator`",
    "DENBUN_TRACEBACK": "not empty: an unexpected failure of a command is told with all of it",
    "DENBUN_TZ": "in which zone the commands tell times, as `Asia/Tokyo`, which is the default",
    "DENBUN_VERSION": "the image's version in `compose.yaml`",
    "DENBUN_CRASH_AT": "development alone: the crash point at which a service dies",
    "DENBUN_CRASH_ONCE_FILE": "development alone: the file made when it dies there, which lets its next life pass",
    "DENBUN_CLOCK_SHIFT_FILE": "development alone: the file that says by how many ms a service's clock is wrong",
}

# Kubernetes and container links tell every process where a service named `denbun-…` is. A port so told is an address,
# which the file's ports are not.
_TOLD_BY_THE_PLATFORM = re.compile(r"\w+_SERVICE_(HOST|PORT(_\w+)?)|\w+_PORT_[0-9]+_(TCP|UDP|SCTP)(_\w+)?")
_ADDRESS = re.compile(r"(tcp|udp|sctp)://")


def strange(environment: Mapping[str, str], file: Collection[str]) -> Iterable[str]:
    """One sentence for each variable that nobody reads. `file`: those that stand for a name of the file.

    One with two underscores in a row means a name in a section: whether there is such a one, the file's reader says.
    """
    known = {each.removeprefix(PREFIX): each for each in (*VARIABLES, *file)}
    for name, value in sorted(environment.items()):
        if not name.startswith(PREFIX) or "__" in name or name in known.values() or _of_the_platform(name, value):
            continue
        told = name if name.isprintable() else ascii(name)
        near = [known[each] for each in nearest(name.removeprefix(PREFIX), known)]
        remedy = f"did you mean {' or '.join(near)}?" if near else "remove it: docs/configuration.md has them all"
        yield f"environment {told}: unknown name: {remedy}"


def _of_the_platform(name: str, value: str) -> bool:
    return bool(_TOLD_BY_THE_PLATFORM.fullmatch(name) or (name.endswith("_PORT") and _ADDRESS.match(value)))
