"""A client where it was not made: after a fork, on another event loop, beside a thread that is dead or stuck."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from forking import CARD, serve
from gateway_rig import TOKEN, gateway
from loop_rig import in_loop

from client import Client, ClientClosed, Kind, OutcomeUnknown, SyncClient, UsedElsewhere, sync
from client.aio import Link
from client.place import Place

ROOT = Path(__file__).parents[2]
PARENTS = (
    "this client was made before the process forked, and its session is the parent's; nothing was sent: "
    "make the client after the fork, in the child"
)


def test_the_child_of_a_fork_is_told_at_once_and_the_parent_goes_on() -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", Path(__file__).with_name("forking.py")],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    told = sorted(ran.stdout.splitlines())
    assert [line for line in told if line.startswith("child")] == ["child closed", *[f"child {PARENTS}"] * 2]
    assert [line for line in told if not line.startswith("child")] == [
        "parent approved", "parent approved", "session ended with the parent's client",
    ]  # fmt: skip
    assert ran.stderr == ""


def test_a_child_is_told_to_make_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    @in_loop
    async def scenario() -> None:
        here = Place(asyncio.get_running_loop())
        here.check()
        assert not here.is_of_another_process
        monkeypatch.setattr("os.getpid", lambda: -1)
        for check in (here.check_process, here.check):
            with pytest.raises(UsedElsewhere) as told:
                check()
            assert str(told.value) == PARENTS

    scenario()


# --- asyncio


def test_which_loop_the_client_needs_is_told() -> None:
    async def place() -> Place:
        return Place(asyncio.get_running_loop())

    async def check() -> None:
        elsewhere.check()

    elsewhere = asyncio.run(place())
    with pytest.raises(UsedElsewhere) as told:
        asyncio.run(check())
    assert str(told.value) == (
        "the event loop on which this client was connected is closed; nothing was sent: connect the client on the loop "
        "that uses it, and close it there"
    )
    loop = asyncio.new_event_loop()
    elsewhere = Place(loop)
    with pytest.raises(UsedElsewhere) as told:
        asyncio.run(check())
    loop.close()
    assert str(told.value) == (
        "this client was connected on another event loop; nothing was sent: connect one on this loop, or use a "
        "SyncClient, which any thread may call"
    )


def test_a_client_of_another_loop_says_so_and_can_still_be_closed_where_it_was_made(tmp_path: Path) -> None:
    @in_loop
    async def scenario() -> None:
        async with gateway(tmp_path) as rig:
            client = await Client.connect(("127.0.0.1", rig.server.port), customer="AP02", token=TOKEN)

            def elsewhere() -> None:
                for work in (client.pay(reference="r-1", **ASKED), client.inquire("r-1"), client.close()):
                    with pytest.raises(UsedElsewhere, match="was connected on another event loop; nothing was sent"):
                        asyncio.run(work)

            await asyncio.to_thread(elsewhere)
            assert rig.records("requests") == []
            assert (await client.pay(reference="r-1", **ASKED)).approved
            await client.close()

    scenario()


def test_a_client_whose_loop_is_closed_says_so(tmp_path: Path) -> None:
    made: list[Client] = []

    @in_loop
    async def connect() -> None:
        async with gateway(tmp_path) as rig:
            client = await Client.connect(("127.0.0.1", rig.server.port), customer="AP02", token=TOKEN)
            made.append(client)
            await client.close()

    connect()
    with pytest.raises(UsedElsewhere, match="the event loop on which this client was connected is closed"):
        asyncio.run(made[0].inquire("r-1"))


@in_loop
async def test_an_error_of_no_kind_that_is_known_ends_no_repair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with gateway(tmp_path) as rig:
        client = await Client.connect(("127.0.0.1", rig.server.port), customer="AP02", token=TOKEN)
        opened, failures = Link.open, iter([ValueError("what nobody thought of")])

        async def open_later(*args: object) -> Link:
            for error in failures:
                raise error
            return await opened(*args)  # type: ignore[arg-type]

        monkeypatch.setattr(Link, "open", open_later)
        for connection in list(rig.server._connections):
            connection.abort()
        assert (await client.pay(reference="r-1", **ASKED)).approved
        assert any(record.message == "no session" and record.exc_info for record in caplog.records)
        await client.close()


# --- its thread


@pytest.fixture
def made() -> Iterator[SyncClient]:
    import socket  # noqa: PLC0415  of this fixture alone

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=lambda: serve(listener.accept()[0], threading.Event()), daemon=True).start()
        client = SyncClient(listener.getsockname(), customer="AP02", token="t")
        yield client
        client.close()


ASKED = {"kind": Kind.SALE, "terminal_id": "498", "amount": 100, "card": CARD, "wait_ms": 5_000}


def test_calls_raise_when_the_thread_has_died_before_or_meanwhile(made: SyncClient) -> None:
    assert made.pay(reference="r-1", **ASKED).approved

    def die() -> None:
        raise SystemExit

    heard: list[str] = []

    def wait() -> None:
        try:
            made.inquire("r-9", wait_ms=60_000)  # nobody answers
        except ClientClosed as error:
            heard.append(str(error))

    waiting = threading.Thread(target=wait)
    waiting.start()
    while not made._client._courses:
        threading.Event().wait(0.001)
    made._loop.call_soon_threadsafe(die)
    waiting.join(30)
    ended = "the client's thread has ended (SystemExit): connect another"
    assert heard == [ended]
    with pytest.raises(ClientClosed) as caught:
        made.pay(reference="r-2", **ASKED)
    assert str(caught.value) == ended


def test_a_call_has_an_end_although_the_thread_is_stuck(made: SyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_THREAD_S", "_LEAVES_S"):
        monkeypatch.setattr(sync, name, 0.05)
    monkeypatch.setattr(sync, "MARGIN_MS", 0)
    stuck = threading.Event()
    made._loop.call_soon_threadsafe(stuck.wait)
    try:
        with pytest.raises(OutcomeUnknown):
            made.pay(reference="r-1", **ASKED | {"wait_ms": 1})
        with pytest.raises(OutcomeUnknown):
            made.inquire("r-1", wait_ms=1)
        with pytest.raises(ClientClosed, match="the client's thread does not answer"):
            made.close(0.01)
    finally:
        stuck.set()


def test_a_call_from_the_clients_own_thread_is_refused(made: SyncClient) -> None:
    told: list[Exception] = []
    done = threading.Event()

    def ask() -> None:
        try:
            made.inquire("r-1")
        except UsedElsewhere as error:
            told.append(error)
        done.set()

    made._loop.call_soon_threadsafe(ask)
    assert done.wait(30)
    assert [str(each) for each in told] == ["a SyncClient cannot be called from its own thread: call it from another"]
