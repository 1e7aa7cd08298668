"""Turns alone: what a connection has sent already is taken in as many of them as it needs, and in no others."""

import asyncio
from collections.abc import Callable

import pytest
from gateway_rig import TOKEN, settings
from loop_rig import in_loop
from test_ingress_crowds import PING

from ingress.connection import Connection
from ingress.core import FRAMES_A_TURN, Session
from ingress.turns import Turns
from pipeline.bridge import LoopWriter
from pipeline.memory import MemoryLog
from schemas.client_frames import Hello, frame


class Nobody:
    """Owns a connection to which nothing happens."""

    def connected(self, connection: Connection) -> None: ...
    def received(self, connection: Connection, data: bytes) -> None: ...
    def writable(self, connection: Connection) -> None: ...
    def lost(self, connection: Connection, error: Exception | None) -> None: ...
    def failed_at(self, connection: Connection, error: Exception) -> None: ...


class Rig:
    """Turns, and a connection that has sent more than is taken in one of them."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.connection = Connection(Nobody())
        self.session = Session(settings(), "s-1", 0)
        self.session.receive(frame(Hello(version=1, customer="AP02", token=TOKEN, client="raw/1")), 0)
        self.session.receive(PING * (FRAMES_A_TURN + 1), 0)
        writer = LoopWriter(MemoryLog().sender("test"))
        self._turns = Turns(asyncio.get_running_loop(), writer, lambda _, data: self.taken.append(data), _fail)

    def see_to(self) -> None:
        self._turns.see_to(self.connection, self.session)


def _fail(_: Connection, error: Exception) -> None:
    raise error


async def _all_turns() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


@in_loop
async def test_a_connection_has_one_turn_however_often_it_is_seen_to() -> None:
    rig = Rig()
    for _ in range(3):
        rig.see_to()
    await _all_turns()
    assert rig.taken == [b""]
    rig.see_to()
    await _all_turns()
    assert rig.taken == [b"", b""]


def _is_closed(connection: Connection) -> None:
    connection.close(0)


def _does_not_read(connection: Connection) -> None:
    connection.pause_writing()


@pytest.mark.parametrize("happens", [_is_closed, _does_not_read])
@in_loop
async def test_nothing_is_taken_of_a_connection_that_ends_or_stops_reading_before_its_turn(
    happens: Callable[[Connection], None],
) -> None:
    rig = Rig()
    rig.see_to()
    happens(rig.connection)
    await _all_turns()
    assert rig.taken == []
