"""Every word of a line goes to the topic that has its record; an order is done with when all its words are stored."""

import re
from typing import Any

import pytest
from test_egress_core import MIDNIGHT, SCENARIOS, Rig, sent_record, steps

from egress.acts import Act, Tell
from egress.core import LineCore
from egress.jobs import Takeover
from egress.telegrams import CardData
from schemas.japan_time import business_date
from schemas.records import (
    CancelReported,
    LineOrder,
    LineOrdered,
    LineState,
    NeverSent,
    Outcome,
    ReportMissing,
    ReportReceived,
    RouteHeld,
    RouteOrderAnswered,
    StrayTelegram,
)
from schemas.telegrams import Role
from schemas.topics import TABLE

TOPICS = {topic.name: topic for topic in TABLE}
KEYS = {
    "reports": rb"AP02:.*", "cancel-reports": rb"AP02:.*", "holds": rb"cafis-1/[123]", "lines": rb"cafis-1",
    "line-answers": rb"cafis-1", "strays": rb"cafis-1",
}  # fmt: skip


class Listening(Rig):
    """A rig that looks at every word, and keeps it."""

    def __init__(self, **more: Any) -> None:
        self.words: list[Tell] = []
        super().__init__(**more)

    def seen(self, acts: list[Act]) -> str:
        for act in acts:
            if isinstance(act, Tell):
                topic = TOPICS[act.topic]
                assert "egress" in topic.writers, act
                assert (act.topic == "holds") if act.record is None else isinstance(act.record, topic.holds), act
                assert re.fullmatch(KEYS[act.topic], act.key), act
                if isinstance(act.record, RouteHeld):
                    assert act.key == f"{act.record.line}/{act.record.route_number}".encode()
                self.words.append(act)
        return super().seen(acts)

    def told(self) -> list[Tell]:
        """The words since the last time."""
        words, self.words = self.words, []
        return words

    def store(self) -> None:
        """The log has them all."""
        for act in self.told():
            if act.offset is not None:
                self.core.told(act.offset)


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_word_goes_where_its_record_belongs(name: str) -> None:
    rig = Listening()
    rig.play("opened", 0)
    for at, event, told in steps(SCENARIOS[name]):
        assert rig.play(event, at) == told
    assert all(act.offset is None or act.offset < rig.offset for act in rig.words)


# --- when an order is done with


def opened() -> Listening:
    rig = Listening()
    rig.play("opened", 0)
    rig.store()
    return rig


@pytest.mark.parametrize(("order", "words"), [("route hold 2", 2), ("route release 2", 1)])
def test_an_operators_order_is_done_with_when_all_its_words_are_stored(order: str, words: int) -> None:
    rig = opened()
    rig.play(order, 10)
    told = rig.told()
    assert [act.offset for act in told] == [0] * words
    assert isinstance(told[-1].record, RouteOrderAnswered)
    for act in told:
        assert rig.core.position == 0
        assert act.offset is not None
        rig.core.told(act.offset)
    assert rig.core.position == 1


def test_a_release_by_order_is_done_with_when_the_route_is_free_in_the_log_and_its_operator_is_told() -> None:
    rig = opened()
    rig.play("route hold 2", 10)
    rig.store()
    assert rig.core.position == 1
    rig.play("route release 2", 20)
    first, second = rig.told()
    assert (first.topic, first.key, first.record) == ("holds", b"cafis-1/2", None)
    assert (first.offset, second.offset) == (1, 1)
    rig.core.told(1)
    assert rig.core.position == 1
    rig.core.told(1)
    assert rig.core.position == 2


def test_an_operators_answer_says_all_about_his_order() -> None:
    rig = opened()
    rig.play("route hold 2", 10)
    _, answer = rig.told()
    assert answer.record == RouteOrderAnswered(
        order_id="o-10", line="cafis-1", route_number=2, hold=True, operator="Sato", reason="asked for",
        node="node-a", done=True, released=None, answered_ms=MIDNIGHT + 10,
    )  # fmt: skip
    rig.play("route release 2", 20)
    _, answer = rig.told()
    assert answer.record == RouteOrderAnswered(
        order_id="o-20", line="cafis-1", route_number=2, hold=False, operator="Sato", reason="asked for",
        node="node-a", done=True, released="operator:o-10", answered_ms=MIDNIGHT + 20,
    )  # fmt: skip


