"""An owner of a line takes more of the reserve's trace numbers before it has used up those that it has."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from line_rig import LINE, Rig, line, tenure_of, until
from loop_rig import in_loop
from partner_rig import Call

from egress import tenure
from egress.numbers import AT_FIRST, batch_of, shares_of
from schemas.records import LineTaken, NumbersReserved
from schemas.telegrams import Role, load_partner

FIRST, LAST = shares_of(*load_partner("cafis").trace_range).reserve
PROBE_MS = 1_000
TIMES = {"probe_idle_ms": PROBE_MS, "probe_timeout_ms": 3_600_000}


def taken(rig: Rig) -> list[tuple[int, int]]:
    """What the owners have taken of the reserve."""
    records = [record for record in rig.records("trace-numbers") if isinstance(record, NumbersReserved)]
    return [(record.start, record.end) for record in records]


async def probed(rig: Rig, call: Call, times: int) -> list[int]:
    """The trace numbers of so many keep-alives that the line asks for."""
    found = []
    for _ in range(times):
        asking = asyncio.create_task(call.receive_role(Role.KEEPALIVE_REQUEST))
        while not asking.done():  # the line may hear the last answer only now
            rig.clock.pass_ms(PROBE_MS + 1)
            await asyncio.wait([asking], timeout=0.05)
        asked = asking.result()
        call.answer(asked)
        found.append(int(asked.values["trace_number"]))
    return found


@in_loop
async def test_more_are_taken_in_time_and_no_number_is_used_twice(tmp_path: Path) -> None:
    async with line(tmp_path, **TIMES) as rig:
        await rig.start("n1")
        call = await rig.partner.opened()
        assert taken(rig) == [(0, AT_FIRST)]
        numbers = await probed(rig, call, AT_FIRST // 2)
        batch = batch_of(LAST - FIRST + 1)
        await until(lambda: len(taken(rig)) == 2, lambda: taken(rig))
        assert taken(rig)[1] == (AT_FIRST, AT_FIRST + batch)
        numbers += await probed(rig, call, AT_FIRST + 4)
        assert numbers == list(range(FIRST + 1, FIRST + 1 + len(numbers)))  # the first opened the station
        assert rig.metric("trace_reserve_left") == LAST - FIRST + 1 - len(numbers) - 1


@pytest.mark.parametrize(("last", "batch"), [(9_999, 9), (10_000, 10), (10_009, 10), (11_000, 11)])
@in_loop
async def test_a_hundredth_of_the_reserve_is_taken_at_once(tmp_path: Path, last: int, batch: int) -> None:
    async with line(tmp_path) as rig:
        tenure_of_line = tenure_of(await rig.start("n1"))
        await rig.partner.opened()
        tenure_of_line._partner = msgspec.structs.replace(tenure_of_line._partner, trace_range=(1, last))
        more = await asyncio.to_thread(tenure_of_line._more_numbers)
        assert (more.start, more.end) == (AT_FIRST, AT_FIRST + batch)


@in_loop
async def test_while_the_log_takes_none_it_is_asked_again_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tenure, "_RESERVE_AGAIN_S", 0.01)
    more = tenure.reserve
    tries: list[int] = []

    def refuses(*given: object) -> object:
        tries.append(len(tries))
        if len(tries) < 3:
            raise tenure.LogError("the log is away")
        return more(*given)  # type: ignore[arg-type]

    async with line(tmp_path, **TIMES) as rig:
        await rig.start("n1")
        call = await rig.partner.opened()
        monkeypatch.setattr(tenure, "reserve", refuses)
        numbers = await probed(rig, call, AT_FIRST + 4)
        assert len(set(numbers)) == len(numbers)
        said = [each for each in caplog.records if each.message == "no trace numbers reserved"]
        assert [(each.__dict__["line"], each.__dict__["reason"]) for each in said] == [(LINE, "the log is away")] * 2


@in_loop
async def test_who_finds_that_the_line_is_anothers_by_then_goes_on_no_more(tmp_path: Path) -> None:
    async with line(tmp_path, **TIMES) as rig:
        server = await rig.start("n1")
        call = await rig.partner.opened()
        rig.write(LineTaken(line=LINE, node="n2", taken_ms=rig.clock()), rig.sent)
        await probed(rig, call, AT_FIRST // 2)
        error = await rig.failure(server)
        assert str(error) == f"line {LINE} was taken by another process: join its group anew"
