"""The client for asyncio."""

import asyncio
import logging
import random
import ssl
import time
from collections import OrderedDict
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import msgspec

from client.course import Course, CourseFrame, Stage
from client.link import Address, Credentials, Link
from client.place import Place
from client.results import ClientClosed, ConnectError, NotAuthenticated, RequestRefused, Result
from schemas.client_frames import Bye, Card, Inquiry, Refused, Rejection, Request, frame, reference_fault
from schemas.records import Kind

_log = logging.getLogger("denbun.client")

CLIENT = "denbun-client/1"
MARGIN_MS = 3_000  # beyond wait_ms, for the confirmation and its way
_FRAME_MAX_BYTES = 1_024  # no gateway takes less, and no sound request is longer
_BACKOFF_S = (0.02, 2.0)
_PAUSE_S = (0.05, 2.0)
_KEEPER_ENDS_S = 5.0
_LEAVE = (Rejection.STOPPING, Rejection.OUTCOME_UNKNOWN)  # the second: it answers pings, and stores nothing


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def _check(message: Request | Inquiry) -> None:
    """Raise `RequestRefused` for what would cost everybody here the session: a wrong type, a field beyond measure.

    Whether the values are right is the gateway's to say.
    """
    try:
        fault = None
        msgspec.convert(msgspec.to_builtins(message), type(message))
    except msgspec.ValidationError as error:  # names the field and the types
        fault = str(error)
    if fault is None:
        fault = reference_fault(message.reference)
    if fault is None and len(frame(message)) > _FRAME_MAX_BYTES:
        fault = "a field is far too long"
    if fault is not None:
        raise RequestRefused(None, Rejection.INVALID_REQUEST.told(place=fault))


def _pause_s(setbacks: int) -> float:
    """How long a transaction that was set back so often in a row waits: twice as long each time, to a limit."""
    first, most = _PAUSE_S
    return min(most, first * 2.0 ** min(setbacks - 1, 16))  # after hours of setbacks no float could hold the power


