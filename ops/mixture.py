"""A few hundred payments of every kind at once: by seed, so that the same mixture can be had again."""

import asyncio
import contextlib
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from client import Card, Client, ClientError, RequestRefused, Status
from ops.courses import ANSWER_AFTER_MS, CANCELS, CONFIRMS, LATE_AFTER_MS, Manner, rule
from ops.money import ClientRecord
from ops.player import CARD, TERMINAL, Stranger, worded
from schemas.identity import transaction_id
from schemas.records import Kind
from simulator.control import Control

_REQUESTS = ["sale_request", "authorisation_request", "cancel_request", "refund_request"]
_BASE = 100_000  # each share of the mixture has amounts of its own, by which the centre knows what to do
_WIDTH = 10_000
_INQUIRIES, _INQUIRY_MS = 50, 20_000
_NO_END = ("in_process", "being_cancelled")

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Share:
    """One kind of course within the mixture: how many of a hundred, what the centre does, how the client behaves."""

    percent: int
    rules: Sequence[dict[str, Any]] = ()
    manner: Manner = Manner.WAITS
    kind: Kind = Kind.SALE
    then: Kind | None = None  # what follows when it was approved


SHARES = (
    Share(42),
    Share(8, kind=Kind.AUTHORISATION),
    Share(6, then=Kind.CANCEL),
    Share(4, then=Kind.REFUND),
    Share(8, [dict(rule(_REQUESTS, "decline"))]),
    Share(8, [dict(rule(_REQUESTS, "silent"))]),
    Share(4, [dict(rule(_REQUESTS, "late", after_ms=LATE_AFTER_MS))]),
    Share(3, [dict(rule(_REQUESTS, "turn_round"))]),
    Share(3, [dict(rule(_REQUESTS, "silent")), dict(rule(CONFIRMS, "silent", times=1))]),
    Share(2, [dict(rule(_REQUESTS, "silent")), dict(rule(CONFIRMS, "error_report"))]),
    Share(5, [dict(rule(_REQUESTS, "late", after_ms=ANSWER_AFTER_MS))], Manner.VANISHES),
    Share(
        2,
        [dict(rule(_REQUESTS, "late", after_ms=ANSWER_AFTER_MS)), dict(rule(CANCELS, "silent", times=1))],
        Manner.VANISHES,
    ),
    Share(2, [dict(rule(_REQUESTS, "twice"))]),
    Share(2, [dict(rule(_REQUESTS, "lose"))]),
    Share(1, [dict(rule(_REQUESTS, "drop", times=1))]),
)
assert sum(share.percent for share in SHARES) == 100

BAD_CLIENTS = (
    Share(6, [dict(rule(_REQUESTS, "late", after_ms=ANSWER_AFTER_MS))], Manner.VANISHES),
    Share(6, manner=Manner.MUTE),
    Share(6, [dict(rule(_REQUESTS, "late", after_ms=ANSWER_AFTER_MS))], Manner.RETURNS),
    Share(6, manner=Manner.REPEATS),
    Share(6, manner=Manner.CONTRADICTS),
)
BAD_CENTRES = (
    Share(4, [dict(rule(_REQUESTS, "error_report"))]),
    Share(2, [dict(rule(_REQUESTS, "other_amount"))]),
    Share(2, [dict(rule(_REQUESTS, "garbage"))]),
    Share(1, [dict(rule(_REQUESTS, "noise"))]),
    Share(1, [dict(rule(_REQUESTS, "other_terminal"))]),
    Share(1, [dict(rule(_REQUESTS, "other_error"))]),
    Share(1, [dict(rule(_REQUESTS, "unknown_code"))]),
    Share(1, [dict(rule(_REQUESTS, "loop", times=1))]),
    Share(1, [dict(rule(_REQUESTS, "silent")), dict(rule(CONFIRMS, "other_terminal", times=1))]),
    Share(1, [dict(rule(_REQUESTS, "silent")), dict(rule(CONFIRMS, "other_type", times=1))]),
    Share(1, [dict(rule(_REQUESTS, "silent")), dict(rule(CONFIRMS, "other_route", times=1))]),
    Share(1, [dict(rule(_REQUESTS, "silent")), dict(rule(CONFIRMS, "unknown_code", times=1))]),
)
"""What a drill mixes in besides: to a hundred payments of `SHARES` so many more."""


def teach(control: Control, shares: Sequence[Share] = SHARES, habits: Sequence[Mapping[str, Any]] = ()) -> None:
    """Have a centre behave by amount as the shares say, and else by its `habits`. Raises `ControlError`."""
    control.clear()
    for each in habits:
        control.behave(**each)
    for number, share in enumerate(shares):
        first = _BASE + number * _WIDTH
        for each in share.rules:
            control.behave(**each, amount=[first, first + _WIDTH - 1])


class Asked(NamedTuple):
    """One payment that was asked for."""

    reference: str
    kind: Kind
    amount: int
    original: str | None = None


