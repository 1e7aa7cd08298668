"""The client in a page of docs/client-protocol.md, as it is printed there, against a real ingress."""

import asyncio
import re
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from certificates import SERVER_NAME, self_signed
from gateway_rig import TOKEN, Gateway, RawClient, gateway, reply_to, request_fields, until
from loop_rig import in_loop

from schemas.client_frames import Rejection
from schemas.records import InquiryAsked, ReplyDelivered, ReplyReady, RequestAccepted, Status
from schemas.refusals import Refusal

DOCUMENT = Path(__file__).parents[2] / "docs" / "client-protocol.md"
HELLO = {"type": "hello", "version": 1, "customer": "AP02", "token": TOKEN, "client": "page/1"}

Asked = RequestAccepted | InquiryAsked
Answers = Callable[[Asked], list[ReplyReady]]


class PageClient:
    """The code block of the document, and what its reader has to add: where the gateways are."""

    def __init__(self, *gateways: Gateway, hello: dict[str, Any] = HELLO, tls: ssl.SSLContext | None = None) -> None:
        (code,) = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        self.page: dict[str, Any] = {}
        exec(compile(code, str(DOCUMENT), "exec"), self.page)
        self.page["PAUSE_S"] = 0.01
        self._ports = [each.server.port for each in gateways]
        self._hello, self._tls = hello, tls
        self.sessions: list[Any] = []
        self._kept: list[Any] = []

    def _next_session(self) -> Any:
        return self._kept.pop() if self._kept else self._open_session()

    def _open_session(self) -> Any:
        plain = socket.create_connection(("127.0.0.1", self._ports[len(self.sessions) % len(self._ports)]))
        connection = plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname=SERVER_NAME)
        self.sessions.append(None)
        try:
            self.sessions[-1] = self.page["Session"](connection, self._hello)
        except BaseException:
            connection.close()
            raise
        return self.sessions[-1]

    async def connect(self) -> None:
        """Open a session before anything is paid."""
        self._kept.append(await asyncio.to_thread(self._open_session))

    async def pay(self, reference: str, **changes: Any) -> dict[str, Any] | None:
        request = {**request_fields(reference), **changes}
        try:
            end: dict[str, Any] | None = await asyncio.to_thread(self.page["pay"], self._next_session, request)
            return end
        finally:
            for session in self.sessions:
                if session is not None:
                    session.connection.close()


def kinds_of(rig: Gateway) -> list[str]:
    return [type(record).__name__ for record in rig.records("requests")]


def final(record: Asked, status: Status, refusal: Refusal | None = None) -> ReplyReady:
    """A reply or status that needs no confirmation."""
    return reply_to(record, status, delivery_no=0, confirm_in_ms=None, refusal=refusal)


def inquired(answer: Answers) -> Answers:
    """Answers inquiries alone."""
    return lambda record: answer(record) if isinstance(record, InquiryAsked) else []


def break_sessions(rig: Gateway) -> None:
    for connection in list(rig.server._connections):
        connection.abort()


@pytest.mark.parametrize("status", [Status.APPROVED, Status.DECLINED])
def test_what_must_be_confirmed_ends_when_the_confirmation_is_stored(tmp_path: Path, status: Status) -> None:
    @in_loop
    async def scenario() -> None:
        async with gateway(tmp_path) as rig:
            rig.router.answer = lambda record: [reply_to(record, status)]
            end = await PageClient(rig).pay("r-1")
            assert end is not None
            assert (end["type"], end["status"]) == ("reply", status.value)
            (delivered,) = rig.records("deliveries")
            assert isinstance(delivered, ReplyDelivered)

    scenario()


@in_loop
async def test_the_same_wrapped_in_tls(tmp_path: Path) -> None:
    tls = self_signed(tmp_path, "one")
    async with gateway(tmp_path, tls=tls) as rig:
        client = PageClient(rig, tls=ssl.create_default_context(cafile=str(tls.certificate)))
        end = await client.pay("r-1")
        assert end is not None
        assert end["status"] == "approved"


