"""What of a drill's plan happened, from evidence made by hand: as it should be, and a little beside it."""

import json
from datetime import UTC, datetime

import pytest
from money_rig import Scene

from ops.chaos import Deed, Done, Fault
from ops.happenings import Happening, happened, misused_payments
from ops.line_faults import LineFault
from pipeline.owned import EPOCH
from schemas.records import LineStage, LineState, LineTaken, LineWish, RouteHeld, TelegramSent

LINE = "cafis-1"
T0 = 1_700_000_000_000  # all times count from here
SAID = {
    "refuses": "a second connection was refused",
    "replaces": "a second connection takes the first one's place",
}


class Story:
    """Evidence of one line from text: when, who, what. Holds and telegrams bear the epoch of their node's last take."""

    def __init__(self, text: str) -> None:
        self.scene = Scene()
        self.done: list[Done] = []
        self._epochs: dict[str, int] = {}
        self._answered_ms: int | None = None
        for row in text.strip().splitlines():
            at, node, what, *more = row.split()
            self._happens(T0 + int(at), node, what, more)

    def _happens(self, at_ms: int, node: str, what: str, more: list[str]) -> None:
        epoch = ((EPOCH, str(self._epochs.get(node, -1)).encode()),)
        number = node.removeprefix("node")
        match what:
            case "takes":
                self._epochs[node] = len(self.scene.topics[f"sent.{LINE}"])
                self.scene.write(f"sent.{LINE}", LineTaken(line=LINE, node=node, taken_ms=at_ms))
            case "is":
                self.scene.write("lines", self._state(at_ms, node, *more), key=LINE.encode())
            case "holds":
                held = RouteHeld(
                    line=LINE, route_number=int(more[0]), transaction_id=more[1], trace_number=1, business_date="",
                    reason="in_doubt", since_ms=at_ms, expires_ms=None,
                )  # fmt: skip
                self.scene.write("holds", held, key=f"{LINE}/{more[0]}".encode(), headers=epoch)
            case "frees":
                self.scene.raw("holds", key=f"{LINE}/{more[0]}".encode(), value=None, headers=epoch)
            case "sends":
                telegram = TelegramSent(
                    transaction_id=more[0], transaction_key=more[0], attempt=int(more[1]), role="", dispatch_offset=0,
                    trace_number=1, route_number=1, business_date="", sent_ms=at_ms, report_by_ms=0, node=node,
                    partner=None, original=None,
                )  # fmt: skip
                self.scene.write(f"sent.{LINE}", telegram, headers=epoch)
            case "dies" | "stops":
                deed = Deed.KILL if what == "dies" else Deed.STOP
                self.done.append(Done(Fault(0, deed, f"owner of {LINE}", 5.0), f"egress-{number}", at_ms))
            case "loses":  # Kafka, for so many seconds
                self.done.append(
                    Done(Fault(0, Deed.CUT_OFF, f"node-{number}", float(more[0])), f"node-{number}", at_ms)
                )
            case "halfopen":
                self.done.append(Done(Fault(0, LineFault.HALF_OPEN, LINE, float(more[0])), LINE, at_ms))
            case "hears":
                self._answered_ms = at_ms
            case "refuses" | "replaces":
                moment = datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat()
                words = json.dumps({"event": SAID[what], "line": LINE, "timestamp": moment}).encode()
                self.scene.texts[f"egress-{number}.log"] = (
                    self.scene.texts.get(f"egress-{number}.log", b"") + words + b"\n"
                )

    def _state(self, at_ms: int, node: str, stage: str, by: str = "calendar", reason: str | None = None) -> LineState:
        wish = LineWish.CLOSED if stage in ("draining", "closing", "closed") else LineWish.OPEN
        return LineState(
            line=LINE, partner="cafis", node=node, stage=LineStage(stage), reason=reason and reason.replace("_", " "),
            since_ms=at_ms, wish=wish, wished_by=by, wished_since_ms=at_ms, connected_ms=None, asked_ms=None,
            answered_ms=self._answered_ms, in_flight=0, cancels_waiting=0, routes_held=0, told_ms=at_ms, spared=None,
        )  # fmt: skip

    def happened(self) -> list[Happening]:
        return [each.what for each in happened(self.scene.evidence, self.done)]


