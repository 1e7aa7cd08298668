"""What egress takes from the installation."""

from collections.abc import Mapping
from dataclasses import dataclass

from egress.tls import context_of
from pipeline.config import ConfigError
from schemas.installation import Egress, Installation, Line
from schemas.telegrams import EncodeError, LayoutError, PartnerSpec, Role, load_partner


@dataclass(frozen=True, slots=True)
class Settings:
    """The lines this process may own, and what they have in common."""

    lines: tuple[Line, ...]
    partners: Mapping[str, PartnerSpec]  # by partner
    times: Egress

    @classmethod
    def from_installation(cls, installation: Installation, only: frozenset[str] = frozenset()) -> "Settings":
        """Egress' view of the installation; `only` narrows it to some lines. Raises `ConfigError`."""
        names = {line.name for line in installation.line}
        if strangers := only - names:
            raise ConfigError(f"--line {min(strangers)}: there is no such line: one of {', '.join(sorted(names))}")
        lines = tuple(line for line in installation.line if not only or line.name in only)
        partners = {}
        for partner in installation.partner:
            try:
                partners[partner.name] = load_partner(partner.telegrams)
            except LayoutError as error:
                raise ConfigError(f"partner {partner.name}: {error}") from error
        for line in lines:
            _check(line, partners[line.partner])
        return cls(lines, partners, installation.egress)


def _check(line: Line, partner: PartnerSpec) -> None:
    """Whether the line's numbers fit the partner's telegrams, and its certificates are some."""
    context_of(line)
    first, last = partner.route_range
    if not first <= line.routes[0] <= line.routes[1] <= last:
        raise ConfigError(f"line {line.name}: routes: {partner.name} has {first} to {last}: choose within them")
    values = partner.telegrams[Role.OPENING_REQUEST].sample()
    values |= {"company_code": line.company_code, "station_id": line.station_id}
    try:
        partner.encode(Role.OPENING_REQUEST, values)
    except EncodeError as error:
        raise ConfigError(f"line {line.name}: {error}: correct it to what is contracted") from error
