"""Replies on their way to the client: their frames, and those whose session is gone. Pure."""

from collections import OrderedDict

from ingress.acts import Delivery, DeliveryStage, Send, StoreUndeliverable
from schemas.client_frames import RefusalTold, Reply, Settled, StatusTold
from schemas.records import ReplyReady

SESSION_GONE = "session_gone"


def settled(delivery: Delivery) -> Send:
    """What the client is told of a delivery that has come to its end."""
    confirmed = delivery.stage is DeliveryStage.CONFIRMED
    return Send(Settled(reference=delivery.reference, delivery_no=delivery.delivery_no, confirmed=confirmed))


def told(record: ReplyReady) -> Reply | StatusTold:
    """The frame of a reply: `status` for an inquiry's answer that need not be confirmed, else `reply`."""
    refusal = None if record.refusal is None else RefusalTold.of(record.refusal)
    answer = record.answer
    result_code, approval_code, error_code = None, None, None
    trace_number, route_number, business_date = None, None, None
    if answer is not None:
        result_code, approval_code, error_code = answer.result_code, answer.approval_code, answer.error_code
        trace_number, route_number, business_date = answer.trace_number, answer.route_number, answer.business_date
    if record.inquiry and record.confirm_by_ms is None:
        return StatusTold(
            reference=record.reference,
            status=record.status,
            refusal=refusal,
            approval_code=approval_code,
            result_code=result_code,
            error_code=error_code,
            trace_number=trace_number,
            route_number=route_number,
            business_date=business_date,
        )
    return Reply(
        reference=record.reference,
        delivery_no=record.delivery_no,
        confirm=record.confirm_by_ms is not None,
        status=record.status,
        refusal=refusal,
        approval_code=approval_code,
        result_code=result_code,
        error_code=error_code,
        trace_number=trace_number,
        route_number=route_number,
        business_date=business_date,
    )


class Gone:
    """Deliveries whose session is gone: each waits for the client to come back, then it is undeliverable."""

    def __init__(self, gone_after_ms: int) -> None:
        self._gone_after_ms = gone_after_ms
        self._waiting: OrderedDict[str, tuple[int, Delivery]] = (
            OrderedDict()
        )  # by transaction, in the order of their times

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, delivery: Delivery, now_ms: int) -> None:
        """This one cannot be confirmed where it was sent. A copy of one that waits changes nothing."""
        waiting = self._waiting.get(delivery.transaction_id)
        if waiting is None or waiting[1].delivery_no < delivery.delivery_no:
            self._waiting.pop(delivery.transaction_id, None)
            self._waiting[delivery.transaction_id] = (now_ms + self._gone_after_ms, delivery)

    def came_back(self, record: ReplyReady) -> None:
        """The router has sent this transaction's reply to a session that is there."""
        if record.confirm_by_ms is not None:  # else it refuses another request of the same name
            self._waiting.pop(record.transaction_id, None)

    def due(self, now_ms: int) -> list[StoreUndeliverable]:
        """The deliveries nobody came back for."""
        acts = []
        while self._waiting:
            due_ms, delivery = next(iter(self._waiting.values()))
            if due_ms > now_ms:
                break
            self._waiting.popitem(last=False)
            acts.append(StoreUndeliverable(delivery, SESSION_GONE, now_ms))
        return acts
