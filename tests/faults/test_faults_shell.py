"""The cancel service on a log: a cancel survives its owner, deadlines pass on the next one, nothing is skipped."""

import pytest
from cancel_rig import COMMAND_DUE_MS, LINE, POLICY, SETTINGS, Rig
from service_rig import PARTITIONS

from faults.shell import INPUTS
from pipeline.log import Outgoing, WriteFailed
from pipeline.murmur import partition_of
from schemas import wire

REFERENCES = [f"r{number}" for number in range(6)]  # they lie in all partitions
MARK = b"0123456789abcdef"
UNKNOWN = (
    "was written with a schema unknown here (fingerprint 0123456789abcdef): "
    "run a version whose schemas/avro holds this schema; nothing was skipped, it resumes at this record"
)


def _home(key: str) -> int:
    return partition_of(f"AP02:{key}".encode(), PARTITIONS)


# --- places ---------------------------------------------------------------------------------------------------------


def test_everything_about_a_cancel_lies_where_its_transaction_does(rig: Rig) -> None:
    follow_up = next(each for each in REFERENCES if _home(each) != _home("first"))
    rig.start()
    rig.doubt(follow_up, key="first")
    rig.hears("dispatch", f"8930 {follow_up}#1")
    for attempt in (1, 2):
        rig.clock.pass_ms(COMMAND_DUE_MS)
        rig.wait(lambda: rig.stage(follow_up) in ("confirm_paused", "attention"), lambda: rig.said("cancels"))
        if attempt == 1:
            rig.clock.pass_ms(POLICY.silence_pause_ms)
            rig.comes_to_be(follow_up, "reconfirming")
    rig.hears("attention", f"{follow_up} silence")
    rig.hears("settlements", f"{follow_up} attention")
    rig.hears("dispatch", f"8930 {follow_up}#1", f"8940 {follow_up}#2", f"{follow_up} released")
    places = {
        topic: {(each.key, each.partition) for each in rig.messages(topic)}
        for topic in ("dispatch", "cancels", "cancel-reports", "settlements", "attention")
    }
    by_key, by_id = (b"AP02:first", _home("first")), (f"AP02:{follow_up}".encode(), _home("first"))
    assert places == {
        "dispatch": {(b"AP02:first", 0)},
        "cancels": {by_id},
        "cancel-reports": {by_key},
        "settlements": {by_key},
        "attention": {by_id},
    }


# --- restarts -------------------------------------------------------------------------------------------------------


def test_the_next_owner_goes_on_in_the_middle_of_every_cancel(rig: Rig) -> None:
    first = rig.start("n1")
    rig.doubt("flying")
    rig.doubt("paused")
    rig.lose("lost")
    rig.hears("dispatch", "8930 flying#1", "8930 paused#1", "8910 lost#1")
    rig.silent("paused", 1)
    rig.comes_to_be("paused", "confirm_paused")
    first.stop()
    rig.done("flying", 1)
    second = rig.start("n2")
    rig.hears("settlements", "flying cancelled")
    rig.clock.pass_ms(POLICY.silence_pause_ms)
    rig.hears("dispatch", "8930 flying#1", "8930 paused#1", "8910 lost#1", "flying released", "8940 paused#2")
    assert second.registry.get_sample_value("denbun_faults_restored_total") == 4, "every state ever stored"
    second.stop()
    rig.start("n3")
    rig.done("lost", 1)
    rig.done("paused", 2)
    rig.hears("settlements", "flying cancelled", "lost cancelled", "paused cancelled")


WRITES = PARTITIONS + 2 * len(REFERENCES)  # markers, a state and an order for each cancel


