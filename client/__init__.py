"""client: the library that stands between a payment application and the gateway.

`Client` is for asyncio, `SyncClient` for everything else. Both keep one session, repair it, and tell an application
only ends: what they give as approved the gateway has confirmed and will not cancel. No Kafka is needed, msgspec alone.

Both work in the process, and `Client` on the event loop, in which they were made: make them after a fork.

    async with await Client.connect(("gateway", 7010), customer="AP02", token=token) as client:
        result = await client.pay(reference="A-1", kind=Kind.SALE, amount=12_800, card=Card(number=…, expiry="2812"), …)
"""

from client.aio import Client
from client.results import (
    ClientClosed,
    ClientError,
    ConnectError,
    NotAuthenticated,
    NotSent,
    OutcomeUnknown,
    RequestRefused,
    Result,
    UsedElsewhere,
)
from client.sync import SyncClient
from schemas.client_frames import Card
from schemas.records import Kind, Status

__all__ = [
    "Card",
    "Client",
    "ClientClosed",
    "ClientError",
    "ConnectError",
    "Kind",
    "NotAuthenticated",
    "NotSent",
    "OutcomeUnknown",
    "RequestRefused",
    "Result",
    "Status",
    "SyncClient",
    "UsedElsewhere",
]
