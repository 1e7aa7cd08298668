"""A partner made of nothing but sockets and its layouts: lines that dial call it, lines that listen it calls."""

import asyncio
import contextlib
from typing import Any

from schemas.telegrams import REPORT_OF, Message, PartnerSpec, Role

GO = 10.0
STATION_ANSWERS = {
    Role.OPENING_REQUEST: Role.OPENING_ANSWER,
    Role.CLOSING_REQUEST: Role.CLOSING_ANSWER,
    Role.KEEPALIVE_REQUEST: Role.KEEPALIVE_ANSWER,
}


class Call:
    """One connection, seen from the partner."""

    def __init__(self, partner: PartnerSpec, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._partner, self._reader, self._writer = partner, reader, writer
        self._deframer = partner.framing.deframer()
        self._come: list[Message] = []

    async def receive(self) -> Message:
        """The next telegram."""
        while not self._come:
            data = await asyncio.wait_for(self._reader.read(65_536), GO)
            assert data, "the line was broken where a telegram was awaited"
            self._come += map(self._partner.decode, self._deframer.feed(data))
        return self._come.pop(0)

    async def receive_role(self, role: Role) -> Message:
        message = await self.receive()
        assert message.role is role, message.role
        return message

    async def rest(self) -> list[Role]:
        """What else comes before the line is broken."""
        with contextlib.suppress(ConnectionError):
            while data := await asyncio.wait_for(self._reader.read(65_536), GO):
                self._come += map(self._partner.decode, self._deframer.feed(data))
        return [message.role for message in self._come]

    def send_bytes(self, data: bytes) -> None:
        self._writer.write(data)

    def bytes_of(self, role: Role, values: dict[str, Any]) -> bytes:
        """A telegram of the partner's, framed; what the telegram has no field for is left out."""
        names = self._partner.telegrams[role].names
        told = {name: value for name, value in values.items() if name in names}
        return self._partner.framing.wrap(self._partner.encode(role, told))

    def bytes_of_answer(self, asked: Message, code: str = "000", **changes: Any) -> bytes:
        role = STATION_ANSWERS.get(asked.role) or REPORT_OF[asked.role]
        return self.bytes_of(role, {**asked.values, "result_code": code, **changes})

    def answer(self, asked: Message, code: str = "000", **changes: Any) -> None:
        self.send_bytes(self.bytes_of_answer(asked, code, **changes))

    async def opened(self) -> "Call":
        """Let the station be opened."""
        self.answer(await self.receive_role(Role.OPENING_REQUEST))
        return self

    async def nothing_came(self) -> None:
        """A keep-alive there and back: whatever egress had transmitted before would have come before its answer."""
        asked = {**self._partner.telegrams[Role.KEEPALIVE_REQUEST].sample(), "trace_number": 77, "route_number": 0,
                 "station_id": "DNB00001"}  # fmt: skip
        self.send_bytes(self.bytes_of(Role.KEEPALIVE_REQUEST, asked))
        answer = await self.receive_role(Role.KEEPALIVE_ANSWER)
        assert answer.values["trace_number"] == 77

    async def hang_up(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


class Partner:
    """The partner's centre: is called by lines that dial, and calls lines that listen."""

    def __init__(self, spec: PartnerSpec) -> None:
        self.spec = spec
        self.port = 0
        self._calls: asyncio.Queue[Call] = asyncio.Queue()
        self._all: list[Call] = []
        self._server: asyncio.Server | None = None

    async def listen(self) -> None:
        self._server = await asyncio.start_server(self._called, "127.0.0.1", self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    def stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _called(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._calls.put_nowait(self._kept(reader, writer))

    def _kept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Call:
        self._all.append(Call(self.spec, reader, writer))
        return self._all[-1]

    async def called(self) -> Call:
        """The next call of a line that dials."""
        return await asyncio.wait_for(self._calls.get(), GO)

    async def opened(self) -> Call:
        """The next call, its station opened."""
        return await (await self.called()).opened()

    async def call(self, port: int) -> Call:
        """Call a line that listens."""
        return self._kept(*await asyncio.open_connection("127.0.0.1", port))

    async def close(self) -> None:
        self.stop_listening()
        for call in self._all:
            await call.hang_up()
