"""What the cancel service takes from the installation."""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.installation import CancelPolicy, Installation


@dataclass(frozen=True, slots=True)
class Settings:
    """Policies by partner, and the error codes of theirs that are worth another try (C13, C14, C50)."""

    policies: Mapping[str, CancelPolicy]
    trouble_codes: Mapping[str, frozenset[str]]
    grace_ms: int
    remember_ms: int

    def policy(self, partner: str) -> CancelPolicy:
        """This partner's; of one that was taken out of the installation since, whose cancels go on, the default."""
        return self.policies.get(partner) or CancelPolicy()

    @classmethod
    def from_installation(cls, installation: Installation, trouble_codes: Mapping[str, frozenset[str]]) -> "Settings":
        """The cancel service's view of the installation; the codes come from the partners' telegrams."""
        return cls(
            policies={each.name: each.cancel for each in installation.partner},
            trouble_codes=trouble_codes,
            grace_ms=installation.faults.grace_ms,
            remember_ms=installation.faults.remember_ms,
        )
