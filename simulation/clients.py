"""The merchants' servers: the real client library in processes of the world, and what each caller was told."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

from client import Client, ClientError, ConnectError, OutcomeUnknown, RequestRefused
from ops.money import ClientRecord
from ops.player import CARD, SECURITY_CODE, TERMINAL, worded
from schemas.client_frames import VERSION, Hello, Request, frame
from schemas.identity import transaction_id
from schemas.records import Kind
from schemas.refusals import Refusal
from simulation.loop import SimLoop
from simulation.machines import DOOR, NODES
from simulation.network import Network
from simulation.plan import Manner, Payment
from simulation.world import MS, Node, Process, World

_UNDER_WAY = ("being_cancelled", "in_process")
_AGAIN_S = 0.3
_NEW_YEN = 1_000_000  # no centre has a rule about it
_NEW_WAIT_MS = 3_000
_ONE_NAME = 3  # for what follows every third payment


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: everything its client must know to ask for it, or about it, again."""

    customer: str
    reference: str
    original: str | None
    kind: Kind
    amount: int

    @property
    def transaction_id(self) -> str:
        return transaction_id(self.customer, self.reference, self.original)


@dataclass(slots=True)
class Paper:
    """What all clients wrote down."""

    asked: dict[str, Asked] = field(default_factory=dict)  # by transaction
    records: list[ClientRecord] = field(default_factory=list)
    inquiries: list[ClientRecord] = field(default_factory=list)  # an inquiry does not say what was asked for
    at_last: dict[str, str] = field(default_factory=dict)  # by transaction, what an inquiry told in the end

    def wrote(self, asked: Asked, told: str | None) -> None:
        """One caller was told this; None: it was gone before."""
        self.records.append(ClientRecord(asked.transaction_id, asked.kind, asked.amount, told))


