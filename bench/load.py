"""The load generator: a process with several sessions of the client library, told by its starter what to ask for.

Latencies are counted from the time at which a request was due, not from when it could be sent: a gateway that stands
still for a moment has every request that would have come meanwhile against it (no coordinated omission). They end when
the caller of `Client.pay` has its result, which includes the confirmation and that it is stored (`settled`).
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, NamedTuple, Self

import uvloop

from bench.quantities import Latency
from client import Client, ClientError, Result, Status
from ops.player import CARD, TERMINAL, worded
from schemas.records import Kind

AMOUNT = 1_000
SLOW_MS = 2_000  # whoever waits longer has noticed
_WAIT_MS = 60_000
_ANSWER_S = 120.0
_INQUIRIES, _INQUIRY_MS = 50, 20_000


class Customer(NamedTuple):
    """Whose sessions there are, and where they connect to."""

    id: str
    token: str
    addresses: Sequence[tuple[str, int]]


class Told(NamedTuple):
    """A payment, and what its caller was told of it."""

    customer: str
    reference: str
    told: str


@dataclass(frozen=True, slots=True)
class AtRate:
    """Ask `rate` times a second, whatever the answers do."""

    rate: int
    seconds: float


@dataclass(frozen=True, slots=True)
class AtOnce:
    """Keep so many payments under way."""

    at_once: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Steadily:
    """Ask `rate` times a second until the starter says that it is enough."""

    rate: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of it. `others`: what was told instead of an approval, and how often; `slow`: after `SLOW_MS`."""

    seconds: float
    latency: Latency
    others: dict[str, int]
    slow: int

    @property
    def a_second(self) -> float:
        return round(self.latency.count / self.seconds, 1)


class LoadError(Exception):
    """The load generator has ended, or cannot connect."""


@dataclass(slots=True)
class _Course:
    """One measurement under way."""

    name: str
    taken_ms: list[float] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    asked: int = 0


