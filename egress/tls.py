"""The TLS face of a line: both ends show a certificate, and the name in the partner's can be asked for."""

import ssl
from typing import Any

from pipeline import tls as shared
from schemas.installation import Egress, Line, LineTls

_LINGER_S = 1.0  # on hanging up: how long the partner's goodbye is awaited


def context_of(line: Line) -> ssl.SSLContext | None:
    """What the line's connections are secured with; None where they are not. Raises `ConfigError`."""
    tls, place = line.tls, f"line {line.name}, tls"
    if tls is None:
        return None
    protocol = ssl.PROTOCOL_TLS_CLIENT if line.mode == "dial" else ssl.PROTOCOL_TLS_SERVER
    context = shared.context(protocol, tls.certificate, tls.key, place)
    shared.trust(context, tls.authority, place)
    return context


def limits(times: Egress) -> dict[str, float]:
    """How long a handshake and a goodbye may take, as asyncio has it."""
    return {"ssl_handshake_timeout": times.connect_timeout_ms / 1000, "ssl_shutdown_timeout": _LINGER_S}


def is_named(tls: LineTls, certificate: dict[str, Any] | None) -> bool:
    """Whether the name that is asked for stands in the caller's certificate (subject alternative name, DNS)."""
    names = {value.lower() for kind, value in (certificate or {}).get("subjectAltName", ()) if kind == "DNS"}
    return tls.name is None or tls.name.lower() in names
