"""The directions of a connection that `ops.line_proxy` passes on: what goes out, when, and what a flood adds to it."""

import asyncio
from collections import Counter, deque

from ops.line_faults import GARBAGE, LineFault, Splitter, Trouble
from schemas.telegrams import PartnerSpec, Role

_PIECE = 100  # telegrams of a flood at once
_LOOK_S = 0.05  # between looks whether there is one, or whether it is over


class Lane:
    """One direction of one connection: what has come goes out in its order."""

    def __init__(self, trouble: Trouble, writer: asyncio.StreamWriter, counts: Counter[str]) -> None:
        self._trouble = trouble
        self._writer = writer
        self._counts = counts
        self._waiting: deque[tuple[float, bytes]] = deque()  # from when on, and what; nothing: the end
        self._more = asyncio.Event()

    @property
    def waiting(self) -> bool:
        """Whether something has not gone out yet: the other side takes no more."""
        return bool(self._waiting)

    def put(self, data: bytes) -> None:
        """Let this go out; no bytes: the other side has ended."""
        due = asyncio.get_running_loop().time() + self._trouble.delay_ms / 1_000
        if self._trouble.delay_ms:
            self._counts[LineFault.DELAY] += 1
        self._waiting.append((due, data))
        self._more.set()

    async def run(self) -> None:
        """Write until the end, or until the connection breaks."""
        loop = asyncio.get_running_loop()
        while True:
            while not self._waiting:
                self._more.clear()
                await self._more.wait()
            due, data = self._waiting.popleft()
            if (left := due - loop.time()) > 0:
                await asyncio.sleep(left)
            if data and self._trouble.coalesce_ms:
                data = await self._gathered(data)
            if not data:
                return
            await self._write(data)

    async def _gathered(self, data: bytes) -> bytes:
        await asyncio.sleep(self._trouble.coalesce_ms / 1_000)
        while self._waiting and self._waiting[0][1]:
            data += self._waiting.popleft()[1]
            self._counts[LineFault.COALESCE] += 1
        return data

    async def _write(self, data: bytes) -> None:
        step = 1 if self._trouble.one_byte else len(data)
        self._counts[LineFault.ONE_BYTE] += self._trouble.one_byte
        for at in range(0, len(data), step):
            self._writer.write(data[at : at + step])
            await self._writer.drain()
            await asyncio.sleep(0)


class Flood:
    """What a partner that has gone mad sends the gateway on one connection, as fast as that takes it."""

    def __init__(self, partner: PartnerSpec, trouble: Trouble, counts: Counter[str], lane: Lane) -> None:
        self._partner = partner
        self._trouble = trouble
        self._counts = counts
        self._lane = lane
        self._said = Splitter(partner)
        self._station: object = None  # by which the line names itself
        self.came = False

    def learn(self, data: bytes) -> None:
        """Look for the line's station in what the gateway says."""
        if self._station is None:
            found = [
                each.message.values.get("station_id") for each in self._said.feed(data) if each.message is not None
            ]
            self._station = next((each for each in found if each is not None), None)

    async def run(self) -> None:
        """Send, whenever there is a flood."""
        trouble, piece = self._trouble, b""
        while True:
            if not (trouble.flood or trouble.deaf):
                piece = b""
                await asyncio.sleep(_LOOK_S)
                continue
            piece = piece or self._piece()
            if not self._lane.waiting:
                self.came = True
                self._counts[LineFault.FLOOD if trouble.flood else LineFault.DEAF] += 1
                self._lane.put(piece)
            await asyncio.sleep(0.001)

    async def hears(self) -> None:
        """Until the partner reads what the gateway says."""
        while self._trouble.deaf:  # noqa: ASYNC110  healed from elsewhere, and soon enough
            await asyncio.sleep(_LOOK_S)

    def _piece(self) -> bytes:
        framing = self._partner.framing
        if self._trouble.flood:
            return framing.wrap(GARBAGE) * _PIECE
        asked = self._partner.telegrams[Role.KEEPALIVE_REQUEST].sample()
        if "station_id" in asked and self._station is not None:
            asked["station_id"] = str(self._station)
        return framing.wrap(self._partner.encode(Role.KEEPALIVE_REQUEST, asked)) * _PIECE
