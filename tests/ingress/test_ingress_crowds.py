"""More at the door than there is room for, and clients that take more than their share: who gets in, who goes."""

import asyncio
import resource
from pathlib import Path
from typing import Any

import pytest
from certificates import self_signed
from gateway_rig import TOKEN, Gateway, RawClient, gateway, reply_to, settings, until
from loop_rig import in_loop
from service_rig import Clock
from test_ingress_refusals import framed, told
from test_ingress_tls import trusting

from ingress import shell
from ingress.connection import Connection
from ingress.core import FRAMES_A_TURN, Session
from ingress.door import ensure_files, files_needed
from ingress.places import Lines, Places
from pipeline import bridge
from pipeline.config import ConfigError
from pipeline.log import Outgoing
from pipeline.threshold import Threshold
from schemas import wire
from schemas.client_frames import Hello, Rejection, frame
from schemas.records import RequestAccepted

CROWDED = told(Rejection.TOO_MANY_SESSIONS, "too many have not said hello; say it at once")
PING = framed(b'{"type":"ping","n":1}')


# --- the rule -------------------------------------------------------------------------------------------------------


def test_the_oldest_of_the_address_with_most_goes() -> None:
    threshold: Threshold[str] = Threshold(4, 3)
    came = [("a1", "a"), ("b1", "b"), ("a2", "a"), ("a3", "a"), ("b2", "b"), ("c1", "c"), ("b3", "b"), ("d1", "d")]
    gone = [threshold.enter(who, address) for who, address in came]
    assert gone == [None, None, None, None, "a1", "a2", "b1", "b2"]
    assert len(threshold) == 4


def test_who_calls_twice_at_once_is_not_put_out_for_strangers_who_each_have_an_address() -> None:
    threshold: Threshold[str] = Threshold(16, 12)
    for number in range(16):
        assert threshold.enter(f"stranger {number}", f"10.0.0.{number}") is None
    gone = [threshold.enter(f"honest {number}", "192.0.2.1") for number in range(2)]
    assert gone == ["stranger 0", "stranger 1"]
    assert threshold.enter("honest 2", "192.0.2.1") == "honest 0"  # by now it has more than an eighth


def test_one_address_has_no_more_than_its_share_and_whoever_leaves_makes_room() -> None:
    threshold: Threshold[int] = Threshold(10, 2)
    assert [threshold.enter(who, "a") for who in range(4)] == [None, None, 0, 1]
    threshold.leave(2)
    threshold.leave(99)
    assert threshold.enter(4, "a") is None
    assert len(threshold) == 2


def test_a_customer_has_no_more_than_its_share_of_the_places() -> None:
    places = Places(3, 2)
    for customer in ("A", "A", "B"):
        assert places.fault(customer) is None
        places.take(customer)
    assert (places.fault("A"), places.fault("B"), places.full) == ("at most 2 of one customer", "at most 3", True)
    places.give_back("A")
    assert (places.fault("A"), places.fault("B"), len(places)) == (None, None, 2)


def test_a_customer_without_a_session_may_have_one() -> None:
    assert Places(3, 1).fault("A") is None


def test_a_customer_whose_sessions_have_ended_takes_no_place() -> None:
    places = Places(3, 3)
    for _ in range(3):
        places.take("A")
    left = []
    for _ in range(3):
        places.give_back("A")
        left.append(len(places))
    assert left == [2, 1, 0]


def test_all_lines_about_strangers_of_the_first_second_may_be_written() -> None:
    lines = Lines(2)
    assert [lines.one_more() for _ in range(3)] == [True, True, False]


def test_lines_about_strangers_are_so_many_a_second_and_the_others_are_counted_once() -> None:
    lines = Lines(2)
    assert lines.left_out(0) == 0
    assert [lines.one_more() for _ in range(5)] == [True, True, False, False, False]
    assert (lines.left_out(999), lines.left_out(1_000), lines.left_out(1_001)) == (0, 3, 0)
    assert lines.one_more()


# --- before hello ---------------------------------------------------------------------------------------------------


async def silent(rig: Gateway, count: int) -> list[RawClient]:
    clients = [await RawClient.open(rig.server.port) for _ in range(count)]
    await until(lambda: rig.metric("denbun_ingress_ungreeted") == min(count, 4), "the calls")
    return clients


