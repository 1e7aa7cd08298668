"""The life of one transaction, as its states tell it: whether it has one end, and what its client may be told of it."""

from collections.abc import Iterable, Sequence

from schemas.records import CancelNotSent, NeverSent, NotCancelled, Record, Stage, TransactionState


def fault_of_life(life: Sequence[TransactionState]) -> str | None:
    """Whether there is one end, and nothing after it."""
    ends = {state.stage for state in life if state.stage.ended}
    if len(ends) != 1:
        return f"has not one end: {', '.join(sorted(ends)) if ends else f'none, it stands at {life[-1].stage}'}"
    first = next(index for index, state in enumerate(life) if state.stage.ended)
    end = life[first]
    for later in life[first:]:
        if later.stage is not end.stage:
            return f"had ended as {end.stage} and went on to {later.stage}"
        if (later.answer, later.refusal) != (end.answer, end.refusal):
            return f"ended as {end.stage}, and its answer changed afterwards"
    return None


def never_sent(reports: Iterable[Record]) -> set[str]:
    """The transactions of which the line said that their request never went out: itself, or asked by their cancel.

    What it said itself may be lost with the broker's answer; what it knew it tells the cancel all the same.
    """
    return {
        each.transaction_id
        for each in reports
        if isinstance(each, NeverSent)
        or (isinstance(each, CancelNotSent) and each.reason is NotCancelled.ORIGINAL_NEVER_SENT)
    }


def words_of(end: TransactionState) -> set[str]:
    """What a client may be told on the way to this end, and at it."""
    match end.stage:
        case Stage.ANSWERED | Stage.RETURNED:
            return set() if end.answer is None else {str(end.answer.outcome)}
        case Stage.CANCELLED:
            return {"being_cancelled", "cancelled"}
        case Stage.ATTENTION:
            return {"being_cancelled", "attention"}
        case _:  # refused, at once or when the line said that it had never sent it
            return {f"refused: {end.refusal}"} | ({"being_cancelled"} if end.doubt is not None else set())
