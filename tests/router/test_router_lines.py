"""The router's knowledge of the lines: all of it before the first decision, and never older than it says."""

import dataclasses
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry
from router_rig import SETTINGS, Rig

from pipeline.log import LogError, Outgoing
from router.config import Settings
from router.metrics import Metrics
from router.shell import LinesWatch
from schemas import wire
from schemas.records import LineStage, LineWish

MARK = b"0123456789abcdef"
UNKNOWN = (
    "was written with a schema unknown here (fingerprint 0123456789abcdef): "
    "run a version whose schemas/avro holds this schema; nothing was skipped, it resumes at this record"
)


CARRYING = dataclasses.replace(
    SETTINGS, partners_of_line={"cafis-1": ("cafis", "cardnet"), "cafis-2": ("cafis",), "cardnet-1": ("cardnet",)}
)


class Watching:
    """A watch and its metrics."""

    def __init__(self, rig: Rig, settings: Settings = SETTINGS) -> None:
        self.registry = CollectorRegistry()
        self.watch = LinesWatch(rig.log, rig.topics, settings, Metrics(self.registry), rig.clock)
        self.watch.start()

    def open(self, partner: str = "cafis") -> float | None:
        return self.registry.get_sample_value("denbun_router_open_lines", {"partner": partner})


@pytest.fixture
def watching(rig: Rig) -> Iterator[Watching]:
    """Of lines of which the first is open and the second has been closed again; a third is in no configuration."""
    rig.line("cafis-2")
    rig.line("cafis-3")
    rig.line("cafis-2", LineStage.CLOSING)
    watching = Watching(rig)
    yield watching
    watching.watch.close()


def test_all_that_was_said_is_known_before_the_first_decision(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LinesWatch, "_follow", lambda watch: watch._reader.close())
    rig.line("cafis-2")
    rig.line("cafis-1", LineStage.CLOSING)
    watching = Watching(rig)
    assert watching.watch.lines().open == {"cafis": ["cafis-2"]}
    watching.watch.close()


def test_a_line_of_no_configuration_is_nobodys(watching: Watching) -> None:
    assert watching.watch.lines().open == {"cafis": ["cafis-1"]}
    assert watching.open() == 1


def test_what_is_said_later_is_followed(rig: Rig, watching: Watching) -> None:
    rig.line("cafis-2")
    rig.until(lambda: watching.watch.lines().open == {"cafis": ["cafis-1", "cafis-2"]})
    rig.line("cafis-1", LineStage.CONNECTING)
    rig.until(lambda: watching.watch.lines().open == {"cafis": ["cafis-2"]})
    rig.until(lambda: watching.open() == 1)


def test_a_line_that_carries_another_partner_is_open_for_both(rig: Rig) -> None:
    rig.line("cafis-2")
    rig.line("cardnet-1")
    watching = Watching(rig, CARRYING)
    assert watching.watch.lines().open == {"cafis": ["cafis-1", "cafis-2"], "cardnet": ["cafis-1", "cardnet-1"]}
    assert (watching.open("cafis"), watching.open("cardnet")) == (2, 2)
    watching.watch.close()


def test_a_partner_is_closed_where_every_line_of_its_own_and_every_one_that_carries_it_is_meant_to_be(
    rig: Rig,
) -> None:
    rig.line("cardnet-1", LineStage.CLOSED, LineWish.CLOSED)
    watching = Watching(rig, CARRYING)
    assert watching.watch.lines() == ({"cafis": ["cafis-1"], "cardnet": ["cafis-1"]}, set(), set())
    rig.line("cafis-1", LineStage.CLOSED, LineWish.CLOSED)
    rig.until(lambda: watching.watch.lines() == ({"cafis": [], "cardnet": []}, {"cardnet"}, set()))
    watching.watch.close()


def test_a_partner_that_a_line_spares_is_asked_over_the_others_and_by_nobody_where_there_are_none(rig: Rig) -> None:
    rig.line("cafis-1", spared="cardnet,visa")
    rig.line("cafis-2", LineStage.SUSPENDED)
    rig.line("cardnet-1")
    watching = Watching(rig, CARRYING)
    assert watching.watch.lines() == ({"cafis": ["cafis-1"], "cardnet": ["cardnet-1"]}, set(), {"cafis", "cardnet"})
    rig.line("cardnet-1", spared="cardnet")
    rig.until(lambda: watching.watch.lines().open == {"cafis": ["cafis-1"], "cardnet": []})
    rig.line("cafis-1")
    rig.until(lambda: watching.watch.lines().open == {"cafis": ["cafis-1"], "cardnet": ["cafis-1"]})
    watching.watch.close()


