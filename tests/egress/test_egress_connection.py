"""Who calls whom, and who is taken: dialling with its cap, callers by address, and the second call."""

import asyncio
import logging
import re
import socket

import pytest
from connecting_rig import FRAMING, HOST, Ears, a_line, called, seeking
from line_rig import LINE, until
from loop_rig import in_loop

from egress.connection import Connection, Connector
from egress.dialling import Calls
from schemas.installation import Egress

# --- dialling -------------------------------------------------------------------------------------------------------


@in_loop
async def test_a_line_that_breaks_is_dialled_anew() -> None:
    async with called() as partner, seeking(a_line(mode="dial", port=partner.port)) as rig:
        await until(lambda: len(partner.calls) == 1, lambda: rig.ears.heard)
        partner.calls[0].writer.close()
        await until(lambda: len(partner.calls) == 2, lambda: rig.ears.heard)
        await rig.hears("connected", "disconnected: the partner closed the connection", "connected")
        assert (rig.attempts("connected"), rig.attempts("failed")) == (2, 0)


@in_loop
async def test_a_partner_that_takes_every_call_and_hangs_up_is_not_called_beyond_the_cap_and_that_is_told() -> None:
    async with (
        called(hangs_up=True) as partner,
        seeking(a_line(mode="dial", port=partner.port), dials_per_minute=3) as rig,
    ):
        await until(lambda: len(rig.ears.heard) == 7, lambda: rig.ears.heard)
        hung_up = ["connected", "disconnected: the partner closed the connection"]
        assert rig.ears.heard[:-1] == hung_up * 3
        told = re.fullmatch(
            r"sought: the partner closed the connection; the next attempt in (\d+) s: 3 attempts in the last minute",
            rig.ears.heard[-1],
        )
        assert told is not None
        assert 1 <= int(told[1]) <= 60
        assert len(partner.calls) == rig.attempts("connected") == 3


@in_loop
async def test_a_partner_that_is_not_there_is_told_with_its_address_and_the_cap() -> None:
    with socket.create_server((HOST, 0)) as placeholder:
        port = placeholder.getsockname()[1]
    async with seeking(a_line(mode="dial", port=port), dials_per_minute=2) as rig:
        await until(lambda: len(rig.ears.heard) == 2, lambda: rig.ears.heard)
        first, second = rig.ears.heard
        assert first.startswith(f"sought: {HOST}:{port}: ")
        assert re.fullmatch(re.escape(first) + r"; the next attempt in \d+ s: 2 attempts in the last minute", second)
        assert rig.attempts("failed") == 2


@in_loop
async def test_a_mistake_while_dialling_is_heard_of_and_not_only_the_end_of_the_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    raised: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.set_result(context["exception"]))

    def mistaken(*_: object) -> None:
        raise KeyError("dialling")

    monkeypatch.setattr(Connector, "_secured", lambda _: {})
    monkeypatch.setattr("egress.dialling.Dialling.began", mistaken)
    connector = Connector(a_line(mode="dial", port=1), FRAMING, Egress(metrics_port=0), Ears())
    await connector.start()
    assert repr(await raised) == "KeyError('dialling')"


@in_loop
async def test_attempts_count_however_often_the_line_is_given_up_and_sought_again() -> None:
    times = Egress(metrics_port=0, reconnect_ms=1, reconnect_max_ms=1, dials_per_minute=2)
    calls, ears = Calls(times), Ears()
    async with called() as partner:
        for turn in range(1, 3):
            connector = Connector(a_line(mode="dial", port=partner.port), FRAMING, times, Ears(), None, calls)
            await connector.start()
            await until(lambda turn=turn: len(partner.calls) == turn, lambda: partner.calls)  # type: ignore[misc]
            await connector.stop()
        connector = Connector(a_line(mode="dial", port=partner.port), FRAMING, times, ears, None, calls)
        await connector.start()
        await until(lambda: bool(ears.heard), lambda: ears.heard)
        await connector.stop()
        (told,) = ears.heard
        waits = r"sought: given up a moment ago; the next attempt in \d\d s: 2 attempts in the last minute"
        assert re.fullmatch(waits, told)
        assert len(partner.calls) == 2


