"""A telegram goes out over the connection that was there when `sent` was told of it, or never.

A former owner of a line, which was cut off from the broker alone, hears late that its record was stored. By then the
partner may have had the new owner's connection, and over that the cancel of the same request.
"""

import pytest
from test_egress_core import MIDNIGHT, Rig

from egress.acts import Tell, Transmit
from schemas.records import CancelNotSent, NeverSent, NotCancelled
from schemas.refusals import Refusal


def acts_after(*events: str) -> list[object]:
    """What the line wants done when, after all this, `sent` is known to hold the first record."""
    rig = Rig()
    for event in events:
        rig.play(event, 0)
    return list(rig.core.stored(rig.stores.pop(0), MIDNIGHT + 1))


def test_what_was_stored_over_the_same_connection_goes_out() -> None:
    assert [type(act) for act in acts_after("opened", "ask a")] == [Transmit]


@pytest.mark.parametrize("order", ["ask a", "8930 z 1"])
def test_what_was_stored_before_the_line_was_opened_anew_is_told_never_to_go_out(order: str) -> None:
    acts = acts_after("opened", order, "broken", "opened")
    assert [act for act in acts if isinstance(act, Transmit)] == []
    (told,) = [act.record for act in acts if isinstance(act, Tell) and act.topic in ("reports", "cancel-reports")]
    match told:
        case NeverSent():
            assert told.refusal is Refusal.LINE_NOT_OPEN
        case CancelNotSent():
            assert told.reason is NotCancelled.LINE_NOT_OPEN
        case _:
            pytest.fail(f"{told}")


def test_what_comes_after_it_goes_out_over_the_new_connection() -> None:
    rig = Rig()
    for event in ("opened", "ask a", "broken", "opened", "ask b"):
        rig.play(event, 0)
    first, second = rig.stores
    rig.core.stored(first, MIDNIGHT + 1)
    assert [type(act) for act in rig.core.stored(second, MIDNIGHT + 1)] == [Transmit]
