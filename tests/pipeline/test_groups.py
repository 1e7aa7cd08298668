"""Who is a member of a group, and the settings of the client that asks. On a real broker: `test_group_conformance`."""

import asyncio
import ssl
from pathlib import Path
from typing import Any, ClassVar

import aiokafka.admin
import pytest
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment

from ops.ports import free_port
from pipeline.groups import Description, Member, NotAsked, describe, members, security_of
from pipeline.log import LogError
from pipeline.reach import remedy_of

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
        *(({"ssl.endpoint.identification.algorithm": each}, ssl.CERT_REQUIRED) for each in ("none", "None", "NONE")),
        *(
            ({"enable.ssl.certificate.verification": each}, ssl.CERT_NONE)
            for each in ("false", "False", "FALSE", "f", "F", "0")
        ),
    ],
)
def test_what_is_not_to_be_verified_is_not_however_that_is_written(
    setting: dict[str, str], verified: ssl.VerifyMode
) -> None:
    context = security_of({"security.protocol": "ssl", **setting})["ssl_context"]
    assert (context.check_hostname, context.verify_mode) == (False, verified)


@pytest.mark.parametrize("setting", ["true", "True", "t", "1"])
def test_what_is_to_be_verified_is(setting: str) -> None:
    given = {"enable.ssl.certificate.verification": setting, "ssl.endpoint.identification.algorithm": "HTTPS"}
    context = security_of({"security.protocol": "ssl", **given})["ssl_context"]
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)


# --- who is a member


def test_a_broker_that_does_not_answer_is_told_when_the_limit_is_over() -> None:
    servers = f"127.0.0.1:{free_port()}"
    with pytest.raises(LogError, match=r"the group g cannot be described within 0\.2 s: .*Unable to bootstrap"):
        members(servers, {}, "g", 0.2)


def test_certificates_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    none = tmp_path / "none.pem"
    with pytest.raises(LogError, match=rf"^kafka\.client\.ssl\.ca\.location: {none}: cannot be read: No such file"):
        members("127.0.0.1:1", {"security.protocol": "ssl", "ssl.ca.location": str(none)}, "g", 0.2)


def test_a_folder_of_authorities_is_taken_as_one(tmp_path: Path) -> None:
    context = security_of({"security.protocol": "ssl", "ssl.ca.location": str(tmp_path)})["ssl_context"]
    assert context.verify_mode is ssl.CERT_REQUIRED


# --- what the broker says


ASSIGNED = ConsumerProtocolMemberAssignment(0, [("t-requests", [2, 0]), ("t-reports", [1])], b"").encode()
TOLD: dict[str, Any] = {
    "error_code": 0, "group": "g", "state": "Stable", "protocol_type": "consumer", "protocol": "range",
    "members": [
        {"member_id": "2-x", "client_id": "1-node1", "client_host": "/127.0.0.2", "member_assignment": ASSIGNED},
        {"member_id": "1-x", "client_id": "0-node0", "client_host": "/127.0.0.1", "member_assignment": b""},
    ],
}  # fmt: skip


class Answer:
    """An answer of the broker as aiokafka has it."""

    def __init__(self, group: dict[str, Any]) -> None:
        self._group = group

    def to_object(self) -> dict[str, Any]:
        return {"throttle_time_ms": 0, "groups": [self._group]}


class Admin:
    """aiokafka's client: gives one answer after the other, and stays at the last."""

    made: ClassVar[list[dict[str, Any]]] = []
    answers: ClassVar[list[dict[str, Any] | Exception]] = []
    open = 0

    def __init__(self, **settings: Any) -> None:
        Admin.made.append(settings)

    async def start(self) -> None:
        Admin.open += 1

    async def close(self) -> None:
        Admin.open -= 1

    async def describe_consumer_groups(self, groups: list[str]) -> list[Answer]:
        (group,) = groups
        answer = Admin.answers.pop(0) if len(Admin.answers) > 1 else Admin.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return [Answer({**answer, "group": group})]


@pytest.fixture
def admin(monkeypatch: pytest.MonkeyPatch) -> type[Admin]:
    monkeypatch.setattr(aiokafka.admin, "AIOKafkaAdminClient", Admin)
    Admin.made, Admin.answers = [], []
    return Admin


