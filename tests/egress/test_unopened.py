"""Why a line does not open stands in the log: at once, with its reason, and no oftener than once a minute."""

import logging

import msgspec
import pytest

from egress.unopened import Unopened
from schemas.installation import Line
from schemas.records import LineStage, LineState, LineWish

SINCE = 1_000_000
OPEN, WISHED = LineStage.OPEN, LineWish.OPEN


def line(mode: str = "dial") -> Line:
    return Line.model_validate(
        {
            "name": "cafis-1", "partner": "cafis", "mode": mode, "host": "127.0.0.1", "port": 7210,
            "station_id": "DNB00001", "company_code": "1", "routes": [1, 9],
        }
    )  # fmt: skip


def state(stage: LineStage, reason: str | None = None, wish: LineWish | None = WISHED) -> LineState:
    told = LineState(
        line="cafis-1", partner="cafis", node="node0", stage=stage, reason=reason, since_ms=SINCE, wish=wish,
        wished_by="calendar", wished_since_ms=SINCE, connected_ms=None, asked_ms=None, answered_ms=None, in_flight=0,
        cancels_waiting=0, routes_held=0, told_ms=SINCE, spared=None,
    )  # fmt: skip
    return msgspec.structs.replace(told)


class Log:
    """What is said when a line tells this, so many seconds after it was to be opened."""

    def __init__(self, caplog: pytest.LogCaptureFixture, mode: str = "dial") -> None:
        caplog.set_level(logging.INFO, "egress.unopened")
        self._records = caplog.records
        self._unopened = Unopened(line(mode))

    def after(self, seconds: int, told: LineState) -> list[tuple[str, str | None]]:
        self._records.clear()
        self._unopened.notice(told, SINCE + 1_000 * seconds)
        return [(each.levelname, getattr(each, "reason", None)) for each in self._records]


def test_a_reason_is_told_at_once_and_then_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    log, refused = Log(caplog), state(LineStage.FAILED, "127.0.0.1:7210: Connection refused")
    told = [("WARNING", "127.0.0.1:7210: Connection refused")]
    said = {second: log.after(second, refused) for second in range(0, 130, 5)}
    assert {second: each for second, each in said.items() if each} == {0: told, 60: told, 120: told}


def test_a_line_that_fails_again_and_again_is_told_no_oftener(caplog: pytest.LogCaptureFixture) -> None:
    log, refused = Log(caplog), state(LineStage.FAILED, "refused")
    said = [each for second in range(0, 120, 2) for told in (refused, state(OPEN)) for each in log.after(second, told)]
    assert [level for level, _ in said] == ["WARNING", "INFO"] * 2


@pytest.mark.parametrize(
    ("mode", "stage", "said"),
    [
        ("dial", LineStage.CONNECTING, "no connection to 127.0.0.1:7210 yet"),
        ("listen", LineStage.CONNECTING, "nobody has called at 127.0.0.1:7210"),
        ("dial", LineStage.OPENING, "still opening"),
    ],
)
def test_a_line_to_which_nothing_happens_is_told_after_some_time(
    caplog: pytest.LogCaptureFixture, mode: str, stage: LineStage, said: str
) -> None:
    log = Log(caplog, mode)
    assert log.after(9, state(stage)) == []
    assert log.after(10, state(stage)) == [("WARNING", said)]


@pytest.mark.parametrize(
    ("stage", "wish"),
    [
        (OPEN, WISHED),
        (LineStage.CLOSED, LineWish.CLOSED),
        (LineStage.FAILED, LineWish.CLOSED),
        (LineStage.DRAINING, LineWish.DRAINED),
        (LineStage.FAILED, None),
    ],
)
def test_a_line_that_is_as_it_should_be_or_should_be_closed_is_not_told(
    caplog: pytest.LogCaptureFixture, stage: LineStage, wish: LineWish | None
) -> None:
    assert Log(caplog).after(100, state(stage, "refused", wish)) == []
