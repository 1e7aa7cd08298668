"""The network that can be made bad: what each of its faults does to the bytes between two loopback sockets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from ops.line_faults import AT_ONCE, COUNTED, GARBAGE, LineFault, Splitter, Trouble
from ops.line_proxy import LineProxy
from ops.ports import HOST, free_port
from ops.proxy_control import ProxyControl, ProxyError
from schemas.telegrams import DecodeError, FramingError, Message, Role, load_partner

CAFIS, CARDNET = load_partner("cafis"), load_partner("cardnet")
LINES = {"cafis-1": CAFIS, "cafis-2": CAFIS, "cardnet-1": CARDNET}
LIMIT_S = 20


def telegram(role: Role, trace_number: int, original: int | None = None) -> bytes:
    """A telegram as it goes onto a line of CAFIS."""
    values = CAFIS.telegrams[role].sample() | {"trace_number": trace_number}
    if original is not None:
        values |= {"original_trace_number": original, "original_business_date": values["business_date"]}
    return CAFIS.framing.wrap(CAFIS.encode(role, values))


def decoded(data: bytes) -> list[Message]:
    """The telegrams in these bytes."""
    return [CAFIS.decode(payload) for payload in CAFIS.framing.deframer().feed(data)]


class End(asyncio.Protocol):
    """One end of a connection: what came, in the pieces it came in, and how it ended."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport
        self._more = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.pieces.append(data)
        self._more.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended.set_result(exc)

    @property
    def got(self) -> bytes:
        return b"".join(self.pieces)

    def send(self, data: bytes) -> None:
        self.transport.write(data)

    async def until(self, data: bytes) -> None:
        """Wait until exactly this has come in all."""
        async with asyncio.timeout(LIMIT_S):
            while len(self.got) < len(data):
                self._more.clear()
                await self._more.wait()
        assert self.got == data

    async def something(self) -> None:
        """Wait until anything has come."""
        async with asyncio.timeout(LIMIT_S):
            await self._more.wait()

    async def end(self) -> Exception | None:
        async with asyncio.timeout(LIMIT_S):
            return await asyncio.shield(self.ended)


class Network:
    """A proxy with the lines of `LINES`, a centre behind each; the gateway calls."""

    def __init__(self) -> None:
        self.proxy = LineProxy()
        self._ports: dict[str, int] = {}
        self._servers: list[asyncio.Server] = []
        self._ends: list[End] = []
        self._called: dict[str, asyncio.Queue[End]] = {}

    async def start(self) -> None:
        for name, partner in LINES.items():
            self._called[name] = asyncio.Queue()
            centre = await asyncio.get_running_loop().create_server(lambda name=name: self._called_at(name), HOST, 0)  # type: ignore[misc]
            self._servers.append(centre)
            port = centre.sockets[0].getsockname()[1]
            self._ports[name] = await self.proxy.add(name, partner, 0, [(HOST, port)], gateway_calls=True)
        await self.proxy.listen(0)

    def _called_at(self, name: str) -> End:
        end = End()
        self._ends.append(end)
        self._called[name].put_nowait(end)
        return end

    async def connect(self, name: str = "cafis-1") -> tuple[End, End]:
        """A connection of this line: the gateway's end, the centre's end."""
        _, gateway = await asyncio.get_running_loop().create_connection(End, HOST, self._ports[name])
        self._ends.append(gateway)
        async with asyncio.timeout(LIMIT_S):
            centre = await self._called[name].get()
        gateway.send(b"hello")
        await centre.until(b"hello")
        centre.pieces.clear()
        centre._more.clear()
        return gateway, centre

    async def do(self, fault: LineFault, line: str = "cafis-1", *, count: int = 0, ms: int = 0) -> None:
        """By the command, as a drill does it."""
        await self.command(lambda control: control.do(line, fault, count=count, ms=ms))

    async def heal(self) -> None:
        await self.command(lambda control: control.heal())

    async def command(self, ask: Callable[[ProxyControl], object]) -> object:
        def work() -> object:
            with ProxyControl(HOST, self.proxy.port) as control:
                return ask(control)

        return await asyncio.to_thread(work)

    async def stop(self) -> None:
        await self.proxy.stop()
        for server in self._servers:
            server.close()
        for end in self._ends:
            end.transport.abort()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=LIMIT_S)


