"""A request that a frozen door reads late is valid from when it may have come, not from when it was read."""

from pathlib import Path

import pytest
from gateway_rig import Clock, RawClient, gateway, in_loop

from ingress.stillness import Stillness
from schemas.records import RequestAccepted


@pytest.mark.parametrize(
    ("turns", "reads_at", "since"),
    [
        ((100, 200, 300), 310, None),
        ((100, 600), 700, None),  # a busy door is not a frozen one
        ((100,), 4_000, 100),  # it reads before it looks at the time
        ((100, 4_000), 4_001, 100),  # or after
        ((100, 4_000, 4_100), 4_250, 100),
        ((100, 4_000, 4_100, 4_200), 4_251, None),
        ((100, 4_000, 4_100, 9_000), 9_010, 4_100),
    ],
)
def test_how_long_what_is_read_may_have_lain_there(turns: tuple[int, ...], reads_at: int, since: int | None) -> None:
    stillness = Stillness(0)
    for turn in turns:
        stillness.turned(turn)
    assert stillness.before(reads_at) == since


@in_loop
async def test_what_came_while_the_door_was_frozen_was_accepted_when_it_may_have_come(tmp_path: Path) -> None:
    clock = Clock()
    async with gateway(tmp_path, now_ms=clock) as rig:
        rig.router.answer = lambda _: []
        client = await RawClient.greeted(rig.server.port)
        began_ms = clock()
        clock.pass_ms(20_000)
        client.ask("r-1", wait_ms=800)
        await client.pong()
        (record,) = rig.records("requests")
        assert isinstance(record, RequestAccepted)
        assert record.expires_ms <= began_ms + 800 + 1_000
        assert record.expires_ms < clock()