class Mixture:
    """`count` payments of one customer, at most `at_once` of them at the same time.

    They begin evenly over `over_s` seconds. `spare` is the door of another gateway, for the client when the first one
    is gone, and for those that ask at two.
    """

    def __init__(
        self,
        door: Address,
        customer: str,
        token: str,
        *,
        count: int,
        at_once: int,
        seed: int,
        card: Card = CARD,
        shares: Sequence[Share] = SHARES,
        over_s: float = 0.0,
        spare: Address | None = None,
    ) -> None:
        self._door = door
        self._customer = customer
        self._token = token
        self._card = card
        self._at_once = asyncio.Semaphore(at_once)
        chance = random.Random(f"{seed} {customer}")  # noqa: S311  a mixture, not a secret
        self._shares = shares
        weights = [share.percent for share in shares]
        self._draws = [
            (number, chance.choices(range(len(shares)), weights)[0], chance.randrange(_WIDTH))
            for number in range(count)
        ]
        self._pause_s = over_s / max(1, count)
        self._spare = spare
        self._strangers: list[Stranger] = []
        self.records: list[ClientRecord] = []
        self.asked: list[Asked] = []

    async def run(self, advance: Callable[[], object]) -> None:
        """Make the payments; `advance` is called after each. Raises `client.ConnectError`."""
        here, there = self._door, self._spare or self._door
        async with await self._connect(here, there) as client, await self._connect(there, here) as other:

            async def one(number: int, share: int, more: int) -> None:
                if self._pause_s:
                    await asyncio.sleep(number * self._pause_s)
                async with self._at_once:
                    amount = _BASE + share * _WIDTH + more
                    await self._pay((client, other), f"mixed-{number}", self._shares[share], amount)
                advance()

            await asyncio.gather(*(one(*draw) for draw in self._draws))
        for stranger in self._strangers:
            stranger.close()

    async def inquire(self) -> list[str]:
        """Ask what became of every payment; writes it down, and gives those that nobody can tell."""
        untold: list[str] = []
        at_once = asyncio.Semaphore(_INQUIRIES)
        async with await self._connect(self._door, self._spare or self._door) as client:

            async def one(asked: Asked) -> None:
                async with at_once:
                    told = await self._inquired(client, asked)
                self._wrote(*asked, told)
                if told in _NO_END or told.startswith("error: "):
                    untold.append(f"{self.records[-1].transaction_id}: {told}")

            await asyncio.gather(*(one(each) for each in self.asked))
        return untold

    def _connect(self, first: Address, second: Address) -> Coroutine[Any, Any, Client]:
        addresses = [first] if first == second else [first, second]
        return Client.connect(addresses, customer=self._customer, token=self._token)

    async def _pay(self, clients: tuple[Client, Client], reference: str, share: Share, amount: int) -> None:
        client, other = clients
        self.asked.append(Asked(reference, share.kind, amount))
        match share.manner:
            case Manner.VANISHES | Manner.MUTE | Manner.RETURNS:
                stays = share.manner is Manner.MUTE
                told = await asyncio.to_thread(self._ask_strangely, reference, share.kind, amount, stays=stays)
                self._wrote(reference, share.kind, amount, None, told)
                if share.manner is Manner.RETURNS:
                    asked = Asked(reference, share.kind, amount)
                    self._wrote(*asked, await self._inquired(other, asked))
                return
            case Manner.REPEATS:
                both = (self._told(each, reference, share.kind, amount) for each in clients)
                for told in await asyncio.gather(*both):
                    self._wrote(reference, share.kind, amount, None, told)
                return
            case Manner.CONTRADICTS:
                for more in (0, 1):
                    told = await self._told(client, reference, share.kind, amount + more)
                    self._wrote(reference, share.kind, amount + more, None, told)
                    if told.startswith("error: "):  # who knows nothing of the first asks for no second
                        return
                return
            case Manner.WAITS:
                pass
        told = await self._told(client, reference, share.kind, amount)
        self._wrote(reference, share.kind, amount, None, told)
        if share.then is not None and told == Status.APPROVED:
            follow_up = f"{reference}-{share.then}"
            self.asked.append(Asked(follow_up, share.then, amount, reference))
            told = await self._told(client, follow_up, share.then, amount, original=reference)
            self._wrote(follow_up, share.then, amount, reference, told)

    async def _told(self, client: Client, reference: str, kind: Kind, amount: int, original: str | None = None) -> str:
        try:
            return worded(
                await client.pay(
                    reference=reference,
                    kind=kind,
                    terminal_id=TERMINAL,
                    amount=amount,
                    card=self._card,
                    original_reference=original,
                    wait_ms=20_000,
                )
            )
        except RequestRefused as error:
            return f"rejected: {error.code}"
        except ClientError as error:
            return f"error: {type(error).__name__}"

    async def _inquired(self, client: Client, asked: Asked) -> str:
        try:
            return worded(await client.inquire(asked.reference, original_reference=asked.original, wait_ms=_INQUIRY_MS))
        except ClientError as error:
            return f"error: {type(error).__name__}"

    def _ask_strangely(self, reference: str, kind: Kind, amount: int, *, stays: bool) -> str | None:
        try:
            stranger = Stranger(self._door, self._customer, self._token)
        except OSError:
            return "error: NotSent"
        with contextlib.suppress(OSError):  # whether it was taken then is not known
            stranger.ask({
                "reference": reference, "kind": str(kind), "terminal_id": TERMINAL, "amount": amount,
                "card": self._card, "payment_method": "10",
            })  # fmt: skip
        if stays:
            self._strangers.append(stranger)
        else:
            stranger.close()
        return None

    def _wrote(
        self, reference: str, kind: Kind, amount: int, original: str | None = None, told: str | None = None
    ) -> None:
        self.records.append(ClientRecord(transaction_id(self._customer, reference, original), kind, amount, told))
