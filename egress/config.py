"""What egress takes from the installation."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from egress.tls import context_of
from pipeline.config import ConfigError
from schemas.installation import Carried, Egress, Installation, Line, PartnerBreaker
from schemas.telegrams import FAMILY_OF, EncodeError, Family, LayoutError, PartnerSpec, Role, load_partner


@dataclass(frozen=True, slots=True)
class Settings:
    """The lines this process may own, and what they have in common."""

    lines: tuple[Line, ...]
    partners: Mapping[str, PartnerSpec]  # by partner
    times: Egress
    breakers: Mapping[str, PartnerBreaker] = field(default_factory=dict)  # by partner
    clock_tolerance_ms: int = 1_000

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
            for edition in partners[line.partner].editions:
                _check(line, edition)
                for carried in line.carries:
                    for inside in partners[carried.partner].editions:
                        _check_carried(line, carried, edition, inside)
        breakers = {each.name: each.breaker for each in installation.partner}
        return cls(lines, partners, installation.egress, breakers, installation.clock_tolerance_ms)


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


def _check_carried(line: Line, carried: Carried, owner: PartnerSpec, partner: PartnerSpec) -> None:
    """Whether the line's own partner has envelopes, and what is to go into them fits there with the line's numbers."""
    place = f"line {line.name}: carries {carried.partner}"
    envelope = owner.telegrams.get(Role.ENVELOPE_REQUEST)
    if envelope is None:
        raise ConfigError(
            f"{place}: {owner.name} has no telegram to carry another partner's in: add envelope_request.toml and "
            "envelope_report.toml to its layouts, or remove it from carries"
        )
    for role in (Role.ENVELOPE_REQUEST, Role.ENVELOPE_REPORT):
        room = owner.telegrams[role].field("carried_telegram").length
        for telegram in partner.telegrams.values():
            if FAMILY_OF.get(telegram.role, Family.STATION) is not Family.STATION and telegram.size > room:
                raise ConfigError(
                    f"{place}: its {telegram.role.value} can take {telegram.size} bytes, {owner.name}'s {role.value} "
                    f"has room for {room}: correct the length of carried_telegram to what is contracted"
                )
    for what, (first, last), ours in (
        ("trace numbers", partner.trace_range, owner.trace_range),
        ("routes", partner.route_range, line.routes),
    ):
        if not first <= ours[0] <= ours[1] <= last:
            raise ConfigError(
                f"{place}: the line has {what} {ours[0]} to {ours[1]}, {partner.name} {first} to {last}: "
                "choose within them"
            )
    try:
        owner.encode(Role.ENVELOPE_REQUEST, envelope.sample() | {"carried_code": carried.code})
        partner.encode(
            Role.SALE_REQUEST, partner.telegrams[Role.SALE_REQUEST].sample() | {"company_code": carried.company_code}
        )
    except EncodeError as error:
        raise ConfigError(f"{place}: {error}: correct it to what is contracted") from error
