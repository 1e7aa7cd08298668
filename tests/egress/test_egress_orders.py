"""What an operator orders about a line, on real sockets: closed, it stays so for every owner, until it is opened."""

from pathlib import Path

import pytest
from line_rig import LINE, Rig, line, until
from loop_rig import in_loop

from pipeline.log import Outgoing
from schemas import wire
from schemas.records import LineOrder, LineOrderAnswered, LineOrdered
from schemas.telegrams import Role

CLOSED = "closed: closed by Sato: storm"


def ordered(rig: Rig, order: LineOrder, line_name: str = LINE) -> None:
    record = LineOrdered(
        order_id=f"o{rig.clock()}", line=line_name, order=order, operator="Sato", reason="storm", ordered_ms=rig.clock()
    )
    rig.write(record, rig.topics("line-orders"), line_name.encode())


def answered(rig: Rig) -> list[tuple[str, str]]:
    records = [record for record in rig.records("line-answers") if isinstance(record, LineOrderAnswered)]
    return [(record.order.value, record.node) for record in records]


@in_loop
async def test_a_line_is_closed_by_order_and_nobody_is_called_until_it_is_opened(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        await rig.start("n1")
        call = await rig.partner.opened()
        await until(lambda: rig.metric("line_as_wished") == 1, lambda: rig.said("lines"))
        rig.order("flying")
        asked = await call.receive_role(Role.SALE_REQUEST)
        ordered(rig, LineOrder.CLOSE)
        await rig.line_is("draining: closed by Sato: storm")
        await until(lambda: rig.metric("line_as_wished") == 0, lambda: rig.metric("line_as_wished"))
        rig.order("late")
        await rig.hears("reports", "late never sent: station_closed")
        call.answer(asked)
        call.answer(await call.receive_role(Role.CLOSING_REQUEST))
        assert await call.rest() == []
        await rig.line_is(CLOSED)
        await until(lambda: rig.metric("line_as_wished") == 1, lambda: rig.metric("line_as_wished"))
        assert rig.partner._calls.empty()
        ordered(rig, LineOrder.OPEN)
        call = await rig.partner.opened()
        rig.order("again")
        call.answer(await call.receive_role(Role.SALE_REQUEST))
        await rig.hears("reports", "late never sent: station_closed", "flying approved", "again approved")
        assert answered(rig) == [("close", "n1"), ("open", "n1")]


@in_loop
async def test_an_order_holds_for_the_next_owner_and_is_read_from_the_log(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        ordered(rig, LineOrder.CLOSE)
        ordered(rig, LineOrder.OPEN, "another-1")
        await rig.start("n1")
        await rig.line_is(CLOSED)
        assert rig.partner._calls.empty()
        ordered(rig, LineOrder.CALENDAR)
        await rig.partner.opened()
        assert answered(rig) == [("calendar", "n1")]


@in_loop
async def test_an_order_that_cannot_be_read_stops_the_process_in_front_of_it(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        server = await rig.start("n1")
        await rig.partner.opened()
        bad = Outgoing(rig.topics("line-orders"), LINE.encode(), b"what", ((wire.HEADER, b"0123456789abcdef"),))
        rig.log.writer("test").write([bad])
        error = await rig.failure(server)
        assert str(error).startswith("record t-line-orders/0@0 was written with a schema unknown here")


@in_loop
async def test_the_first_order_that_cannot_be_read_stops_a_process_before_it_owns_a_line(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        bad = Outgoing(rig.topics("line-orders"), LINE.encode(), b"what", ((wire.HEADER, b"0123456789abcdef"),))
        rig.log.writer("test").write([bad])
        with pytest.raises(wire.RecordError, match="record t-line-orders/0@0"):
            await rig.start("n1")
        rig.servers.clear()
        assert rig.said("sent") == []
