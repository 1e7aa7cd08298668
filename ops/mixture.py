"""A few hundred payments of every kind at once: by seed, so that the same mixture can be had again."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

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


def teach(control: Control) -> None:
    """Have a centre behave by amount as `SHARES` says. Raises `ControlError`."""
    control.clear()
    for number, share in enumerate(SHARES):
        first = _BASE + number * _WIDTH
        for each in share.rules:
            control.behave(**each, amount=[first, first + _WIDTH - 1])


class Mixture:
    """`count` payments of one customer, `at_once` of them at the same time."""

    def __init__(
        self,
        door: tuple[str, int],
        customer: str,
        token: str,
        *,
        count: int,
        at_once: int,
        seed: int,
        card: Card = CARD,
    ) -> None:
        self._door = door
        self._customer = customer
        self._token = token
        self._card = card
        self._at_once = asyncio.Semaphore(at_once)
        chance = random.Random(f"{seed} {customer}")  # noqa: S311  a mixture, not a secret
        weights = [share.percent for share in SHARES]
        self._draws = [
            (number, chance.choices(range(len(SHARES)), weights)[0], chance.randrange(_WIDTH))
            for number in range(count)
        ]
        self.records: list[ClientRecord] = []

    async def run(self, advance: Callable[[], object]) -> None:
        """Make the payments; `advance` is called after each."""
        async with await Client.connect(self._door, customer=self._customer, token=self._token) as client:

            async def one(number: int, share: int, more: int) -> None:
                async with self._at_once:
                    await self._pay(client, number, SHARES[share], _BASE + share * _WIDTH + more)
                advance()

            await asyncio.gather(*(one(*draw) for draw in self._draws))

    async def _pay(self, client: Client, number: int, share: Share, amount: int) -> None:
        reference = f"mixed-{number}"
        if share.manner is not Manner.WAITS:
            await asyncio.to_thread(self._vanish, reference, share.kind, amount)
            self._wrote(reference, share.kind, amount, None)
            return
        told = await self._told(client, reference, share.kind, amount)
        self._wrote(reference, share.kind, amount, told)
        if share.then is not None and told == Status.APPROVED:
            follow_up = f"{reference}-{share.then}"
            told = await self._told(client, follow_up, share.then, amount, original=reference)
            self._wrote(follow_up, share.then, amount, told, reference)

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

    def _vanish(self, reference: str, kind: Kind, amount: int) -> None:
        stranger = Stranger(self._door, self._customer, self._token)
        stranger.ask({
            "reference": reference, "kind": str(kind), "terminal_id": TERMINAL, "amount": amount, "card": self._card,
            "payment_method": "10",
        })  # fmt: skip
        stranger.close()

    def _wrote(self, reference: str, kind: Kind, amount: int, told: str | None, original: str | None = None) -> None:
        self.records.append(ClientRecord(transaction_id(self._customer, reference, original), kind, amount, told))