@contextlib.asynccontextmanager
async def network() -> AsyncIterator[Network]:
    found = Network()
    await found.start()
    try:
        yield found
    finally:
        await found.stop()


def on(work: Callable[[Network], Awaitable[None]]) -> None:
    """Run a story on a network of its own."""

    async def main() -> None:
        async with network() as found:
            await work(found)

    asyncio.run(main())


# --- a good network -------------------------------------------------------------------------------------------------


def test_it_passes_bytes_both_ways_and_an_end_to_the_other_end() -> None:
    async def story(net: Network) -> None:
        gateway, centre = await net.connect()
        gateway.send(b"to the centre")
        await centre.until(b"to the centre")
        centre.send(telegram(Role.SALE_REPORT, 1) + telegram(Role.KEEPALIVE_REQUEST, 2))
        await gateway.until(telegram(Role.SALE_REPORT, 1) + telegram(Role.KEEPALIVE_REQUEST, 2))
        gateway.send(b"last words")
        gateway.transport.close()
        await centre.until(b"to the centrelast words")
        assert await centre.end() is None
        assert await net.command(lambda control: control.count()) == 0

    on(story)


def test_where_nobody_awaits_the_call_the_caller_is_left() -> None:
    async def story() -> None:
        proxy = LineProxy()
        port = await proxy.add("cafis-1", CAFIS, 0, [(HOST, free_port())], gateway_calls=True)
        _, caller = await asyncio.get_running_loop().create_connection(End, HOST, port)
        assert await caller.end() is None
        await proxy.stop()

    asyncio.run(story())


def test_of_the_nodes_that_take_the_centres_call_it_keeps_the_one_that_speaks() -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        frozen, owner = End(), End()

        class Owner(End):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                owner.connection_made(transport)
                owner.send(b"opening")

            def data_received(self, data: bytes) -> None:
                owner.data_received(data)

            def connection_lost(self, exc: Exception | None) -> None:
                owner.connection_lost(exc)

        servers = [await loop.create_server(lambda: frozen, HOST, 0), await loop.create_server(Owner, HOST, 0)]
        places = [server.sockets[0].getsockname() for server in servers]
        proxy = LineProxy()
        port = await proxy.add("cafis-2", CAFIS, 0, [(HOST, free_port()), *places], gateway_calls=False)
        _, centre = await loop.create_connection(End, HOST, port)
        await centre.until(b"opening")
        assert await frozen.end() is None
        centre.send(telegram(Role.OPENING_ANSWER, 1))
        await owner.until(telegram(Role.OPENING_ANSWER, 1))
        centre.transport.close()
        await owner.end()
        await proxy.stop()
        for server in servers:
            server.close()

    asyncio.run(story())


def test_where_no_node_speaks_the_centre_is_left_and_calls_again() -> None:
    async def story() -> None:
        frozen = End()
        server = await asyncio.get_running_loop().create_server(lambda: frozen, HOST, 0)
        proxy = LineProxy()
        port = await proxy.add(
            "cafis-2", CAFIS, 0, [server.sockets[0].getsockname()], gateway_calls=False
        )  # fmt: skip
        _, centre = await asyncio.get_running_loop().create_connection(End, HOST, port)
        assert await centre.end() is None
        assert await frozen.end() is None
        await proxy.stop()
        server.close()

    asyncio.run(story())


# --- faults of the network ------------------------------------------------------------------------------------------


