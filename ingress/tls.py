"""The TLS face of the door: version 1.2 or newer (PCI DSS 4.2.1), certificate and key of the installation."""

import errno
import ssl
from typing import NoReturn

from pipeline.config import ConfigError
from schemas.installation import Tls


def server_context(tls: Tls) -> ssl.SSLContext:
    """A context that serves the certificate. Raises `ConfigError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load(context, tls)
    return context


def load(context: ssl.SSLContext, tls: Tls) -> None:
    """Let new handshakes use the certificate as it lies there now. Raises `ConfigError`; then nothing changes."""
    trial = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for each in (trial, context):  # the trial finds a faulty pair before it reaches clients
        try:
            each.load_cert_chain(tls.certificate, tls.key, password=_no_pass_phrase)
        except OSError as error:
            raise ConfigError(
                f"ingress.tls: {tls.certificate} and {tls.key} are not a certificate and its key ({_reason(error)}): "
                "name PEM files that belong together"
            ) from error


def _no_pass_phrase() -> NoReturn:
    """Without this OpenSSL would ask for it on the terminal, and wait."""
    raise OSError(errno.EACCES, "the key needs a pass phrase, and a service cannot be asked")


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):  # its own text holds lines of the library's source
        return "they do not match" if error.reason == "KEY_VALUES_MISMATCH" else "not PEM"
    return error.strerror or error.__class__.__name__