def test_a_group_is_told_with_its_members_and_what_each_has(admin: type[Admin]) -> None:
    admin.answers = [TOLD]
    found = describe("b1:9092", {"sasl.username": "u"}, ["g", "h"], 2.5)
    described = Description(
        "stable",
        [
            Member("1-node1", "/127.0.0.2", {"t-requests": [2, 0], "t-reports": [1]}),
            Member("0-node0", "/127.0.0.1", {}),
        ],
    )
    assert found == {"g": described, "h": described}
    assert admin.made == [
        {"bootstrap_servers": "b1:9092", "client_id": "admin", "request_timeout_ms": 2_500, "sasl_plain_username": "u"}
    ]
    assert admin.open == 0


def test_the_members_are_told_by_name_in_order(admin: type[Admin]) -> None:
    admin.answers = [TOLD]
    assert members("b1:9092", {}, "g", 1.0) == ["0-node0", "1-node1"]


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("Stable", "stable"),
        ("PreparingRebalance", "preparing_rebalance"),
        ("CompletingRebalance", "completing_rebalance"),
        ("Empty", "empty"),
        ("Dead", "dead"),
    ],
)
def test_the_state_is_told_in_our_way_of_writing(admin: type[Admin], state: str, told: str) -> None:
    admin.answers = [{**TOLD, "state": state, "members": []}]
    assert describe("b1:9092", {}, ["g"], 1.0) == {"g": Description(told, [])}


def test_a_group_that_nobody_ever_joined_is_dead_however_the_broker_says_so(admin: type[Admin]) -> None:
    admin.answers = [{**TOLD, "error_code": 69, "state": "", "members": []}]
    assert describe("b1:9092", {}, ["g"], 1.0) == {"g": Description("dead", ())}


def test_a_broker_that_cannot_say_it_yet_is_asked_again(admin: type[Admin]) -> None:
    admin.answers = [{**TOLD, "error_code": 14}, ConnectionResetError("reset"), TOLD]
    assert len(describe("b1:9092", {}, ["g"], 5.0)["g"].members) == 2
    assert (len(admin.made), admin.open) == (3, 0)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            {**TOLD, "error_code": 14},
            "within 0.2 s: Broker: Coordinator load in progress",
        ),
        (ConnectionResetError(104, "reset by peer"), "within 0.2 s: [Errno 104] reset by peer"),
        (ConnectionResetError(), "within 0.2 s: ConnectionResetError"),
    ],
)
def test_a_broker_that_never_says_it_is_told_in_its_own_words(
    admin: type[Admin], answer: dict[str, Any] | Exception, told: str
) -> None:
    admin.answers = [answer]
    with pytest.raises(LogError) as raised:
        describe("b1:9092", {}, ["g", "h"], 0.2)
    assert str(raised.value) == f"the groups g, h cannot be described {told}"


def test_a_broker_that_takes_too_long_is_told(admin: type[Admin], monkeypatch: pytest.MonkeyPatch) -> None:
    async def waits(_: Admin) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(admin, "start", waits)
    admin.answers = [TOLD]
    with pytest.raises(LogError, match=r"^the group g cannot be described within 0\.1 s: no answer$"):
        describe("b1:9092", {}, ["g"], 0.1)
    admin.open = 0


def test_a_refusal_is_told_at_once_with_what_to_correct(admin: type[Admin]) -> None:
    admin.answers = [{**TOLD, "error_code": 30}]
    with pytest.raises(LogError) as raised:
        describe("b1:9092", {}, ["g"], 60.0)
    assert str(raised.value) == (f"the group g cannot be described: Broker: Group authorization failed{remedy_of(30)}")
    assert remedy_of(30)
    assert len(admin.made) == 1


def test_a_certificate_of_our_own_is_shown_and_an_authority_may_be_given_as_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded: list[tuple[object, ...]] = []
    made: list[dict[str, Any]] = []

    class Context:
        check_hostname, verify_mode = True, ssl.CERT_REQUIRED

        def load_cert_chain(self, *files: object) -> None:
            loaded.append(files)

    def create(**given: Any) -> Context:
        made.append(given)
        return Context()

    monkeypatch.setattr(ssl, "create_default_context", create)
    monkeypatch.setattr("pipeline.groups.refuse_unusable", lambda _: None)
    security_of({
        "ssl.ca.pem": "-----BEGIN", "ssl.certificate.location": "c.pem", "ssl.key.location": "k.pem",
        "ssl.key.password": "secret",
    })  # fmt: skip
    assert made == [{"cafile": None, "capath": None, "cadata": "-----BEGIN"}]
    assert loaded == [("c.pem", "k.pem", "secret")]
    context = security_of({"security.protocol": "ssl"})["ssl_context"]
    assert (made[1], context.check_hostname) == ({"cafile": None, "capath": None, "cadata": None}, True)
    assert len(loaded) == 1