@in_loop
async def test_a_refusal_ends_at_once_behind_the_door_and_at_it(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        rig.router.answer = lambda record: [final(record, Status.REFUSED, Refusal.NO_OPEN_LINE)]
        behind = await PageClient(rig).pay("r-1")
        assert behind is not None
        assert (behind["status"], behind["refusal"]["code"]) == ("refused", "no_open_line")
        at_it = await PageClient(rig).pay("r-2", amount=0)
        assert at_it is not None
        assert (at_it["type"], at_it["code"]) == ("refused", "invalid_request")
        assert kinds_of(rig) == ["RequestAccepted"]


@in_loop
async def test_a_lost_session_is_replaced_and_the_owed_reply_taken(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        rig.router.answer = inquired(lambda record: [reply_to(record, delivery_no=2)])
        paying = asyncio.create_task(PageClient(rig).pay("r-1"))
        await until(lambda: len(rig.records("requests")) == 1, "the request")
        break_sessions(rig)
        end = await paying
        assert end is not None
        assert (end["status"], end["delivery_no"]) == ("approved", 2)
        assert kinds_of(rig) == ["RequestAccepted", "InquiryAsked"]


@in_loop
async def test_what_is_unknown_is_sent_again_as_the_same_payment(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        rig.router.answer = inquired(lambda record: [final(record, Status.UNKNOWN)])
        paying = asyncio.create_task(PageClient(rig).pay("r-1"))
        await until(lambda: len(rig.records("requests")) == 1, "the request")
        rig.router.answer = lambda record: [
            final(record, Status.UNKNOWN) if isinstance(record, InquiryAsked) else reply_to(record)
        ]
        break_sessions(rig)
        end = await paying
        assert end is not None
        assert end["status"] == "approved"
        assert kinds_of(rig) == ["RequestAccepted", "InquiryAsked", "RequestAccepted"]
        first, _, again = rig.records("requests")
        assert isinstance(first, RequestAccepted)
        assert isinstance(again, RequestAccepted)
        assert first.content_digest == again.content_digest
        assert again.expires_ms <= first.expires_ms + 1_000  # what is left, not the whole once more


@in_loop
async def test_in_process_is_waited_out_on_the_session_that_inquired(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        rig.router.answer = inquired(lambda record: [final(record, Status.IN_PROCESS)])
        paying = asyncio.create_task(PageClient(rig).pay("r-1"))
        await until(lambda: len(rig.records("requests")) == 1, "the request")
        break_sessions(rig)
        await until(lambda: rig.metric("denbun_ingress_told_total", status="in_process") == 1, "in_process")
        first, inquiry = rig.records("requests")
        assert isinstance(first, RequestAccepted)
        assert isinstance(inquiry, InquiryAsked)
        answer = reply_to(first)
        rig.router.tell(0, ReplyReady(**{**_fields(answer), "session": inquiry.session}))
        end = await paying
        assert end is not None
        assert end["status"] == "approved"


def _fields(record: ReplyReady) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__struct_fields__}


@in_loop
async def test_a_void_acknowledgement_is_inquired_about_and_is_no_approval(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        rig.router.answer = lambda record: [
            final(record, Status.BEING_CANCELLED)
            if isinstance(record, InquiryAsked)
            else reply_to(record, confirm_in_ms=0)  # its time is over when it comes to the door
        ]
        end = await PageClient(rig).pay("r-1")
        assert end is not None
        assert (end["type"], end["status"]) == ("status", "being_cancelled")
        assert rig.metric("denbun_ingress_settled_total", confirmed="false") == 1


@in_loop
async def test_what_may_have_been_taken_is_inquired_about(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        rig.log.break_writes(True)
        rig.router.answer = lambda record: [reply_to(record)]
        paying = asyncio.create_task(PageClient(rig).pay("r-1"))
        code = Rejection.OUTCOME_UNKNOWN.value
        await until(lambda: rig.metric("denbun_ingress_rejected_total", code=code) > 0, "outcome_unknown")
        rig.log.break_writes(False)
        end = await paying
        assert end is not None
        assert end["status"] == "approved"
        assert kinds_of(rig) == ["InquiryAsked"]


@in_loop
async def test_a_stopping_gateway_sends_the_client_to_another(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    async with gateway(tmp_path) as one, gateway(tmp_path / "b", slot=1) as two:
        one.router.answer = lambda _: []
        busy = await RawClient.greeted(one.server.port)
        busy.ask("r-0")
        await busy.pong()
        client = PageClient(one, two)
        await client.connect()
        stopping = asyncio.create_task(one.server.stop())
        assert await busy.receive() == {"type": "bye"}
        end = await client.pay("r-1")
        assert end is not None
        assert end["status"] == "approved"
        assert [record.reference for record in one.records("requests")] == ["r-0"]  # type: ignore[union-attr]
        assert kinds_of(two) == ["RequestAccepted"]
        await busy.close()
        await stopping


@in_loop
async def test_without_an_answer_the_end_is_not_known(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        rig.router.answer = lambda _: []
        client = PageClient(rig)
        client.page["MARGIN_S"] = 0.0
        client.page["PATIENCE_S"] = 0.5  # each silence is a ping, each pong a look at the clock
        assert await client.pay("r-1", wait_ms=100) is None
        assert kinds_of(rig).count("RequestAccepted") == 1


@in_loop
async def test_wrong_credentials_are_for_a_person(tmp_path: Path) -> None:
    async with gateway(tmp_path) as rig:
        with pytest.raises(ValueError, match=Rejection.NOT_AUTHENTICATED.english):
            await PageClient(rig, hello={**HELLO, "token": "wrong"}).pay("r-1")
        assert kinds_of(rig) == []
