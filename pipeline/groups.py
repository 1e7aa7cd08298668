"""Asks the broker about consumer groups, with aiokafka: who is a member, and which partitions each has.

librdkafka ends the whole process (SIGABRT, `rd_kafka_enq_once_del_source_return`, its issues 3663 and 4605) when a
connection drops while an admin client of its asks the coordinator of a group, on whatever thread. Lines are shared out
anew just when a broker restarts. So nothing of ours asks a coordinator through an admin client of librdkafka.
"""

import asyncio
import logging
import re
import ssl
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from confluent_kafka import KafkaError

from pipeline.kafka_files import refuse_unusable
from pipeline.log import LogError
from pipeline.reach import remedy_of

_PAUSE_S = 0.02
_TLS = ("ssl.", "enable.ssl.")
_TLS_KNOWN = {
    "ssl.ca.location", "ssl.ca.pem", "ssl.certificate.location", "ssl.key.location", "ssl.key.password",
    "ssl.endpoint.identification.algorithm", "enable.ssl.certificate.verification",
}  # fmt: skip
_SASL = {
    "sasl.mechanism": "sasl_mechanism",
    "sasl.mechanisms": "sasl_mechanism",
    "sasl.username": "sasl_plain_username",
    "sasl.password": "sasl_plain_password",
}

logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what goes wrong is told by whoever has asked


class NotAsked(LogError):  # noqa: N818  it tells what happened
    """aiokafka does not know a setting by which librdkafka reaches the broker."""


class Member(NamedTuple):
    """One member of a group: its client id, where it calls from, and the partitions that it has, by topic."""

    name: str
    host: str
    places: Mapping[str, Sequence[int]]


class Description(NamedTuple):
    """What a group is: ``stable``, ``preparing_rebalance``, ``completing_rebalance``, ``empty`` or ``dead``."""

    state: str
    members: Sequence[Member]


NOBODY = Description("dead", ())
"""A group that nobody ever joined."""


def members(servers: str, client: Mapping[str, str], group: str, limit_s: float) -> list[str]:
    """The client ids of a group's members, sorted; nobody where there is no such group. As `describe`."""
    return sorted(each.name for each in describe(servers, client, [group], limit_s)[group].members)


def describe(
    servers: str, client: Mapping[str, str], groups: Collection[str], limit_s: float
) -> dict[str, Description]:  # fmt: skip
    """What each of these groups is. For a thread without a loop.

    Asks again until `limit_s` is over. Raises `LogError`.
    """
    try:
        settings = security_of(client)
    except OSError as error:  # `ssl.SSLError` is one
        raise LogError(f"{_named(groups)} cannot be described: {error}") from error
    return asyncio.run(_within(servers, settings, groups, limit_s))


def _named(groups: Collection[str]) -> str:
    return f"the group {', '.join(groups)}" if len(groups) == 1 else f"the groups {', '.join(groups)}"


async def _within(
    servers: str, settings: Mapping[str, Any], groups: Collection[str], limit_s: float
) -> dict[str, Description]:
    from aiokafka.errors import (  # noqa: PLC0415  who only checks a configuration does without aiokafka
        GroupAuthorizationFailedError as AuthorizationError,
    )
    from aiokafka.errors import KafkaError as Refused  # noqa: PLC0415  as above
    from aiokafka.errors import SaslAuthenticationFailed  # noqa: PLC0415  as above

    trouble = "no answer"
    try:
        async with asyncio.timeout(limit_s):
            while True:
                try:
                    return await _ask(servers, settings, groups, limit_s)
                except (Refused, OSError) as error:
                    trouble = _words(error)
                    if isinstance(error, (AuthorizationError, SaslAuthenticationFailed)):
                        raise LogError(f"{_named(groups)} cannot be described: {trouble}") from None
                await asyncio.sleep(_PAUSE_S)
    except TimeoutError:
        raise LogError(f"{_named(groups)} cannot be described within {limit_s:g} s: {trouble}") from None


