"""The plain face asks the client what it is asked itself, has an end in any case, and says why it is closed."""

import asyncio
import concurrent.futures
import inspect
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from forking import serve
from still_time import CARD

from client import Client, ClientClosed, ClientError, Kind, Result, SyncClient, sync
from client.course import Course
from client.sync import _seconds
from schemas.client_frames import Inquiry, Request
from schemas.records import Status

CLOSED = "the client is closed: connect another"
PAYMENT: dict[str, Any] = {
    "reference": "r-2", "kind": Kind.CANCEL, "terminal_id": "498", "amount": 100, "card": CARD,
    "payment_method": "61", "track2": "4111111111111111=2812", "security_code": "123", "original_reference": "r-1",
    "wait_ms": 7_000,
}  # fmt: skip


@pytest.fixture
def made() -> Iterator[SyncClient]:
    connections: list[socket.socket] = []

    def accept() -> None:
        connections.append(listener.accept()[0])
        serve(connections[0], threading.Event())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        client = SyncClient(listener.getsockname(), customer="AP02", token="t")
        yield client
        connections[0].shutdown(socket.SHUT_RDWR)  # a goodbye would be waited for
        client.close()


# --- what is asked


@pytest.mark.parametrize("name", ["pay", "inquire", "close"])
def test_each_call_takes_what_the_clients_own_takes_with_the_same_defaults(name: str) -> None:
    assert inspect.signature(getattr(SyncClient, name)) == inspect.signature(getattr(Client, name))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Inquiry, Request | None, int]]:
    """What comes to the client, with how long it may last; everything is unknown to it."""
    came: list[tuple[Inquiry, Request | None, int]] = []

    async def run(_: Client, course: Course, limit_ms: int) -> Result:
        came.append((course._inquiry, course._request, limit_ms))
        return Result(course.reference, Status.UNKNOWN)

    monkeypatch.setattr(Client, "_run", run)
    return came


def test_a_payment_comes_to_the_client_with_every_field_as_it_was_given(
    made: SyncClient, asked: list[tuple[Inquiry, Request | None, int]]
) -> None:
    made.pay(**PAYMENT)
    request = Request(**PAYMENT | {"kind": "cancel"})
    assert asked == [(Inquiry(reference="r-2", original_reference="r-1"), request, 10_000)]


def test_without_a_time_each_call_has_thirty_seconds(
    made: SyncClient, asked: list[tuple[Inquiry, Request | None, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    made.pay(**{name: value for name, value in PAYMENT.items() if name != "wait_ms"})
    made.inquire("r-2")
    ((_, request, _), (_, _, limit_ms)) = asked
    assert request is not None
    assert (request.wait_ms, limit_ms) == (30_000, 30_000)
    closed: list[float] = []

    async def close(_: Client, timeout_s: float) -> None:
        closed.append(timeout_s)

    monkeypatch.setattr(Client, "close", close)
    made.close()
    assert closed == [30.0]


def test_an_inquiry_comes_to_the_client_with_its_original_and_its_time(
    made: SyncClient, asked: list[tuple[Inquiry, Request | None, int]]
) -> None:
    made.inquire("r-2", original_reference="r-1", wait_ms=7_000)
    assert asked == [(Inquiry(reference="r-2", original_reference="r-1"), None, 7_000)]


# --- how long it lasts


@pytest.mark.parametrize(
    ("call", "most_s"),
    [
        (lambda client: client.pay(**PAYMENT), 7 + 3 + 5),
        (lambda client: client.inquire("r-1", wait_ms=7_000), 7 + 5),
        (lambda client: client.close(7.0), 7 + 5 + 5),
    ],
    ids=["pay", "inquire", "close"],
)
def test_a_call_that_the_thread_never_ends_lasts_its_time_and_that_of_a_busy_thread(
    made: SyncClient, monkeypatch: pytest.MonkeyPatch, call: Callable[[SyncClient], object], most_s: float
) -> None:
    waited_s: list[float | None] = []

    class Endless(concurrent.futures.Future[Any]):
        def result(self, timeout: float | None = None) -> Any:
            waited_s.append(timeout)
            raise TimeoutError

    def hand_over(_: SyncClient, work: Coroutine[Any, Any, Any]) -> Endless:
        work.close()
        return Endless()

    with monkeypatch.context() as patch:
        patch.setattr(SyncClient, "_hand_over", hand_over)
        with pytest.raises(ClientError):
            call(made)
    assert waited_s == [most_s]


@pytest.mark.parametrize(
    ("wait_ms", "margin_ms", "most_s"),
    [
        (7_000, 0, 7.0),
        (7_000, 3_000, 10.0),
        (0, 0, 0.0),
        (-1, 3_000, 3.0),
        (10**12, 3_000, 86_403.0),
        ("7000", 3_000, 3.0),
        (None, 0, 0.0),
    ],
)
def test_the_time_of_a_call_is_at_most_that_of_the_protocol_and_none_where_it_is_wrong(
    wait_ms: Any, margin_ms: int, most_s: float
) -> None:
    assert _seconds(wait_ms, margin_ms) == most_s


# --- why nothing can be asked


def test_a_client_that_was_closed_says_so_however_often_it_is_closed(made: SyncClient) -> None:
    for _ in range(2):
        made.close()
        with pytest.raises(ClientClosed) as caught:
            made.inquire("r-1")
        assert str(caught.value) == CLOSED


def test_a_client_whose_thread_is_stuck_says_so_and_is_closed_all_the_same(
    made: SyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_THREAD_S", "_LEAVES_S"):
        monkeypatch.setattr(sync, name, 0.01)
    stuck = threading.Event()
    made._loop.call_soon_threadsafe(stuck.wait)
    try:
        with pytest.raises(ClientClosed) as late:
            made.close(0.0)
        with pytest.raises(ClientClosed) as closed:
            made.inquire("r-1", wait_ms=0)
    finally:
        stuck.set()
    assert str(late.value) == "the client's thread does not answer: it is left to itself"
    assert str(closed.value) == CLOSED


def test_a_call_that_is_ended_from_outside_says_that_nothing_comes_of_it(made: SyncClient) -> None:
    def end_it() -> None:
        for task in asyncio.all_tasks(made._loop):
            if made._client._courses and "inquire" in repr(task.get_coro()):
                task.cancel()
                return
        made._loop.call_later(0.001, end_it)

    made._loop.call_soon_threadsafe(end_it)
    with pytest.raises(ClientClosed) as caught:
        made.inquire("r-9")  # nobody answers
    assert str(caught.value) == "the client was closed meanwhile: connect another"


def test_a_thread_that_dies_says_so_in_the_log(made: SyncClient, caplog: pytest.LogCaptureFixture) -> None:
    def die() -> None:
        raise SystemExit

    made._loop.call_soon_threadsafe(die)
    made._thread.join(30)
    (record,) = [each for each in caplog.records if each.levelname == "ERROR"]
    assert (record.name, record.getMessage()) == ("denbun.client", "the client's thread has ended")
    assert record.exc_info is not None
    assert record.exc_info[0] is SystemExit