def test_a_cut_ends_the_connection_for_both_and_the_next_one_is_good() -> None:
    async def story(net: Network) -> None:
        gateway, centre = await net.connect()
        await net.do(LineFault.CUT)
        assert await gateway.end() is None
        assert await centre.end() is None
        gateway, centre = await net.connect()
        gateway.send(b"again")
        await centre.until(b"again")
        assert await net.command(lambda control: control.count(LineFault.CUT)) == 1

    on(story)


def test_a_reset_is_seen_as_one_by_both() -> None:
    async def story(net: Network) -> None:
        gateway, centre = await net.connect()
        await net.do(LineFault.RESET)
        assert isinstance(await gateway.end(), ConnectionResetError)
        assert isinstance(await centre.end(), ConnectionResetError)

    on(story)


def test_half_open_nothing_passes_and_nobody_learns_of_it_until_it_is_healed() -> None:
    async def story(net: Network) -> None:
        gateway, centre = await net.connect()
        await net.do(LineFault.SWALLOW)
        gateway.send(b"lost")
        centre.send(telegram(Role.SALE_REPORT, 1))
        swallowed = lambda control: control.count(LineFault.SWALLOW)  # noqa: E731
        async with asyncio.timeout(LIMIT_S):
            while await net.command(swallowed) != 2:
                pass
        assert (gateway.pieces, centre.pieces) == ([], [])
        assert not gateway.ended.done()
        assert not centre.ended.done()
        await net.heal()  # a connection that has lost bytes does not go on
        await gateway.end()
        await centre.end()
        assert (gateway.pieces, centre.pieces) == ([], [])

    on(story)


def test_half_open_for_the_connections_there_are_another_call_is_a_good_one() -> None:
    async def story(net: Network) -> None:
        gateway, centre = await net.connect()
        await net.do(LineFault.HALF_OPEN)
        gateway.send(b"lost")
        async with asyncio.timeout(LIMIT_S):
            while await net.command(lambda control: control.count(LineFault.HALF_OPEN)) != 1:
                pass
        _, called_again = await net.connect()
        assert not gateway.ended.done()
        await net.heal()
        await gateway.end()
        await centre.end()
        assert centre.pieces == []
        assert not called_again.ended.done(), "nothing of it was lost"

    on(story)


def test_an_end_is_swallowed_too() -> None:
    async def story(net: Network) -> None:
        gateway, centre = await net.connect()
        await net.do(LineFault.SWALLOW)
        gateway.transport.close()
        async with asyncio.timeout(LIMIT_S):
            while await net.command(lambda control: control.count(LineFault.SWALLOW)) != 1:
                pass
        assert not centre.ended.done()
        await net.heal()
        await centre.end()

    on(story)


@pytest.mark.parametrize("fault", [LineFault.FLOOD, LineFault.DEAF])
def test_a_flood_reaches_the_gateway_until_it_is_healed_and_ends_its_connection(fault: LineFault) -> None:
    async def story(net: Network) -> None:
        gateway, centre = await net.connect()
        await net.do(fault)
        gateway.send(b"is read" if fault is LineFault.FLOOD else b"x" * 8_000_000)
        async with asyncio.timeout(LIMIT_S):
            while len(gateway.got) < 100_000:
                await gateway.something()
                gateway._more.clear()
        if fault is LineFault.FLOOD:
            assert gateway.got.startswith(CAFIS.framing.wrap(GARBAGE) * 100)
            await centre.until(b"is read")
        else:
            asked = decoded(gateway.got[: len(telegram(Role.KEEPALIVE_REQUEST, 1)) * 3])
            assert [message.role for message in asked] == [Role.KEEPALIVE_REQUEST] * 3
            assert len(centre.got) < 8_000_000, "it reads nothing more"
        await net.heal()
        await gateway.end()
        again, _ = await net.connect()
        assert again.got == b""

    on(story)


