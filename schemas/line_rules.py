"""Who may call a line and who owns it, and which of a line's settings contradict one another. Pure."""

from collections import Counter
from collections.abc import Iterable
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.installation import Installation, Line

RANK_MAX = 9  # of one digit: as names, "10-node10" would come before "2-node2"
NODES_MAX = RANK_MAX + 1
SILENT_MS = 15_000
"""Whoever owns a line tells its state every five seconds. One that has said nothing for so long is not there."""


def faults_of_lines(installation: "Installation") -> Iterable[str]:
    """One sentence each: the line, why it cannot be so, and the remedy."""
    for line in installation.line:
        yield from _when_it_dials(line) if line.mode == "dial" else _when_it_listens(line)
        yield from _of_its_nodes(line)
        yield from _of_what_it_carries(line)
    for partner in installation.partner:
        count = sum(line.partner == partner.name for line in installation.line)
        if partner.sessions_max is not None and count > partner.sessions_max:
            yield (
                f"partner {partner.name} has {count} lines, each with a session, and sessions_max is "
                f"{partner.sessions_max}: remove lines, or raise it when more are contracted"
            )


def _when_it_listens(line: "Line") -> Iterable[str]:
    if not line.peers and not _loopback(line.host):
        yield (
            f"line {line.name} listens on {line.host}, where anyone could call it: name the partner's addresses in its "
            'peers, such as peers = ["192.0.2.1"]'
        )
    if line.second_call == "replace" and not line.peers and line.tls is None:
        yield (
            f"line {line.name}: with second_call = 'replace' anyone could push the partner out: name the partner's "
            "addresses in its peers, or give it tls"
        )


def _when_it_dials(line: "Line") -> Iterable[str]:
    if line.peers or line.second_call != "refuse":
        yield f"line {line.name} dials, and nobody calls it: remove its peers and its second_call"


def _of_its_nodes(line: "Line") -> Iterable[str]:
    for node, count in Counter(line.nodes).items():
        if count > 1:
            yield f"line {line.name}: {node} stands {count} times in its nodes: keep one"
    if len(line.nodes) > NODES_MAX:
        yield f"line {line.name} has {len(line.nodes)} nodes: {NODES_MAX} can have an order, remove the last ones"


def _of_what_it_carries(line: "Line") -> Iterable[str]:
    if line.partner in (each.partner for each in line.carries):
        yield f"line {line.name} is {line.partner}'s, whose telegrams need no envelope: remove it from its carries"
    for what, names in (
        ("partner", [each.partner for each in line.carries]),
        ("code", [each.code for each in line.carries]),
    ):
        for name, count in Counter(names).items():
            if count > 1:
                yield f"line {line.name}: {what} {name} stands {count} times in its carries: keep one"


def _loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
