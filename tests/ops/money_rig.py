"""Evidence made by hand: each method adds what a service, a centre or a client would have written down."""

from typing import Any

import msgspec

from ops.money import ClientRecord, Evidence, report
from pipeline.log import Message
from pipeline.owned import EPOCH
from schemas import wire
from schemas.records import (
    Answer,
    AttentionRaised,
    CancelNotSent,
    CancelReported,
    Command,
    Doubt,
    Kind,
    LineTaken,
    NeverSent,
    NotCancelled,
    Original,
    Outcome,
    Record,
    ReplyDelivered,
    RequestAccepted,
    Sealed,
    SendCancel,
    Stage,
    TelegramSent,
    TransactionState,
)
from schemas.refusals import Refusal

LINES = {"cafis-1": "DNB00001", "cafis-2": "DNB00002"}
DAY = "20260401"
CARD = b"4111111111111111"
_TOPICS = ("requests", "reports", "transactions", "deliveries", "attention", "cancel-reports")


class Scene:
    """What is written down about some transactions. `evidence` at any time."""

    def __init__(self) -> None:
        self.topics: dict[str, list[Message]] = {name: [] for name in _TOPICS}
        for line in LINES:
            self.topics |= {f"dispatch.{line}": [], f"sent.{line}": []}
        self.ledger: list[dict[str, Any]] = []
        self.other_ledger: list[dict[str, Any]] = []
        self.violations: list[dict[str, Any]] = []
        self.clients: list[ClientRecord] = []
        self.texts = {"router-0.log": b'{"event": "started"}\n'}
        self.secrets = [CARD]
        self.epoch: int | None = None  # of the owner whose states come next

    @property
    def evidence(self) -> Evidence:
        return Evidence(
            clients=self.clients,
            ledgers={"cafis": self.ledger, "cardnet": self.other_ledger},
            violations={"cafis": self.violations},
            stations=LINES,
            topics=self.topics,
            texts=self.texts,
            secrets=self.secrets,
        )

    def offenders(self) -> list[tuple[int, str]]:
        """What the report names, with the number of the invariant."""
        return [(finding.number, each) for finding in report(self.evidence) for each in finding.offenders]

    def write(self, topic: str, record: Record, *, key: bytes = b"key", headers: Any = ()) -> None:
        """Add a record to a topic of one partition."""
        value, known = wire.encode(record)
        self.raw(topic, key=key, value=value, headers=(*known, *headers))

    def raw(self, topic: str, *, key: bytes | None, value: bytes | None, headers: Any = ()) -> None:
        """Add a message to a topic of one partition."""
        messages = self.topics.setdefault(topic, [])
        messages.append(Message(topic, 0, len(messages), key, value, headers, 1_700_000_000_000))

    # --- one fact each

    def accepted(self, name: str, kind: Kind = Kind.SALE, amount: int = 1_000) -> None:
        customer, _, reference = name.partition(":")
        self.write("requests", RequestAccepted(
            transaction_id=name, request_id="r1", customer=customer, reference=reference.rpartition("/")[2],
            original_reference=reference.rpartition("/")[0] or None, kind=kind, terminal_id="4980000000001",
            amount=amount, payment_method="10", card=Sealed(key_id="k", nonce=b"n", ciphertext=b"c"), sensitive=None,
            content_digest="d", slot=0, session="s", accepted_ms=1, expires_ms=2,
        ))  # fmt: skip

    def state(self, name: str, stage: Stage, outcome: Outcome | None = None, **changes: Any) -> None:
        customer, _, reference = name.partition(":")
        answer = None if outcome is None else Answer(
            outcome=outcome, trace_number=100, route_number=1, business_date=DAY, result_code="000",
            approval_code="123456", error_code=None,
        )  # fmt: skip
        state = TransactionState(
            transaction_id=name, transaction_key=name, stage=stage, request_id="r1", customer=customer,
            reference=reference, original_reference=None, kind=Kind.SALE, partner="cafis", line="cafis-1",
            terminal_id="4980000000001", amount=1_000, payment_method="10", content_digest="d", original=None, slot=0,
            session="s", asker="r1", delivery_no=0, accepted_ms=1, changed_ms=1, due_ms=None, refusal=None,
            answer=answer, doubt=None, reason=None,
        )  # fmt: skip
        headers = () if self.epoch is None else ((EPOCH, str(self.epoch).encode()),)
        self.write("transactions", msgspec.structs.replace(state, **changes), headers=headers)

    def sent(
        self, name: str, number: int, line: str = "cafis-1", *, attempt: int = 0, node: str = "node0", day: str = DAY,
        headers: Any = (),
    ) -> None:  # fmt: skip
        self.write(f"sent.{line}", TelegramSent(
            transaction_id=name, transaction_key=name, attempt=attempt, role="sale_request", dispatch_offset=number,
            trace_number=number, route_number=1, business_date=day, sent_ms=1, report_by_ms=2, node=node, partner=None,
            original=None,
        ), headers=headers)  # fmt: skip

    def taken(self, node: str, line: str = "cafis-1") -> None:
        self.write(f"sent.{line}", LineTaken(line=line, node=node, taken_ms=1))

    def booked(
        self,
        number: int,
        amount: int = 1_000,
        line: str = "cafis-1",
        *,
        in_force: bool = True,
        balance: int | None = None,
    ) -> None:
        balance = balance if balance is not None else amount if in_force else 0
        self.ledger.append({
            "station": LINES[line], "business_date": DAY, "trace_number": number, "in_force": in_force,
            "balance": balance,
        })  # fmt: skip

    def told(self, name: str, told: str | None, kind: Kind = Kind.SALE, amount: int = 1_000) -> None:
        self.clients.append(ClientRecord(name, kind, amount, told))

    def delivered(self, name: str) -> None:
        self.write("deliveries", ReplyDelivered(transaction_id=name, delivery_no=1, confirmed_ms=1))

    def ordered(
        self, name: str, original: int | None, line: str = "cafis-1", *, attempt: int = 1, amount: int = 1_000
    ) -> None:
        self.write(f"dispatch.{line}", SendCancel(
            transaction_id=name, command=Command.CONFIRM if attempt == 1 else Command.CONFIRM_AGAIN, attempt=attempt,
            original=Original(
                kind=Kind.SALE, line=line, trace_number=original, route_number=1, business_date=DAY,
                approval_code=None, terminal_id="4980000000001", amount=amount, accepted_ms=1,
            ),
            send_by_ms=1, report_timeout_ms=2, partner=None,
        ))  # fmt: skip

    def never_sent(self, name: str, line: str = "cafis-1") -> None:
        self.write("reports", NeverSent(
            transaction_id=name, line=line, refusal=Refusal.LINE_NOT_OPEN, noticed_ms=1,
        ))  # fmt: skip

    def cancel_not_sent(self, name: str, reason: NotCancelled) -> None:
        self.write("cancel-reports", CancelNotSent(
            transaction_id=name, line="cafis-1", attempt=1, command=Command.CONFIRM, reason=reason, noticed_ms=1,
        ))  # fmt: skip

    def cancel_reported(self, name: str, *, in_error: bool = False, error_code: str | None = None) -> None:
        self.write("cancel-reports", CancelReported(
            transaction_id=name, line="cafis-1", attempt=1, command=Command.CONFIRM, in_error=in_error,
            error_code=error_code, received_ms=1,
        ))  # fmt: skip

    def raised(self, name: str) -> None:
        self.write("attention", AttentionRaised(
            transaction_id=name, customer="AP02", reference="a", partner="cafis", line="cafis-1", kind=Kind.SALE,
            terminal_id="4980000000001", amount=1_000, trace_number=100, business_date=DAY, reason="silence",
            error_code=None, attempts=4, since_ms=1, raised_ms=2,
        ))  # fmt: skip

    # --- whole transactions, as they should be

    def answered(self, name: str, number: int, kind: Kind = Kind.SALE, *, amount: int = 1_000, moves: int | None = None,
                 outcome: Outcome = Outcome.APPROVED, line: str = "cafis-1") -> None:  # fmt: skip
        """Answered, delivered, told. `moves`: what the books gain."""
        approved = outcome is Outcome.APPROVED
        self.accepted(name, kind, amount)
        self.state(name, Stage.DISPATCHED)
        self.sent(name, number, line)
        self.booked(number, amount, line, in_force=approved, balance=moves)
        self.state(name, Stage.REPLIED, outcome)
        self.delivered(name)
        self.state(name, Stage.ANSWERED, outcome)
        self.told(name, str(outcome), kind, amount)

    def doubted(self, name: str, number: int) -> None:
        """Sent, and nobody answered: up to the order to cancel it."""
        self.accepted(name)
        self.state(name, Stage.DISPATCHED)
        self.sent(name, number)
        self.state(name, Stage.IN_DOUBT, doubt=Doubt.SILENCE)
        self.ordered(name, number)
        self.sent(name, number + 1, attempt=1)

    def cancelled(self, name: str, number: int) -> None:
        """Nobody answered; cancelled."""
        self.doubted(name, number)
        self.booked(number, in_force=False)
        self.cancel_reported(name)
        self.state(name, Stage.CANCELLED, doubt=Doubt.SILENCE)
        self.told(name, "being_cancelled")

    def handed_over(self, name: str, number: int) -> None:
        """Nobody answered, not even the cancel; a person has it, and the money stands."""
        self.doubted(name, number)
        self.ordered(name, number, attempt=2)
        self.sent(name, number + 2, attempt=2)
        self.booked(number)
        self.raised(name)
        self.state(name, Stage.ATTENTION, doubt=Doubt.SILENCE)
        self.told(name, "being_cancelled")

    def refused(self, name: str) -> None:
        """Refused before it was sent."""
        self.accepted(name)
        self.state(name, Stage.REFUSED, refusal=Refusal.NO_OPEN_LINE)
        self.told(name, "refused: no_open_line")