def test_what_has_ended_is_forgotten_once_it_is_stored_and_what_is_in_doubt_is_awaited_still() -> None:
    rig = opened()
    for who in "ab":
        rig.play(f"ask {who}", 0)
    rig.play("stored", 1)
    rig.play("approved a", 50)
    rig.store()
    assert set(rig.core._jobs) == {1}
    assert rig.play("due", 1_002) == "hold r2 b, missing b silence"
    rig.store()
    assert rig.core.position == 2
    assert set(rig.core._jobs) == {1}
    assert rig.play("approved b", 1_010) == "late b approved"  # known still, though its order is done with
    assert [act.offset for act in rig.told()] == [None]


@pytest.mark.parametrize(
    ("events", "record", "done"),
    [
        (["ask a", "stored", "approved a"], ReportReceived, 1),
        (["ask a", "stored", "broken"], ReportMissing, 1),
        (["ask huge", "stored"], NeverSent, 1),
    ],
)
def test_a_request_is_done_with_when_its_outcome_is_stored(events: list[str], record: type, done: int) -> None:
    rig = opened()
    for at, event in enumerate(events):
        assert rig.core.position == 0
        rig.play(event, at)
    assert any(isinstance(act.record, record) and act.offset == 0 for act in rig.words)
    assert rig.core.position == 0
    rig.store()
    assert rig.core.position == done


def test_a_release_is_done_with_when_its_route_is_free_in_the_log() -> None:
    rig = opened()
    for at, event in ((0, "ask a"), (1, "stored"), (1_002, "due")):
        rig.play(event, at)
    rig.store()
    assert rig.core.position == 1
    rig.play("release a", 1_010)
    (freed,) = rig.told()
    assert (freed.topic, freed.key, freed.record, freed.offset) == ("holds", b"cafis-1/1", None, 1)
    assert rig.core.position == 1
    rig.core.told(1)
    assert rig.core.position == 2


def test_a_confirm_holds_the_route_in_the_name_of_its_original_and_is_done_with_when_that_is_stored_too() -> None:
    rig = opened()
    rig.play("8930 z 1", 10)
    rig.play("stored", 11)
    (hold,) = rig.told()
    assert hold.record == RouteHeld(
        line="cafis-1", route_number=1, transaction_id="AP02:z", trace_number=9, business_date=business_date(MIDNIGHT),
        reason="in_doubt", since_ms=MIDNIGHT + 11, expires_ms=None,
    )  # fmt: skip
    rig.play("done z", 50)
    (answer,) = rig.told()
    assert isinstance(answer.record, CancelReported)
    for word in (answer, hold):
        assert (word.offset, rig.core.position) == (0, 0)
        rig.core.told(0)
    assert rig.core.position == 1


def test_a_line_that_is_not_taken_over_yet_is_done_with_no_order() -> None:
    core = Rig().core
    assert LineCore(core.line, core.partner, core.times, core.node, core.open_card).position == 0


# --- what a new owner says of the holds that it finds


def found_hold(who: str, route: int, reason: str = "in_doubt") -> RouteHeld:
    return RouteHeld(
        line="cafis-1", route_number=route, transaction_id=who, trace_number=39, business_date=business_date(MIDNIGHT),
        reason=reason, since_ms=MIDNIGHT, expires_ms=None,
    )  # fmt: skip


def test_a_new_owner_says_of_each_hold_that_it_finds_whether_it_lasts() -> None:
    past, lasting = found_hold("AP02:old", 3), found_hold("AP02:b", 2)
    sent = [sent_record("old", 4, 39, 3), sent_record("c", 5, 40, 3)]  # its route has carried another since
    found = Takeover(
        sent=sent, known_since_ms=MIDNIGHT, position=6, holds=[past, lasting], day_began_at=0, last_words=[1]
    )  # fmt: skip
    rig = Listening(found=found)
    words = [(act.key, act.record, act.offset) for act in rig.told() if act.topic == "holds"]
    assert words == [(b"cafis-1/3", None, None), (b"cafis-1/2", lasting, None), (b"cafis-1/1", None, None)]
    assert [rig.core.routes.holder(route) for route in (1, 2, 3)] == [None, "AP02:b", None]


