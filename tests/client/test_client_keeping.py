"""How the client comes to a session, keeps one, and leaves, to the millisecond."""

import asyncio
import contextlib
import itertools
import random
import ssl
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from still_time import LeapingLoop, connected, ended, here, instant, leaping, payment

from client import Client, ConnectError
from client.aio import _now_ms
from client.link import Address
from schemas.client_frames import GatewayBye


@pytest.fixture(autouse=True)
def chance_gives_the_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", max)


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "denbun.client"]


# --- connecting


@pytest.mark.parametrize(
    ("changes", "ends_s", "says"),
    [({}, 5.0, "within 5 s"), ({"timeout_s": 0.25}, 0.25, "within 0.25 s")],
)
def test_a_gateway_that_says_nothing_is_waited_for_as_long_as_is_asked(
    changes: dict[str, Any], ends_s: float, says: str
) -> None:
    @leaping
    async def scenario() -> None:
        here().mute.add("a")
        when, error = await ended(connected("a", **changes))
        assert (when, str(error)) == (ends_s, f"a:7010: no gateway answered {says}")

    scenario()


@pytest.mark.parametrize(
    ("addresses", "dialled"),
    [(("b", 7010), ["b"]), ([("a", 7010), ("b", 7010)], ["a", "b"]), ((("a", 7010), ("b", 7010)), ["a", "b"])],
)
def test_one_address_may_be_given_or_several_in_any_sequence(
    addresses: Address | Sequence[Address], dialled: list[str]
) -> None:
    @leaping
    async def scenario() -> None:
        here().down.add("a")
        async with await Client.connect(addresses, customer="AP02", token="t"):
            assert [host for _, host in here().dialled] == dialled

    scenario()


@leaping
async def test_where_nobody_answers_every_address_and_its_fault_is_named() -> None:
    here().down |= {"a", "b"}
    with pytest.raises(ConnectError) as caught:
        await connected("a", "b")
    assert str(caught.value) == "a:7010: nobody is at 7010; b:7010: nobody is at 7010"


@leaping
async def test_the_first_session_and_every_later_one_is_of_the_tls_that_was_given() -> None:
    tls = ssl.create_default_context()
    here().lives_s = [10.0]
    async with await connected("a", tls=tls):
        await asyncio.sleep(11)
    assert here().contexts == [tls, tls]


# --- keeping


@leaping
async def test_each_session_is_sought_at_the_address_after_the_last_ones() -> None:
    here().lives_s = [10.0] * 4
    async with await connected("a", "b", "c"):
        await asyncio.sleep(45)
    assert [host for _, host in here().dialled] == ["a", "b", "c", "a", "b"]


@pytest.mark.parametrize(
    ("lives_s", "dialled_s"),
    [
        ([2.0], [0.0, 2.0]),
        ([1.5], [0.0, 1.52]),
        ([10.0, 0.5], [0.0, 10.0, 10.52]),
        ([0.5, 0.5, 10.0, 0.5], [0.0, 0.52, 1.06, 11.06, 11.58]),
    ],
)
def test_a_session_that_held_is_replaced_at_once_and_one_that_did_not_after_a_pause(
    lives_s: list[float], dialled_s: list[float]
) -> None:
    @leaping
    async def scenario() -> None:
        here().lives_s = [*lives_s]
        async with await connected("a"):
            await asyncio.sleep(20)
        assert [when for when, _ in here().dialled] == dialled_s

    scenario()


@pytest.mark.parametrize(("chance", "share"), [(min, 0.5), (max, 1.0)])
def test_the_pause_before_each_try_doubles_to_two_seconds_and_chance_takes_up_to_half(
    monkeypatch: pytest.MonkeyPatch, chance: Callable[[float, float], float], share: float
) -> None:
    monkeypatch.setattr(random, "uniform", chance)

    @leaping
    async def scenario() -> None:
        here().lives_s = [0.0]
        async with await connected("a"):
            here().down.add("a")
            await asyncio.sleep(8)
        times = [when for when, _ in here().dialled]
        pauses = [(later - earlier) / share for earlier, later in itertools.pairwise(times)]
        assert pauses[:9] == pytest.approx([0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.0, 2.0])

    scenario()


@leaping
async def test_whether_a_session_is_open_is_told_at_every_time() -> None:
    async with await connected("a", "b") as client:
        told = [client.connected]
        here().down.add("b")
        here().sessions[0].abort()
        await instant()
        told.append(client.connected)
        here().down.clear()
        await asyncio.sleep(1)
        assert [*told, client.connected] == [True, False, True]


@leaping
async def test_a_session_that_ends_after_it_was_left_takes_nothing_from_its_successor() -> None:
    async with await connected("a", "b") as client:
        here().sessions[0].say(GatewayBye())
        await asyncio.sleep(1)
        first, second = here().sessions
        first.abort()
        await instant()
        assert client.connected
        assert (first.is_closing(), second.is_closing()) == (True, False)


@leaping
async def test_the_log_names_the_session_that_was_left_and_why_there_is_none(caplog: pytest.LogCaptureFixture) -> None:
    async with await connected("a"):
        here().down.add("a")
        here().sessions[0].abort()
        await asyncio.sleep(0.03)
    assert logged(caplog) == ["session left: a:7010", "no session: a:7010: nobody is at 7010"]


# --- leaving


@pytest.mark.parametrize(("given", "ends_s"), [((), 30.0), ((2.0,), 2.0)])
def test_closing_waits_for_what_is_under_way_as_long_as_is_asked(given: tuple[float, ...], ends_s: float) -> None:
    @leaping
    async def scenario() -> None:
        client = await connected("a")
        paying = asyncio.create_task(ended(client.pay(**payment("r-1", wait_ms=60_000))))
        await asyncio.sleep(0)
        assert await ended(client.close(*given)) == (ends_s, None)
        assert (await paying)[0] == ends_s

    scenario()


@leaping
async def test_a_gateway_that_does_not_go_is_left_a_second_after_the_goodbye() -> None:
    here().deaf.add("a")
    client = await connected("a")
    assert await ended(client.close()) == (1.0, None)


@leaping
async def test_closing_waits_five_seconds_for_a_repair_that_cannot_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    async def deaf_to_all(self: LeapingLoop, *_: object, **__: object) -> None:
        end = self.time() + 60
        while self.time() < end:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(end - self.time())
        raise asyncio.CancelledError

    client = await connected("a")
    monkeypatch.setattr(LeapingLoop, "create_connection", deaf_to_all)
    here().sessions[0].abort()
    await asyncio.sleep(1)
    assert await ended(client.close()) == (6.0, None)


# --- the clock


def test_the_time_of_transactions_is_the_steady_clocks_in_whole_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client.aio.time.monotonic_ns", lambda: 3_600_000_999_999_999)
    assert _now_ms() == 3_600_000_999
