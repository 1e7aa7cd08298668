"""A line behind TLS: both ends show a certificate, and who shows none, or another's, is not heard of."""

import logging
import ssl
from pathlib import Path

import pytest
from connecting_rig import FRAMING, HOST, a_line, called, seeking
from line_certificates import Authority, client, server
from line_rig import LINE, until
from loop_rig import in_loop

from egress.config import Settings
from egress.connection import _HANDSHAKES_OF_ADDRESS_MAX
from pipeline.config import ConfigError, load
from schemas.installation import Installation, Line

GATEWAY, PARTNER = "gateway.test", "centre.test"
DEVELOPMENT = Path(__file__).parents[2] / "deploy" / "environments" / "development" / "denbun.toml"


class Papers:
    """What both ends show."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder, "authority")
        self.gateway = self.authority.issue(GATEWAY)
        self.partner = self.authority.issue(PARTNER)

    def line(self, **changes: object) -> Line:
        tls = {**self.gateway, "authority": str(self.authority.file), **changes.pop("tls", {})}  # type: ignore[dict-item]
        return a_line(tls=tls, **changes)

    def spoil(self) -> None:
        """Let the gateway's certificate be none."""
        Path(self.gateway["certificate"]).write_text("none")

    def renew(self, name: str) -> None:
        """Let the gateway have another certificate, where the last one lay."""
        new = self.authority.issue(name)
        for file in ("key", "certificate"):
            Path(new[file]).replace(self.gateway[file])


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return Papers(tmp_path)


# --- being called ---------------------------------------------------------------------------------------------------


def test_who_shows_the_partners_certificate_is_taken_and_heard(papers: Papers) -> None:
    @in_loop
    async def play() -> None:
        async with seeking(papers.line(tls={"name": PARTNER.upper()})) as rig:
            caller = await rig.call(client(papers.authority, papers.partner), GATEWAY)
            caller.send("0500")
            await rig.hears("connected", "received 0500")
            assert rig.connector.connection is not None
            rig.connector.connection.transmit(FRAMING.wrap(b"0510"))
            await caller.receive("0510")
            caller.writer.close()
            await rig.hears("connected", "received 0500", "disconnected: the partner closed the connection")

    play()


def _no_certificate(papers: Papers, _: Path) -> tuple[ssl.SSLContext, str]:
    return client(papers.authority, None), "a call was refused: TLS: peer did not return a certificate"


def _of_another_authority(papers: Papers, folder: Path) -> tuple[ssl.SSLContext, str]:
    told = "a call was refused: the certificate is not accepted: unable to get local issuer certificate"
    other = Authority(folder, "other").issue(f"other.{PARTNER}")
    return client(papers.authority, other), told


def _with_another_name(papers: Papers, _: Path) -> tuple[ssl.SSLContext, str]:
    other = papers.authority.issue("another.test")
    return client(papers.authority, other), f"a call was refused: its certificate is not {PARTNER}'s"


@pytest.mark.parametrize("who", [_no_certificate, _of_another_authority, _with_another_name])
def test_who_shows_anything_else_is_refused_counted_and_told(
    papers: Papers, tmp_path: Path, caplog: pytest.LogCaptureFixture, who: object
) -> None:
    context, told = who(papers, tmp_path)  # type: ignore[operator]

    @in_loop
    async def play() -> None:
        async with seeking(papers.line(tls={"name": PARTNER})) as rig:
            caller = await rig.call(context, GATEWAY)
            name = caller.name
            await caller.ended()
            await until(lambda: rig.refused("certificate") == 1, lambda: caplog.records)
            (warning,) = [each for each in caplog.records if each.levelno == logging.WARNING]
            assert warning.getMessage() == told
            assert (warning.__dict__["line"], warning.__dict__["peer"]) == (LINE, name)
            assert rig.ears.heard == []
            # The next one who is the partner comes in.
            await rig.call(client(papers.authority, papers.partner), GATEWAY)
            await rig.hears("connected")

    play()


def test_silent_callers_keep_the_partner_out_of_nothing(papers: Papers, caplog: pytest.LogCaptureFixture) -> None:
    @in_loop
    async def play() -> None:
        async with seeking(papers.line(), connect_timeout_ms=60_000) as rig:
            silent = [await rig.call() for _ in range(_HANDSHAKES_OF_ADDRESS_MAX + 3)]
            for each in silent[:3]:
                await each.ended()
            await rig.call(client(papers.authority, papers.partner), GATEWAY)
            await rig.hears("connected")
            await until(lambda: rig.refused("certificate") == 4, lambda: rig.refused("certificate"))
            warnings = [each for each in caplog.records if each.levelno == logging.WARNING]
            assert {each.getMessage() for each in warnings} == {
                "a call was refused: too many have shown no certificate"
            }
            assert [each.__dict__["peer"] for each in warnings] == [each.name for each in silent[:4]]

    play()


def test_who_does_not_speak_tls_or_says_nothing_is_refused(papers: Papers, caplog: pytest.LogCaptureFixture) -> None:
    @in_loop
    async def play() -> None:
        async with seeking(papers.line(), connect_timeout_ms=100) as rig:
            plain = await rig.call()
            plain.send("0500")
            await plain.ended()
            silent = await rig.call()
            await silent.ended()
            await until(lambda: rig.refused("certificate") == 2, lambda: caplog.records)
            assert rig.ears.heard == []

    play()


def test_a_stranger_is_refused_by_its_address_before_anything_is_shown(papers: Papers) -> None:
    @in_loop
    async def play() -> None:
        async with seeking(papers.line(peers=["192.0.2.1"])) as rig:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await rig.call(client(papers.authority, papers.partner), GATEWAY)
            assert (rig.refused("stranger"), rig.refused("certificate")) == (1, 0)
            assert rig.ears.heard == []

    play()


