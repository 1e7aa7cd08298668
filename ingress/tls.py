"""The TLS face of the door: certificate and key of the installation."""

import ssl

from pipeline import tls as shared
from schemas.installation import Tls

_PLACE = "ingress.tls"


def server_context(tls: Tls) -> ssl.SSLContext:
    """A context that serves the certificate. Raises `ConfigError`."""
    return shared.context(ssl.PROTOCOL_TLS_SERVER, tls.certificate, tls.key, _PLACE)


def load(context: ssl.SSLContext, tls: Tls) -> None:
    """Let new handshakes use the certificate as it lies there now. Raises `ConfigError`; then nothing changes."""
    shared.load(context, tls.certificate, tls.key, _PLACE)