def test_a_request_to_a_partner_that_no_line_may_ask_is_refused_at_once(rig: Rig) -> None:
    rig.line("cafis-1", spared="cafis")
    rig.line("cafis-2", LineStage.SUSPENDED)
    rig.start()
    rig.ask("r1")
    rig.hears("replies", "r1 partner_suspended #0")
    assert rig.said("dispatch", "cafis-1") == []


def test_without_an_open_line_a_request_is_refused_and_with_one_the_next_goes_to_it(rig: Rig) -> None:
    rig.line("cafis-1", LineStage.CLOSED)
    router = rig.start()
    rig.ask("r1")
    rig.hears("replies", "r1 no_open_line #0")
    rig.line("cafis-2")
    rig.until(lambda: router.registry.get_sample_value("denbun_router_open_lines", {"partner": "cafis"}) == 1)
    rig.ask("r2")
    rig.hears("dispatch", "r2", line="cafis-2")
    assert rig.said("dispatch", "cafis-1") == []


def test_a_line_state_that_cannot_be_read_lets_no_router_start(rig: Rig) -> None:
    rig.log.writer("test").write([Outgoing("t-lines", b"cafis-1", b"what", ((wire.HEADER, MARK),))])
    request = rig.ask("r1")
    assert rig.start().failure() == f"record t-lines/0@1 {UNKNOWN}"
    assert rig.position(request) is None


def test_a_line_state_that_cannot_be_read_stops_a_router_in_front_of_its_next_decision(rig: Rig) -> None:
    router = rig.start()
    first = rig.ask("r1")
    rig.comes_to_be("r1", "dispatched")
    rig.until(lambda: rig.position(first) == first.offset + 1)
    rig.log.writer("test").write([Outgoing("t-lines", b"cafis-1", b"what", ((wire.HEADER, MARK),))])
    rig.until_ended("lines")
    second = rig.ask("r2")
    assert router.failure() == f"record t-lines/0@1 {UNKNOWN}"
    assert rig.said("transactions") == ["r1 dispatched"]
    assert rig.position(second) in (None, second.offset)


def test_a_broker_that_is_lost_while_the_lines_are_followed_stops_the_router(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching = Watching(rig)

    def lost(*_: object) -> object:
        raise LogError("reading failed: the broker is gone")

    monkeypatch.setattr(watching.watch._reader, "poll", lost)
    rig.until_ended("lines")
    with pytest.raises(LogError, match="reading failed: the broker is gone"):
        watching.watch.lines()
    watching.watch.close()


def test_a_line_is_open_as_long_as_its_owner_says_so_and_no_longer(rig: Rig) -> None:
    rig.line("cafis-1")
    rig.line("cafis-2")
    watching = Watching(rig)
    rig.clock.pass_ms(15_000)
    rig.line("cafis-2")
    rig.until(lambda: watching.open() == 2)
    rig.clock.pass_ms(1)
    rig.until(lambda: watching.open() == 1)
    assert watching.watch.lines().open == {"cafis": ["cafis-2"]}
    rig.line("cafis-1")
    rig.until(lambda: watching.open() == 2)
    watching.watch.close()


def test_where_no_line_has_an_owner_any_more_a_payment_is_refused_and_not_put_in_doubt(rig: Rig) -> None:
    rig.line("cafis-1")
    rig.line("cafis-2")
    node = rig.start()
    rig.clock.pass_ms(15_001)
    opened = lambda: node.registry.get_sample_value("denbun_router_open_lines", {"partner": "cafis"})  # noqa: E731
    rig.until(lambda: opened() == 0)
    rig.ask("r")
    rig.wait(lambda: rig.stage("r") is not None, lambda: "no state")
    assert rig.stage("r") == "refused"
    assert rig.said("replies") == ["r no_open_line #0"]
