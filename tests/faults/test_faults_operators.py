"""What an operator decides about a cancel, on a log: carried out or refused by its one owner, answered, kept."""

import logging

import pytest
from cancel_rig import COMMAND_DUE_MS, SETTINGS, Rig
from service_rig import PARTITIONS

from pipeline.log import WriteFailed
from schemas import wire
from schemas.records import CaseClosed, OperatorOrder, OperatorOrdered, OrderAnswered

REPEAT, SETTLE = OperatorOrder.REPEAT, OperatorOrder.SETTLE


def in_attention(rig: Rig, *references: str) -> None:
    """Cancels whose command the partner found to be in error."""
    for each in references:
        rig.doubt(each)
        rig.comes_to_be(each, "confirming")
        rig.in_error(each, 1)
        rig.comes_to_be(each, "attention")


REASON = {"partner": "cafis", "reason": "error_report C01"}


def test_an_ordered_command_that_is_answered_takes_the_case_off_the_list(rig: Rig) -> None:
    service = rig.start()
    in_attention(rig, "r1")
    rig.hears("attention", "r1 error_report C01")
    service.measures(1, "denbun_faults_attention", **REASON)
    rig.order("r1", REPEAT)
    rig.hears("operator-answers", "r1 repeat accepted: ordered")
    rig.hears("dispatch", "8930 r1#1", "r1 released", "8940 r1#2")
    assert rig.said("attention") == ["r1 error_report C01"], "it is the person's while the command is under way"
    rig.done("r1", 2)
    rig.hears("attention", "r1 error_report C01", "r1 forgotten")
    rig.hears(
        "operator-answers", "r1 repeat accepted: ordered", "r1 closed by Sato: cancelled, cancel_reported"
    )  # fmt: skip
    assert set(rig.said("settlements")) == {"r1 attention"}, "for its transaction it stays with a person"
    service.measures(0, "denbun_faults_attention", **REASON)
    service.measures(1, "denbun_faults_orders_total", order="repeat", answer="accepted")


def test_a_case_that_is_settled_by_hand_is_off_the_list_and_its_record_says_who_and_why(rig: Rig) -> None:
    rig.start()
    in_attention(rig, "r1")
    ordered = wire.decode_as(OperatorOrdered, rig.order("r1", SETTLE))
    rig.hears("attention", "r1 error_report C01", "r1 forgotten")
    answered, closed = map(wire.decode, rig.messages("operator-answers"))
    assert isinstance(answered, OrderAnswered)
    assert isinstance(closed, CaseClosed)
    assert (answered.refusal, answered.stage) == (None, "cleared")
    assert (closed.operator, closed.reason, closed.order_id) == ("Sato", "by telephone", ordered.order_id)
    assert (closed.outcome, closed.amount, closed.attempts) == ("stands", 1_200, 1)


def test_everything_about_a_decision_lies_where_its_transaction_does(rig: Rig) -> None:
    rig.start()
    in_attention(rig, "r1", "r2", "r3")
    for each in ("r1", "r2", "r3"):
        ordered = rig.order(each, SETTLE)
        rig.comes_to_be(each, "cleared")
        rig.wait(lambda: rig.messages("attention")[-1].value is None, lambda: rig.said("attention"))
        for topic, count in (("operator-answers", 2), ("attention", 2), ("cancels", 3)):
            places = [message.partition for message in rig.messages(topic) if message.key == ordered.key]
            assert places == [ordered.partition] * count, topic


def test_a_cancel_nobody_knows_is_told_to_who_gave_the_order(rig: Rig) -> None:
    rig.start()
    in_attention(rig, "r1")
    rig.order("r1", SETTLE)
    rig.comes_to_be("r1", "cleared")
    seen = rig.state("r1")
    rig.clock.pass_ms(SETTINGS.remember_ms)
    rig.comes_to_be("r1", "forgotten")
    rig.order("r1", REPEAT, seen)
    rig.wait(lambda: rig.said("operator-answers")[-1] == "r1 repeat unknown", lambda: rig.said("operator-answers"))
    assert len(rig.messages("dispatch")) == 3


