"""Files of a Kafka client's TLS that cannot be used: named, in our words, before anything is made of them."""

import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ops.groups import Asker
from pipeline.groups import security_of
from pipeline.kafka import KafkaLog
from pipeline.kafka_files import refuse_unusable
from pipeline.log import LogError
from pipeline.reach import why_not
from schemas.installation import Kafka

CA, CERTIFICATE, KEY = "ssl.ca.location", "ssl.certificate.location", "ssl.key.location"


def pair(folder: Path, name: str, password: str = "") -> tuple[str, str]:
    """A certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + dt.timedelta(days=1)).sign(key, hashes.SHA256())
    )  # fmt: skip
    certificate_file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    certificate_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    kept = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, kept)
    )  # fmt: skip
    return str(certificate_file), str(key_file)


def told(client: dict[str, str]) -> str:
    with pytest.raises(LogError) as raised:
        refuse_unusable(client)
    return str(raised.value)


def test_files_that_can_be_used_are_taken(tmp_path: Path) -> None:
    certificate, key = pair(tmp_path, "a")
    locked, its_key = pair(tmp_path, "b", "secret")
    for client in (
        {},
        {CA: "probe"},
        {CA: ""},
        {CA: certificate},
        {CA: str(tmp_path)},
        {"ssl.ca.pem": Path(certificate).read_text("ascii")},
        {CERTIFICATE: certificate, KEY: key},
        {CERTIFICATE: locked, KEY: its_key, "ssl.key.password": "secret"},
    ):
        refuse_unusable(client)


@pytest.mark.parametrize("name", [CA, CERTIFICATE, KEY])
@pytest.mark.parametrize(("file", "why"), [("none.pem", "No such file or directory"), ("a\0b", "embedded null byte")])
def test_a_file_that_cannot_be_read_is_named_with_its_setting(tmp_path: Path, name: str, file: str, why: str) -> None:
    path = f"{tmp_path}/{file}"
    said = told({name: path})
    assert said.startswith(f"kafka.client.{name}: {path}: cannot be read: ")
    assert why in said


def test_what_is_no_certificate_is_told_without_the_words_of_openssl(tmp_path: Path) -> None:
    text = tmp_path / "text.pem"
    text.write_text("hello")
    _, key = pair(tmp_path, "a")
    other, _ = pair(tmp_path, "b")
    locked, its_key = pair(tmp_path, "c", "secret")
    for client, wrong in (
        ({CA: str(text)}, f"kafka.client.{CA}: {text}: holds no certificate of an authority in PEM: "),
        ({CA: key}, f"kafka.client.{CA}: {key}: holds no certificate"),
        ({"ssl.ca.pem": "hello"}, "kafka.client.ssl.ca.pem: is no certificate in PEM: correct it"),
        (
            {CERTIFICATE: str(text), KEY: key},
            f"kafka.client.{CERTIFICATE}: {text}: and ssl.key.location, {key}, are no",
        ),
        ({CERTIFICATE: other, KEY: key}, f"kafka.client.{CERTIFICATE}: {other}: "),
        ({CERTIFICATE: locked, KEY: its_key}, "or ssl.key.password is not the key's"),
        ({CERTIFICATE: locked, KEY: its_key, "ssl.key.password": "wrong"}, "or ssl.key.password is not the key's"),
    ):
        said = told(client)
        assert wrong in said
        assert "_ssl.c" not in said
        assert "error:" not in said
        assert "secret" not in said


def test_every_client_of_a_broker_says_so(tmp_path: Path) -> None:
    client = {"security.protocol": "SASL_SSL", CA: str(tmp_path / "none.pem")}
    wanted = f"kafka.client.{CA}: {tmp_path / 'none.pem'}: cannot be read"
    kafka = Kafka(bootstrap_servers="127.0.0.1:1", partitions=1, replication=1, client=client)
    for make in (
        lambda: KafkaLog("127.0.0.1:1", extra=client).writer("w"),
        lambda: KafkaLog("127.0.0.1:1", extra=client).reach(),
        lambda: security_of(client),
        lambda: Asker(kafka),
    ):
        with pytest.raises(LogError, match=wanted):
            make()
    assert str(why_not("127.0.0.1:1", client, 0.1)).startswith(wanted)