def test_a_second_call_is_judged_after_its_certificate_was_shown(papers: Papers) -> None:
    @in_loop
    async def play() -> None:
        async with seeking(papers.line(second_call="replace")) as rig:
            first = await rig.call(client(papers.authority, papers.partner), GATEWAY)
            await rig.hears("connected")
            stranger = await rig.call(client(papers.authority, None), GATEWAY)
            await stranger.ended()
            await until(lambda: rig.refused("certificate") == 1, lambda: rig.ears.heard)
            assert rig.ears.heard == ["connected"]
            await rig.call(client(papers.authority, papers.partner), GATEWAY)
            await rig.hears("connected", "disconnected: the partner called a second time", "connected")
            await first.ended()

    play()


def test_a_listener_that_is_closed_takes_nobody_any_more(papers: Papers) -> None:
    @in_loop
    async def play() -> None:
        async with seeking(papers.line()) as rig:
            halfway = await rig.call()  # not greeted yet
            port = rig.port
            await rig.connector.stop()
            await halfway.ended()
            async with seeking(papers.line(port=port)):  # another can listen there
                pass
            assert rig.ears.heard == []

    play()


def test_an_address_that_is_taken_is_told(papers: Papers) -> None:
    @in_loop
    async def play() -> None:
        async with seeking(papers.line()) as rig:
            with pytest.raises(OSError, match=rf"line {LINE}: cannot listen on {HOST}:{rig.port}: .*already in use"):
                async with seeking(papers.line(port=rig.port)):
                    pass

    play()


# --- calling --------------------------------------------------------------------------------------------------------


def test_a_line_that_dials_shows_its_certificate_and_looks_at_the_partners(papers: Papers) -> None:
    @in_loop
    async def play() -> None:
        async with called(tls=server(papers.authority, papers.partner)) as partner:
            line = papers.line(mode="dial", port=partner.port, tls={"name": PARTNER})
            async with seeking(line) as rig:
                await rig.hears("connected")
                await until(lambda: len(partner.calls) == 1, lambda: rig.ears.heard)
                shown = partner.calls[0].writer.get_extra_info("peercert")
                assert shown["subjectAltName"] == (("DNS", GATEWAY),)
                partner.calls[0].send("0500")
                await rig.hears("connected", "received 0500")

    play()


def test_a_partner_with_another_name_is_not_talked_to(papers: Papers) -> None:
    @in_loop
    async def play() -> None:
        async with called(tls=server(papers.authority, papers.partner)) as partner:
            line = papers.line(mode="dial", port=partner.port, tls={"name": "elsewhere.test"})
            async with seeking(line, reconnect_ms=60_000, reconnect_max_ms=60_000) as rig:
                await rig.hears(
                    f"sought: {HOST}:{partner.port}: the certificate is not accepted: Hostname mismatch, certificate "
                    "is not valid for 'elsewhere.test'."
                )

    play()


def test_without_a_name_the_partner_must_be_named_as_its_host(papers: Papers) -> None:
    @in_loop
    async def play() -> None:
        async with called(tls=server(papers.authority, papers.partner)) as partner:
            line = papers.line(mode="dial", port=partner.port)
            async with seeking(line, reconnect_ms=60_000, reconnect_max_ms=60_000) as rig:
                await until(lambda: len(rig.ears.heard) == 1, lambda: rig.ears.heard)
                assert f"not valid for '{HOST}'" in rig.ears.heard[0]

    play()


def test_a_renewed_certificate_is_shown_with_the_next_call_and_a_faulty_one_is_told(papers: Papers) -> None:
    @in_loop
    async def play() -> None:
        async with called(tls=server(papers.authority, papers.partner)) as partner:
            line = papers.line(mode="dial", port=partner.port, tls={"name": PARTNER})
            async with seeking(line) as rig:
                await until(lambda: len(partner.calls) == 1, lambda: rig.ears.heard)
                papers.spoil()
                partner.calls[0].writer.close()
                await until(lambda: "not a certificate and its key" in rig.ears.heard[-1], lambda: rig.ears.heard)
                papers.renew("renewed.test")
                await until(lambda: len(partner.calls) == 2, lambda: rig.ears.heard)
                shown = partner.calls[1].writer.get_extra_info("peercert")
                assert shown["subjectAltName"] == (("DNS", "renewed.test"),)

    play()


# --- the configuration ----------------------------------------------------------------------------------------------

PAIR = "{certificate} and {key} are not a certificate and its key (not PEM): name PEM files that belong together"


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("certificate", PAIR),
        ("authority", "{authority} is not the certificate of an authority (not PEM): name a PEM file"),
    ],
    ids=["certificate", "authority"],
)
@pytest.mark.parametrize("mode", ["dial", "listen"])
def test_a_file_that_is_no_certificate_is_told_when_the_configuration_is_read(
    papers: Papers, mode: str, file: str, told: str
) -> None:
    raw = load(Installation, DEVELOPMENT, {}).model_dump(mode="json")
    tls = {**papers.gateway, "authority": str(papers.authority.file)}
    raw["line"][0] |= {"mode": mode, "tls": tls}
    assert Settings.from_installation(Installation.model_validate(raw)).lines[0].tls is not None
    Path(tls[file]).write_text("-")
    with pytest.raises(ConfigError) as raised:
        Settings.from_installation(Installation.model_validate(raw))
    assert str(raised.value) == f"line cafis-1, tls: {told.format(**tls)}"