def test_one_byte_at_a_time_everything_comes_in_pieces() -> None:
    async def story(net: Network) -> None:
        gateway, centre = await net.connect()
        await net.do(LineFault.ONE_BYTE)
        sent = telegram(Role.SALE_REPORT, 1) + telegram(Role.SALE_REPORT, 2)
        centre.send(sent)
        gateway.send(sent)
        await gateway.until(sent)
        await centre.until(sent)
        assert max(map(len, gateway.pieces)) < 10
        assert max(map(len, centre.pieces)) < 10

    on(story)


def test_coalesced_what_was_sent_apart_comes_in_one_piece() -> None:
    async def story(net: Network) -> None:
        gateway, centre = await net.connect()
        await net.do(LineFault.COALESCE, ms=1_000)
        sent = [telegram(Role.SALE_REPORT, number) for number in (1, 2, 3)]
        for each in sent:
            centre.send(each)
        await gateway.until(b"".join(sent))
        assert len(gateway.pieces) == 1

    on(story)


def test_what_is_delayed_comes_in_its_order_and_after_what_another_line_has_sent_later() -> None:
    async def story(net: Network) -> None:
        gateway, centre = await net.connect()
        quick, its_centre = await net.connect("cafis-2")
        await net.do(LineFault.DELAY, ms=1_500)
        centre.send(telegram(Role.SALE_REPORT, 1))
        await asyncio.sleep(0)
        centre.send(telegram(Role.SALE_REPORT, 2))
        its_centre.send(telegram(Role.SALE_REPORT, 3))
        await quick.until(telegram(Role.SALE_REPORT, 3))
        assert gateway.pieces == []
        await gateway.until(telegram(Role.SALE_REPORT, 1) + telegram(Role.SALE_REPORT, 2))

    on(story)


# --- faults of a centre ---------------------------------------------------------------------------------------------


def test_a_report_comes_twice_as_often_as_was_asked_for_and_what_is_no_report_once() -> None:
    async def story(net: Network) -> None:
        gateway, centre = await net.connect()
        await net.do(LineFault.TWICE, count=2)
        answer, first, second, third = (
            telegram(role, number)
            for number, role in enumerate(
                (Role.KEEPALIVE_ANSWER, Role.SALE_REPORT, Role.FAULT_CONFIRM_REPORT, Role.SALE_REPORT), 1
            )
        )
        for each in (answer, first, second, third):
            centre.send(each)
        await gateway.until(answer + 2 * first + 2 * second + third)
        assert await net.command(lambda control: control.count(LineFault.TWICE)) == 2

    on(story)


def test_a_report_comes_over_another_line_of_the_same_partner() -> None:
    async def story(net: Network) -> None:
        gateway, centre = await net.connect()
        other, _ = await net.connect("cafis-2")
        stranger, _ = await net.connect("cardnet-1")
        await net.do(LineFault.ELSEWHERE, count=1)
        centre.send(telegram(Role.OPENING_ANSWER, 1) + telegram(Role.SALE_REPORT, 2) + telegram(Role.SALE_REPORT, 3))
        await other.until(telegram(Role.SALE_REPORT, 2))
        await gateway.until(telegram(Role.OPENING_ANSWER, 1) + telegram(Role.SALE_REPORT, 3))
        assert stranger.pieces == []

    on(story)


def test_without_another_line_a_report_keeps_to_its_own() -> None:
    async def story(net: Network) -> None:
        gateway, centre = await net.connect()
        await net.connect("cardnet-1")
        await net.do(LineFault.ELSEWHERE, count=1)
        centre.send(telegram(Role.SALE_REPORT, 1))
        await gateway.until(telegram(Role.SALE_REPORT, 1))

    on(story)


def test_a_report_is_held_until_the_report_of_its_own_cancel_has_passed() -> None:
    async def story(net: Network) -> None:
        gateway, centre = await net.connect()
        await net.do(LineFault.HOLD, count=1)
        held, next_one = telegram(Role.SALE_REPORT, 1), telegram(Role.SALE_REPORT, 2)
        others, its_own = (telegram(Role.FAULT_CONFIRM_REPORT, 10 + number, original=number) for number in (2, 1))
        for each in (held, next_one, others, its_own):
            centre.send(each)
        await gateway.until(next_one + others + its_own + held)

    on(story)


