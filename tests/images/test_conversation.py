"""A capture of a line is told as what was said on it: who asked, who answered, how long it took, what is missing."""

from collections.abc import Sequence

import pytest
from capture_rig import CENTRE, GATEWAY, MS, Frame, Wire, pcap, pcapng

from images.captures import read_capture
from images.conversation import Entry, Silent, Talk, talks_of, unanswered
from images.finding import Heading
from images.streams import connections_of
from schemas.telegrams import PartnerSpec, Role, Value, load_partner

PARTNERS = CAFIS, CARDNET = load_partner("cafis"), load_partner("cardnet")
OWN = pytest.mark.parametrize("spec", PARTNERS, ids=repr)


def telegram(spec: PartnerSpec, role: Role, **changed: Value) -> bytes:
    return spec.framing.wrap(spec.encode(role, {**spec.telegrams[role].sample(), **changed}))


def heard(frames: Sequence[Frame], *, ng: bool = False) -> tuple[list[Talk], list[Silent]]:
    data = pcapng(frames) if ng else pcap(frames)
    return talks_of(connections_of(read_capture(data).packets)[0], PARTNERS, PARTNERS)


def only(frames: Sequence[Frame]) -> Talk:
    (talk,), silent = heard(frames)
    assert silent == []
    return talk


def row(entry: Entry) -> tuple[object, ...]:
    """Number, direction, role (``?`` for none), what it answers."""
    found = entry.found
    role = None if found is None else "?" if found.message is None else found.message.role.value
    return entry.number, entry.heading.value, role, entry.answers


@OWN
@pytest.mark.parametrize("ng", [False, True], ids=["pcap", "pcapng"])
def test_requests_and_reports_stand_in_order_of_time_and_are_paired(spec: PartnerSpec, ng: bool) -> None:
    wire = Wire().call()
    wire.say(GATEWAY, telegram(spec, Role.OPENING_REQUEST, trace_number=1))
    wire.say(CENTRE, telegram(spec, Role.OPENING_ANSWER, trace_number=1))
    wire.say(
        GATEWAY, telegram(spec, Role.SALE_REQUEST, trace_number=2) + telegram(spec, Role.SALE_REQUEST, trace_number=3)
    )
    wire.say(CENTRE, telegram(spec, Role.SALE_REPORT, trace_number=3), pieces=4)
    wire.say(CENTRE, telegram(spec, Role.KEEPALIVE_REQUEST, trace_number=77))
    wire.say(GATEWAY, telegram(spec, Role.KEEPALIVE_ANSWER, trace_number=77), after_ms=5)
    wire.say(CENTRE, telegram(spec, Role.ERROR_REPORT, trace_number=2))
    (talk,), _ = heard(wire.frames, ng=ng)
    assert talk.partner is spec
    assert str(talk.gateway) == "10.0.0.1:40001"
    assert [row(entry) for entry in talk.entries] == [
        (1, "going", "opening_request", None),
        (2, "coming", "opening_answer", 1),
        (3, "going", "sale_request", None),
        (4, "going", "sale_request", None),
        (5, "coming", "sale_report", 4),
        (6, "coming", "keepalive_request", None),
        (7, "going", "keepalive_answer", 6),
        (8, "coming", "error_report", 3),
    ]
    assert [entry.after_ns and round(entry.after_ns / MS) for entry in talk.entries if entry.answers] == [10, 40, 5, 65]
    assert unanswered(talk.entries) == []


@OWN
def test_an_answer_for_another_terminal_is_a_near_miss_and_its_request_is_unanswered(spec: PartnerSpec) -> None:
    wire = Wire().call().say(GATEWAY, telegram(spec, Role.SALE_REQUEST, trace_number=123))
    wire.say(CENTRE, telegram(spec, Role.SALE_REPORT, trace_number=123, terminal_id="4980000000000"))
    asked, stray = only(wire.frames).entries
    assert stray.strays
    assert stray.miss is not None
    assert (stray.miss.asked.number, [each.name for each in stray.miss.differences]) == (1, ["terminal_id"])
    assert unanswered([asked, stray]) == [asked]


@OWN
def test_an_answer_that_comes_twice_is_told_to_be_answered_before(spec: PartnerSpec) -> None:
    report = telegram(spec, Role.SALE_REPORT)
    wire = Wire().call().say(GATEWAY, telegram(spec, Role.SALE_REQUEST)).say(CENTRE, report).say(CENTRE, report)
    last = only(wire.frames).entries[-1]
    assert last.strays
    assert last.miss is not None
    assert (last.miss.differences, last.miss.asked.answered_by) == ((), 2)


