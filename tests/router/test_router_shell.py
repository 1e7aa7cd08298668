"""The router on a log: what it knows survives it, deadlines pass on whoever owns them, nothing is skipped."""

import pytest
from router_rig import CARD, CONFIRM_DUE_MS, REPORT_DUE_MS, SENSITIVE, SETTINGS, Ahead, Rig, report
from service_rig import PARTITIONS

from pipeline.log import Message, Outgoing, TopicPartition, WriteFailed
from pipeline.murmur import partition_of
from router.shell import INPUTS
from schemas import wire
from schemas.records import SendRequest, TransactionState

REFERENCES = [f"r{number}" for number in range(6)]  # they lie in all partitions

# --- places ---------------------------------------------------------------------------------------------------------


def test_states_lie_beside_their_requests_and_replies_in_the_slot_of_their_asker(rig: Rig) -> None:
    rig.start()
    requests = [rig.ask(each, slot=number % 2) for number, each in enumerate(REFERENCES)]
    rig.hears("transactions", *(f"{each} dispatched" for each in REFERENCES))
    rig.hears("dispatch", *REFERENCES, line="cafis-1")
    assert {each.partition for each in requests} == set(range(PARTITIONS))
    beside = {each.key: each.partition for each in requests}
    assert {each.key: each.partition for each in rig.messages("transactions")} == beside
    assert {each.key for each in rig.messages("dispatch", "cafis-1")} == set(beside)
    for each in REFERENCES:
        rig.approve(each)
    rig.hears("replies", *(f"{each} approved #1" for each in REFERENCES))
    slots = {each.key: each.partition for each in rig.messages("replies")}
    assert slots == {f"AP02:{each}".encode(): number % 2 for number, each in enumerate(REFERENCES)}


def test_a_follow_up_reaches_the_owner_of_its_original(rig: Rig) -> None:
    first = "r0"
    follow_up = next(each for each in REFERENCES if _home(each) != _home(first))
    rig.start()
    rig.ask(first)
    rig.comes_to_be(first, "dispatched")
    rig.approve(first)
    rig.comes_to_be(first, "replied")
    rig.deliver(first)
    rig.comes_to_be(first, "answered")
    rig.ask(follow_up, original=first)
    rig.hears("dispatch", first, f"{follow_up} of t7", line="cafis-1")
    states = {each.key: each.partition for each in rig.messages("transactions")}
    assert states[f"AP02:{follow_up}".encode()] == _home(first)
    assert rig.messages("dispatch", "cafis-1")[-1].key == f"AP02:{first}".encode()


def _home(reference: str) -> int:
    return partition_of(f"AP02:{reference}".encode(), PARTITIONS)


def test_no_state_holds_what_was_sealed(rig: Rig) -> None:
    rig.start()
    rig.ask("r1")
    rig.hears("dispatch", "r1", line="cafis-1")
    (order,) = rig.messages("dispatch", "cafis-1")
    (state,) = rig.messages("transactions")
    for sealed in (CARD, SENSITIVE):
        assert sealed.ciphertext in (order.value or b"")
        assert sealed.ciphertext not in (state.value or b"")


# --- restarts -------------------------------------------------------------------------------------------------------


def test_the_next_owner_goes_on_in_the_middle_of_every_transaction(rig: Rig) -> None:
    first = rig.start("n1")
    for each in ("dispatched", "replied", "answered"):
        rig.ask(each)
        rig.comes_to_be(each, "dispatched")
    for each in ("replied", "answered"):
        rig.approve(each)
        rig.comes_to_be(each, "replied")
    rig.deliver("answered")
    rig.comes_to_be("answered", "answered")
    first.stop()
    rig.approve("dispatched")
    rig.deliver("replied")
    second = rig.start("n2")
    rig.comes_to_be("dispatched", "replied")
    rig.comes_to_be("replied", "answered")
    rig.inquire("answered", "i1")
    rig.hears(
        "replies", "replied approved #1", "answered approved #1", "dispatched approved #1", "answered approved #1"
    )
    assert sorted(rig.said("dispatch", "cafis-1")) == ["answered", "dispatched", "replied"]
    assert second.registry.get_sample_value("denbun_router_restored_total") == 6, "every state ever stored"


WRITES = PARTITIONS + 2 * len(REFERENCES)  # markers, a state and an order for each request


