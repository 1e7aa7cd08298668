"""Certificates for tests: made on the spot, for a name that exists nowhere."""

import datetime as dt
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from schemas.installation import Tls

SERVER_NAME = "gateway.test"
_DAY = dt.timedelta(days=1)


def self_signed(folder: Path, name: str, *, pass_phrase: bytes | None = None) -> Tls:
    """Writes a certificate for `SERVER_NAME` and its key; who trusts the certificate trusts the server."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(SERVER_NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    closing = (
        serialization.NoEncryption() if pass_phrase is None else serialization.BestAvailableEncryption(pass_phrase)
    )
    tls = Tls(certificate=folder / f"{name}.pem", key=folder / f"{name}.key")
    tls.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    tls.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, closing))
    return tls
