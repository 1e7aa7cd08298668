"""The door behind TLS: who may come in, how it says goodbye, and what a wrong certificate is called."""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from certificates import SERVER_NAME, self_signed
from gateway_rig import TOKEN, Gateway, RawClient, gateway, until
from loop_rig import in_loop

from client import Card, Client, Kind
from ingress.tls import load, server_context
from pipeline.config import ConfigError
from schemas.installation import Tls


def trusting(tls: Tls) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(tls.certificate))


def common_name(connection: ssl.SSLObject) -> str:
    subject = (connection.getpeercert() or {})["subject"]
    return str(dict(part[0] for part in subject)["commonName"])  # type: ignore[misc]


async def nobody_came_in(rig: Gateway) -> None:
    await until(lambda: not rig.server._connections, "the end of the connection")
    assert rig.metric("denbun_ingress_rejected_total", code="not_authenticated") == 0
    assert rig.records("requests") == []


# --- sessions -------------------------------------------------------------------------------------------------------


@in_loop
async def test_a_payment_goes_through_encrypted(tmp_path: Path) -> None:
    tls = self_signed(tmp_path, "one")
    async with gateway(tmp_path, tls=tls) as rig:
        client = await RawClient.greeted(rig.server.port, trusting(tls))
        assert client.tls_version == "TLSv1.3"
        reply = await client.answered("r-1")
        client.ack(reply)
        assert (await client.receive())["confirmed"] is True
        client.send(type="bye")
        assert await client.ended()
        await client.close()


@in_loop
async def test_tls_1_2_is_taken_and_nothing_older(tmp_path: Path) -> None:
    tls = self_signed(tmp_path, "one")
    async with gateway(tmp_path, tls=tls) as rig:
        just_enough = trusting(tls)
        just_enough.maximum_version = ssl.TLSVersion.TLSv1_2
        client = await RawClient.greeted(rig.server.port, just_enough)
        assert client.tls_version == "TLSv1.2"
        await client.close()
        too_old = trusting(tls)
        too_old.set_ciphers("DEFAULT@SECLEVEL=0")  # or this side would not even try
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            too_old.minimum_version = ssl.TLSVersion.TLSv1_1
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            too_old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            await RawClient.open(rig.server.port, too_old)
        await nobody_came_in(rig)


@in_loop
async def test_a_client_that_does_not_trust_the_gateway_says_nothing(tmp_path: Path) -> None:
    tls = self_signed(tmp_path, "one")
    other = self_signed(tmp_path, "two")
    async with gateway(tmp_path, tls=tls) as rig:
        with pytest.raises(ssl.SSLCertVerificationError):
            await RawClient.open(rig.server.port, trusting(other))
        with pytest.raises(ssl.SSLCertVerificationError, match=r"not valid for 'elsewhere\.test'"):
            await RawClient.open(rig.server.port, trusting(tls), name="elsewhere.test")
        await nobody_came_in(rig)
        client = await RawClient.greeted(rig.server.port, trusting(tls))  # others are not disturbed
        await client.pong()
        await client.close()


@in_loop
async def test_a_client_without_tls_is_not_talked_to(tmp_path: Path) -> None:
    tls = self_signed(tmp_path, "one")
    async with gateway(tmp_path, tls=tls) as rig:
        client = await RawClient.open(rig.server.port)
        client.send(type="hello", version=1, customer="AP02", token=TOKEN, client="raw/1")
        await client.ended()  # what is said before is an alert of TLS, or nothing
        await client.close()
        await nobody_came_in(rig)


@in_loop
async def test_a_handshake_that_is_not_ended_in_time_ends_the_connection(tmp_path: Path) -> None:
    tls = self_signed(tmp_path, "one")
    async with gateway(tmp_path, tls=tls, hello_timeout_ms=50) as rig:
        client = await RawClient.open(rig.server.port)
        await client.ended()
        await client.close()
        assert rig.metric("denbun_ingress_sessions") == 0


