"""What the ingress takes from the installation."""

from collections.abc import Mapping
from dataclasses import dataclass

from ingress.layouts import NO_LAYOUTS, Layouts
from schemas.installation import Customer, Installation, Tls
from schemas.telegrams import PartnerSpec, load_partner


@dataclass(frozen=True, slots=True)
class Settings:
    """Address, customers, limits and time-outs."""

    host: str
    port: int
    tls: Tls | None
    customers: Mapping[str, Customer]
    slots: int
    max_sessions: int
    max_in_flight: int
    max_frame_bytes: int
    hello_timeout_ms: int
    idle_timeout_ms: int
    wait_max_ms: int
    confirm_ms: int  # told to clients; each reply says for itself by when it must be confirmed
    gone_after_ms: int
    drain_ms: int
    max_ungreeted: int = 256  # connections whose client has not said hello
    max_ungreeted_per_address: int = 192
    max_sessions_per_customer: int = 128
    layouts: Layouts = NO_LAYOUTS

    @classmethod
    def from_installation(
        cls, installation: Installation, partners: Mapping[str, PartnerSpec] | None = None
    ) -> "Settings":
        """The ingress's view of the installation; `partners`, where they are loaded already. Raises `LayoutError`."""
        if partners is None:
            partners = {each.name: load_partner(each.telegrams) for each in installation.partner}
        ingress = installation.ingress
        return cls(
            host=ingress.host,
            port=ingress.port,
            tls=ingress.tls,
            customers={each.id: each for each in installation.customer},
            slots=ingress.slots,
            max_sessions=ingress.max_sessions,
            max_in_flight=ingress.max_in_flight,
            max_frame_bytes=ingress.max_frame_bytes,
            hello_timeout_ms=ingress.hello_timeout_ms,
            idle_timeout_ms=ingress.idle_timeout_ms,
            wait_max_ms=ingress.wait_max_ms,
            confirm_ms=installation.router.confirm_ms,
            gone_after_ms=ingress.gone_after_ms,
            drain_ms=ingress.drain_ms,
            max_ungreeted=ingress.max_ungreeted,
            max_ungreeted_per_address=ingress.max_ungreeted_per_address,
            max_sessions_per_customer=ingress.max_sessions_per_customer,
            layouts=Layouts(partners),
        )
