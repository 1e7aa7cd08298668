"""Who is a member of a group, and the settings of the client that asks. On a real broker: `test_group_conformance`."""

import ssl
from pathlib import Path
from typing import Any

import pytest

from ops.ports import free_port
from pipeline.groups import NotAsked, members, security_of
from pipeline.log import LogError

# --- the client settings of an installation are librdkafka's


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ({}, {}),
        ({"security.protocol": "plaintext"}, {"security_protocol": "PLAINTEXT"}),
        (
            {
                "security.protocol": "sasl_plaintext", "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "u",
                "sasl.password": "p",
            },
            {
                "security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "SCRAM-SHA-512", "sasl_plain_username": "u",
                "sasl_plain_password": "p",
            },
        ),
        ({"sasl.mechanisms": "PLAIN"}, {"sasl_mechanism": "PLAIN"}),
        ({"linger.ms": "1", "queue.buffering.max.messages": "9"}, {}),  # how the services write is their matter
    ],
)  # fmt: skip
def test_a_setting_is_told_to_the_second_client_in_its_own_words(given: dict[str, str], used: dict[str, Any]) -> None:
    assert security_of(given) == used


def test_a_certificate_authority_makes_a_context_that_checks_who_answers() -> None:
    authority = ssl.get_default_verify_paths().openssl_cafile
    if not Path(authority).exists():
        authority = str(next(iter(Path(ssl.__file__).parents[2].rglob("cacert.pem"))))
    context = security_of({"security.protocol": "ssl", "ssl.ca.location": authority})["ssl_context"]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize("name", ["ssl.keystore.location", "sasl.oauthbearer.config"])
def test_a_setting_of_security_that_is_not_known_is_refused_and_never_ignored(name: str) -> None:
    with pytest.raises(NotAsked) as told:
        security_of({name: "value of a secret", "security.protocol": "ssl"})
    assert str(told.value) == (
        f"kafka.client.{name}: the second Kafka client, aiokafka, does not know this setting: "
        "give ssl.ca.location and so on"
    )


@pytest.mark.parametrize("protocol", ["ssl", "SASL_SSL"])
@pytest.mark.parametrize("authority", [{}, {"ssl.ca.location": "probe"}])
def test_without_an_authority_of_its_own_the_systems_are_asked(protocol: str, authority: dict[str, str]) -> None:
    context = security_of({"security.protocol": protocol, **authority})["ssl_context"]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize(
    ("setting", "verified"),
    [
        ({"ssl.endpoint.identification.algorithm": "none"}, ssl.CERT_REQUIRED),
        ({"enable.ssl.certificate.verification": "false"}, ssl.CERT_NONE),
    ],
)
def test_what_is_not_to_be_verified_is_not(setting: dict[str, str], verified: ssl.VerifyMode) -> None:
    context = security_of({"security.protocol": "ssl", **setting})["ssl_context"]
    assert (context.check_hostname, context.verify_mode) == (False, verified)


# --- who is a member


def test_a_broker_that_does_not_answer_is_told_when_the_limit_is_over() -> None:
    servers = f"127.0.0.1:{free_port()}"
    with pytest.raises(LogError, match=r"the group g cannot be described within 0\.2 s: .*Unable to bootstrap"):
        members(servers, {}, "g", 0.2)


def test_certificates_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"the group g cannot be described: .*No such file"):
        members("127.0.0.1:1", {"security.protocol": "ssl", "ssl.ca.location": str(tmp_path / "none.pem")}, "g", 0.2)