@pytest.mark.parametrize("cut", range(WRITES))
def test_a_crash_after_any_write_loses_no_cancel_and_gives_no_other_order(cut: int, rig: Rig) -> None:
    for each in REFERENCES:
        rig.doubt(each)
    rig.log.break_writes(True, after=cut)
    died = rig.start("n1")
    died.failure()
    assert isinstance(died.error, WriteFailed)
    ordered = len(rig.messages("dispatch"))
    assert ordered == max(0, cut - PARTITIONS - len(REFERENCES)), "no order before every state is stored"
    rig.log.break_writes(False)
    rig.start("n2")
    rig.wait(lambda: len(rig.messages("dispatch")) == ordered + len(REFERENCES), lambda: rig.said("dispatch"))
    assert set(rig.said("dispatch")) == {f"8930 {each}#1" for each in REFERENCES}
    assert len({each.value for each in rig.messages("dispatch")}) == len(REFERENCES), "a second order is a copy"
    assert {rig.stage(each) for each in REFERENCES} == {"confirming"}


def test_two_services_share_the_cancels_and_one_takes_over_all_of_them(rig: Rig) -> None:
    first = rig.start("n1")
    rig.start("n2")
    for each in REFERENCES:
        rig.doubt(each)
    rig.hears("dispatch", *(f"8930 {each}#1" for each in REFERENCES))
    first.stop()
    for each in REFERENCES:
        rig.done(each, 1)
    rig.hears("settlements", *(f"{each} cancelled" for each in REFERENCES))


# --- deadlines ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("restarted", [False, True])
def test_the_deadline_of_a_command_is_told_among_the_reports_of_its_cancel(restarted: bool, rig: Rig) -> None:
    first = rig.start("n1")
    doubt = rig.doubt("r1")
    rig.comes_to_be("r1", "confirming")
    if restarted:
        first.stop()
        rig.start("n2")
    rig.clock.pass_ms(COMMAND_DUE_MS)
    rig.hears("cancel-reports", "r1 confirming is over")
    rig.comes_to_be("r1", "confirm_paused")
    (deadline,) = rig.messages("cancel-reports")
    assert (deadline.key, deadline.partition) == (doubt.key, doubt.partition)
    rig.clock.pass_ms(POLICY.silence_pause_ms)
    rig.hears("dispatch", "8930 r1#1", "8940 r1#2")
    rig.hears("cancel-reports", "r1 confirming is over", "r1 confirm_paused is over")


def test_a_deadline_told_too_early_repeats_no_command_and_is_told_again_in_time(rig: Rig) -> None:
    by_ms = [0]
    rig.start("n1", lambda: rig.clock() + by_ms[0])
    rig.doubt("r1")
    rig.comes_to_be("r1", "confirming")
    by_ms[0] = COMMAND_DUE_MS
    rig.wait(lambda: "r1 confirming is over" in rig.said("cancel-reports"), lambda: rig.said("cancel-reports"))
    rig.doubt("r2")
    rig.comes_to_be("r2", "confirming")
    assert rig.stage("r1") == "confirming"
    assert rig.said("dispatch") == ["8930 r1#1", "8930 r2#1"]
    rig.clock.pass_ms(COMMAND_DUE_MS)
    rig.comes_to_be("r1", "confirm_paused")


def test_a_report_that_stands_in_the_log_wins_over_a_deadline_that_passed_while_nobody_read(rig: Rig) -> None:
    first = rig.start("n1")
    rig.doubt("r1")
    rig.comes_to_be("r1", "confirming")
    first.stop()
    rig.done("r1", 1)
    rig.clock.pass_ms(COMMAND_DUE_MS)
    rig.start("n2")
    rig.hears("settlements", "r1 cancelled")
    assert rig.said("dispatch") == ["8930 r1#1", "r1 released"]
    assert rig.said("cancel-reports") == ["r1#1 done"]


def test_an_ended_cancel_is_forgotten_in_time_by_whoever_owns_it_then(rig: Rig) -> None:
    first = rig.start("n1")
    rig.doubt("r1")
    rig.comes_to_be("r1", "confirming")
    rig.done("r1", 1)
    rig.comes_to_be("r1", "cancelled")
    first.stop()
    second = rig.start("n2")
    rig.clock.pass_ms(SETTINGS.remember_ms)
    rig.comes_to_be("r1", "forgotten")
    assert rig.said("cancels") == ["r1 confirming", "r1 cancelled", "r1 forgotten"]
    assert rig.said("cancel-reports") == ["r1#1 done", "r1 cancelled is over"]
    second.stop()
    rig.start("n3")
    rig.done("r1", 1)  # of a cancel that nobody knows any more
    rig.doubt("r2", key="r1")
    rig.comes_to_be("r2", "confirming")
    assert rig.said("settlements") == ["r1 cancelled"]


