"""How far the rules of a door reach: repeats, places, ends that come at one time, layouts kept ready, and stillness."""

import msgspec
import pytest
from gateway_rig import settings
from test_ingress_core import Player
from test_ingress_layouts import CAFIS, LETTERS, NOW_MS, asked, customer
from test_ingress_session_words import HELLO

from ingress.acts import StoreRequest
from ingress.core import Session
from ingress.layouts import Layouts
from ingress.stillness import Stillness
from schemas.client_frames import frame
from schemas.telegrams import PartnerSpec

DAY_MS = 86_400_000
VOID = "store undeliverable r1 1 not_confirmed, tell settled r1 1 void"

# When, what comes, what is told and stored. The settings are those of the sessions as text tables.
STORIES = {
    "a request repeated within a second is not stored again, and is after it": [
        (5_000, "ask r1", "store request r1 until 6000"),
        (5_999, "ask r1", "-"),
        (6_000, "ask r1", "store request r1 until 7000"),
    ],
    "an inquiry repeated while its answer is owed is not stored again, and is after it": [
        (5_000, "inquire r1", "store inquiry r1"),
        (7_999, "inquire r1", "-"),
        (8_000, "inquire r1", "store inquiry r1"),
    ],
    "a request's answer leaves the inquiry about it in flight": [
        (0, "ask r1", "store request r1 until 1000"),
        (0, "inquire r1", "store inquiry r1"),
        (50, "final r1 refused", "tell reply r1 0 refused, after 50"),
        (60, "ask r2", "store request r2 until 1060"),
        (70, "ask r3", "tell refused too_many_in_flight r3"),
    ],
    "an inquiry's answer is told though nobody waits for it any more": [
        (0, "status r1 refused", "tell status r1 refused"),
    ],
    "what was answered already may turn out not to be known as stored": [
        (0, "ask r1", "store request r1 until 1000"),
        (50, "final r1 refused", "tell reply r1 0 refused, after 50"),
        (60, "unstored r1", "tell refused outcome_unknown r1"),
    ],
    "deliveries whose time is over at once are void each by itself": [
        (0, "reply r1 1 by 600", "tell reply r1 1 approved to confirm"),
        (0, "reply r2 1 by 600", "tell reply r2 1 approved to confirm"),
        (600, "tick", f"{VOID}, {VOID.replace('r1', 'r2')}"),
    ],
    "of the deliveries that have ended the first is forgotten first": [
        (0, "reply r1 1 by 600", "tell reply r1 1 approved to confirm"),
        (0, "reply r2 1 by 600", "tell reply r2 1 approved to confirm"),
        (10, "ack r1 1", "store delivered r1 1"),
        (10, "stored r1 1", "tell settled r1 1 confirmed"),
        (300, "ack r2 1", "store delivered r2 1"),
        (300, "stored r2 1", "tell settled r2 1 confirmed"),
        (710, "tick", "-"),
        (711, "ack r1 1", "tell settled r1 1 void"),
        (711, "ack r2 1", "tell settled r2 1 confirmed"),
    ],
    "a client that leaves hears of its last void delivery before the end": [
        (0, "reply r1 1 by 600", "tell reply r1 1 approved to confirm"),
        (1, "bye", "-"),
        (600, "tick", f"{VOID}, close left"),
    ],
    "a client that is silent hears of its void delivery before the end": [
        (0, "reply r1 1 by 9000", "tell reply r1 1 approved to confirm"),
        (9_000, "tick", f"{VOID}, tell refused idle_timeout, close idle_timeout"),
    ],
}


@pytest.mark.parametrize("name", STORIES)
def test_story(name: str) -> None:
    player = Player()
    player.play("hello", 0)
    assert [(now_ms, what, player.play(what, now_ms)) for now_ms, what, _ in STORIES[name]] == STORIES[name]


def test_a_repeat_takes_no_second_place() -> None:
    session = Session(settings(max_in_flight=1), "s", 0)
    session.receive(frame(HELLO), 0)
    for now_ms in (0, 1_000):
        (stored,) = session.receive(frame(asked(wait_ms=10_000)), now_ms)
        assert isinstance(stored, StoreRequest)
    assert session.in_flight == 1


# --- layouts --------------------------------------------------------------------------------------------------------


def test_a_sale_is_turned_away_by_the_partner_of_its_contract_whatever_others_take() -> None:
    lenient = msgspec.structs.replace(CAFIS, telegrams={}, name="lenient")
    layouts = Layouts({"cafis": CAFIS, "lenient": lenient})
    assert layouts.fault(customer(sale="lenient"), asked(terminal_id="A98"), NOW_MS) is None
    assert layouts.fault(customer(sale="cafis"), asked(terminal_id="A98"), NOW_MS) == LETTERS


def test_a_door_keeps_65_layouts_ready_and_begins_anew_with_the_next() -> None:
    made: list[str] = []

    class Partner:
        def on(self, business_date: str) -> PartnerSpec:
            made.append(business_date)
            return CAFIS

    layouts = Layouts({"cafis": Partner()})  # type: ignore[dict-item]

    def ask(day: int) -> int:
        layouts.fault(customer(sale="cafis"), asked(), NOW_MS + day * DAY_MS)
        return len(made)

    assert [ask(day) for day in range(65)] == list(range(1, 66))
    assert [ask(day) for day in range(65)] == [65] * 65
    assert ask(65) == 66
    assert ask(0) == 67


# --- stillness ------------------------------------------------------------------------------------------------------


def test_nothing_has_lain_at_a_door_that_has_just_begun() -> None:
    stillness = Stillness(1_000)
    assert [stillness.lasted(now_ms) for now_ms in (1_000, 1_001, 1_250)] == [0, 0, 0]


def test_a_door_that_has_not_looked_for_half_a_second_is_busy_and_for_longer_frozen() -> None:
    stillness = Stillness(1_000)
    assert (stillness.lasted(1_500), stillness.lasted(1_501)) == (0, 501)
