"""TLS as doors and lines have it: version 1.2 or newer (PCI DSS 4.2.1), certificate and key checked first.

The texts say what is wrong in our words: those of OpenSSL hold lines of the library's source.
"""

import errno
import ssl
from pathlib import Path
from typing import NoReturn

from pipeline.config import ConfigError


def context(protocol: int, certificate: Path, key: Path, place: str) -> ssl.SSLContext:
    """A context that shows the certificate. `place`: where the configuration names it. Raises `ConfigError`."""
    made = ssl.SSLContext(protocol)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    load(made, certificate, key, place)
    return made


def load(context: ssl.SSLContext, certificate: Path, key: Path, place: str) -> None:
    """Let new handshakes use the certificate as it lies there now. Raises `ConfigError`; then nothing changes."""
    trial = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for each in (trial, context):  # the trial finds a faulty pair before it reaches clients
        try:
            each.load_cert_chain(certificate, key, password=_no_pass_phrase)
        except OSError as error:
            raise ConfigError(
                f"{place}: {certificate} and {key} are not a certificate and its key ({_reason(error)}): "
                "name PEM files that belong together"
            ) from error


def trust(context: ssl.SSLContext, authority: Path, place: str) -> None:
    """Let the other end show a certificate that this authority issued, and no other. Raises `ConfigError`."""
    try:
        context.load_verify_locations(authority)
    except OSError as error:
        raise ConfigError(
            f"{place}: {authority} is not the certificate of an authority ({_reason(error)}): name a PEM file"
        ) from error
    context.verify_mode = ssl.CERT_REQUIRED


def trouble(error: Exception) -> str:
    """Why a connection came to nothing, or broke."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"the certificate is not accepted: {error.verify_message}"
        case ssl.SSLError():
            return f"TLS: {(error.reason or 'broken off').lower().replace('_', ' ')}"
        case TimeoutError():
            return error.strerror or "no answer in time"
        case OSError():
            return error.strerror or str(error) or "the connection was broken"
        case _:
            return str(error)


def _no_pass_phrase() -> NoReturn:
    """Without this OpenSSL would ask for it on the terminal, and wait."""
    raise OSError(errno.EACCES, "the key needs a pass phrase, and a service cannot be asked")


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return "they do not match" if error.reason == "KEY_VALUES_MISMATCH" else "not PEM"
    return error.strerror or error.__class__.__name__