def test_a_doubt_that_is_told_twice_is_one_cancel(rig: Rig) -> None:
    rig.start()
    rig.doubt("r1")
    rig.comes_to_be("r1", "confirming")
    rig.doubt("r1")
    rig.hears("dispatch", "8930 r1#1", "8930 r1#1")  # the same attempt: the line knows the copy
    assert rig.said("cancels") == ["r1 confirming"]
    first, second = rig.messages("dispatch")
    assert first.value == second.value


# --- what cannot be read --------------------------------------------------------------------------------------------


def test_with_the_schema_deployed_it_resumes_at_the_record_it_could_not_read(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = rig.start("n1")
    rig.doubt("r1")
    rig.comes_to_be("r1", "confirming")
    first.stop()
    newer = rig.done("r1", 1, mark=MARK)
    for node in ("n2", "n3"):
        assert rig.start(node).failure() == f"record t-cancel-reports/{newer.partition}@0 {UNKNOWN}"
        assert rig.position(newer) in (None, 0)
    assert rig.stage("r1") == "confirming"
    _, ((_, known),) = wire.encode(wire.decode(rig.done("r9", 1)))
    monkeypatch.setitem(wire._BY_HEADER, MARK, wire._BY_HEADER[known])
    rig.start("n4")
    rig.hears("settlements", "r1 cancelled")
    assert rig.said("dispatch") == ["8930 r1#1", "r1 released"]


@pytest.mark.parametrize("topic", INPUTS)
def test_whatever_input_holds_it_a_record_that_cannot_be_read_stops_the_service(topic: str, rig: Rig) -> None:
    bad = rig.write_raw(Outgoing(rig.topics(topic), b"AP02:r1", b"what", ((wire.HEADER, MARK),)))
    assert rig.start().failure() == f"record t-{topic}/{bad.partition}@0 {UNKNOWN}"
    assert rig.position(bad) in (None, 0)


def test_a_record_that_belongs_elsewhere_stops_the_service(rig: Rig) -> None:
    first = rig.start("n1")
    rig.doubt("r1")
    rig.hears("dispatch", "8930 r1#1")
    first.stop()
    (order,) = rig.messages("dispatch")
    bad = rig.write_raw(Outgoing(rig.topics("cancel-reports"), order.key, order.value, order.headers))
    assert rig.start("n2").failure() == (
        f"record t-cancel-reports/{bad.partition}@0 is a SendCancel, which does not belong there: "
        "see the topic table, schemas/topics.py"
    )


def test_a_state_that_cannot_be_read_lets_nobody_own_its_partition(rig: Rig) -> None:
    first = rig.start("n1")
    rig.doubt("r1")
    rig.comes_to_be("r1", "confirming")
    first.stop()
    (state,) = rig.messages("cancels")
    headers = tuple((name, MARK if name == wire.HEADER else value) for name, value in state.headers)
    place = Outgoing(state.topic, state.key, state.value, headers, state.partition)
    (offset,) = rig.log.writer("test").write([place])
    rig.clock.pass_ms(COMMAND_DUE_MS)
    assert rig.start("n2").failure() == f"record t-cancels/{state.partition}@{offset} {UNKNOWN}"
    assert rig.said("cancel-reports") == [], "no deadline is told by one who does not know the states"


def test_a_line_without_a_topic_stops_the_service_in_front_of_the_doubt(rig: Rig) -> None:
    del rig.log._topics[rig.topics("dispatch", LINE)]
    doubt = rig.doubt("r1")
    assert rig.start().failure() == f"{rig.topics('dispatch', LINE)}: not acknowledged: unknown topic"
    assert rig.position(doubt) in (None, 0)
