"""Giving a line up in order leaves nothing behind: no listener, no place taken, no outcome that is not in the log."""

import socket
from pathlib import Path
from typing import Any

from line_rig import LINE, Rig, in_loop, line, until

from egress.shell import EgressServer
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


async def flying(rig: Rig) -> tuple[EgressServer, Any]:
    """A request in flight whose outcome the log will not acknowledge before it is released."""
    server = await rig.start()
    call = await rig.partner.opened()
    rig.order("flying")
    await call.receive_role(Role.SALE_REQUEST)
    rig.log.hold(rig.topics("reports"))
    return server, call


@in_loop
async def test_a_line_is_given_up_when_the_log_has_the_outcome_of_all_that_was_in_flight(tmp_path: Path) -> None:
    async with line(tmp_path, drain_ms=3_600_000) as rig:
        server, call = await flying(rig)
        stopping = rig.begin_stop(server)
        await rig.line_is("draining: closed by the end of its owner")
        server.hurry()
        call.answer(await call.receive_role(Role.CLOSING_REQUEST))
        assert await call.rest() == []
        await until(lambda: bool(rig.log.kept), lambda: "no outcome was handed to the log")
        assert not stopping.done()
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
        said = rig.said("lines")
        await tenure.finish()  # it owns the line no more, and has nothing to say about it
        assert rig.said("lines") == said
        assert rig.metric("line_owned") == 0