def test_an_operators_hold_lasts_though_its_route_has_carried_telegrams_before() -> None:
    held = found_hold("operator:o-1", 3, "Sato: asked for")
    found = Takeover(
        sent=[sent_record("c", 5, 40, 3)], known_since_ms=MIDNIGHT, position=6, holds=[held], day_began_at=0
    )  # fmt: skip
    rig = Listening(found=found)
    assert rig.taken == "hold r3 operator:o-1, line connecting, seek"
    assert [act.record for act in rig.told() if act.topic == "holds"] == [held]
    rig.offset = 6
    rig.play("opened", 1)
    assert [rig.play(f"ask {who}", 2) for who in "xyz"] == ["sent x#0 t7 r1", "sent y#0 t8 r2", ""]
    assert rig.play("route release 3", 3) == "free r3, route 3 done for operator:o-1, sent z#0 t9 r3"


# --- how the partner is told of


def test_a_line_that_its_partner_closes_says_so() -> None:
    rig = opened()
    rig.play("partner_closes", 500)
    (state,) = (act.record for act in rig.told() if isinstance(act.record, LineState))
    assert state.reason == "the partner closes the station"


def test_a_line_says_when_its_partner_has_asked_for_a_sign_of_life_and_when_it_has_given_one() -> None:
    rig = opened()
    rig.play("keepalive", 700)
    rig.play("due", 30_700)
    rig.play("alive", 30_800)
    rig.told()
    rig.play("partner_closes", 30_900)
    (state,) = (act.record for act in rig.told() if isinstance(act.record, LineState))
    assert (state.asked_ms, state.answered_ms) == (MIDNIGHT + 700, MIDNIGHT + 30_800)


def test_a_cancel_that_was_answered_without_an_error_code_is_told_by_its_result_code() -> None:
    rig = opened()
    rig.play("ask a", 0)
    rig.play("stored", 1)
    rig.play("due", 1_002)
    rig.play("8930 a 1", 1_010)
    rig.play("stored", 1_011)
    rig.told()
    confirm = rig.last["a"]
    role, code = Role.FAULT_CONFIRM_REPORT, rig.partner.result_code_for(Outcome.DECLINED)
    values = {**confirm.values, "result_code": code}
    told = {name: value for name, value in values.items() if name in rig.partner.telegrams[role].names}
    assert "error_code" not in told
    rig.seen(rig.core.received(rig.partner.encode(role, told), MIDNIGHT + 1_050))
    (reported,) = (act.record for act in rig.told() if isinstance(act.record, CancelReported))
    assert (reported.error_code, reported.in_error, reported.attempt) == (code, False, 1)


def test_what_is_no_telegram_is_told_as_a_stray_with_its_time() -> None:
    rig = opened()
    rig.play("garbage", 400)
    (stray,) = (act.record for act in rig.told() if isinstance(act.record, StrayTelegram))
    assert (stray.line, stray.role, stray.received_ms) == ("cafis-1", None, MIDNIGHT + 400)
    assert stray.description.startswith("cafis telegram, field type_code")


@pytest.mark.parametrize(
    ("role", "station", "why"),
    [
        (Role.KEEPALIVE_REQUEST, "DNB00002", "is about another station than this line's"),
        (Role.CLOSING_ANSWER, "DNB00001", "answers nothing that was asked"),
    ],
)
def test_a_stray_is_told_with_its_role_and_why_it_is_for_nobody(role: Role, station: str, why: str) -> None:
    rig = opened()
    rig.seen(rig.do_partner(400, role, station))
    (stray,) = (act.record for act in rig.told() if isinstance(act.record, StrayTelegram))
    told, *fields = stray.description.splitlines()
    assert (stray.role, told) == (role, why)
    assert any("station_id" in field and station in field for field in fields), fields