class Client:
    """A session with a gateway that repairs itself, and the transactions over it. Made by `connect`."""

    def __init__(
        self, addresses: Sequence[Address], credentials: Credentials, tls: ssl.SSLContext | None, timeout_s: float
    ) -> None:
        self._addresses = list(addresses)
        self._credentials = credentials
        self._tls = tls
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._place = Place(self._loop)
        self._link: Link | None = None
        self._links: dict[Link, None] = {}  # in their order, with those that only finish what is in flight
        self._courses: dict[str, tuple[Course, asyncio.Future[None]]] = {}
        self._unsure: OrderedDict[str, Course] = OrderedDict()  # to inquire about, before anything new is sent
        self._new: OrderedDict[str, Course] = OrderedDict()
        self._closing = False
        self._keeper: asyncio.Task[None] | None = None

    # --- life

    @classmethod
    async def connect(
        cls,
        addresses: Address | Sequence[Address],
        *,
        customer: str,
        token: str,
        tls: ssl.SSLContext | None = None,
        name: str = CLIENT,
        timeout_s: float = 5.0,
    ) -> "Client":
        """Open a session with the first gateway that answers. Raises `ConnectError`, `NotAuthenticated`.

        `timeout_s` is for each address. Whatever breaks later is repaired, over any of the addresses.
        """
        listed = [addresses] if isinstance(addresses, tuple) and isinstance(addresses[0], str) else list(addresses)
        client = cls(listed, Credentials(customer, token, name), tls, timeout_s)  # type: ignore[arg-type]
        await client._dial()
        client._keeper = asyncio.create_task(client._keep())
        return client

    async def close(self, timeout_s: float = 30.0) -> None:
        """Take nothing new, wait for what is under way (at most `timeout_s`), and leave in order.

        In a child of the process that made it, there is nothing to leave, and nothing happens. Raises `UsedElsewhere`.
        """
        if self._place.is_of_another_process:
            return
        self._place.check()
        self._closing = True
        waiting = [future for _, future in self._courses.values()]
        if waiting:
            await asyncio.wait(waiting, timeout=timeout_s)
        for reference in list(self._courses):
            self._time_up(reference)
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait((self._keeper,), timeout=_KEEPER_ENDS_S)
        await asyncio.gather(*(link.close(1.0) for link in list(self._links)))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def connected(self) -> bool:
        """Whether a session is open now."""
        return self._link is not None

    # --- transactions

    async def pay(
        self,
        *,
        reference: str,
        kind: Kind | str,
        terminal_id: str,
        amount: int,
        card: Card,
        payment_method: str = "10",
        track2: str | None = None,
        security_code: str | None = None,
        original_reference: str | None = None,
        wait_ms: int = 30_000,
    ) -> Result:
        """Ask for a payment and wait for its end, at most `wait_ms` and a margin.

        `amount` is in yen, `payment_method` the partner's 支払区分. `original_reference` names the transaction that a
        cancel or refund follows. Raises `RequestRefused`, `NotSent`, `OutcomeUnknown`, `ClientClosed`, `UsedElsewhere`.
        The same reference with the same content is the same payment: it may be asked for again after any error.
        """
        request = Request(
            reference=reference,
            kind=str(kind),
            terminal_id=terminal_id,
            amount=amount,
            payment_method=payment_method,
            card=card,
            wait_ms=wait_ms,
            track2=track2,
            security_code=security_code,
            original_reference=original_reference,
        )
        inquiry = Inquiry(reference=reference, original_reference=original_reference)
        _check(request)
        return await self._run(Course(inquiry, request, _now_ms() + wait_ms), wait_ms + MARGIN_MS)

    async def inquire(self, reference: str, *, original_reference: str | None = None, wait_ms: int = 30_000) -> Result:
        """What became of a transaction. An answer that is still owed is taken and confirmed.

        For a cancel or refund, `original_reference` is that of its request. Gives status `unknown` where the gateway
        knows nothing. Raises `OutcomeUnknown` when there is no end within `wait_ms`.
        """
        inquiry = Inquiry(reference=reference, original_reference=original_reference)
        _check(inquiry)
        return await self._run(Course(inquiry), wait_ms)

    async def _run(self, course: Course, limit_ms: int) -> Result:
        self._place.check()
        if self._closing:
            raise ClientClosed("the client is closed: connect another")
        if course.reference in self._courses:
            raise ValueError(f"{course.reference} is under way in this client: await its end there")
        if any(link.given_up.get(course.reference, course.original) != course.original for link in self._links):
            # No frame says which original it is about: the first one's answer would pass for this one's.
            raise ValueError(f"{course.reference} was given up under another original: take another reference")
        done: asyncio.Future[None] = self._loop.create_future()
        self._courses[course.reference] = (course, done)
        timer = self._loop.call_later(limit_ms / 1000, self._time_up, course.reference)
        try:
            self._offer(course)
            await done
        finally:
            timer.cancel()
            self._forget(course)
        assert course.end is not None
        if isinstance(course.end, Exception):
            raise course.end
        return course.end

    def _time_up(self, reference: str) -> None:
        if reference in self._courses:
            course, _ = self._courses[reference]
            course.time_up()
            self._finish(course)

    def _finish(self, course: Course) -> None:
        """Wake the caller of a transaction that has ended."""
        _, done = self._courses[course.reference]
        if not done.done():
            done.set_result(None)

    def _forget(self, course: Course) -> None:
        del self._courses[course.reference]
        self._unsure.pop(course.reference, None)
        self._new.pop(course.reference, None)
        for link in self._links:
            if link.courses.pop(course.reference, None) is not None and not course.is_answered:
                link.give_up(course)
        self._pump()

    # --- sending

    def _offer(self, course: Course) -> None:
        """Send what is to be sent for it, now or when there is a session with room."""
        waiting = self._unsure if course.stage is Stage.UNSURE else self._new
        waiting[course.reference] = course
        self._pump()

    def _pump(self) -> None:
        link = self._link
        if link is None:
            return
        for waiting in (self._unsure, self._new):
            while waiting and link.room > 0:
                _, course = waiting.popitem(last=False)
                message = course.next_frame(_now_ms())
                if message is not None:
                    link.courses[course.reference] = course
                    link.send(message)

    def _on_frame(self, link: Link, message: CourseFrame) -> None:
        reference = message.reference
        course = link.courses.get(reference or "")
        if course is None:  # nobody waits for it: not acknowledged, so the gateway sees to it
            return
        acknowledgement = course.take(message)
        if acknowledgement is not None:
            link.send(acknowledgement)
        match course.stage:
            case Stage.ENDED:
                self._finish(course)
            case Stage.UNSURE | Stage.NEW:
                del link.courses[course.reference]
                if isinstance(message, Refused) and message.code in _LEAVE:
                    if not link.leaving:
                        link.send(Bye())  # so that it ends when all that is in flight there has
                    link.leave()
                    self._part(link)
                self._try_again(course)
            case _:
                pass

    def _try_again(self, course: Course) -> None:
        if course.setbacks == 0:
            self._offer(course)
            return
        self._loop.call_later(_pause_s(course.setbacks), self._offer_later, course)

    def _offer_later(self, course: Course) -> None:
        known, _ = self._courses.get(course.reference, (None, None))
        if known is course and course.stage is not Stage.ENDED:  # another call may have the reference by now
            self._offer(course)

    # --- the session

    def _part(self, link: Link) -> None:
        if self._link is link:
            self._link = None

    async def _dial(self) -> None:
        """Open a session over one of the addresses. Raises `ConnectError` of the last one tried."""
        errors: list[ConnectError] = []
        for address in self._addresses:
            try:
                link = await Link.open(address, self._credentials, self._tls, self._timeout_s, self._on_frame)
            except ConnectError as error:
                errors.append(error)
                continue
            self._opened(link)
            return
        refused = next((error for error in errors if isinstance(error, NotAuthenticated)), None)
        raise refused or ConnectError("; ".join(str(error) for error in errors))

    def _opened(self, link: Link) -> None:
        # The next one to try is another: this one may be about to stop.
        index = self._addresses.index(link.address) + 1
        self._addresses = self._addresses[index:] + self._addresses[:index]
        self._links[link] = None
        link.ended.add_done_callback(lambda _: self._ended(link))
        if not link.left.done():
            self._link = link
            self._pump()

    def _ended(self, link: Link) -> None:
        self._links.pop(link, None)
        self._part(link)
        courses, link.courses = list(link.courses.values()), {}
        for course in courses:
            course.session_lost()
            self._offer(course)

    async def _keep(self) -> None:
        """Replace the session whenever it is left or lost."""
        first_s, most_s = _BACKOFF_S
        backoff_s = first_s
        while True:
            since = self._loop.time()
            if self._link is not None:
                link = self._link
                await link.left
                self._part(link)
                _log.info("session left: %s:%s", *link.address)
            if self._loop.time() - since < most_s:  # a session that ended at once is no reason to hurry
                await asyncio.sleep(backoff_s * random.uniform(0.5, 1.0))  # noqa: S311  not for secrets
                backoff_s = min(2 * backoff_s, most_s)
            else:
                backoff_s = first_s
            try:
                await self._dial()
            except ConnectError as error:
                _log.warning("no session: %s", error)
            except Exception:  # noqa: BLE001  whatever it is, the next try may do: without this task none is made
                _log.exception("no session")
