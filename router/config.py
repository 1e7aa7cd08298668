"""What the router takes from the installation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.installation import Installation
from schemas.records import Kind


@dataclass(frozen=True, slots=True)
class PartnerTimes:
    """A partner's deadlines, in milliseconds."""

    send_window_ms: int  # from acceptance to the line
    report_timeout_ms: int  # from the line to the report


@dataclass(frozen=True, slots=True)
class Settings:
    """Routing and deadlines."""

    partners_of: Mapping[str, Mapping[Kind, str]]  # customer → telegram → partner
    times: Mapping[str, PartnerTimes]  # by partner
    partners_of_line: Mapping[str, Sequence[str]]  # whose telegrams it takes, its own partner's or in envelopes
    report_grace_ms: int
    confirm_ms: int
    confirm_grace_ms: int
    remember_ms: int

    def times_of(self, partner: str) -> PartnerTimes:
        """This partner's; to one that was taken out of the installation since nothing goes any more."""
        return self.times.get(partner) or PartnerTimes(0, 0)

    @classmethod
    def from_installation(cls, installation: Installation) -> "Settings":
        """The router's view of the installation."""
        router = installation.router
        return cls(
            partners_of={each.id: dict(each.partners) for each in installation.customer},
            times={
                each.name: PartnerTimes(each.send_window_ms, each.report_timeout_ms) for each in installation.partner
            },
            partners_of_line={each.name: each.partners for each in installation.line},
            report_grace_ms=router.report_grace_ms,
            confirm_ms=router.confirm_ms,
            confirm_grace_ms=router.confirm_grace_ms,
            remember_ms=router.remember_ms,
        )