@in_loop
async def test_silent_sockets_keep_nobody_out_who_says_hello(tmp_path: Path) -> None:
    async with gateway(tmp_path, max_sessions=3, max_ungreeted=4) as rig:
        strangers = await silent(rig, 12)
        for each in strangers[:8]:
            assert await each.receive() == CROWDED
            assert await each.ended()
        first = await RawClient.greeted(rig.server.port)
        strangers += await silent(rig, 12)
        second = await RawClient.greeted(rig.server.port)
        strangers += await silent(rig, 4)
        for client in (first, second):  # who has said hello is crowded out by nobody
            await client.pong()
        assert rig.metric("denbun_ingress_sessions") == 2
        for each in (*strangers, first, second):
            await each.close()


@in_loop
async def test_handshakes_that_never_end_keep_nobody_out_either(tmp_path: Path) -> None:
    tls = self_signed(tmp_path, "one")
    async with gateway(tmp_path, tls=tls, max_ungreeted=4) as rig:
        strangers = await silent(rig, 12)
        for each in strangers[:8]:
            assert await each.ended()
        client = await RawClient.greeted(rig.server.port, trusting(tls))
        await client.pong()
        for each in (*strangers, client):
            await each.close()
        await until(lambda: not rig.server._connections, "the end of all")
        assert rig.metric("denbun_ingress_ungreeted") == 0


@in_loop
async def test_a_hello_that_comes_a_byte_at_a_time_must_be_whole_in_time(tmp_path: Path) -> None:
    clock = Clock()
    async with gateway(tmp_path, now_ms=clock) as rig:
        client = await RawClient.open(rig.server.port)
        for byte in framed(b'{"type":"hello","version":1}')[:-1]:
            client.send_bytes(bytes((byte,)))
            clock.pass_ms(100)
        await until(lambda: any(each.session for each in rig.server._connections), "the call")
        clock.pass_ms(5_000)
        assert await client.receive() == told(Rejection.HELLO_TIMEOUT, "the frame is not whole")
        assert await client.ended()
        await client.close()


@in_loop
async def test_who_is_turned_away_and_stays_is_not_waited_for_when_there_are_many(tmp_path: Path) -> None:
    async with gateway(tmp_path, max_ungreeted=2) as rig:
        clients = [await RawClient.open(rig.server.port) for _ in range(6)]
        for client in clients:
            client.send(type="ping", n=1)
            if client not in clients[-2:]:
                await client.ended()
        await until(lambda: len(rig.server._connections) <= 2, "the end of the others")
        for client in clients:
            await client.close()


def test_the_files_that_may_be_needed_are_asked_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    limits = [(64, 100_000)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[0])
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: asked.append(wanted))
    needed = files_needed(settings())
    ensure_files(settings())
    limits[0] = (needed, needed)
    ensure_files(settings())
    assert asked == [(needed, 100_000)]
    limits[0] = (64, needed - 1)
    with pytest.raises(ConfigError, match=rf"need {needed} open files, and this process may have {needed - 1}: raise"):
        ensure_files(settings())


# --- after hello ----------------------------------------------------------------------------------------------------


@in_loop
async def test_a_customer_takes_no_more_than_its_share(tmp_path: Path) -> None:
    async with gateway(tmp_path, max_sessions=3, max_sessions_per_customer=2) as rig:
        mine = [await RawClient.greeted(rig.server.port) for _ in range(2)]
        third = await RawClient.open(rig.server.port)
        third.send(type="hello", version=1, customer="AP02", token=TOKEN, client="raw/1")
        assert await third.receive() == told(Rejection.TOO_MANY_SESSIONS, "at most 2 of one customer")
        other = await RawClient.open(rig.server.port)
        other.send(type="hello", version=1, customer="AP22", token="another-token", client="raw/1")
        assert (await other.receive())["type"] == "welcome"
        late = await RawClient.open(rig.server.port)
        assert await late.receive() == told(Rejection.TOO_MANY_SESSIONS, None)  # no hello could get in
        await mine[0].close()
        await until(lambda: rig.metric("denbun_ingress_sessions") == 2, "the place")
        again = await RawClient.greeted(rig.server.port)
        for each in (mine[1], third, other, late, again):
            await each.close()