H = Happening
DEATHS = {
    "an owner dies opening": ("opening", "dies", "node1", [H.DIED_OPENING]),
    "an owner dies draining": ("draining", "dies", "node1", [H.DIED_DRAINING]),
    "an owner dies closing": ("closing", "dies", "node1", [H.DIED_CLOSING]),
    "an owner dies, and its line was open": ("open", "dies", "node1", []),
    "an owner ends in order": ("opening", "stops", "node1", []),
    "an owner dies, and is back before another has the line": ("opening", "dies", "node0", []),
}


@pytest.mark.parametrize("name", DEATHS)
def test_a_death_counts_where_the_dead_owner_was_last_and_another_one_inherits(name: str) -> None:
    last, ends, heir, expected = DEATHS[name]
    story = Story(f"""
         0 node0 takes
         1 node0 is open
        10 node0 is {last}
        20 node0 {ends}
        30 {heir} takes
        31 {heir} is connecting
    """)
    assert story.happened() == expected


def test_a_death_after_the_moment_was_over_does_not_count() -> None:
    story = Story("""
         0 node0 takes
        10 node0 is opening
        11 node0 is open
        20 node0 dies
        30 node1 takes
        31 node1 is connecting
    """)
    assert story.happened() == []


CUTS = {
    "while it lasts": ("20 node0 loses 4", "3000 node1 takes", [H.TAKEN_FROM_CUT_OFF]),
    "when it is over": ("20 node0 loses 4", "4021 node1 takes", []),
    "of the other node": ("20 node1 loses 4", "3000 node1 takes", []),
    "and the owner takes it back": ("20 node0 loses 4", "3000 node0 takes", []),
}


@pytest.mark.parametrize("name", CUTS)
def test_a_line_is_taken_from_an_owner_that_lost_kafka_while_that_lasts(name: str) -> None:
    loses, takes, expected = CUTS[name]
    assert Story(f"0 node0 takes\n 1 node0 is open\n {loses}\n {takes}").happened() == expected


HOLDS = {
    "held by both, and cancelled": ("", "32 node1 holds 7 AP02:a\n 40 node1 sends AP02:a 1", [1, 1]),
    "held by both, its cancel is still to come": ("", "32 node1 holds 7 AP02:a", [1, 0]),
    "let go before the death": ("19 node0 frees 7", "32 node1 holds 7 AP02:a\n 40 node1 sends AP02:a 1", [0, 0]),
    "the next one held it for another": ("", "32 node1 holds 7 AP02:b\n 40 node1 sends AP02:b 1", [0, 0]),
    "the next one held it after the cancel": (
        "", "32 node1 frees 7\n 33 node1 holds 7 AP02:a\n 40 node1 sends AP02:a 1", [0, 0],
    ),
    "the request itself is no cancel": ("", "32 node1 holds 7 AP02:a\n 40 node1 sends AP02:a 0", [1, 0]),
}  # fmt: skip


@pytest.mark.parametrize("name", HOLDS)
def test_a_hold_is_inherited_where_the_next_owner_writes_it_anew(name: str) -> None:
    before, after, expected = HOLDS[name]
    story = Story(f"""
         0 node0 takes
         1 node0 is open
        10 node0 holds 7 AP02:a
        {before or "11 node0 is open"}
        20 node0 dies
        30 node1 takes
        31 node1 is connecting
        {after}
    """)
    found = story.happened()
    assert [found.count(H.HOLD_INHERITED), found.count(H.CANCEL_INHERITED)] == expected