@pytest.mark.parametrize("cut", range(WRITES))
def test_a_crash_after_any_write_loses_no_request_and_gives_no_other_order(cut: int, rig: Rig) -> None:
    for each in REFERENCES:
        rig.ask(each)
    rig.log.break_writes(True, after=cut)
    died = rig.start("n1")
    died.failure()
    assert isinstance(died.error, WriteFailed)
    ordered = len(rig.messages("dispatch", "cafis-1"))
    assert ordered == max(0, cut - PARTITIONS - len(REFERENCES)), "no order before every state is stored"
    rig.log.break_writes(False)
    rig.start("n2")
    rig.wait(
        lambda: len(rig.messages("dispatch", "cafis-1")) == ordered + len(REFERENCES),
        lambda: rig.said("dispatch", "cafis-1"),
    )
    orders: dict[str, set[bytes | None]] = {}
    for message in rig.messages("dispatch", "cafis-1"):
        orders.setdefault((message.key or b"").decode(), set()).add(message.value)
    assert sorted(orders) == [f"AP02:{each}" for each in REFERENCES]
    assert all(len(values) == 1 for values in orders.values()), "a second order is a copy of the first"
    assert {rig.stage(each) for each in REFERENCES} == {"dispatched"}


def test_two_routers_share_the_transactions_and_one_takes_over_all_of_them(rig: Rig) -> None:
    first, second = rig.start("n1"), rig.start("n2")
    for each in REFERENCES:
        rig.ask(each)
    rig.hears("dispatch", *REFERENCES, line="cafis-1")
    first.stop()
    for each in REFERENCES:
        rig.approve(each)
    rig.hears("replies", *(f"{each} approved #1" for each in REFERENCES))
    rig.clock.pass_ms(CONFIRM_DUE_MS)
    rig.hears("undelivered", *(f"{each} lost" for each in REFERENCES))
    rig.hears("deliveries", *(f"{each} replied is over" for each in REFERENCES))
    assert second.error is None


# --- follow-ups that are read before the confirmation of their original ---------------------------------------------


def replied(rig: Rig) -> None:
    """An original whose answer is with its client; its router is gone."""
    router = rig.start("n0")
    rig.ask("r1")
    rig.comes_to_be("r1", "dispatched")
    rig.approve("r1")
    rig.comes_to_be("r1", "replied")
    router.stop()