@in_loop
async def test_the_reason_of_a_goodbye_arrives_before_it(tmp_path: Path) -> None:
    tls = self_signed(tmp_path, "one")
    async with gateway(tmp_path, tls=tls) as rig:
        client = await RawClient.open(rig.server.port, trusting(tls))
        client.send(type="hello", version=1, customer="AP02", token="wrong", client="raw/1")
        assert (await client.receive())["code"] == "not_authenticated"
        assert await client.ended()
        await client.close()

        other = await RawClient.greeted(rig.server.port, trusting(tls))
        stop = asyncio.create_task(rig.server.stop())
        assert await other.receive() == {"type": "bye"}
        assert await other.ended()
        await other.close()
        await stop


@in_loop
async def test_the_library_pays_over_tls(tmp_path: Path) -> None:
    tls = self_signed(tmp_path, "one")
    async with gateway(tmp_path, tls=tls) as rig:
        trusted = trusting(tls)
        trusted.check_hostname = False  # 127.0.0.1 is not in the certificate
        address = ("127.0.0.1", rig.server.port)
        async with await Client.connect(address, customer="AP02", token=TOKEN, tls=trusted) as client:
            card = Card(number="4111111111111111", expiry="2812")
            result = await client.pay(reference="r-1", kind=Kind.SALE, terminal_id="T1", amount=1, card=card)
            assert result.approved


# --- the certificate ------------------------------------------------------------------------------------------------


@in_loop
async def test_new_handshakes_take_a_new_certificate_and_a_faulty_one_changes_nothing(tmp_path: Path) -> None:
    old, new = self_signed(tmp_path, "old"), self_signed(tmp_path, "new")
    context = server_context(old)

    async def served() -> str:
        async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        server = await asyncio.start_server(close, "127.0.0.1", 0, ssl=context)
        trusted = trusting(old)
        trusted.load_verify_locations(str(new.certificate))
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusted, server_hostname=SERVER_NAME)
        name = common_name(writer.get_extra_info("ssl_object"))
        writer.close()
        server.close()
        await server.wait_closed()
        return name

    assert await served() == "old"
    with pytest.raises(ConfigError):
        load(context, Tls(certificate=new.certificate, key=old.key))
    assert await served() == "old"
    load(context, new)
    assert await served() == "new"


def _missing_key(folder: Path, tls: Tls) -> tuple[Tls, str]:
    return Tls(certificate=tls.certificate, key=folder / "none.key"), "No such file or directory"


def _missing_certificate(folder: Path, tls: Tls) -> tuple[Tls, str]:
    return Tls(certificate=folder / "none.pem", key=tls.key), "No such file or directory"


def _anothers_key(folder: Path, tls: Tls) -> tuple[Tls, str]:
    return Tls(certificate=tls.certificate, key=self_signed(folder, "two").key), "they do not match"


def _no_certificate(_: Path, tls: Tls) -> tuple[Tls, str]:
    return Tls(certificate=tls.key, key=tls.key), "not PEM"


def _no_key(_: Path, tls: Tls) -> tuple[Tls, str]:
    return Tls(certificate=tls.certificate, key=tls.certificate), "not PEM"


def _locked_key(folder: Path, _: Tls) -> tuple[Tls, str]:
    reason = "the key needs a pass phrase, and a service cannot be asked"
    return self_signed(folder, "two", pass_phrase=b"open sesame"), reason


@pytest.mark.parametrize(
    "fault", [_missing_key, _missing_certificate, _anothers_key, _no_certificate, _no_key, _locked_key]
)
def test_a_pair_that_is_none_is_named_with_its_reason_and_remedy(
    tmp_path: Path, fault: Callable[[Path, Tls], tuple[Tls, str]]
) -> None:
    tls, reason = fault(tmp_path, self_signed(tmp_path, "one"))
    with pytest.raises(ConfigError) as caught:
        server_context(tls)
    assert str(caught.value) == (
        f"ingress.tls: {tls.certificate} and {tls.key} are not a certificate and its key ({reason}): "
        "name PEM files that belong together"
    )


@in_loop
async def test_an_ingress_with_a_wrong_certificate_does_not_start(tmp_path: Path) -> None:
    tls = Tls(certificate=tmp_path / "none.pem", key=tmp_path / "none.key")
    with pytest.raises(ConfigError, match=r"^ingress\.tls: .* \(No such file or directory\): name PEM files"):
        async with gateway(tmp_path, tls=tls):
            pass