def test_of_one_client_so_many_frames_are_taken_and_then_others_have_their_turn() -> None:
    session = Session(settings(), "s-1", 0)
    hello = Hello(version=1, customer="AP02", token=TOKEN, client="raw/1")
    session.receive(frame(hello), 0)
    acts = session.receive(PING * (2 * FRAMES_A_TURN + 3), 0)
    taken = [len(acts)]
    while session.more:
        taken.append(len(session.receive(b"", 0)))
    assert taken == [FRAMES_A_TURN, FRAMES_A_TURN, 3]


@in_loop
async def test_a_client_that_sends_much_at_once_hears_of_all_of_it_and_holds_up_nobody(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        eager, other = await RawClient.greeted(rig.server.port), await RawClient.greeted(rig.server.port)
        eager.send_bytes(PING * 20_000)
        await other.pong()
        assert await eager.receive_many(20_000) == [{"type": "pong", "n": 1}] * 20_000
        await eager.pong()
        for each in (eager, other):
            await each.close()


@in_loop
async def test_a_client_that_reads_nothing_of_what_it_is_owed_is_hung_up_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_UNREAD_MAX", "_ANSWER_MAX"):
        monkeypatch.setattr(shell, name, 1)
    async with gateway(tmp_path) as rig:
        rig.router.answer = lambda _: []
        client, other = await RawClient.greeted(rig.server.port), await RawClient.greeted(rig.server.port)
        client.ask("r-1")
        await client.pong()
        client.pause()
        (asked,) = [record for record in rig.records("requests") if isinstance(record, RequestAccepted)]
        value, headers = wire.encode(reply_to(asked))
        writer = rig.log.writer("router")
        writer.write([Outgoing(rig.topics("replies"), None, value, headers, 0)] * 60_000)  # more than sockets hold
        await until(
            lambda: rig.metric("denbun_ingress_closed_total", reason="does_not_read") == 1, "the end of its session"
        )
        await other.pong()
        for each in (client, other):
            await each.close()


@in_loop
async def test_while_the_log_is_behind_nothing_more_is_read_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge, "_BEHIND", 2)
    async with gateway(tmp_path) as rig:
        client = await RawClient.greeted(rig.server.port)
        rig.log.hold(rig.topics("requests"))
        for number in range(3):
            client.ask(f"r-{number}")
        await until(lambda: len(rig.log._waiting) == 3, "the requests")
        client.ask("r-3")
        client.send(type="ping", n=7)
        await asyncio.sleep(3 * shell._TICK_S)
        assert len(rig.log._waiting) == 3
        assert rig.metric("denbun_ingress_in_flight") == 3
        rig.log.let_go()
        told = await client.receive_many(5)
        assert {each.get("reference") for each in told} == {None, "r-0", "r-1", "r-2", "r-3"}
        await client.close()


# --- what never should go wrong -------------------------------------------------------------------------------------


async def ends_alone(rig: Gateway, monkeypatch: pytest.MonkeyPatch, where: type, name: str) -> None:
    """Let a method fail for one client: that one is hung up on, another goes on, and it is said."""
    one, other = await RawClient.greeted(rig.server.port), await RawClient.greeted(rig.server.port)
    chosen = rig.server._by_session[one.welcome["session"]]
    method = getattr(where, name)

    def fails(self: Any, *arguments: Any) -> Any:
        if self in (chosen, chosen.session):
            raise ZeroDivisionError
        return method(self, *arguments)

    monkeypatch.setattr(where, name, fails)
    one.send(type="ping", n=1)
    other.send(type="ping", n=7)
    await one.ended()
    assert await other.receive() == {"type": "pong", "n": 7}
    assert rig.metric("denbun_ingress_closed_total", reason="failed") == 1
    assert not rig.server.failed.done()
    for each in (one, other):
        await each.close()


@pytest.mark.parametrize(("where", "name"), [(Session, "receive"), (Connection, "flush")])
def test_what_goes_wrong_with_one_connection_ends_it_alone_and_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, where: type, name: str
) -> None:
    @in_loop
    async def scenario() -> None:
        async with gateway(tmp_path) as rig:
            await ends_alone(rig, monkeypatch, where, name)

    scenario()
    assert any(record.message == "a connection failed" and record.exc_info for record in caplog.records)


@in_loop
async def test_what_goes_wrong_when_the_log_answers_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Session, "stored", fails)
    async with gateway(tmp_path) as rig:
        client = await RawClient.greeted(rig.server.port)
        client.ack(await client.answered("r-1"))
        with pytest.raises(ZeroDivisionError):
            await asyncio.shield(rig.server.failed)
        await client.close()
