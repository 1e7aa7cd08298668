"""How far back an owner of a line knows, from what is left in the log and as its own time passes."""

import pytest
from line_rig import KEY, LINE
from test_egress_core import MIDNIGHT, SEALED, Rig

from egress.acts import Act, Store
from egress.jobs import Takeover, job_of, sent
from egress.numbers import Numbers
from egress.takeover import Places, take_over
from pipeline.log import NewTopic, Outgoing, TopicPartition, Writer
from pipeline.memory import MemoryLog
from schemas import wire
from schemas.installation import Egress
from schemas.japan_time import business_date, midnight_ms
from schemas.records import (
    Command,
    Kind,
    LineTaken,
    NotCancelled,
    Original,
    Record,
    RouteHeld,
    SendCancel,
    SendRequest,
    TelegramWithheld,
)
from schemas.topics import Topics

LOOK_BACK_MS = 600_000
TIMES = Egress(metrics_port=0, look_back_ms=LOOK_BACK_MS)
MINUTE_MS = 60_000


# --- what a new owner finds in the log


def request(at_ms: int, who: str) -> SendRequest:
    return SendRequest(
        transaction_id=f"AP02:{who}", customer="AP02", reference=who, kind=Kind.SALE, terminal_id="4980123456789",
        amount=1_200, payment_method="10", card=SEALED, sensitive=None, original=None, send_by_ms=at_ms + 60_000,
        report_timeout_ms=30_000, partner=None,
    )  # fmt: skip


