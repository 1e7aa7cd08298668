"""Which waits of an installation contradict one another. What each is for: `schemas.timeouts`. Pure."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.installation import Installation, Partner

LOOK_BACK_TOLERANCES = 4
"""So many times the clock tolerance a line's memory reaches further back than any telegram is valid: two brokers, whose
stamps it goes by, may differ by it, and each service's idea of the broker's time, too."""
MARGIN_MS = 1_000  # for the way of a request and its answer through the log


def contradictions(installation: "Installation") -> Iterable[str]:
    """One sentence each: the place, why it cannot be so, and the remedy."""
    for partner in installation.partner:
        yield from _of_partner(partner, installation)
    yield from _of_services(installation)


def _of_partner(partner: "Partner", installation: "Installation") -> Iterable[str]:
    ingress, kafka = installation.ingress, installation.kafka
    known_ms = partner.send_window_ms + partner.report_timeout_ms + installation.router.report_grace_ms
    if ingress.wait_max_ms < known_ms + MARGIN_MS:
        yield (
            f"ingress.wait_max_ms is {ingress.wait_max_ms}, partner {partner.name} needs {known_ms + MARGIN_MS} "
            f"(its send_window_ms + report_timeout_ms + router.report_grace_ms + {MARGIN_MS}): no client could wait "
            "for the end of its request; raise the one or lower the others"
        )
    if kafka.session_timeout_ms >= known_ms:
        yield (
            f"kafka.session_timeout_ms is {kafka.session_timeout_ms}, partner {partner.name}'s requests are given up "
            f"after {known_ms} (send_window_ms + report_timeout_ms + router.report_grace_ms): a line of a node that "
            "died would be taken over too late for all of them; lower it"
        )
    if partner.cancel.send_window_ms <= kafka.session_timeout_ms:
        yield (
            f"partner {partner.name}: cancel.send_window_ms is {partner.cancel.send_window_ms}, not more than "
            f"kafka.session_timeout_ms {kafka.session_timeout_ms}: a cancel could not wait for the next owner of its "
            "line; raise it"
        )
    valid_ms = max(
        ingress.wait_max_ms,
        partner.send_window_ms + partner.report_timeout_ms,
        partner.cancel.send_window_ms + partner.cancel.report_timeout_ms,
    )
    known_for_ms = valid_ms + LOOK_BACK_TOLERANCES * installation.clock_tolerance_ms
    if installation.egress.look_back_ms < known_for_ms:
        yield (
            f"egress.look_back_ms is {installation.egress.look_back_ms}, telegrams of partner {partner.name} are valid "
            f"for {valid_ms} (and {LOOK_BACK_TOLERANCES} times clock_tolerance_ms {installation.clock_tolerance_ms} is "
            f"kept for brokers' clocks): a new owner of a line would not know telegrams that may still be valid; raise "
            f"it to {known_for_ms}"
        )
    if partner.send_window_ms <= installation.clock_tolerance_ms:
        yield (
            f"partner {partner.name}: send_window_ms is {partner.send_window_ms}, not more than clock_tolerance_ms "
            f"{installation.clock_tolerance_ms}: a request could be too late before it is read; raise the one or lower "
            "the other"
        )


def _of_services(installation: "Installation") -> Iterable[str]:
    ingress, router, egress = installation.ingress, installation.router, installation.egress
    tolerance_ms = installation.clock_tolerance_ms
    for name, value_ms, harm in (
        ("router.report_grace_ms", router.report_grace_ms, "a request would be given up while its report may come"),
        ("router.confirm_grace_ms", router.confirm_grace_ms, "a reply would be given up while it may be confirmed"),
        ("router.confirm_ms", router.confirm_ms, "no client could confirm in time"),
        ("faults.grace_ms", installation.faults.grace_ms, "a command would be repeated while its answer may come"),
    ):
        if value_ms < tolerance_ms:
            yield f"{name} is {value_ms}, less than clock_tolerance_ms {tolerance_ms}: {harm}; raise it"
    if router.confirm_ms <= ingress.gone_after_ms:
        yield (
            f"router.confirm_ms is {router.confirm_ms}, not more than ingress.gone_after_ms {ingress.gone_after_ms}: a "
            "client that comes back in time could not confirm any more; raise the one or lower the other"
        )
    if router.remember_ms <= ingress.wait_max_ms:
        yield (
            f"router.remember_ms is {router.remember_ms}, not more than ingress.wait_max_ms {ingress.wait_max_ms}: a "
            "request that its client sends again would be taken for a new one, and paid twice; raise it"
        )
    if egress.probe_idle_ms <= egress.probe_timeout_ms:
        yield (
            f"egress.probe_idle_ms is {egress.probe_idle_ms}, not more than egress.probe_timeout_ms "
            f"{egress.probe_timeout_ms}: a line would be probed again before the first probe is given up; raise it"
        )
    if egress.reconnect_max_ms < egress.reconnect_ms:
        yield (
            f"egress.reconnect_max_ms is {egress.reconnect_max_ms}, less than egress.reconnect_ms "
            f"{egress.reconnect_ms}: the wait before a call begins with the one and ends with the other; raise it"
        )