def test_what_a_person_has_outlives_every_owner_and_any_time(rig: Rig) -> None:
    first = rig.start("n1")
    in_attention(rig, "r1")
    first.measures(1, "denbun_faults_attention", **REASON)
    first.stop()
    rig.clock.pass_ms(2 * SETTINGS.remember_ms)
    second = rig.start("n2")
    second.measures(1, "denbun_faults_attention", **REASON)
    assert rig.stage("r1") == "attention"
    rig.order("r1", REPEAT)
    rig.comes_to_be("r1", "ordered")
    second.stop()
    rig.start("n3")
    rig.clock.pass_ms(COMMAND_DUE_MS)
    rig.comes_to_be("r1", "attention")
    assert rig.said("attention") == ["r1 error_report C01"] * 2, "raised again: nobody answered the ordered command"


# An order and its state: the re-command, its answer, and for a settled case the row, the case, the router, the route.
@pytest.mark.parametrize(("order", "writes"), [(REPEAT, 3), (SETTLE, 6)])
def test_a_crash_after_any_write_carries_an_order_out_once(order: OperatorOrder, writes: int, rig: Rig) -> None:
    first = rig.start("n0")
    cuts = {f"c{cut}": cut for cut in range(PARTITIONS, PARTITIONS + writes)}  # the markers come first
    in_attention(rig, *cuts)
    rig.wait(lambda: len(rig.said("settlements")) == len(cuts), lambda: rig.said("settlements"))
    first.stop()
    for reference, cut in cuts.items():
        rig.order(reference, order)
        rig.log.break_writes(True, after=cut)
        died = rig.start(f"{reference}-dies")
        died.failure()
        assert isinstance(died.error, WriteFailed)
        rig.log.break_writes(False)
        service = rig.start(f"{reference}-after")
        accepted = f"{reference} {order} accepted: {'ordered' if order is REPEAT else 'cleared'}"
        rig.wait(lambda said=accepted: said in rig.said("operator-answers"), lambda: rig.said("operator-answers"))
        service.stop()
        again = [each for each in rig.messages("dispatch") if rig.said_of(each) == f"8940 {reference}#2"]
        assert len({each.value for each in again}) == (order is REPEAT), "a second order is a copy"
        answers = [each for each in rig.said("operator-answers") if each.startswith(f"{reference} {order}")]
        assert set(answers) == {accepted}


def test_an_order_about_a_state_that_has_passed_is_refused(rig: Rig) -> None:
    rig.start()
    rig.doubt("r1")
    rig.comes_to_be("r1", "confirming")
    rig.silent("r1", 1)
    rig.comes_to_be("r1", "confirm_paused")
    seen = rig.state("r1")
    rig.done("r1", 1)
    rig.comes_to_be("r1", "cancelled")
    rig.order("r1", REPEAT, seen)
    rig.hears("operator-answers", "r1 repeat already_ended")
    in_attention(rig, "r2")
    seen = rig.state("r2")
    rig.order("r2", REPEAT)
    rig.comes_to_be("r2", "ordered")
    rig.silent("r2", 2)
    rig.comes_to_be("r2", "attention")
    rig.order("r2", SETTLE, seen)
    rig.hears(
        "operator-answers", "r1 repeat already_ended", "r2 repeat accepted: ordered", "r2 settle changed_meanwhile"
    )  # fmt: skip
    assert rig.stage("r2") == "attention"


def test_a_case_for_a_person_stands_in_the_log_with_its_reason_and_what_to_do(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "faults.shell")
    rig.start()
    in_attention(rig, "r1")
    rig.hears("attention", "r1 error_report C01")
    (told,) = [each.__dict__ for each in caplog.records if "a case for a person" in each.getMessage()]
    assert (told["levelname"], told["transaction"], told["why"]) == ("WARNING", "AP02:r1", "error report C01")
    assert "denbun faults show AP02:r1" in told["remedy"]