def test_an_approval_is_told_with_its_number() -> None:
    rig = opened()
    rig.play("ask a", 0)
    rig.play("stored", 1)
    role = Role.SALE_REPORT
    values = {**rig.last["a"].values, "result_code": "000", "approval_code": "123456"}
    told = {name: value for name, value in values.items() if name in rig.partner.telegrams[role].names}
    rig.seen(rig.core.received(rig.partner.encode(role, told), MIDNIGHT + 50))
    (report,) = (act.record for act in rig.told() if isinstance(act.record, ReportReceived))
    assert (report.outcome, report.approval_code, report.error_code) == (Outcome.APPROVED, "123456", None)


def test_card_data_shows_nothing_of_itself() -> None:
    assert repr(CardData("4111111111111111", "2812", None, "123")) == "CardData(…)"


# --- what a line tells of itself


def state_of(rig: Listening) -> dict[str, Any]:
    """The last state that the line has told, but for what is the same in all of these."""
    state = [act.record for act in rig.told() if isinstance(act.record, LineState)][-1]
    assert (state.line, state.partner, state.node, state.spared) == ("cafis-1", "cafis", "node-a", None)
    names = (
        "stage", "reason", "since_ms", "wish", "wished_by", "wished_since_ms", "connected_ms", "asked_ms",
        "answered_ms", "in_flight", "cancels_waiting", "routes_held", "told_ms",
    )  # fmt: skip
    return {name: getattr(state, name) for name in names}


def test_a_line_tells_since_when_it_is_what_it_is_by_whose_wish_and_what_is_on_it() -> None:
    rig = Listening()
    rig.play("opened", 100)
    opened_state = {
        "stage": "open", "reason": None, "since_ms": MIDNIGHT + 100, "wish": "open", "wished_by": "calendar",
        "wished_since_ms": MIDNIGHT, "connected_ms": MIDNIGHT + 100, "asked_ms": None, "answered_ms": None,
        "in_flight": 0, "cancels_waiting": 0, "routes_held": 0, "told_ms": MIDNIGHT + 100,
    }  # fmt: skip
    assert state_of(rig) == opened_state
    for who in "ab":
        rig.play(f"ask {who}", 200)
    rig.play("stored", 201)
    rig.play("keepalive", 300)
    rig.play("due", 1_300)  # neither is answered: both routes are held
    rig.play("ask c", 1_400)
    rig.play("stored", 1_401)
    rig.told()
    rig.play("order drain", 1_500)
    assert state_of(rig) == opened_state | {
        "stage": "draining", "reason": "drained by Sato: maintenance", "since_ms": MIDNIGHT + 1_500, "wish": "drained",
        "wished_by": "Sato", "wished_since_ms": MIDNIGHT + 1_500, "asked_ms": MIDNIGHT + 300, "in_flight": 1,
        "routes_held": 2, "told_ms": MIDNIGHT + 1_500,
    }  # fmt: skip
    rig.play("broken", 1_600)
    failed = state_of(rig)
    assert (failed["stage"], failed["connected_ms"], failed["since_ms"]) == ("failed", None, MIDNIGHT + 1_600)


# --- after a fault of ours


@pytest.mark.parametrize("call", ["drain", "due", "sought refused", "order open", "close", "called_again", "opened"])
def test_what_was_decided_before_a_fault_of_ours_is_told_all_the_same(call: str) -> None:
    rig = failed_after_a_decision()
    assert "report a approved" in rig.play(call, 4)


@pytest.mark.parametrize("came", ["approved b", "keepalive", "echo b", "garbage"])
def test_the_next_telegram_brings_what_was_decided_before_a_fault_of_ours(came: str) -> None:
    rig = failed_after_a_decision()
    rig.core._preparing._open_card = rig.open_card
    assert rig.play(came, 4).startswith("report a approved, ")


def failed_after_a_decision() -> Rig:
    """A line that has decided what to tell of a, and has failed over the card of the next one."""

    def fails(_: object) -> CardData:
        raise ZeroDivisionError

    rig = Rig()
    rig.play("opened", 0)
    for who in "abcd":  # one more than there are routes
        rig.play(f"ask {who}", 1)
    rig.play("stored", 2)
    rig.core._preparing._open_card = fails
    with pytest.raises(ZeroDivisionError):
        rig.play("approved a", 3)
    return rig


# --- why it is what it is