CALLS = {
    "refused": ("10 node0 refuses", [H.SECOND_REFUSED]),
    "replaced": ("10 node0 replaces", [H.SECOND_TAKEN]),
    "half-open and refused": ("5 node0 halfopen 4\n 10 node0 refuses", [H.SECOND_REFUSED, H.DEAD_AND_REFUSED]),
    "half-open and replaced": ("5 node0 halfopen 4\n 10 node0 replaces", [H.SECOND_TAKEN, H.DEAD_AND_REPLACED]),
    "no longer half-open": ("5 node0 halfopen 4\n 4006 node0 replaces", [H.SECOND_TAKEN]),
    "half-open, and found": ("5 node0 halfopen 4\n 9 node0 is failed calendar keep-alive_not_answered", [H.FOUND_DEAD]),
    "half-open, and broken": ("5 node0 halfopen 4\n 9 node0 is failed calendar connection_reset", []),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_second_call_counts_as_it_was_met(name: str) -> None:
    text, expected = CALLS[name]
    assert Story(text).happened() == expected


def test_what_the_calendar_closed_counts_when_it_is_open_again() -> None:
    closed = "10 node0 is closed\n 15 node0 is closed"
    assert Story(closed).happened() == [H.PARTNER_CLOSED], "it is the partner's only line"
    assert Story(f"{closed}\n 20 node0 is open\n 30 node0 is open").happened() == [H.CALENDAR_CLOSED, H.PARTNER_CLOSED]
    assert Story("10 node0 is closed Sato\n 20 node0 is open").happened() == []


def test_an_owner_that_finds_the_calendar_closed_keeps_it_so() -> None:
    text = "0 node0 takes\n 1 node0 is closed\n 2 node0 dies\n 3 node1 takes\n 4 node1 is {}"
    assert H.KEPT_CLOSED in Story(text.format("closed")).happened()
    assert H.KEPT_CLOSED not in Story(text.format("connecting")).happened()


BREAKERS = {
    "opens and closes": ("", "18 node0 hears", "20 node0 is open", [H.BREAKER_OPENED, H.BREAKER_CLOSED], 0),
    "opens": ("", "", "", [H.BREAKER_OPENED], 0),
    "a payment finds out": (
        "15 node0 sends AP02:a 0", "18 node0 hears", "20 node0 is open", [H.BREAKER_OPENED, H.BREAKER_CLOSED], 1,
    ),
    "a cancel goes out": (
        "15 node0 sends AP02:a 1", "18 node0 hears", "20 node0 is open", [H.BREAKER_OPENED, H.BREAKER_CLOSED], 0,
    ),
    "no keep-alive was answered": ("", "", "20 node0 is open", [H.BREAKER_OPENED, H.BREAKER_CLOSED], 1),
    "breaks, and stays so": (
        "12 node0 is failed\n 13 node0 is opening\n 14 node0 is suspended", "18 node0 hears", "20 node0 is open",
        [H.BREAKER_KEPT, H.BREAKER_OPENED, H.BREAKER_CLOSED], 0,
    ),
    "breaks, and is used": (
        "12 node0 is failed\n 13 node0 is opening", "", "20 node0 is open", [H.BREAKER_OPENED, H.BREAKER_CLOSED], 1,
    ),
    "another owner knows nothing of it": ("", "20 node1 takes", "21 node1 is open", [H.BREAKER_OPENED], 0),
    "the same node, started again, neither": ("", "20 node0 takes", "21 node0 is open", [H.BREAKER_OPENED], 0),
    "closed by order before": ("", "20 node0 is closed Sato", "21 node0 is open", [H.BREAKER_OPENED], 0),
}  # fmt: skip


@pytest.mark.parametrize("name", BREAKERS)
def test_a_breaker_is_closed_by_keep_alives_and_by_no_payment(name: str) -> None:
    meanwhile, heard, end, expected, misused = BREAKERS[name]
    story = Story("\n".join(
        row for row in (
            "0 node0 takes", "1 node0 hears", "2 node0 is open", "9 node0 sends AP02:z 0", "10 node0 is suspended",
            meanwhile, heard, end, "30 node0 sends AP02:y 0",
        ) if row
    ))  # fmt: skip
    assert story.happened() == expected
    assert len(misused_payments(story.scene.evidence)) == misused


def test_a_client_that_was_told_closed_counts_once() -> None:
    story = Story("0 node0 takes")
    for told in ("refused: station_closed", "refused: station_closed", "approved"):
        story.scene.told("AP02:a", told)
    story.scene.told("AP02:b", "refused: no_open_line")
    assert story.happened() == [H.REFUSED_CLOSED, H.REFUSED_CLOSED]
