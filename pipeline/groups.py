"""Asks the broker who is a member of a group, with aiokafka.

librdkafka ends the whole process (SIGABRT, `rd_kafka_enq_once_del_source_return`, its issues 3663 and 4605) when a
connection drops while an admin client of its asks the coordinator of a group, on whatever thread. Lines are shared out
anew just when a broker restarts. So no service asks a coordinator through an admin client of librdkafka.
"""

import asyncio
import logging
import ssl
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError

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


def members(servers: str, client: Mapping[str, str], group: str, limit_s: float) -> list[str]:
    """The client ids of a group's members, sorted; nobody where there is no such group. For a thread without a loop.

    Asks again until `limit_s` is over. Raises `LogError`.
    """
    try:
        settings = security_of(client)
    except OSError as error:  # `ssl.SSLError` is one
        raise LogError(f"the group {group} cannot be described: {error}") from error
    return asyncio.run(_within(servers, settings, group, limit_s))


async def _within(servers: str, settings: Mapping[str, Any], group: str, limit_s: float) -> list[str]:
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
                    return await _ask(servers, settings, group, limit_s)
                except (Refused, OSError) as error:
                    trouble = _words(error)
                    if isinstance(error, (AuthorizationError, SaslAuthenticationFailed)):
                        raise LogError(f"the group {group} cannot be described: {trouble}") from None
                await asyncio.sleep(_PAUSE_S)
    except TimeoutError:
        raise LogError(f"the group {group} cannot be described within {limit_s:g} s: {trouble}") from None


def _words(error: Exception) -> str:
    """What went wrong, in the broker's own words where it has said so, and what to correct."""
    code = None if isinstance(error, OSError) else getattr(error, "errno", None)
    if isinstance(code, int):
        return f"{KafkaError(code).str()}{remedy_of(code)}"
    return str(error) or type(error).__name__


async def _ask(servers: str, settings: Mapping[str, Any], group: str, limit_s: float) -> list[str]:
    from aiokafka.admin import AIOKafkaAdminClient  # noqa: PLC0415  as above
    from aiokafka.errors import for_code  # noqa: PLC0415  as above

    admin = AIOKafkaAdminClient(
        bootstrap_servers=servers,
        client_id="admin",
        request_timeout_ms=int(limit_s * 1000),
        **settings,
    )
    try:
        await admin.start()  # type: ignore[no-untyped-call]
        (answer,) = await admin.describe_consumer_groups([group])
    finally:
        await admin.close()  # type: ignore[no-untyped-call]
    (found,) = answer.to_object()["groups"]
    if found["error_code"]:
        raise for_code(found["error_code"])(group)
    return sorted(each["client_id"] for each in found["members"])


def security_of(client: Mapping[str, str]) -> dict[str, Any]:
    """The installation's client settings, which are librdkafka's, in the words of aiokafka. Raises `NotAsked`."""
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


def _context(given: Mapping[str, str]) -> ssl.SSLContext:
    """TLS as librdkafka does it with these settings; without an authority of its own, with the system's."""
    authority = given.get("ssl.ca.location")
    context = ssl.create_default_context(
        cafile=None if authority in (None, "probe") else authority, cadata=given.get("ssl.ca.pem")
    )
    if (certificate := given.get("ssl.certificate.location")) is not None:
        context.load_cert_chain(certificate, given.get("ssl.key.location"), given.get("ssl.key.password"))
    if given.get("ssl.endpoint.identification.algorithm") == "none":
        context.check_hostname = False
    if given.get("enable.ssl.certificate.verification", "true") == "false":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