def reasons(rig: Listening) -> list[tuple[str, str | None]]:
    """Each stage that the line has told since the last time, and its reason."""
    return [(act.record.stage, act.record.reason) for act in rig.told() if isinstance(act.record, LineState)]


def test_a_new_owner_that_leaves_a_line_closed_says_who_has_ordered_so_and_why() -> None:
    order = LineOrdered(
        order_id="o", line="cafis-1", order=LineOrder.CLOSE, operator="Sato", reason="storm", ordered_ms=MIDNIGHT
    )
    assert reasons(Listening(order=order)) == [("closed", "closed by Sato: storm")]
    assert reasons(Listening(hours=["mon-sun 08:00-20:00"])) == [("closed", "closed by calendar")]


def test_a_line_that_is_closed_by_order_says_so_until_it_is_closed() -> None:
    rig = opened()
    rig.told()
    why = "closed by Sato: maintenance"
    for at, event, stage in ((10, "order close", "draining"), (20, "due", "closing"), (30, "closed", "closed")):
        rig.play(event, at)
        assert reasons(rig) == [(stage, why)]


def test_a_line_that_breaks_while_it_is_to_be_closed_is_closed_for_the_reason_it_was_to_be() -> None:
    rig = opened()
    rig.play("ask a", 0)
    rig.play("stored", 1)
    rig.play("order close", 10)
    assert reasons(rig) == [("draining", "closed by Sato: maintenance")]
    rig.play("broken", 20)
    assert reasons(rig) == [("failed", "reset"), ("closed", "closed by Sato: maintenance")]


def test_a_line_that_follows_its_hours_by_order_is_closed_by_them_and_for_no_operators_reason() -> None:
    rig = Listening(hours=["mon-sun 00:00-00:01"])
    rig.play("opened", 0)
    rig.play("order calendar", 10)
    rig.told()
    rig.play("due", 60_000)
    assert reasons(rig)[1:] == [("draining", "closed by calendar"), ("closing", "closed by calendar")]


def test_a_line_whose_owner_ends_says_so_and_gives_no_operators_reason() -> None:
    rig = opened()
    rig.play("order open", 10)
    rig.told()
    for at, event, stage in ((20, "drain", "draining"), (30, "close", "closing"), (40, "closed", "closed")):
        rig.play(event, at)
        assert reasons(rig) == [(stage, "closed by the end of its owner")]


def test_a_line_that_is_opened_again_while_its_breaker_is_open_says_why_it_is_suspended() -> None:
    rig = Listening(times={"breaker": {"silences": 1}})
    for at, event in ((0, "opened"), (1, "ask a"), (1, "stored")):
        rig.play(event, at)
    rig.told()
    rig.play("due", 1_001)
    assert reasons(rig) == [("suspended", "1 requests in a row without an answer")]
    rig.play("broken", 1_100)
    rig.play("opened", 1_200)
    assert reasons(rig) == [("failed", "reset"), ("opening", None), ("suspended", "its breaker is open")]


def test_a_drained_line_that_does_not_come_about_says_why_and_since_when_and_then_by_whose_wish_it_is_drained() -> None:
    rig = opened()
    rig.play("order drain", 10)
    assert reasons(rig) == [("draining", "drained by Sato: maintenance")]
    rig.play("broken", 20)
    assert reasons(rig) == [("failed", "reset")]
    rig.play("sought refused", 1_000)
    rig.play("sought refused", 2_000)
    rig.play("due", 6_000)
    refused = [act.record for act in rig.told() if isinstance(act.record, LineState)]
    assert [(each.reason, each.since_ms, each.told_ms) for each in refused] == [
        ("refused", MIDNIGHT + 1_000, MIDNIGHT + at) for at in (1_000, 6_000)
    ]
    rig.play("opened", 7_000)
    assert reasons(rig)[-1] == ("draining", "drained by Sato: maintenance")


def test_an_order_to_drain_a_line_that_has_failed_leaves_the_trouble_on_the_board() -> None:
    rig = opened()
    rig.play("broken", 20)
    rig.told()
    rig.play("order drain", 30)
    state = state_of(rig)
    told = (state["stage"], state["reason"], state["since_ms"], state["wish"], state["wished_by"])
    assert told == ("failed", "reset", MIDNIGHT + 20, "drained", "Sato")
