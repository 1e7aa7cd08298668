"""Giving a line up in order leaves nothing behind: no listener, no place taken, no outcome that is not in the log."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from line_rig import LINE, in_loop, line, until

from egress.shell import EgressServer
from pipeline.log import Outgoing
from schemas.telegrams import Role


def tenure_of(server: EgressServer) -> Any:
    return next(iter(server._owners.values()))._tenure


@in_loop
async def test_a_line_that_is_given_up_listens_no_more_and_has_given_its_place_back(tmp_path: Path) -> None:
    async with line(tmp_path, "listen") as rig:
        server = await rig.start(port=0)
        port = await rig.listening_port(server)
        tenure = tenure_of(server)
        assert tenure._around.sessions._lines == {LINE}
        await tenure.finish()
        # At once, and not some turns of the loop later: its next owner may be this very process.
        assert tenure._around.sessions._lines == set()
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", port))
            free.listen()


@in_loop
async def test_a_line_is_given_up_when_the_log_has_the_outcome_of_all_that_was_in_flight(tmp_path: Path) -> None:
    async with line(tmp_path, drain_ms=3_600_000) as rig:
        server = await rig.start()
        call = await rig.partner.opened()
        rig.order("flying")
        await call.receive_role(Role.SALE_REQUEST)
        rig.log.hold(rig.topics("reports"))  # what becomes of it is not acknowledged before it is released
        tenure, waits = tenure_of(server), 0
        until_reached = tenure._until

        async def counting(reached: Callable[[], bool], limit_ms: int) -> None:
            nonlocal waits
            waits += 1
            await until_reached(reached, limit_ms)

        tenure._until = counting
        stopping = rig.begin_stop(server)
        await rig.line_is("draining: closed by the end of its owner")
        server.hurry()
        call.answer(await call.receive_role(Role.CLOSING_REQUEST))
        assert await call.rest() == []
        # It awaits no report any more, and the connection is closed: it awaits the log now, or it has ended.
        await until(lambda: bool(rig.log.kept) and (waits == 3 or tenure._ended), lambda: (waits, rig.log.kept))
        rig.log.release()
        await stopping
        assert rig.said("reports") == ["flying line_broke"]
        assert rig.position == 1  # so the next owner does not read its order again


@in_loop
async def test_a_line_is_given_up_once(tmp_path: Path) -> None:
    async with line(tmp_path) as rig:
        server = await rig.start()
        call = await rig.partner.opened()
        await rig.line_is("open")
        tenure = tenure_of(server)
        await tenure.lose()
        assert await call.rest() == []
        assert tenure._around.sessions._lines == set()
        said = rig.said("lines")
        await tenure.finish()  # it owns the line no more, and has nothing to say about it
        tenure._around.writer.write(Outgoing(rig.topics("lines"), b"end", None), lambda *_: None)
        await until(lambda: rig.said("lines")[-1] == "free", lambda: rig.said("lines"))
        assert rig.said("lines") == [*said, "free"]
        assert rig.metric("line_owned") == 0