class Past:
    """A line's topics, written to at times that a test says; all clocks are right."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.log = MemoryLog(lambda: self.now_ms)
        topics = Topics()
        self.log.create(NewTopic(each.name, each.partitions, each.config) for each in topics.creations([LINE], 1, 1))
        self.places = Places.of(topics, LINE)
        self.writer: Writer = self.log.writer("test")

    def write(self, at_ms: int, topic: str, record: Record) -> int:
        self.now_ms = at_ms
        value, headers = wire.encode(record)
        (offset,) = self.writer.write([Outgoing(topic, KEY, value, headers, 0)])
        return offset

    def order(self, at_ms: int, who: str) -> int:
        return self.write(at_ms, self.places.dispatch.topic, request(at_ms, who))

    def sent(self, at_ms: int, who: str, offset: int) -> None:
        job = job_of(offset, KEY, request(at_ms, who), 0)
        job.numbers = Numbers(offset + 1, 1, business_date(at_ms))
        self.write(at_ms, self.places.sent.topic, sent(job, "n0", at_ms))

    def taken(self, at_ms: int) -> Takeover:
        self.now_ms = at_ms
        found, _ = take_over(self.log, self.writer, self.places, TIMES, "n2", at_ms)
        return found


@pytest.mark.parametrize("after_ms", [0, 1, MINUTE_MS, 6 * 60 * MINUTE_MS, 24 * 60 * MINUTE_MS - 1])
def test_an_order_given_before_midnight_may_have_gone_out_after_it(after_ms: int) -> None:
    past, midnight = Past(), midnight_ms(MIDNIGHT)
    past.order(midnight - 12 * 60 * MINUTE_MS, "noon")
    past.order(midnight - LOOK_BACK_MS - 1, "too old to go out today")
    last = past.order(midnight - LOOK_BACK_MS, "late")
    past.order(midnight - 1, "later")
    past.order(midnight, "today")
    found = past.taken(midnight + after_ms)
    # Its trace number counts for today: a number that is given out again would be of two telegrams of one day.
    assert found.day_began_at == last == 2


def test_a_day_without_an_order_has_begun_at_the_next() -> None:
    past, midnight = Past(), midnight_ms(MIDNIGHT)
    past.order(midnight - LOOK_BACK_MS - 1, "yesterday")
    assert past.taken(midnight + 1).day_began_at == 1


@pytest.mark.parametrize("open_for_ms", [0, MINUTE_MS, 3 * 60 * MINUTE_MS])
def test_what_was_sent_is_known_from_long_before_the_first_order_without_an_outcome(open_for_ms: int) -> None:
    past, now_ms = Past(), MIDNIGHT + 12 * 60 * MINUTE_MS
    given_ms = now_ms - open_for_ms
    past.sent(given_ms - LOOK_BACK_MS - 1, "forgotten", 0)
    past.sent(given_ms - LOOK_BACK_MS, "oldest", 0)
    past.sent(given_ms - MINUTE_MS, "before", 0)
    past.order(given_ms, "open")
    past.sent(given_ms, "open", 0)
    found = past.taken(now_ms)
    assert [each.transaction_id.removeprefix("AP02:") for each in found.sent] == ["oldest", "before", "open"]
    assert found.known_since_ms == given_ms - LOOK_BACK_MS
    assert found.position == 0


def test_reading_goes_on_where_the_group_has_come_to_and_looks_back_from_there() -> None:
    past, now_ms = Past(), MIDNIGHT + 12 * 60 * MINUTE_MS
    past.order(now_ms - 60 * MINUTE_MS, "done")
    past.sent(now_ms - 60 * MINUTE_MS, "done", 0)
    past.order(now_ms - 5 * MINUTE_MS, "open")
    past.order(now_ms - MINUTE_MS, "later")
    reader = past.log.group_reader("n1", past.places.group, [past.places.dispatch.topic], print, print)
    reader.poll(10, 1.0)
    reader.done({past.places.dispatch: 1})
    reader.close()
    found = past.taken(now_ms)
    assert found.position == 1
    assert found.known_since_ms == now_ms - 5 * MINUTE_MS - LOOK_BACK_MS
    assert found.sent == []


def test_the_holds_are_those_of_this_line_and_of_no_other_by_its_name() -> None:
    past = Past()

    def hold(line: str, route: int, who: str | None) -> None:
        record = RouteHeld(
            line=line, route_number=route, transaction_id=f"AP02:{who}", trace_number=1, business_date="20261124",
            reason="in_doubt", since_ms=MIDNIGHT, expires_ms=None,
        )  # fmt: skip
        value, headers = wire.encode(record) if who else (None, ())
        key = f"{line}/{route}".encode()
        past.writer.write([Outgoing(past.places.holds.topic, key, value, headers, 0)])

    hold("cafis-2", 1, "of another line")
    hold(LINE, 12, "a")
    hold(f"{LINE}0", 2, "of a line whose name begins alike")
    hold(LINE, 3, "b")
    hold(LINE, 12, None)  # released
    hold(LINE, 5, "c")
    found = past.taken(MIDNIGHT)
    assert [(each.route_number, each.transaction_id) for each in found.holds] == [(3, "AP02:b"), (5, "AP02:c")]
    assert list(found.last_words) == []


def test_a_line_has_its_topics_and_its_group_by_its_name() -> None:
    places = Places.of(Topics("p-"), "cafis-2")
    assert (places.line, places.group) == ("cafis-2", "p-egress.cafis-2")
    assert (places.dispatch, places.sent) == (
        TopicPartition("p-dispatch.cafis-2", 0), TopicPartition("p-sent.cafis-2", 0),
    )  # fmt: skip
    assert places.holds == TopicPartition("p-holds", 0)


def test_the_marker_of_a_takeover_names_its_owner_and_what_stands_before_it_is_what_was_found() -> None:
    past = Past()
    past.sent(MIDNIGHT, "a", 0)
    found, taken = take_over(past.log, past.writer, past.places, TIMES, "n2", MIDNIGHT)
    marker = past.log.everything(past.places.sent.topic)[taken]
    assert wire.decode(marker) == LineTaken(line=LINE, node="n2", taken_ms=MIDNIGHT)
    assert (marker.key, taken) == (LINE.encode(), 1)
    assert len(found.sent) == 1


# --- whether a request that nobody knows the numbers of was sent


def cancel(accepted_ms: int, who: str = "a") -> SendCancel:
    original = Original(
        kind=Kind.SALE, line="cafis-1", trace_number=None, route_number=None, business_date=None, approval_code=None,
        terminal_id="4980123456789", amount=1_200, accepted_ms=accepted_ms,
    )  # fmt: skip
    return SendCancel(
        transaction_id=f"AP02:{who}", command=Command.CONFIRM, attempt=1, original=original,
        send_by_ms=MIDNIGHT + 10_000_000, report_timeout_ms=1_000, partner=None,
    )  # fmt: skip


def becomes(acts: list[Act]) -> object:
    """What `sent` is told of a cancel: its numbers, or why it does not go out."""
    (record,) = (act.record for act in acts if isinstance(act, Store))
    if isinstance(record, TelegramWithheld):
        return record.reason
    return record.trace_number


# More than the clocks of two machines may differ by, as much, and less.
FAR_MS, TOLERANCE_MS, NEAR_MS = 60_000, 1_000, 500


@pytest.mark.parametrize(
    ("accepted_ms", "reason"),
    [
        (FAR_MS, NotCancelled.ORIGINAL_NEVER_SENT),
        (TOLERANCE_MS, NotCancelled.ORIGINAL_NEVER_SENT),
        (TOLERANCE_MS - 1, NotCancelled.ORIGINAL_NOT_FOUND),
        (NEAR_MS, NotCancelled.ORIGINAL_NOT_FOUND),  # its time is another machine's: it may be older than what is known
        (0, NotCancelled.ORIGINAL_NOT_FOUND),
        (-1, NotCancelled.ORIGINAL_NOT_FOUND),
        (-NEAR_MS, NotCancelled.ORIGINAL_NOT_FOUND),
        (-FAR_MS, NotCancelled.ORIGINAL_NOT_FOUND),
    ],
)
def test_a_request_was_never_sent_only_if_it_is_younger_than_all_that_is_known(
    accepted_ms: int, reason: NotCancelled
) -> None:
    since_ms = MIDNIGHT - 60_000  # as the rig takes its line over
    rig = Rig()
    rig.play("opened", 0)
    assert becomes(rig.dispatched(cancel(since_ms + accepted_ms, "z"), 0)) is reason


def test_a_request_that_the_line_has_forgotten_since_is_not_taken_for_one_that_was_never_sent() -> None:
    rig = Rig()  # it remembers a minute
    rig.play("opened", 0)
    rig.play("ask a", 0)
    rig.play("stored", 1)
    rig.play("approved a", 50)
    rig.play("due", 60_000)
    assert becomes(rig.dispatched(cancel(MIDNIGHT, "a"), 60_000)) == 2  # still known: the cancel goes out
    rig = Rig()
    rig.play("opened", 0)
    rig.play("ask a", 0)
    rig.play("stored", 1)
    rig.play("approved a", 50)
    rig.play("due", 60_001)
    assert becomes(rig.dispatched(cancel(MIDNIGHT, "a"), 60_001)) is NotCancelled.ORIGINAL_NOT_FOUND
    # What came long after it was forgotten is known, or was never sent.
    assert becomes(rig.dispatched(cancel(MIDNIGHT + FAR_MS, "z"), 60_001)) is NotCancelled.ORIGINAL_NEVER_SENT