@OWN
def test_an_answer_before_its_request_is_none_to_it(spec: PartnerSpec) -> None:
    wire = Wire().call().say(CENTRE, telegram(spec, Role.SALE_REPORT)).say(GATEWAY, telegram(spec, Role.SALE_REQUEST))
    first, second = only(wire.frames).entries
    assert (first.strays, first.miss, second.answered_by) == (True, None, None)


@OWN
def test_what_one_sent_back_to_itself_answers_nothing(spec: PartnerSpec) -> None:
    wire = Wire().call().say(GATEWAY, telegram(spec, Role.SALE_REQUEST)).say(GATEWAY, telegram(spec, Role.SALE_REPORT))
    assert only(wire.frames).entries[1].answers is None


def test_an_answer_that_could_not_be_read_for_one_field_is_told_whose_it_would_be() -> None:
    report = bytearray(telegram(CAFIS, Role.SALE_REPORT, trace_number=5))
    report[4 + 57] = 0x20  # result code
    wire = Wire().call().say(GATEWAY, telegram(CAFIS, Role.SALE_REQUEST, trace_number=5)).say(CENTRE, bytes(report))
    asked, broken = only(wire.frames).entries
    assert row(broken) == (2, "coming", "?", None)
    assert (broken.would_answer, asked.answered_by) == (1, None)


def test_telegrams_in_envelopes_are_paired_by_what_is_inside() -> None:
    inside = {
        role: CARDNET.encode(role, {**CARDNET.telegrams[role].sample(), "trace_number": 8}).hex()
        for role in (Role.SALE_REQUEST, Role.SALE_REPORT)
    }
    wire = Wire().call()
    wire.say(GATEWAY, telegram(CAFIS, Role.ENVELOPE_REQUEST, carried_telegram=inside[Role.SALE_REQUEST]))
    wire.say(CENTRE, telegram(CAFIS, Role.ENVELOPE_REPORT, carried_telegram=inside[Role.SALE_REPORT]))
    talk = only(wire.frames)
    assert talk.partner is CAFIS
    assert [row(entry) for entry in talk.entries] == [
        (1, "going", "envelope_request", None), (2, "coming", "envelope_report", 1),
    ]  # fmt: skip


def test_a_retransmission_counts_once_and_a_lost_segment_is_said() -> None:
    first, second, third = (telegram(CAFIS, Role.SALE_REQUEST, trace_number=number) for number in (1, 2, 3))
    wire = Wire().call().say(GATEWAY, first).say(GATEWAY, second).say(GATEWAY, third)
    frames = [*wire.frames[:4], wire.frames[3], wire.frames[5]]
    talk = only(frames)
    assert [row(entry) for entry in talk.entries] == [
        (1, "going", "sale_request", None), (0, "going", None, None), (2, "going", "sale_request", None),
    ]  # fmt: skip
    skipped = talk.entries[1].skipped
    assert skipped is not None
    assert (skipped.offset, skipped.size, skipped.why) == (len(first), len(second), "not in the capture")
    assert talk.connection.there.repeated == len(first)


def test_connections_without_telegrams_say_why() -> None:
    secured = Wire().call().say(GATEWAY, b"\x16\x03\x01\x02\x00hello")
    other = Wire(ends=(("10.0.0.2", 5), ("10.0.0.3", 6))).call().say(("10.0.0.2", 5), b"GET / HTTP/1.1\r\n\r\n")
    talks, silent = heard([*secured.frames, *other.frames])
    assert talks == []
    assert [each.why.english for each in silent] == [
        "TLS: capture inside its end",
        "no telegram of cafis, cardnet in it",
    ]


def test_telegrams_are_counted_through_all_connections() -> None:
    first = Wire().call().say(GATEWAY, telegram(CAFIS, Role.SALE_REQUEST))
    second = (
        Wire(ends=(("10.0.0.2", 5), ("10.0.0.3", 6))).call().say(("10.0.0.2", 5), telegram(CARDNET, Role.SALE_REQUEST))
    )
    talks, _ = heard([*first.frames, *second.frames])
    assert [(talk.partner.name, [entry.number for entry in talk.entries]) for talk in talks] == [
        ("cafis", [1]), ("cardnet", [2]),
    ]  # fmt: skip


def test_with_keep_alives_alone_nobody_is_known_for_the_gateway() -> None:
    wire = Wire().call().say(GATEWAY, telegram(CAFIS, Role.KEEPALIVE_REQUEST))
    talk = only(wire.frames)
    assert (talk.gateway, talk.entries[0].heading) == (None, Heading.EITHER)
