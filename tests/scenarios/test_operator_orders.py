"""What an operator orders about a cancel, through the whole gateway: on the line, in the books, to the client."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from test_courses import HOST, Centres
from whole_gateway import TOKEN, WholeGateway, installation, running, wait_until

from client import SyncClient
from ops.courses import CONFIRMS, SALE
from ops.player import CARD, TERMINAL, told_by
from pipeline.log import Outgoing
from pipeline.memory import MemoryLog
from schemas import wire
from schemas.records import (
    CancelStage,
    CancelState,
    CaseClosed,
    CaseOutcome,
    OperatorOrder,
    OperatorOrdered,
    Stage,
    TelegramSent,
    TransactionState,
)

AMOUNT = 4_200


class Case:
    """A sale that nobody answered, and whose 8930 the partner could not read: a person has it, and it stands."""

    def __init__(self, whole: WholeGateway, centres: Centres, reference: str) -> None:
        self.whole = whole
        self.reference = reference
        self.name = f"CAFIS:{reference}"
        self.client = SyncClient((HOST, whole.ingress.port), customer="CAFIS", token=f"{TOKEN} cafis")
        with centres.control("cafis") as control:
            control.behave(role=SALE, do="silent", amount=AMOUNT)
            control.behave(role=CONFIRMS, do="error_report", code="C01", amount=AMOUNT)
            asked = {"terminal_id": TERMINAL, "amount": AMOUNT, "card": CARD}
            assert told_by(self.client, {"reference": reference, "kind": "sale", **asked}) == "being_cancelled"
            wait_until(lambda: self.stage is CancelStage.ATTENTION)
            control.clear()

    @property
    def state(self) -> CancelState:
        found = [record for _, record in self.whole.records("cancels") if isinstance(record, CancelState)]
        return [each for each in found if each.transaction_id == self.name][-1]

    @property
    def stage(self) -> CancelStage | None:
        found = [record for _, record in self.whole.records("cancels") if isinstance(record, CancelState)]
        return next((each.stage for each in reversed(found) if each.transaction_id == self.name), None)

    def order(self, order: OperatorOrder) -> None:
        seen = self.state
        record = OperatorOrdered(
            transaction_id=self.name, order_id=f"{self.reference}-{order}", order=order,
            outcome=CaseOutcome.STANDS if order is OperatorOrder.SETTLE else None, reason="by telephone",
            operator="Sato", seen=seen.stage, seen_attempt=seen.attempt, ordered_ms=0,
        )  # fmt: skip
        topic = self.whole.topics("operator-commands")
        self.whole.log.writer("operator").write([Outgoing(topic, self.name.encode(), *wire.encode(record))])
        wait_until(lambda: self.stage is CancelStage.CLEARED)

    def closed(self) -> CaseClosed:
        found = [record for _, record in self.whole.records("operator-answers") if isinstance(record, CaseClosed)]
        return [each for each in found if each.transaction_id == self.name][-1]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WholeGateway, Centres]]:
    centres = Centres()
    ring: Path = tmp_path_factory.mktemp("keys") / "keys.json"
    config = installation(centres.lines(), "orders-", ring, egress__reconnect_ms=20)
    with running(WholeGateway(MemoryLog(), config)) as whole:
        whole.wait_open(4)
        yield whole, centres
    centres.close()


def told_at_last(case: Case) -> str:
    """What an inquiry of the client tells; the end of its transaction in the router is the same."""
    found = [record for _, record in case.whole.records("transactions") if isinstance(record, TransactionState)]
    ends = {each.stage for each in found if each.transaction_id == case.name and each.stage.ended}
    assert ends == {Stage.ATTENTION}
    return case.client.inquire(case.reference).status.value


def test_an_ordered_command_goes_on_its_originals_route_and_the_partner_cancels(
    stage: tuple[WholeGateway, Centres],
) -> None:
    whole, centres = stage
    case = Case(whole, centres, "repeated")
    assert told_at_last(case) == "attention"
    case.order(OperatorOrder.REPEAT)
    line = case.state.original.line
    sent = [record for _, record in whole.records("sent", line) if isinstance(record, TelegramSent)]
    mine = [(each.role, each.attempt) for each in sent if each.transaction_id == case.name]
    assert mine == [("sale_request", 0), ("fault_confirm", 1), ("fault_confirm_again", 2)]
    assert len({each.route_number for each in sent if each.transaction_id == case.name}) == 1
    with centres.control("cafis") as control:
        (entry,) = [row for row in control.ledger() if row["reference"] == "repeated"]
        assert entry["cancelled"]
        assert control.violations() == []
    assert (case.closed().outcome, case.closed().operator) == ("cancelled", "Sato")
    assert told_at_last(case) == "attention", "what a client was told at last is not taken back"
    case.client.close(5)


def test_a_settled_case_leaves_the_partners_books_as_they_are(stage: tuple[WholeGateway, Centres]) -> None:
    whole, centres = stage
    case = Case(whole, centres, "settled")
    case.order(OperatorOrder.SETTLE)
    with centres.control("cafis") as control:
        (entry,) = [row for row in control.ledger() if row["reference"] == "settled"]
        assert not entry["cancelled"]
    assert (case.closed().outcome, case.closed().reason) == ("stands", "by telephone")
    assert told_at_last(case) == "attention"
    case.client.close(5)