class Till:
    """A server of a merchant: asks, and writes down what it is told. It may end in the middle of it."""

    def __init__(self, world: World, network: Network, paper: Paper, customer: str, name: str) -> None:
        self.world = world
        self.customer = customer
        self.paper = paper
        self.process = Process(world, f"{name} {customer}", Node("merchant"), fragile=False)
        self.process.at_end.append(self._gone)
        self._loop = SimLoop(self.process, network)
        self._client: asyncio.Future[Client] = self._loop.create_future()
        self._pending: dict[int, Asked] = {}
        self._numbers = 0
        self._first = NODES if world.happens(0.5) else NODES[::-1]
        self.do(self._connect)

    def do(self, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Let it do this, unless it is gone."""
        if not self.process.dead:
            self._loop.call_soon(lambda: self._loop.create_task(self._whole(work)))

    async def _whole(self, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        try:
            await work()
        except Exception as error:  # noqa: BLE001  told, and the run fails
            self.world.trouble(self.process, error)

    async def _connect(self) -> None:
        token = f"development-token-{self.customer.lower()}"
        while not self._client.done():
            try:
                addresses = [(node, DOOR) for node in self._first]
                client = await Client.connect(addresses, customer=self.customer, token=token, timeout_s=1.0)
            except ConnectError:
                await asyncio.sleep(_AGAIN_S)
            else:
                self._client.set_result(client)

    def _gone(self) -> None:
        for asked in self._pending.values():
            self.paper.wrote(asked, None)
            self.world.note(self.process, f"is gone before it is told of {asked.reference}")

    @property
    def busy(self) -> bool:
        """Whether it waits for an answer."""
        return bool(self._pending)

    # --- what it does

    async def pay(self, asked: Asked, wait_ms: int) -> str:
        """Ask for a payment; gives what it was told."""
        self.paper.asked.setdefault(asked.transaction_id, asked)
        self._numbers += 1
        number = self._numbers
        self._pending[number] = asked
        client = await self._client
        try:
            told = worded(
                await client.pay(
                    reference=asked.reference,
                    kind=asked.kind,
                    terminal_id=TERMINAL,
                    amount=asked.amount,
                    card=CARD,
                    security_code=None if asked.original else SECURITY_CODE,
                    original_reference=asked.original,
                    wait_ms=wait_ms,
                )
            )
        except RequestRefused as error:
            told = f"rejected: {error.code}"
        except ClientError as error:
            told = f"error: {type(error).__name__}"
        except ValueError:
            told = "error: under way here"
        del self._pending[number]
        self.paper.wrote(asked, told)
        self._note(asked, told)
        return told

    async def inquire(self, asked: Asked, wait_ms: int) -> str | None:
        """Ask what became of it; gives what it was told, None when it was not told in time."""
        client = await self._client
        try:
            told = worded(await client.inquire(asked.reference, original_reference=asked.original, wait_ms=wait_ms))
        except (OutcomeUnknown, ValueError):
            return None
        self.paper.inquiries.append(ClientRecord(asked.transaction_id, asked.kind, asked.amount, told))
        self._note(asked, told)
        return told

    def _note(self, asked: Asked, told: str) -> None:
        self.world.counters[f"told {told}"] += 1
        self.world.note(self.process, f"is told of {asked.reference}: {told}")

    async def inquire_until_the_end(self, asked: Asked) -> None:
        """Ask until it is known what became of it."""
        while True:
            told = await self.inquire(asked, 3_000)
            if told is not None and told not in _UNDER_WAY:
                self.paper.at_last[asked.transaction_id] = told
                return
            await asyncio.sleep(_AGAIN_S)


class _Mute(asyncio.Protocol):
    """Asks, and is not interested in any answer."""

    def __init__(self, asked: Asked, wait_ms: int) -> None:
        self._asked = asked
        self._wait_ms = wait_ms

    def connection_made(self, transport: Any) -> None:
        customer, token = self._asked.customer, f"development-token-{self._asked.customer.lower()}"
        hello = Hello(version=VERSION, customer=customer, token=token, client="mute/1")
        asked = self._asked
        request = Request(
            reference=asked.reference, kind=str(asked.kind), terminal_id=TERMINAL, amount=asked.amount, card=CARD,
            payment_method="10", wait_ms=self._wait_ms, security_code=SECURITY_CODE,
        )  # fmt: skip
        transport.write(frame(hello) + frame(request))


class Merchants:
    """All clients: two tills for each customer, those that vanish or keep mute, and newcomers after all of it."""

    def __init__(self, world: World, network: Network) -> None:
        self.world = world
        self.network = network
        self.paper = Paper()
        self.tills: dict[tuple[str, int], Till] = {}
        self.auditors: dict[str, Till] = {}
        self.unserved: dict[str, None] = {}  # customers whose newcomer has no payment approved yet
        self._audited: set[str] = set()

    def till(self, customer: str, number: int) -> Till:
        """A till that is there."""
        till = self.tills.get((customer, number))
        if till is None or till.process.dead:
            till = Till(self.world, self.network, self.paper, customer, f"till{number}")
            self.tills[customer, number] = till
        return till

    def begin(self, payment: Payment) -> None:
        """Let its client begin with a payment."""
        asked = Asked(payment.customer, payment.reference, None, payment.kind, payment.amount)
        self.world.note(
            payment.customer, f"{payment.reference}: {payment.kind} {payment.amount} ({payment.manner.value})"
        )
        if payment.manner is Manner.WAITS:
            till = self.till(payment.customer, 0)
            till.do(lambda: self._pay(till, asked, payment))
        else:
            self._strange(asked, payment)
        if payment.again_us is not None:
            other = Asked(*_but_amount(asked), asked.amount + payment.again_more)
            self.world.after(payment.again_us, None, self._again, other, payment.wait_ms)
        if payment.inquires_us is not None:
            self.world.after(payment.inquires_us, None, self._inquire, asked)

    async def _pay(self, till: Till, asked: Asked, payment: Payment) -> None:
        told = await till.pay(asked, payment.wait_ms)
        if payment.then is None or told != "approved":
            return
        # Some have one name for all that follows, whatever it follows.
        name = f"{payment.then}" if payment.number % _ONE_NAME == 0 else f"{asked.reference}-{payment.then}"
        follow_up = Asked(asked.customer, name, asked.reference, payment.then, payment.then_amount)
        heard = await till.pay(follow_up, payment.wait_ms)
        if heard == f"refused: {Refusal.ORIGINAL_STILL_IN_PROCESS}":
            self.world.trouble(till.process, f"{asked.reference} was told as approved, its {payment.then}: {heard}")

    def _again(self, asked: Asked, wait_ms: int) -> None:
        till = self.till(asked.customer, 1)
        till.do(lambda: till.pay(asked, wait_ms))

    def _inquire(self, asked: Asked) -> None:
        till = self.till(asked.customer, 1)
        till.do(lambda: till.inquire(asked, 2_000))

    def _strange(self, asked: Asked, payment: Payment) -> None:
        """A client that does not keep to the manners of the protocol."""
        self.paper.asked.setdefault(asked.transaction_id, asked)
        self.paper.wrote(asked, None)
        process = Process(self.world, f"{payment.manner.value} {asked.customer}", Node("merchant"), fragile=False)
        loop = SimLoop(process, self.network)
        node = NODES[payment.number % len(NODES)]

        async def ask() -> None:
            for _ in range(20):
                try:
                    await loop.create_connection(lambda: _Mute(asked, payment.wait_ms), node, DOOR)
                except OSError:
                    await asyncio.sleep(_AGAIN_S)
                else:
                    return

        loop.call_soon(lambda: loop.create_task(ask()))
        if payment.manner is Manner.VANISHES:
            self.world.after(payment.leaves_us + 5 * MS, None, process.kill)

    def welcome(self, customers: Iterable[str]) -> None:
        """Have somebody new of each customer pay until a payment is approved: to settle alone is of no use."""
        for customer in customers:
            self.unserved[customer] = None
            newcomer = Till(self.world, self.network, self.paper, customer, "newcomer")
            newcomer.do(partial(self._until_served, newcomer))

    async def _until_served(self, newcomer: Till) -> None:
        for number in count():
            asked = Asked(newcomer.customer, f"new{number}", None, Kind.SALE, _NEW_YEN)
            if await newcomer.pay(asked, _NEW_WAIT_MS) == "approved":
                del self.unserved[newcomer.customer]
                return
            await asyncio.sleep(_AGAIN_S)

    @property
    def busy(self) -> bool:
        """Whether a till waits for an answer."""
        return any(till.busy for till in self.tills.values() if not till.process.dead)

    def audit(self, under_way: Collection[str]) -> None:
        """Have everything inquired about that was ever asked for, once it has come to its end: that nobody asks for."""
        for asked in list(self.paper.asked.values()):
            if asked.transaction_id in self._audited or asked.transaction_id in under_way:
                continue
            self._audited.add(asked.transaction_id)
            auditor = self.auditors.get(asked.customer)
            if auditor is None:
                auditor = Till(self.world, self.network, self.paper, asked.customer, "auditor")
                self.auditors[asked.customer] = auditor
            auditor.do(partial(auditor.inquire_until_the_end, asked))


def _but_amount(asked: Asked) -> tuple[str, str, str | None, Kind]:
    return asked.customer, asked.reference, asked.original, asked.kind
