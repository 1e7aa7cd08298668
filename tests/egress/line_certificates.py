"""Certificates for lines: an authority made on the spot, and what it issues."""

import datetime as dt
import ssl
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = dt.timedelta(days=1)


class Authority:
    """Issues certificates into a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.file = folder / f"{name}.pem"
        extension = x509.BasicConstraints(ca=True, path_length=0)
        self.file.write_bytes(_pem(self._signed(self._name, self._key, extension, critical=True)))

    def issue(self, name: str) -> dict[str, str]:
        """A certificate for this name, and its key: as the configuration names them."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._signed(subject, key, x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        place, key_place = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        place.write_bytes(_pem(certificate))
        key_place.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return {"certificate": str(place), "key": str(key_place)}

    def _signed(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, extension: Any, *, critical: bool
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + _DAY)
            .add_extension(extension, critical=critical)
            .sign(self._key, hashes.SHA256())
        )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def client(authority: Authority, shown: dict[str, str] | None) -> ssl.SSLContext:
    """Of one who calls: trusts the authority, shows this."""
    context = ssl.create_default_context(cafile=str(authority.file))
    if shown is not None:
        context.load_cert_chain(shown["certificate"], shown["key"])
    return context


def server(authority: Authority, shown: dict[str, str]) -> ssl.SSLContext:
    """Of one who is called: wants a certificate of the authority, shows this."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown["certificate"], shown["key"])
    context.load_verify_locations(str(authority.file))
    context.verify_mode = ssl.CERT_REQUIRED
    return context