def test_a_follow_up_that_overtakes_the_confirmation_of_its_original_is_dispatched(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    replied(rig)
    fetch = rig.log.fetch

    def requests_first(positions: dict[TopicPartition, int], count: int) -> list[Message]:
        in_order = dict(sorted(positions.items(), key=lambda each: each[0].topic != rig.topics("requests")))
        found = fetch(in_order, count)
        positions.update(in_order)
        return found

    monkeypatch.setattr(rig.log, "fetch", requests_first)
    rig.deliver("r1")  # its client is told that it is settled, and asks for the refund at once
    rig.ask("f1", original="r1")
    rig.start("n1")
    rig.hears("dispatch", "r1", "f1 of t7", line="cafis-1")
    rig.hears("deliveries", "r1 delivered", "f1 waits")
    rig.hears("replies", "r1 approved #1")


def test_a_follow_up_that_does_not_wait_for_its_clients_own_word_is_refused(rig: Rig) -> None:
    replied(rig)
    rig.start("n1")
    rig.ask("f1", original="r1")
    rig.hears("replies", "r1 approved #1", "f1 original_still_in_process #0")
    rig.deliver("r1")
    rig.comes_to_be("r1", "answered")
    rig.ask("f2", original="r1")
    rig.hears("dispatch", "r1", "f2 of t7", line="cafis-1")
    rig.hears("deliveries", "f1 waits", "r1 delivered")


def test_a_follow_up_waits_although_a_router_ends_before_it_has_put_it_there(rig: Rig) -> None:
    replied(rig)
    follow_up = rig.ask("f1", original="r1")
    rig.log.break_writes(True, after=PARTITIONS)  # its markers, then nothing
    died = rig.start("n1")
    died.failure()
    assert isinstance(died.error, WriteFailed)
    assert rig.position(follow_up) != follow_up.offset + 1
    rig.log.break_writes(False)
    rig.deliver("r1")
    rig.start("n2")
    rig.hears("dispatch", "r1", "f1 of t7", line="cafis-1")
    rig.hears("replies", "r1 approved #1")


def test_a_follow_up_that_waits_twice_is_dispatched_as_one(rig: Rig) -> None:
    replied(rig)
    asked = rig.ask("f1", original="r1")
    rig.deliver("r1")
    rig.write_raw(Outgoing(rig.topics("deliveries"), asked.key, asked.value, asked.headers))
    rig.start("n1")
    rig.wait(lambda: len(rig.said("dispatch", "cafis-1")) >= 2, lambda: rig.said("dispatch", "cafis-1"))
    rig.until(lambda: rig.position(rig.messages("deliveries")[-1]) == rig.messages("deliveries")[-1].offset + 1)
    orders = {message.value for message in rig.messages("dispatch", "cafis-1")}
    assert len(orders) == 2, "one for each; what comes twice is a copy, which the line knows"
    assert rig.said("replies") == ["r1 approved #1"]


# --- deadlines ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("restarted", [False, True])
def test_the_deadline_of_a_report_is_told_among_the_reports(restarted: bool, rig: Rig) -> None:
    first = rig.start("n1")
    request = rig.ask("r1")
    rig.comes_to_be("r1", "dispatched")
    if restarted:
        first.stop()
        rig.start("n2")
    rig.clock.pass_ms(REPORT_DUE_MS)
    rig.hears("reports", "r1 dispatched is over")
    rig.hears("timeouts", "r1 nobody_said")
    rig.hears("replies", "r1 being_cancelled #0")
    (deadline,) = rig.messages("reports")
    assert (deadline.key, deadline.partition) == (request.key, request.partition)


@pytest.mark.parametrize("restarted", [False, True])
def test_the_deadline_of_a_confirmation_is_told_among_the_deliveries(restarted: bool, rig: Rig) -> None:
    first = rig.start("n1")
    request = rig.ask("r1")
    rig.comes_to_be("r1", "dispatched")
    rig.approve("r1")
    rig.comes_to_be("r1", "replied")
    if restarted:
        first.stop()
        rig.start("n2")
    rig.clock.pass_ms(CONFIRM_DUE_MS)
    rig.hears("deliveries", "r1 replied is over")
    rig.hears("undelivered", "r1 lost")
    (deadline,) = rig.messages("deliveries")
    assert (deadline.key, deadline.partition) == (request.key, request.partition)
    assert rig.said("reports") == ["r1 approved"]


def test_a_deadline_that_a_clock_ahead_of_the_brokers_tells_too_early_changes_nothing(rig: Rig) -> None:
    ahead = Ahead(rig.clock, 3_600_000)
    node = rig.start("n1", ahead)
    rig.ask("r1", accepted_ms=rig.clock(), expires_ms=rig.clock() + 60_000)
    rig.hears("replies", "r1 expired #0")  # a router that does not know the broker's time takes nothing
    ahead.by_ms = 0
    rig.until(lambda: bool(node.registry.get_sample_value("denbun_router_open_lines", {"partner": "cafis"})))
    rig.ask("r2")
    rig.comes_to_be("r2", "dispatched")
    rig.approve("r2")
    rig.comes_to_be("r2", "replied")
    ahead.by_ms = CONFIRM_DUE_MS
    rig.until(lambda: "r2 replied is over" in rig.said("deliveries"))
    rig.deliver("r2")
    rig.comes_to_be("r2", "answered")
    assert rig.said("undelivered") == []


def test_a_deadline_told_too_early_is_told_again_in_time(rig: Rig) -> None:
    ahead = Ahead(rig.clock, 0)
    rig.start("n1", ahead)
    rig.ask("r1")
    rig.comes_to_be("r1", "dispatched")
    ahead.by_ms = REPORT_DUE_MS
    rig.until(lambda: "r1 dispatched is over" in rig.said("reports"))
    assert rig.stage("r1") == "dispatched"
    rig.clock.pass_ms(REPORT_DUE_MS)
    rig.hears("timeouts", "r1 nobody_said")


@pytest.mark.parametrize("off_ms", [-3_600_000, -5_000, 0, 5_000, 3_600_000])
def test_a_request_was_accepted_when_the_broker_stored_it_whatever_its_door_says(rig: Rig, off_ms: int) -> None:
    rig.start("n1")
    now_ms = rig.clock()
    request = rig.ask("r1", accepted_ms=now_ms + off_ms, expires_ms=now_ms + off_ms + 30_000)
    if off_ms <= -30_000:
        rig.hears("replies", "r1 expired #0")
        return
    rig.comes_to_be("r1", "dispatched")
    (sent,) = [wire.decode_as(SendRequest, each) for each in rig.messages("dispatch", "cafis-1")]
    assert sent.send_by_ms == min(request.timestamp_ms + 30_000, now_ms + off_ms + 30_000)
    state = wire.decode_as(TransactionState, rig.messages("transactions")[-1])
    assert state.accepted_ms == request.timestamp_ms


def test_a_report_that_stands_in_the_log_wins_over_a_deadline_that_passed_while_nobody_read(rig: Rig) -> None:
    first = rig.start("n1")
    rig.ask("r1")
    rig.comes_to_be("r1", "dispatched")
    first.stop()
    rig.approve("r1")
    rig.clock.pass_ms(REPORT_DUE_MS)
    rig.start("n2")
    rig.hears("replies", "r1 approved #1")
    rig.deliver("r1")
    rig.comes_to_be("r1", "answered")
    assert rig.said("timeouts") == []


def test_an_ended_transaction_is_forgotten_in_time_by_whoever_owns_it_then(rig: Rig) -> None:
    first = rig.start("n1")
    rig.ask("r1")
    rig.comes_to_be("r1", "dispatched")
    rig.approve("r1")
    rig.comes_to_be("r1", "replied")
    rig.deliver("r1")
    rig.comes_to_be("r1", "answered")
    first.stop()
    second = rig.start("n2")
    rig.clock.pass_ms(SETTINGS.remember_ms)
    rig.comes_to_be("r1", "forgotten")
    assert rig.said("reports") == ["r1 approved", "r1 answered is over"]
    rig.inquire("r1", "i1")
    rig.hears("replies", "r1 approved #1", "r1 unknown #0")
    second.stop()
    rig.start("n3")
    rig.inquire("r1", "i2")
    rig.hears("replies", "r1 approved #1", "r1 unknown #0", "r1 unknown #0")


# --- what cannot be read --------------------------------------------------------------------------------------------

MARK = b"0123456789abcdef"
UNKNOWN = (
    "was written with a schema unknown here (fingerprint 0123456789abcdef): "
    "run a version whose schemas/avro holds this schema; nothing was skipped, it resumes at this record"
)


def test_with_the_schema_deployed_it_resumes_at_the_record_it_could_not_read(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = rig.start("n1")
    rig.ask("r1")
    rig.comes_to_be("r1", "dispatched")
    rig.approve("r1")
    rig.comes_to_be("r1", "replied")
    first.stop()
    newer = rig.write("reports", report("r2", 0), "r1", MARK)
    after = rig.write("reports", report("r3", 0), "r1")
    for node in ("n2", "n3"):
        assert rig.start(node).failure() == f"record t-reports/{newer.partition}@{newer.offset} {UNKNOWN}"
        assert rig.position(newer) == newer.offset
    _, ((_, known),) = wire.encode(report("r2", 0))
    monkeypatch.setitem(wire._BY_HEADER, MARK, wire._BY_HEADER[known])
    last = rig.start("n4")
    rig.until(lambda: rig.position(after) == after.offset + 1)
    rig.deliver("r1")
    rig.comes_to_be("r1", "answered")
    assert last.registry.get_sample_value("denbun_router_records_total") == 3, "the newer one, the next, the delivery"


@pytest.mark.parametrize("topic", INPUTS)
def test_whatever_input_holds_it_a_record_that_cannot_be_read_stops_the_router(topic: str, rig: Rig) -> None:
    bad = rig.write_raw(Outgoing(rig.topics(topic), b"AP02:r1", b"what", ((wire.HEADER, MARK),)))
    assert rig.start().failure() == f"record t-{topic}/{bad.partition}@0 {UNKNOWN}"
    assert rig.position(bad) in (None, 0)


def test_a_damaged_record_and_one_that_belongs_elsewhere_are_told_apart(rig: Rig) -> None:
    good = rig.approve("r1")
    rig.log._topics["t-reports"][good.partition].clear()
    rig.write_raw(Outgoing(good.topic, good.key, (good.value or b"")[:-3], good.headers))
    assert rig.start("n1").failure() == (
        f"record t-reports/{good.partition}@0 is not a valid ReportReceived (IndexError): "
        "the record is damaged; keep it, call support"
    )
    rig.log._topics["t-reports"][good.partition].clear()
    (line,) = rig.log.everything("t-lines")
    rig.write_raw(Outgoing(good.topic, good.key, line.value, line.headers))
    assert rig.start("n2").failure() == (
        f"record t-reports/{good.partition}@0 is a LineState, which does not belong there: "
        "see the topic table, schemas/topics.py"
    )


def test_a_state_that_cannot_be_read_stops_the_router_where_it_is_needed(rig: Rig) -> None:
    first = rig.start("n1")
    rig.ask("r1")
    rig.comes_to_be("r1", "dispatched")
    first.stop()
    (state,) = rig.messages("transactions")
    headers = tuple((name, MARK if name == wire.HEADER else value) for name, value in state.headers)
    place = Outgoing(state.topic, state.key, state.value, headers, state.partition)
    (offset,) = rig.log.writer("test").write([place])
    other = next(f"x{number}" for number in range(99) if _home(f"x{number}") == state.partition)
    rig.ask(other)
    rig.ask("r1")
    second = rig.start("n2")
    assert second.failure() == f"record t-transactions/{state.partition}@{offset} {UNKNOWN}"
    assert rig.stage(other) == "dispatched", "what does not need it goes on"
    requests = TopicPartition("t-requests", state.partition)
    assert rig.log.committed("t-router", requests) == 2