def test_a_report_that_is_still_held_when_all_is_healed_comes_then() -> None:
    async def story(net: Network) -> None:
        gateway, centre = await net.connect()
        await net.do(LineFault.HOLD, count=1)
        centre.send(telegram(Role.SALE_REPORT, 1) + telegram(Role.KEEPALIVE_ANSWER, 2))
        await gateway.until(telegram(Role.KEEPALIVE_ANSWER, 2))
        await net.heal()
        await gateway.until(telegram(Role.KEEPALIVE_ANSWER, 2) + telegram(Role.SALE_REPORT, 1))

    on(story)


@pytest.mark.parametrize(("fault", "trouble"), [(LineFault.GARBAGE, DecodeError), (LineFault.NOISE, FramingError)])
def test_garbage_is_framed_and_noise_is_not(fault: LineFault, trouble: type[Exception]) -> None:
    async def story(net: Network) -> None:
        gateway, _ = await net.connect()
        await net.do(fault)
        await gateway.something()
        with pytest.raises(trouble):
            decoded(gateway.got)

    on(story)


# --- commands -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (
            lambda control: control.do("cafis-9", LineFault.CUT),
            "no command: there is no line cafis-9: one of cafis-1, cafis-2, cardnet-1",
        ),
        (lambda control: control.do("cafis-1", LineFault.HOLD), "no command: hold needs a count"),
        (lambda control: control._ask(do="burn", line="cafis-1"), "no command: 'burn' is not a valid LineFault"),
        (lambda control: control._ask(line="cafis-1"), "no command: 'do'"),
    ],
)
def test_what_is_no_command_is_told(ask: Callable[[ProxyControl], object], said: str) -> None:
    async def story(net: Network) -> None:
        with pytest.raises(ProxyError) as told:
            await net.command(ask)
        assert str(told.value) == said

    on(story)


def test_it_counts_the_connections_of_a_line() -> None:
    async def story(net: Network) -> None:
        await net.connect()
        assert await net.command(lambda control: control.links("cafis-1")) == 1
        assert await net.command(lambda control: control.links("cafis-2")) == 0

    on(story)


def test_every_fault_either_happens_at_once_or_lasts_until_it_is_healed() -> None:
    for fault in LineFault:
        trouble = Trouble()
        if fault in AT_ONCE:
            with pytest.raises(ValueError, match=f"^{fault} does not last$"):
                trouble.begin(fault, 1, 1)
            continue
        trouble.begin(fault, 1, 1)
        assert trouble != Trouble()
        trouble.end()
        assert trouble == Trouble()
    assert set(COUNTED) <= set(LineFault) - set(AT_ONCE)


# --- cutting into telegrams -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_telegrams_are_cut_as_they_stood_on_the_line_whatever_the_pieces(size: int) -> None:
    sent = [telegram(Role.SALE_REPORT, 1), CAFIS.framing.wrap(b"\xff nothing"), telegram(Role.ERROR_REPORT, 2)]
    stream = b"".join(sent)
    splitter = Splitter(CAFIS)
    found = [each for at in range(0, len(stream), size) for each in splitter.feed(stream[at : at + size])]
    assert [each.raw for each in found] == sent
    assert [each.message and each.message.role for each in found] == [Role.SALE_REPORT, None, Role.ERROR_REPORT]


def test_what_cannot_be_cut_passes_as_it_is() -> None:
    splitter = Splitter(CAFIS)
    good = telegram(Role.SALE_REPORT, 1)
    assert [each.raw for each in splitter.feed(good + b"\x00" * 16)] == [good, b"\x00" * 16]
    assert [each.raw for each in splitter.feed(b"more")] == [b"more"]
