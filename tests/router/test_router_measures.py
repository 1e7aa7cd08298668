"""What a router's metrics show of what it did, has and awaits."""

from router_rig import REPORT_DUE_MS, Rig
from service_rig import Running

from schemas.records import LineStage


class Measured:
    """The metrics of a running router."""

    def __init__(self, rig: Rig, router: Running) -> None:
        self._rig = rig
        self._router = router

    def value(self, name: str, **labels: str) -> float:
        return self._router.registry.get_sample_value(f"denbun_router_{name}", labels) or 0.0

    def comes_to(self, value: float, name: str, **labels: str) -> None:
        self._rig.until(lambda: self.value(name, **labels) == value)


def test_a_life_is_counted_step_by_step(rig: Rig) -> None:
    measured = Measured(rig, rig.start())
    measured.comes_to(1, "open_lines", partner="cafis")
    measured.comes_to(3, "partitions")
    rig.ask("a")
    measured.comes_to(1, "acts_total", act="dispatch")
    measured.comes_to(1, "transactions")
    rig.approve("a")
    measured.comes_to(1, "acts_total", act="reply")
    rig.deliver("a")
    measured.comes_to(1, "ended_total", stage="answered")
    rig.deliver("a")
    measured.comes_to(1, "ignored_total", why="confirmed_again")
    measured.comes_to(4, "records_total")
    assert measured.value("lag_seconds_count") > 0
    assert 0 <= measured.value("lag_seconds_sum") < 60  # seconds: of milliseconds it would be thousands
    assert measured.value("transactions") == 1  # until it is forgotten
    assert measured.value("acts_total", act="timeouts") == measured.value("acts_total", act="undelivered") == 0


def test_the_open_lines_of_a_partner_are_those_that_are_open_now(rig: Rig) -> None:
    measured = Measured(rig, rig.start())
    measured.comes_to(1, "open_lines", partner="cafis")
    rig.line("cafis-2")
    measured.comes_to(2, "open_lines", partner="cafis")
    rig.line("cafis-1", LineStage.FAILED)
    rig.line("cafis-2", LineStage.FAILED)
    measured.comes_to(0, "open_lines", partner="cafis")


def test_what_is_handed_to_the_cancel_service_is_counted_and_what_is_refused_by_its_reason(rig: Rig) -> None:
    measured = Measured(rig, rig.start())
    measured.comes_to(1, "open_lines", partner="cafis")
    rig.ask("silent")
    measured.comes_to(1, "acts_total", act="dispatch")
    rig.clock.pass_ms(REPORT_DUE_MS + 1)
    measured.comes_to(1, "acts_total", act="timeouts")
    measured.comes_to(1, "ended_total", stage="in_doubt")
    rig.ask("b", original="nothing")
    measured.comes_to(1, "refused_total", refusal="original_unknown")


def test_a_router_that_follows_shows_what_it_read_back_and_one_that_ends_owns_nothing(rig: Rig) -> None:
    first = rig.start()
    measured = Measured(rig, first)
    measured.comes_to(1, "open_lines", partner="cafis")
    for name in "abc":
        rig.ask(name)
    measured.comes_to(3, "transactions")
    first.stop()
    assert measured.value("partitions") == 0
    following = Measured(rig, rig.start("n2"))
    following.comes_to(3, "restored_total")
    following.comes_to(3, "transactions")
    following.comes_to(3, "partitions")