@pytest.mark.parametrize("host", ["gw..cafis.example", f"{'g' * 64}.example"])
@in_loop
async def test_a_host_that_is_no_name_is_trouble_of_its_line_alone(host: str) -> None:
    mistakes: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: mistakes.append(context["exception"]))
    ears = Ears()
    connector = Connector(a_line(mode="dial", port=9_000, host=host), FRAMING, Egress(metrics_port=0), ears)
    await connector.start()
    await until(lambda: bool(ears.heard or mistakes), lambda: ears.heard)
    await connector.stop()
    assert (mistakes, ears.heard[0].split(": ")[1]) == ([], f"{host}:9000")


# --- who may call ---------------------------------------------------------------------------------------------------


@in_loop
async def test_a_call_from_elsewhere_is_refused_at_once_counted_and_told_with_its_address(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with seeking(a_line(peers=["192.0.2.0/24", "::1"])) as rig:
        stranger = await rig.call()
        stranger.send("0500")
        name = stranger.name
        assert await stranger.ended() == b""
        assert rig.refused("stranger") == 1
        assert rig.ears.heard == []
        (told,) = [each for each in caplog.records if each.levelno == logging.WARNING]
        assert told.getMessage() == "a call from a stranger was refused"
        assert (told.__dict__["line"], told.__dict__["peer"]) == (LINE, name)


@in_loop
async def test_a_stranger_does_not_touch_the_partners_connection_whatever_the_rule_for_a_second_call() -> None:
    line = a_line(peers=["127.0.0.2"], second_call="replace")
    async with seeking(line) as rig:
        reader, writer = await asyncio.open_connection(HOST, rig.port, local_addr=("127.0.0.2", 0))
        await rig.hears("connected")
        assert await (await rig.call()).ended() == b""
        writer.write(FRAMING.wrap(b"0500"))
        await rig.hears("connected", "received 0500")
        assert rig.refused("stranger") == 1
        writer.close()
        assert await reader.read() == b""


PEERS = ["192.0.2.1", "198.51.100.0/24", "2001:db8::/32"]
CALLERS = {
    ("192.0.2.1", 4_000): True,
    ("192.0.2.2", 4_000): False,
    ("198.51.100.255", 4_000): True,
    ("198.51.101.0", 4_000): False,
    ("::ffff:192.0.2.1", 4_000, 0, 0): True,  # as a socket of both families has it
    ("::ffff:192.0.2.2", 4_000, 0, 0): False,
    ("2001:db8::7", 4_000, 0, 0): True,
    ("fe80::1%2", 4_000, 0, 2): False,
    (): False,  # hung up before anybody could ask who it was
}


@pytest.mark.parametrize("address", CALLERS, ids=lambda address: address[0] if address else "nobody")
def test_a_caller_is_known_by_its_address(address: tuple[object, ...]) -> None:
    connector = Connector(a_line(peers=PEERS), FRAMING, Egress(metrics_port=0), Ears())
    assert connector._is_known(address) is CALLERS[address]
    assert Connector(a_line(), FRAMING, Egress(metrics_port=0), Ears())._is_known(address), "without peers: anyone"


# --- the second call ------------------------------------------------------------------------------------------------


@in_loop
async def test_a_second_call_is_refused_and_counted_while_the_first_lives() -> None:
    async with seeking(a_line(peers=["127.0.0.0/8"])) as rig:
        first = await rig.call()
        await rig.hears("connected")
        assert await (await rig.call()).ended() == b""
        assert rig.refused("second") == 1
        first.send("0500")
        await rig.hears("connected", "called again", "received 0500")


REPLACED = ("connected", "disconnected: the partner called a second time", "connected")


@in_loop
async def test_a_second_call_takes_the_firsts_place_where_the_line_says_so() -> None:
    async with seeking(a_line(peers=["127.0.0.0/8"], second_call="replace")) as rig:
        first = await rig.call()
        await rig.hears("connected")
        second = await rig.call()
        await rig.hears(*REPLACED)
        assert await first.ended() == b""
        first.send("of yesterday")
        second.send("0500")
        await rig.hears(*REPLACED, "received 0500")
        assert rig.connector.connection is not None
        rig.connector.connection.transmit(FRAMING.wrap(b"0510"))
        await second.receive("0510")
        assert rig.refused("second") == 0


@in_loop
async def test_what_a_replaced_connection_still_has_to_say_is_not_of_the_line() -> None:
    async with seeking(a_line(peers=["127.0.0.0/8"], second_call="replace")) as rig:
        await rig.call()
        await rig.hears("connected")
        old = rig.connector.connection
        assert old is not None
        old.pause_writing()
        await rig.call()
        replaced = ("connected", "not writable", *REPLACED[1:])
        await rig.hears(*replaced)
        old.resume_writing()
        old.data_received(FRAMING.wrap(b"late"))
        await old.closed.wait()
        assert rig.ears.heard == list(replaced), "the line belongs to the second one"


@in_loop
async def test_a_partner_that_was_hung_up_for_what_it_brings_is_taken_again_after_a_pause_that_doubles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = [100.0]
    monkeypatch.setattr("egress.connection.time.monotonic", lambda: now_s[0])
    async with seeking(a_line(), reconnect_ms=1_000, reconnect_max_ms=3_000) as rig:
        for shunned, pause_s in enumerate((1, 2, 3, 3), 1):
            rig.connector.shun()
            now_s[0] += pause_s - 0.01
            assert await (await rig.call()).ended() == b""
            assert rig.refused("shunned") == shunned
            now_s[0] += 0.02
        now_s[0] += 3.0
        rig.connector.shun()
        now_s[0] += 1.01
        await rig.call()
        await rig.hears("connected")


@pytest.mark.parametrize("rule", ["refuse", "replace"])
@in_loop
async def test_a_partner_that_calls_again_and_again_is_taken_no_oftener_than_it_would_be_called(
    monkeypatch: pytest.MonkeyPatch, rule: str
) -> None:
    now_s = [100.0]
    monkeypatch.setattr("egress.connection.time.monotonic", lambda: now_s[0])
    async with seeking(a_line(second_call=rule, peers=["127.0.0.0/8"]), dials_per_minute=3) as rig:
        for number in range(3):
            now_s[0] += 1
            caller = await rig.call()
            await until(lambda number=number: rig.ears.heard.count("connected") == number + 1, lambda: rig.ears.heard)  # type: ignore[misc]
            if rule == "refuse":
                caller.writer.close()
                await until(lambda: rig.connector.connection is None, lambda: rig.ears.heard)
        now_s[0] = 160.9
        assert await (await rig.call()).ended() == b""
        assert rig.refused("too_often") == 1
        now_s[0] = 161.0
        await rig.call()
        await until(lambda: rig.ears.heard.count("connected") == 4, lambda: rig.ears.heard)


@in_loop
async def test_of_many_refused_calls_some_are_told_and_how_many_were_not(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now_s = [100.0]
    monkeypatch.setattr("egress.connection.time.monotonic", lambda: now_s[0])
    async with seeking(a_line(peers=["192.0.2.0/24"])) as rig:
        for _ in range(25):
            assert await (await rig.call()).ended() == b""
        now_s[0] += 1.0
        assert await (await rig.call()).ended() == b""
        assert rig.refused("stranger") == 26
    told = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert [each.__dict__.get("not_told") for each in told] == [None] * 20 + [5]


# --- gathered writes ------------------------------------------------------------------------------------------------


class Wire(asyncio.Transport):
    """Keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.unsent = 0
        self.closing = self.aborted = False
        self.error: Exception | None = None

    def write(self, data: bytes) -> None:  # type: ignore[override]
        if self.error is not None:
            raise self.error
        self.writes.append(data)

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return self.closing

    def resume_reading(self) -> None:
        assert not self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True


@in_loop
async def test_a_keep_alive_is_answered_in_the_turn_in_which_it_comes_however_much_is_queued() -> None:
    ears = Ears()
    connector = Connector(a_line(), FRAMING, Egress(metrics_port=0), ears)
    connection, wire = Connection(connector), Wire()
    connection.connection_made(wire)
    ears.on_telegram = lambda _: connection.transmit(b"answer ")
    loop = asyncio.get_running_loop()

    def more() -> None:  # telegrams without end, in every turn
        connection.transmit(b"telegram ")
        if len(wire.writes) < 5:
            loop.call_soon(more)

    more()
    await asyncio.sleep(0)
    before = len(wire.writes)
    connection.data_received(FRAMING.wrap(b"keep-alive"))
    await asyncio.sleep(0)
    (turn,) = wire.writes[before : before + 1]
    assert turn.endswith(b"answer "), "with what had been queued before it, and before what is queued after it"
    await until(lambda: len(wire.writes) >= 5, lambda: wire.writes)
    assert b"".join(wire.writes).count(b"answer ") == 1


# --- a partner that reads nothing, and a connection that is gone ------------------------------------------------------


def a_connection() -> tuple[Connector, Connection, Wire]:
    connector = Connector(a_line(), FRAMING, Egress(metrics_port=0), Ears())
    connection, wire = Connection(connector), Wire()
    connection.connection_made(wire)
    return connector, connection, wire


@in_loop
async def test_a_partner_that_reads_no_answers_is_hung_up_before_they_fill_the_memory() -> None:
    _, connection, wire = a_connection()
    connection.transmit(b"x" * 100)
    await asyncio.sleep(0)
    wire.unsent = 1_048_576 - 99
    connection.transmit(b"x" * 99)
    await asyncio.sleep(0)
    assert (len(wire.writes), wire.aborted) == (2, False)
    connection.transmit(b"x" * 100)
    await asyncio.sleep(0)
    assert (len(wire.writes), wire.aborted) == (2, True)
    assert connection.reason == "the partner has left more than 1024 KiB unread"


@in_loop
async def test_keep_alives_whose_answers_are_never_read_end_the_connection_and_not_the_process() -> None:
    async with seeking(a_line()) as rig:
        caller = await rig.call()
        await rig.hears("connected")
        line = rig.connector.connection
        assert line is not None
        await until(lambda: line.reason is not None or line.transmit(b"a" * 65_536) is not None, lambda: line.reason)
        await until(lambda: rig.connector.connection is None, lambda: rig.ears.heard)
        assert rig.ears.heard[-1] == "disconnected: the partner has left more than 1024 KiB unread"
        assert len(await caller.ended()) % 65_536 < 10_000_000


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed"), "closed"),
        (ConnectionResetError(104, "Connection reset by peer"), "Connection reset by peer"),
    ],
    ids=["the handler is closed", "reset"],
)
@in_loop
async def test_a_connection_that_was_reset_under_a_write_is_broken_and_nothing_is_raised(
    error: Exception, told: str
) -> None:
    raised: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
    connector, connection, wire = a_connection()
    wire.error = error
    connection.transmit(b"telegram")
    await asyncio.sleep(0)
    assert (raised, wire.closing) == ([], True)
    assert told in (connection.reason or "")
    connection.connection_lost(None)
    assert connector.connection is None


@in_loop
async def test_nothing_is_written_to_a_connection_that_is_going_or_gone() -> None:
    _, connection, wire = a_connection()
    connection.transmit(b"too late")
    wire.closing = True
    await asyncio.sleep(0)
    connection.connection_lost(None)
    connection.transmit(b"later still")
    await asyncio.sleep(0)
    connection.hang("closed")
    assert wire.writes == []


# --- the second net -------------------------------------------------------------------------------------------------


@in_loop
async def test_the_system_looks_after_a_connection_too_where_it_can() -> None:
    async with seeking(a_line(), probe_idle_ms=30_000, probe_timeout_ms=5_000) as rig:
        await rig.call()
        await rig.hears("connected")
        assert rig.connector.connection is not None
        assert rig.connector.connection._transport is not None
        looked_at = rig.connector.connection._transport.get_extra_info("socket")
        assert looked_at.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        for name, expected in (
            ("TCP_KEEPIDLE", 30),
            ("TCP_KEEPINTVL", 1),
            ("TCP_KEEPCNT", 3),
            ("TCP_USER_TIMEOUT", 35_000),
        ):
            if hasattr(socket, name):
                assert looked_at.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) == expected, name
