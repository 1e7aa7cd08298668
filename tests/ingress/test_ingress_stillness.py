"""A request that a frozen door reads late is valid from when it may have come, not from when it was read."""

from pathlib import Path

import pytest
from gateway_rig import RawClient, gateway
from loop_rig import in_loop
from service_rig import Clock

from ingress import shell
from ingress.stillness import Stillness
from schemas.records import RequestAccepted


@pytest.mark.parametrize(
    ("turns", "reads_at", "lasted"),
    [
        ((100, 200, 300), 310, 0),
        ((100, 600), 700, 0),  # a busy door is not a frozen one
        ((100,), 4_000, 3_900),  # it reads before it looks at the time
        ((100, 4_000), 4_001, 3_901),  # or after
        ((100, 4_000, 4_100), 4_250, 4_150),
        ((100, 4_000, 4_100, 4_200), 4_251, 0),
        ((100, 4_000, 4_100, 9_000), 9_010, 4_910),
    ],
)
def test_how_long_what_is_read_may_have_lain_there(turns: tuple[int, ...], reads_at: int, lasted: int) -> None:
    stillness = Stillness(0)
    for turn in turns:
        stillness.turned(turn)
    assert stillness.lasted(reads_at) == lasted


@in_loop
async def test_what_came_while_the_door_was_frozen_has_been_valid_since_it_may_have_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted_ms = [50_000]
    monkeypatch.setattr(shell, "monotonic_ms", lambda: counted_ms[0])
    clock = Clock()
    async with gateway(tmp_path, now_ms=clock) as rig:
        rig.router.answer = lambda _: []
        client = await RawClient.greeted(rig.server.port)
        client.ask("r-0", wait_ms=800)
        await client.pong()
        counted_ms[0] += 20_000
        client.ask("r-1", wait_ms=800)
        await client.pong()
        before, after = rig.records("requests")
        assert isinstance(before, RequestAccepted)
        assert isinstance(after, RequestAccepted)
        assert before.expires_ms - before.accepted_ms == 800
        assert after.expires_ms - after.accepted_ms == 800 - 20_000
