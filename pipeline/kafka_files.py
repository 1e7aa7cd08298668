"""The files that a Kafka client is told to use for TLS, looked at before any client is made.

The clients say what is wrong with them in the words of OpenSSL, and one of them without the file's name.
"""

import ssl
from collections.abc import Mapping
from pathlib import Path

from pipeline.log import LogError

_PROBED = "probe"  # librdkafka looks for the system's authorities


def refuse_unusable(client: Mapping[str, str]) -> None:
    """Raise `LogError` for a file of these client settings that cannot be used: which, what is wrong, what to do."""
    authority = client.get("ssl.ca.location")
    if authority not in (None, "", _PROBED) and not Path(str(authority)).is_dir():
        name = "ssl.ca.location"
        _read(name, str(authority))
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=authority)
        except ssl.SSLError as error:
            raise _unusable(name, str(authority), "holds no certificate of an authority in PEM") from error
    if (text := client.get("ssl.ca.pem")) is not None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
        except (ssl.SSLError, ValueError) as error:
            raise LogError("kafka.client.ssl.ca.pem: is no certificate in PEM: correct it") from error
    _refuse_pair(client)


def _refuse_pair(client: Mapping[str, str]) -> None:
    """Certificate and key of ours."""
    names = [name for name in ("ssl.certificate.location", "ssl.key.location") if client.get(name)]
    for name in names:
        _read(name, client[name])
    if len(names) < 2:
        return
    certificate, key = (client[name] for name in names)
    try:
        # Without a password OpenSSL would ask for it on the terminal.
        password = client.get("ssl.key.password", "")
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, lambda: password)
    except ssl.SSLError as error:
        fault = (
            f"and ssl.key.location, {key}, are no certificate and its key in PEM, or ssl.key.password is not the key's"
        )
        raise _unusable(names[0], certificate, fault) from error


def _read(name: str, path: str) -> None:
    try:
        with Path(path).open("rb") as file:
            file.read(1)
    except (OSError, ValueError) as error:
        fault = f"cannot be read: {getattr(error, 'strerror', None) or error}"
        raise _unusable(name, path, fault) from error


def _unusable(name: str, path: str, fault: str) -> LogError:
    return LogError(f"kafka.client.{name}: {Path(path).absolute()}: {fault}: name another file, or put this one right")
