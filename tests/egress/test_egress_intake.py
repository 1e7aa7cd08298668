"""What a connection delivers is handed to its line in bounded parts, and nothing of it is lost."""

import asyncio
from collections.abc import Callable

import pytest
from connecting_rig import FRAMING
from line_rig import until
from loop_rig import in_loop

from egress import intake
from egress.intake import Allowance, Intake

TURN_S = intake._TURN_S  # as the services have it


class Socket:
    """The socket, as far as reading goes."""

    def __init__(self) -> None:
        self.reading = True
        self.closing = False

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        assert not self.closing, "a socket that is closed raises"
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.closing, "a socket that is closed raises"
        self.reading = True


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn ends by its count alone: on a busy machine its time would be over sooner."""
    monkeypatch.setattr(intake, "_TURN_S", 60.0)


class Rig:
    """An intake, and what it hands over."""

    def __init__(self, hand: Callable[[str], bool] = lambda _: True) -> None:
        self.socket = Socket()
        self.handed: list[str] = []
        self.broken: list[str] = []
        self.behind = False

        def handed(payload: bytes) -> bool:
            self.handed.append(payload.decode())
            return hand(payload.decode())

        self.intake = Intake(FRAMING.deframer(), self.socket, handed, self.broken.append, lambda: self.behind)

    async def hands(self, *expected: str) -> None:
        await until(lambda: self.handed == list(expected), lambda: self.handed[-5:])


def telegrams(count: int, name: str = "t") -> bytes:
    return b"".join(FRAMING.wrap(each.encode()) for each in names(count, name))


def names(count: int, name: str = "t") -> list[str]:
    return [f"{name}{number}" for number in range(count)]


@in_loop
async def test_what_a_quiet_line_brings_is_handed_over_at_once() -> None:
    rig = Rig()
    rig.intake.feed(telegrams(3))
    assert rig.handed == names(3)
    assert rig.socket.reading


@in_loop
async def test_a_flood_leaves_the_turns_of_the_loop_to_others_and_is_read_no_faster_than_it_is_handled() -> None:
    rig, others = Rig(), Rig()
    rig.intake.feed(telegrams(5_000))
    assert len(rig.handed) <= 50
    assert not rig.socket.reading
    others.intake.feed(telegrams(1))
    assert others.handed == names(1), "while the flood waits"
    turns = [0]

    def turn() -> None:
        turns[0] += 1
        if rig.intake.waiting:
            asyncio.get_running_loop().call_soon(turn)

    turn()
    await rig.hands(*names(5_000))
    assert turns[0] >= 99
    assert rig.socket.reading


@in_loop
async def test_a_telegram_that_takes_long_ends_the_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [0.0]
    monkeypatch.setattr(intake, "_TURN_S", TURN_S)
    monkeypatch.setattr("egress.intake.time.monotonic", lambda: now_s[0])

    def slow(_: str) -> bool:
        now_s[0] += 0.001
        return True

    rig = Rig(slow)
    rig.intake.feed(telegrams(5))
    assert rig.handed == names(2)
    await rig.hands(*names(5))


def nobody_awaits(count: int, monkeypatch: pytest.MonkeyPatch, *, at_once: int, a_second: float) -> Rig:
    """An intake to which so many have come that nobody awaits, at this allowance."""
    monkeypatch.setattr(intake, "_UNASKED_AT_ONCE", at_once)
    monkeypatch.setattr(intake, "_UNASKED_A_SECOND", a_second)
    rig = Rig(lambda _: False)
    rig.intake.feed(telegrams(count))
    return rig


@in_loop
async def test_what_nobody_awaits_is_taken_at_its_rate_and_meanwhile_nothing_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = nobody_awaits(6, monkeypatch, at_once=3, a_second=100)
    assert rig.handed == names(4)
    assert not rig.socket.reading
    await rig.hands(*names(6))
    await until(lambda: rig.socket.reading, lambda: "not reading")


@in_loop
async def test_what_nobody_awaits_waits_for_its_rate_and_not_for_the_next_turn_of_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = nobody_awaits(5, monkeypatch, at_once=1, a_second=0.01)
    for _ in range(20):
        await asyncio.sleep(0)
    assert rig.handed == names(2)
    rig.intake.stop()


def test_an_allowance_comes_back_with_time_and_never_exceeds_what_may_come_at_once() -> None:
    allowance = Allowance(10, 3, 0.0)
    #        second  pause
    rows = [(0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (0.0, 0.1), (0.1, 0.1), (0.3, 0.0), (9.0, 0.0), (9.0, 0.0), (9.0, 0.0),
            (9.0, 0.1)]  # fmt: skip
    assert [(now_s, round(allowance.take(now_s), 3)) for now_s, _ in rows] == rows


def test_an_allowance_spares_what_there_is_and_no_more() -> None:
    allowance = Allowance(10, 3, 0.0)
    #        second  spared
    rows = [(0.0, True), (0.0, True), (0.0, True), (0.0, False), (0.1, True), (0.1, False), (9.0, True), (9.0, True),
            (9.0, True), (9.0, False)]  # fmt: skip
    assert [(now_s, allowance.spare(now_s)) for now_s, _ in rows] == rows


@in_loop
async def test_while_the_log_is_behind_nothing_is_taken_and_then_all_of_it() -> None:
    rig = Rig()
    rig.behind = True
    rig.intake.feed(telegrams(2))
    assert rig.handed == []
    assert not rig.socket.reading
    rig.behind = False
    await rig.hands(*names(2))
    assert rig.socket.reading


@in_loop
async def test_what_came_before_bytes_that_are_no_telegram_counts_and_is_told_first() -> None:
    rig = Rig()
    rig.intake.feed(telegrams(120) + b"\0\0" + telegrams(1, "after"))
    await until(lambda: bool(rig.broken), lambda: rig.handed)
    assert rig.handed == names(120)
    (told,) = rig.broken
    assert "a telegram of 0 bytes is announced" in told or "the length is not" in told


@in_loop
async def test_what_had_come_when_the_connection_ends_still_counts() -> None:
    rig = Rig()
    rig.intake.feed(telegrams(300))
    rig.socket.closing = True
    rig.intake.finish()
    assert rig.handed == names(300)
    rig.intake.feed(telegrams(1))
    assert rig.handed == names(300)
    assert rig.broken == []


@in_loop
async def test_bytes_that_were_no_telegram_are_told_when_the_connection_ends_and_not_after_it_was_hung_up() -> None:
    for stopped in (False, True):
        rig = Rig()
        rig.intake.feed(telegrams(300) + b"\0\0" + telegrams(1))
        rig.socket.closing = True
        if stopped:
            rig.intake.stop()
        rig.intake.finish()
        assert len(rig.broken) == (0 if stopped else 1)
        assert len(rig.handed) == (50 if stopped else 300)


@in_loop
async def test_a_line_that_is_hung_up_hears_nothing_more() -> None:
    def hang(name: str) -> bool:
        if name == "t7":
            rig.socket.closing = True
            rig.intake.stop()
        return True

    rig = Rig(hang)
    rig.intake.feed(telegrams(200))
    rig.intake.finish()
    assert rig.handed == names(8)
    assert not rig.intake.waiting


@pytest.mark.parametrize("size", [1, 3, 4_096, 5_000])
@in_loop
async def test_telegrams_come_whole_in_whatever_pieces(size: int) -> None:
    rig = Rig()
    data = telegrams(700)
    for at in range(0, len(data), size):
        rig.intake.feed(data[at : at + size])
    await rig.hands(*names(700))