def _words(error: Exception) -> str:
    """What went wrong, in the broker's own words where it has said so, and what to correct."""
    code = None if isinstance(error, OSError) else getattr(error, "errno", None)
    if isinstance(code, int):
        return f"{KafkaError(code).str()}{remedy_of(code)}"
    return str(error) or type(error).__name__


async def _ask(
    servers: str, settings: Mapping[str, Any], groups: Collection[str], limit_s: float
) -> dict[str, Description]:
    from aiokafka.admin import AIOKafkaAdminClient  # noqa: PLC0415  as above

    admin = AIOKafkaAdminClient(
        bootstrap_servers=servers,
        client_id="admin",
        request_timeout_ms=int(limit_s * 1000),
        **settings,
    )
    try:
        await admin.start()  # type: ignore[no-untyped-call]
        # One by one: aiokafka 0.14 reads the answer about several as if it were of an earlier version, and breaks off.
        answers = [answer for group in groups for answer in await admin.describe_consumer_groups([group])]
    finally:
        await admin.close()  # type: ignore[no-untyped-call]
    told = [each for answer in answers for each in answer.to_object()["groups"]]
    return {each["group"]: _description(each) for each in told}


def _description(told: Mapping[str, Any]) -> Description:
    """Raises what the broker refuses with, but for a group that there is not."""
    from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment  # noqa: PLC0415  as above
    from aiokafka.errors import for_code  # noqa: PLC0415  as above

    if told["error_code"] == KafkaError.GROUP_ID_NOT_FOUND:  # Kafka 4 says so; earlier ones call it dead
        return NOBODY
    if told["error_code"]:
        raise for_code(told["error_code"])(told["group"])
    found = []
    for each in told["members"]:
        given = each["member_assignment"]  # empty while the group is shared out
        places = dict(ConsumerProtocolMemberAssignment.decode(given).assignment) if given else {}
        found.append(Member(each["client_id"], each["client_host"], places))
    return Description(_snake(told["state"]), found)


def _snake(state: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", state).lower()


def security_of(client: Mapping[str, str]) -> dict[str, Any]:
    """The installation's client settings, which are librdkafka's, in the words of aiokafka.

    Raises `LogError` where a file that they name cannot be used, and `NotAsked`.
    """
    refuse_unusable(client)
    settings: dict[str, Any] = {}
    known = dict(client)
    protocol = known.pop("security.protocol", "").upper()
    if protocol:
        settings["security_protocol"] = protocol
    names = {name for name in known if name.startswith(_TLS)}
    if protocol.endswith("SSL") or names:
        settings["ssl_context"] = _context({name: known.pop(name) for name in names & _TLS_KNOWN})
    for theirs, ours in _SASL.items():
        if theirs in known:
            settings[ours] = known.pop(theirs)
    if strangers := sorted(name for name in known if name.startswith((*_TLS, "sasl."))):
        raise NotAsked(
            f"kafka.client.{strangers[0]}: the second Kafka client, aiokafka, does not know this setting: "
            "give ssl.ca.location and so on"
        )
    return settings


_FALSE = ("false", "f", "0")  # as librdkafka writes it, in letters of either size


def _context(given: Mapping[str, str]) -> ssl.SSLContext:
    """TLS as librdkafka does it with these settings; without an authority of its own, with the system's."""
    authority = given.get("ssl.ca.location")
    named = None if authority in (None, "", "probe") else authority
    folder = named is not None and Path(named).is_dir()
    context = ssl.create_default_context(
        cafile=None if folder else named, capath=named if folder else None, cadata=given.get("ssl.ca.pem")
    )
    if (certificate := given.get("ssl.certificate.location")) is not None:
        context.load_cert_chain(certificate, given.get("ssl.key.location"), given.get("ssl.key.password"))
    if given.get("ssl.endpoint.identification.algorithm", "").lower() == "none":
        context.check_hostname = False
    if given.get("enable.ssl.certificate.verification", "").lower() in _FALSE:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