class _Load:
    def __init__(self, clients: Sequence[tuple[str, Client]]) -> None:
        self._clients = clients
        self._courses = 0
        self.told: list[Told] = []

    async def at_rate(self, order: AtRate) -> Measured:
        count = int(order.rate * order.seconds)
        return await self._at_rate(order.rate, lambda number: number < count)

    async def steadily(self, order: Steadily, enough: asyncio.Future[object]) -> Measured:
        return await self._at_rate(order.rate, lambda _: not enough.done())

    async def _at_rate(self, rate: int, going_on: Callable[[int], bool]) -> Measured:
        course = self._course()
        began = time.monotonic()  # the loop's own clock counts whole milliseconds
        tasks: set[asyncio.Task[None]] = set()
        for number in itertools.takewhile(going_on, itertools.count()):
            due = began + number / rate
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            task = asyncio.create_task(self._pay(course, due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        if tasks:
            await asyncio.wait(tasks)
        return self._measured(course, began)

    async def at_once(self, order: AtOnce) -> Measured:
        course = self._course()
        began = time.monotonic()

        async def one_after_the_other() -> None:
            while (now := time.monotonic()) - began < order.seconds:
                await self._pay(course, now)

        await asyncio.gather(*(one_after_the_other() for _ in range(order.at_once)))
        return self._measured(course, began)

    def _course(self) -> _Course:
        self._courses += 1
        return _Course(f"bench{self._courses}")

    def _measured(self, course: _Course, began: float) -> Measured:
        slow = sum(taken_ms > SLOW_MS for taken_ms in course.taken_ms)
        return Measured(time.monotonic() - began, Latency.of(course.taken_ms), dict(course.others), slow)

    async def inquired(self) -> list[Told]:
        """What an inquiry tells of every payment that its caller was not told is approved."""
        clients, at_once = dict(self._clients), asyncio.Semaphore(_INQUIRIES)

        async def one(asked: Told) -> Told:
            async with at_once:
                client = clients[asked.customer]
                return asked._replace(told=await _heard(client.inquire(asked.reference, wait_ms=_INQUIRY_MS)))

        return await asyncio.gather(*(one(each) for each in self.told if each.told != Status.APPROVED))

    async def _pay(self, course: _Course, due: float) -> None:
        course.asked += 1
        customer, client = self._clients[course.asked % len(self._clients)]
        reference = f"{course.name}-{course.asked}"
        told = await _heard(_paid(client, reference))
        course.taken_ms.append((time.monotonic() - due) * 1e3)
        self.told.append(Told(customer, reference, told))
        if told != Status.APPROVED:
            course.others[told] += 1


def _paid(client: Client, reference: str) -> Coroutine[Any, Any, Result]:
    return client.pay(
        reference=reference, kind=Kind.SALE, terminal_id=TERMINAL, amount=AMOUNT, card=CARD, wait_ms=_WAIT_MS
    )


async def _heard(asking: Awaitable[Result]) -> str:
    try:
        return worded(await asking)
    except ClientError as error:
        return f"error: {type(error).__name__}"


async def _serve(pipe: Connection, customers: Sequence[Customer], sessions: int) -> None:
    """Do what comes through the pipe until it closes."""
    clients: list[tuple[str, Client]] = []
    for number in range(sessions):
        customer = customers[number % len(customers)]
        first = number // len(customers) % len(customer.addresses)  # each session prefers another door
        addresses = [*customer.addresses[first:], *customer.addresses[:first]]
        client = await Client.connect(addresses, customer=customer.id, token=customer.token)
        clients.append((customer.id, client))
    load = _Load(clients)
    pipe.send(None)
    loop = asyncio.get_running_loop()
    while (order := await loop.run_in_executor(None, _received, pipe)) is not None:
        match order:
            case AtRate():
                pipe.send(await load.at_rate(order))
            case AtOnce():
                pipe.send(await load.at_once(order))
            case Steadily():
                pipe.send(await load.steadily(order, loop.run_in_executor(None, _received, pipe)))
            case "inquire":
                pipe.send(await load.inquired())
            case _:
                pipe.send(load.told)
    for _, client in clients:
        await client.close()


def _received(pipe: Connection) -> object:
    try:
        return pipe.recv()
    except EOFError:  # the starter has gone
        return None


def _main(pipe: Connection, customers: Sequence[Customer], sessions: int) -> None:
    try:
        uvloop.run(_serve(pipe, customers, sessions))
    except ClientError as error:
        pipe.send(error)


class Load:
    """The load generator as its starter sees it. Use as a context. Raises `LoadError` wherever it has ended."""

    def __init__(self, customers: Sequence[Customer], sessions: int) -> None:
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_main, args=(theirs, customers, sessions), name="load", daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        self._answer()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pipe.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()

    @property
    def pid(self) -> int:
        pid = self._process.pid
        assert pid is not None
        return pid

    def run(self, order: AtRate | AtOnce) -> Measured:
        """Have it done."""
        self._pipe.send(order)
        measured: Measured = self._answer(order.seconds)
        return measured

    def begin(self, order: Steadily) -> None:
        """Have it begun; `end` it before anything else."""
        self._pipe.send(order)

    def end(self) -> Measured:
        """Have it ended, and wait for what is under way."""
        self._pipe.send("enough")
        measured: Measured = self._answer()
        return measured

    def told(self) -> list[Told]:
        """Every payment so far, with what its caller was told."""
        self._pipe.send("told")
        told: list[Told] = self._answer()
        return told

    def approved(self) -> list[Told]:
        """Every payment that was approved so far."""
        return [each for each in self.told() if each.told == Status.APPROVED]

    def inquired(self) -> list[Told]:
        """What an inquiry now tells of each of the others."""
        self._pipe.send("inquire")
        inquired: list[Told] = self._answer()
        return inquired

    def _answer(self, more_s: float = 0.0) -> Any:
        until = time.monotonic() + _ANSWER_S + more_s
        while not self._pipe.poll(0.2):
            if not self._process.is_alive() or time.monotonic() > until:
                raise LoadError("the load generator does not answer: see what it said above")
        try:
            answer = self._pipe.recv()
        except EOFError:
            raise LoadError("the load generator has ended: see what it said above") from None
        if isinstance(answer, ClientError):
            raise LoadError(f"the load generator cannot work: {answer}") from answer
        return answer
